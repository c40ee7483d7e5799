//! Who is believed: the certificate that was named, and nobody else.

use std::time::{Duration, Instant};

use holdfs::embedded::Tls;
use holdfs::s3::{Client, Config, ErrorKind, Verification};

use super::{config, put, read, server};

async fn refused(config: Config) {
    let (client, started) = (Client::new(config).expect("a client"), Instant::now());
    let error = client.send(&put("key", "x")).await.expect_err("not believed");
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(!error.is_ambiguous() && started.elapsed() < Duration::from_secs(2), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_named_authority_is_believed() {
    let server = server(Tls::SelfSigned { write_to: None }).await;
    let good = config(&server);
    let client = Client::new(good.clone()).expect("a client");
    client.send(&put("key", "x")).await.expect("believed");
    assert_eq!(read(&client, "key").await.expect("read"), "x");
    refused(Config { ca_file: None, ..good.clone() }).await;
    let other = super::server(Tls::SelfSigned { write_to: None }).await;
    refused(Config { ca_file: other.certificate().map(Into::into), ..good.clone() }).await;
    let careless = Config { ca_file: None, verification: Verification::None, ..good };
    Client::new(careless).expect("a client").send(&put("key", "y")).await.expect("anyone is believed");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_to_a_tls_port_and_the_reverse_fail_soon() {
    let (secure, plain) = (server(Tls::SelfSigned { write_to: None }).await, server(Tls::Off).await);
    for (server, wrong) in [(&secure, "http"), (&plain, "https")] {
        let config = Config { endpoint: Some(format!("{wrong}://{}", server.address())), ..config(&secure) };
        let client = Client::new(config).expect("a client").with_deadline(Duration::from_secs(1));
        let started = Instant::now();
        client.send(&put("key", "x")).await.expect_err("no understanding");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_certificate_file_that_is_none_is_refused_at_once() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "not PEM").expect("written");
    let config = |path: &std::path::Path| Config {
        endpoint: Some("https://127.0.0.1:1".to_owned()),
        ca_file: Some(path.to_owned()),
        ..Config::new(holdfs::s3::Provider::anonymous())
    };
    for path in [file.path(), std::path::Path::new("/does/not/exist.pem")] {
        let error = Client::new(config(path)).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
