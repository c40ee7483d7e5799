//! What strangers may do: access control lists, policies, the public access block, and forms without a signature.

use holdfs::base::secret::Secret;
use holdfs::embedded::KeyPair;

use super::raw::Store;

const BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true\
    </IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true\
    </RestrictPublicBuckets></PublicAccessBlockConfiguration>";

fn policy(statements: &str) -> String {
    format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{statements}]}}")
}

fn anybody(effect: &str, action: &str, resource: &str) -> String {
    format!(
        "{{\"Effect\": \"{effect}\", \"Principal\": \"*\", \"Action\": \"s3:{action}\", \
         \"Resource\": \"arn:aws:s3:::{resource}\"}}"
    )
}

#[test]
fn lists_open_objects_and_buckets_to_everybody() {
    let store = Store::in_memory();
    let public = |path: &str, acl: &str| store.with("PUT", path, &[("x-amz-acl", acl)], b"text").code();
    assert_eq!(public("/bkt/open", "public-read"), "200");
    assert_eq!(public("/bkt/signed", "authenticated-read"), "200");
    assert_eq!(public("/bkt/closed", "private"), "200");
    assert_eq!(public("/bkt/odd", "open-sesame"), "InvalidArgument");
    let stranger = |method: &str, path: &str| store.unsigned(method, path, b"").code();
    assert_eq!(store.unsigned("GET", "/bkt/open", b"").text(), "text");
    assert_eq!(stranger("HEAD", "/bkt/open"), "200");
    for path in ["/bkt/signed", "/bkt/closed", "/bkt/none", "/bkt", "/"] {
        assert_eq!(stranger("GET", path), "AccessDenied", "{path}");
    }
    assert_eq!(stranger("PUT", "/bkt/open"), "AccessDenied");
    assert_eq!(store.with("PUT", "/bkt?acl", &[("x-amz-acl", "public-read")], b"").code(), "200");
    assert_eq!(stranger("GET", "/bkt?list-type=2"), "200");
    assert_eq!(stranger("GET", "/bkt/none"), "NoSuchKey");
    assert_eq!(stranger("PUT", "/bkt/new"), "AccessDenied");
    assert_eq!(store.with("PUT", "/bkt?acl", &[("x-amz-acl", "public-read-write")], b"").code(), "200");
    assert_eq!(stranger("PUT", "/bkt/new"), "200");
    assert_eq!(stranger("GET", "/bkt/new"), "AccessDenied", "what a stranger writes is not public by itself");
    assert_eq!(stranger("DELETE", "/bkt/new"), "204");
    assert_eq!(stranger("DELETE", "/bkt"), "AccessDenied");
    assert_eq!(stranger("PUT", "/other"), "AccessDenied");
    assert_eq!(stranger("GET", "/other"), "NoSuchBucket");
}

#[test]
fn grants_by_header_are_told_and_enforced() {
    let store = Store::in_memory();
    let everybody = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
    let granted = store.with("PUT", "/bkt/k", &[("x-amz-grant-read", everybody)], b"text");
    assert_eq!(granted.code(), "200");
    assert_eq!(store.unsigned("GET", "/bkt/k", b"").text(), "text");
    let acl = store.get("/bkt/k?acl").text();
    assert!(acl.contains("<Permission>READ</Permission>") && acl.contains("AllUsers"), "{acl}");
    let copy = store.with("PUT", "/bkt/copy", &[("x-amz-copy-source", "bkt/k")], b"");
    assert_eq!(
        (copy.code().as_str(), store.unsigned("GET", "/bkt/copy", b"").code().as_str()),
        ("200", "AccessDenied")
    );
    let both = [("x-amz-grant-read", everybody), ("x-amz-acl", "private")];
    assert_eq!(store.with("PUT", "/bkt/k", &both, b"").code(), "InvalidRequest");
    let uploads = store.with("POST", "/bkt/large?uploads", &[("x-amz-acl", "public-read")], b"");
    let id = uploads.element("UploadId").unwrap();
    let part = store.put(&format!("/bkt/large?partNumber=1&uploadId={id}"), b"part");
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").unwrap()
    );
    let done = store.with("POST", &format!("/bkt/large?uploadId={id}"), &[], complete.as_bytes());
    assert_eq!(done.code(), "200");
    assert_eq!(store.unsigned("GET", "/bkt/large", b"").text(), "part");
}

#[test]
fn policies_allow_and_deny() {
    let store = Store::in_memory();
    for key in ["open/k", "secret/k"] {
        store.put(&format!("/bkt/{key}"), b"text");
    }
    let put = |statements: &str| store.put("/bkt?policy", policy(statements).as_bytes()).code();
    let stranger = |method: &str, path: &str| store.unsigned(method, path, b"").code();
    let statements = [
        anybody("Allow", "GetObject", "bkt/*"),
        anybody("Deny", "*", "bkt/secret/*"),
        anybody("Allow", "PutObject", "bkt/in/*"),
    ];
    assert_eq!(put(&statements.join(",")), "204");
    assert_eq!(stranger("GET", "/bkt/open/k"), "200");
    assert_eq!(stranger("GET", "/bkt/secret/k"), "AccessDenied");
    assert_eq!(store.get("/bkt/secret/k").code(), "AccessDenied", "the owner too");
    assert_eq!(
        (stranger("PUT", "/bkt/in/k"), stranger("PUT", "/bkt/k")),
        ("200".into(), "AccessDenied".into())
    );
    assert_eq!(stranger("GET", "/bkt"), "AccessDenied");
    let copy = [("x-amz-copy-source", "bkt/secret/k")];
    assert_eq!(store.with("PUT", "/bkt/in/copy", &copy, b"").code(), "AccessDenied");
    let delete = "<Delete><Object><Key>secret/k</Key></Object><Object><Key>open/k</Key></Object></Delete>";
    let deleted = store.document("POST", "/bkt?delete", delete).text();
    assert!(
        deleted.contains("<Code>AccessDenied</Code>") && deleted.contains("<Key>open/k</Key>"),
        "{deleted}"
    );
    // Nobody locks himself out.
    let all = format!("{},{}", anybody("Deny", "*", "bkt"), anybody("Deny", "*", "bkt/*"));
    assert_eq!(put(&all), "204");
    assert_eq!(store.get("/bkt?list-type=2").code(), "AccessDenied");
    assert_eq!(store.delete("/bkt?policy").code(), "204");
    assert_eq!(store.get("/bkt?list-type=2").code(), "200");
    assert_eq!(put(&anybody("Allow", "GetObject", "else/*")), "MalformedPolicy");
    assert_eq!(store.put("/bkt?policy", b"{").code(), "MalformedPolicy");
}

#[test]
fn listings_can_be_opened_below_a_prefix() {
    let store = Store::in_memory();
    store.put("/bkt/open/k", b"text");
    let statement = "{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": \"*\"}, \"Action\": \"s3:ListBucket\", \
        \"Resource\": \"arn:aws:s3:::bkt\", \"Condition\": {\"StringLike\": {\"s3:prefix\": \"open/*\"}}}";
    assert_eq!(store.put("/bkt?policy", policy(statement).as_bytes()).code(), "204");
    assert_eq!(store.unsigned("GET", "/bkt?list-type=2&prefix=open/", b"").code(), "200");
    assert_eq!(store.unsigned("GET", "/bkt?list-type=2&prefix=", b"").code(), "AccessDenied");
    assert_eq!(store.unsigned("GET", "/bkt?list-type=2", b"").code(), "AccessDenied");
}

#[test]
fn the_public_access_block_closes_what_is_open() {
    let store = Store::in_memory();
    store.with("PUT", "/bkt/k", &[("x-amz-acl", "public-read")], b"text");
    let open = policy(&anybody("Allow", "GetObject", "bkt/*"));
    assert_eq!(store.put("/bkt?policy", open.as_bytes()).code(), "204");
    assert_eq!(store.unsigned("GET", "/bkt/k", b"").code(), "200");
    assert_eq!(store.document("PUT", "/bkt?publicAccessBlock", BLOCK).code(), "200");
    assert_eq!(store.unsigned("GET", "/bkt/k", b"").code(), "AccessDenied");
    assert_eq!(store.get("/bkt/k").code(), "200");
    assert_eq!(store.with("PUT", "/bkt/k", &[("x-amz-acl", "public-read")], b"").code(), "AccessDenied");
    assert_eq!(store.put("/bkt?policy", open.as_bytes()).code(), "AccessDenied");
    assert_eq!(store.delete("/bkt?publicAccessBlock").code(), "204");
    assert_eq!(store.unsigned("GET", "/bkt/k", b"").code(), "200");
}

#[test]
fn a_bucket_without_lists_takes_none() {
    let store = Store::in_memory();
    let enforced = [("x-amz-object-ownership", "BucketOwnerEnforced")];
    assert_eq!(store.with("PUT", "/owned", &enforced, b"").code(), "200");
    let acl = |acl: &str| store.with("PUT", "/owned/k", &[("x-amz-acl", acl)], b"").code();
    assert_eq!(
        (acl("public-read"), acl("bucket-owner-full-control")),
        ("AccessControlListNotSupported".into(), "200".into())
    );
    let made = store.with("PUT", "/public", &[("x-amz-acl", "public-read")], b"");
    assert_eq!((made.code().as_str(), store.unsigned("GET", "/public", b"").code().as_str()), ("200", "200"));
}

#[test]
fn forms_without_a_signature_need_a_bucket_that_everybody_may_write() {
    let store = Store::in_memory();
    let form = |fields: &[(&str, &str)]| {
        let mut body = String::new();
        for (name, value) in fields {
            body += &format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        body +=
            "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nhello\r\n--X--\r\n";
        store.anonymous(
            "POST",
            "/bkt",
            &[("content-type", "multipart/form-data; boundary=X")],
            body.as_bytes(),
        )
    };
    assert_eq!(form(&[("key", "k")]).code(), "AccessDenied");
    store.with("PUT", "/bkt?acl", &[("x-amz-acl", "public-read-write")], b"");
    assert_eq!(form(&[("key", "k")]).code(), "204");
    assert_eq!(store.get("/bkt/k").text(), "hello");
    let created = form(&[("key", "k2"), ("success_action_status", "201")]);
    assert_eq!((created.status, created.element("Key").as_deref()), (201, Some("k2")));
    let redirected = form(&[("key", "k3"), ("success_action_redirect", "http://localhost/done")]);
    assert_eq!(redirected.status, 303);
    assert!(redirected.header("location").unwrap().starts_with("http://localhost/done?bucket=bkt&key=k3"));
    let closed = policy(&anybody("Deny", "PutObject", "bkt/secret/*"));
    assert_eq!(store.put("/bkt?policy", closed.as_bytes()).code(), "204");
    assert_eq!(
        (form(&[("key", "secret/k")]).code(), form(&[("key", "k4")]).code()),
        ("AccessDenied".into(), "204".into())
    );
    let chunked = [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")];
    assert_eq!(store.anonymous("PUT", "/bkt/c", &chunked, b"0\r\n\r\n").code(), "NotImplemented");
}

#[test]
fn a_session_is_for_one_bucket() {
    let mut store = Store::in_memory();
    store.put("/other", b"");
    store.put("/dir--use1-az1--x-s3", b"");
    store.put("/bkt/k", b"text");
    let directories = store.get("/?x-id=ListDirectoryBuckets").text();
    assert!(
        directories.contains("<Name>dir--use1-az1--x-s3</Name>") && !directories.contains("<Name>bkt</Name>")
    );
    let session = store.with("GET", "/bkt?session", &[("x-amz-create-session-mode", "ReadOnly")], b"");
    let element = |name: &str| session.element(name).unwrap();
    store.pair = Some(KeyPair {
        access_key: element("AccessKeyId"),
        secret_key: Secret::new(element("SecretAccessKey")),
    });
    assert_eq!(store.get("/bkt/k").text(), "text");
    assert_eq!(store.put("/bkt/k", b"x").code(), "AccessDenied");
    assert_eq!(store.get("/other").code(), "AccessDenied");
    store.pair =
        Some(KeyPair { access_key: "SESSIONUNKNOWN".into(), secret_key: Secret::new("x".to_owned()) });
    assert_eq!(store.get("/bkt/k").code(), "InvalidAccessKeyId");
}
