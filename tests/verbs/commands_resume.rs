//! Commands that are killed and started again: nothing torn appears, and what was moved is not moved again.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use holdfs::base::timestamp;
use holdfs::embedded;
use holdfs::embedded::faults::{Action, Faults, Rule, When};
use holdfs::s3::ops::{ListMultipartUploads, ListParts};
use tempfile::TempDir;

use super::typed::{Ran, lines, path, send, until, writes_below};
use crate::mounted::harness::{Bucket, Store, noise};

/// Three parts, or three ranges.
const BYTES: usize = 40 << 20;

fn ran(store: &Store, arguments: &[&str]) -> Ran {
    store.command().args(arguments).output().unwrap().into()
}

fn started(store: &Store, arguments: &[&str]) -> Child {
    let mut command = store.command();
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// As a machine that fails does it: without a word.
fn killed(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn server(store: &Store) -> &embedded::Server {
    store.server.as_ref().expect("embedded")
}

fn faults(store: &Store) -> &Faults {
    server(store).faults()
}

fn requests(store: &Store, operation: &str) -> u64 {
    server(store).log().count(operation)
}

/// The numbers of the parts that every unfinished upload has.
fn parts(bucket: &Bucket<'_>) -> Vec<usize> {
    let list = ListMultipartUploads { bucket: bucket.name.clone(), ..ListMultipartUploads::default() };
    let uploads = bucket.send(&list).unwrap().uploads;
    let count = |upload: &holdfs::s3::ops::Upload| {
        let (key, upload_id) = (upload.key.clone(), upload.upload_id.clone());
        let list = ListParts { bucket: bucket.name.clone(), key, upload_id, ..ListParts::default() };
        bucket.send(&list).unwrap().parts.len()
    };
    uploads.iter().map(count).collect()
}

/// A folder, and the path of a file that may be there.
fn place() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file").to_str().unwrap().to_owned();
    (folder, file)
}

/// A file, and an upload of it that was killed when two of its three parts were there.
fn torn_upload(bucket: &Bucket<'_>, seed: u64) -> (TempDir, String) {
    let (folder, file) = place();
    fs::write(&file, noise(seed, BYTES)).unwrap();
    faults(bucket.store).add(Rule::new(Action::Silence { when: When::Before }).on("UploadPart").skip(2));
    let child = started(bucket.store, &["object", "put", &file, &path(bucket, "k")]);
    until("two of three parts", || parts(bucket) == [2]);
    killed(child);
    faults(bucket.store).clear();
    server(bucket.store).log().reset();
    (folder, file)
}

#[test]
fn an_upload_goes_on_where_another_process_was_killed() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let (_folder, file) = torn_upload(&bucket, 1);
    assert_eq!(bucket.keys(), [""; 0], "no torn object");
    let listed = ran(&store, &["bucket", "uploads", &bucket.name, "--json"]).ok();
    assert_eq!(lines(&listed)[0]["key"], "k", "what is left is listed");
    ran(&store, &["object", "put", "--resume", &file, &path(&bucket, "k")]).ok();
    assert_eq!((requests(&store, "UploadPart"), requests(&store, "CreateMultipartUpload")), (1, 0));
    assert!(bucket.get("k").unwrap() == fs::read(&file).unwrap());
    assert_eq!(parts(&bucket), [0; 0], "nothing is left");
}

#[test]
fn an_upload_that_is_not_resumed_begins_anew_and_the_rest_can_be_aborted() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let (_folder, file) = torn_upload(&bucket, 2);
    ran(&store, &["object", "put", &file, &path(&bucket, "k")]).ok();
    assert_eq!(requests(&store, "UploadPart"), 3);
    assert!(bucket.get("k").unwrap() == fs::read(&file).unwrap());
    assert_eq!(parts(&bucket), [2]);
    ran(&store, &["bucket", "uploads", &bucket.name, "--abort"]).ok();
    assert_eq!(parts(&bucket), [0; 0]);
}

#[test]
fn parts_of_another_file_are_not_taken() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let (_folder, file) = torn_upload(&bucket, 3);
    let mut content = fs::read(&file).unwrap();
    // In each of the parts: nobody knows which two of them are there.
    for at in [7, 20 << 20, 36 << 20] {
        content[at] ^= 1;
    }
    fs::write(&file, &content).unwrap();
    ran(&store, &["object", "put", "--resume", &file, &path(&bucket, "k")]).ok();
    assert_eq!((requests(&store, "UploadPart"), requests(&store, "CreateMultipartUpload")), (3, 1));
    assert!(bucket.get("k").unwrap() == content);
    assert_eq!(parts(&bucket), [2], "those of the other file are left to whom they belong");
    // Nor are those of this one, where they were sent with another checksum.
    let sums = ["--checksum", "SHA256"];
    let target = path(&bucket, "k");
    ran(&store, &[&["object", "put", "--resume", &file, &target], &sums[..]].concat()).ok();
    assert_eq!(requests(&store, "CreateMultipartUpload"), 2);
}

#[test]
fn an_upload_that_is_interrupted_leaves_its_parts_where_it_is_to_be_resumed() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let (_folder, file) = place();
    fs::write(&file, noise(4, BYTES)).unwrap();
    let put = ["object", "put", "--resume", &file, &path(&bucket, "k")];
    faults(&store).add(Rule::new(Action::Silence { when: When::Before }).on("UploadPart").skip(1));
    let mut command = store.command();
    let child = command.args(put).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("one of three parts", || parts(&bucket) == [1]);
    send(&child, libc::SIGINT);
    let failed = Ran::from(child.wait_with_output().unwrap());
    assert!(failed.status == 1 && failed.err.contains("--resume goes on"), "{}", failed.err);
    assert_eq!(parts(&bucket), [1]);
    faults(&store).clear();
    server(&store).log().reset();
    ran(&store, &put).ok();
    assert_eq!(requests(&store, "UploadPart"), 2);
    assert!(bucket.get("k").unwrap() == fs::read(&file).unwrap());
    // A pipe cannot be read again.
    assert_eq!(ran(&store, &["object", "put", "--resume", "-", &path(&bucket, "k")]).status, 2);
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A download of `k` that was killed when two of its three ranges were there.
fn torn_download(bucket: &Bucket<'_>, folder: &Path, file: &str) {
    faults(bucket.store).add(Rule::new(Action::Stall { at: 1 << 20 }).on("GetObject").skip(2));
    let child = started(bucket.store, &["object", "get", "--resume", &path(bucket, "k"), file]);
    let notes = || names(folder).into_iter().find(|name| name.ends_with(".ranges"));
    until("two of three ranges", || {
        notes().is_some_and(|name| {
            fs::read_to_string(folder.join(name)).is_ok_and(|text| text.lines().count() == 2)
        })
    });
    killed(child);
    until("the end of what was killed", || requests(bucket.store, "GetObject") == 3);
    faults(bucket.store).clear();
    server(bucket.store).log().reset();
    assert!(!Path::new(file).exists(), "no torn file");
}

/// A file system in memory, which all Linux has, knows files without names.
#[test]
fn a_download_that_is_killed_leaves_nothing() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let content = noise(11, BYTES);
    bucket.put("k", &content);
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let file = folder.path().join("file").to_str().unwrap().to_owned();
    let get = ["object", "get", &path(&bucket, "k"), &file];
    for there in [&[][..], &["file"]] {
        faults(&store).add(Rule::new(Action::Stall { at: 1 << 20 }).on("GetObject"));
        let child = started(&store, &get);
        until("a file that is being written", || writes_below(&child, folder.path()));
        assert_eq!(names(folder.path()), there);
        killed(child);
        assert_eq!(names(folder.path()), there, "nothing is beside it");
        faults(&store).clear();
        ran(&store, &get).ok();
        assert!(fs::read(&file).unwrap() == content);
        assert_eq!(names(folder.path()), ["file"]);
        fs::write(&file, "other").unwrap();
    }
}

#[test]
fn a_download_goes_on_where_another_process_was_killed() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let content = noise(5, BYTES);
    bucket.put("k", &content);
    let (folder, file) = place();
    torn_download(&bucket, folder.path(), &file);
    ran(&store, &["object", "get", "--resume", &path(&bucket, "k"), &file]).ok();
    assert_eq!(requests(&store, "GetObject"), 1);
    assert!(fs::read(&file).unwrap() == content);
    assert_eq!(names(folder.path()), ["file"], "nothing is left beside it");
}

/// Who is killed between the new name of the file and the end of the notes leaves notes of bytes that are elsewhere.
#[test]
fn notes_of_bytes_that_are_not_there_are_not_believed() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let content = noise(9, BYTES);
    bucket.put("k", &content);
    let (folder, file) = place();
    torn_download(&bucket, folder.path(), &file);
    let part = names(folder.path()).into_iter().find(|name| name.ends_with(".part")).unwrap();
    fs::remove_file(folder.path().join(part)).unwrap();
    ran(&store, &["object", "get", "--resume", &path(&bucket, "k"), &file]).ok();
    assert!(fs::read(&file).unwrap() == content);
    assert_eq!(names(folder.path()), ["file"], "nothing is left beside it");
}

#[test]
fn what_was_downloaded_of_another_version_is_not_taken() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    bucket.put("k", noise(6, BYTES));
    let (folder, file) = place();
    torn_download(&bucket, folder.path(), &file);
    let other = noise(7, BYTES);
    bucket.put("k", &other);
    ran(&store, &["object", "get", "--resume", &path(&bucket, "k"), &file]).ok();
    assert_eq!(requests(&store, "GetObject"), 3);
    assert!(fs::read(&file).unwrap() == other);
    assert_eq!(names(folder.path()), ["file"], "what was left of the other is gone");
}

#[test]
fn a_resumed_download_is_held_against_its_checksum() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    let content = noise(8, BYTES);
    bucket.put("k", &content);
    let (folder, file) = place();
    torn_download(&bucket, folder.path(), &file);
    let part = names(folder.path()).into_iter().find(|name| name.ends_with(".part")).unwrap();
    let part = folder.path().join(part);
    let mut there = fs::read(&part).unwrap();
    there[7] ^= 1;
    there[17 << 20] ^= 1;
    fs::write(&part, there).unwrap();
    let get = ["object", "get", "--resume", &path(&bucket, "k"), &file];
    let failed = ran(&store, &get);
    assert!(failed.status == 1 && failed.err.contains("CRC64NVME"), "{}", failed.err);
    assert_eq!(names(folder.path()), [""; 0], "what is not the object's is not kept");
    ran(&store, &get).ok();
    assert!(fs::read(&file).unwrap() == content);
}

/// Keys that a command prints, with the end of their life.
fn keys(store: &Store, life: Duration) -> String {
    let token = server(store).session_token(life);
    let (id, secret, token) = (&store.access_key, &store.secret_key, token.expose());
    let end = timestamp::rfc3339(SystemTime::now() + life);
    format!(
        r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}","SessionToken":"{token}","Expiration":"{end}"}}"#
    )
}

#[test]
fn s3_01_a_process_that_was_paused_beyond_the_life_of_its_keys_goes_on() {
    let slow = embedded::Options { bandwidth: Some(12 << 20), ..embedded::Options::default() };
    let store = Store::embedded(slow);
    let bucket = Bucket::new(&store);
    let home = tempfile::tempdir().unwrap();
    let (file, printed) = (home.path().join("file"), home.path().join("keys.json"));
    fs::write(&file, noise(10, BYTES)).unwrap();
    fs::write(&printed, keys(&store, Duration::from_secs(2))).unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    let profile = format!("[default]\ncredential_process = cat {}\n", printed.display());
    fs::write(home.path().join(".aws/config"), profile).unwrap();
    let mut command = store.command();
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").env("HOME", home.path());
    command.args(["object", "put", file.to_str().unwrap(), &path(&bucket, "k")]).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until("an upload in parts", || !parts(&bucket).is_empty());
    send(&child, libc::SIGSTOP);
    std::thread::sleep(Duration::from_millis(2500));
    fs::write(&printed, keys(&store, Duration::from_secs(600))).unwrap();
    send(&child, libc::SIGCONT);
    Ran::from(child.wait_with_output().unwrap()).ok();
    assert!(bucket.get("k").unwrap() == fs::read(&file).unwrap());
}
