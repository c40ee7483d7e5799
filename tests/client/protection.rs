//! Every way to sign a request and to protect a body is understood by others.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use holdfs::embedded::Tls;
use holdfs::s3::ops::{HeadObject, PutObject};
use holdfs::s3::{Body, BodySource, ChecksumMode, Client, Config, PayloadSigning};

use super::{BUCKET, client, config, put, read, server};

const MODES: [ChecksumMode; 4] =
    [ChecksumMode::Trailer, ChecksumMode::Header, ChecksumMode::ContentMd5, ChecksumMode::None];
const SIGNING: [PayloadSigning; 2] = [PayloadSigning::Always, PayloadSigning::Never];

/// Bytes in pieces that fit nothing.
struct Pieces(Bytes);

impl BodySource for Pieces {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn open(&self) -> Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>> {
        let bytes = self.0.clone();
        let cuts = (0..bytes.len()).step_by(77_777);
        Box::pin(futures_util::stream::iter(
            cuts.map(move |at| Ok(bytes.slice(at..bytes.len().min(at + 77_777)))),
        ))
    }
}

fn bodies(len: usize) -> Vec<(&'static str, Body)> {
    let bytes = Bytes::from((0..len).map(|n| ((n * 31) >> 3) as u8).collect::<Vec<u8>>());
    let segments: Arc<[Bytes]> = vec![bytes.slice(..len / 3), Bytes::new(), bytes.slice(len / 3..)].into();
    vec![
        ("bytes", Body::Bytes(bytes.clone())),
        ("segments", Body::Segments(segments)),
        ("source", Body::Source(Arc::new(Pieces(bytes)))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_body_arrives_whole_in_every_mode() {
    for tls in [Tls::Off, Tls::SelfSigned { write_to: None }] {
        let server = server(tls).await;
        for checksum_mode in MODES {
            for payload_signing in SIGNING {
                let client =
                    Client::new(Config { checksum_mode, payload_signing, ..config(&server) }).expect("one");
                for len in [0, 1, 8 << 10, (1 << 20) - 1, 1 << 20, (2 << 20) + 5] {
                    check(&client, len, &format!("{checksum_mode:?} {payload_signing:?} {len}")).await;
                }
            }
        }
    }
}

async fn check(client: &Client, len: usize, what: &str) {
    let expected = (0..len).map(|n| ((n * 31) >> 3) as u8).collect::<Vec<u8>>();
    for (kind, body) in bodies(len) {
        let put = PutObject { body, ..put("key", Bytes::new()) };
        client.send(&put).await.unwrap_or_else(|error| panic!("{what} {kind}: {error}"));
        let head = HeadObject { bucket: BUCKET.to_owned(), key: "key".to_owned(), ..HeadObject::default() };
        let headers = client.send(&head).await.expect("it is there");
        assert_eq!(headers.size, len as u64, "{what} {kind}");
        assert_eq!(headers.content.content_encoding, None, "{what} {kind}: no trace of the frames");
        assert!(read(client, "key").await.expect("it is whole") == expected, "{what} {kind}");
    }
    assert_eq!(client.stats().retries, 0, "{what}: taken at the first try");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_odd_kind_are_signed_as_they_are_sent() {
    let server = server(Tls::Off).await;
    let client = client(&server);
    for key in [
        "a/../b",
        "../../etc/passwd",
        "./x",
        "x/.",
        "..",
        "a//b",
        "/lead",
        "trail/",
        "a b+c%20d",
        "ü/😀/\u{301}",
        "new\nline\ttab\u{1}\u{7f}",
        "?query#fragment&x=y",
        "back\\slash",
        "semi;colon:at@'\"()*!,$[]{}|^`~<>",
    ] {
        client.send(&put(key, key.to_owned())).await.unwrap_or_else(|error| panic!("{key:?}: {error}"));
        assert_eq!(read(&client, key).await.expect(key), key.as_bytes());
    }
    assert_eq!(client.stats().retries, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_url_opens_exactly_one_object() {
    let server = server(Tls::Off).await;
    let client = client(&server);
    client.send(&put("a/../b c", "secret")).await.expect("stored");
    let url =
        client.presign(&super::get("a/../b c"), std::time::Duration::from_secs(60)).await.expect("a URL");
    let fetch = async |url: &str| {
        let output = tokio::process::Command::new("curl")
            .args([
                "-s",
                "--noproxy",
                "*",
                "--path-as-is",
                "-H",
                "x-amz-checksum-mode: ENABLED",
                "-w",
                " %{http_code}",
                url,
            ])
            .output()
            .await
            .expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(fetch(&url).await, "secret 200");
    assert!(fetch(&url.replace("b%20c", "b%20d")).await.ends_with(" 403"), "another key");
    assert!(
        fetch(&url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")).await.ends_with(" 403"),
        "a longer life"
    );
}
