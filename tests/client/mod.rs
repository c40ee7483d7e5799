//! The S3 client against the embedded server, whose protocol and signature checks are a third party's.

mod damage;
mod faults;
mod hostile;
mod mutual;
mod protection;
mod states;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use holdfs::embedded::{self, Server};
use holdfs::s3::ops::{CreateBucket, GetObject, PutObject};
use holdfs::s3::{Client, Config, Credentials, Deadlines, Error, Provider, Proxy};

pub const BUCKET: &str = "bucket";

/// A server with one bucket.
pub async fn server(tls: embedded::Tls) -> Server {
    server_with(embedded::Options { tls, ..embedded::Options::default() }).await
}

/// The same with small limits: parts from 64 KiB on, copies of 1 MiB at most.
pub async fn scaled_server() -> Server {
    let limits =
        embedded::Limits { part_bytes_min: 64 << 10, copy_bytes_max: 1 << 20, ..embedded::Limits::default() };
    server_with(embedded::Options { limits, ..embedded::Options::default() }).await
}

pub async fn server_with(options: embedded::Options) -> Server {
    let server = Server::start(options).await.expect("it starts");
    let create = CreateBucket { bucket: BUCKET.to_owned(), ..CreateBucket::default() };
    client(&server).send(&create).await.expect("a bucket");
    server
}

pub fn config(server: &Server) -> Config {
    let pair = server.key_pair().clone();
    let provider = Provider::fixed(Credentials::new(pair.access_key, pair.secret_key));
    Config {
        endpoint: Some(server.endpoint()),
        ca_file: server.certificate().map(Into::into),
        proxy: Proxy::None,
        deadlines: Deadlines {
            connect: Duration::from_secs(2),
            response_header: Duration::from_secs(2),
            no_progress: Duration::from_secs(2),
            total_without_progress: Duration::from_secs(20),
        },
        ..Config::new(provider)
    }
}

pub fn client(server: &Server) -> Client {
    Client::new(config(server)).expect("a client")
}

pub fn get(key: &str) -> GetObject {
    GetObject { bucket: BUCKET.to_owned(), key: key.to_owned(), checksum_mode: true, ..GetObject::default() }
}

pub async fn read(client: &Client, key: &str) -> Result<Bytes, Error> {
    client.send(&get(key)).await?.body.collect(64 << 20).await
}

pub fn put(key: &str, body: impl Into<Bytes>) -> PutObject {
    PutObject::new(BUCKET, key, body)
}
