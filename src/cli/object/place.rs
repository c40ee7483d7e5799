//! Where the file of a key goes: below one directory, and never out of it.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::{Failure, Outcome};

/// Bytes of one name, as Linux's file systems have it.
const NAME_BYTES_MAX: usize = 255;

/// The path below the directory that `name`, a key or the end of one, stands for; the reason where it stands for none.
/// Pure.
pub(super) fn path_of(name: &str) -> Result<PathBuf, &'static str> {
    let mut path = PathBuf::new();
    for segment in name.trim_end_matches('/').split('/') {
        match segment {
            "" => return Err("a key with an empty part (`//`, or a `/` at its start) names no file"),
            "." | ".." => return Err("a key with a part that is `.` or `..` names no file"),
            long if long.len() > NAME_BYTES_MAX => {
                return Err("a part of the key is longer than a file's name can be (255 bytes)");
            }
            odd if odd.contains('\0') => return Err("a key with a NUL character names no file"),
            segment => path.push(segment),
        }
    }
    if name.ends_with("//") { Err("a key that ends with `//` names no directory") } else { Ok(path) }
}

/// The directory that a download fills.
pub(super) struct Folder {
    /// Without symbolic links.
    root: PathBuf,
    /// The directory that was last made or found good: listings come in order, so the next file mostly goes there, too.
    last: RefCell<PathBuf>,
}

impl Folder {
    /// Made where it is not there.
    pub(super) fn open(path: &Path) -> Outcome<Self> {
        let made = fs::create_dir_all(path).and_then(|()| path.canonicalize());
        let root = made.map_err(|error| unwritable(path, &error))?;
        Ok(Self { last: RefCell::new(root.clone()), root })
    }

    /// Where the file goes; all directories above it are there now.
    pub(super) fn file(&self, name: &str) -> Outcome<PathBuf> {
        let path =
            self.root.join(path_of(name).map_err(|why| Failure::refused(format!("{}.", capital(why))))?);
        let parent = path.parent().unwrap_or(&self.root);
        self.make(parent)?;
        if path.symlink_metadata().is_ok_and(|there| there.is_dir()) {
            return Err(Failure::refused(format!(
                "{} is a directory here, and a file cannot stand beside it: another key goes on where this one ends.",
                path.display()
            )));
        }
        Ok(path)
    }

    /// The directory for a key that ends with a slash.
    pub(super) fn directory(&self, name: &str) -> Outcome<PathBuf> {
        let path =
            self.root.join(path_of(name).map_err(|why| Failure::refused(format!("{}.", capital(why))))?);
        self.make(&path)?;
        Ok(path)
    }

    /// A symbolic link on the way is followed only while it stays below the root.
    fn make(&self, directory: &Path) -> Outcome {
        if *self.last.borrow() == directory {
            return Ok(());
        }
        let there =
            directory.ancestors().find(|above| above.symlink_metadata().is_ok()).unwrap_or(&self.root);
        let real = there.canonicalize().map_err(|error| unwritable(there, &error))?;
        if !real.starts_with(&self.root) {
            return Err(Failure::refused(format!(
                "{} leads out of {} by a symbolic link: nothing is written there.",
                there.display(),
                self.root.display()
            )));
        }
        fs::create_dir_all(directory).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => Failure::refused(format!(
                "{} cannot be a directory: a file has that name, or is above it, which may come from another key.",
                directory.display()
            )),
            _ => unwritable(directory, &error),
        })?;
        directory.clone_into(&mut self.last.borrow_mut());
        Ok(())
    }
}

fn capital(why: &str) -> String {
    let mut chars = why.chars();
    chars.next().map(|first| first.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::refused(format!("Cannot write {}: {error}.", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_a_path_below_or_none() {
        let long = "n".repeat(255);
        for (name, path) in [
            ("a", "a"),
            ("a/b", "a/b"),
            ("a/", "a"),
            ("...", "..."),
            ("a\nb/ü", "a\nb/ü"),
            ("\\..\\x", "\\..\\x"),
            (&long, &long),
        ] {
            assert_eq!(path_of(name), Ok(PathBuf::from(path)), "{name}");
        }
        let too_long = "n".repeat(256);
        for name in
            ["", "/", "/a", "a//b", "a//", "..", "../a", "a/../b", "a/..", "./a", "a/.", "a\0b", &too_long]
        {
            assert!(path_of(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn nothing_is_written_outside_the_directory() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        let folder = Folder::open(&inside.path().join("new/er")).unwrap();
        let root = inside.path().join("new/er");
        std::os::unix::fs::symlink(outside.path(), root.join("link")).unwrap();
        fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("near")).unwrap();
        assert!(folder.file("link/a").is_err());
        assert!(folder.file("link/deep/a").is_err());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(folder.file("../a").is_err());
        assert!(folder.file("near/a").is_ok());
        assert!(folder.file("d/e/f").unwrap().parent().unwrap().is_dir());
        fs::write(root.join("file"), "").unwrap();
        assert!(folder.file("file/a").unwrap_err().message.contains("another key"));
        assert!(folder.file("d").unwrap_err().message.contains("is a directory"));
        assert!(folder.directory("file").is_err());
    }
}
