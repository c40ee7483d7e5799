//! Small translations between the words of `s3s` and those of the storage.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{self, HeaderValue};
use s3s::dto::{ETag, ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetentionMode, Timestamp};
use s3s::{S3Error, S3ErrorCode};

use super::xml::malformed;
use crate::embedded::storage::condition::{Etags, WriteConditions};
use crate::embedded::storage::lock::{Bypass, Mode, Retention};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Lock, VersionId};

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        let code = S3ErrorCode::from_bytes(refusal.code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
        let mut error = Self::with_message(code, refusal.message);
        if let Ok(status) = http::StatusCode::from_u16(refusal.status) {
            error.set_status_code(status);
        }
        let mut headers = HeaderMap::new();
        if let Some(marker) = &refusal.marker {
            headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
            insert(&mut headers, "x-amz-version-id", &marker.to_string());
            if refusal.status == 405 {
                headers.insert(header::ALLOW, HeaderValue::from_static("DELETE"));
            }
        }
        if let Some(etag) = &refusal.etag {
            insert(&mut headers, "etag", &format!("\"{etag}\""));
        }
        if !headers.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            error.set_headers(headers);
        }
        error
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

pub fn etag(text: &str) -> ETag {
    ETag::Strong(text.to_owned())
}

pub fn system_time(timestamp: &Timestamp) -> SystemTime {
    SystemTime::from(time::OffsetDateTime::from(timestamp.clone()))
}

/// All values of a header that lists, joined as RFC 9110 allows.
pub fn list_header(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

pub fn etags_header(headers: &HeaderMap, name: &str) -> Option<Etags> {
    list_header(headers, name).as_deref().map(Etags::parse)
}

/// Of the object that is written or removed. `s3s` does not read them for every operation that has them.
pub fn write_conditions(headers: &HeaderMap) -> Result<WriteConditions, Refusal> {
    let conditions = WriteConditions {
        if_match: etags_header(headers, "if-match"),
        if_none_match: etags_header(headers, "if-none-match"),
    };
    conditions.check_known()?;
    Ok(conditions)
}

pub fn bypass(asked: Option<bool>) -> Bypass {
    if asked == Some(true) { Bypass::Governance } else { Bypass::No }
}

pub fn version_id(text: Option<String>) -> Option<VersionId> {
    text.filter(|text| !text.is_empty()).map(VersionId::from)
}

/// Buckets that never had versioning do not mention versions.
pub fn shown_version(id: &VersionId, versioned: bool) -> Option<String> {
    (versioned || *id != VersionId::Null).then(|| id.to_string())
}

pub fn mode(text: &str) -> Result<Mode, Refusal> {
    match text {
        ObjectLockMode::GOVERNANCE => Ok(Mode::Governance),
        ObjectLockMode::COMPLIANCE => Ok(Mode::Compliance),
        _ => Err(Refusal::argument("Unknown wormMode directive.")),
    }
}

pub fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Governance => ObjectLockRetentionMode::GOVERNANCE,
        Mode::Compliance => ObjectLockRetentionMode::COMPLIANCE,
    }
}

pub fn retention_mode(mode_of: &ObjectLockRetentionMode) -> Result<Mode, Refusal> {
    mode(mode_of.as_str())
}

/// The lock that the headers of a write ask for.
pub fn asked_lock(
    mode_of: Option<&ObjectLockMode>,
    until: Option<&Timestamp>,
    hold: Option<&ObjectLockLegalHoldStatus>,
) -> Result<Lock, Refusal> {
    let retention = match (mode_of, until) {
        (None, None) => None,
        (Some(name), Some(until)) => {
            Some(Retention { mode: mode(name.as_str())?, until: system_time(until) })
        }
        _ => {
            return Err(Refusal::argument(
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            ));
        }
    };
    Ok(Lock { retention, legal_hold: hold.map_or(Ok(false), legal_hold)? })
}

pub fn legal_hold(status: &ObjectLockLegalHoldStatus) -> Result<bool, Refusal> {
    match status.as_str() {
        ObjectLockLegalHoldStatus::ON => Ok(true),
        ObjectLockLegalHoldStatus::OFF => Ok(false),
        _ => Err(malformed("a legal hold is ON or OFF")),
    }
}

pub fn hold_status(on: bool) -> ObjectLockLegalHoldStatus {
    let name = if on { ObjectLockLegalHoldStatus::ON } else { ObjectLockLegalHoldStatus::OFF };
    ObjectLockLegalHoldStatus::from_static(name)
}

pub fn http_date(text: &str) -> Option<SystemTime> {
    crate::base::timestamp::parse_http_date(text)
}
