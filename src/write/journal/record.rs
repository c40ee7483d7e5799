//! What the journal keeps, and its text and binary forms (docs/JOURNAL.md).
//!
//! Structured columns are JSON, so that a newer version may add fields and a person can read them; range sets are
//! deltas as LEB128, because a file written at random has many.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::base::ranges::{ByteRange, RangeSet};
use crate::s3::ops::{ContentHeaders, LockHeaders, NewObject, Retention, RetentionMode};
use crate::s3::{ETag, ObjectRef, VersionId};
use crate::write::layer::{Extents, LayerId};
use crate::write::plan::{Part, Source};
use crate::write::recovery::Word;
use crate::write::staged::{Expected, FileId, Generation};

/// A file that has something pending.
#[derive(Clone, Debug, PartialEq)]
pub struct FileRecord {
    pub id: FileId,
    pub key: String,
    pub base: Option<ObjectRef>,
    pub expected: Expected,
    pub exclusive: bool,
    /// An object of ours under a former key: goes once the file is stored under its present one.
    pub leftover: Option<ObjectRef>,
}

/// 32 hex digits in the metadata of the object that a generation becomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId(pub String);

impl WriteId {
    pub fn random() -> Self {
        Self(format!("{:032x}", fastrand::u128(..)))
    }
}

/// A multipart upload at the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// May differ from the file's key after a rename.
    pub key: String,
    pub id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRecord {
    pub id: LayerId,
    pub extents: Extents,
    pub checksum: u64,
}

/// A planned part, and what the store said of it once it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRecord {
    pub part: Part,
    pub etag: Option<ETag>,
}

#[derive(Clone, Debug)]
pub struct GenerationRecord {
    pub generation: Generation,
    pub word: Word,
    pub write_id: WriteId,
    /// Write ids of generations that this one superseded: their objects may exist.
    pub earlier: Vec<WriteId>,
    pub size: u64,
    pub object: NewObject,
    pub upload: Option<Upload>,
    /// Bottom to top.
    pub layers: Vec<LayerRecord>,
    pub parts: Vec<PartRecord>,
    pub error: Option<String>,
    pub since: SystemTime,
}

pub fn word_text(word: Word) -> &'static str {
    match word {
        Word::Unreadable => "unreadable",
        Word::Begin => "begin",
        Word::Early => "early",
        Word::Seal => "seal",
        Word::Started => "started",
        Word::Completing => "completing",
        Word::Committed => "committed",
        Word::Removed => "removed",
        Word::Failed => "failed",
        Word::Discarded => "discarded",
    }
}

/// What no version of ours wrote is unreadable, and so is never acted upon.
pub fn word_of(text: &str) -> Word {
    let all = [
        Word::Begin,
        Word::Early,
        Word::Seal,
        Word::Started,
        Word::Completing,
        Word::Committed,
        Word::Removed,
        Word::Failed,
        Word::Discarded,
    ];
    all.into_iter().find(|&word| word_text(word) == text).unwrap_or(Word::Unreadable)
}

pub fn source_text(source: Source) -> &'static str {
    match source {
        Source::Put => "put",
        Source::Copy => "copy",
        Source::Gather => "gather",
    }
}

pub fn source_of(text: &str) -> Option<Source> {
    [Source::Put, Source::Copy, Source::Gather].into_iter().find(|&source| source_text(source) == text)
}

#[derive(Serialize, Deserialize)]
struct ObjectRefText {
    key: String,
    etag: String,
    /// Milliseconds since 1970.
    last_modified: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    size: u64,
}

pub fn object_ref_text(object: &ObjectRef) -> String {
    let text = ObjectRefText {
        key: object.key.to_string(),
        etag: object.etag.0.to_string(),
        last_modified: millis(object.last_modified),
        version: object.version.as_ref().map(|version| version.0.to_string()),
        size: object.size,
    };
    json(&text)
}

pub fn object_ref_of(text: &str) -> Option<ObjectRef> {
    let text: ObjectRefText = serde_json::from_str(text).ok()?;
    Some(ObjectRef {
        key: text.key.into(),
        etag: ETag(text.etag.into()),
        last_modified: from_millis(text.last_modified),
        version: text.version.map(|version| VersionId(version.into())),
        size: text.size,
    })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ExpectedText {
    Absent,
    Object(String),
    Anything,
}

pub fn expected_text(expected: &Expected) -> String {
    json(&match expected {
        Expected::Absent => ExpectedText::Absent,
        Expected::Object(etag) => ExpectedText::Object(etag.0.to_string()),
        Expected::Anything => ExpectedText::Anything,
    })
}

pub fn expected_of(text: &str) -> Option<Expected> {
    Some(match serde_json::from_str(text).ok()? {
        ExpectedText::Absent => Expected::Absent,
        ExpectedText::Object(etag) => Expected::Object(ETag(etag.into())),
        ExpectedText::Anything => Expected::Anything,
    })
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct NewObjectText {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    /// Content headers by their HTTP names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<BTreeMap<String, String>>,
    /// `GOVERNANCE` or `COMPLIANCE`, and seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<(String, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    legal_hold: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sse: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sse_kms_key_id: Option<String>,
}

pub fn new_object_text(object: &NewObject) -> String {
    json(&NewObjectText {
        metadata: object.metadata.clone(),
        headers: headers_text(&object.content),
        tags: object.tags.clone(),
        retention: object.lock.retention.as_ref().map(retention_text),
        legal_hold: object.lock.legal_hold,
        storage_class: object.storage_class.clone(),
        acl: object.acl.clone(),
        sse: object.sse.clone(),
        sse_kms_key_id: object.sse_kms_key_id.clone(),
    })
}

pub fn new_object_of(text: &str) -> Option<NewObject> {
    let text: NewObjectText = serde_json::from_str(text).ok()?;
    let retention = match text.retention {
        Some(retention) => Some(retention_of(&retention)?),
        None => None,
    };
    Some(NewObject {
        content: headers_of(text.headers),
        metadata: text.metadata,
        tags: text.tags,
        lock: LockHeaders { retention, legal_hold: text.legal_hold },
        storage_class: text.storage_class,
        acl: text.acl,
        sse: text.sse,
        sse_kms_key_id: text.sse_kms_key_id,
    })
}

fn headers_text(content: &ContentHeaders) -> BTreeMap<String, String> {
    let all = [
        ("content-type", &content.content_type),
        ("content-encoding", &content.content_encoding),
        ("content-language", &content.content_language),
        ("content-disposition", &content.content_disposition),
        ("cache-control", &content.cache_control),
        ("expires", &content.expires),
        ("website-redirect", &content.website_redirect),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
}

fn headers_of(mut headers: BTreeMap<String, String>) -> ContentHeaders {
    let mut take = |name| headers.remove(name);
    ContentHeaders {
        content_type: take("content-type"),
        content_encoding: take("content-encoding"),
        content_language: take("content-language"),
        content_disposition: take("content-disposition"),
        cache_control: take("cache-control"),
        expires: take("expires"),
        website_redirect: take("website-redirect"),
    }
}

fn retention_text(retention: &Retention) -> (String, u64) {
    let mode = match retention.mode {
        RetentionMode::Governance => "GOVERNANCE",
        RetentionMode::Compliance => "COMPLIANCE",
    };
    (mode.to_owned(), millis(retention.until) / 1000)
}

fn retention_of((mode, until): &(String, u64)) -> Option<Retention> {
    let mode = match mode.as_str() {
        "GOVERNANCE" => RetentionMode::Governance,
        "COMPLIANCE" => RetentionMode::Compliance,
        _ => return None,
    };
    Some(Retention { mode, until: UNIX_EPOCH + Duration::from_secs(*until) })
}

/// Number of ranges, then for each the gap since the previous end and its length.
pub fn ranges_blob(set: &RangeSet) -> Vec<u8> {
    let mut blob = Vec::new();
    leb128(&mut blob, set.iter().count() as u64);
    let mut end = 0;
    for range in set.iter() {
        leb128(&mut blob, range.start - end);
        leb128(&mut blob, range.len());
        end = range.end;
    }
    blob
}

pub fn ranges_of(blob: &[u8]) -> Option<RangeSet> {
    let mut rest = blob;
    let count = from_leb128(&mut rest)?;
    let mut set = RangeSet::default();
    let mut end: u64 = 0;
    for _ in 0..count {
        let start = end.checked_add(from_leb128(&mut rest)?)?;
        end = start.checked_add(from_leb128(&mut rest)?)?;
        set.insert(ByteRange::new(start, end));
    }
    rest.is_empty().then_some(set)
}

fn leb128(blob: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        blob.push(value as u8 | 0x80);
        value >>= 7;
    }
    blob.push(value as u8);
}

fn from_leb128(rest: &mut &[u8]) -> Option<u64> {
    let mut value: u64 = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

pub fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

pub fn from_millis(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps with text keys, text and numbers always have a JSON form")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_object_comes_back_as_it_was() {
        let object = ObjectRef {
            key: "a/ü".into(),
            etag: ETag("e-1".into()),
            last_modified: from_millis(1_700_000_000_123),
            version: Some(VersionId("v".into())),
            size: 7,
        };
        assert_eq!(object_ref_of(&object_ref_text(&object)), Some(object));
        for expected in [Expected::Absent, Expected::Anything, Expected::Object(ETag("\"x".into()))] {
            assert_eq!(expected_of(&expected_text(&expected)), Some(expected));
        }
    }

    #[test]
    fn everything_that_a_new_object_is_given_comes_back() {
        let mut object = NewObject::default();
        object.metadata.insert("mode".into(), "33188".into());
        object.content.content_type = Some("text/plain".into());
        object.content.website_redirect = Some("/x".into());
        object.tags = Some([("k".to_owned(), "v".to_owned())].into());
        object.lock = LockHeaders {
            retention: Some(Retention {
                mode: RetentionMode::Compliance,
                until: from_millis(1_800_000_000_000),
            }),
            legal_hold: Some(false),
        };
        object.storage_class = Some("STANDARD_IA".into());
        let text = new_object_text(&object);
        let back = new_object_of(&text).expect("readable");
        assert_eq!(new_object_text(&back), text);
        assert_eq!((back.content, back.lock, back.tags), (object.content, object.lock, object.tags));
    }

    #[test]
    fn words_come_back_and_strangers_are_unreadable() {
        assert_eq!(word_of(word_text(Word::Completing)), Word::Completing);
        assert_eq!(word_of("compacting"), Word::Unreadable);
    }

    #[test]
    fn torn_range_sets_are_not_read() {
        let blob =
            ranges_blob(&[ByteRange::new(5, 1000), ByteRange::new(2000, u64::MAX)].into_iter().collect());
        assert!(ranges_of(&blob).is_some());
        assert!(ranges_of(&blob[..blob.len() - 1]).is_none());
        assert!(ranges_of(&[0xff; 30]).is_none());
    }

    proptest! {
        #[test]
        fn range_sets_come_back(ranges in proptest::collection::vec((0u64..1 << 40, 1u64..1 << 20), 0..40)) {
            let set: RangeSet = ranges.into_iter().map(|(start, len)| ByteRange::sized(start, len)).collect();
            prop_assert_eq!(ranges_of(&ranges_blob(&set)), Some(set));
        }
    }
}
