//! The signature as an `Authorization` header.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::canonical::{self, SignedHeaders};
use super::key::Key;
use super::{Scheme, Signer};
use crate::s3::credentials::Proof;
use crate::s3::{Error, ErrorKind};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const REGION_SET: HeaderName = HeaderName::from_static("x-amz-region-set");
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-s3session-token");

/// What the chunks of a signed body go on from.
pub struct Seed {
    pub signature: String,
    /// `None` of Version 4A.
    pub key: Option<Key>,
    pub stamp: String,
    pub scope: String,
}

/// What is signed, besides its headers.
pub struct Target<'a> {
    pub method: &'a Method,
    /// As it is sent.
    pub path: &'a str,
    pub query: &'a str,
    /// A hex SHA-256 or one of the `UNSIGNED-…` and `STREAMING-…` words.
    pub payload_hash: &'a str,
}

/// Adds the date, the payload hash, the session token and the signature to `headers`, which must name the host.
pub fn sign(signer: &Signer<'_>, target: &Target<'_>, headers: &mut HeaderMap) -> Result<Seed, Error> {
    let stamp = signer.stamp();
    headers.insert(DATE, value_of(&stamp)?);
    headers.insert(CONTENT_SHA256, value_of(target.payload_hash)?);
    if let Some(token) = &signer.credentials.session_token {
        let name = if signer.credentials.proof == Proof::Session { SESSION_TOKEN } else { SECURITY_TOKEN };
        headers.insert(name, sensitive(token.expose())?);
    }
    if signer.scheme == Scheme::V4A {
        headers.insert(REGION_SET, value_of(signer.region)?);
    }
    let covered = SignedHeaders::of(headers);
    let request = canonical::request(target.method, target.path, target.query, &covered, target.payload_hash);
    let signed = signer.sign(&request)?;
    let scope = signer.scope().to_string();
    let authorization = format!(
        "{} Credential={}/{scope}, SignedHeaders={}, Signature={}",
        signer.scheme.algorithm(),
        signer.credentials.access_key,
        covered.names,
        signed.signature
    );
    headers.insert(AUTHORIZATION, sensitive(&authorization)?);
    Ok(Seed { signature: signed.signature, key: signed.key, stamp, scope })
}

fn sensitive(text: &str) -> Result<HeaderValue, Error> {
    let mut value = value_of(text)?;
    value.set_sensitive(true);
    Ok(value)
}

fn value_of(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            ErrorKind::Credentials,
            "the access key or session token has characters that no header can carry",
        )
    })
}
