//! How requests prove who sends them, and to which host: against stores that are not ours to ask.

use std::time::Duration;

use crate::base::secret::Secret;
use crate::s3::ops::*;
use crate::s3::scripted::{Answer, Server, Wire};
use crate::s3::{Client, Config, Credentials, ErrorKind, Provider};

fn get(bucket: &str) -> GetObject {
    GetObject { bucket: bucket.to_owned(), key: "key".to_owned(), ..GetObject::default() }
}

fn bearer() -> Provider {
    Provider::fixed(Credentials::bearer(Secret::new("canary-token")))
}

#[tokio::test]
async fn a_bearer_token_is_sent_as_it_is_and_the_service_instance_where_it_counts() {
    let wire = Wire::answering(|_, _| (200, "<ListAllMyBucketsResult/>".to_owned()));
    let client = wire.client(Config {
        endpoint: Some("https://s3.eu-de.cloud-object-storage.appdomain.cloud".to_owned()),
        service_instance_id: Some("crn:1".to_owned()),
        ..Config::new(bearer())
    });
    client
        .send(&CreateBucket { bucket: "new-bucket".into(), ..CreateBucket::default() })
        .await
        .expect("made");
    client.send(&ListBuckets::default()).await.expect("listed");
    client.send(&HeadBucket { bucket: "new-bucket".into() }).await.expect("there");
    let heard = wire.heard();
    let methods: Vec<&str> = heard.iter().map(|sent| sent.method.as_str()).collect();
    assert_eq!(methods, ["PUT", "GET", "HEAD"]);
    for (sent, names_instance) in heard.iter().zip([true, true, false]) {
        assert_eq!(sent.headers["authorization"], "Bearer canary-token");
        assert!(sent.headers["authorization"].is_sensitive());
        assert!(
            !sent.headers.contains_key("x-amz-content-sha256") && !sent.headers.contains_key("x-amz-date")
        );
        assert_eq!(sent.headers.contains_key("ibm-service-instance-id"), names_instance, "{}", sent.url);
    }
}

#[tokio::test]
async fn a_bearer_token_goes_over_no_open_line_and_signs_no_url() {
    let server = Server::answering([Answer::object("x")]).await;
    let client = Client::new(Config { credentials: bearer(), ..server.config() }).expect("a client");
    let refused = client.send(&get("bucket")).await.err().expect("plain HTTP");
    assert_eq!((refused.kind(), server.heard().len()), (ErrorKind::Invalid, 0));
    let unsigned = client.presign(&get("bucket"), Duration::from_secs(60)).await.expect_err("no keys");
    for error in [refused, unsigned] {
        assert!(!format!("{error:?}").contains("canary"), "{error}");
    }
}
