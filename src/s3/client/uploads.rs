//! Bodies on their way to a store: checksums ahead of them and behind, and stores that answer before the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::tests::{put, stored};
use crate::base::digest;
use crate::s3::ops::*;
use crate::s3::scripted::{Answer, Heard, Server};
use crate::s3::{Body, BodySource, ChecksumMode, Client, Config, Error, ErrorKind, PayloadSigning};

#[tokio::test]
async fn uploads_bring_a_checksum_and_the_echo_must_agree() {
    let crc = digest::base64(&digest::crc64nvme(b"data").to_be_bytes());
    let echo = |value: &str| Answer::new(200, &[("etag", "\"e\""), ("x-amz-checksum-crc64nvme", value)], "");
    let server = Server::answering([echo("AAAAAAAAAAA="), echo(&crc)]).await;
    server.client().send(&put(b"data")).await.expect("the second time");
    let heard = server.heard();
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].header("x-amz-checksum-crc64nvme"), crc);
    assert_eq!(heard[0].header("x-amz-content-sha256"), digest::hex(&digest::sha256(b"data")));
}

#[tokio::test]
async fn a_store_that_refuses_checksums_gets_the_next_best_and_is_remembered() {
    let picky = |_: usize, heard: &Heard| {
        if heard.headers.contains_key("x-amz-checksum-crc64nvme") {
            Answer::error(501, "NotImplemented")
        } else {
            stored()
        }
    };
    let server = Server::start(picky).await;
    let client = server.client();
    client.send(&put(b"data")).await.expect("stored");
    client.send(&put(b"more")).await.expect("stored");
    let heard = server.heard();
    assert_eq!(heard.len(), 4, "trailer and header both bring the CRC for bytes in memory; then it is known");
    assert_eq!(heard[2].header("content-md5"), digest::base64(&digest::md5(b"data")));
    assert_eq!(heard[3].header("content-md5"), digest::base64(&digest::md5(b"more")));
}

#[tokio::test]
async fn a_refusal_that_is_not_about_checksums_changes_nothing() {
    let server = Server::answering([
        Answer::error(400, "InvalidArgument"),
        Answer::error(400, "InvalidArgument"),
        Answer::error(400, "InvalidArgument"),
        Answer::error(400, "InvalidArgument"),
        stored(),
    ])
    .await;
    let client = server.client();
    assert_eq!(client.send(&put(b"data")).await.expect_err("refused").kind(), ErrorKind::Invalid);
    client.send(&put(b"data")).await.expect("stored");
    assert!(server.heard().last().expect("one").headers.contains_key("x-amz-checksum-crc64nvme"));
}

struct Counted(Bytes, AtomicU32);

impl BodySource for Counted {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn open(&self) -> std::pin::Pin<Box<dyn futures_util::Stream<Item = std::io::Result<Bytes>> + Send>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let pieces: Vec<_> = self.0.chunks(3).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Box::pin(futures_util::stream::iter(pieces))
    }
}

fn sourced(data: &'static [u8]) -> (PutObject, Arc<Counted>) {
    let source = Arc::new(Counted(Bytes::from_static(data), AtomicU32::new(0)));
    (PutObject { body: Body::Source(source.clone()), ..put(b"") }, source)
}

#[tokio::test]
async fn a_source_is_read_once_with_its_checksum_behind_it() {
    let crc = digest::base64(&digest::crc64nvme(b"0123456789").to_be_bytes());
    let server = Server::answering([Answer::new(200, &[("x-amz-checksum-crc64nvme", &crc)], "")]).await;
    let client = server.client();
    let (put, source) = sourced(b"0123456789");
    client.send(&put).await.expect("stored");
    assert_eq!(source.1.load(Ordering::SeqCst), 1);
    let heard = &server.heard()[0];
    assert_eq!(heard.header("content-encoding"), "aws-chunked");
    assert_eq!(heard.header("x-amz-decoded-content-length"), "10");
    assert_eq!(heard.header("x-amz-content-sha256"), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER");
    let text = String::from_utf8_lossy(&heard.body).into_owned();
    assert!(
        text.starts_with("a;chunk-signature=") && text.contains("\r\n0123456789\r\n0;chunk-signature="),
        "{text}"
    );
    assert!(text.contains(&format!("x-amz-checksum-crc64nvme:{crc}\r\nx-amz-trailer-signature:")), "{text}");
}

#[tokio::test]
async fn unsigned_payloads_have_unsigned_chunks() {
    let crc = digest::base64(&digest::crc64nvme(b"0123456789").to_be_bytes());
    let server = Server::answering([Answer::new(200, &[("x-amz-checksum-crc64nvme", &crc)], "")]).await;
    let client =
        Client::new(Config { payload_signing: PayloadSigning::Never, ..server.config() }).expect("a client");
    client.send(&sourced(b"0123456789").0).await.expect("stored");
    client.send(&put(b"data")).await.expect_err("another checksum is echoed");
    let heard = server.heard();
    assert_eq!(heard[0].header("x-amz-content-sha256"), "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    assert_eq!(
        heard[0].body,
        format!("a\r\n0123456789\r\n0\r\nx-amz-checksum-crc64nvme:{crc}\r\n\r\n").as_bytes()
    );
    assert_eq!(heard[1].header("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
}

#[tokio::test]
async fn a_store_that_takes_frames_for_data_is_not_given_any_more() {
    let server = Server::answering([stored()]).await;
    let client = server.client();
    let (put, _) = sourced(b"0123456789");
    client.send(&put).await.expect("stored");
    client.send(&put).await.expect("stored");
    let heard = server.heard();
    assert_eq!(heard.len(), 3);
    assert_eq!(heard[0].header("content-encoding"), "aws-chunked");
    assert_eq!(
        (heard[1].body.as_slice(), heard[2].body.as_slice()),
        (&b"0123456789"[..], &b"0123456789"[..])
    );
}

#[tokio::test]
async fn documents_that_need_it_bring_an_md5() {
    let server = Server::answering([Answer::new(200, &[], "<DeleteResult/>")]).await;
    let client =
        Client::new(Config { checksum_mode: ChecksumMode::None, ..server.config() }).expect("a client");
    let delete = DeleteObjects {
        bucket: "bucket".to_owned(),
        keys: vec![("k".to_owned(), None)],
        ..DeleteObjects::default()
    };
    client.send(&delete).await.expect("deleted");
    let heard = &server.heard()[0];
    assert_eq!(heard.header("content-md5"), digest::base64(&digest::md5(&heard.body)));
}

#[tokio::test]
async fn a_source_that_fails_is_not_the_stores_fault() {
    struct Broken;
    impl BodySource for Broken {
        fn len(&self) -> u64 {
            10
        }
        fn open(&self) -> std::pin::Pin<Box<dyn futures_util::Stream<Item = std::io::Result<Bytes>> + Send>> {
            Box::pin(futures_util::stream::iter([Err(std::io::Error::other("disk on fire"))]))
        }
    }
    let server = Server::answering([stored()]).await;
    let put = PutObject { body: Body::Source(Arc::new(Broken)), ..put(b"") };
    let error = server.client().send(&put).await.expect_err("no data");
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(error.to_string().contains("disk on fire"), "{error}");
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_is_heard() {
    let server = Server::answering([Answer::error(412, "PreconditionFailed").early()]).await;
    let create = PutObject {
        condition: WriteCondition::Absent,
        body: Body::Bytes(Bytes::from(vec![0; 64 << 20])),
        ..put(b"")
    };
    let error = server.client().send(&create).await.expect_err("exists");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::PreconditionFailed, false), "{error}");
}

/// 4 MiB whose every piece keeps the sender busy for a while, as a slow disk does.
struct Slow;

impl BodySource for Slow {
    fn len(&self) -> u64 {
        64 << 16
    }
    fn open(&self) -> std::pin::Pin<Box<dyn futures_util::Stream<Item = std::io::Result<Bytes>> + Send>> {
        Box::pin(futures_util::stream::iter((0..64).map(|_| {
            std::thread::sleep(Duration::from_millis(2));
            Ok(Bytes::from(vec![0; 1 << 16]))
        })))
    }
}

async fn put_slowly(server: &Server) -> Result<Stored, Error> {
    let config = Config { checksum_mode: ChecksumMode::Header, ..server.config() };
    let put = PutObject { body: Body::Source(Arc::new(Slow)), ..put(b"") };
    Client::new(config).expect("a client").send(&put).await
}

/// Without that, a refusal of a large body would be a broken connection, tried again for a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_a_store_that_hangs_up_on_the_body_is_heard() {
    let server = Server::answering([Answer::error(403, "AccessDenied").rude()]).await;
    for _ in 0..10 {
        let error = put_slowly(&server).await.expect_err("denied");
        assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Denied, false), "{error}");
    }
    assert_eq!(server.heard().len(), 10, "none of them was tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_up_on_the_body_without_a_word_is_asked_again_at_once() {
    let server = Server::answering([Answer::raw("").rude(), stored()]).await;
    put_slowly(&server).await.expect("stored by the second attempt");
    assert_eq!(server.heard().len(), 2);
}
