//! What mounting needs of this machine, looked at before anything else happens.

use std::ffi::CString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::config::paths;

use super::control;
use super::table::{self, Mount};
use super::unmount::{Detach, unmount};
use super::{Error, Result};

/// The device of FUSE. Tests name another.
pub struct Device(PathBuf);

impl Default for Device {
    fn default() -> Self {
        Self(PathBuf::from("/dev/fuse"))
    }
}

/// FUSE is there and we may use it.
pub fn check_device(device: &Device) -> Result<()> {
    let Device(path) = device;
    let name = path.display();
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => check_fusermount(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::new(format!(
            "There is no {name}: the FUSE module of the kernel is not loaded, or this container was not given the \
             device. Load it (modprobe fuse), or start the container with --device /dev/fuse --cap-add SYS_ADMIN."
        ))),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Error::new(format!(
            "{name} may not be opened by this user. Its usual permissions are crw-rw-rw-: restore them with \
             chmod 666 {name}, join the group that owns it, or let the container have the device \
             (--device /dev/fuse)."
        ))),
        Err(error) => Err(Error::new(format!(
            "{name} cannot be opened: {error}. The kernel may lack FUSE, or have another version of its module than \
             its own: try modprobe fuse, and restart the machine after an upgrade of the kernel."
        ))),
    }
}

/// Without root, mounting goes through the set-uid program of the fuse3 package.
fn check_fusermount() -> Result<()> {
    // SAFETY: geteuid cannot fail and touches no memory.
    let root = unsafe { libc::geteuid() } == 0;
    let found = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|directory| directory.join("fusermount3").is_file())
    };
    if root || found() {
        return Ok(());
    }
    Err(Error::new(
        "Mounting without root needs the program fusermount3, which is not in PATH. Install it (apt install fuse3, \
         dnf install fuse3), or mount as root.",
    ))
}

/// The directory to mount on, absolute and without symlinks. A dead mount that a killed process left there is
/// taken away first, and `note` hears of it.
pub fn check_mount_point(directory: &Path, note: &mut dyn FnMut(String)) -> Result<PathBuf> {
    let absolute = table::absolute(directory).map_err(|error| refuse(directory, &error.to_string()))?;
    make_room(&absolute, note)?;
    let directory = match absolute.canonicalize() {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::new(format!(
                "{} does not exist. Make the directory first (mkdir -p), then mount on it.",
                directory.display()
            )));
        }
        Err(error) => return Err(refuse(directory, &error.to_string())),
    };
    if directory != absolute {
        make_room(&directory, note)?;
    }
    match fs::metadata(&directory) {
        Ok(found) if found.is_dir() => Ok(directory),
        Ok(_) => Err(refuse(&directory, "it is not a directory")),
        Err(error) => Err(refuse(&directory, &error.to_string())),
    }
}

/// Neither a living mount of ours there, nor a dead one afterwards.
fn make_room(directory: &Path, note: &mut dyn FnMut(String)) -> Result<()> {
    let Some(mount) = table::at(directory).ok().flatten().filter(Mount::is_ours) else { return Ok(()) };
    if !is_dead(&mount) {
        return Err(Error::new(format!(
            "{} is a mount of {} already. Unmount it first (holdfs umount {0}), or choose another directory.",
            directory.display(),
            mount.source
        )));
    }
    remove_dead_mount(&mount)?;
    note(format!("{} was a dead mount of {}: taken away.", directory.display(), mount.source));
    Ok(())
}

/// Its process is gone. statfs(2) is answered by nobody's cache (stat(2) may be), but waits for a process that is
/// merely stopped; so it comes after a knock on the socket.
fn is_dead(mount: &Mount) -> bool {
    !control::is_served(mount) && statfs(&mount.directory).is_err_and(|errno| errno == libc::ENOTCONN)
}

fn statfs(directory: &Path) -> std::result::Result<(), i32> {
    let path = CString::new(directory.as_os_str().as_bytes()).map_err(|_| libc::EINVAL)?;
    // SAFETY: all zeros is a valid statfs.
    let mut answer: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends with NUL, `answer` is a place for the answer, and both outlive the call.
    match unsafe { libc::statfs(path.as_ptr(), &mut answer) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
    }
}

fn refuse(directory: &Path, reason: &str) -> Error {
    Error::new(format!("Cannot mount on {}: {reason}. Choose another directory.", directory.display()))
}

/// The directory of all journals: made if need be, and nobody else's. In a directory that others may write, a link put
/// there beforehand would lead our writes elsewhere.
pub fn check_state_directory(directory: &Path) -> Result<()> {
    let refuse = |reason: String| {
        Error::new(format!(
            "Cannot keep the journal in {0}: {reason}. It must be a directory of this user with mode 0700 (chown, chmod 700 \
             {0}); another is chosen with --state.",
            directory.display()
        ))
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| refuse(error.to_string()))?;
    let found = fs::symlink_metadata(directory).map_err(|error| refuse(error.to_string()))?;
    match (found.is_dir(), found.uid() == paths::user_id(), found.permissions().mode() & 0o022) {
        (false, ..) => Err(refuse("it is a link".into())),
        (_, false, _) => Err(refuse(format!("it belongs to user {}", found.uid()))),
        (.., 0) => Ok(()),
        _ => Err(refuse("others may write there".into())),
    }
}

/// "Transport endpoint is not connected": the process that served the mount is gone, the mount is not.
fn remove_dead_mount(mount: &Mount) -> Result<()> {
    unmount(&mount.directory, Detach::Lazily).map_err(|error| {
        Error::new(format!(
            "{0} is a dead mount of {1}, whose process has ended, and cannot be taken away: {error}. \
             Try umount -l {0} as root.",
            mount.directory.display(),
            mount.source
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_says_how_to_get_it() {
        let error = check_device(&Device("/nonexistent/fuse".into())).expect_err("an error").to_string();
        assert!(error.contains("modprobe fuse") && error.contains("--device /dev/fuse"), "{error}");
    }

    #[test]
    fn se_04_a_state_directory_that_others_prepared_is_refused() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        assert!(check_state_directory(&directory.path().join("ours/new")).is_ok());
        let open = directory.path().join("open");
        fs::create_dir(&open).expect("a directory");
        fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).expect("its mode");
        assert!(check_state_directory(&open).expect_err("an error").to_string().contains("others may write"));
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("ours"), &link).expect("a link");
        assert!(check_state_directory(&link).expect_err("an error").to_string().contains("it is a link"));
    }

    #[test]
    fn the_mount_point_must_be_a_directory_that_exists() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut note = |_| panic!("nothing to note");
        let missing = check_mount_point(&directory.path().join("missing"), &mut note)
            .expect_err("an error")
            .to_string();
        assert!(missing.contains("mkdir -p"), "{missing}");
        let file = directory.path().join("file");
        fs::write(&file, "").expect("a file");
        assert!(
            check_mount_point(&file, &mut note)
                .expect_err("an error")
                .to_string()
                .contains("not a directory")
        );
        assert!(check_mount_point(directory.path(), &mut note).is_ok());
    }
}
