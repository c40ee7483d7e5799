//! The files below a local directory, in the order of their names.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::cli::Failure;

/// What lies below a directory.
pub(super) enum Local {
    /// `name` is the path below the directory, with slashes.
    File {
        path: PathBuf,
        name: String,
    },
    /// Nothing that an object could hold, and why.
    Odd {
        path: PathBuf,
        why: &'static str,
    },
    Unreadable {
        path: PathBuf,
        failure: Failure,
    },
}

/// What to do with symbolic links below the directory; the directory itself may always be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    Follow,
    Skip,
}

/// Directories are no entries of their own: S3 has none.
pub(super) fn below(root: &Path, links: Links) -> impl Iterator<Item = Local> {
    let root = root.to_owned();
    let walk = WalkDir::new(&root).follow_links(links == Links::Follow).sort_by_file_name();
    walk.into_iter().filter_map(move |entry| match entry {
        Ok(entry) if entry.file_type().is_dir() => None,
        Ok(entry) => Some(local(&root, entry)),
        Err(error) => Some(unreadable(&root, &error)),
    })
}

fn local(root: &Path, entry: DirEntry) -> Local {
    let (kind, path) = (entry.file_type(), entry.into_path());
    if kind.is_symlink() {
        return Local::Odd { path, why: "a symbolic link (--follow-symlinks uploads what it points to)" };
    }
    if !kind.is_file() {
        return Local::Odd { path, why: "not a regular file" };
    }
    let name = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
    match name {
        Some(name) => Local::File { path, name },
        None => {
            let why = "Its name is not UTF-8, as the key of an object must be: rename it.";
            Local::Unreadable { path, failure: Failure::refused(why) }
        }
    }
}

fn unreadable(root: &Path, error: &walkdir::Error) -> Local {
    let path = error.path().unwrap_or(root).to_owned();
    let why = match (error.loop_ancestor(), error.io_error()) {
        (Some(above), _) => {
            format!("It is a link to {}, above itself: what is below would never end.", above.display())
        }
        (None, Some(io)) => format!("Cannot read it: {io}."),
        (None, None) => format!("Cannot read it: {error}."),
    };
    Local::Unreadable { path, failure: Failure::refused(why) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn shown(root: &Path, links: Links) -> Vec<String> {
        below(root, links)
            .map(|local| match local {
                Local::File { name, .. } => name,
                Local::Odd { path, .. } => format!("odd {}", path.strip_prefix(root).unwrap().display()),
                Local::Unreadable { path, .. } => {
                    format!("bad {}", path.strip_prefix(root).unwrap().display())
                }
            })
            .collect()
    }

    #[test]
    fn files_are_found_and_everything_else_is_told() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path();
        fs::create_dir_all(root.join("d/empty")).unwrap();
        for name in ["b", "d/1", "d.txt"] {
            fs::write(root.join(name), "x").unwrap();
        }
        fs::write(other.path().join("far"), "x").unwrap();
        symlink(other.path(), root.join("linked")).unwrap();
        symlink(root, root.join("d/up")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        assert_eq!(
            shown(root, Links::Skip),
            ["b", "d/1", "odd d/up", "d.txt", "odd dangling", "odd linked", "odd socket"]
        );
        assert_eq!(
            shown(root, Links::Follow),
            ["b", "d/1", "bad d/up", "d.txt", "bad dangling", "linked/far", "odd socket"]
        );
        drop(socket);
        assert_eq!(shown(&root.join("none"), Links::Skip), ["bad "]);
    }
}
