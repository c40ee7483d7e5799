//! The socket by which `holdfs status`, `holdfs umount` and `holdfs sync` reach a running mount.
//!
//! It is called after the mount's device number and lies in a directory that belongs to the mounting user alone.
//! A client sends one [`Ask`] as a line of JSON and reads [`Answer`]s, one a line, until the connection ends.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader as AsyncReader};
use tokio::net::{UnixListener, UnixStream};

use crate::config::paths;

use super::table::Mount;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    Status,
    /// Upload what is pending, then leave the tree and end; answers with progress.
    Unmount {
        lazily: bool,
        wait_seconds: Option<u64>,
    },
    Journal {
        file: i64,
        act: Act,
    },
}

/// What to do with one file of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Retry,
    Discard,
    /// To an absolute path, written by the process that serves the mount.
    Export {
        target: PathBuf,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Status(Value),
    /// How things stand while a mount drains.
    Progress(Value),
    /// Still open files, and not asked to leave lazily: the mount goes on.
    Busy,
    /// Unmounted; so many files stay in the journal.
    Unmounted {
        left: usize,
    },
    /// The act is done; for an export, so many bytes of the file could be had.
    Done {
        bytes: u64,
    },
    Failed(String),
}

fn socket_name(device: &str) -> String {
    format!("{}.sock", device.replace(':', "-"))
}

/// Where a mount of `user` may have its socket, best first.
fn directories(user: u32) -> [PathBuf; 2] {
    [paths::runtime(user), paths::default_state().join("run")]
}

/// A listening socket, removed when it is dropped.
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Listener {
    /// Needs a tokio runtime.
    pub fn bind(device: &str) -> io::Result<Self> {
        let user = paths::user_id();
        let mut last = io::Error::other("no directory for it");
        for directory in directories(user) {
            match bind_in(&directory, user, device) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub async fn accept(&self) -> io::Result<Connection> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Connection(AsyncReader::new(stream)))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The kernel may have given the device number, and with it the name, to a younger mount by now.
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn bind_in(directory: &Path, user: u32, device: &str) -> io::Result<Listener> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let found = std::fs::symlink_metadata(directory)?;
    if !found.is_dir() || found.uid() != user || found.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other(format!("{} is open to others", directory.display())));
    }
    let path = directory.join(socket_name(device));
    // The kernel gave this device number to us: a socket of that name is of a mount that is gone.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    let inode = std::fs::symlink_metadata(&path)?.ino();
    Ok(Listener { listener, path, inode })
}

/// One client of a mount, as the mount sees it.
pub struct Connection(AsyncReader<UnixStream>);

impl Connection {
    pub async fn ask(&mut self) -> io::Result<Ask> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        Ok(serde_json::from_str(&line)?)
    }

    pub async fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        let line = serde_json::to_string(answer)? + "\n";
        self.0.get_mut().write_all(line.as_bytes()).await
    }
}

/// Asks a mount and hands each answer to `each` until the connection ends. `quiet_max` bounds the silence between
/// answers.
pub fn ask(mount: &Mount, ask: &Ask, quiet_max: Duration, each: &mut dyn FnMut(Answer)) -> io::Result<()> {
    let stream = connect(mount)?;
    stream.set_read_timeout(Some(quiet_max))?;
    stream.set_write_timeout(Some(quiet_max))?;
    (&stream).write_all((serde_json::to_string(ask)? + "\n").as_bytes())?;
    for line in BufReader::new(&stream).lines() {
        each(serde_json::from_str(&line?)?);
    }
    Ok(())
}

/// A process listens for this mount.
pub fn is_served(mount: &Mount) -> bool {
    connect(mount).is_ok()
}

fn connect(mount: &Mount) -> io::Result<BlockingStream> {
    let name = socket_name(&mount.device);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for directory in directories(mount.user) {
        match BlockingStream::connect(directory.join(&name)) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_in_a_directory_that_others_may_write_is_refused() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let open = directory.path().join("open");
        std::fs::create_dir(&open).expect("a directory");
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).expect("its mode");
        assert!(bind_in(&open, paths::user_id(), "0:1").is_err());
    }

    #[tokio::test]
    async fn an_older_mount_leaves_the_socket_of_a_younger_one_alone() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let private = directory.path().join("run");
        let bind = || bind_in(&private, paths::user_id(), "0:1").expect("a socket");
        let (older, younger) = (bind(), bind());
        drop(older);
        assert!(younger.path.exists());
        drop(younger);
        assert!(!private.join(socket_name("0:1")).exists());
    }

    #[test]
    fn asks_and_answers_are_lines() {
        let ask = Ask::Unmount { lazily: true, wait_seconds: Some(3) };
        let line = serde_json::to_string(&ask).expect("JSON");
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Ask>(&line).expect("the same"), ask);
    }
}
