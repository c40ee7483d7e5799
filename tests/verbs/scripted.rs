//! A server on the loopback address that answers what it was told to, for operations of stores that cannot be had
//! here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use holdfs::base::secret::Secret;
use holdfs::s3::{Client, Config, Credentials, Operation, Provider, Result};
use parking_lot::Mutex;

use crate::mounted::harness::block_on;

/// One answer: its status, its headers (`name: value`) and its body.
pub type Answer = (u16, &'static [&'static str], &'static str);

pub struct Scripted {
    pub client: Client,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Answers one request after the other; what comes after the last is not answered.
    pub fn answering(answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = heard.clone();
        thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().expect("a request");
                record.lock().push(converse(stream, answer));
            }
        });
        let credentials = Provider::fixed(Credentials::new("key", Secret::new("secret")));
        let region = Some("us-south".to_owned());
        let config = Config { endpoint: Some(endpoint), region, ..Config::new(credentials) };
        Self { client: Client::new(config).expect("a client"), heard }
    }

    pub fn send<O: Operation>(&self, operation: &O) -> Result<O::Output> {
        block_on(self.client.send(operation))
    }

    /// `METHOD /path?query`, the headers that are not every request's, the body: of each request so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().clone()
    }
}

/// Headers that say nothing of the operation.
const USUAL: &[&str] = &[
    "host",
    "user-agent",
    "accept-encoding",
    "authorization",
    "content-length",
    "x-amz-date",
    "x-amz-content-sha256",
    "accept",
];

fn converse(mut stream: TcpStream, (status, headers, body): &Answer) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    let mut reader = BufReader::new(stream.try_clone().expect("the stream"));
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let mut heard = vec![line().trim_end_matches(" HTTP/1.1").to_owned()];
    let mut length = 0;
    let mut names: Vec<String> =
        std::iter::from_fn(|| Some(line()).filter(|line| !line.is_empty())).collect();
    names.sort();
    for header in names {
        let (name, value) = header.split_once(": ").expect("a header");
        if name == "content-length" {
            length = value.parse().expect("a length");
        }
        if !USUAL.contains(&name) {
            heard.push(header);
        }
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent).expect("the body");
    if length > 0 {
        heard.push(String::from_utf8(sent).expect("text"));
    }
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(reply.as_bytes()).expect("the reply is sent");
    heard.join("\n")
}
