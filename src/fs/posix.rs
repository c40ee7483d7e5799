//! What of mode, owner and times goes into user metadata: only what says more than a listing would.

use std::time::SystemTime;

use super::{Caller, Options, PosixMetadata, SetAttr, SetTime};
use crate::namespace::FileKind;
use crate::namespace::attributes::{Attributes, Posix};

/// Permission bits with setuid, setgid and sticky.
const PERM_BITS: u32 = 0o7777;

/// Attributes of something that `caller` makes.
pub fn attributes_of_new(
    kind: FileKind,
    mode: u32,
    rdev: u32,
    caller: Caller,
    now: SystemTime,
) -> Attributes {
    Attributes {
        kind,
        perm: permissions(mode & !caller.umask),
        uid: caller.uid,
        gid: caller.gid,
        rdev,
        size: 0,
        mtime: now,
        ctime: now,
        atime: now,
    }
}

fn permissions(mode: u32) -> u16 {
    (mode & PERM_BITS) as u16
}

/// What a creation stores. Nothing where the mount's defaults say the same.
pub fn of_new(attributes: &Attributes, options: &Options) -> Posix {
    let default = match attributes.kind {
        FileKind::File => Some(options.file_mode),
        FileKind::Directory => Some(options.dir_mode),
        _ => None,
    };
    let owner = (attributes.uid, attributes.gid) == (options.uid, options.gid);
    if options.posix_metadata == PosixMetadata::Off || (owner && default == Some(attributes.perm)) {
        return Posix::default();
    }
    let has_device = matches!(attributes.kind, FileKind::CharDevice | FileKind::BlockDevice);
    Posix {
        kind: Some(attributes.kind),
        perm: Some(attributes.perm),
        uid: Some(attributes.uid),
        gid: Some(attributes.gid),
        rdev: has_device.then_some(attributes.rdev),
        ..Posix::default()
    }
}

/// The attributes after a chmod, chown or utimens.
pub fn changed(before: Attributes, changes: &SetAttr, now: SystemTime) -> Attributes {
    let time = |wanted: Option<SetTime>, before| match wanted {
        Some(SetTime::Now) => now,
        Some(SetTime::At(time)) => time,
        None => before,
    };
    Attributes {
        perm: changes.mode.map_or(before.perm, permissions),
        uid: changes.uid.unwrap_or(before.uid),
        gid: changes.gid.unwrap_or(before.gid),
        mtime: time(changes.mtime, before.mtime),
        atime: time(changes.atime, before.atime),
        ..before
    }
}

/// What a change has to store beside what is stored already.
pub fn merged(stored: Posix, before: &Attributes, after: &Attributes, changes: &SetAttr) -> Posix {
    let owner_or_mode = (before.perm, before.uid, before.gid) != (after.perm, after.uid, after.gid);
    let mut posix = stored;
    if owner_or_mode {
        posix.kind = Some(after.kind);
        posix.perm = Some(after.perm);
        posix.uid = Some(after.uid);
        posix.gid = Some(after.gid);
    }
    if changes.mtime.is_some() && !same_second(before.mtime, after.mtime) {
        posix.mtime = Some(after.mtime);
    }
    // Times of access are not worth a copy; one that was asked for by name goes along with the time of change.
    if changes.atime.is_some() && posix.mtime.is_some() {
        posix.atime = Some(after.atime);
    }
    posix
}

/// Stored times have no fraction.
fn same_second(one: SystemTime, other: SystemTime) -> bool {
    let seconds =
        |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs()).ok();
    seconds(one) == seconds(other)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn caller() -> Caller {
        Caller { uid: 1000, gid: 1000, pid: 1, umask: 0o022 }
    }

    fn options(posix_metadata: PosixMetadata) -> Options {
        Options { uid: 1000, gid: 1000, posix_metadata, ..Options::default() }
    }

    fn new(kind: FileKind, mode: u32, caller: Caller) -> Attributes {
        attributes_of_new(kind, mode, 0, caller, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn a_plain_creation_stores_nothing() {
        let options = options(PosixMetadata::Own);
        assert!(of_new(&new(FileKind::File, 0o100666, caller()), &options).is_empty());
        assert!(of_new(&new(FileKind::Directory, 0o777, caller()), &options).is_empty());
    }

    #[test]
    fn an_unusual_mode_owner_or_type_is_stored() {
        let own = options(PosixMetadata::Own);
        assert_eq!(of_new(&new(FileKind::File, 0o600, caller()), &own).perm, Some(0o600));
        let root = Caller { uid: 0, ..caller() };
        assert_eq!(of_new(&new(FileKind::File, 0o666, root), &own).uid, Some(0));
        assert_eq!(of_new(&new(FileKind::Symlink, 0o777, caller()), &own).kind, Some(FileKind::Symlink));
        assert!(of_new(&new(FileKind::File, 0o600, caller()), &options(PosixMetadata::Off)).is_empty());
    }

    #[test]
    fn only_a_real_change_is_stored() {
        let before = new(FileKind::File, 0o644, caller());
        let merge = |changes: SetAttr| {
            merged(Posix::default(), &before, &changed(before, &changes, SystemTime::UNIX_EPOCH), &changes)
        };
        assert!(merge(SetAttr { mode: Some(0o100644), uid: Some(1000), ..SetAttr::default() }).is_empty());
        assert_eq!(merge(SetAttr { mode: Some(0o755), ..SetAttr::default() }).perm, Some(0o755));
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(77);
        let touched = merge(SetAttr { mtime: Some(SetTime::At(later)), ..SetAttr::default() });
        assert_eq!((touched.mtime, touched.perm), (Some(later), None));
        assert!(merge(SetAttr { atime: Some(SetTime::At(later)), ..SetAttr::default() }).is_empty());
    }
}
