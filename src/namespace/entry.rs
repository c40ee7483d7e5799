//! What the store said of one name, in little memory: millions of these may be known at a time.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::attributes::{FileKind, Posix};
use crate::s3::ops::{ListedObject, ObjectHeaders};
use crate::s3::{ETag, ObjectRef, VersionId};

/// Nanoseconds since the epoch: half the size of a `SystemTime`, good for 292 years either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(i64);

impl Stamp {
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

impl From<SystemTime> for Stamp {
    fn from(time: SystemTime) -> Self {
        let nanos = |distance: Duration| i64::try_from(distance.as_nanos()).unwrap_or(i64::MAX);
        Self(time.duration_since(UNIX_EPOCH).map_or_else(|before| -nanos(before.duration()), nanos))
    }
}

impl From<Stamp> for SystemTime {
    fn from(stamp: Stamp) -> Self {
        let distance = Duration::from_nanos(stamp.0.unsigned_abs());
        if stamp.0 < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

/// An ETag. Most are 32 lower-case hex digits, which need no allocation of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    Hex([u8; 16]),
    Other(Arc<str>),
}

impl Tag {
    pub fn new(etag: &ETag) -> Self {
        parse_hex(&etag.0).map_or_else(|| Self::Other(etag.0.clone()), Self::Hex)
    }

    pub fn etag(&self) -> ETag {
        match self {
            Self::Hex(bytes) => {
                ETag(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
            }
            Self::Other(text) => ETag(text.clone()),
        }
    }
}

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text: &[u8; 32] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// An [`ObjectRef`] without its key, which the place of the node tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub tag: Tag,
    /// Bytes.
    pub size: u64,
    pub modified: Stamp,
    pub id: Option<VersionId>,
}

impl Version {
    pub fn of(object: &ObjectRef) -> Self {
        Self {
            tag: Tag::new(&object.etag),
            size: object.size,
            modified: object.last_modified.into(),
            id: object.version.clone(),
        }
    }

    pub fn listed(object: &ListedObject) -> Self {
        Self {
            tag: Tag::new(&object.etag),
            size: object.size,
            modified: object.last_modified.into(),
            id: None,
        }
    }

    /// `None` where the store did not even send an ETag: such an object cannot be pinned.
    pub fn headed(headers: &ObjectHeaders) -> Option<Self> {
        Some(Self {
            tag: Tag::new(headers.etag.as_ref()?),
            size: headers.size,
            modified: headers.last_modified.unwrap_or(UNIX_EPOCH).into(),
            id: headers.version.clone(),
        })
    }

    pub fn object(&self, key: Arc<str>) -> ObjectRef {
        ObjectRef {
            key,
            etag: self.tag.etag(),
            last_modified: self.modified.into(),
            version: self.id.clone(),
            size: self.size,
        }
    }

    /// Readers of one may be served the other: the ETag is what they are pinned to. Times may differ: an object
    /// that was stored again with the same bytes, or the first look at one that this mount stored.
    pub fn same_bytes(&self, other: &Self) -> bool {
        let ids_agree = match (&self.id, &other.id) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        self.tag == other.tag && self.size == other.size && ids_agree
    }

    /// The very same upload, as far as can be told (HEAD tells times to the second only).
    pub fn same_upload(&self, other: &Self) -> bool {
        self.same_bytes(other) && self.modified.seconds() == other.modified.seconds()
    }
}

/// One name that can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: Arc<str>,
    pub kind: FileKind,
    /// Of a directory: its marker, where that was looked at.
    pub version: Option<Version>,
    /// Only where there is any.
    pub posix: Option<Box<Posix>>,
}

impl Entry {
    pub fn directory(name: Arc<str>) -> Self {
        Self { name, kind: FileKind::Directory, version: None, posix: None }
    }

    pub fn file(name: Arc<str>, version: Version) -> Self {
        Self { name, kind: FileKind::File, version: Some(version), posix: None }
    }

    pub fn is_directory(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Takes over what the object's metadata says; a type is believed of a file only.
    pub fn set_posix(&mut self, posix: Posix) {
        if !self.is_directory() {
            self.kind = posix.kind.filter(|kind| *kind != FileKind::Directory).unwrap_or(FileKind::File);
        }
        self.posix = (!posix.is_empty()).then(|| Box::new(posix));
    }

    pub fn position(&self) -> Position<'_> {
        Position { name: &self.name, slash: self.is_directory() }
    }

    /// Heap and inline, for accounts of memory.
    pub fn bytes(&self) -> usize {
        let tag = match self.version.as_ref().map(|version| &version.tag) {
            Some(Tag::Other(text)) => text.len() + 16,
            _ => 0,
        };
        let posix = self.posix.as_ref().map_or(0, |posix| size_of_val(&**posix));
        size_of::<Self>() + self.name.len() + 16 + tag + posix
    }
}

/// Where a name stands in a listing by the store: S3 sorts keys by their bytes, the slash of a directory included,
/// so `a` comes before `a-`, which comes before `a/`, which comes before `a0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position<'a> {
    pub name: &'a str,
    pub slash: bool,
}

impl<'a> Position<'a> {
    /// Of a key, relative to the directory's.
    pub fn of_key(rest: &'a str) -> Self {
        match rest.strip_suffix('/') {
            Some(name) => Self { name, slash: true },
            None => Self { name: rest, slash: false },
        }
    }
}

impl Ord for Position<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.name.as_bytes(), other.name.as_bytes());
        let shared = ours.len().min(theirs.len());
        ours[..shared].cmp(&theirs[..shared]).then_with(|| {
            let rest = |bytes: &'_ [u8], slash: bool| (bytes.get(shared).copied(), slash);
            match (rest(ours, self.slash), rest(theirs, other.slash)) {
                ((None, ours), (None, theirs)) => ours.cmp(&theirs),
                // A byte against the slash; equal bytes cannot be, for a name holds no slash (an odd key that does
                // is longer, and sorts after).
                ((Some(byte), _), (None, slash)) => byte_against_end(byte, slash),
                ((None, slash), (Some(byte), _)) => byte_against_end(byte, slash).reverse(),
                ((Some(_), _), (Some(_), _)) => Ordering::Equal,
            }
        })
    }
}

fn byte_against_end(byte: u8, slash: bool) -> Ordering {
    if slash { byte.cmp(&b'/').then(Ordering::Greater) } else { Ordering::Greater }
}

impl PartialOrd for Position<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn etags_survive_being_packed() {
        for text in
            ["d41d8cd98f00b204e9800998ecf8427e", "D41D8CD98F00B204E9800998ECF8427E", "abc-2", "", "W/\"x\""]
        {
            let etag = ETag(text.into());
            assert_eq!(Tag::new(&etag).etag(), etag);
        }
        assert!(matches!(Tag::new(&ETag("d41d8cd98f00b204e9800998ecf8427e".into())), Tag::Hex(_)));
    }

    #[test]
    fn times_survive_being_packed() {
        for time in [UNIX_EPOCH, UNIX_EPOCH + Duration::new(5, 6), UNIX_EPOCH - Duration::new(5, 6)] {
            assert_eq!(SystemTime::from(Stamp::from(time)), time);
        }
        assert_eq!(Stamp::from(UNIX_EPOCH - Duration::new(0, 1)).seconds(), -1);
    }

    #[test]
    fn a_second_upload_of_the_same_bytes_is_told_by_its_time() {
        let version = |seconds, id: Option<&str>| Version {
            tag: Tag::Other("e".into()),
            size: 1,
            modified: (UNIX_EPOCH + Duration::from_secs(seconds)).into(),
            id: id.map(|id| VersionId(id.into())),
        };
        assert!(version(1, None).same_bytes(&version(2, Some("v"))));
        assert!(!version(1, Some("w")).same_bytes(&version(1, Some("v"))));
        assert!(version(1, None).same_upload(&version(1, Some("v"))));
        assert!(!version(1, None).same_upload(&version(2, None)));
    }

    proptest! {
        #[test]
        fn positions_sort_as_the_bytes_of_keys(a in "[-.0aé]{1,4}/?", b in "[-.0aé]{1,4}/?") {
            let order = Position::of_key(&a).cmp(&Position::of_key(&b));
            prop_assert_eq!(order, a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
