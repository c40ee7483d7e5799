//! A server for the tests of the client: it says what a script tells it, to the byte, and remembers what it heard.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::body::Pieces;
use super::endpoint::Endpoint;
use super::transport::{Outgoing, Sending, Transport};
use super::{Client, Config, Credentials, Deadlines, Error, Provider, Proxy};
use crate::base::secret::Secret;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub method: String,
    /// Path and query, undecoded.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Heard {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub struct Answer {
    bytes: Vec<u8>,
    then: Then,
    /// Before the body of the request is read.
    early: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Listen,
    Close,
    /// With bytes unread, which is what resets a connection.
    Reset,
    Stall,
}

impl Answer {
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
        if !headers.iter().any(|(name, _)| *name == "content-length") {
            head += &format!("content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let bytes = [head.as_bytes(), b"\r\n", body].concat();
        Self { bytes, then: Then::Listen, early: false }
    }
    /// An error document with both ids.
    pub fn error(status: u16, code: &str) -> Self {
        let document = format!(
            "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>scripted</Message>\
             <RequestId>REQ1</RequestId><HostId>HOST2</HostId></Error>"
        );
        Self::new(status, &[("content-type", "application/xml")], document)
    }
    pub fn object(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, &[("etag", "\"e\""), ("last-modified", "Fri, 24 May 2013 00:00:00 GMT")], body)
    }
    /// A reply that is XML.
    pub fn document(text: &str) -> Self {
        Self::new(200, &[("content-type", "application/xml")], text)
    }
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self { bytes: bytes.as_ref().to_vec(), then: Then::Listen, early: false }
    }
    fn drop_body(&mut self) {
        if let Some(at) = self.bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            self.bytes.truncate(at + 4);
        }
    }
    /// Hangs up without a word.
    pub fn nothing() -> Self {
        Self { bytes: Vec::new(), then: Then::Close, early: false }
    }
    /// Takes the request and never says anything.
    pub fn silence() -> Self {
        Self { bytes: Vec::new(), then: Then::Stall, early: false }
    }
    /// Says so as soon as the head has come, and hangs up a little later.
    pub fn early(self) -> Self {
        Self { early: true, then: Then::Close, ..self }
    }
    /// Says so as soon as the head has come, and hangs up on what is still being sent.
    pub fn rude(self) -> Self {
        Self { early: true, then: Then::Reset, ..self }
    }
    /// Hangs up `missing` bytes before the end.
    pub fn cut(mut self, missing: usize) -> Self {
        self.bytes.truncate(self.bytes.len() - missing);
        Self { then: Then::Close, ..self }
    }
    /// Falls silent `missing` bytes before the end.
    pub fn stalled(mut self, missing: usize) -> Self {
        self.bytes.truncate(self.bytes.len() - missing);
        Self { then: Then::Stall, ..self }
    }
}

type Script = dyn Fn(usize, &Heard) -> Answer + Send + Sync;

pub struct Server {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    /// The script gets the number of the request, from 0.
    #[expect(clippy::disallowed_methods, reason = "the server is not part of what is supervised")]
    pub async fn start(script: impl Fn(usize, &Heard) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (heard, script) = (Arc::<Mutex<Vec<Heard>>>::default(), Arc::new(script) as Arc<Script>);
        let log = heard.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(converse(socket, script.clone(), log.clone()));
            }
        });
        Self { address, heard, accepting }
    }
    /// Answers one after the other; the last one for ever.
    pub async fn answering(answers: impl Into<Vec<Answer>>) -> Self {
        let answers = answers.into();
        Self::start(move |index, _| answers[index.min(answers.len() - 1)].clone()).await
    }
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().clone()
    }
    pub fn config(&self) -> Config {
        let keys = Credentials::new("AKIDEXAMPLE", Secret::new("wJalrXUtnFEMI"));
        Config {
            endpoint: Some(format!("http://{}", self.address)),
            proxy: Proxy::None,
            deadlines: Deadlines {
                connect: Duration::from_millis(500),
                response_header: Duration::from_millis(300),
                no_progress: Duration::from_millis(300),
                total_without_progress: Duration::from_secs(3),
            },
            ..Config::new(Provider::fixed(keys))
        }
    }
    pub fn client(&self) -> Client {
        Client::new(self.config()).expect("a client")
    }
}

async fn converse(mut socket: TcpStream, script: Arc<Script>, log: Arc<Mutex<Vec<Heard>>>) {
    let mut buffer = Vec::new();
    while let Some(mut heard) = hear_head(&mut socket, &mut buffer).await {
        // Asked for before the body; where there is none, once is enough.
        let has_body = !matches!(heard.header("content-length"), "" | "0");
        let early = has_body.then(|| script(log.lock().len(), &heard)).filter(|answer| answer.early);
        if let Some(early) = early {
            log.lock().push(heard);
            let _ = socket.write_all(&early.bytes).await;
            if early.then != Then::Reset {
                drain(socket).await;
            }
            return;
        }
        if hear_body(&mut socket, &mut buffer, &mut heard).await.is_none() {
            return;
        }
        let index = {
            let mut log = log.lock();
            log.push(heard.clone());
            log.len() - 1
        };
        let mut answer = script(index, &heard);
        if heard.method == "HEAD" {
            answer.drop_body();
        }
        if socket.write_all(&answer.bytes).await.is_err() {
            return;
        }
        match answer.then {
            Then::Listen => {}
            Then::Close | Then::Reset => return,
            Then::Stall => tokio::time::sleep(Duration::from_secs(3600)).await,
        }
    }
}

/// Reads what still comes for a while, as servers do so that their last words are not lost in a reset.
async fn drain(mut socket: TcpStream) {
    let mut rest = Vec::new();
    let reading = async { while read_more(&mut socket, &mut rest).await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_millis(500), reading).await;
}

async fn hear_head(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Heard> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(socket, buffer).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end);
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Heard { method, target, headers, body: Vec::new() })
}

async fn hear_body(socket: &mut TcpStream, buffer: &mut Vec<u8>, heard: &mut Heard) -> Option<()> {
    let len: usize = heard.header("content-length").parse().unwrap_or(0);
    while buffer.len() < len {
        read_more(socket, buffer).await?;
    }
    heard.body = buffer.drain(..len).collect();
    Some(())
}

async fn read_more(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    match socket.read_buf(buffer).await {
        Ok(1..) => Some(()),
        _ => None,
    }
}

/// A request that went to a host which is not ours.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: String,
    pub url: String,
    pub headers: HeaderMap,
}

type WireScript = dyn Fn(usize, &Sent) -> Said + Send + Sync;

/// A reply of a host which is not ours.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl From<(u16, String)> for Said {
    fn from((status, body): (u16, String)) -> Self {
        Self { status, body, headers: HeaderMap::new() }
    }
}

/// A transport without a network.
#[derive(Clone)]
pub struct Wire {
    heard: Arc<Mutex<Vec<Sent>>>,
    script: Arc<WireScript>,
}

impl Wire {
    /// The script gets the number of the request, from 0, and gives a status and a body, or more.
    pub fn answering<S: Into<Said>>(script: impl Fn(usize, &Sent) -> S + Send + Sync + 'static) -> Self {
        Self { heard: Arc::default(), script: Arc::new(move |number, sent| script(number, sent).into()) }
    }
    /// What the script says.
    pub fn answer(&self, number: usize, sent: &Sent) -> Said {
        (self.script)(number, sent)
    }
    pub fn heard(&self) -> Vec<Sent> {
        self.heard.lock().clone()
    }
    pub fn client(&self, config: Config) -> Client {
        self.try_client(config).expect("a good endpoint")
    }
    pub fn try_client(&self, config: Config) -> Result<Client, Error> {
        Client::over(Box::new(self.clone()), Endpoint::of(&config)?, config)
    }
}

impl Transport for Wire {
    fn send(&self, request: http::Request<Outgoing>, _: Deadlines) -> Sending<'_> {
        let sent = Sent {
            method: request.method().to_string(),
            url: request.uri().to_string(),
            headers: request.headers().clone(),
        };
        let index = {
            let mut heard = self.heard.lock();
            heard.push(sent.clone());
            heard.len() - 1
        };
        let Said { status, headers, body } = self.answer(index, &sent);
        let len = body.len();
        let pieces: Pieces = Box::pin(futures_util::stream::iter([Ok(Bytes::from(body))]));
        let mut reply = http::Response::new(pieces);
        *reply.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        *reply.headers_mut() = headers;
        let mut usual = |name, value: HeaderValue| {
            reply.headers_mut().entry(name).or_insert(value);
        };
        usual(header::CONTENT_LENGTH, len.into());
        usual(header::ETAG, HeaderValue::from_static("\"e\""));
        usual(header::LAST_MODIFIED, HeaderValue::from_static("Fri, 24 May 2013 00:00:00 GMT"));
        Box::pin(async { Ok(reply) })
    }
}
