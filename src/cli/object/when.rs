//! Conditions on what is read: `--if-match` and its kin.

use std::time::SystemTime;

use clap::Args;

use crate::base::timestamp;
use crate::s3::ETag;
use crate::s3::ops::ReadConditions;

#[derive(Args, Clone, Debug, Default)]
pub(super) struct When {
    /// Only if the object has this ETag.
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    /// Only if the object has another ETag.
    #[arg(long, value_name = "ETAG")]
    if_none_match: Option<String>,
    /// Only if the object was modified after this time, such as 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    if_modified_since: Option<SystemTime>,
    /// Only if the object was not modified after this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    if_unmodified_since: Option<SystemTime>,
}

impl When {
    pub(super) fn is_empty(&self) -> bool {
        self.if_match.is_none()
            && self.if_none_match.is_none()
            && self.if_modified_since.is_none()
            && self.if_unmodified_since.is_none()
    }

    pub(super) fn conditions(&self) -> ReadConditions {
        ReadConditions {
            if_match: self.if_match.as_deref().map(ETag::parse),
            if_none_match: self.if_none_match.as_deref().map(ETag::parse),
            if_modified_since: self.if_modified_since,
            if_unmodified_since: self.if_unmodified_since,
        }
    }
}

pub(super) fn time(text: &str) -> Result<SystemTime, String> {
    timestamp::parse_rfc3339(text).ok_or_else(|| "write a time as 2027-01-31T00:00:00Z".to_owned())
}
