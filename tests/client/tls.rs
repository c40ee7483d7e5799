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

/// A chain and its key as files, for these names, good between these days from now.
fn certificate(
    folder: &std::path::Path,
    name: &str,
    days: std::ops::Range<i64>,
) -> (Tls, std::path::PathBuf) {
    let day = |days: i64| time::OffsetDateTime::now_utc() + time::Duration::days(days);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
    (parameters.not_before, parameters.not_after) = (day(days.start), day(days.end));
    let certificate = parameters.self_signed(&key).expect("signed");
    let (chain, secret) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, certificate.pem()).expect("written");
    std::fs::write(&secret, key.serialize_pem()).expect("written");
    (Tls::Files { certificates: chain.clone(), key: secret }, chain)
}

#[tokio::test(flavor = "multi_thread")]
async fn se_08_what_is_expired_foreign_or_outdated_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for (what, name, days, good) in [
        ("good", "127.0.0.1", -1..9, true),
        ("expired", "127.0.0.1", -9..-1, false),
        ("of tomorrow", "127.0.0.1", 1..9, false),
        ("of another host", "store.example", -1..9, false),
    ] {
        let (tls, chain) = certificate(folder.path(), name, days);
        let options = holdfs::embedded::Options { tls, ..holdfs::embedded::Options::default() };
        let server = holdfs::embedded::Server::start(options).await.expect("it starts");
        let own = Config { ca_file: Some(chain), ..config(&server) };
        if good {
            let client = Client::new(own.clone()).expect("a client");
            let error = client.send(&put("key", "x")).await.expect_err("no bucket yet");
            assert_eq!(error.kind(), ErrorKind::NoSuchBucket, "{what}: {error}");
        } else {
            refused(own.clone()).await;
        }
        // Nobody vouches for it but itself.
        refused(Config { ca_file: None, ..own }).await;
    }
    refused(Config { endpoint: Some(outdated()), ca_file: None, ..config(&server(Tls::Off).await) }).await;
}

/// A server that picks TLS 1.1, whatever is offered.
fn outdated() -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("https://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let random = [7u8; 32];
            // Version 3.2, no session, ECDHE_RSA_WITH_AES_128_CBC_SHA, no compression.
            let hello = [&[3, 2][..], &random, &[0, 0xc0, 0x13, 0]].concat();
            let handshake = [&[2, 0, 0, hello.len() as u8][..], &hello].concat();
            let record = [&[22, 3, 2, 0, handshake.len() as u8][..], &handshake].concat();
            let _ = socket.read(&mut [0; 2048]).and_then(|_| socket.write_all(&record));
            let _ = socket.read(&mut [0; 64]);
        }
    });
    endpoint
}
