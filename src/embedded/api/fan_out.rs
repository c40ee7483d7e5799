//! The same bytes under many keys, sent once: MinIO's PutObjectFanOut, a form with a list of objects in it.
//! <https://min.io/docs/minio/linux/developers/go/API.html#PutObjectFanOut>

use std::collections::BTreeMap;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use s3s::dto::PutObjectOutput;
use s3s::{S3Response, S3Result};
use serde::{Deserialize, Serialize};

use super::Api;
use super::about::{check_about, stored_encoding};
use super::instead::{Document, Status};
use super::receive::Received;
use super::wire;
use crate::base::timestamp::{parse_rfc3339, rfc3339_millis};
use crate::embedded::policy::Who;
use crate::embedded::storage::checksum::Checksum;
use crate::embedded::storage::lock::Retention;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{About, Lock, NewObject, Object, Tags};

/// The field of the form that names the objects.
pub const LIST: &str = "x-minio-fanout-list";
const ENTRIES_MAX: usize = 10_000;

/// What every object of a fan-out holds.
#[derive(Clone, Copy)]
pub struct SharedBytes<'a> {
    pub received: &'a Received,
    pub checksum: &'a Checksum,
    pub who: Who,
}

/// One object, as the list has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    key: String,
    metadata: BTreeMap<String, String>,
    tags: Tags,
    content_type: Option<String>,
    content_encoding: Option<String>,
    content_disposition: Option<String>,
    content_language: Option<String>,
    cache_control: Option<String>,
    retention: Option<String>,
    retain_until: Option<String>,
}

/// What became of it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fate {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Api {
    /// Each object is stored by itself, and says what became of it: one document after the other.
    pub(super) async fn fan_out(
        &self,
        bucket: &str,
        list: &str,
        bytes: SharedBytes<'_>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let mut told = String::new();
        for entry in entries(list)? {
            let key = entry.key.clone();
            let fate = self.fan(bucket, entry, bytes).await;
            let fate = fate.unwrap_or_else(|refusal| {
                let error = Some(format!("{}: {}", refusal.code, refusal.message));
                Fate { key, error, ..Fate::default() }
            });
            told += &serde_json::to_string(&fate).map_err(Refusal::internal)?;
            told.push('\n');
        }
        let mut response = S3Response::new(PutObjectOutput::default());
        response.extensions.insert(Document(told.into()));
        response.extensions.insert(Status(StatusCode::OK));
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    async fn fan(&self, bucket: &str, entry: Entry, bytes: SharedBytes<'_>) -> Result<Fate, Refusal> {
        let key = entry.key.clone();
        self.may(bytes.who, "PutObject", bucket, Some(&key), &BTreeMap::new())?;
        let (about, asked) = entry.understand()?;
        check_about(&about, &self.store.limits)?;
        let (version, shown) = self
            .store
            .write(bucket, |bucket, scope, stamp| {
                let lock = bucket.lock_for(asked, stamp.now)?;
                let (content, etag) = (bytes.received.content.clone(), bytes.received.etag.clone());
                let (checksum, parts, about) = (bytes.checksum.clone(), Vec::new(), Box::new(about));
                let object = NewObject { content, etag, checksum, parts, about, lock, acl: None };
                let version = bucket.put_again(scope, &key, Object::new(object), stamp)?;
                let versioned = bucket.is_versioned();
                let shown = wire::shown_version(&version.id, versioned);
                Ok((version, shown))
            })
            .await?;
        self.tell("s3:ObjectCreated:Post", bucket, &key, &version);
        Ok(Fate {
            key,
            etag: version.object.as_ref().map(|object| object.etag.clone()),
            version_id: shown,
            last_modified: Some(rfc3339_millis(version.modified)),
            error: None,
        })
    }
}

/// One JSON document after the other.
fn entries(list: &str) -> Result<Vec<Entry>, Refusal> {
    let wrong = |why: String| Refusal::argument(format!("{LIST} is no list of objects: {why}"));
    // A list in brackets would pass for an entry without anything.
    let entries = serde_json::Deserializer::from_str(list).into_iter::<serde_json::Map<_, _>>();
    let entries = entries.take(ENTRIES_MAX + 1).map(|entry| serde_json::from_value(entry?.into()));
    let entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    match entries.len() {
        0 => Err(wrong("it names none".to_owned())),
        1..=ENTRIES_MAX => Ok(entries),
        _ => Err(wrong(format!("it names more than {ENTRIES_MAX}"))),
    }
}

impl Entry {
    fn understand(self) -> Result<(About, Lock), Refusal> {
        if self.key.is_empty() || self.key.len() > 1024 {
            return Err(Refusal::new(400, "KeyTooLongError", "A key has 1 to 1,024 bytes"));
        }
        let bare = |name: String| {
            let lower = name.to_ascii_lowercase();
            lower.strip_prefix("x-amz-meta-").map_or(lower.clone(), str::to_owned)
        };
        let retention = match (self.retention.as_deref(), self.retain_until.as_deref()) {
            (None | Some(""), None) => None,
            (Some(mode), Some(until)) => {
                let until =
                    parse_rfc3339(until).ok_or_else(|| Refusal::argument("retainUntil is no date"))?;
                Some(Retention { mode: wire::mode(mode)?, until })
            }
            _ => return Err(Refusal::argument("retention and retainUntil must both be supplied")),
        };
        let about = About {
            metadata: self.metadata.into_iter().map(|(name, value)| (bare(name), value)).collect(),
            tags: self.tags,
            content_type: self.content_type,
            content_encoding: stored_encoding(self.content_encoding),
            content_disposition: self.content_disposition,
            content_language: self.content_language,
            cache_control: self.cache_control,
            ..About::default()
        };
        Ok((about, Lock { retention, ..Lock::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_document_after_the_other() {
        let list = "{\"key\":\"a\"}\n{\"key\":\"b\",\"metadata\":{\"X-Amz-Meta-Colour\":\"red\"},\"tags\":{\"t\":\"v\"},\
            \"contentType\":\"text/plain\",\"retention\":\"COMPLIANCE\",\"retainUntil\":\"2040-01-31T00:00:00.000Z\"}";
        let mut entries = entries(list).unwrap();
        assert_eq!((entries.len(), entries[0].key.as_str()), (2, "a"));
        let (about, lock) = entries.remove(1).understand().unwrap();
        assert_eq!((about.metadata["colour"].as_str(), about.tags["t"].as_str()), ("red", "v"));
        assert_eq!(about.content_type.as_deref(), Some("text/plain"));
        assert_eq!(lock.retention.map(|it| it.until), parse_rfc3339("2040-01-31T00:00:00Z"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in ["", "  \n", "[]", "{\"key\":1}", "{\"key\":\"a\"} x"] {
            assert_eq!(entries(bad).map(drop).unwrap_err().code, "InvalidArgument", "{bad}");
        }
        let code = |entry: &str| entries(entry).unwrap().remove(0).understand().map(drop).unwrap_err().code;
        assert_eq!(code("{}"), "KeyTooLongError");
        assert_eq!(code("{\"key\":\"k\",\"retention\":\"COMPLIANCE\"}"), "InvalidArgument");
        let soon = "{\"key\":\"k\",\"retention\":\"COMPLIANCE\",\"retainUntil\":\"soon\"}";
        assert_eq!(code(soon), "InvalidArgument");
    }
}
