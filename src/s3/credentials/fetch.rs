//! A small HTTP call to a service beside us that hands out keys: never through a proxy, never for long.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::{Credentials, Provider};
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::body::ByteStream;
use crate::s3::endpoint::Scheme;
use crate::s3::transport::http::HttpTransport;
use crate::s3::transport::{Outgoing, Transport};
use crate::s3::{Body, Config, Deadlines, Error, ErrorKind, Proxy};

const REPLY_BYTES_MAX: usize = 64 << 10;

/// What a service answered.
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// `wait` bounds the whole call.
pub async fn call(method: Method, uri: &str, headers: HeaderMap, wait: Duration) -> Result<Answer, Error> {
    let unreachable = |why: String| Error::new(ErrorKind::Unavailable, format!("{}: {why}", host_of(uri)));
    let parsed: Uri =
        uri.parse().map_err(|_| Error::invalid("the address of the credentials' service is no URL"))?;
    let scheme = if parsed.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
    let deadlines =
        Deadlines { connect: wait, response_header: wait, no_progress: wait, total_without_progress: wait };
    let config = Config { proxy: Proxy::None, deadlines, ..Config::new(Provider::anonymous()) };
    let transport = HttpTransport::new(&config, scheme)?;
    let mut request = http::Request::new(Outgoing::new(&Body::Empty));
    *request.method_mut() = method;
    *request.uri_mut() = parsed;
    *request.headers_mut() = headers;
    let exchange = async {
        let reply =
            transport.send(request, deadlines).await.map_err(|failure| unreachable(failure.message))?;
        let (parts, pieces) = reply.into_parts();
        let body = ByteStream::new(pieces, None, wait).collect(REPLY_BYTES_MAX).await?;
        Ok(Answer { status: parts.status, body })
    };
    let late = || unreachable(format!("no answer within {} s", wait.as_secs_f32()));
    tokio::time::timeout(wait, exchange).await.unwrap_or_else(|_| Err(late()))
}

/// Paths and queries of such addresses can be secrets themselves.
fn host_of(uri: &str) -> String {
    uri.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default()
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
