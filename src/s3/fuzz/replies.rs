//! Replies of a hostile store, through all that a client does with one: judging, learning, decoding, verifying.
//!
//! An input is the name of an operation, a blank and a status on the first line, then headers up to an empty line,
//! then the body, which comes in two pieces.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{named, split_line};
use crate::base::clock::Clock;
use crate::base::ranges::ByteRange;
use crate::base::secret::Secret;
use crate::s3::endpoint::Endpoint;
use crate::s3::ops::*;
use crate::s3::settings::*;
use crate::s3::transport::{Incoming, Outgoing, Sending, Transport};
use crate::s3::vendor::{ibm, minio};
use crate::s3::{Body, ByteStream, Client, Config, Credentials, Deadlines, Error, Operation, Provider};

const BODY_BYTES_MAX: usize = 1 << 20;

/// An operation on `bucket`, or on `bucket/key`.
macro_rules! to {
    ($operation:ident) => { $operation { bucket: "bucket".into(), ..$operation::default() } };
    ($operation:ident, $field:ident = $value:expr) => { $operation { $field: $value, ..to!($operation) } };
    ($operation:ident key) => { $operation { key: "key".into(), ..to!($operation) } };
    ($operation:ident key $field:ident = $value:expr) => { $operation { $field: $value, ..to!($operation key) } };
}
/// One reply to whatever an operation asks.
pub fn replies(input: &[u8]) {
    let Some(canned) = Canned::parse(input) else { return };
    let (_, ask) = named(OPERATIONS, &canned.operation);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(ask(&client(canned)));
}

/// The same reply to every request.
struct Canned {
    operation: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Canned {
    fn parse(input: &[u8]) -> Option<Self> {
        let (first, mut rest) = split_line(input)?;
        let (operation, status) = first.split_once(' ')?;
        let status = StatusCode::from_u16(status.parse().ok()?).ok()?;
        let mut headers = HeaderMap::new();
        while let Some((line, below)) = split_line(rest) {
            rest = below;
            let Some((name, value)) = line.split_once(':') else { break };
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.trim().as_bytes())) {
                headers.append(name, value);
            }
        }
        let body = Bytes::copy_from_slice(rest);
        Some(Self { operation: operation.to_owned(), status, headers, body })
    }
}

impl Transport for Canned {
    fn send(&self, _request: http::Request<Outgoing>, _deadlines: Deadlines) -> Sending<'_> {
        let (first, second) = self.body.split_at(self.body.len() / 2);
        let pieces = [first, second].map(|piece| Ok::<_, Error>(Bytes::copy_from_slice(piece)));
        let mut reply = Incoming::new(Box::pin(stream::iter(pieces)));
        (*reply.status_mut(), *reply.headers_mut()) = (self.status, self.headers.clone());
        Box::pin(async { Ok(reply) })
    }
}

/// One that never waits: what is not answered well at once has failed.
fn client(canned: Canned) -> Client {
    let keys = Credentials {
        session_token: Some(Secret::new("token")),
        ..Credentials::new("AK", Secret::new("SK"))
    };
    let config = Config {
        endpoint: None,
        region: Some("us-east-1".to_owned()),
        clock: Clock::manual_at(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        deadlines: Deadlines {
            connect: Duration::from_secs(1),
            response_header: Duration::from_secs(1),
            no_progress: Duration::from_secs(1),
            total_without_progress: Duration::ZERO,
        },
        ..Config::new(Provider::fixed(keys))
    };
    let endpoint = Endpoint::of(&config).expect("AWS");
    Client::over(Box::new(canned), endpoint, config).expect("a client")
}

type Asking<'c> = Pin<Box<dyn Future<Output = ()> + 'c>>;

fn plain<'c, O: Operation + 'c>(client: &'c Client, operation: O) -> Asking<'c> {
    Box::pin(async move {
        let _ = client.send(&operation).await;
    })
}

fn streamed<'c, O: Operation<Output = ByteStream> + 'c>(client: &'c Client, operation: O) -> Asking<'c> {
    Box::pin(async move {
        let Ok(body) = client.send(&operation).await else { return };
        let promised = body.content_length();
        if let Ok(bytes) = body.collect(BODY_BYTES_MAX).await {
            assert!(promised.is_none_or(|length| length == bytes.len() as u64), "a short body is whole");
        }
    })
}

async fn get(client: &Client, get: GetObject) {
    let Ok(output) = client.send(&get).await else { return };
    let whole = output.headers.size;
    assert!(output.range.end <= whole, "{:?} of {whole}", output.range);
    if let Some(asked) = get.range {
        assert!(asked.start <= output.range.start && output.range.end <= asked.end, "other bytes than asked");
    }
    let _ = output.headers.object_ref(&get.key);
    if let Ok(bytes) = output.body.collect(BODY_BYTES_MAX).await {
        assert_eq!(bytes.len() as u64, output.range.len(), "a short body is whole");
    }
}

async fn list(client: &Client) {
    let list = ListObjectsV2 { prefix: "p/".into(), delimiter: Some("/".into()), ..to!(ListObjectsV2) };
    let Ok(page) = client.send(&list).await else { return };
    let names = page.objects.iter().map(|object| &object.key).chain(&page.common_prefixes);
    assert!(names.into_iter().all(|name| name.starts_with("p/")), "a name outside of what was listed");
}

async fn select(client: &Client) {
    let select = SelectObjectContent {
        bucket: "bucket".into(),
        key: "key".into(),
        expression: "SELECT *".into(),
        input: SelectInput::default(),
        output: SelectOutput::default(),
        progress: true,
        scan_range: None,
    };
    if let Ok(selected) = client.send(&select).await {
        let _ = selected.records(BODY_BYTES_MAX).await;
    }
}

async fn listen(client: &Client) {
    let Ok(mut events) = client.send(&minio::ListenNotification::default()).await else { return };
    while let Ok(Some(_)) = events.next().await {}
}

type Ask = fn(&Client) -> Asking<'_>;

#[allow(clippy::needless_update, reason = "some operations have no more fields than those named")]
static OPERATIONS: &[(&str, Ask)] = &[
    ("GetObject", |client| Box::pin(get(client, to!(GetObject key checksum_mode = true)))),
    ("GetRange", |client| Box::pin(get(client, to!(GetObject key range = Some(ByteRange::new(2, 8)))))),
    ("GetPart", |client| Box::pin(get(client, to!(GetObject key part_number = Some(2))))),
    ("HeadObject", |client| plain(client, to!(HeadObject key))),
    ("PutObject", |client| plain(client, PutObject::new("bucket", "key", "body"))),
    ("DeleteObject", |client| plain(client, to!(DeleteObject key))),
    ("DeleteObjects", |client| {
        plain(client, to!(DeleteObjects, keys = vec![("a".into(), None), ("b".into(), None)]))
    }),
    ("CopyObject", |client| plain(client, to!(CopyObject key source = source()))),
    ("UploadPartCopy", |client| plain(client, part_copy())),
    ("CreateMultipartUpload", |client| plain(client, to!(CreateMultipartUpload key))),
    ("CompleteMultipartUpload", |client| plain(client, complete())),
    ("ListParts", |client| plain(client, to!(ListParts key upload_id = "id".into()))),
    ("ListMultipartUploads", |client| plain(client, to!(ListMultipartUploads))),
    ("ListObjectsV2", |client| Box::pin(list(client))),
    ("ListObjects", |client| plain(client, to!(ListObjects))),
    ("ListObjectVersions", |client| plain(client, to!(ListObjectVersions))),
    ("ListBuckets", |client| plain(client, ListBuckets::default())),
    ("HeadBucket", |client| plain(client, to!(HeadBucket))),
    ("GetBucketLocation", |client| plain(client, to!(GetBucketLocation))),
    ("GetObjectTagging", |client| plain(client, to!(GetObjectTagging key))),
    ("GetObjectAcl", |client| plain(client, to!(GetObjectAcl key))),
    ("GetObjectRetention", |client| plain(client, to!(GetObjectRetention key))),
    ("GetObjectLegalHold", |client| plain(client, to!(GetObjectLegalHold key))),
    ("GetObjectAttributes", |client| plain(client, to!(GetObjectAttributes key))),
    ("GetObjectTorrent", |client| streamed(client, to!(GetObjectTorrent key))),
    ("RestoreObject", |client| plain(client, to!(RestoreObject key))),
    ("SelectObjectContent", |client| Box::pin(select(client))),
    ("ListObjectAnnotations", |client| plain(client, to!(ListObjectAnnotations key))),
    ("GetObjectAnnotation", |client| streamed(client, to!(GetObjectAnnotation key name = "n".into()))),
    ("AppendObject", |client| {
        let (bucket, key) = ("bucket".into(), "key".into());
        plain(client, AppendObject { bucket, key, offset: 0, body: Body::Empty })
    }),
    ("GetBucketPolicyStatus", |client| plain(client, to!(GetBucketPolicyStatus))),
    ("GetBucketMetadataConfiguration", |client| {
        plain(client, metadata::GetBucketMetadataConfiguration { bucket: "bucket".into() })
    }),
    ("GetBucketMetadataTableConfiguration", |client| {
        plain(client, metadata::GetBucketMetadataTableConfiguration { bucket: "bucket".into() })
    }),
    ("GetBucketVersioning", |client| plain(client, GetSetting::<Versioning>::new("bucket"))),
    ("GetObjectLockConfiguration", |client| {
        plain(client, GetSetting::<ObjectLockConfiguration>::new("bucket"))
    }),
    ("GetBucketTagging", |client| plain(client, GetSetting::<BucketTags>::new("bucket"))),
    ("GetBucketPolicy", |client| plain(client, GetSetting::<BucketPolicy>::new("bucket"))),
    ("GetBucketLifecycleConfiguration", |client| plain(client, GetSetting::<Lifecycle>::new("bucket"))),
    ("ListLegalHolds", |client| {
        plain(client, ibm::ListLegalHolds { bucket: "bucket".into(), key: "key".into() })
    }),
    ("ListBucketsExtended", |client| plain(client, ibm::ListBucketsExtended::default())),
    ("ListBucketReplicationFailures", |client| {
        let bucket = "bucket".into();
        plain(client, ibm::ListBucketReplicationFailures { bucket, ..Default::default() })
    }),
    ("GetBucketAspera", |client| plain(client, ibm::GetBucketAspera { bucket: "bucket".into() })),
    ("ListenNotification", |client| Box::pin(listen(client))),
    ("CreateSession", |client| {
        let bucket = "b--use1-az4--x-s3".into();
        plain(client, HeadObject { bucket, key: "key".into(), ..HeadObject::default() })
    }),
];

fn source() -> CopySource {
    to!(CopySource key)
}

fn part_copy() -> UploadPartCopy {
    let upload = to!(UploadPartCopy key source = source());
    UploadPartCopy { upload_id: "id".into(), part_number: 1, ..upload }
}

fn complete() -> CompleteMultipartUpload {
    let etag = crate::s3::ETag::parse("e");
    let parts = vec![Part { number: 1, etag, size: 1, checksum: None, modified: None }];
    CompleteMultipartUpload { parts, ..to!(CompleteMultipartUpload key upload_id = "id".into()) }
}
