//! Conditions, ranges, descriptions and what else a verb of the command line can be told.

use holdfs::s3::ops::CreateMultipartUpload;

use super::holds_or_lacks;
use super::typed::{Ran, holdfs, holdfs_with, json, lines, path};
use crate::mounted::harness::{Bucket, ObjectLock, Store, noise};

#[test]
fn parts_of_an_object_are_read() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "0123456789");
    let key = path(&bucket, "k");
    let cat = |range: &str| holdfs(&["object", "cat", &key, "--range", range]);
    assert_eq!(cat("0-2").ok(), "012");
    assert_eq!(cat("bytes=8-100").ok(), "89");
    assert_eq!(cat("7-").ok(), "789");
    assert_eq!(cat("-2").ok(), "89");
    assert_eq!((cat("10-").status, cat("a").status), (1, 2));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    holdfs(&["object", "get", &key, file.to_str().unwrap(), "--range", "4-5"]).ok();
    assert_eq!(std::fs::read(&file).unwrap(), b"45");
    let kept = holdfs(&["object", "get", &key, file.to_str().unwrap(), "--no-clobber"]);
    assert_eq!((kept.status, std::fs::read(&file).unwrap()), (1, b"45".to_vec()));
}

#[test]
fn conditions_are_asked_of_the_store() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "old");
    let key = path(&bucket, "k");
    let etag = bucket.head("k").etag.unwrap().0.to_string();
    let run = |verb: &str, arguments: &[&str]| holdfs(&[&["object", verb, &key], arguments].concat());
    assert_eq!(run("cat", &["--if-match", &etag]).ok(), "old");
    let stale = run("cat", &["--if-match", "\"0123\""]);
    assert!(stale.status == 1 && stale.err.contains("condition"), "{}", stale.err);
    let unchanged = run("stat", &["--if-none-match", &etag]);
    assert!(unchanged.status == 1 && unchanged.err.contains("not modified"), "{}", unchanged.err);
    assert_eq!(run("stat", &["--if-modified-since", "2001-01-01T00:00:00Z"]).status, 0);
    assert_eq!(run("stat", &["--if-unmodified-since", "2001-01-01T00:00:00Z"]).status, 1);
    assert_eq!(run("stat", &["--if-unmodified-since", "yesterday"]).status, 2);
    assert_eq!(run("rm", &["--if-match", "0123"]).status, 1);
    assert_eq!(bucket.get("k").unwrap(), b"old");
    let put =
        |etag: &str, body: &[u8]| holdfs_with(&["object", "put", "-", &key, "--if-match", etag], body).status;
    assert_eq!(put(&etag, b"new"), 0);
    holds_or_lacks("PutObject: If-Match", &put(&etag, b"newer"), &1);
    let etag = bucket.head("k").etag.unwrap().0.to_string();
    run("rm", &["--if-match", &etag]).ok();
    assert_eq!(bucket.get("k"), None);
}

#[test]
fn a_copy_is_as_its_source_except_where_told() {
    let bucket = Bucket::new(Store::shared());
    let (from, to) = (path(&bucket, "from"), path(&bucket, "to"));
    let put =
        ["object", "put", "-", &from, "--metadata", "a=1", "--cache-control", "no-store", "--tag", "t=1"];
    holdfs_with(&put, b"x").ok();
    let cp = |to: &str, arguments: &[&str]| holdfs(&[&["object", "cp", &from, to], arguments].concat());
    cp(&to, &["--metadata", "b=2", "--content-type", "text/x"]).ok();
    let head = bucket.head("to");
    assert_eq!((head.metadata["a"].as_str(), head.metadata["b"].as_str()), ("1", "2"));
    assert_eq!(head.content.cache_control.as_deref(), Some("no-store"));
    assert_eq!(head.content.content_type.as_deref(), Some("text/x"));
    assert_eq!(holdfs(&["object", "tag", &to]).ok(), "t=1\n");
    cp(&to, &["--metadata", "c=3", "--metadata-directive", "replace", "--tag", "u=2"]).ok();
    let head = bucket.head("to");
    assert_eq!(head.metadata.into_iter().collect::<Vec<_>>(), [("c".to_owned(), "3".to_owned())]);
    assert_eq!(holdfs(&["object", "tag", &to]).ok(), "u=2\n");
    assert_eq!(cp(&to, &["--no-clobber"]).status, 1);
    assert_eq!(cp(&path(&bucket, "new"), &["--if-match", "0123"]).status, 1);
    // Onto itself, for the sake of its description.
    assert_eq!(cp(&from, &[]).status, 2);
    cp(&from, &["--content-language", "de"]).ok();
    assert_eq!(bucket.head("from").content.content_language.as_deref(), Some("de"));
    assert_eq!(bucket.get("from").unwrap(), b"x");
}

#[test]
fn objects_move_from_store_to_store() {
    let there = Store::embedded(holdfs::embedded::Options::default());
    let (bucket, other) = (Bucket::new(Store::shared()), Bucket::new(&there));
    let large = noise(5, 20 << 20);
    bucket.put("a/large", &large);
    bucket.put("a/empty", "");
    holdfs_with(&["object", "put", "-", &path(&bucket, "a/k"), "--metadata", "m=1", "--tag", "t=1"], b"x")
        .ok();
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials");
    let profile = format!(
        "[there]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        there.access_key, there.secret_key
    );
    std::fs::write(&credentials, profile).unwrap();
    let mv = |from: &str, to: &str, more: &[&str]| {
        let mut command = Store::shared().command();
        command.args(["object", "mv", &path(&bucket, from), &path(&other, to), "--to-profile", "there"]);
        command.args(["--to-endpoint", &there.endpoint]).args(more);
        Ran::from(command.env("AWS_SHARED_CREDENTIALS_FILE", &credentials).output().unwrap())
    };
    mv("a/k", "a/k", &[]).ok();
    let head = other.head("a/k");
    assert_eq!((head.metadata["m"].as_str(), head.tag_count), ("1", Some(1)));
    mv("a/", "b/", &["--recursive"]).ok();
    let keys = ["a/k", "b/empty", "b/large"];
    assert_eq!((other.keys(), bucket.keys().len()), (keys.map(str::to_owned).to_vec(), 0));
    assert!(other.get("b/large").unwrap() == large);
}

#[test]
fn an_object_is_described_as_it_goes_up() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    let arguments = [
        "--content-type",
        "text/x",
        "--content-encoding",
        "gzip",
        "--content-language",
        "de",
        "--content-disposition",
        "attachment",
        "--cache-control",
        "max-age=60",
        "--expires",
        "Wed, 21 Oct 2037 07:28:00 GMT",
        "--hold",
        "--retain",
        "GOVERNANCE",
        "2040-01-31T00:00:00Z",
    ];
    let key = path(&bucket, "k");
    holdfs_with(&[&["object", "put", "-", &key], &arguments[..]].concat(), b"x").ok();
    let stat = json(&holdfs(&["object", "stat", &key, "--json"]).ok());
    for (field, value) in [
        ("content_type", "text/x"),
        ("content_encoding", "gzip"),
        ("content_language", "de"),
        ("content_disposition", "attachment"),
        ("cache_control", "max-age=60"),
        ("legal_hold", "ON"),
        ("retention_mode", "GOVERNANCE"),
        ("retention_until", "2040-01-31T00:00:00Z"),
    ] {
        assert_eq!(stat[field], value, "{field}");
    }
    holdfs(&["object", "hold", &key, "off"]).ok();
    let version = stat["version_id"].as_str().unwrap();
    holdfs(&["object", "rm", &key, "--version-id", version, "--bypass-governance"]).ok();
}

#[test]
fn a_customers_key_goes_over_tls_or_not_at_all() {
    let bucket = Bucket::new(Store::shared());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, byte: u8| {
        let path = folder.path().join(name);
        std::fs::write(&path, [byte; 32]).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, two, from, to) = (file("one", 1), file("two", 2), path(&bucket, "from"), path(&bucket, "to"));
    let put = holdfs_with(&["object", "put", "-", &from, "--sse-c-key-file", &one], b"secret");
    let takes_keys = bucket.store.server.is_none() && bucket.store.endpoint.starts_with("https:");
    if !takes_keys {
        assert_eq!((put.status, bucket.get("from")), (1, None), "never stored without: {}", put.err);
        return;
    }
    put.ok();
    let cat = |key: &str, file: &str| holdfs(&["object", "cat", key, "--sse-c-key-file", file]);
    assert_eq!(cat(&from, &one).ok(), "secret");
    assert_eq!(cat(&from, &two).status, 1);
    assert_eq!(holdfs(&["object", "cat", &from]).status, 1);
    let keys = ["--sse-c-key-file", &two, "--sse-c-copy-source-key-file", &one];
    holdfs(&[&["object", "mv", &from, &to], &keys[..]].concat()).ok();
    assert_eq!(cat(&to, &two).ok(), "secret");
    assert_eq!(bucket.keys(), ["to"]);
    every_command_that_needs_the_key_takes_it(&bucket, &to, &two);
    std::fs::write(folder.path().join("one"), "short").unwrap();
    assert_eq!(cat(&to, &one).status, 2);
}

/// `to` holds `secret`, encrypted with the key in the file.
fn every_command_that_needs_the_key_takes_it(bucket: &Bucket<'_>, to: &str, key: &str) {
    let all = &path(bucket, "all");
    let own = ["--sse-c-key-file", key];
    let run = |arguments: &[&str]| holdfs(&[&["object"], arguments, &own].concat());
    for command in ["stat", "attributes"] {
        let shown = run(&[command, to]);
        if command == "stat" || shown.status == 0 {
            assert!(shown.ok().contains("size: 6\n"), "{command}");
        }
        assert_eq!(holdfs(&["object", command, to]).status, 1, "{command} without the key");
    }
    holdfs_with(&[&["object", "append", "-", to], &own[..]].concat(), b"\ntold\n").ok();
    assert_eq!(run(&["cat", to]).ok(), "secret\ntold\n");
    run(&["compose", all, to, to, "--sse-c-copy-source-key-file", key]).ok();
    assert_eq!(run(&["cat", all]).ok(), "secret\ntold\nsecret\ntold\n");
    assert_eq!(run(&["compose", all, to]).status, 1, "without the key of its source");
    let selected = run(&["select", all, "select count(*) from s3object", "--no-header"]);
    assert!(selected.status != 0 || selected.out == "4\n", "{}", selected.out);
}

#[test]
fn a_composition_is_of_the_versions_that_were_typed() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    let versions = ["one ", "two "].map(|body| {
        bucket.put("k", body);
        bucket.head("k").version.unwrap().0.to_string()
    });
    let (to, from) = (path(&bucket, "all"), path(&bucket, "k"));
    let compose = |from: &[&str]| holdfs(&[&["object", "compose", &to], from].concat());
    compose(&[&from, "--version-id", &versions[0], &from, &from, "--version-id", &versions[0]]).ok();
    assert_eq!(bucket.get("all").unwrap(), b"one two one ");
    compose(&[&from, &from, "--version-id", &versions[0]]).ok();
    assert_eq!(bucket.get("all").unwrap(), b"two one ");
    let twice = compose(&[&from, "--version-id", &versions[0], "--version-id", &versions[1]]);
    assert!(twice.status == 2 && twice.err.contains("after the one source"), "{}", twice.err);
    assert_eq!(holdfs(&["object", "compose", "--version-id", "x", &to, &from]).status, 2);
    let missing = compose(&[&from, "--version-id", "00000000-0000-0000-0000-000000000000"]);
    assert_eq!(missing.status, 1, "{}", missing.err);
    let listed = holdfs(&["object", "versions", &to, "--json"]).ok();
    for line in lines(&listed) {
        let version = line["version_id"].as_str().unwrap().to_owned();
        holdfs(&["object", "rm", &to, "--version-id", &version]).ok();
    }
}

#[test]
fn a_bucket_is_removed_with_all_that_is_in_it_only_when_told() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    for key in ["a", "b/c", "a"] {
        bucket.put(key, "x");
    }
    bucket.delete("b/c");
    let create = CreateMultipartUpload { bucket: bucket.name.clone(), key: "u".into(), ..Default::default() };
    bucket.send(&create).unwrap();
    let remove = |arguments: &[&str]| holdfs(&[&["bucket", "remove", &bucket.name], arguments].concat());
    let refused = remove(&[]);
    assert!(refused.status == 1 && refused.err.contains("--force"), "{}", refused.err);
    let nobody = remove(&["--force"]);
    assert!(nobody.status == 2 && nobody.err.contains("--yes"), "{}", nobody.err);
    assert!(bucket.get("a").is_some());
    remove(&["--force", "--yes"]).ok();
    assert!(!holdfs(&["bucket", "ls"]).ok().lines().any(|name| name == bucket.name));
    assert_eq!(remove(&["--force", "--yes"]).status, 3);
}

#[test]
fn records_are_selected_in_csv_and_in_json() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("people.csv", "name;age\nAda;36\nBob;7\n");
    let expression = "select s.name from s3object s where cast(s.age as int) > 30";
    let select = |more: &[&str]| {
        let key = path(&bucket, "people.csv");
        holdfs(&[&["object", "select", &key, expression, "--delimiter", ";"], more].concat())
    };
    let csv = select(&[]);
    if !holds_or_lacks("SelectObjectContent: by the command", &csv.out.as_str(), &"Ada\n") {
        return;
    }
    csv.ok();
    assert_eq!(lines(&select(&["--json"]).ok()), [json(r#"{"name": "Ada"}"#)]);
}

#[test]
fn only_old_uploads_are_aborted() {
    let bucket = Bucket::new(Store::shared());
    let create = CreateMultipartUpload { bucket: bucket.name.clone(), key: "u".into(), ..Default::default() };
    bucket.send(&create).unwrap();
    let uploads = |arguments: &[&str]| {
        lines(&holdfs(&[&["bucket", "uploads", &bucket.name, "--json"], arguments].concat()).ok())
    };
    assert_eq!(uploads(&["--older-than", "1h", "--abort"]).len(), 0);
    assert_eq!(uploads(&[])[0]["aborted"], false);
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    assert_eq!(uploads(&["--older-than", "1s", "--abort"])[0]["aborted"], true);
    assert_eq!(uploads(&[]).len(), 0);
}

#[test]
fn every_command_explains_itself() {
    let help = |words: &[&str]| holdfs(&[words, &["--help"]].concat()).ok();
    for group in ["object", "bucket"] {
        let listed = help(&[group]);
        let commands = listed.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        // Lines that go on are indented further.
        let firsts = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        let names: Vec<&str> = firsts.filter(|name| !name.is_empty()).collect();
        assert!(names.len() > 9, "{names:?}");
        for name in names.into_iter().filter(|name| *name != "help") {
            let text = help(&[group, name]);
            assert!(text.contains("Example"), "{group} {name} has no example:\n{text}");
        }
    }
}
