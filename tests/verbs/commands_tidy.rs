//! Streams, interrupts and errors of the command line: nothing half done stays, and scripts can tell what happened.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use holdfs::embedded;
use holdfs::embedded::faults::{Action, Rule, When};
use holdfs::s3::ops::ListMultipartUploads;

use super::holds_or_lacks;
use super::typed::{Ran, holdfs, holdfs_with, json, lines, path, send, until, writes_below};
use crate::mounted::harness::{Bucket, Store, noise};

fn start(store: &Store, arguments: &[&str]) -> Child {
    let mut command: Command = store.command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("holdfs starts")
}

fn interrupt(child: &Child) {
    send(child, libc::SIGINT);
}

/// What it did, once it has ended by itself in time.
fn end(mut child: Child, max: Duration) -> Ran {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > max {
            child.kill().unwrap();
            panic!("still running after {max:?}");
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap().into()
}

fn uploads(bucket: &Bucket<'_>) -> usize {
    let list = ListMultipartUploads { bucket: bucket.name.clone(), ..ListMultipartUploads::default() };
    bucket.send(&list).unwrap().uploads.len()
}

#[test]
fn an_interrupted_upload_leaves_nothing_at_the_store() {
    let bucket = Bucket::new(Store::shared());
    let mut child = start(bucket.store, &["object", "put", "-", &path(&bucket, "k")]);
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&noise(1, 40 << 20)).unwrap();
    until("an upload in parts", || uploads(&bucket) == 1);
    interrupt(&child);
    let ran = end(child, Duration::from_secs(8));
    drop(pipe);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("nterrupted"), "{}", ran.err);
    assert_eq!((uploads(&bucket), bucket.keys().len()), (0, 0));
}

#[test]
fn a_long_stream_goes_up_in_little_memory() {
    let bucket = Bucket::new(Store::shared());
    let mut child = start(bucket.store, &["object", "put", "-", &path(&bucket, "k")]);
    let mut pipe = child.stdin.take().unwrap();
    let piece = noise(4, 1 << 20);
    for _ in 0..300 {
        pipe.write_all(&piece).unwrap();
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(pipe);
    assert_eq!(end(child, Duration::from_secs(60)).status, 0);
    assert_eq!(bucket.head("k").size, 300 << 20);
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 260 << 10, "{} MiB in memory at once", kib >> 10);
}

#[test]
fn an_interrupted_download_leaves_no_file() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    for key in ["a/1", "a/2"] {
        bucket.put(key, noise(2, 4 << 20));
    }
    store.server.as_ref().unwrap().faults().add(Rule::new(Action::Stall { at: 1 << 20 }).on("GetObject"));
    let folder = tempfile::tempdir().unwrap();
    let (one, all) = (folder.path().join("file"), folder.path().join("all"));
    let (key, prefix) = (path(&bucket, "a/1"), path(&bucket, "a/"));
    for arguments in
        [vec!["get", &key, one.to_str().unwrap()], vec!["get", "-r", &prefix, all.to_str().unwrap()]]
    {
        let child = start(&store, &[&["object"], arguments.as_slice()].concat());
        let names = || {
            let below = std::fs::read_dir(&all).into_iter().flatten();
            let names = std::fs::read_dir(folder.path()).unwrap().chain(below).flatten();
            names.filter(|entry| entry.path().is_file()).count()
        };
        until("a file that is being written", || writes_below(&child, folder.path()));
        interrupt(&child);
        let ran = end(child, Duration::from_secs(8));
        assert_eq!(ran.status, 1);
        assert!(ran.err.contains("nterrupted"), "{}", ran.err);
        assert_eq!(names(), 0);
    }
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("large", noise(3, 20 << 20));
    for arguments in [vec!["object", "cat"], vec!["object", "get"]] {
        let key = path(&bucket, "large");
        let to = if arguments[1] == "get" { vec![key.as_str(), "-"] } else { vec![key.as_str()] };
        let mut child = start(bucket.store, &[arguments.as_slice(), &to].concat());
        let mut first = [0; 1000];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        assert_eq!(first[..], noise(3, 20 << 20)[..1000]);
        let ran = end(child, Duration::from_secs(20));
        assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    }
}

#[test]
fn errors_are_json_when_answers_are() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let error = |ran: Ran| {
        assert_eq!(ran.out, "");
        let error = json(ran.err.trim_end())["error"].clone();
        assert_eq!(error["exit_status"], ran.status);
        assert!(!error["message"].as_str().unwrap().is_empty());
        error
    };
    let missing = error(holdfs(&["object", "stat", "--json", &path(&bucket, "none")]));
    assert_eq!((&missing["http_status"], &missing["operation"]), (&json("404"), &json("\"HeadObject\"")));
    assert!(missing["request_id"].is_string());
    let refused = error(holdfs(&["bucket", "get", &bucket.name, "cors", "--json"]));
    assert!(refused["message"].as_str().unwrap().contains("has no cors"));
    let usage = error(holdfs(&["object", "stat", "--json", "--no-such-flag", "b/k"]));
    assert_eq!(usage["exit_status"], 2);
    let absent = error(holdfs(&["object", "ls", "--json", &format!("{}-not", bucket.name)]));
    assert_eq!(absent["exit_status"], 3);
    let mut names: Vec<_> = absent.as_object().unwrap().keys().cloned().collect();
    names.sort();
    let fields =
        ["about", "code", "exit_status", "host_id", "http_status", "message", "operation", "request_id"];
    assert_eq!(names, fields);
}

#[test]
fn what_was_done_is_told_in_json() {
    let bucket = Bucket::new(Store::shared());
    let key = path(&bucket, "d/k");
    let done = |arguments: &[&str], stdin: &[u8]| {
        let out = holdfs_with(&[arguments, &["--json"]].concat(), stdin).ok();
        assert_eq!(out.lines().count(), 1, "{out}");
        json(&out)
    };
    let put = done(&["object", "put", "-", &key], b"hello");
    assert_eq!((&put["key"], &put["bucket"]), (&json("\"d/k\""), &json(&format!("{:?}", bucket.name))));
    let etag = put["etag"].as_str().unwrap().to_owned();
    assert_eq!(done(&["object", "stat", &key], b"")["etag"], etag.as_str());
    assert_eq!(done(&["object", "cp", &key, &path(&bucket, "copy")], b"")["source"]["key"], "d/k");
    assert_eq!(done(&["object", "tag", &key, "a=1"], b"")["tags"]["a"], "1");
    assert_eq!(done(&["object", "append", "-", &key], b" you")["appended"], 4);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    let got = done(&["object", "get", &key, file.to_str().unwrap()], b"");
    assert_eq!((got["bytes"].as_u64(), std::fs::read(&file).unwrap()), (Some(9), b"hello you".to_vec()));
    let presigned = done(&["object", "presign", &key], b"");
    assert!(presigned["url"].as_str().unwrap().starts_with("http") && presigned["method"] == "GET");
    assert_eq!(done(&["object", "rm", &key], b"")["key"], "d/k");
    assert_eq!(done(&["bucket", "set", &bucket.name, "tags"], br#"{"a": "b"}"#)["done"], "set");
    let info = done(&["bucket", "info", &bucket.name], b"");
    assert_eq!(info["settings"]["tags"]["a"], "b");
    assert!(holdfs(&["bucket", "info", &bucket.name]).ok().contains("tags: {\"a\":\"b\"}\n"));
    let listed = holdfs(&["object", "ls", "--json", "-r", &bucket.name]).ok();
    assert_eq!(lines(&listed).len(), 1);
}

#[test]
fn events_are_lines_of_json_until_an_interrupt() {
    let bucket = Bucket::new(Store::shared());
    let mut child = start(bucket.store, &["bucket", "watch", &bucket.name, "--suffix", ".txt", "--json"]);
    thread::sleep(Duration::from_millis(1_500));
    if child.try_wait().unwrap().is_some() {
        let ran = end(child, Duration::from_secs(1));
        assert!(json(ran.err.trim_end())["error"]["message"].is_string());
        holds_or_lacks("ListenNotification: by the command", &ran.status, &0);
        return;
    }
    bucket.put("a.jpg", "x");
    bucket.put("a.txt", "x");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("a.txt") && json(&line).is_object(), "{line}");
    interrupt(&child);
    assert_eq!(end(child, Duration::from_secs(8)).status, 0);
}

#[test]
fn a_command_that_waits_for_its_input_can_be_interrupted() {
    let bucket = Bucket::new(Store::shared());
    let key = path(&bucket, "k");
    for arguments in [vec!["object", "append", "-", &key], vec!["bucket", "set", &bucket.name, "tags", "-"]] {
        let mut child = start(bucket.store, &arguments);
        let pipe = child.stdin.take();
        thread::sleep(Duration::from_millis(700));
        assert!(child.try_wait().unwrap().is_none());
        interrupt(&child);
        let ran = end(child, Duration::from_secs(5));
        assert!(ran.status == 1 && ran.err.contains("nterrupted"), "{}", ran.err);
        drop(pipe);
    }
    assert_eq!(bucket.keys(), [""; 0]);
}

#[test]
fn a_file_that_a_store_does_not_take_is_given_up_on_request() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    store
        .server
        .as_ref()
        .unwrap()
        .faults()
        .add(Rule::new(Action::Silence { when: When::Before }).on("UploadPart"));
    let folder = tempfile::tempdir().unwrap();
    for name in ["1", "2"] {
        std::fs::write(folder.path().join(name), noise(6, 20 << 20)).unwrap();
    }
    let child = start(&store, &["object", "put", "-r", folder.path().to_str().unwrap(), &bucket.name]);
    until("two uploads in parts", || uploads(&bucket) == 2);
    send(&child, libc::SIGTERM);
    let ran = end(child, Duration::from_secs(8));
    assert!(ran.status == 1 && ran.err.contains("Interrupted. 0 uploaded, 2 failed"), "{}", ran.err);
    assert_eq!((uploads(&bucket), bucket.keys().len()), (0, 0));
}

#[test]
fn what_would_fail_for_every_key_ends_the_rest() {
    let store = Store::embedded(embedded::Options::default());
    let bucket = Bucket::new(&store);
    for number in 0..60 {
        bucket.put(&format!("d/{number:02}"), "x");
    }
    let refusal = |status, code: &str| Action::Status {
        status,
        code: code.to_owned(),
        headers: Vec::new(),
        when: When::Before,
    };
    let faults = store.server.as_ref().unwrap().faults();
    let folder = tempfile::tempdir().unwrap();
    let get = |to: &str| {
        let to = folder.path().join(to);
        let ran = end(
            start(&store, &["object", "get", "-r", "--json", &bucket.name, to.to_str().unwrap()]),
            Duration::from_secs(60),
        );
        let told = lines(&ran.out).pop().unwrap()["summary"]["failed"].as_u64().unwrap();
        (ran.status, told)
    };
    let denied = faults.add(Rule::new(refusal(403, "AccessDenied")).on("GetObject").times(5));
    assert_eq!(get("denied"), (1, 5), "the others go on");
    assert_eq!(faults.fired(denied), 5);
    faults.add(Rule::new(refusal(403, "InvalidAccessKeyId")).on("GetObject"));
    let (status, failed) = get("stranger");
    assert_eq!(status, 3);
    assert!((1..30).contains(&failed), "{failed} keys were tried although none could succeed");
}

/// What a command shows on a terminal, where it ends well.
fn on_a_terminal(store: &Store, arguments: &[&str]) -> String {
    let (mut master, mut slave) = (0, 0);
    let (name, settings) = (std::ptr::null_mut(), std::ptr::null());
    let size = libc::winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: two places for descriptors and a size; no name is asked for, and no settings are given.
    let opened = unsafe { libc::openpty(&mut master, &mut slave, name, settings, &size) };
    assert_eq!(opened, 0, "a terminal");
    // SAFETY: both were just opened.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    let mut command = store.command();
    command.args(arguments).stdout(Stdio::null()).stderr(slave);
    let mut child = command.spawn().expect("holdfs starts");
    drop(command);
    let mut shown = Vec::new();
    // The end of a terminal whose other side is closed is an error.
    let _ = std::fs::File::from(master).read_to_end(&mut shown);
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(child.wait().unwrap().success(), "{shown}");
    shown
}

#[test]
fn a_terminal_shows_how_far_long_work_is() {
    let slow = embedded::Options { bandwidth: Some(48 << 20), ..embedded::Options::default() };
    let store = Store::embedded(slow);
    let bucket = Bucket::new(&store);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (up, down, key) = (file("up"), file("down"), path(&bucket, "d/k"));
    std::fs::write(&up, noise(5, 40 << 20)).unwrap();
    let (prefix, all) = (path(&bucket, "d/"), file("all"));
    let between = |shown: &str| {
        let steps = shown.split(" MiB / 40.00 MiB").filter_map(|before| before.rsplit(' ').next());
        let steps: Vec<f64> = steps.filter_map(|step| step.parse().ok()).collect();
        assert!(
            steps.is_sorted() && steps.iter().any(|step| (0.1..39.9).contains(step)),
            "{steps:?} of {shown:?}"
        );
    };
    between(&on_a_terminal(&store, &["object", "put", &up, &key]));
    between(&on_a_terminal(&store, &["object", "get", &key, &down]));
    on_a_terminal(&store, &["object", "cp", &key, &path(&bucket, "d/copy")]);
    let many = on_a_terminal(&store, &["object", "get", "-r", &prefix, &all]);
    assert!(many.contains("MiB/s") && many.contains("2 downloaded (80.00 MiB)"), "{many:?}");
}
