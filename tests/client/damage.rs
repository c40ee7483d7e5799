//! Replies that were cut, garbled, or are about something else, and answers that never came (failures.md 1.1, 1.6).

use bytes::Bytes;
use futures_util::TryStreamExt;
use holdfs::base::ranges::ByteRange;
use holdfs::embedded::faults::{Action, Ending, Rule, When};
use holdfs::embedded::{Server, Tls};
use holdfs::s3::ops::{
    CopyObject, CopySource, DeleteObject, DeleteObjects, GetObject, GetObjectTagging, HeadObject,
    ListMultipartUploads, ListObjectVersions, ListObjects, ListObjectsV2, PutObjectTagging,
};
use holdfs::s3::settings::{GetSetting, PutSetting, Versioning, VersioningStatus};
use holdfs::s3::transfer::{self, CopyRequest, Target, Tuning, UploadSource};
use holdfs::s3::{Client, Config, ErrorKind, Limits, ObjectRef, Operation, Result};

use super::{BUCKET, client, config, get, put, read, scaled_server, server};

const MIB: usize = 1 << 20;

pub fn content(len: usize) -> Bytes {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect::<Vec<_>>().into()
}

/// Small parts, on a server that takes such.
pub fn tuning() -> Tuning {
    let part_bytes = MIB as u64;
    Tuning {
        multipart_threshold: part_bytes,
        part_bytes,
        copy_part_bytes: part_bytes,
        parallel: 2,
        progress: None,
    }
}

pub fn small_parts(server: &Server) -> Client {
    let limits = Limits { part_bytes_min: 64 << 10, copy_bytes_max: MIB as u64, ..Limits::default() };
    Client::new(Config { limits, ..config(server) }).expect("a client")
}

pub async fn find(client: &Client, key: &str) -> ObjectRef {
    let head = HeadObject { bucket: BUCKET.into(), key: key.into(), ..HeadObject::default() };
    client.send(&head).await.expect("there").object_ref(key).expect("a name")
}

pub async fn upload(client: &Client, key: &str, content: Bytes) -> Result<()> {
    let target = Target { bucket: BUCKET.into(), key: key.into(), ..Target::default() };
    transfer::upload(client, &tuning(), &target, UploadSource::Bytes(content)).await.map(drop)
}

/// All bytes of a range of exactly this object, by the managed download.
pub async fn download(client: &Client, object: &ObjectRef, range: ByteRange) -> Result<Vec<u8>> {
    let tuning = tuning();
    let pieces: Vec<Bytes> = transfer::read(client, &tuning, BUCKET, object, range).try_collect().await?;
    Ok(pieces.concat())
}

async fn keep_versions(client: &Client) {
    let document = Versioning::of(VersioningStatus::Enabled);
    client.send(&PutSetting { bucket: BUCKET.into(), document }).await.expect("set");
}

async fn versions(client: &Client, key: &str) -> usize {
    let list =
        ListObjectVersions { bucket: BUCKET.into(), prefix: key.into(), ..ListObjectVersions::default() };
    client.send(&list).await.expect("listed").versions.len()
}

async fn uploads(client: &Client) -> usize {
    let list = ListMultipartUploads { bucket: BUCKET.into(), ..ListMultipartUploads::default() };
    client.send(&list).await.expect("listed").uploads.len()
}

fn drop_after() -> Action {
    Action::Drop { when: When::After, ending: Ending::Reset }
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_12_a_short_body_is_never_whole() {
    let server = server(Tls::Off).await;
    let client = client(&server);
    let whole = content(40);
    client.send(&put("key", whole.clone())).await.expect("stored");
    let object = find(&client, "key").await;
    let all = ByteRange::new(0, 40);
    for chunked in [false, true] {
        for (at, ending) in [0, 1, 20, 39].into_iter().flat_map(|at| [(at, Ending::Fin), (at, Ending::Reset)])
        {
            let arm = |times| {
                let cut = Rule::new(Action::Cut { at, ending }).on("GetObject").times(times);
                let number = server.faults().add(cut);
                if chunked {
                    let set = vec![("content-length".to_owned(), None)];
                    server.faults().add(Rule::new(Action::Headers { set }).on("GetObject").times(times));
                }
                number
            };
            let always = arm(u64::MAX);
            let error = read(&client, "key").await.expect_err("not whole");
            let kinds = [ErrorKind::Corrupt, ErrorKind::Unavailable];
            assert!(kinds.contains(&error.kind()), "{at} {ending:?} {chunked}: {error}");
            // Resumed where it broke, it may come to its end byte by byte; short it is an error.
            if let Ok(seen) = download(&client, &object, all).await {
                assert!(seen == whole && at > 0, "{at} {ending:?} {chunked}");
            }
            assert!(server.faults().fired(always) > 1);
            server.faults().clear();
            let once = arm(1);
            let resumed = download(&client, &object, all).await.expect("resumed");
            assert!(resumed == whole, "{at} {ending:?} {chunked}");
            assert_eq!(server.faults().fired(once), 1);
            server.faults().clear();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_13_an_error_document_never_becomes_content() {
    let server = server(Tls::Off).await;
    let client = client(&server).with_deadline(std::time::Duration::from_millis(300));
    client.send(&put("key", content(1000))).await.expect("stored");
    let document = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>";
    let ranged = GetObject { range: Some(ByteRange::new(10, 10 + document.len() as u64)), ..get("key") };
    let status = |status| Action::Status {
        status,
        code: "InternalError".into(),
        headers: Vec::new(),
        when: When::Before,
    };
    for (action, kind) in [
        (status(500), ErrorKind::Unavailable),
        (
            Action::ErrorIn200 { code: "InternalError".into(), blanks: 0, when: When::Before },
            ErrorKind::Corrupt,
        ),
        (Action::ErrorIn200 { code: "SlowDown".into(), blanks: 9, when: When::After }, ErrorKind::Corrupt),
        (Action::IgnoreRange, ErrorKind::Corrupt),
        (status(206), ErrorKind::Corrupt),
    ] {
        let number = server.faults().add(Rule::new(action.clone()).on("GetObject"));
        let output = client.send(&ranged).await;
        let error = output.err().unwrap_or_else(|| panic!("{action:?} is no answer to a range"));
        assert_eq!(error.kind(), kind, "{action:?}: {error}");
        if action != Action::IgnoreRange {
            let error = read(&client, "key").await.expect_err("nor to a whole object");
            assert_eq!(error.kind(), kind, "{action:?}: {error}");
        }
        assert!(server.faults().fired(number) > 0, "{action:?}");
        server.faults().clear();
    }
    // Of exactly the length that was asked for, behind the head of a good reply.
    let replaced = Rule::new(Action::ReplaceBody { body: document.into() }).on("GetObject");
    server.faults().add(replaced);
    let error = read(&client, "key").await.expect_err("not the object");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_14_an_error_in_a_good_reply_is_tried_again_and_then_an_error() {
    let server = scaled_server().await;
    let client = small_parts(&server).with_deadline(std::time::Duration::from_secs(1));
    let whole = content(2 * MIB + 5);
    upload(&client, "source", whole.clone()).await.expect("stored");
    let object = find(&client, "source").await;
    let small = {
        client.send(&put("small", "s")).await.expect("stored");
        find(&client, "small").await
    };
    for (operation, when) in [
        ("CompleteMultipartUpload", When::Before),
        ("CompleteMultipartUpload", When::After),
        ("CopyObject", When::Before),
        ("UploadPartCopy", When::Before),
    ] {
        let write = async |key: &str| {
            let request = CopyRequest {
                source_bucket: BUCKET.into(),
                bucket: BUCKET.into(),
                key: key.into(),
                ..CopyRequest::default()
            };
            match operation {
                "CompleteMultipartUpload" => upload(&client, key, whole.clone()).await,
                "CopyObject" => transfer::copy_object(&client, &tuning(), &small, &request).await.map(drop),
                _ => transfer::copy_object(&client, &tuning(), &object, &request).await.map(drop),
            }
        };
        let fault = Action::ErrorIn200 { code: "InternalError".into(), blanks: 20, when };
        let once = server.faults().add(Rule::new(fault.clone()).on(operation).once());
        write("once").await.unwrap_or_else(|error| panic!("{operation} {when:?}: {error}"));
        assert_eq!(server.faults().fired(once), 1, "{operation}");
        let expected: &[u8] = if operation == "CopyObject" { b"s" } else { &whole };
        assert!(read(&client, "once").await.expect("there") == expected, "{operation}");
        server.faults().clear();
        if when == When::Before {
            server.faults().add(Rule::new(fault).on(operation));
            let error = write("always").await.expect_err("never done");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{operation}: {error}");
            server.faults().clear();
            let gone = read(&client, "always").await.expect_err("nothing was stored");
            assert_eq!(gone.kind(), ErrorKind::NoSuchKey, "{operation}");
            assert_eq!(uploads(&client).await, 0, "{operation}: the upload is aborted");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_15_a_lost_answer_is_looked_up_and_the_end_is_right() {
    let server = scaled_server().await;
    let client = small_parts(&server);
    keep_versions(&client).await;
    let whole = content(2 * MIB + 5);
    let lose = |operation: &str| server.faults().add(Rule::new(drop_after()).on(operation).once());
    let lost = lose("CompleteMultipartUpload");
    upload(&client, "large", whole.clone()).await.expect("completed");
    assert_eq!((server.faults().fired(lost), versions(&client, "large").await), (1, 1));
    assert!(read(&client, "large").await.expect("there") == whole);
    let lost = lose("PutObject");
    upload(&client, "small", "s".into()).await.expect("stored");
    assert_eq!((server.faults().fired(lost), read(&client, "small").await.expect("there")), (1, "s".into()));
    let lost = lose("CopyObject");
    let source = CopySource { bucket: BUCKET.into(), key: "small".into(), ..CopySource::default() };
    let copy = CopyObject { source, bucket: BUCKET.into(), key: "copy".into(), ..CopyObject::default() };
    client.send(&copy).await.expect("copied");
    assert_eq!((server.faults().fired(lost), read(&client, "copy").await.expect("there")), (1, "s".into()));
    let lost = lose("DeleteObject");
    let delete = DeleteObject { bucket: BUCKET.into(), key: "copy".into(), ..DeleteObject::default() };
    client.send(&delete).await.expect("deleted");
    assert_eq!(server.faults().fired(lost), 1);
    assert_eq!(read(&client, "copy").await.expect_err("gone").kind(), ErrorKind::NoSuchKey);
    assert_eq!(uploads(&client).await, 0);
}

/// What is asked over and over while the reply's head is taken apart: the operation, and what asks it.
async fn ask(client: &Client, operation: &str) -> Result<()> {
    async fn send<O: Operation>(client: &Client, operation: O) -> Result<()> {
        client.send(&operation).await.map(drop)
    }
    let (bucket, key) = (BUCKET.to_owned(), "key".to_owned());
    match operation {
        "GetObject" => read(client, "key").await.map(drop),
        "HeadObject" => send(client, HeadObject { bucket, key, ..HeadObject::default() }).await,
        "PutObject" => send(client, put("key", "0123456789")).await,
        "ListObjectsV2" => send(client, ListObjectsV2 { bucket, ..ListObjectsV2::default() }).await,
        "ListObjects" => send(client, ListObjects { bucket, ..ListObjects::default() }).await,
        "ListObjectVersions" => {
            send(client, ListObjectVersions { bucket, ..ListObjectVersions::default() }).await
        }
        "DeleteObjects" => {
            let keys = vec![("absent".into(), None)];
            send(client, DeleteObjects { bucket, keys, ..DeleteObjects::default() }).await
        }
        "CopyObject" => {
            let source = CopySource { bucket: bucket.clone(), key, ..CopySource::default() };
            send(client, CopyObject { source, bucket, key: "copy".into(), ..CopyObject::default() }).await
        }
        "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            upload(client, "large", content(MIB + 5)).await
        }
        "PutObjectTagging" => {
            let tags = [("a".to_owned(), "b".to_owned())].into();
            send(client, PutObjectTagging { bucket, key, tags, version: None }).await
        }
        "GetObjectTagging" => send(client, GetObjectTagging { bucket, key, version: None }).await,
        "GetBucketVersioning" => send(client, GetSetting::<Versioning>::new(bucket)).await,
        other => panic!("{other} is not asked here"),
    }
}

/// Every header that the embedded server, or S3, sends with any of these.
const HEADERS: [&str; 16] = [
    "content-length",
    "content-type",
    "content-range",
    "transfer-encoding",
    "connection",
    "date",
    "etag",
    "last-modified",
    "server",
    "x-amz-request-id",
    "x-amz-id-2",
    "x-amz-version-id",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-type",
    "x-amz-object-lock-mode",
    "x-amz-bucket-region",
];

#[tokio::test(flavor = "multi_thread")]
async fn s3_15_a_header_that_is_missing_doubled_or_garbled_is_an_error_and_never_a_panic() {
    let server = scaled_server().await;
    let mut config = config(&server);
    config.deadlines.total_without_progress = std::time::Duration::from_millis(50);
    config.deadlines.response_header = std::time::Duration::from_millis(400);
    config.deadlines.no_progress = std::time::Duration::from_millis(200);
    config.limits.part_bytes_min = 64 << 10;
    let new_client = || Client::new(config.clone()).expect("a client");
    new_client().send(&put("key", "0123456789")).await.expect("stored");
    for operation in [
        "GetObject",
        "HeadObject",
        "PutObject",
        "ListObjectsV2",
        "ListObjects",
        "ListObjectVersions",
        "DeleteObjects",
        "CopyObject",
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "PutObjectTagging",
        "GetObjectTagging",
        "GetBucketVersioning",
    ] {
        for header in HEADERS {
            for change in [None, Some("\u{e9}=;,\""), Some("99999999999999999999")] {
                let set = vec![(header.to_owned(), change.map(str::to_owned))];
                check(&server, &new_client(), operation, Action::Headers { set }).await;
            }
            let (name, value) = (header.to_owned(), "7".to_owned());
            check(&server, &new_client(), operation, Action::RepeatHeader { name, value }).await;
        }
    }
    // Whatever went through was right: the object is as it was.
    assert_eq!(read(&new_client(), "key").await.expect("read"), "0123456789");
}

async fn check(server: &Server, client: &Client, operation: &str, fault: Action) {
    server.faults().add(Rule::new(fault.clone()).on(operation));
    let answer = ask(client, operation).await;
    if let Err(error) = &answer {
        assert_ne!(error.kind(), ErrorKind::Bug, "{operation} {fault:?}: {error}");
        assert_ne!(error.kind(), ErrorKind::NoSuchKey, "{operation} {fault:?}: {error}");
    }
    server.faults().clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_16_ranges_at_and_beyond_the_end_are_what_they_are() {
    let server = server(Tls::Off).await;
    let client = client(&server);
    client.send(&put("ten", "0123456789")).await.expect("stored");
    client.send(&put("empty", "")).await.expect("stored");
    let range = |key: &str, start, end| GetObject { range: Some(ByteRange::new(start, end)), ..get(key) };
    let bytes = async |get: GetObject| match client.send(&get).await {
        Ok(output) => Ok((output.range, output.body.collect(100).await.expect("whole"))),
        Err(error) => Err(error.kind()),
    };
    assert_eq!(bytes(range("ten", 8, 10)).await, Ok((ByteRange::new(8, 10), "89".into())));
    assert_eq!(bytes(range("ten", 8, 99)).await, Ok((ByteRange::new(8, 10), "89".into())));
    assert_eq!(bytes(range("ten", 0, 10)).await, Ok((ByteRange::new(0, 10), "0123456789".into())));
    assert_eq!(bytes(range("ten", 10, 20)).await, Err(ErrorKind::InvalidRange));
    assert_eq!(bytes(range("empty", 0, 1)).await, Err(ErrorKind::InvalidRange));
    assert_eq!(bytes(get("empty")).await, Ok((ByteRange::new(0, 0), Bytes::new())));
    // An object that has shrunk since: who is pinned to it is told, who is not gets what is there.
    let object = find(&client, "ten").await;
    client.send(&put("ten", "0")).await.expect("stored");
    assert_eq!(bytes(range("ten", 4, 8)).await, Err(ErrorKind::InvalidRange));
    let error = download(&client, &object, ByteRange::new(4, 8)).await.expect_err("another object");
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
}
