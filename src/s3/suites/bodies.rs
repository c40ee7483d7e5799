//! What botocore sends in bodies and says of them: checksums behind them, documents that need one, escapes in XML.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::s3::ops::*;
use crate::s3::scripted::{Answer, Heard, Server};
use crate::s3::settings::*;
use crate::s3::{Body, BodySource, ChecksumAlgorithm, Client, Config, Operation, PayloadSigning};

/// Read once, as from a file.
struct Piece(&'static str);

impl BodySource for Piece {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn open(&self) -> Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>> {
        Box::pin(futures_util::stream::iter([Ok(Bytes::from_static(self.0.as_bytes()))]))
    }
}

/// But for `Transfer-Encoding: chunked`: the length of what is sent is known, and said.
#[tokio::test]
async fn a_checksum_goes_behind_a_body_that_is_read_once() {
    for (body, checksum, encoding, encodings) in [
        ("baz", "eCQEmA==", None, "aws-chunked"),
        ("hello world", "DUoRhQ==", None, "aws-chunked"),
        ("foo", "jHNlIQ==", Some("foo"), "foo,aws-chunked"),
    ] {
        let heard = put(body, checksum, encoding).await;
        for (name, value) in [
            ("content-encoding", encodings),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
            ("x-amz-decoded-content-length", &body.len().to_string()),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("content-length", &heard.body.len().to_string()),
            ("transfer-encoding", ""),
        ] {
            assert_eq!(heard.header(name), value, "{name} of {body:?}");
        }
        let sent = String::from_utf8_lossy(&heard.body);
        assert!(sent.ends_with(&format!("0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n")), "{sent}");
    }
    // The SDK sends frames around nothing, too.
    let nothing = put("", "AAAAAA==", None).await;
    assert_eq!((nothing.header("x-amz-checksum-crc32"), nothing.body.len()), ("AAAAAA==", 0));
}

async fn put(body: &'static str, checksum: &str, encoding: Option<&str>) -> Heard {
    let stored = Answer::new(200, &[("x-amz-checksum-crc32", checksum), ("etag", "\"e\"")], "");
    let server = Server::answering([stored]).await;
    let config = Config { payload_signing: PayloadSigning::Never, ..server.config() };
    let client = Client::new(config).expect("a client").with_checksum(Some(ChecksumAlgorithm::Crc32));
    let mut put = PutObject { body: Body::Source(Arc::new(Piece(body))), ..PutObject::new("foo", "bar", "") };
    put.object.content.content_encoding = encoding.map(str::to_owned);
    client.send(&put).await.unwrap_or_else(|error| panic!("{body:?}: {error}"));
    server.heard().remove(0)
}

fn needs<O: Operation>(operation: &O) -> (&'static str, bool) {
    (O::NAME, operation.encode().expect("a request").needs_checksum)
}

fn document<S: Setting + DeserializeOwned>(text: serde_json::Value) -> (&'static str, bool) {
    let document: S = serde_json::from_value(text).expect("a document");
    needs(&PutSetting { bucket: "foo".to_owned(), document })
}

/// The SDK sends a CRC-32; here it is an MD5, or what was asked for.
#[test]
fn documents_that_the_sdk_protects_are_protected() {
    let (bucket, key, version) = ("foo".to_owned(), "bar".to_owned(), None);
    let (keys, acl) = (vec![(key.clone(), None)], AccessControl::default());
    let found = [
        document::<BucketTags>(json!({})),
        document::<Lifecycle>(json!({ "Rule": [] })),
        document::<CorsConfiguration>(json!({ "CORSRule": [] })),
        needs(&DeleteObjects { bucket: bucket.clone(), keys, ..DeleteObjects::default() }),
        document::<Replication>(json!({ "Role": "", "Rule": [] })),
        needs(&PutSetting { bucket: bucket.clone(), document: acl.clone() }),
        document::<Logging>(json!({})),
        document::<Notification>(json!({})),
        document::<BucketPolicy>(json!("{}")),
        document::<RequestPayment>(json!({ "Payer": "Requester" })),
        document::<Versioning>(json!({})),
        document::<Website>(json!({})),
        needs(&PutObjectAcl { bucket: bucket.clone(), key: key.clone(), version: version.clone(), acl }),
        needs(&PutObjectLegalHold { bucket: bucket.clone(), key: key.clone(), version, on: true }),
        needs(&PutObjectRetention { bucket, key, ..PutObjectRetention::default() }),
        document::<ObjectLockConfiguration>(json!({})),
    ];
    let unprotected: Vec<_> = found.iter().filter(|(_, needs)| !needs).map(|(name, _)| name).collect();
    assert!(unprotected.is_empty(), "{unprotected:?}");
}

#[test]
fn line_breaks_in_names_are_escaped_in_documents() {
    let keys = vec![("some\r\n\rkey".to_owned(), None)];
    let delete = DeleteObjects { bucket: "mybucket".to_owned(), keys, ..DeleteObjects::default() };
    let rule = json!({ "Prefix": "my\r\n\rprefix", "Status": "Enabled", "Expiration": { "Days": 1 } });
    let lifecycle: Lifecycle = serde_json::from_value(json!({ "Rule": [rule] })).expect("a document");
    let lifecycle = PutSetting { bucket: "mybucket".to_owned(), document: lifecycle };
    let requests = [delete.encode().expect("a request"), lifecycle.encode().expect("a request")];
    for (request, escaped) in requests.iter().zip(["some&#xD;&#xA;&#xD;key", "my&#xD;&#xA;&#xD;prefix"]) {
        let Body::Bytes(body) = &request.body else { panic!("a document") };
        let text = String::from_utf8_lossy(body);
        assert!(text.contains(escaped) && !text.contains('\r'), "{text}");
    }
}

/// The SDK's old answer has one transition of each kind.
#[test]
fn a_lifecycle_has_all_its_transitions() {
    let moves = "<Days>40</Days><StorageClass>STANDARD_IA</StorageClass>";
    let later = "<Days>70</Days><StorageClass>GLACIER</StorageClass>";
    let rule = |id: &str, tag: &str| {
        let days = |text: &str| {
            if tag == "Transition" { text.to_owned() } else { text.replace("Days>", "NoncurrentDays>") }
        };
        format!(
            "<Rule><ID>{id}</ID><Prefix>foo</Prefix><Status>Enabled</Status><{tag}>{}</{tag}><{tag}>{}</{tag}></Rule>",
            days(moves),
            days(later)
        )
    };
    let text = format!(
        "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}{}</LifecycleConfiguration>",
        rule("transitionRule", "Transition"),
        rule("noncurrentVersionRule", "NoncurrentVersionTransition")
    );
    let read = serde_json::to_value(Lifecycle::decode(text.as_bytes()).expect("read")).expect("JSON");
    for (rule, tag, days) in [(0, "Transition", "Days"), (1, "NoncurrentVersionTransition", "NoncurrentDays")]
    {
        let found = &read["Rule"][rule][tag];
        assert_eq!((&found[0][days], &found[1][days]), (&json!(40), &json!(70)), "{read}");
        assert_eq!(found[0]["StorageClass"], "STANDARD_IA");
    }
}
