//! A client of a hundred lines: one socket a request, SigV4 by hand, every byte of the reply as it came.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use holdfs::base::digest::{hex, sha256};
use holdfs::base::timestamp::{amz_date, amz_day};
use holdfs::embedded::{Faults, KeyPair, Log, Options, Server};
use tokio::runtime::Runtime;

pub struct Store {
    runtime: Runtime,
    server: Option<Server>,
    /// Signs with it instead of the server's own.
    pub pair: Option<KeyPair>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// The text of the first such element.
    pub fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text.to_owned())
    }
    /// The error code, or what else there is.
    pub fn code(&self) -> String {
        self.element("Code").unwrap_or_else(|| self.status.to_string())
    }
    pub fn is_whole(&self) -> bool {
        self.header("content-length").and_then(|len| len.parse().ok()) == Some(self.body.len())
    }
}

impl Store {
    pub fn start(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let server = runtime.block_on(Server::start(options)).expect("the server starts");
        Self { runtime, server: Some(server), pair: None }
    }

    pub fn with_bucket(options: Options) -> Self {
        let store = Self::start(options);
        assert_eq!(store.put("/bkt", b"").status, 200);
        store
    }

    pub fn in_memory() -> Self {
        Self::with_bucket(Options::default())
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }
    pub fn faults(&self) -> &Faults {
        self.server().faults()
    }
    pub fn log(&self) -> &Log {
        self.server().log()
    }
    pub fn stop(mut self) {
        let server = self.server.take().expect("it runs");
        self.runtime.block_on(server.stop());
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"").expect("a reply")
    }
    pub fn put(&self, path: &str, body: &[u8]) -> Reply {
        self.send("PUT", path, &[], body).expect("a reply")
    }
    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], b"").expect("a reply")
    }
    pub fn with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send(method, path, headers, body).expect("a reply")
    }
    /// A document with the digest that S3 wants of it.
    pub fn document(&self, method: &str, path: &str, document: &str) -> Reply {
        let md5 = holdfs::base::digest::base64(&holdfs::base::digest::md5(document.as_bytes()));
        self.with(method, path, &[("content-md5", &md5)], document.as_bytes())
    }

    /// Signed; `path` is encoded already.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        all.insert("host".into(), self.server().address().to_string());
        all.insert("x-amz-date".into(), amz_date(SystemTime::now()));
        all.insert("x-amz-content-sha256".into(), "UNSIGNED-PAYLOAD".into());
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let authorization = self.authorization(method, path, &all);
        all.insert("authorization".into(), authorization);
        all.entry("content-length".into()).or_insert_with(|| body.len().to_string());
        self.exchange(method, path, &all, body)
    }

    pub fn unsigned(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        self.anonymous(method, path, &[], body)
    }

    pub fn anonymous(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let own = [("host", self.server().address().to_string()), ("content-length", body.len().to_string())];
        let given = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let headers = own.into_iter().chain(given).map(|(name, value)| (name.to_owned(), value)).collect();
        self.exchange(method, path, &headers, body).expect("a reply")
    }

    fn authorization(&self, method: &str, path: &str, headers: &BTreeMap<String, String>) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut pairs: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        pairs.sort();
        let names = headers.keys().cloned().collect::<Vec<_>>().join(";");
        let mut lines = String::new();
        for (name, value) in headers {
            writeln!(lines, "{name}:{}", value.trim()).expect("strings take text");
        }
        let canonical = format!(
            "{method}\n{path}\n{}\n{lines}\n{names}\n{}",
            pairs.join("&"),
            headers["x-amz-content-sha256"]
        );
        let day = amz_day(SystemTime::now());
        let scope = format!("{day}/us-east-1/s3/aws4_request");
        let date = &headers["x-amz-date"];
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&sha256(canonical.as_bytes())));
        let pair = self.pair.as_ref().unwrap_or_else(|| self.server().key_pair());
        let mut key = format!("AWS4{}", pair.secret_key.expose()).into_bytes();
        for word in [day.as_str(), "us-east-1", "s3", "aws4_request", &to_sign] {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any length will do");
            mac.update(word.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={}",
            pair.access_key,
            hex(&key)
        )
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> io::Result<Reply> {
        let mut stream = TcpStream::connect(self.server().address())?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").expect("strings take text");
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        // A server that has made up its mind may close before it has read all, and faults cut it off.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes);
        let reply = parse(&bytes);
        match (reply, ended) {
            (Some(reply), _) => Ok(reply),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers = lines.filter_map(pair).collect();
    Some(Reply { status, headers, body: bytes[end + 4..].to_vec() })
}

#[test]
fn whoever_waits_to_be_asked_for_a_body_that_is_not_wanted_gets_a_connection_of_its_own() {
    let store = Store::in_memory();
    for length in [0, 5] {
        let mut stream = TcpStream::connect(store.server().address()).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        let head = format!(
            "PUT /bkt/k HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the server hangs up");
        let reply = parse(&bytes).expect("a reply");
        assert_eq!((reply.status, reply.header("connection")), (403, Some("close")));
    }
}

#[test]
fn who_sends_all_of_a_refused_body_before_listening_hears_the_refusal() {
    let store = Store::in_memory();
    let body = vec![b'x'; 64 << 20];
    for round in 0..3 {
        let mut stream = TcpStream::connect(store.server().address()).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        let head = format!("PUT /bkt/k HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(&body).expect("all of it is taken");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the end, and no reset");
        let reply = parse(&bytes).expect("a reply");
        assert_eq!((reply.status, reply.code().as_str()), (403, "AccessDenied"), "{round}");
    }
    assert_eq!(store.get("/bkt/k").status, 404);
}
