//! `--preserve`: owners, modes and times of local files, in the metadata that `holdfs mount` and s3fs write.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::{Failure, Outcome, terminal};
use crate::namespace::attributes::{FileKind, Posix};
use crate::s3::ops::{Metadata as UserMetadata, ObjectHeaders};

/// Mode, owner, group and time of modification of the file.
pub(super) fn keep(file: &Metadata, metadata: &mut UserMetadata) {
    let posix = Posix {
        kind: FileKind::from_mode(file.mode()),
        perm: u16::try_from(file.mode() & 0o7777).ok(),
        uid: Some(file.uid()),
        gid: Some(file.gid()),
        mtime: file.modified().ok(),
        ..Posix::default()
    };
    posix.encode_into(metadata);
}

/// Mode, time of modification and, for who may give files away, the owner, where the object has them.
pub(super) fn restore(file: &File, headers: &ObjectHeaders, key: &str) -> Outcome {
    let posix = Posix::decode(&headers.metadata, key);
    let unkept =
        |error: io::Error| Failure::refused(format!("Cannot set owner, mode and time of the file: {error}."));
    // The owner first: a change of it takes bits of the mode away.
    restore_owner(file, &posix).map_err(unkept)?;
    if let Some(perm) = posix.perm {
        // A stranger's object makes no program that runs as somebody else.
        file.set_permissions(Permissions::from_mode(u32::from(perm & 0o1777))).map_err(unkept)?;
    }
    if let Some(mtime) = posix.mtime {
        file.set_modified(mtime).map_err(unkept)?;
    }
    Ok(())
}

/// Whether this process has said that owners are not its to give.
static SAID: AtomicBool = AtomicBool::new(false);

fn restore_owner(file: &File, posix: &Posix) -> io::Result<()> {
    let now = file.metadata()?;
    let (uid, gid) = (posix.uid.filter(|uid| *uid != now.uid()), posix.gid.filter(|gid| *gid != now.gid()));
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    match fchown(file, uid, gid) {
        // The second is of an owner that a user namespace does not know.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => {
            if !SAID.swap(true, Ordering::Relaxed) {
                terminal::note("The files are yours: only root may give them the owners that are stored.");
            }
            Ok(())
        }
        given => given,
    }
}
