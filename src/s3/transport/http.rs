//! The transport of production: hyper's pooled HTTP/1.1 client.
//!
//! One connection carries one request at a time, so parallel ranges are parallel connections. Those that idle are
//! closed before the usual server does so (AWS: 20 s or a little more), and a request that lost the race against
//! that before its first byte was written is sent once more on another connection by the pool itself.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use http::header::PROXY_AUTHORIZATION;
use http_body_util::BodyDataStream;
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect::{ConnectError, Connector, chain};
use super::{Failure, Incoming, Outgoing, Progress, Reached, Sending, Transport, tls};
use crate::s3::endpoint::Scheme;
use crate::s3::{Config, Deadlines, Error, ErrorKind, Proxy};

const IDLE_MAX: Duration = Duration::from_secs(15);
/// Metadata of 2 KiB can be some hundred headers.
const HEADERS_MAX: usize = 512;
/// hyper takes no less.
const RECEIVE_BYTES_MIN: usize = 8 << 10;

pub struct HttpTransport {
    client: legacy::Client<Connector, Outgoing>,
    proxy: Arc<Matcher>,
}

impl HttpTransport {
    pub fn new(config: &Config, scheme: Scheme) -> Result<Self, Error> {
        let tls = match scheme {
            Scheme::Http => None,
            Scheme::Https => Some(tls::client_config(config)?),
        };
        let proxy = Arc::new(matcher(&config.proxy)?);
        let connector = Connector::new(tls, proxy.clone(), config.deadlines.connect);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(config.pool_size)
            .http1_max_headers(HEADERS_MAX)
            .http1_max_buf_size(config.receive_bytes.max(RECEIVE_BYTES_MIN))
            .build(connector);
        Ok(Self { client, proxy })
    }

    /// A proxy for plain HTTP sees the request itself, so its password goes along; a tunnel has its own.
    fn authorize_proxy(&self, request: &mut http::Request<Outgoing>) {
        if request.uri().scheme_str() != Some("http") {
            return;
        }
        if let Some(auth) = self.proxy.intercept(request.uri()).and_then(|proxy| proxy.basic_auth().cloned())
        {
            request.headers_mut().insert(PROXY_AUTHORIZATION, auth);
        }
    }

    async fn exchange(
        &self,
        mut request: http::Request<Outgoing>,
        deadlines: Deadlines,
    ) -> Result<Incoming, Failure> {
        self.authorize_proxy(&mut request);
        let progress = request.body().progress();
        tokio::select! {
            reply = self.client.request(request) => match reply {
                Ok(reply) => Ok(reply.map(|body| {
                    Box::pin(BodyDataStream::new(body).map_err(|error| body_error(&error))) as _
                })),
                Err(error) => Err(failure_of(&error, &progress)),
            },
            failure = stalled(&progress, deadlines) => Err(failure),
        }
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: http::Request<Outgoing>, deadlines: Deadlines) -> Sending<'_> {
        Box::pin(self.exchange(request, deadlines))
    }
}

fn matcher(proxy: &Proxy) -> Result<Matcher, Error> {
    match proxy {
        Proxy::Environment => Ok(Matcher::from_env()),
        Proxy::None => Ok(Matcher::builder().build()),
        Proxy::Url(url) => {
            let has_scheme = url.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http"));
            if !has_scheme {
                return Err(Error::invalid("a proxy must be given as http://[user:password@]host:port"));
            }
            Ok(Matcher::builder().all(url.as_str()).build())
        }
    }
}

/// Ends when the request has stood still for too long.
async fn stalled(progress: &Progress, deadlines: Deadlines) -> Failure {
    loop {
        let (limit, what) = match (progress.has_begun(), progress.has_ended()) {
            (true, false) => (deadlines.no_progress, "the store took no more of the request body"),
            (true, true) => (deadlines.response_header, "no reply came"),
            (false, _) => (deadlines.connect.saturating_add(deadlines.response_header), "no reply came"),
        };
        let until = progress.latest() + limit;
        if until <= std::time::Instant::now() {
            let message = format!("{what} for {} s", limit.as_secs_f32());
            return Failure { kind: ErrorKind::TimedOut, reached: Reached::Maybe, message };
        }
        tokio::time::sleep_until(until.into()).await;
    }
}

fn failure_of(error: &legacy::Error, progress: &Progress) -> Failure {
    if let Some(message) = progress.source_error() {
        let message = format!("the data to send could not be read: {message}");
        return Failure { kind: ErrorKind::Source, reached: Reached::Maybe, message };
    }
    if let Some(connect) = cause_of::<ConnectError>(error) {
        return Failure { kind: connect.kind, reached: Reached::No, message: connect.message.clone() };
    }
    let reached = if error.is_connect() { Reached::No } else { Reached::Maybe };
    let malformed = cause_of::<hyper::Error>(error).is_some_and(hyper::Error::is_parse);
    let kind = if malformed { ErrorKind::Corrupt } else { ErrorKind::Unavailable };
    Failure { kind, reached, message: chain(error) }
}

fn cause_of<E: std::error::Error + 'static>(error: &dyn std::error::Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref::<E>() {
            return Some(found);
        }
        source = cause.source();
    }
    None
}

fn body_error(error: &hyper::Error) -> Error {
    let ended =
        cause_of::<std::io::Error>(error).is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof);
    let kind =
        if ended || error.is_incomplete_message() { ErrorKind::Corrupt } else { ErrorKind::Unavailable };
    Error::new(kind, format!("the body of the reply broke off: {}", chain(error)))
}
