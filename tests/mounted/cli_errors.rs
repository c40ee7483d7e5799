//! What goes wrong before there is a mount: one paragraph that says what to do, exit 3, within 10 s in all.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use holdfs::embedded;
use holdfs::embedded::faults::{Action, Rule, When};
use tempfile::TempDir;

use super::harness::{Bucket, HOLDFS, Store, run_within};

const ALL_CHECKS_MAX: Duration = Duration::from_secs(10);
/// Whatever this machine has to do besides.
const HANGS: Duration = Duration::from_secs(60);

/// Mounts on the shared store, expects exit 3 and one paragraph, returns the paragraph.
fn refused(target: &str, change: impl FnOnce(&mut Command)) -> String {
    let mut command = Store::shared().command();
    change(&mut command);
    refused_by(command, target)
}

fn refused_by(mut command: Command, target: &str) -> String {
    let home = TempDir::new().expect("a temporary directory");
    let (root, state) = (home.path().join("mnt"), home.path().join("state"));
    fs::create_dir(&root).expect("a mount point");
    command.args(["mount", target]).arg(&root).arg("--state").arg(&state);
    let (output, took) = run_within(&mut command, HANGS);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    // Where a program takes long to start, it takes long for other things than waiting for a store.
    let (_, start) = run_within(Command::new(HOLDFS).arg("--version"), HANGS);
    assert!(took <= ALL_CHECKS_MAX + 20 * start, "took {took:?}, where only to start takes {start:?}");
    assert_eq!(said.trim_end().lines().count(), 1, "one paragraph: {said}");
    assert!(output.stdout.is_empty());
    let secret = &Store::shared().secret_key;
    assert!(secret.is_empty() || !said.contains(secret.as_str()), "a secret was printed");
    said
}

#[test]
fn a_dead_endpoint() {
    let said = refused("bucket", |command| {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        command.env("AWS_ENDPOINT_URL", format!("http://{free}"));
    });
    assert!(said.contains("cannot be reached") && said.contains("--endpoint"), "{said}");
}

#[test]
fn an_endpoint_that_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("its address");
    let said = refused("bucket", |command| {
        command.env("AWS_ENDPOINT_URL", format!("http://{address}"));
    });
    assert!(said.contains(&address.to_string()), "{said}");
}

#[test]
fn a_wrong_access_key() {
    let bucket = Bucket::new(Store::shared());
    let said = refused(&bucket.name, |command| {
        command.env("AWS_ACCESS_KEY_ID", "AKIAWRONGWRONGWRONG1");
    });
    assert!(said.contains("does not know the access key") && said.contains("AWS_ACCESS_KEY_ID"), "{said}");
}

#[test]
fn a_wrong_secret_key() {
    let bucket = Bucket::new(Store::shared());
    let said = refused(&bucket.name, |command| {
        command.env("AWS_SECRET_ACCESS_KEY", "wrong");
    });
    assert!(said.contains("AWS_SECRET_ACCESS_KEY"), "{said}");
}

#[test]
fn no_credentials_at_all() {
    let said = refused("bucket", |command| {
        let home = "/nonexistent";
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").env("HOME", home);
    });
    assert!(said.contains("no credentials") && said.contains("AWS_ACCESS_KEY_ID"), "{said}");
}

/// A store that answers everything with this status and code.
fn store_that_says(status: u16, code: &str) -> Store {
    let store = Store::embedded(embedded::Options::default());
    let action = Action::Status { status, code: code.into(), headers: Vec::new(), when: When::Before };
    store.server.as_ref().expect("its server").faults().add(Rule::new(action));
    store
}

#[test]
fn what_the_store_says_becomes_advice() {
    for (status, code, expected) in [
        (400, "ExpiredToken", "has expired"),
        (403, "AccessDenied", "s3:ListBucket"),
        (403, "RequestTimeTooSkewed", "Set the clock"),
        (503, "ServiceUnavailable", "does not serve"),
    ] {
        let store = store_that_says(status, code);
        let said = refused_by(store.command(), "bucket");
        assert!(said.contains(expected), "{code}: {said}");
    }
}

#[test]
fn another_region_is_found_by_itself_or_explained() {
    let bucket = Bucket::new(Store::shared());
    let home = TempDir::new().expect("a temporary directory");
    let mut command = Store::shared().command();
    command.args(["object", "ls", &bucket.name]).env("AWS_REGION", "mars-north-1").env("HOME", home.path());
    let (output, _) = run_within(&mut command, ALL_CHECKS_MAX);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || said.contains("region"), "{said}");
}

/// An empty /dev, seen by this command only.
#[test]
fn no_fuse_device() {
    if holdfs::config::paths::user_id() != 0 {
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", "mount -t tmpfs none /dev && exec \"$@\"", "sh", HOLDFS]);
    let said = refused_by(command, "bucket");
    assert!(said.contains("There is no /dev/fuse") && said.contains("modprobe fuse"), "{said}");
}

#[test]
fn doctor_finds_what_is_wrong() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("f", "x");
    let (output, _) = run_within(Store::shared().command().args(["doctor", &bucket.name]), ALL_CHECKS_MAX);
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{found}");
    assert!(
        found.contains("objects can be read") && found.contains("clock: ") && !found.contains("WRONG"),
        "{found}"
    );
    let (output, _) =
        run_within(Store::shared().command().args(["doctor", "no-such-bucket-here"]), ALL_CHECKS_MAX);
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{found}");
    assert!(found.contains("WRONG bucket: There is no bucket"), "{found}");
}

#[test]
fn a_bucket_that_is_not_there() {
    let said = refused("no-such-bucket-here", |_| {});
    assert!(said.contains("There is no bucket no-such-bucket-here"), "{said}");
}

#[test]
fn a_mount_point_that_is_not_there() {
    let mut command = Command::new(HOLDFS);
    let (output, _) = run_within(command.args(["mount", "bucket", "/no/such/dir"]), ALL_CHECKS_MAX);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3));
    assert!(said.contains("does not exist"), "{said}");
}

#[test]
fn usage_is_exit_2_and_write_back_says_why_not() {
    for (arguments, expected) in [
        (&["mount", "bucket"][..], "required arguments"),
        (&["mount", "b", "/tmp", "--durability", "local"][..], "write-back"),
        (&["mount", "b", "/tmp", "-o", "turbo"][..], "no such option"),
        (&["mount", "b/../x", "/tmp"][..], "no directory can be called"),
        (&["mount", "b", "/tmp", "--ttl", "soon"][..], "expected a time"),
    ] {
        let (output, _) = run_within(Command::new(HOLDFS).args(arguments), ALL_CHECKS_MAX);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
