//! A server that asks who connects: it is told by the certificate that was configured.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use holdfs::s3::ops::HeadBucket;
use holdfs::s3::{Client, ClientCertificate, Config, ErrorKind, Provider};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// An authority with what it has signed.
struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.join(name), certificate.pem()).unwrap();
        Self { certificate: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// PEM of a certificate and of its key.
    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// Answers every request on its connections with 200, after a handshake that names the client.
fn server(authority: &Authority) -> std::net::SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let (certificate, key) = authority.sign("localhost");
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, config) = (listener.local_addr().unwrap(), Arc::new(config));
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, socket.unwrap());
            let mut request = [0; 4096];
            if matches!(stream.read(&mut request), Ok(1..)) {
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.flush();
            }
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shows_its_certificate_to_who_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let authority = Authority::new(folder.path(), "ca.pem");
    let address = server(&authority);
    let config = |client_certificate| Config {
        endpoint: Some(format!("https://localhost:{}", address.port())),
        ca_file: Some(path("ca.pem")),
        client_certificate,
        ..Config::new(Provider::anonymous())
    };
    let shown = |authority: &Authority, name: &str| {
        let (certificate, key) = authority.sign("client");
        std::fs::write(path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        let (certificate_file, key_file) = (path(&format!("{name}.pem")), path(&format!("{name}.key")));
        Some(ClientCertificate { certificate_file, key_file })
    };
    let ask = async |certificate| {
        let client = Client::new(config(certificate)).expect("a client");
        let client = client.with_deadline(std::time::Duration::from_secs(2));
        client.send(&HeadBucket { bucket: "bucket".into() }).await.map(drop)
    };
    ask(shown(&authority, "ours")).await.expect("known to the server");
    assert!(ask(None).await.is_err(), "nobody");
    let stranger = Authority::new(folder.path(), "other.pem");
    assert!(ask(shown(&stranger, "theirs")).await.is_err(), "somebody else");
    let missing = ClientCertificate { certificate_file: path("none.pem"), key_file: path("none.key") };
    let refused = Client::new(config(Some(missing))).err().expect("unreadable");
    assert_eq!(refused.kind(), ErrorKind::Tls);
}
