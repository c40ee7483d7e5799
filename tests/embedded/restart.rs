//! A data directory: what it keeps, and what it clears away.

use std::path::Path;

use holdfs::embedded::{Options, Server, Storage};

use super::raw::Store;

fn serve(directory: &Path) -> Store {
    Store::start(Options { storage: Storage::Directory(directory.to_owned()), ..Options::default() })
}

fn files(directory: &Path) -> usize {
    let folders = std::fs::read_dir(directory.join("blobs")).expect("there are blobs");
    folders.map(|folder| std::fs::read_dir(folder.expect("a folder").path()).expect("it opens").count()).sum()
}

#[test]
fn everything_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let store = serve(directory.path());
    assert_eq!(store.with("PUT", "/bkt", &[("x-amz-bucket-object-lock-enabled", "true")], b"").status, 200);
    let headers = [("x-amz-meta-who", "me"), ("x-amz-tagging", "a=1"), ("content-type", "text/x")];
    let first = store.with("PUT", "/bkt/k", &headers, &large);
    let first = first.header("x-amz-version-id").expect("a version").to_owned();
    store.put("/bkt/k", b"second");
    store.document(
        "PUT",
        &format!("/bkt/k?legal-hold&versionId={first}"),
        "<LegalHold><Status>ON</Status></LegalHold>",
    );
    store.with("PUT", "/bkt/copy", &[("x-amz-copy-source", &format!("bkt/k?versionId={first}"))], b"");
    store.put("/bkt/gone", b"x");
    store.delete("/bkt/gone");
    let upload = store.with("POST", "/bkt/parts?uploads", &[], b"").element("UploadId").expect("an upload");
    let part = store.put(&format!("/bkt/parts?partNumber=1&uploadId={upload}"), b"part one");
    let etag = part.header("etag").expect("a tag").to_owned();
    let website =
        "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>";
    assert_eq!(store.document("PUT", "/bkt?website", website).code(), "200");
    assert_eq!(store.with("PUT", "/bkt/k?acl", &[("x-amz-acl", "public-read")], b"").code(), "200");
    // Not stopped but dropped, as a crash would.
    drop(store);

    let store = serve(directory.path());
    assert_eq!(store.get("/bkt/k").text(), "second");
    assert_eq!(store.get("/bkt?website").text(), website);
    assert!(store.get("/bkt/k?acl").text().contains("AllUsers"));
    let old = store.get(&format!("/bkt/k?versionId={first}"));
    assert!(old.body == large, "the bytes of the older version");
    assert_eq!((old.header("x-amz-meta-who"), old.header("content-type")), (Some("me"), Some("text/x")));
    assert_eq!(old.header("x-amz-object-lock-legal-hold"), Some("ON"));
    assert_eq!(store.delete(&format!("/bkt/k?versionId={first}")).code(), "AccessDenied");
    assert!(store.get("/bkt/copy").body == large, "the copy shares them");
    assert_eq!(store.get("/bkt/gone").header("x-amz-delete-marker"), Some("true"));
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let done = store.with("POST", &format!("/bkt/parts?uploadId={upload}"), &[], list.as_bytes());
    assert_eq!(done.code(), "200");
    assert_eq!(store.get("/bkt/parts").text(), "part one");
    assert_eq!(store.get("/bkt?object-lock").status, 200);
    store.stop();
    let store = serve(directory.path());
    assert_eq!(store.get("/bkt/parts").text(), "part one");
    assert!(store.get("/bkt?uploads").element("UploadId").is_none());
}

#[test]
fn files_go_with_their_last_version_and_orphans_at_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = serve(directory.path());
    assert_eq!(store.put("/bkt", b"").status, 200);
    store.put("/bkt/k", b"one");
    store.put("/bkt/k", b"two");
    store.with("PUT", "/bkt/copy", &[("x-amz-copy-source", "bkt/k")], b"");
    store.delete("/bkt/k");
    store.stop();
    assert_eq!(files(directory.path()), 1, "the copy's bytes, which were the object's");
    std::fs::write(directory.path().join("blobs/00/0000000000009900"), b"left by a crash")
        .expect("it is written");
    let store = serve(directory.path());
    assert_eq!(store.get("/bkt/copy").text(), "two");
    store.stop();
    assert_eq!(files(directory.path()), 1);
}

#[test]
fn a_directory_has_one_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let _store = serve(directory.path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = Options { storage: Storage::Directory(directory.path().to_owned()), ..Options::default() };
    let error = runtime.block_on(Server::start(options)).err().expect("it is in use");
    assert!(error.to_string().contains("another server is using it"), "{error}");
}
