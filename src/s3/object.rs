//! How an object is named: always with its version.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// An entity tag without its quotes, opaque: not an MD5, and compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ETag(pub Arc<str>);

impl ETag {
    /// As a store spells it, with quotes or (some stores, some listings) without. A weak tag keeps its `W/` and
    /// its quotes: it is sent back as it came.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Self(inner.unwrap_or(text).into())
    }
    /// As conditions spell it.
    pub fn quoted(&self) -> String {
        if self.0.starts_with("W/") { self.0.to_string() } else { format!("\"{}\"", self.0) }
    }
}

/// A version id as the store spells it; `null` is the version written while versioning was off.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub Arc<str>);

impl VersionId {
    /// No other write or removal of the key takes this version away.
    pub fn is_kept(&self) -> bool {
        &*self.0 != "null"
    }
}

/// One version of one object: what readers, cache blocks and upload bases are pinned to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// The whole key in the bucket, prefix of the mount included.
    pub key: Arc<str>,
    /// Which bytes it has.
    pub etag: ETag,
    /// To the second from HEAD and GET, to the millisecond from some listings.
    pub last_modified: SystemTime,
    /// `None` where the bucket was never versioned or the reply did not say (listings never do).
    pub version: Option<VersionId>,
    /// Bytes.
    pub size: u64,
}

impl ObjectRef {
    /// Same bytes as far as the store can tell: equal key, ETag and size, and equal versions where both know
    /// theirs. (LastModified differs in precision between listing and HEAD, so it is compared to the second.)
    pub fn same_content(&self, other: &Self) -> bool {
        let versions_agree = match (&self.version, &other.version) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        self.key == other.key
            && self.etag == other.etag
            && self.size == other.size
            && seconds(self.last_modified) == seconds(other.last_modified)
            && versions_agree
    }
}

fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs_f64().ceil() as u64).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn object(etag: &str, version: Option<&str>, millis: u64) -> ObjectRef {
        ObjectRef {
            key: "k".into(),
            etag: ETag::parse(etag),
            last_modified: UNIX_EPOCH + Duration::from_millis(millis),
            version: version.map(|id| VersionId(id.into())),
            size: 1,
        }
    }

    #[test]
    fn etags_lose_one_pair_of_quotes_and_get_it_back() {
        for (wire, inner, sent) in [
            ("\"abc-2\"", "abc-2", "\"abc-2\""),
            ("abc", "abc", "\"abc\""),
            (" \"ABC\" ", "ABC", "\"ABC\""),
            ("W/\"x\"", "W/\"x\"", "W/\"x\""),
            ("\"", "\"", "\"\"\""),
            ("", "", "\"\""),
        ] {
            let etag = ETag::parse(wire);
            assert_eq!((&*etag.0, etag.quoted().as_str()), (inner, sent), "{wire}");
        }
    }

    #[test]
    fn content_is_the_same_to_the_second_and_where_both_versions_are_known() {
        let head = object("\"e\"", Some("v1"), 5_000);
        assert!(head.same_content(&object("e", None, 5_999)));
        assert!(!head.same_content(&object("e", Some("v2"), 5_000)));
        assert!(!head.same_content(&object("E", None, 5_000)));
        assert!(!head.same_content(&object("e", None, 6_000)));
    }
}
