//! A reverse proxy that delays each request by a fixed time: a distant store made of a near one. Bodies stream
//! through.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

type Upstream = Client<HttpConnector, Incoming>;
type Answer = Response<BoxBody<Bytes, hyper::Error>>;

pub struct Proxy {
    pub address: SocketAddr,
}

impl Proxy {
    /// Listens on a free loopback port for as long as the runtime lives.
    pub async fn start(upstream: SocketAddr, delay: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
        Handle::current().spawn(accept(listener, client, upstream, delay));
        Ok(Self { address })
    }
}

async fn accept(listener: TcpListener, client: Upstream, upstream: SocketAddr, delay: Duration) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let client = client.clone();
        let service = service_fn(move |request| forward(client.clone(), upstream, delay, request));
        Handle::current().spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The Host header stays as the client signed it.
async fn forward(
    client: Upstream,
    upstream: SocketAddr,
    delay: Duration,
    mut request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    tokio::time::sleep(delay).await;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let answer = match format!("http://{upstream}{path}").parse() {
        Ok(uri) => {
            *request.uri_mut() = uri;
            client.request(request).await.map(|reply| reply.map(BodyExt::boxed)).ok()
        }
        Err(_) => None,
    };
    Ok(answer.unwrap_or_else(|| {
        let empty = http_body_util::Empty::new().map_err(|never| match never {});
        let mut reply = Response::new(empty.boxed());
        *reply.status_mut() = StatusCode::BAD_GATEWAY;
        reply
    }))
}
