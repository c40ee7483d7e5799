//! MinIO: what happens in a bucket as it happens, archives that unpack themselves, questions to an object, deletes
//! of a whole prefix at once.
//!
//! Appends are `ops::AppendObject`, listings with metadata `ops::ListObjectsV2` with `with_metadata`.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method};
use serde_json::{Map, Value};

pub use super::fan_out::{FanOut, FanOutEntry, FannedOut, put_object_fan_out};
pub use super::snowball::{
    Snowball, SnowballContent, SnowballObject, SnowballOptions, SnowballWriter, unpacks_snowballs,
    upload_snowball,
};

use crate::base::timestamp;
use crate::s3::operation::{Reply, Request};
use crate::s3::ops::archive::stream_of;
use crate::s3::ops::{With, is_xml, on_bucket, on_service, on_version};
use crate::s3::{ByteStream, Error, ErrorKind, Operation, Result, VersionId};

/// Events of a bucket, or of all buckets, until one of both ends hangs up. Output: [`Events`].
///
/// ```
/// use holdfs::s3::ops::{CreateBucket, PutObject};
/// use holdfs::s3::vendor::minio::ListenNotification;
/// # use holdfs::s3::{Client, Config, Credentials, Provider};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
/// # let pair = server.key_pair();
/// # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
/// # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
/// # let client = Client::new(config)?;
/// # client.send(&CreateBucket { bucket: "inbox".into(), ..CreateBucket::default() }).await?;
/// let listen = ListenNotification {
///     bucket: Some("inbox".into()),
///     suffix: ".txt".into(),
///     events: vec!["s3:ObjectCreated:*".into()],
///     ..ListenNotification::default()
/// };
/// let mut events = client.send(&listen).await?;
/// client.send(&PutObject::new("inbox", "a.jpg", "not asked for")).await?;
/// client.send(&PutObject::new("inbox", "a.txt", "hello")).await?;
/// let event = events.next().await?.expect("the store goes on");
/// assert_eq!((event.key.as_str(), event.size), ("a.txt", Some(5)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ListenNotification {
    /// `None` listens to the whole server.
    pub bucket: Option<String>,
    /// Only keys that begin so.
    pub prefix: String,
    /// Only keys that end so.
    pub suffix: String,
    /// Such as `s3:ObjectCreated:*`; none means created, removed and accessed.
    pub events: Vec<String>,
}

const USUAL_EVENTS: [&str; 3] = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAccessed:*"];

impl Operation for ListenNotification {
    type Output = Events;
    const NAME: &'static str = "ListenNotification";
    const STREAMED: bool = true;

    fn encode(&self) -> Result<Request> {
        let mut request = match &self.bucket {
            Some(bucket) => on_bucket(Method::GET, bucket)?,
            None => on_service(Method::GET),
        };
        request = request.with("prefix", &*self.prefix).with("suffix", &*self.suffix);
        if self.events.is_empty() {
            return Ok(USUAL_EVENTS
                .into_iter()
                .fold(request, |request, event| request.with("events", event)));
        }
        Ok(self.events.iter().fold(request, |request, event| request.with("events", &**event)))
    }

    fn decode(&self, reply: Reply) -> Result<Events> {
        if is_xml(&reply.headers) {
            let why = "The store does not tell events: it answered with a listing of the bucket.";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        Ok(Events { body: stream_of(reply)?, line: BytesMut::new(), waiting: Vec::new() })
    }
}

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecord {
    /// Such as `s3:ObjectCreated:Put`.
    pub name: String,
    /// When it happened.
    pub time: Option<SystemTime>,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Bytes; not of removals.
    pub size: Option<u64>,
    /// Of its bytes.
    pub etag: Option<String>,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
    /// Events of one key sort by it.
    pub sequencer: Option<String>,
    /// The record as it came.
    pub raw: Value,
}

/// Events as they come, one JSON document a line; blank lines keep the connection alive.
pub struct Events {
    body: ByteStream,
    line: BytesMut,
    /// Records of the last line, the next one last.
    waiting: Vec<EventRecord>,
}

/// A document of a thousand records with long keys is well below.
const LINE_BYTES_MAX: usize = 8 << 20;

impl Events {
    /// The next event; `None` when the store has hung up: listen again then.
    pub async fn next(&mut self) -> Result<Option<EventRecord>> {
        loop {
            if let Some(record) = self.waiting.pop() {
                return Ok(Some(record));
            }
            let Some(line) = self.next_line().await? else { return Ok(None) };
            self.waiting = records(&line)?;
            self.waiting.reverse();
        }
    }

    async fn next_line(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.line.split_to(end + 1).freeze()));
            }
            if self.line.len() > LINE_BYTES_MAX {
                return Err(Error::decode("The store sends an event without end."));
            }
            match self.body.next().await.transpose()? {
                Some(piece) => self.line.extend_from_slice(&piece),
                None if self.line.iter().all(u8::is_ascii_whitespace) => return Ok(None),
                None => return Ok(Some(self.line.split().freeze())),
            }
        }
    }
}

/// None of a line that is blank or is no document of records.
fn records(line: &[u8]) -> Result<Vec<EventRecord>> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let document: Value = serde_json::from_slice(line)
        .map_err(|error| Error::decode(format!("The store sends an event that is no JSON: {error}.")))?;
    let records = document.get("Records").and_then(Value::as_array);
    Ok(records.into_iter().flatten().map(EventRecord::decode).collect())
}

impl EventRecord {
    fn decode(record: &Value) -> Self {
        let text = |at: &Value| at.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (bucket, object) = (&record["s3"]["bucket"], &record["s3"]["object"]);
        Self {
            name: text(&record["eventName"]).unwrap_or_default(),
            time: record["eventTime"].as_str().and_then(timestamp::parse_rfc3339),
            bucket: text(&bucket["name"]).unwrap_or_default(),
            // As it is: only what MinIO sends to queues and the like is form-encoded.
            key: text(&object["key"]).unwrap_or_default(),
            size: object["size"].as_u64(),
            etag: text(&object["eTag"]),
            version: text(&object["versionId"]).map(|version| VersionId(version.into())),
            sequencer: text(&object["sequencer"]),
            raw: record.clone(),
        }
    }
}

/// Asks a model about an object (AIStor). Output: its answer.
#[derive(Clone, Debug, Default)]
pub struct PromptObject {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// What to ask.
    pub prompt: String,
    /// Which function of the server answers; empty for its usual one.
    pub lambda_arn: String,
    /// More members of the request.
    pub arguments: Map<String, Value>,
}

impl Operation for PromptObject {
    type Output = ByteStream;
    const NAME: &'static str = "PromptObject";
    const STREAMED: bool = true;

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::POST, &self.bucket, &self.key, self.version.as_ref())?;
        let mut document = self.arguments.clone();
        document.insert("prompt".to_owned(), self.prompt.clone().into());
        let mut request = request.with("lambdaArn", &*self.lambda_arn);
        request.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request.with_document(Value::Object(document).to_string().into()))
    }

    fn decode(&self, reply: Reply) -> Result<ByteStream> {
        stream_of(reply)
    }
}

impl<O> With<O> {
    /// MinIO: with DeleteBucket, a bucket that is not empty goes too; with DeleteObject, all that lies below the key.
    pub fn minio_force_delete(self) -> Result<Self> {
        self.header("x-minio-force-delete", "true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ops::DeleteObject;
    use crate::s3::ops::fixture::{streamed, wire};

    #[test]
    fn listening_names_its_events() {
        let listen = ListenNotification { bucket: Some("b".into()), ..ListenNotification::default() };
        assert_eq!(
            wire(&listen),
            "GET /b?prefix=&suffix=&events=s3:ObjectCreated:*&events=s3:ObjectRemoved:*&events=s3:ObjectAccessed:*"
        );
        let events = vec!["s3:ObjectCreated:Put".to_owned()];
        let all = ListenNotification { bucket: None, prefix: "in/".into(), suffix: ".jpg".into(), events };
        assert_eq!(wire(&all), "GET /?prefix=in/&suffix=.jpg&events=s3:ObjectCreated:Put");
    }

    #[tokio::test]
    async fn events_are_read_line_by_line() {
        let record =
            r#"{"eventName":"s3:ObjectCreated:Put","eventTime":"2026-01-31T10:00:00.000Z","s3":{"bucket":
            {"name":"b"},"object":{"key":"a+b%2Fc d","size":3,"eTag":"e","versionId":"v","sequencer":"01"}}}"#
                .replace('\n', "");
        let removed =
            r#"{"eventName":"s3:ObjectRemoved:Delete","s3":{"bucket":{"name":"b"},"object":{"key":"x"}}}"#;
        let body = format!(
            " \n\n{{\"Records\":[{record},{removed}]}}\n \n{{\"Other\":1}}\n{{\"Records\":[{record}]}}"
        );
        let listen = ListenNotification::default();
        let mut events = listen.decode(streamed(200, &[], &body)).unwrap();
        let first = events.next().await.unwrap().unwrap();
        assert_eq!(
            (first.name.as_str(), first.key.as_str(), first.size),
            ("s3:ObjectCreated:Put", "a+b%2Fc d", Some(3))
        );
        assert_eq!(first.version, Some(VersionId("v".into())));
        assert_eq!(events.next().await.unwrap().unwrap().key, "x");
        assert_eq!(events.next().await.unwrap().unwrap(), first);
        assert_eq!(events.next().await.unwrap(), None);
        let mut torn = listen.decode(streamed(200, &[], "{\"Records\":[")).unwrap();
        assert_eq!(torn.next().await.unwrap_err().kind(), ErrorKind::Corrupt);
        let listing = streamed(200, &[("content-type", "application/xml")], "<ListBucketResult/>");
        assert_eq!(listen.decode(listing).err().map(|error| error.kind()), Some(ErrorKind::Unsupported));
    }

    #[test]
    fn a_prompt_is_json() {
        let arguments = [("language".to_owned(), Value::from("de"))].into_iter().collect();
        let prompt = PromptObject {
            bucket: "b".into(),
            key: "cat.jpg".into(),
            prompt: "what is \"it\"?".into(),
            arguments,
            ..PromptObject::default()
        };
        assert_eq!(
            wire(&prompt),
            "POST /b/cat.jpg?lambdaArn=\ncontent-type: application/json\n\
             {\"language\":\"de\",\"prompt\":\"what is \\\"it\\\"?\"}"
        );
    }

    #[test]
    fn deletes_can_be_forced() {
        let delete = DeleteObject { bucket: "b".into(), key: "d/".into(), ..DeleteObject::default() };
        assert_eq!(
            wire(&With::new(delete).minio_force_delete().unwrap()),
            "DELETE /b/d/\nx-minio-force-delete: true"
        );
    }
}
