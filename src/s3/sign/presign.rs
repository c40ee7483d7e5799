//! The signature in a URL, for a bearer who has no keys.

use std::time::Duration;

use http::{HeaderMap, Method};

use super::canonical::{self, SignedHeaders};
use super::{Scheme, Signer};
use crate::s3::Error;
use crate::s3::credentials::Proof;

const EXPIRES_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What the bearer will send.
pub struct Target<'a> {
    pub method: &'a Method,
    /// As it is sent.
    pub path: &'a str,
    pub query: &'a [(&'a str, String)],
    /// To be sent as they are here: at least the host.
    pub headers: &'a HeaderMap,
    /// `UNSIGNED-PAYLOAD` for S3.
    pub payload_hash: &'a str,
}

/// The query of the URL, signature and all.
pub fn sign(signer: &Signer<'_>, target: &Target<'_>, expires: Duration) -> Result<String, Error> {
    let covered = SignedHeaders::of(target.headers);
    let seconds = allowed_seconds(expires)?.to_string();
    let (stamp, credential) = (signer.stamp(), signer.credential());
    let mut pairs: Vec<(&str, &str)> =
        target.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    pairs.extend([
        ("X-Amz-Algorithm", signer.scheme.algorithm()),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &stamp),
        ("X-Amz-Expires", &seconds),
        ("X-Amz-SignedHeaders", &covered.names),
    ]);
    if signer.scheme == Scheme::V4A {
        pairs.push(("X-Amz-Region-Set", signer.region));
    }
    if let Some(token) = &signer.credentials.session_token {
        let of_session = signer.credentials.proof == Proof::Session;
        let name = if of_session { "X-Amz-S3session-Token" } else { "X-Amz-Security-Token" };
        pairs.push((name, token.expose()));
    }
    let query = canonical::query(pairs);
    let request = canonical::request(target.method, target.path, &query, &covered, target.payload_hash);
    Ok(format!("{query}&X-Amz-Signature={}", signer.sign(&request)?.signature))
}

fn allowed_seconds(expires: Duration) -> Result<u64, Error> {
    match expires.as_secs() {
        0 => Err(Error::invalid("a presigned URL must live for at least a second")),
        _ if expires > EXPIRES_MAX => Err(Error::invalid("a presigned URL can live for seven days at most")),
        seconds => Ok(seconds),
    }
}
