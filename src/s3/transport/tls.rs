//! Which servers we believe: certificates of the system, or those of one file instead; and who we say we are.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::s3::{ClientCertificate, Config, Error, ErrorKind, Verification};

/// TLS 1.2 and 1.3 with the provider that is compiled in, HTTP/1.1 only.
pub fn client_config(config: &Config) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Bug, error.to_string()))?;
    let builder = match config.verification {
        Verification::Full => builder.with_root_certificates(roots(config.ca_file.as_deref())?),
        Verification::None => {
            let verifier = Arc::new(TrustAnyone::new(&provider));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
    };
    let mut config = match &config.client_certificate {
        None => builder.with_no_client_auth(),
        Some(own) => showing(builder, own)?,
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn showing(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    own: &ClientCertificate,
) -> Result<ClientConfig, Error> {
    let bad = |path: &Path, why: &str| {
        Error::new(ErrorKind::Tls, format!("the client certificate in {}: {why}", path.display()))
    };
    let chain = read_certificates(&own.certificate_file).map_err(|why| bad(&own.certificate_file, &why))?;
    let key = PrivateKeyDer::from_pem_file(&own.key_file).map_err(|error| match error {
        pem::Error::NoItemsFound => bad(
            &own.key_file,
            "the file holds no private key in PEM (an encrypted one must be decrypted first)",
        ),
        // Its other errors could quote a line of the key.
        pem::Error::Io(error) => bad(&own.key_file, &error.to_string()),
        _ => bad(&own.key_file, "the file is no PEM"),
    })?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|_| bad(&own.key_file, "the key is of no known kind or does not fit the certificate"))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?.collect();
    match certificates {
        Ok(found) if found.is_empty() => Err("the file holds none in PEM".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let bad = |why: String| {
                Error::new(ErrorKind::Tls, format!("certificates in {}: {why}", path.display()))
            };
            for certificate in read_certificates(path).map_err(bad)? {
                roots.add(certificate).map_err(|error| bad(error.to_string()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let message = "this system has no trusted certificates: install the package ca-certificates, or name \
                               a bundle in AWS_CA_BUNDLE";
                return Err(Error::new(ErrorKind::Tls, message));
            }
        }
    }
    Ok(roots)
}

/// Takes any certificate, but still wants the server to hold its key.
#[derive(Debug)]
struct TrustAnyone(WebPkiSupportedAlgorithms);

impl TrustAnyone {
    fn new(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
