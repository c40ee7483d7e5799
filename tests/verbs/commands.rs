//! `holdfs object` and `holdfs bucket` as people type them.

use std::time::{Duration, Instant};

use serde_json::Value;

use holdfs::s3::ops::CreateMultipartUpload;

use super::typed::{holdfs, holdfs_with, json, path};
use crate::mounted::harness::{Bucket, ObjectLock, Store, block_on, noise};

#[test]
fn a_file_goes_up_and_comes_down() {
    let bucket = Bucket::new(Store::shared());
    let folder = tempfile::tempdir().unwrap();
    let (up, down) = (folder.path().join("up.txt"), folder.path().join("down"));
    let content = noise(1, 20 << 20);
    std::fs::write(&up, &content).unwrap();
    let up = up.to_str().unwrap();
    holdfs(&["object", "put", up, &path(&bucket, "d/"), "--metadata", "a=b=c", "--tag", "k= v "]).ok();
    let head = bucket.head("d/up.txt");
    assert_eq!(head.content.content_type.as_deref(), Some("text/plain"));
    assert_eq!((head.metadata["a"].as_str(), head.tag_count), ("b=c", Some(1)));
    assert_eq!(holdfs(&["object", "tag", &path(&bucket, "d/up.txt")]).ok(), "k= v \n");
    holdfs(&["object", "get", &path(&bucket, "d/up.txt"), down.to_str().unwrap()]).ok();
    assert!(std::fs::read(&down).unwrap() == content);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no partial file stays");
    let refused = holdfs(&["object", "put", "--no-clobber", up, &path(&bucket, "d/up.txt")]);
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("exists"), "{}", refused.err);
}

#[test]
fn a_pipe_goes_up_and_comes_down() {
    let bucket = Bucket::new(Store::shared());
    for size in [0, 10, 20 << 20] {
        let content: Vec<u8> = noise(2, size).iter().map(|byte| byte % 90 + 33).collect();
        holdfs_with(&["object", "put", "-", &path(&bucket, "k")], &content).ok();
        assert!(holdfs(&["object", "cat", &path(&bucket, "k")]).ok().as_bytes() == content, "{size}");
    }
}

#[test]
fn ls_shows_folders_keys_and_versions() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    for key in ["a.txt", "d/1", "d/2", "odd\nkey"] {
        bucket.put(key, "hello");
    }
    bucket.delete("d/2");
    let shown = holdfs(&["object", "ls", &bucket.name]).ok();
    let names: Vec<&str> = shown.lines().map(|line| line.get(37..).unwrap_or(line)).collect();
    assert_eq!(names, ["a.txt", "d/", "odd", "key"], "a pipe gets bytes as they are:\n{shown}");
    let keys = |arguments: &[&str]| {
        let shown = holdfs(&[&["object", "ls", "--json"], arguments].concat()).ok();
        let lines: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines
    };
    let recursive: Vec<_> = keys(&["-r", &bucket.name]).iter().map(|line| line["key"].clone()).collect();
    assert_eq!(recursive, ["a.txt", "d/1", "odd\nkey"]);
    let versions = keys(&["--versions", &path(&bucket, "d/2")]);
    let markers: Vec<_> = versions.iter().map(|line| line["delete_marker"].clone()).collect();
    assert_eq!(markers, [true, false]);
    assert_eq!(holdfs(&["object", "ls", &path(&bucket, "none")]).ok(), "");
}

#[test]
fn rm_deletes_one_all_and_every_version() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    for key in ["a", "b/1", "b/2\u{1}", "b/3&"] {
        bucket.put(key, "x");
    }
    let marked = holdfs(&["object", "rm", &path(&bucket, "a")]);
    assert!(marked.err.contains("delete marker"), "{}", marked.err);
    assert_eq!(marked.ok(), "");
    holdfs(&["object", "rm", "-r", &path(&bucket, "b/")]).ok();
    assert_eq!(bucket.keys(), [""; 0]);
    assert_ne!(holdfs(&["object", "ls", "-r", "--versions", &bucket.name]).ok(), "");
    holdfs(&["object", "rm", "-r", "--versions", &bucket.name]).ok();
    assert_eq!(holdfs(&["object", "ls", "-r", "--versions", &bucket.name]).ok(), "");
}

#[test]
fn tags_are_changed_one_by_one() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let target = path(&bucket, "k");
    let tag = |arguments: &[&str]| holdfs(&[&["object", "tag", &target], arguments].concat());
    assert_eq!(tag(&[]).ok(), "");
    tag(&["a=1", "b=2"]).ok();
    tag(&["c=3", "--remove", "a"]).ok();
    assert_eq!(tag(&[]).ok(), "b=2\nc=3\n");
    tag(&["--clear"]).ok();
    assert_eq!(tag(&[]).ok(), "");
    assert_eq!(tag(&["no-value"]).status, 2);
}

#[test]
fn holds_and_retention_lock_a_version() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    bucket.put("k", "x");
    let version = bucket.head("k").version.unwrap();
    let target = path(&bucket, "k");
    let object = |verb: &str, arguments: &[&str]| holdfs(&[&["object", verb, &target], arguments].concat());
    assert_eq!(object("hold", &[]).ok(), "OFF\n");
    object("hold", &["on"]).ok();
    assert_eq!(object("hold", &["show"]).ok(), "ON\n");
    assert_eq!(object("rm", &["--version-id", &version.0]).status, 1);
    object("hold", &["off"]).ok();
    assert_eq!(object("retain", &[]).ok(), "none\n");
    object("retain", &["governance", "2040-01-31T00:00:00Z"]).ok();
    assert_eq!(object("retain", &[]).ok(), "GOVERNANCE 2040-01-31T00:00:00Z\n");
    let stat: Value = serde_json::from_str(&object("stat", &["--json"]).ok()).unwrap();
    assert_eq!(stat["retention_mode"], "GOVERNANCE");
    assert_eq!(object("rm", &["--version-id", &version.0]).status, 1);
    object("rm", &["--version-id", &version.0, "--bypass-governance"]).ok();
    assert_eq!(object("retain", &["sometimes", "2040-01-31T00:00:00Z"]).status, 2);
}

#[test]
fn buckets_are_made_listed_and_removed() {
    let name = format!("t-cli-{:016x}", fastrand::u64(..));
    holdfs(&["bucket", "create", &name, "--object-lock"]).ok();
    assert!(holdfs(&["bucket", "ls"]).ok().lines().any(|line| line == name));
    let again = holdfs(&["bucket", "create", &name]);
    assert!([0, 1].contains(&again.status), "some stores say yes to one's own: {}", again.err);
    holdfs(&["bucket", "remove", &name]).ok();
    assert!(!holdfs(&["bucket", "ls", "--prefix", &name]).ok().contains(&name));
}

#[test]
fn settings_are_set_shown_and_unset() {
    let bucket = Bucket::new(Store::shared());
    let setting = |verb: &str, arguments: &[&str], document: &str| {
        holdfs_with(&[&["bucket", verb, &bucket.name], arguments].concat(), document.as_bytes())
    };
    let tags = r#"{ "team": "a b", "project": "x" }"#;
    setting("set", &["tags"], tags).ok();
    assert_eq!(json(&setting("get", &["tags", "--json"], "").ok()), json(tags));
    let rules = r#"{ "Rule": [{ "ID": "r", "Filter": { "Prefix": "tmp/" }, "Status": "Enabled",
        "Expiration": { "Days": 3 } }] }"#;
    setting("set", &["lifecycle"], rules).ok();
    assert_eq!(json(&setting("get", &["lifecycle", "--json"], "").ok()), json(rules));
    let xml = setting("get", &["lifecycle"], "").ok();
    assert!(xml.contains("<Days>3</Days>"), "{xml}");
    setting("set", &["lifecycle", "-"], &xml.replace(">3<", ">4<")).ok();
    assert!(setting("get", &["lifecycle"], "").ok().contains("<Days>4</Days>"));
    setting("unset", &["lifecycle"], "").ok();
    let absent = setting("get", &["lifecycle"], "");
    assert_eq!((absent.status, absent.out.as_str()), (1, ""));
    assert!(absent.err.contains("has no lifecycle"), "{}", absent.err);
}

#[test]
fn a_document_that_is_none_is_refused_before_it_is_sent() {
    let bucket = Bucket::new(Store::shared());
    let set = |setting: &str, document: &str| {
        holdfs_with(&["bucket", "set", &bucket.name, setting], document.as_bytes()).status
    };
    for (setting, document) in [
        ("cors", r#"{ "CORSRules": [] }"#),
        ("cors", "<WebsiteConfiguration/>"),
        ("cors", "<CORSConfiguration>"),
        ("cors", " "),
        ("policy-status", "{}"),
        ("nothing", "{}"),
    ] {
        assert_eq!(set(setting, document), 2, "{setting} {document}");
    }
    assert_eq!(holdfs(&["bucket", "unset", &bucket.name, "versioning"]).status, 2);
    assert_eq!(holdfs(&["bucket", "unset", &bucket.name, "metrics"]).status, 2);
}

#[test]
fn settings_with_ids_are_listed_by_them() {
    let store = Store::shared();
    if store.server.is_none() {
        return;
    }
    let bucket = Bucket::new(store);
    let setting = |verb: &str, arguments: &[&str], document: &str| {
        let words = [&["bucket", verb, &bucket.name, "metrics"], arguments].concat();
        holdfs_with(&words, document.as_bytes())
    };
    setting("set", &[], r#"{ "Id": "b", "Filter": { "Prefix": "x" } }"#).ok();
    setting("set", &["--id", "a"], "<MetricsConfiguration><Id>a</Id></MetricsConfiguration>").ok();
    assert_eq!(setting("set", &["--id", "c"], r#"{ "Id": "d" }"#).status, 2);
    assert_eq!(setting("get", &[], "").ok(), "a\nb\n");
    assert_eq!(json(&setting("get", &["--json"], "").ok())[1]["Filter"]["Prefix"], "x");
    assert_eq!(json(&setting("get", &["--id", "a", "--json"], "").ok()), json(r#"{ "Id": "a" }"#));
    setting("unset", &["--id", "a"], "").ok();
    assert_eq!(setting("get", &["--id", "a"], "").status, 1);
}

#[test]
fn objects_are_copied_and_moved_on_the_server() {
    let (bucket, other) = (Bucket::new(Store::shared()), Bucket::new(Store::shared()));
    for key in ["a/1", "a/b/2", "c"] {
        bucket.put(key, key);
    }
    let run = |arguments: &[&str]| holdfs(&[&["object"], arguments].concat());
    run(&["cp", &path(&bucket, "c"), &path(&other, "d/")]).ok();
    run(&["cp", "-r", &path(&bucket, "a/"), &path(&other, "x/")]).ok();
    assert_eq!(other.keys(), ["d/c", "x/1", "x/b/2"]);
    assert_eq!(other.get("x/b/2").unwrap(), b"a/b/2");
    run(&["mv", &path(&bucket, "c"), &path(&bucket, "e f")]).ok();
    run(&["mv", "--recursive", &path(&bucket, "a/"), &path(&other, "y/")]).ok();
    assert_eq!(bucket.keys(), ["e f"]);
    assert_eq!(other.get("y/1").unwrap(), b"a/1");
    assert_eq!(run(&["mv", &path(&bucket, "e f"), &path(&bucket, "e f")]).status, 2);
    assert_eq!(run(&["cp", "-r", &path(&other, "x"), &path(&other, "x/y/")]).status, 2);
    assert_eq!(run(&["cp", &path(&bucket, "none"), &path(&other, "z")]).status, 1);
}

#[test]
fn versions_come_back() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    for body in ["one", "two"] {
        bucket.put("k", body);
    }
    bucket.put("k2", "another");
    let target = path(&bucket, "k");
    let run = |verb: &str, arguments: &[&str]| holdfs(&[&["object", verb, &target], arguments].concat());
    let versions = |count: usize| {
        let listed = run("versions", &["--json"]).ok();
        let listed: Vec<Value> = listed.lines().map(json).collect();
        assert_eq!(listed.len(), count, "{listed:?}");
        listed
    };
    let oldest = versions(2)[1]["version_id"].as_str().unwrap().to_owned();
    run("revert", &[&oldest]).ok();
    assert_eq!(bucket.get("k").unwrap(), b"one");
    versions(3);
    bucket.delete("k");
    bucket.delete("k");
    assert_eq!(bucket.get("k"), None);
    run("undelete", &[]).ok();
    assert_eq!(bucket.get("k").unwrap(), b"one");
    versions(3);
    assert_eq!(holdfs(&["object", "undelete", &path(&bucket, "none")]).status, 1);
}

#[test]
fn objects_grow_and_are_composed() {
    let bucket = Bucket::new(Store::shared());
    let target = path(&bucket, "log");
    for line in ["one\n", "two\n"] {
        holdfs_with(&["object", "append", "-", &target], line.as_bytes()).ok();
    }
    assert_eq!(bucket.get("log").unwrap(), b"one\ntwo\n");
    let large = noise(3, 6 << 20);
    bucket.put("large", &large);
    holdfs_with(&["object", "append", "-", &path(&bucket, "large")], b"end").ok();
    assert!(bucket.get("large").unwrap() == [&large[..], b"end"].concat());
    let sources = ["log", "large", "log", "log"].map(|key| path(&bucket, key));
    let arguments =
        [&["object", "compose", &path(&bucket, "all")], &sources.each_ref().map(String::as_str)[..]];
    holdfs(&arguments.concat()).ok();
    let log = b"one\ntwo\n";
    assert!(bucket.get("all").unwrap() == [log, &large[..], b"end", log, log].concat());
}

#[test]
fn what_lies_beside_an_object_is_shown() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "hello");
    let target = path(&bucket, "k");
    let attributes = holdfs(&["object", "attributes", &target, "--json"]);
    if attributes.status == 0 {
        assert_eq!(json(&attributes.out)["size"], 5);
        assert!(holdfs(&["object", "attributes", &target]).ok().starts_with("size: 5\n"));
    }
    if Store::shared().server.is_some() {
        assert!(!holdfs(&["object", "acl", &target]).ok().contains("AllUsers"));
        holdfs(&["object", "acl", &target, "public-read"]).ok();
        let shown = holdfs(&["object", "acl", &target]).ok();
        assert!(shown.contains("READ http://acs.amazonaws.com/groups/global/AllUsers"), "{shown}");
        let thaw = holdfs(&["object", "thaw", &target]);
        assert!(thaw.status == 1 && thaw.err.contains("in no archive"), "{}", thaw.err);
        assert_eq!(holdfs(&["object", "thaw", &target, "--status"]).ok(), "none\n");
        assert_eq!(holdfs(&["object", "select", &target, "select count(*) from s3object"]).status, 0);
    }
}

#[test]
fn unfinished_uploads_are_listed_and_aborted() {
    let bucket = Bucket::new(Store::shared());
    for key in ["a/1", "b"] {
        let create =
            CreateMultipartUpload { bucket: bucket.name.clone(), key: key.into(), ..Default::default() };
        bucket.send(&create).unwrap();
    }
    let uploads = |arguments: &[&str]| {
        let shown = holdfs(&[&["bucket", "uploads", &bucket.name, "--json"], arguments].concat()).ok();
        shown.lines().map(|line| json(line)["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(uploads(&[]), ["a/1", "b"]);
    assert_eq!(uploads(&["--prefix", "a/", "--abort"]), ["a/1"]);
    assert_eq!(uploads(&[]), ["b"]);
    assert!(holdfs(&["bucket", "uploads", &bucket.name]).ok().ends_with(" b\n"));
}

#[test]
fn a_url_lets_its_bearer_in() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k ü", "hello");
    let url = |arguments: &[&str]| {
        let shown = holdfs(&[&["object", "presign", &path(&bucket, "k ü")], arguments].concat()).ok();
        shown.trim().to_owned()
    };
    let fetch = |method: reqwest::Method, url: String, body: &'static str| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
        block_on(async move {
            let reply = client.request(method, url).body(body).send().await.unwrap();
            (reply.status().as_u16(), reply.text().await.unwrap())
        })
    };
    assert_eq!(fetch(reqwest::Method::GET, url(&[]), ""), (200, "hello".to_owned()));
    assert_eq!(fetch(reqwest::Method::HEAD, url(&["--method", "head"]), "").0, 200);
    assert_eq!(fetch(reqwest::Method::PUT, url(&["--method", "put"]), "new").0, 200);
    assert_eq!(bucket.get("k ü").unwrap(), b"new");
    assert_eq!(fetch(reqwest::Method::GET, url(&["--method", "put"]), "").0, 403);
    assert_eq!(fetch(reqwest::Method::DELETE, url(&["--method", "delete"]), "").0, 204);
    assert_eq!(bucket.get("k ü"), None);
    assert_eq!(holdfs(&["object", "presign", &path(&bucket, "k"), "--expires", "604801"]).status, 1);
}

#[test]
fn the_exit_status_says_whose_fault_it_is() {
    let bucket = Bucket::new(Store::shared());
    let missing = holdfs(&["object", "cat", &path(&bucket, "nothing")]);
    assert_eq!((missing.status, missing.out.as_str()), (1, ""));
    assert!(missing.err.contains("has no object nothing"), "{}", missing.err);
    assert_eq!(holdfs(&["object", "stat", &format!("{}-not/k", bucket.name)]).status, 3);
    assert_eq!(holdfs(&["object", "ls", &format!("{}-not", bucket.name)]).status, 3);
    assert_eq!(holdfs(&["object", "cat", &bucket.name]).status, 2);
    assert_eq!(holdfs(&["object", "fetch"]).status, 2);
    let stranger = Store::shared()
        .command()
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .args(["object", "ls", &bucket.name])
        .output();
    assert_eq!(stranger.unwrap().status.code(), Some(3));
}

#[test]
fn a_dead_endpoint_is_told_within_ten_seconds() {
    let started = Instant::now();
    let output = Store::shared()
        .command()
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .args(["object", "ls", "b"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
