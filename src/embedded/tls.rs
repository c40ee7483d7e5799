//! Certificates: those given, or one of the server's own making for the loopback names.

use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::options::Tls;
use super::server::Error;

/// Ready to take connections; with the PEM to trust, if the server made it.
pub struct Terminator {
    pub acceptor: TlsAcceptor,
    pub certificate: Option<PathBuf>,
}

pub fn terminator(tls: &Tls, listen: IpAddr) -> Result<Option<Terminator>, Error> {
    match tls {
        Tls::Off => Ok(None),
        Tls::SelfSigned { write_to } => self_signed(write_to.as_deref(), listen).map(Some),
        Tls::Files { certificates, key } => from_files(certificates, key).map(Some),
    }
}

fn fault(what: &str, reason: impl std::fmt::Display) -> Error {
    Error::Tls(format!("{what}: {reason}"))
}

fn self_signed(write_to: Option<&Path>, listen: IpAddr) -> Result<Terminator, Error> {
    let names = ["localhost", "*.localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let names = names.into_iter().chain([listen.to_string()]).collect::<std::collections::BTreeSet<_>>();
    let made = rcgen::generate_simple_self_signed(names.into_iter().collect::<Vec<_>>());
    let made = made.map_err(|error| fault("cannot make a certificate", error))?;
    let path = match write_to {
        Some(path) => path.to_owned(),
        None => std::env::temp_dir().join(format!("holdfs-{:016x}.pem", fastrand::u64(..))),
    };
    write(&path, &made.cert.pem())
        .map_err(|error| fault(&format!("cannot write {}", path.display()), error))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(|error| fault("cannot use the key that was made", error))?;
    Ok(Terminator { acceptor: acceptor(vec![made.cert.der().clone()], key)?, certificate: Some(path) })
}

fn write(path: &Path, pem: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o644).open(path)?;
    std::io::Write::write_all(&mut file, pem.as_bytes())
}

fn from_files(certificates: &Path, key: &Path) -> Result<Terminator, Error> {
    let unreadable = |path: &Path| format!("cannot use {}", path.display());
    let chain =
        CertificateDer::pem_file_iter(certificates).and_then(|found| found.collect::<Result<Vec<_>, _>>());
    let chain = chain.map_err(|error| fault(&unreadable(certificates), error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(&unreadable(key), error))?;
    Ok(Terminator { acceptor: acceptor(chain, secret)?, certificate: None })
}

fn acceptor(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| fault("cannot set up TLS", error))?.with_no_client_auth();
    let mut config = config
        .with_single_cert(chain, key)
        .map_err(|error| fault("certificate and key do not fit", error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
