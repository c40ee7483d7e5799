//! Pure: what user metadata says of mode, owner, times, links and devices, as s3fs, rclone and geesefs write it.
//!
//! All use the same names (`mode uid gid mtime ctime atime rdev`) and differ in how they spell values: s3fs and
//! geesefs write the mode in decimal and times as seconds (s3fs with a fraction), rclone the mode in octal and times
//! in RFC 3339, or as seconds with a fraction where it keeps the time alone. A value that cannot be read counts as
//! not stored; the others still hold.

use std::time::{Duration, SystemTime};

use crate::base::timestamp;
use crate::s3::ops::Metadata;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    Directory,
    File,
    Symlink,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
}

/// The file type and the permission bits of a mode, as in `stat(2)`.
const TYPE_BITS: u32 = 0o170000;
const PERM_BITS: u32 = 0o7777;

impl FileKind {
    const TYPES: [(Self, u32); 7] = [
        (Self::Directory, 0o040000),
        (Self::File, 0o100000),
        (Self::Symlink, 0o120000),
        (Self::Fifo, 0o010000),
        (Self::Socket, 0o140000),
        (Self::CharDevice, 0o020000),
        (Self::BlockDevice, 0o060000),
    ];

    /// By the type bits of a mode.
    pub fn from_mode(mode: u32) -> Option<Self> {
        Self::TYPES.iter().find(|(_, bits)| mode & TYPE_BITS == *bits).map(|(kind, _)| *kind)
    }

    /// The type bits of this kind.
    pub fn mode_bits(self) -> u32 {
        Self::TYPES.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, bits)| *bits)
    }

    fn agrees_with(self, key: &str) -> bool {
        (self == Self::Directory) == is_directory_key(key)
    }
}

fn is_directory_key(key: &str) -> bool {
    key.is_empty() || key.ends_with('/')
}

/// What `stat` shows besides the inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub kind: FileKind,
    /// Permission bits with setuid, setgid and sticky.
    pub perm: u16,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
    /// Bytes.
    pub size: u64,
    pub mtime: SystemTime,
    pub ctime: SystemTime,
    pub atime: SystemTime,
}

/// What objects without metadata show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    pub uid: u32,
    pub gid: u32,
    pub file_mode: u16,
    pub dir_mode: u16,
}

impl Defaults {
    pub fn perm(&self, kind: FileKind) -> u16 {
        match kind {
            FileKind::Directory => self.dir_mode,
            FileKind::Symlink => 0o777,
            _ => self.file_mode,
        }
    }
}

impl Attributes {
    /// An object of `size` bytes, last modified at `modified`, with what its metadata adds.
    pub fn of(kind: FileKind, size: u64, modified: SystemTime, posix: &Posix, defaults: &Defaults) -> Self {
        let mtime = posix.mtime.unwrap_or(modified);
        Self {
            kind,
            perm: posix.perm.unwrap_or(defaults.perm(kind)),
            uid: posix.uid.unwrap_or(defaults.uid),
            gid: posix.gid.unwrap_or(defaults.gid),
            rdev: posix.rdev.unwrap_or(0),
            size: if kind == FileKind::Directory { 0 } else { size },
            mtime,
            ctime: posix.ctime.unwrap_or(modified),
            atime: posix.atime.unwrap_or(mtime),
        }
    }
}

/// POSIX metadata of an object: what is `None` is not stored, and shows as the mount's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posix {
    /// Only where the stored mode names a type.
    pub kind: Option<FileKind>,
    pub perm: Option<u16>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub rdev: Option<u32>,
    pub mtime: Option<SystemTime>,
    pub ctime: Option<SystemTime>,
    pub atime: Option<SystemTime>,
}

/// The names in user metadata, which extended attributes must neither show nor set.
pub const NAMES: [&str; 7] = ["mode", "uid", "gid", "rdev", "mtime", "ctime", "atime"];

impl Posix {
    /// Reads what any of the known writers stored. `key` tells by its last slash whether it is a directory.
    pub fn decode(metadata: &Metadata, key: &str) -> Self {
        let text = |name: &str| metadata.get(name).map(|value| value.trim());
        let number = |name: &str| text(name).and_then(|value| value.parse().ok());
        let time = |name: &str| text(name).and_then(parse_time);
        let mode = text("mode").and_then(|value| parse_mode(value, key));
        Self {
            kind: mode.and_then(FileKind::from_mode).filter(|kind| kind.agrees_with(key)),
            perm: mode.map(|mode| (mode & PERM_BITS) as u16),
            uid: number("uid"),
            gid: number("gid"),
            rdev: number("rdev"),
            mtime: time("mtime"),
            ctime: time("ctime"),
            atime: time("atime"),
        }
    }

    /// Writes under the names of s3fs, in decimal; fields that are `None` are removed.
    pub fn encode_into(&self, metadata: &mut Metadata) {
        let mode = self.perm.map(|perm| self.kind.map_or(0o100000, FileKind::mode_bits) | u32::from(perm));
        let values = [
            mode.map(|mode| mode.to_string()),
            self.uid.map(|uid| uid.to_string()),
            self.gid.map(|gid| gid.to_string()),
            self.rdev.map(|rdev| rdev.to_string()),
            self.mtime.map(format_time),
            self.ctime.map(format_time),
            self.atime.map(format_time),
        ];
        for (name, value) in NAMES.into_iter().zip(values) {
            match value {
                Some(value) => metadata.insert(name.to_owned(), value),
                None => metadata.remove(name),
            };
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Decimal if at most 65,535, of a valid type, and agreeing with the key's last slash; else octal.
fn parse_mode(text: &str, key: &str) -> Option<u32> {
    let decimal = text.parse::<u32>().ok().filter(|mode| *mode <= 0xffff);
    let fits = |mode: &u32| FileKind::from_mode(*mode).is_some_and(|kind| kind.agrees_with(key));
    let octal = || u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0xffff);
    decimal.filter(fits).or_else(octal)
}

/// Seconds since the epoch, with or without a fraction, or RFC 3339.
fn parse_time(text: &str) -> Option<SystemTime> {
    if text.contains('T') { timestamp::parse_rfc3339(text) } else { parse_seconds(text) }
}

fn parse_seconds(text: &str) -> Option<SystemTime> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let distance = Duration::new(whole.parse().ok()?, nanos);
    match sign {
        1 => SystemTime::UNIX_EPOCH.checked_add(distance),
        _ => SystemTime::UNIX_EPOCH.checked_sub(distance),
    }
}

/// As s3fs writes it: seconds, and nine digits of a fraction only where there is one.
fn format_time(time: SystemTime) -> String {
    let (sign, distance) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => ("", after),
        Err(before) => ("-", before.duration()),
    };
    match distance.subsec_nanos() {
        0 => format!("{sign}{}", distance.as_secs()),
        nanos => format!("{sign}{}.{nanos:09}", distance.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metadata(pairs: &[(&str, &str)]) -> Metadata {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn at(seconds: u64, nanos: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
    }

    #[test]
    fn modes_of_every_writer() {
        use FileKind::*;
        let table: &[(&str, &str, Option<FileKind>, Option<u16>)] = &[
            // s3fs and geesefs: decimal, always with a type.
            ("33188", "f", Some(File), Some(0o644)),
            ("16877", "d/", Some(Directory), Some(0o755)),
            ("41471", "l", Some(Symlink), Some(0o777)),
            ("4516", "p", Some(Fifo), Some(0o644)),
            ("49645", "s", Some(Socket), Some(0o755)),
            ("8630", "c", Some(CharDevice), Some(0o666)),
            ("25008", "b", Some(BlockDevice), Some(0o660)),
            ("35309", "f", Some(File), Some(0o4755)),
            // rclone: octal, with a type.
            ("100644", "f", Some(File), Some(0o644)),
            ("40755", "d/", Some(Directory), Some(0o755)),
            ("120777", "l", Some(Symlink), Some(0o777)),
            // Permissions alone are octal.
            ("644", "f", None, Some(0o644)),
            ("0644", "f", None, Some(0o644)),
            ("755", "d/", None, Some(0o755)),
            // A decimal type that the key contradicts is read as octal, which may fail, or carry a type that is ignored.
            ("33188", "d/", None, None),
            ("16877", "f", None, None),
            ("40755", "f", None, Some(0o755)),
            ("", "f", None, None),
            ("rw-r--r--", "f", None, None),
            ("-1", "f", None, None),
            ("99999999999", "f", None, None),
        ];
        for (mode, key, kind, perm) in table {
            let posix = Posix::decode(&metadata(&[("mode", mode)]), key);
            assert_eq!((posix.kind, posix.perm), (*kind, *perm), "mode {mode} of {key}");
        }
    }

    #[test]
    fn times_of_every_writer() {
        let table: &[(&str, Option<SystemTime>)] = &[
            ("1700000000", Some(at(1_700_000_000, 0))),
            ("1700000000.5", Some(at(1_700_000_000, 500_000_000))),
            ("1700000000.123456789", Some(at(1_700_000_000, 123_456_789))),
            ("1700000000.1234567891", Some(at(1_700_000_000, 123_456_789))),
            ("2023-11-14T22:13:20Z", Some(at(1_700_000_000, 0))),
            ("2023-11-14T23:13:20.25+01:00", Some(at(1_700_000_000, 250_000_000))),
            ("-1.5", Some(SystemTime::UNIX_EPOCH - Duration::new(1, 500_000_000))),
            ("0", Some(SystemTime::UNIX_EPOCH)),
            ("", None),
            ("yesterday", None),
            ("1e9", None),
            ("18446744073709551616", None),
        ];
        for (text, expected) in table {
            let posix = Posix::decode(&metadata(&[("mtime", text)]), "f");
            assert_eq!(posix.mtime, *expected, "{text}");
        }
    }

    #[test]
    fn one_bad_value_does_not_spoil_the_others() {
        let posix =
            Posix::decode(&metadata(&[("mode", "x"), ("uid", "1000"), ("gid", "-4"), ("rdev", "2049")]), "f");
        let expected = Posix { uid: Some(1000), rdev: Some(2049), ..Posix::default() };
        assert_eq!(posix, expected);
    }

    #[test]
    fn encodes_what_s3fs_reads_and_leaves_other_metadata_alone() {
        let posix = Posix {
            kind: Some(FileKind::Symlink),
            perm: Some(0o777),
            uid: Some(0),
            mtime: Some(at(7, 80)),
            ..Posix::default()
        };
        let mut stored = metadata(&[("gid", "9"), ("project", "x")]);
        posix.encode_into(&mut stored);
        let expected = [("mode", "41471"), ("mtime", "7.000000080"), ("project", "x"), ("uid", "0")];
        assert_eq!(stored, metadata(&expected));
    }

    #[test]
    fn defaults_fill_what_is_not_stored() {
        let defaults = Defaults { uid: 5, gid: 6, file_mode: 0o640, dir_mode: 0o750 };
        let plain = Attributes::of(FileKind::File, 9, at(100, 0), &Posix::default(), &defaults);
        assert_eq!((plain.perm, plain.uid, plain.gid, plain.size), (0o640, 5, 6, 9));
        assert_eq!((plain.mtime, plain.ctime, plain.atime), (at(100, 0), at(100, 0), at(100, 0)));
        let touched = Posix { mtime: Some(at(50, 0)), ..Posix::default() };
        let touched = Attributes::of(FileKind::Directory, 9, at(100, 0), &touched, &defaults);
        assert_eq!((touched.perm, touched.size), (0o750, 0));
        assert_eq!((touched.mtime, touched.ctime, touched.atime), (at(50, 0), at(100, 0), at(50, 0)));
    }

    fn any_time() -> impl Strategy<Value = SystemTime> {
        (-4_000_000_000i64..16_000_000_000, 0u32..1_000_000_000).prop_map(|(seconds, nanos)| {
            let distance = Duration::from_secs(seconds.unsigned_abs());
            let base = SystemTime::UNIX_EPOCH;
            let whole = if seconds < 0 { base - distance } else { base + distance };
            whole + Duration::from_nanos(u64::from(nanos))
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            kind in prop::sample::select(FileKind::TYPES.to_vec()),
            perm in 0u16..=0o7777,
            owner in prop::option::of((any::<u32>(), any::<u32>())),
            times in prop::collection::vec(prop::option::of(any_time()), 3),
            rdev in prop::option::of(any::<u32>()),
        ) {
            let posix = Posix {
                kind: Some(kind.0),
                perm: Some(perm),
                uid: owner.map(|(uid, _)| uid),
                gid: owner.map(|(_, gid)| gid),
                rdev,
                mtime: times[0],
                ctime: times[1],
                atime: times[2],
            };
            let mut stored = Metadata::new();
            posix.encode_into(&mut stored);
            let key = if kind.0 == FileKind::Directory { "k/" } else { "k" };
            prop_assert_eq!(Posix::decode(&stored, key), posix);
        }
    }
}
