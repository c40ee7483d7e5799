//! Checksums of every kind from the command line, and small files that go together.

use std::fs;

use holdfs::embedded;
use holdfs::embedded::faults::{Action, Rule, When};
use holdfs::s3::ChecksumAlgorithm;

use super::typed::{Ran, json, path};
use crate::mounted::harness::{Bucket, Store, noise};

/// A store that knows all algorithms.
fn store() -> Store {
    Store::embedded(embedded::Options::default())
}

fn ran(store: &Store, arguments: &[&str]) -> Ran {
    store.command().args(arguments).output().unwrap().into()
}

fn flip(store: &Store, at: u64) {
    let faults = store.server.as_ref().unwrap().faults();
    faults.add(Rule::new(Action::FlipBit { at }).on("GetObject").once());
}

/// Uploads with a checksum, looks at it, and downloads twice: once whole, once with a bit that is wrong.
fn goes_round(bucket: &Bucket<'_>, algorithm: ChecksumAlgorithm, size: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (up, down, key) = (file("up"), file("down"), path(bucket, algorithm.name()));
    let content = noise(size as u64, size);
    fs::write(&up, &content).unwrap();
    let field = algorithm.name().to_lowercase();
    ran(bucket.store, &["object", "put", &up, &key, "--checksum", &field]).ok();
    let stat = json(&ran(bucket.store, &["object", "stat", "--json", &key]).ok());
    let value = stat["checksums"][&field].as_str().unwrap_or_else(|| panic!("{algorithm} in {stat}"));
    let composite = size > 16 << 20 && !algorithm.is_crc();
    assert_eq!(value.contains('-'), composite, "{algorithm}: {value}");
    let attributes = ran(bucket.store, &["object", "attributes", &key]).ok();
    assert!(attributes.contains(&format!("checksum_{field}: ")), "{attributes}");
    flip(bucket.store, 100);
    let wrong = ran(bucket.store, &["object", "get", &key, &down]);
    assert!(wrong.status == 1 && wrong.err.contains(algorithm.name()), "{algorithm}: {}", wrong.err);
    assert!(!fs::exists(&down).unwrap(), "no file that is not as it was stored");
    ran(bucket.store, &["object", "get", &key, &down]).ok();
    assert!(fs::read(&down).unwrap() == content);
}

#[test]
fn every_checksum_goes_up_is_shown_and_is_held_against_what_comes_down() {
    let store = store();
    let bucket = Bucket::new(&store);
    for algorithm in ChecksumAlgorithm::ALL {
        goes_round(&bucket, algorithm, 1000);
    }
    use ChecksumAlgorithm::{Crc32c, Crc64Nvme, Sha1, XxHash128};
    for algorithm in [Crc32c, Crc64Nvme, Sha1, XxHash128] {
        goes_round(&bucket, algorithm, 20 << 20);
    }
}

/// A whole object that goes to standard output is right, or the command says that it is not.
#[test]
fn what_goes_to_standard_output_is_held_against_the_checksum() {
    let store = store();
    let bucket = Bucket::new(&store);
    use ChecksumAlgorithm::{Crc64Nvme, Sha256};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file").to_str().unwrap().to_owned();
    for (algorithm, size) in [(Crc64Nvme, 1000), (Crc64Nvme, 40 << 20), (Sha256, 40 << 20)] {
        let (key, content) = (path(&bucket, algorithm.name()), noise(size as u64, size));
        fs::write(&file, &content).unwrap();
        ran(&store, &["object", "put", &file, &key, "--checksum", algorithm.name()]).ok();
        for arguments in [&["object", "cat", &key][..], &["object", "get", &key, "-"]] {
            let output = |arguments: &[&str]| store.command().args(arguments).output().unwrap();
            let right = output(arguments);
            assert!(right.status.success() && right.stdout == content, "{arguments:?}");
            flip(&store, 100);
            let wrong = output(arguments);
            let said = String::from_utf8_lossy(&wrong.stderr);
            assert!(wrong.status.code() == Some(1) && said.contains(algorithm.name()), "{said}");
            assert!(said.contains("do not use it"), "{said}");
            assert!(wrong.stdout.len() < size, "its end is kept back");
        }
        // Nothing is known of a range.
        flip(&store, 100);
        ran(&store, &["object", "cat", &key, "--range", "0-499"]).ok();
    }
}

#[test]
fn what_goes_from_store_to_store_is_held_against_the_checksum_of_the_first() {
    let (store, there) = (store(), store());
    let (bucket, other) = (Bucket::new(&store), Bucket::new(&there));
    let content = noise(3, 40 << 20);
    bucket.put("k", &content);
    let copy = || {
        let mut command = store.command();
        command.args(["object", "cp", &path(&bucket, "k"), &path(&other, "k"), "--to-profile", "there"]);
        command.args(["--to-endpoint", &there.endpoint]);
        let folder = tempfile::tempdir().unwrap();
        let (id, secret) = (&there.access_key, &there.secret_key);
        let profile = format!("[there]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        fs::write(folder.path().join("credentials"), profile).unwrap();
        command.env("AWS_SHARED_CREDENTIALS_FILE", folder.path().join("credentials"));
        Ran::from(command.output().unwrap())
    };
    flip(&store, 100);
    let wrong = copy();
    assert!(wrong.status == 1 && wrong.err.contains("CRC64NVME"), "{}", wrong.err);
    assert_eq!(other.get("k"), None);
    copy().ok();
    assert!(other.get("k").unwrap() == content);
}

#[test]
fn a_copy_is_given_another_checksum() {
    let store = store();
    let bucket = Bucket::new(&store);
    bucket.put("k", "hello");
    let (from, to) = (path(&bucket, "k"), path(&bucket, "copy"));
    let sums = |key: &str| json(&ran(&store, &["object", "stat", "--json", key]).ok())["checksums"].clone();
    ran(&store, &["object", "cp", &from, &to, "--checksum", "SHA256"]).ok();
    assert_eq!(sums(&to)["sha256"], "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    // Onto itself: that changes nothing else.
    ran(&store, &["object", "cp", &from, &from, "--checksum", "sha1"]).ok();
    assert_eq!(sums(&from)["sha1"], "qvTGHdzF6KLavt4PO0gs2a6pQ00=");
    let unknown = ran(&store, &["object", "cp", &from, &to, "--checksum", "SHA3"]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.err.contains("CRC32, CRC32C, CRC64NVME, SHA1"), "{}", unknown.err);
}

#[test]
fn small_files_go_up_together() {
    let store = store();
    let bucket = Bucket::new(&store);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("d")).unwrap();
    for n in 0..40 {
        fs::write(folder.path().join(format!("d/ü {n}")), format!("content {n}")).unwrap();
    }
    let large = noise(9, (1 << 20) + 1);
    fs::write(folder.path().join("large"), &large).unwrap();
    let (up, to) = (folder.path().to_str().unwrap(), path(&bucket, "to"));
    let put = |more: &[&str]| ran(&store, &[&["object", "put", "-r", "--snowball", up, &to], more].concat());
    let planned = put(&["--dry-run"]).ok();
    assert_eq!((planned.lines().count(), bucket.keys().len()), (41, 0));
    let log = store.server.as_ref().unwrap().log();
    log.reset();
    let done = put(&["--json"]).ok();
    assert!(done.lines().last().unwrap().contains("\"done\":41"), "{done}");
    assert_eq!(log.count("PutObject"), 3, "an empty archive that asks, a full one, and the large file");
    assert_eq!(bucket.keys().len(), 41);
    assert_eq!(bucket.get("to/d/ü 7").unwrap(), b"content 7");
    assert!(bucket.get("to/large").unwrap() == large);
    // A store that finds the archive where it was put has not unpacked it.
    let kept = Action::Status { status: 200, code: String::new(), headers: vec![], when: When::Before };
    store.server.as_ref().unwrap().faults().add(Rule::new(kept).on("HeadObject"));
    let refused = put(&[]);
    assert!(refused.status == 1 && refused.err.contains("leave out --snowball"), "{}", refused.err);
    assert_eq!(ran(&store, &["object", "put", "--snowball", up, &to]).status, 2);
    for more in [&["--preserve"][..], &["--tag", "a=b"], &["--metadata", "a=b"], &["--hold"]] {
        assert_eq!(put(more).status, 2, "an archive does not carry {more:?}");
    }
}
