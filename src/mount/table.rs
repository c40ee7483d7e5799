//! The kernel's list of mounts, read without touching any of them: stat(2) on a dead mount hangs or fails.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The type that `/proc/mounts` shows.
pub const FILE_SYSTEM_TYPE: &str = "fuse.holdfs";

/// One line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor`: names the mount in /sys, and among all living mounts of the machine.
    pub device: String,
    pub directory: PathBuf,
    pub kind: String,
    pub source: String,
    /// Who mounted.
    pub user: u32,
}

impl Mount {
    pub fn is_ours(&self) -> bool {
        self.kind == FILE_SYSTEM_TYPE
    }
}

/// All mounts that this process can see, oldest first.
pub fn read() -> io::Result<Vec<Mount>> {
    Ok(parse(&fs::read("/proc/self/mountinfo")?))
}

/// The topmost mount exactly at `directory`, which must be absolute.
pub fn at(directory: &Path) -> io::Result<Option<Mount>> {
    Ok(read()?.into_iter().rev().find(|mount| mount.directory == directory))
}

/// The mount of ours that `path` lies in. Symlinks of `path` are followed only where that touches no mount of ours.
pub fn ours_containing(path: &Path) -> io::Result<Option<Mount>> {
    let mounts = read()?;
    let path = absolute(path)?;
    let mut around: Vec<_> = mounts.into_iter().filter(|mount| path.starts_with(&mount.directory)).collect();
    // The last of the deepest is the one that a lookup ends in.
    around.sort_by_key(|mount| mount.directory.components().count());
    Ok(around.pop().filter(Mount::is_ours))
}

/// Absolute, with the symlinks of its parent resolved: the last component may be a dead mount.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path) };
    match parent.canonicalize() {
        Ok(parent) => Ok(parent.join(name)),
        // The parent lies in a dead mount, or does not exist: the words are all there is.
        Err(_) => Ok(path.clone()),
    }
}

/// <https://docs.kernel.org/filesystems/proc.html>, 3.5: fields separated by blanks, optional fields ended by `-`.
fn parse(table: &[u8]) -> Vec<Mount> {
    table.split(|&byte| byte == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let dash = fields.iter().position(|&field| field == b"-")?;
    let text = |field: &[u8]| String::from_utf8_lossy(&unescaped(field)).into_owned();
    let options = text(fields.get(dash + 3).copied().unwrap_or_default());
    let user = options.split(',').find_map(|option| option.strip_prefix("user_id="));
    Some(Mount {
        device: text(fields.get(2)?),
        directory: PathBuf::from(std::ffi::OsString::from_vec(unescaped(fields.get(4)?))),
        kind: text(fields.get(dash + 1)?),
        source: text(fields.get(dash + 2)?),
        user: user.and_then(|id| id.parse().ok()).unwrap_or(0),
    })
}

/// Blanks, tabs, newlines and backslashes are written as `\ooo`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) if byte == b'\\' => {
                out.push(code);
                rest = &after[3..];
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// For messages about a path that need not be UTF-8.
pub fn display(path: &Path) -> String {
    let name: &OsStr = path.as_os_str();
    String::from_utf8_lossy(name.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
51 22 0:47 / /mnt/my\\040data rw,nosuid,nodev,relatime shared:9 - fuse.holdfs photos/2026 rw,user_id=1000,group_id=1000
52 22 0:48 / /mnt/plain rw - tmpfs tmpfs rw
";

    #[test]
    fn lines_are_read_with_and_without_optional_fields() {
        let mounts = parse(TABLE.as_bytes());
        assert_eq!(mounts.len(), 3);
        let ours = &mounts[1];
        assert!(ours.is_ours() && !mounts[2].is_ours());
        assert_eq!(ours.directory, Path::new("/mnt/my data"));
        assert_eq!((ours.device.as_str(), ours.source.as_str(), ours.user), ("0:47", "photos/2026", 1000));
    }

    #[test]
    fn only_octal_escapes_are_undone() {
        assert_eq!(unescaped(b"a\\040b\\134c\\09"), b"a b\\c\\09");
    }
}
