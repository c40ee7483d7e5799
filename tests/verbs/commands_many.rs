//! `--recursive` and its companions, as people type them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use holdfs::s3::ops::PutObject;
use tempfile::TempDir;

use super::holds_or_lacks;
use super::typed::{Ran, holdfs, json, lines, path};
use crate::mounted::harness::{Bucket, ObjectLock, Store, noise};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every file below, by its path below.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = text(path.strip_prefix(root).unwrap()).to_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

/// 300 files in 16 directories, with names that shells and URLs stumble over, one large enough for several parts.
fn tree() -> (TempDir, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..300_usize {
        let ending = ["txt", "jpg", "with space", "ü+&%2F?#"][number % 4];
        let directory = folder.path().join(format!("d{}/e {}", number % 5, number % 3));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{number}.{ending}")), noise(number as u64, number * 3)).unwrap();
    }
    fs::write(folder.path().join("large"), noise(1_000, 17 << 20)).unwrap();
    let files = files(folder.path());
    (folder, files)
}

fn summary(ran: &Ran) -> serde_json::Value {
    lines(&ran.out).pop().expect("a summary")["summary"].clone()
}

#[test]
fn a_tree_goes_up_and_comes_down() {
    let bucket = Bucket::new(Store::shared());
    let (up, content) = tree();
    let put = holdfs(&["object", "put", "--recursive", text(up.path()), &path(&bucket, "a/b")]);
    assert_eq!(put.out, "");
    assert!(put.err.contains("301 uploaded (17."), "{}", put.err);
    put.ok();
    let keys: Vec<String> = content.keys().map(|name| format!("a/b/{name}")).collect();
    let mut stored = bucket.keys();
    stored.sort();
    assert_eq!(stored, keys);

    let down = tempfile::tempdir().unwrap();
    let get = |arguments: &[&str], to: &str| {
        let to = down.path().join(to);
        let ran = holdfs(&[&["object", "get", "-r", "--json"], arguments, &[text(&to)]].concat());
        assert_eq!(ran.status, 0, "{}", ran.err);
        (files(&to), summary(&ran))
    };
    let (all, told) = get(&[&path(&bucket, "a/b/")], "all");
    assert!(all == content, "{:?}", all.keys());
    assert_eq!((told["done"].as_u64(), told["failed"].as_u64()), (Some(301), Some(0)));
    // Without the slash, the last part of the prefix is part of the names.
    let (named, _) = get(&[&path(&bucket, "a/b"), "--include", "b/d1/*.txt"], "named");
    assert!(
        !named.is_empty() && named.keys().all(|name| name.starts_with("b/d1/") && name.ends_with(".txt"))
    );
    let (some, _) = get(
        &[&path(&bucket, "a/b/"), "--include", "*.txt", "--include", "large", "--exclude", "d3/*"],
        "some",
    );
    let wanted = |name: &String| (name.ends_with(".txt") && !name.starts_with("d3/")) || name == "large";
    let expected: Vec<_> = content.keys().filter(|name| wanted(name)).collect();
    assert!(!expected.is_empty());
    assert_eq!(some.keys().collect::<Vec<_>>(), expected);
}

#[test]
fn a_key_never_leads_out_of_the_directory() {
    let bucket = Bucket::new(Store::shared());
    let long = format!("long/{}", "n".repeat(256));
    let hostile = [
        "../escape",
        "/lead",
        "a//b",
        "x/../../escape",
        "d/./e",
        "..",
        "s/",
        &long,
        "k",
        "k/below",
        "good/1",
    ];
    for key in hostile {
        // Some stores refuse some of them.
        let body = if key == "s/" { "bytes" } else { "x" };
        let _ = bucket.send(&PutObject::new(&bucket.name, key, body));
    }
    let stored = bucket.keys();
    assert!(stored.contains(&"good/1".to_owned()), "{stored:?}");
    let both =
        holds_or_lacks("ListObjectsV2: keys below a key", &stored.contains(&"k/below".to_owned()), &true);
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("in/side");
    let ran = holdfs(&["object", "get", "-r", "--json", &bucket.name, text(&target)]);
    let good = ["good/1", "lead", "escape"];
    let (got, told) = (files(&target), summary(&ran));
    let either = got.contains_key("k") != got.contains_key("k/below");
    assert!(either, "one of two that cannot both be: {:?}", got.keys());
    for name in got.keys() {
        assert!(good.contains(&name.as_str()) || name.starts_with("k"), "{name}");
    }
    assert_eq!(got["good/1"], b"x");
    assert_eq!(files(outside.path()).len(), got.len(), "nothing lies outside");
    if !both && stored.len() == got.len() {
        // This store takes none of them.
        ran.ok();
        return;
    }
    assert_eq!(ran.status, 1);
    let failures = lines(&ran.err);
    let (last, each) = failures.split_last().unwrap();
    assert!(last["error"]["about"].is_null() && last["error"]["exit_status"] == 1);
    assert_eq!(each.len(), stored.len() - got.len(), "{}", ran.err);
    for failure in each {
        let about = failure["error"]["about"].as_str().unwrap();
        assert!(stored.iter().any(|key| key == about), "{about}");
    }
    assert_eq!(told["failed"].as_u64(), Some(each.len() as u64));
}

#[test]
fn what_is_no_file_is_told_and_the_rest_goes_up() {
    let bucket = Bucket::new(Store::shared());
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = folder.path();
    fs::write(root.join("plain"), "1").unwrap();
    fs::write(elsewhere.path().join("far"), "2").unwrap();
    symlink(elsewhere.path(), root.join("link")).unwrap();
    symlink(root, root.join("loop")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"odd\xff")), "3").unwrap();
    let put = |arguments: &[&str]| {
        holdfs(&[&["object", "put", "-r", text(root), &bucket.name], arguments].concat())
    };
    let ran = put(&[]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(ran.err.contains("not UTF-8") && ran.err.contains("--follow-symlinks"), "{}", ran.err);
    assert!(ran.err.contains("1 uploaded (1 B), 3 skipped, 1 failed"), "{}", ran.err);
    assert_eq!(bucket.keys(), ["plain"]);
    let ran = put(&["--follow-symlinks", "--exclude", "odd*", "--exclude", "loop"]);
    assert_eq!(bucket.keys(), ["link/far", "plain"]);
    assert!(ran.err.contains("above itself") || ran.status == 0, "{}", ran.err);
    drop(socket);
    assert_eq!(
        holdfs(&["object", "put", text(root), &bucket.name]).status,
        2,
        "a directory needs --recursive"
    );
    assert_eq!(holdfs(&["object", "put", "-r", text(&root.join("plain")), &bucket.name]).status, 2);
}

#[test]
fn a_source_is_kept_until_its_copy_is_whole() {
    let bucket = Bucket::new(Store::shared());
    for key in ["from/a", "from/b", "from/c.txt", "to/b"] {
        bucket.put(key, key);
    }
    let mv = |to: &str, arguments: &[&str]| {
        holdfs(&[&["object", "mv", "-r", &path(&bucket, "from/"), &path(&bucket, to)], arguments].concat())
    };
    let planned = mv("to/", &["--dry-run", "--exclude", "*.txt"]);
    let line = |name: &str| format!("move {0}/from/{name} to {0}/to/{name}\n", bucket.name);
    assert_eq!(planned.ok(), format!("{}{}", line("a"), line("b")));
    assert_eq!(bucket.keys().len(), 4);
    let ran = mv("to/", &["--no-clobber", "--exclude", "*.txt"]);
    assert!(ran.err.contains("1 moved (6 B), 1 skipped"), "{}", ran.err);
    ran.ok();
    assert_eq!(bucket.keys(), ["from/b", "from/c.txt", "to/a", "to/b"]);
    assert_eq!(bucket.get("to/b").unwrap(), b"to/b");
    // The new key is too long for one of them.
    let long = "l".repeat(1024 - "b".len());
    let ran = mv(&long, &[]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(bucket.keys().contains(&"from/c.txt".to_owned()));
    assert_eq!(bucket.get("from/c.txt").unwrap(), b"from/c.txt");
}

#[test]
fn many_objects_are_labelled_at_once() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    for key in ["p/1.pdf", "p/2.pdf", "p/3.txt", "q"] {
        bucket.put(key, "x");
    }
    let prefix = path(&bucket, "p/");
    let run = |arguments: &[&str]| {
        let (verb, rest) = arguments.split_first().unwrap();
        holdfs(&[&["object", verb, "-r", &prefix], rest].concat())
    };
    run(&["tag", "--include", "*.pdf", "year=2026"]).ok();
    let shown = |verb: &str| {
        // As their answers come.
        let mut shown: Vec<String> = run(&[verb]).ok().lines().map(str::to_owned).collect();
        shown.sort();
        shown
    };
    assert_eq!(shown("tag"), ["p/1.pdf: year=2026", "p/2.pdf: year=2026"]);
    run(&["hold", "on", "--exclude", "*.pdf"]).ok();
    assert_eq!(shown("hold"), ["p/1.pdf: OFF", "p/2.pdf: OFF", "p/3.txt: ON"]);
    let stat = run(&["stat", "--json", "--jobs", "1"]).ok();
    let keys: Vec<_> = lines(&stat).iter().map(|line| line["key"].clone()).collect();
    assert_eq!(
        keys,
        ["p/1.pdf", "p/2.pdf", "p/3.txt", "null"].map(|key| json(&match key {
            "null" => "null".to_owned(),
            key => format!("{key:?}"),
        }))
    );
    run(&["hold", "off"]).ok();
    assert_eq!(run(&["hold", "off", "--dry-run", "--json"]).ok().lines().count(), 4);
}

#[test]
fn rm_takes_globs_and_tells_what_it_would_do() {
    let bucket = Bucket::new(Store::shared());
    for key in ["logs/a.log", "logs/b.txt", "logs/keep/c.log", "other"] {
        bucket.put(key, "x");
    }
    let rm = |arguments: &[&str]| {
        holdfs(
            &[
                &["object", "rm", "-r", &path(&bucket, "logs/"), "--include", "*.log", "--exclude", "keep/*"],
                arguments,
            ]
            .concat(),
        )
    };
    assert_eq!(rm(&["--dry-run"]).ok(), format!("delete {}/logs/a.log\n", bucket.name));
    assert_eq!(bucket.keys().len(), 4);
    let ran = rm(&["--json"]);
    assert_eq!(summary(&ran)["done"], 1);
    assert_eq!(lines(&ran.out)[0]["key"], "logs/a.log");
    assert_eq!(bucket.keys(), ["logs/b.txt", "logs/keep/c.log", "other"]);
    let listed = holdfs(&["object", "ls", "-r", &bucket.name, "--include", "*.log", "--json"]).ok();
    assert_eq!(lines(&listed).len(), 1);
}

#[test]
fn modes_and_times_go_up_and_come_back() {
    use std::os::unix::fs::PermissionsExt;
    let bucket = Bucket::new(Store::shared());
    let (up, down) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = up.path().join("script");
    fs::write(&file, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o750)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 0);
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    holdfs(&["object", "put", "-r", "--preserve", text(up.path()), &bucket.name]).ok();
    assert_eq!(bucket.head("script").metadata["mtime"], "1000000000");
    holdfs(&["object", "get", "-r", "--preserve", &bucket.name, text(down.path())]).ok();
    let metadata = fs::metadata(down.path().join("script")).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o7777, metadata.modified().unwrap()), (0o750, time));
}

#[test]
fn owners_come_back_to_who_may_give_files_away() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let bucket = Bucket::new(Store::shared());
    for key in ["d/a", "d/b"] {
        let owned = ["--metadata", "uid=12345", "--metadata", "gid=54321", "--metadata", "mode=33256"];
        holdfs(&[&["object", "put", "-", &path(&bucket, key)], &owned[..]].concat()).ok();
    }
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let down = tempfile::tempdir().unwrap();
    fs::set_permissions(down.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let get = |to: &str, user: Option<u32>| {
        let (from, to) = (path(&bucket, "d/"), down.path().join(to));
        let mut command = Store::shared().command();
        command.args(["object", "get", "-r", "--preserve", &from, text(&to)]);
        if let Some(user) = user {
            command.uid(user).gid(user).env("HOME", "/nonexistent");
        }
        let ran = Ran::from(command.output().unwrap());
        let told = ran.err.clone();
        ran.ok();
        (told, fs::metadata(to.join("a")).unwrap())
    };
    if root {
        let (told, metadata) = get("root", None);
        assert!(!told.contains("root"), "{told}");
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (12345, 54321, 0o750));
    }
    let (told, metadata) = get("other", root.then_some(65534));
    assert_eq!(told.matches("only root may").count(), 1, "said once: {told}");
    assert_eq!(metadata.mode() & 0o7777, 0o750);
    assert!(metadata.uid() != 12345 && metadata.gid() != 54321);
}

#[test]
fn what_was_deleted_comes_back_at_once() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    for key in ["d/1", "d/2", "d/kept", "d/x.tmp", "e"] {
        bucket.put(key, key);
    }
    for key in ["d/1", "d/1", "d/2", "d/x.tmp", "d/never", "e"] {
        bucket.delete(key);
    }
    let undelete = |arguments: &[&str]| {
        let command = ["object", "undelete", "-r", &path(&bucket, "d/"), "--exclude", "*.tmp"];
        holdfs(&[&command, arguments].concat())
    };
    let mut planned: Vec<String> = undelete(&["--dry-run"]).ok().lines().map(str::to_owned).collect();
    planned.sort();
    assert_eq!(planned, ["d/1", "d/2"].map(|key| format!("bring back {}/{key}", bucket.name)));
    assert_eq!(bucket.keys(), ["d/kept"]);
    let ran = undelete(&[]);
    assert!(ran.err.contains("2 brought back"), "{}", ran.err);
    ran.ok();
    assert_eq!(bucket.keys(), ["d/1", "d/2", "d/kept"]);
    assert_eq!(bucket.get("d/1").unwrap(), b"d/1");
}
