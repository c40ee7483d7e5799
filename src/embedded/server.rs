//! The listener: accepts connections, serves them, and stops.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};
use s3s::service::S3ServiceBuilder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::api::{Access, Api, Beyond};
use super::auth::Keys;
use super::events::Hub;
use super::front::Front;
use super::operation::host_bucket;
use super::options::{KeyPair, Options, Storage};
use super::storage::Store;
use super::tls::{self, Terminator};
use super::wire::{Control, Line, Wire};
use super::{Faults, Log};
use crate::base::secret::Secret;
use crate::base::tasks::{Task, Tasks};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "cannot listen on {address}: {source}; is another server there? `--listen 127.0.0.1:0` takes a free port"
    )]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot use {path} for data: {reason}")]
    Data { path: PathBuf, reason: String },
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    #[error("its storage did not open: {0}")]
    Lost(String),
}

/// A running server; dropping it stops it at once.
pub struct Server {
    address: SocketAddr,
    key_pair: KeyPair,
    certificate: Option<PathBuf>,
    secure: bool,
    faults: Faults,
    log: Log,
    tasks: Tasks,
    accepting: Task,
    sweeping: Task,
}

impl Server {
    /// Listens when it returns. Needs a tokio runtime.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let address = options.listen;
        let listener =
            TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| Error::Listen { address, source })?;
        let tasks = Tasks::new(Handle::current());
        let key_pair = options.key_pair.clone().unwrap_or_else(make_key_pair);
        let terminator = tls::terminator(&options.tls, address.ip())?;
        let (faults, log) = (Faults::default(), Log::default());
        let opening = options.clone();
        let opened = {
            let tasks = tasks.clone();
            move || open(&opening, &tasks)
        };
        let store = tasks.spawn_blocking("embedded storage", opened).await;
        let store = Arc::new(store.map_err(|lost| Error::Lost(lost.to_string()))??);
        let (service, api) = service(&options, &key_pair, store);
        let sweeping = tasks.spawn("lifecycle of the embedded server", api.expire());
        let (latency, region) = (options.latency, options.region.clone());
        let front = Front { service, faults: faults.clone(), log: log.clone(), latency, region };
        let certificate = terminator.as_ref().and_then(|terminator| terminator.certificate.clone());
        let secure = terminator.is_some();
        let line = options.bandwidth.map(Line::new);
        let door = Door { front: Arc::new(front), terminator: terminator.map(Arc::new), line };
        let accepting = tasks.spawn("embedded server", door.accept(listener));
        Ok(Self { address, key_pair, certificate, secure, faults, log, tasks, accepting, sweeping })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Such as `http://127.0.0.1:41234`.
    pub fn endpoint(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub fn key_pair(&self) -> &KeyPair {
        &self.key_pair
    }

    /// A session token that goes with the key pair for so long; after that, requests with it hear ExpiredToken.
    pub fn session_token(&self, life: Duration) -> Secret {
        super::token::session_token(&self.key_pair, SystemTime::now() + life)
    }

    /// PEM of the certificate that clients must trust (`AWS_CA_BUNDLE`), if it is of the server's own making.
    pub fn certificate(&self) -> Option<&Path> {
        self.certificate.as_deref()
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Ends every connection, and returns when what was stored is closed.
    pub async fn stop(self) {
        self.accepting.abort();
        self.sweeping.abort();
        self.tasks.shutdown(Duration::from_secs(10)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.sweeping.abort();
        if let (Some(path), true) = (&self.certificate, self.secure) {
            // Made at the start, of no use to anyone after it.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn make_key_pair() -> KeyPair {
    let letters = |count: usize| (0..count).map(|_| fastrand::alphanumeric()).collect::<String>();
    let access_key = format!("HOLDFS{}", letters(14).to_uppercase());
    KeyPair { access_key, secret_key: Secret::new(letters(40)) }
}

fn open(options: &Options, tasks: &Tasks) -> Result<Store, Error> {
    let (limits, clock) = (options.limits.clone(), options.clock.clone());
    match &options.storage {
        Storage::Memory => Ok(Store::in_memory(limits, clock)),
        Storage::Directory(path) => Store::in_directory(path, limits, clock, tasks.clone())
            .map_err(|error| Error::Data { path: path.clone(), reason: error.to_string() }),
    }
}

/// The service, and what it asks, for the sweeps of lifecycle rules.
fn service(options: &Options, key_pair: &KeyPair, store: Arc<Store>) -> (s3s::service::S3Service, Api) {
    let keys = Keys::new(key_pair.clone());
    let api = Api {
        store,
        region: options.region.clone(),
        etags: options.etags,
        times: options.times,
        events: Hub::default(),
        keys: keys.clone(),
    };
    let mut builder = S3ServiceBuilder::new(api.clone());
    builder.set_auth(keys);
    builder.set_access(Access(api.clone()));
    builder.set_route(Beyond(api.clone()));
    builder.set_host(Host);
    (builder.build(), api)
}

/// Buckets in the host's name or, at any other host, in the path.
struct Host;

impl S3Host for Host {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        Ok(match host_bucket(host) {
            Some(bucket) => VirtualHost::new(host).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

/// Takes connections in.
struct Door {
    front: Arc<Front>,
    terminator: Option<Arc<Terminator>>,
    line: Option<Line>,
}

impl Door {
    /// Never returns; connections go with it.
    async fn accept(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(self.greet(stream));
                    }
                    // Out of file descriptors, most likely: others will close.
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    fn greet(&self, stream: TcpStream) -> impl Future<Output = ()> + Send + use<> {
        // Fails only for a socket that is already gone.
        let _ = stream.set_nodelay(true);
        let control = Control::default();
        let wire = Wire::new(stream, control.clone(), self.line.as_ref());
        let (front, terminator) = (self.front.clone(), self.terminator.clone());
        async move {
            match terminator {
                None => serve(wire, front, control).await,
                Some(terminator) => match terminator.acceptor.accept(wire).await {
                    Ok(stream) => serve(stream, front, control).await,
                    Err(error) => tracing::debug!(%error, "TLS handshake failed"),
                },
            }
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    front: Arc<Front>,
    control: Control,
) {
    let answer = service_fn(move |request| front.clone().answer(request, control.clone()));
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
}
