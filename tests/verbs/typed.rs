//! Commands of the program as people type them, and what they answer.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::mounted::harness::{Bucket, Store};

/// What a command did: its exit status, standard output and standard error.
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "{}", self.err);
        self.out
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub fn holdfs(arguments: &[&str]) -> Ran {
    holdfs_with(arguments, b"")
}

pub fn holdfs_with(arguments: &[&str], stdin: &[u8]) -> Ran {
    let mut command = Store::shared().command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("holdfs starts");
    let mut pipe = child.stdin.take().expect("its stdin");
    std::thread::scope(|scope| {
        scope.spawn(move || pipe.write_all(stdin));
        child.wait_with_output().expect("its output").into()
    })
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// One JSON document a line.
pub fn lines(text: &str) -> Vec<Value> {
    text.lines().map(json).collect()
}

pub fn path(bucket: &Bucket<'_>, key: &str) -> String {
    format!("s3://{}/{key}", bucket.name)
}

/// Waits until something is so.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub fn send(child: &Child, signal: i32) {
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: takes plain numbers; the child has not been waited for, so its id is its own.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// Whether a process has bytes in a file below this folder, be it one without a name.
pub fn writes_below(process: &Child, folder: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{}/fd", process.id())).into_iter().flatten().flatten();
    let mut here = open
        .map(|entry| entry.path())
        .filter(|fd| fs::read_link(fd).is_ok_and(|file| file.starts_with(folder)));
    here.any(|fd| fs::metadata(fd).is_ok_and(|file| file.is_file() && file.len() > 0))
}
