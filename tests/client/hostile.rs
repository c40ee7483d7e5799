//! Stores that mean no good, and names that lead astray (failures.md 1.4, 1.5).

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use holdfs::embedded::Tls;
use holdfs::s3::ops::{
    CopyObject, CopySource, CreateBucket, DeleteObject, DeleteObjects, GetObject, GetObjectTagging,
    HeadBucket, HeadObject, ListBuckets, ListMultipartUploads, ListObjectVersions, ListObjectsV2,
    PutObjectTagging,
};
use holdfs::s3::settings::{GetSetting, Versioning};
use holdfs::s3::transfer::{CopyRequest, pages};
use holdfs::s3::{Client, Config, ErrorKind, Operation, transfer};

use super::damage::{content, find, small_parts, tuning, upload};
use super::{BUCKET, client, config, get, put, read, scaled_server, server};

/// Answers every request with the same bytes, over and over where there is no end to them.
fn says(reply: &'static [u8], again: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let mut asked = [0; 4096];
            let mut sent = socket.read(&mut asked).and_then(|_| socket.write_all(reply));
            while sent.is_ok() && !again.is_empty() {
                sent = socket.write_all(again);
            }
        }
    });
    address
}

fn reply(status: &str, body: &str) -> &'static [u8] {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Box::leak((head + body).into_bytes().into_boxed_slice())
}

/// Seconds and peak memory in KiB of `holdfs object ls` against that store, and how it ended.
fn ls(endpoint: &str) -> (Duration, i64, bool) {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_holdfs"))
        .args(["object", "ls", "bucket/"])
        .env_clear()
        .envs([("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")])
        .env("AWS_REGION", "us-east-1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut most = 0;
    let status = loop {
        most = most.max(peak_kib(child.id()));
        match child.try_wait().expect("it can be waited for") {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    (started.elapsed(), most, status.success())
}

/// The most memory that a process has had so far; 0 when it has ended.
fn peak_kib(process: u32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[test]
fn se_07_hostile_documents_end_soon_and_take_no_memory() {
    let good = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let (calm, usual, well) = ls(&says(reply("200 OK", good), b""));
    assert!(well, "the listing of an empty bucket");
    let many = |count: usize, attribute: &str| {
        let mut document = String::from("<ListBucketResult");
        (0..count).for_each(|n| write!(document, " {attribute}{n}=\"u\"").expect("text"));
        document + "><IsTruncated>false</IsTruncated></ListBucketResult"
    };
    let entity = |n: usize| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10));
    let bomb: String = (1..12).map(entity).collect();
    let bomb = format!("<!DOCTYPE b [<!ENTITY a0 \"x\">{bomb}]><ListBucketResult>&a11;</ListBucketResult>");
    let long = "x".repeat(8 << 20);
    let endless = b"HTTP/1.1 400 Bad\r\ncontent-length: 10737418240\r\n\r\n<Error><Code>";
    let endless_good = b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n<ListBucketResult>";
    let header = Box::leak(format!("HTTP/1.1 200 OK\r\nx-long: {long}\r\n\r\n").into_boxed_str());
    for (what, reply, again) in [
        ("a bomb of entities", reply("200 OK", &bomb), &b""[..]),
        ("many attributes", reply("200 OK", &many(800_000, "a")), b""),
        ("many namespaces", reply("200 OK", &many(1_000_000 / 4, "xmlns:a")), b""),
        ("deep nesting", reply("200 OK", &"<ListBucketResult>".repeat(400_000)), b""),
        ("no UTF-8", &b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n\xff\xfe\x00"[..], b""),
        ("an error of 10 GiB", endless, &[b'x'; 65_536]),
        ("a listing of 10 GiB", endless_good, &[b' '; 65_536]),
        ("a huge header", header.as_bytes(), b""),
        ("headers without end", b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"),
    ] {
        let (took, memory, well) = ls(&says(reply, again));
        assert!(!well, "{what} is no listing");
        assert!(took < calm + Duration::from_secs(1), "{what} took {took:?}, the usual {calm:?}");
        assert!(memory < usual + (50 << 10), "{what} took {memory} KiB, the usual {usual}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn se_09_every_request_names_the_owner_that_the_bucket_must_have() {
    async fn refused<O: Operation>(client: &Client, operation: O) {
        let error = client.send(&operation).await.err().unwrap_or_else(|| panic!("{} is refused", O::NAME));
        assert_eq!(error.kind(), ErrorKind::Denied, "{}: {error}", O::NAME);
    }
    let server = scaled_server().await;
    let ours = small_parts(&server);
    upload(&ours, "key", content(3 << 20)).await.expect("stored");
    let object = find(&ours, "key").await;
    let of = |owner: &str| {
        let limits =
            holdfs::s3::Limits { part_bytes_min: 64 << 10, copy_bytes_max: 1 << 20, ..Default::default() };
        let expected_bucket_owner = Some(owner.to_owned());
        Client::new(Config { expected_bucket_owner, limits, ..config(&server) }).expect("a client")
    };
    let (right, wrong) = (of("000000000000"), of("111111111111"));
    let copy = CopyRequest {
        source_bucket: BUCKET.into(),
        bucket: BUCKET.into(),
        key: "copy".into(),
        ..CopyRequest::default()
    };
    upload(&right, "mine", content(3 << 20)).await.expect("stored");
    assert!(read(&right, "mine").await.expect("read") == content(3 << 20));
    transfer::copy_object(&right, &tuning(), &object, &copy).await.expect("copied");
    right.send(&ListBuckets::default()).await.expect("listed");
    right.send(&CreateBucket { bucket: "another".into(), ..CreateBucket::default() }).await.expect("made");

    let (bucket, key) = (|| BUCKET.to_owned(), || "key".to_owned());
    refused(&wrong, get("key")).await;
    refused(&wrong, HeadObject { bucket: bucket(), key: key(), ..HeadObject::default() }).await;
    refused(&wrong, put("key", "x")).await;
    refused(&wrong, DeleteObject { bucket: bucket(), key: key(), ..DeleteObject::default() }).await;
    let keys = vec![(key(), None)];
    refused(&wrong, DeleteObjects { bucket: bucket(), keys, ..DeleteObjects::default() }).await;
    refused(&wrong, ListObjectsV2 { bucket: bucket(), ..ListObjectsV2::default() }).await;
    refused(&wrong, ListObjectVersions { bucket: bucket(), ..ListObjectVersions::default() }).await;
    refused(&wrong, ListMultipartUploads { bucket: bucket(), ..ListMultipartUploads::default() }).await;
    refused(&wrong, HeadBucket { bucket: bucket() }).await;
    refused(&wrong, GetSetting::<Versioning>::new(BUCKET)).await;
    refused(&wrong, GetObjectTagging { bucket: bucket(), key: key(), version: None }).await;
    let tags = [("a".to_owned(), "b".to_owned())].into();
    refused(&wrong, PutObjectTagging { bucket: bucket(), key: key(), tags, version: None }).await;
    let source = CopySource { bucket: bucket(), key: key(), ..CopySource::default() };
    refused(&wrong, CopyObject { source, bucket: bucket(), key: "c".into(), ..CopyObject::default() }).await;
    let error = upload(&wrong, "large", content(3 << 20)).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Denied);
    // The source of a copy is asked for its owner, too: here only that is wrong.
    let source = CopySource { bucket: bucket(), key: "mine".into(), ..CopySource::default() };
    let copy = CopyObject { source, bucket: bucket(), key: "c".into(), ..CopyObject::default() };
    let other = holdfs::s3::ops::With::new(copy).expected_bucket_owner("000000000000").expect("a header");
    refused(&wrong, other).await;
    assert!(read(&ours, "key").await.expect("as it was") == content(3 << 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn ky_03_keys_with_characters_that_xml_cannot_carry_are_listed_read_and_deleted() {
    let server = server(Tls::Off).await;
    let client = client(&server);
    let mut keys: Vec<String> = (1u8..0x20).map(|byte| format!("c/{}x", char::from(byte))).collect();
    let odd = [
        "\u{7f}", "\u{fffe}", "\u{ffff}", "%", "%41", "+", "&", "&#x8;", " ", "  a  ", "<a>", "\"", "'",
        "]]>",
    ];
    keys.extend(odd.iter().map(|name| format!("c/{name}")));
    for key in &keys {
        client.send(&put(key, key.clone())).await.unwrap_or_else(|error| panic!("{key:?}: {error}"));
    }
    let listed = async || {
        let list = ListObjectsV2 { bucket: BUCKET.into(), prefix: "c/".into(), ..ListObjectsV2::default() };
        let all = futures_util::TryStreamExt::try_collect::<Vec<_>>(pages::objects(&client, list));
        let mut names: Vec<String> =
            all.await.expect("listed").iter().map(|listed| listed.name().to_owned()).collect();
        names.sort();
        names
    };
    let mut expected = keys.clone();
    expected.sort();
    assert_eq!(listed().await, expected);
    for key in &keys {
        assert_eq!(
            read(&client, key).await.unwrap_or_else(|error| panic!("{key:?}: {error}")),
            key.as_bytes()
        );
    }
    // A batch cannot name all of them: it is refused before it is sent, and says which; the others go in one.
    let (carried, others): (Vec<_>, Vec<_>) =
        keys.iter().cloned().partition(|key| DeleteObjects::carries(key));
    assert!(carried.len() > 10 && others.len() > 28, "{} {}", carried.len(), others.len());
    let batch = |keys: &[String]| DeleteObjects {
        bucket: BUCKET.into(),
        keys: keys.iter().map(|key| (key.clone(), None)).collect(),
        ..DeleteObjects::default()
    };
    assert_eq!(client.send(&batch(&keys)).await.expect_err("refused").kind(), ErrorKind::Invalid);
    assert_eq!(listed().await.len(), keys.len(), "nothing was deleted by half");
    assert!(client.send(&batch(&carried)).await.expect("deleted").failed.is_empty());
    let pair = server.key_pair();
    let removed = Command::new(env!("CARGO_BIN_EXE_holdfs"))
        .args(["object", "rm", "--recursive", "bucket/c/"])
        .envs([("AWS_ENDPOINT_URL", server.endpoint()), ("AWS_ACCESS_KEY_ID", pair.access_key.clone())])
        .env("AWS_SECRET_ACCESS_KEY", pair.secret_key.expose())
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    assert_eq!(server.log().count("DeleteObject"), others.len() as u64, "one by one what no batch can name");
    assert_eq!(listed().await, Vec::<String>::new());
    let gone = GetObject { bucket: BUCKET.into(), key: keys[0].clone(), ..GetObject::default() };
    assert_eq!(client.send(&gone).await.err().expect("gone").kind(), ErrorKind::NoSuchKey);
}
