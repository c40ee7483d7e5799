//! MinIO: the same bytes under many keys, sent once.
//! <https://min.io/docs/minio/linux/developers/go/API.html#PutObjectFanOut>

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::json;

use crate::base::timestamp;
use crate::s3::operation::{Reply, Request};
use crate::s3::ops::{DeleteObject, Metadata, Retention, Tags, on_bucket};
use crate::s3::post::PostPolicy;
use crate::s3::{Body, Client, ETag, Error, ErrorKind, Operation, Result, VersionId};

/// How long the form is good for: long enough for its bytes to arrive.
const EXPIRES: Duration = Duration::from_secs(15 * 60);

/// The field that names the objects.
const LIST: &str = "x-minio-fanout-list";

/// Bytes that become many objects.
#[derive(Clone, Debug, Default)]
pub struct FanOut {
    /// The bucket.
    pub bucket: String,
    /// At most 5 GiB.
    pub body: Bytes,
    /// The objects, at least one.
    pub entries: Vec<FanOutEntry>,
}

/// One object of many.
#[derive(Clone, Debug, Default)]
pub struct FanOutEntry {
    /// Its key.
    pub key: String,
    /// Names without `x-amz-meta-`.
    pub metadata: Metadata,
    /// Its tags.
    pub tags: Tags,
    /// MIME type.
    pub content_type: Option<String>,
    /// Until when it cannot be overwritten or deleted.
    pub retention: Option<Retention>,
}

/// What became of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FannedOut {
    /// Its key.
    pub key: String,
    /// Of the bytes.
    pub etag: Option<ETag>,
    /// Where the bucket keeps versions.
    pub version: Option<VersionId>,
    /// When it was stored.
    pub last_modified: Option<SystemTime>,
    /// Why it was not stored.
    pub error: Option<String>,
}

/// Stores the bytes under every key. Each object is stored by itself: some may fail and say so. `Unsupported` where
/// the store takes the form for a browser's.
pub async fn put_object_fan_out(client: &Client, fan_out: &FanOut) -> Result<Vec<FannedOut>> {
    let unsupported = |why| Err(Error::new(ErrorKind::Unsupported, why));
    if client.dialect().knows_no_fan_outs() {
        return unsupported("The store does not know fan-outs: send the bytes once for each key.");
    }
    let key = format!("fan-out-{:016x}", fastrand::u64(..));
    let policy = PostPolicy::new(&fan_out.bucket, SystemTime::now() + EXPIRES).key(&key);
    let policy = policy.starts_with(LIST, "")?;
    let form = client.presign_post(&policy).await?;
    let done = client.send(&PostFanOut::new(fan_out, form.fields)?).await?;
    if done.is_empty() {
        let bucket = fan_out.bucket.clone();
        client.send(&DeleteObject { bucket, key, ..DeleteObject::default() }).await?;
        return unsupported(
            "The store does not know fan-outs: it stored the bytes under one key, which is gone again.",
        );
    }
    Ok(done)
}

/// The form as it is sent.
struct PostFanOut {
    bucket: String,
    content_type: String,
    body: Body,
}

impl PostFanOut {
    fn new(fan_out: &FanOut, fields: Vec<(String, String)>) -> Result<Self> {
        if fan_out.entries.is_empty() || fan_out.entries.iter().any(|entry| entry.key.is_empty()) {
            return Err(Error::invalid("A fan-out has at least one key, and none of them is empty."));
        }
        let boundary = format!("holdfs-{:032x}", fastrand::u128(..));
        let list: String = fan_out.entries.iter().map(|entry| entry.encode().to_string() + "\n").collect();
        let mut head = String::new();
        let fields = fields.into_iter().filter(|(name, _)| name != LIST);
        for (name, value) in fields.chain([(LIST.to_owned(), list)]) {
            let disposition = format!("Content-Disposition: form-data; name=\"{name}\"");
            let _ = write!(head, "--{boundary}\r\n{disposition}\r\n\r\n{value}\r\n");
        }
        let file = "Content-Disposition: form-data; name=\"file\"; filename=\"fan-out\"\r\n\
                    Content-Type: application/octet-stream";
        let _ = write!(head, "--{boundary}\r\n{file}\r\n\r\n");
        let end = format!("\r\n--{boundary}--\r\n");
        let segments = [head.into(), fan_out.body.clone(), end.into()];
        Ok(Self {
            bucket: fan_out.bucket.clone(),
            content_type: format!("multipart/form-data; boundary={boundary}"),
            body: Body::Segments(Arc::from(segments)),
        })
    }
}

impl FanOutEntry {
    fn encode(&self) -> serde_json::Value {
        let mut entry = BTreeMap::from([("key", json!(self.key))]);
        if !self.metadata.is_empty() {
            let named = |(name, value): (&String, &String)| (format!("X-Amz-Meta-{name}"), value.clone());
            entry.insert("metadata", json!(self.metadata.iter().map(named).collect::<Metadata>()));
        }
        if !self.tags.is_empty() {
            entry.insert("tags", json!(self.tags));
        }
        if let Some(kind) = &self.content_type {
            entry.insert("contentType", json!(kind));
        }
        if let Some(Retention { mode, until }) = self.retention {
            entry.insert("retention", json!(mode.as_str()));
            entry.insert("retainUntil", json!(timestamp::rfc3339_millis(until)));
        }
        json!(entry)
    }
}

impl Operation for PostFanOut {
    type Output = Vec<FannedOut>;
    const NAME: &'static str = "PutObjectFanOut";

    fn encode(&self) -> Result<Request> {
        let mut request = on_bucket(Method::POST, &self.bucket)?;
        let kind = HeaderValue::from_str(&self.content_type)
            .map_err(|_| Error::invalid("The type of the form cannot travel in a header."))?;
        request.headers.insert(header::CONTENT_TYPE, kind);
        request.body = self.body.clone();
        Ok(request)
    }

    /// The form is.
    fn is_signed(&self) -> bool {
        false
    }

    /// One document after the other.
    fn decode(&self, reply: Reply) -> Result<Vec<FannedOut>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Entry {
            key: String,
            etag: Option<String>,
            version_id: Option<String>,
            last_modified: Option<String>,
            error: Option<String>,
        }
        let entries = serde_json::Deserializer::from_slice(reply.document()?).into_iter::<Entry>();
        let entries = entries.map(|entry| {
            let entry = entry.map_err(|error| {
                Error::decode(format!("The reply to the fan-out is no list of objects: {error}."))
            })?;
            let said = |text: Option<String>| text.filter(|text| !text.is_empty());
            Ok(FannedOut {
                key: entry.key,
                etag: said(entry.etag).map(|etag| ETag::parse(&etag)),
                version: said(entry.version_id).map(|version| VersionId(version.into())),
                last_modified: entry.last_modified.as_deref().and_then(timestamp::parse_rfc3339),
                error: said(entry.error),
            })
        });
        entries.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ops::HeadBucket;
    use crate::s3::ops::fixture::reply;
    use crate::s3::scripted::{Answer, Server};

    fn fan_out() -> FanOut {
        let tagged = FanOutEntry {
            key: "b".into(),
            tags: [("t".to_owned(), "v".to_owned())].into(),
            ..FanOutEntry::default()
        };
        let entries = vec![FanOutEntry { key: "a".into(), ..FanOutEntry::default() }, tagged];
        FanOut { bucket: "bucket".into(), body: "bytes".into(), entries }
    }

    #[test]
    fn a_form_lists_the_objects_before_their_bytes() {
        let form = PostFanOut::new(&fan_out(), vec![("key".into(), "k".into())]).unwrap();
        let Body::Segments(segments) = &form.body else { panic!("segments") };
        let text = String::from_utf8(segments.concat()).unwrap();
        let boundary = form.content_type.split_once("boundary=").unwrap().1;
        let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 5, "{text}");
        assert_eq!(parts[1], "\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n");
        assert!(parts[2].ends_with("\r\n\r\n{\"key\":\"a\"}\n{\"key\":\"b\",\"tags\":{\"t\":\"v\"}}\n\r\n"));
        assert!(parts[3].ends_with("\r\n\r\nbytes\r\n"));
        let none = PostFanOut::new(&FanOut { entries: vec![], ..fan_out() }, vec![]);
        assert_eq!(none.err().map(|error| error.kind()), Some(ErrorKind::Invalid));
    }

    #[test]
    fn every_object_says_what_became_of_it() {
        let form = PostFanOut::new(&fan_out(), vec![]).unwrap();
        let text = "{\"key\":\"a\",\"etag\":\"e\",\"lastModified\":\"2026-01-31T10:00:00.5Z\"}\n\
                    {\"key\":\"b\",\"error\":\"no\"}\n";
        let done = form.decode(reply(200, &[], text)).unwrap();
        assert_eq!((done[0].etag.as_ref(), done[0].error.as_ref()), (Some(&ETag("e".into())), None));
        assert_eq!(done[1].error.as_deref(), Some("no"));
        assert_eq!(form.decode(reply(200, &[], "no")).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    #[tokio::test]
    async fn a_store_that_is_known_not_to_fan_out_is_sent_no_form() {
        let server = Server::answering([Answer::new(200, &[("server", "AmazonS3")], "")]).await;
        let client = server.client();
        client.send(&HeadBucket { bucket: "bucket".into() }).await.unwrap();
        let refused = put_object_fan_out(&client, &fan_out()).await.unwrap_err();
        assert_eq!((refused.kind(), server.heard().len()), (ErrorKind::Unsupported, 1));
    }
}
