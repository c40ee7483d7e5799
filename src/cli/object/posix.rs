//! `--preserve`: modes and times of local files, in the metadata that `holdfs mount` and s3fs write.

use std::fs::{File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::cli::{Failure, Outcome};
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

/// Mode and time of modification, where the object has them. Owners are left: giving files away takes privilege.
pub(super) fn restore(file: &File, headers: &ObjectHeaders, key: &str) -> Outcome {
    let posix = Posix::decode(&headers.metadata, key);
    let unkept =
        |error: std::io::Error| Failure::refused(format!("Cannot set mode and time of the file: {error}."));
    if let Some(perm) = posix.perm {
        // A stranger's object makes no program that runs as somebody else.
        file.set_permissions(Permissions::from_mode(u32::from(perm & 0o1777))).map_err(unkept)?;
    }
    if let Some(mtime) = posix.mtime {
        file.set_modified(mtime).map_err(unkept)?;
    }
    Ok(())
}
