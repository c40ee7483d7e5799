//! Conditions of reads, writes, copies and deletes: 412, 304 and 404 as RFC 9110 and S3 have them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>

use std::time::SystemTime;

use super::refusal::Refusal;

/// The value of If-Match or If-None-Match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Etags {
    Any,
    /// Without quotes; weakness is dropped, for S3 makes no weak ETags.
    List(Vec<String>),
}

impl Etags {
    /// Reads a header: `*`, or a list of ETags with or without quotes.
    pub fn parse(header: &str) -> Self {
        let bare = |etag: &str| {
            let etag = etag.trim();
            let etag = etag.strip_prefix("W/").unwrap_or(etag);
            etag.trim_matches('"').to_owned()
        };
        if header.trim() == "*" { Self::Any } else { Self::List(header.split(',').map(bare).collect()) }
    }

    fn matches(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(list) => list.iter().any(|wanted| wanted == etag),
        }
    }
}

/// Of a read, or of the source of a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadConditions {
    pub if_match: Option<Etags>,
    pub if_none_match: Option<Etags>,
    pub if_modified_since: Option<SystemTime>,
    pub if_unmodified_since: Option<SystemTime>,
}

/// Which conditions of a read did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    Match(&'static str),
    NoneMatch(&'static str),
}

impl ReadConditions {
    /// ETags beat dates (RFC 9110, 13.2.2).
    fn failed(&self, etag: &str, modified: SystemTime) -> Option<Failed> {
        let unmodified = || self.if_unmodified_since.is_none_or(|since| modified <= since);
        let first = match &self.if_match {
            Some(wanted) => (!wanted.matches(etag)).then_some(Failed::Match("If-Match")),
            None => (!unmodified()).then_some(Failed::Match("If-Unmodified-Since")),
        };
        let changed = || self.if_modified_since.is_none_or(|since| modified > since);
        first.or_else(|| match &self.if_none_match {
            Some(unwanted) => unwanted.matches(etag).then_some(Failed::NoneMatch("If-None-Match")),
            None => (!changed()).then_some(Failed::NoneMatch("If-Modified-Since")),
        })
    }

    pub fn check_read(&self, etag: &str, modified: SystemTime) -> Result<(), Refusal> {
        match self.failed(etag, modified) {
            None => Ok(()),
            Some(Failed::Match(header)) => Err(Refusal::precondition(header)),
            Some(Failed::NoneMatch(_)) => Err(Refusal::not_modified(etag)),
        }
    }

    /// A copy has nothing to answer 304 about: whatever fails is 412.
    pub fn check_source(&self, etag: &str, modified: SystemTime) -> Result<(), Refusal> {
        match self.failed(etag, modified) {
            None => Ok(()),
            Some(Failed::Match(header) | Failed::NoneMatch(header)) => {
                Err(Refusal::precondition(&format!("x-amz-copy-source-{}", header.to_lowercase())))
            }
        }
    }
}

/// Of a write or a delete: about the key's current version when it takes effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteConditions {
    pub if_match: Option<Etags>,
    pub if_none_match: Option<Etags>,
}

impl WriteConditions {
    /// S3 knows no other If-None-Match on a write than `*`.
    pub fn check_known(&self) -> Result<(), Refusal> {
        match self.if_none_match {
            Some(Etags::List(_)) => Err(Refusal::not_implemented(
                "If-None-Match of a write may only be *: no ETag can be excluded",
            )),
            _ => Ok(()),
        }
    }

    /// `current` is the ETag of the current version, unless there is none or it is a delete marker.
    pub fn check(&self, current: Option<&str>) -> Result<(), Refusal> {
        match (&self.if_match, &self.if_none_match, current) {
            (Some(_), _, None) => Err(Refusal::no_such_key()),
            (Some(wanted), _, Some(etag)) if !wanted.matches(etag) => Err(Refusal::precondition("If-Match")),
            (_, Some(unwanted), Some(etag)) if unwanted.matches(etag) => {
                Err(Refusal::precondition("If-None-Match"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn headers_are_star_or_lists_with_or_without_quotes() {
        let list = |etags: &[&str]| Etags::List(etags.iter().map(|&etag| etag.to_owned()).collect());
        assert_eq!(Etags::parse("*"), Etags::Any);
        assert_eq!(Etags::parse("\"a\""), list(&["a"]));
        assert_eq!(Etags::parse("a-2"), list(&["a-2"]));
        assert_eq!(Etags::parse("W/\"a\", \"b\",c"), list(&["a", "b", "c"]));
    }

    #[test]
    fn reads_answer_412_or_304_and_etags_beat_dates() {
        let tags = |header| Some(Etags::parse(header));
        let cases = [
            (None, None, None, None, 200),
            (tags("e"), None, None, None, 200),
            (tags("x"), None, None, None, 412),
            (tags("x, e"), None, None, None, 200),
            (tags("*"), None, None, None, 200),
            (None, tags("e"), None, None, 304),
            (None, tags("x"), None, None, 200),
            (None, tags("*"), None, None, 304),
            (None, None, at(100), None, 304),
            (None, None, at(99), None, 200),
            (None, None, None, at(100), 200),
            (None, None, None, at(99), 412),
            (tags("e"), None, None, at(99), 200),
            (None, tags("x"), at(100), None, 200),
            (tags("e"), tags("e"), None, None, 304),
            (tags("x"), tags("e"), None, None, 412),
        ];
        for (if_match, if_none_match, if_modified_since, if_unmodified_since, status) in cases {
            let conditions =
                ReadConditions { if_match, if_none_match, if_modified_since, if_unmodified_since };
            let modified = at(100).unwrap();
            let answer = conditions.check_read("e", modified).map_or_else(|refusal| refusal.status, |()| 200);
            assert_eq!(answer, status, "{conditions:?}");
            let of_copy =
                conditions.check_source("e", modified).map_or_else(|refusal| refusal.status, |()| 200);
            assert_eq!(of_copy, if status == 200 { 200 } else { 412 }, "{conditions:?}");
        }
    }

    #[test]
    fn writes_answer_412_and_404() {
        let cases = [
            (None, None, None, 200),
            (None, Some("*"), None, 200),
            (None, Some("*"), Some("e"), 412),
            (Some("e"), None, Some("e"), 200),
            (Some("\"e\""), None, Some("e"), 200),
            (Some("x"), None, Some("e"), 412),
            (Some("e"), None, None, 404),
            (Some("*"), None, None, 404),
            (Some("*"), None, Some("e"), 200),
        ];
        for (if_match, if_none_match, current, status) in cases {
            let conditions = WriteConditions {
                if_match: if_match.map(Etags::parse),
                if_none_match: if_none_match.map(Etags::parse),
            };
            let answer = conditions.check(current).map_or_else(|refusal| refusal.status, |()| 200);
            assert_eq!(answer, status, "{conditions:?} against {current:?}");
        }
        let excluding = WriteConditions { if_none_match: Some(Etags::parse("e")), ..Default::default() };
        assert_eq!(excluding.check_known().unwrap_err().status, 501);
    }
}
