//! A file that is there only once it is whole.
//!
//! Until then it has no name, where the file system can do that (`O_TMPFILE`): the kernel takes it away whatever becomes
//! of this process. Elsewhere it grows beside its place, and whatever goes wrong but SIGKILL takes it away again.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file without a name, or beside its place, gone again unless it is published.
pub struct PartialFile {
    file: Arc<File>,
    /// `None` where it has none.
    path: Option<PathBuf>,
}

impl PartialFile {
    /// In the folder of `destination`.
    pub fn create(destination: &Path) -> io::Result<Self> {
        if destination.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this names no file"));
        }
        // What is wrong with the folder shows again below.
        Self::unnamed(destination).or_else(|_| Self::named(destination))
    }

    fn unnamed(destination: &Path) -> io::Result<Self> {
        let folder = destination.parent().filter(|folder| !folder.as_os_str().is_empty());
        let flags = libc::O_TMPFILE | libc::O_CLOEXEC;
        let file = options().custom_flags(flags).open(folder.unwrap_or(Path::new(".")))?;
        // Without /proc it could never be given a name.
        fs::metadata(in_proc(&file))?;
        Ok(Self { file: Arc::new(file), path: None })
    }

    fn named(destination: &Path) -> io::Result<Self> {
        let path = beside(destination);
        let file = options().create_new(true).custom_flags(libc::O_CLOEXEC).open(&path)?;
        Ok(Self { file: Arc::new(file), path: Some(path) })
    }

    /// What to write to, and to read again.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// What it holds, to be read from the start.
    pub fn reader(&self) -> io::Result<File> {
        File::open(self.path.clone().unwrap_or_else(|| in_proc(&self.file)))
    }

    /// Gives it the name that it was created for, which it takes from whatever has it.
    pub fn publish(mut self, destination: &Path) -> io::Result<()> {
        if self.path.is_none() {
            // A name that is taken is not given to another file in one step, but by a rename.
            match link(&self.file, destination) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => return done,
            }
            let path = beside(destination);
            link(&self.file, &path)?;
            self.path = Some(path);
        }
        if let Some(path) = &self.path {
            fs::rename(path, destination)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

/// Short whatever the destination is called: that may be as long as a name can be.
fn beside(destination: &Path) -> PathBuf {
    destination.with_file_name(format!(".holdfs-{:016x}.part", fastrand::u64(..)))
}

fn in_proc(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Gives an open file a name that is not taken.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let from = CString::new(in_proc(file).as_os_str().as_bytes())?;
    let to = CString::new(path.as_os_str().as_bytes())?;
    let (here, follow) = (libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW);
    // SAFETY: both strings end with NUL and outlive the call.
    match unsafe { libc::linkat(here, from.as_ptr(), here, to.as_ptr(), follow) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Of both kinds, where the file system has both.
    fn partials(destination: &Path) -> Vec<PartialFile> {
        let unnamed = PartialFile::unnamed(destination).ok();
        unnamed.into_iter().chain([PartialFile::named(destination).unwrap()]).collect()
    }

    #[test]
    fn a_partial_file_is_gone_unless_published() {
        let folder = tempfile::tempdir().unwrap();
        let long = "f".repeat(255);
        let destination = folder.path().join(&long);
        drop(PartialFile::create(&destination).unwrap());
        for lost in partials(&destination) {
            assert!(lost.publish(&folder.path().join("no/such/folder")).is_err());
        }
        assert_eq!(names(folder.path()), [""; 0], "one that cannot be published is gone, too");
        PartialFile::create(&destination).unwrap().publish(&destination).unwrap();
        assert_eq!(names(folder.path()), [long.as_str()]);
        assert!(PartialFile::create(Path::new("/")).is_err());
        assert!(PartialFile::create(&folder.path().join("no/such/folder")).is_err());
    }

    #[test]
    fn it_takes_the_name_of_a_file_or_of_a_link_and_of_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let destination = folder.path().join("f");
        fs::write(folder.path().join("other"), "other").unwrap();
        for partial in partials(&destination).into_iter().chain(partials(&destination)) {
            let _ = fs::remove_file(&destination);
            std::os::unix::fs::symlink("other", &destination).unwrap();
            partial.file().as_ref().write_all(b"whole").unwrap();
            let mut text = String::new();
            partial.reader().unwrap().read_to_string(&mut text).unwrap();
            partial.publish(&destination).unwrap();
            assert!(destination.symlink_metadata().unwrap().is_file());
            assert_eq!((text, fs::read_to_string(&destination).unwrap()), ("whole".into(), "whole".into()));
        }
        fs::remove_file(&destination).unwrap();
        fs::create_dir(&destination).unwrap();
        for partial in partials(&destination) {
            assert!(partial.publish(&destination).is_err());
        }
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(
            (left, fs::read_to_string(folder.path().join("other")).unwrap()),
            (vec!["f".into(), "other".into()], "other".into())
        );
    }
}
