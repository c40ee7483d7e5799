//! A small HTTP call to a service that hands out keys: never for long, and its reply is never quoted.
//!
//! Services beside us (container, instance) are called straight; those across the network (STS, SSO, IAM) through
//! the proxy and with the certificates that the environment names.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::{Credentials, Environment, Provider};
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::body::ByteStream;
use crate::s3::endpoint::Scheme;
use crate::s3::sign::canonical;
use crate::s3::transport::http::HttpTransport;
use crate::s3::transport::{Outgoing, Transport};
use crate::s3::{Body, ClientCertificate, Config, Deadlines, Error, ErrorKind, Proxy};

const REPLY_BYTES_MAX: usize = 64 << 10;
const FAR_WAIT: Duration = Duration::from_secs(5);

/// How a service is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Between us and the service.
    pub proxy: Proxy,
    /// A bundle in PEM that is trusted instead of the system's certificates.
    pub ca_file: Option<PathBuf>,
    /// Shown to a service that asks for one.
    pub client_certificate: Option<ClientCertificate>,
    /// Bounds one whole call.
    pub wait: Duration,
}

impl Reach {
    /// A service beside us: never through a proxy.
    pub(super) fn near(wait: Duration) -> Self {
        Self { proxy: Proxy::None, ca_file: None, client_certificate: None, wait }
    }
    /// A service across the network.
    pub fn far(environment: &Environment) -> Self {
        let ca_file = environment.get("AWS_CA_BUNDLE").map(PathBuf::from);
        Self { proxy: Proxy::Environment, ca_file, ..Self::near(FAR_WAIT) }
    }
}

/// What a service answered.
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

pub(super) async fn call(
    reach: &Reach,
    method: Method,
    uri: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Error> {
    let unreachable = |why: String| Error::new(ErrorKind::Unavailable, format!("{}: {why}", host_of(uri)));
    let parsed: Uri =
        uri.parse().map_err(|_| Error::invalid("the address of the credentials' service is no URL"))?;
    let scheme = if parsed.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
    let wait = reach.wait;
    let deadlines =
        Deadlines { connect: wait, response_header: wait, no_progress: wait, total_without_progress: wait };
    let config = Config {
        proxy: reach.proxy.clone(),
        ca_file: reach.ca_file.clone(),
        client_certificate: reach.client_certificate.clone(),
        deadlines,
        ..Config::new(Provider::anonymous())
    };
    let transport = HttpTransport::new(&config, scheme)?;
    let body = if body.is_empty() { Body::Empty } else { Body::Bytes(body) };
    let mut request = http::Request::new(Outgoing::new(&body));
    *request.method_mut() = method;
    *request.uri_mut() = parsed;
    *request.headers_mut() = headers;
    let exchange = async {
        let reply = transport
            .send(request, deadlines)
            .await
            .map_err(|failure| Error::new(failure.kind, format!("{}: {}", host_of(uri), failure.message)))?;
        let (parts, pieces) = reply.into_parts();
        let body = ByteStream::new(pieces, None, wait).collect(REPLY_BYTES_MAX).await?;
        Ok(Answer { status: parts.status, body })
    };
    let late = || unreachable(format!("no answer within {} s", wait.as_secs_f32()));
    tokio::time::timeout(wait, exchange).await.unwrap_or_else(|_| Err(late()))
}

/// Names and values as an HTML form sends them, every odd byte as %XX.
pub(super) fn form(pairs: &[(&str, &str)]) -> Bytes {
    canonical::query(pairs.iter().copied()).into()
}

/// A header that no log shows.
pub(super) fn sensitive(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::new(ErrorKind::Credentials, "a token has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A failure that another try may mend.
pub(super) fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502..=504)
}

const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Calls until the service answers something else than that it cannot now: five times at most, 0.2 s, 0.4 s, 0.8 s
/// and 1.6 s apart, give or take a half: many machines whose keys end together must not ask together again.
pub(super) async fn call_patiently(
    reach: &Reach,
    what: &str,
    request: impl Fn() -> Result<(Method, String, HeaderMap, Bytes), Error>,
) -> Result<Answer, Error> {
    let mut failed = Error::new(ErrorKind::Bug, "no try was made");
    for attempt in 0..TRIES {
        if attempt > 0 {
            let pause = PAUSE * 2_u32.pow(attempt - 1);
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        }
        let (method, uri, headers, body) = request()?;
        match call(reach, method, &uri, headers, body).await {
            Ok(answer) if may_pass(answer.status) => {
                let message = format!("{what} at {} failed: {}", host_of(&uri), answer.status);
                failed = Error::new(ErrorKind::Unavailable, message);
            }
            Ok(answer) => return Ok(answer),
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut) => {
                failed = error
            }
            Err(error) => return Err(error),
        }
    }
    Err(failed)
}

/// What a service says, without what we said to it: a server may repeat what it was sent, as it was sent.
pub(super) fn without(text: &str, secrets: &[&Secret]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.expose().is_empty())
        .flat_map(|secret| [secret.expose().to_owned(), canonical::encode_component(secret.expose())])
        .fold(text.to_owned(), |text, secret| text.replace(&secret, "[redacted]"))
}

/// Paths and queries of such addresses can be secrets themselves.
fn host_of(uri: &str) -> String {
    uri.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default()
}

/// When something ends that a service says will live so long: any number can stand there.
pub(super) fn end_of_life(now: SystemTime, seconds: u64) -> SystemTime {
    const SECONDS_MAX: u64 = 10 * 365 * 24 * 60 * 60;
    now + Duration::from_secs(seconds.min(SECONDS_MAX))
}

/// The document that container and instance services answer with.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
}

pub fn parse(body: &[u8]) -> Result<Credentials, Error> {
    let wrong = |why: &str| Error::new(ErrorKind::Credentials, format!("the credentials' service {why}"));
    // The parser's own message could quote a key.
    let document: Document = serde_json::from_slice(body).map_err(|_| wrong("did not answer in JSON"))?;
    if let Some(code) = document.code.filter(|code| code != "Success") {
        return Err(wrong(&format!("said {code:?} instead of \"Success\"")));
    }
    let (Some(access_key), Some(secret_key)) = (document.access_key_id, document.secret_access_key) else {
        return Err(wrong("answered without keys"));
    };
    let expires = match document.expiration {
        None => None,
        Some(text) => {
            Some(timestamp::parse_rfc3339(&text).ok_or_else(|| wrong("wrote an expiry that is no date"))?)
        }
    };
    let session_token = document.token.map(Secret::new);
    Ok(Credentials { session_token, expires, ..Credentials::new(access_key, Secret::new(secret_key)) })
}
