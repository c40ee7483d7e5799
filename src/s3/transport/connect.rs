//! Connections: TCP, a proxy if one is due, then TLS; all within one time-out.
//!
//! A socket that the network forgot (a suspended laptop, a firewall that lost its table) is noticed by keep-alive
//! probes while it waits and by a bound on unacknowledged bytes while it sends, so that no request sits on a dead
//! connection for longer than a few seconds.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::s3::ErrorKind;

const KEEPALIVE_AFTER: Duration = Duration::from_secs(5);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);
const KEEPALIVE_PROBES: u32 = 3;
/// Sent bytes that nobody acknowledged for so long mean that the path is gone.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Connector {
    tcp: HttpConnector,
    tls: Option<TlsConnector>,
    proxy: Arc<Matcher>,
    timeout: Duration,
}

/// Why there is no connection: nothing was sent.
#[derive(Debug)]
pub struct ConnectError {
    pub kind: ErrorKind,
    pub message: String,
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConnectError {}

impl ConnectError {
    fn unavailable(host: &str, error: &dyn std::error::Error) -> Self {
        Self { kind: ErrorKind::Unavailable, message: format!("cannot connect to {host}: {}", chain(error)) }
    }
    fn of_tls(host: &str, error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        // A handshake that is cut may go better the next time; a wrong certificate stays wrong.
        let kind = if inner.is_some() { ErrorKind::Tls } else { ErrorKind::Unavailable };
        let untrusted = matches!(inner, Some(rustls::Error::InvalidCertificate(_)));
        let hint = if untrusted { "; a certificate of your own must be named in AWS_CA_BUNDLE" } else { "" };
        Self { kind, message: format!("TLS with {host} failed: {error}{hint}") }
    }
}

/// An error and its causes in one line, none said twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl Connector {
    pub fn new(tls: Option<Arc<rustls::ClientConfig>>, proxy: Arc<Matcher>, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        tcp.set_keepalive(Some(KEEPALIVE_AFTER));
        tcp.set_keepalive_interval(Some(KEEPALIVE_EVERY));
        tcp.set_keepalive_retries(Some(KEEPALIVE_PROBES));
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
        Self { tcp, tls: tls.map(TlsConnector::from), proxy, timeout }
    }

    async fn connect(mut self, to: Uri) -> Result<Wire, ConnectError> {
        let host = to.host().unwrap_or_default().to_owned();
        let secure = to.scheme_str() == Some("https");
        let tcp = match self.proxy.intercept(&to) {
            None => self.open(&to, &host).await?,
            Some(proxy) if secure => self.tunnel(proxy, to, &host).await?,
            Some(proxy) => {
                let tcp = self.open(proxy.uri(), &host).await?;
                return Ok(Wire::over(Stream::Plain(tcp), true));
            }
        };
        if !secure {
            return Ok(Wire::over(Stream::Plain(tcp), false));
        }
        self.wrap(tcp, &host).await
    }
    async fn open(&mut self, to: &Uri, host: &str) -> Result<TokioIo<TcpStream>, ConnectError> {
        self.tcp.call(to.clone()).await.map_err(|error| ConnectError::unavailable(host, &error))
    }
    async fn tunnel(
        &mut self,
        proxy: Intercept,
        to: Uri,
        host: &str,
    ) -> Result<TokioIo<TcpStream>, ConnectError> {
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        tunnel
            .call(to)
            .await
            .map_err(|error| ConnectError::unavailable(&format!("{host} through the proxy"), &error))
    }
    async fn wrap(&self, tcp: TokioIo<TcpStream>, host: &str) -> Result<Wire, ConnectError> {
        let bug = |message: String| ConnectError { kind: ErrorKind::Bug, message };
        let tls = self.tls.as_ref().ok_or_else(|| bug("no TLS was set up".to_owned()))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|error| bug(error.to_string()))?;
        let stream =
            tls.connect(name, tcp.into_inner()).await.map_err(|error| ConnectError::of_tls(host, &error))?;
        Ok(Wire::over(Stream::Tls(Box::new(TokioIo::new(stream))), false))
    }
}

impl Service<Uri> for Connector {
    type Response = Wire;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, to: Uri) -> Self::Future {
        let this = self.clone();
        let (limit, host) = (self.timeout, to.host().unwrap_or_default().to_owned());
        Box::pin(async move {
            tokio::time::timeout(limit, this.connect(to)).await.unwrap_or_else(|_| {
                let message = format!("no connection to {host} within {} s", limit.as_secs_f32());
                Err(ConnectError { kind: ErrorKind::TimedOut, message })
            })
        })
    }
}

/// An open connection.
///
/// A store that refuses a large body may answer and hang up without reading it. Sending then fails while the answer lies
/// there to be read, and a client that gave up would never hear it. So a sender whose peer has hung up falls silent,
/// and reading says how it was: by the answer, or by the end of the connection.
pub struct Wire {
    stream: Stream,
    proxied: bool,
    hung_up: bool,
}

enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Wire {
    fn over(stream: Stream, proxied: bool) -> Self {
        Self { stream, proxied, hung_up: false }
    }

    /// What came of sending, unless the peer has hung up: then reading goes on alone.
    fn sent<T>(&mut self, context: &Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Ready(Err(error)) if is_hang_up(&error) => {
                self.hung_up = true;
                // The reader may have looked just before.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            outcome => outcome,
        }
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.proxied)
    }
}

macro_rules! forward {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match &mut $self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).$method($($argument),*),
            Stream::Tls(tls) => Pin::new(&mut **tls).$method($($argument),*),
        }
    };
}

/// As `forward`, of what sends.
macro_rules! send {
    ($self:ident, $method:ident($context:ident $(, $argument:expr)*)) => {{
        if $self.hung_up {
            return Poll::Pending;
        }
        let outcome = forward!($self, $method($context $(, $argument)*));
        $self.sent($context, outcome)
    }};
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, poll_read(context, buffer))
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        send!(self, poll_write(context, bytes))
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        send!(self, poll_flush(context))
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_shutdown(context))
    }
    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(tcp) => tcp.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        send!(self, poll_write_vectored(context, buffers))
    }
}
