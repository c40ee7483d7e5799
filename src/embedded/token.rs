//! Session tokens of the one key pair. Its secret vouches for each, which is good until the moment that it begins
//! with: after it, ExpiredToken.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use s3s::{S3Result, s3_error};

use super::KeyPair;
use super::operation::Query;
use crate::base::digest;
use crate::base::secret::Secret;

/// A token to go with the pair until then.
pub fn session_token(pair: &KeyPair, until: SystemTime) -> Secret {
    let millis = until.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Secret::new(sealed(pair, u64::try_from(millis).unwrap_or(u64::MAX)))
}

fn sealed(pair: &KeyPair, millis: u64) -> String {
    let secret = pair.secret_key.expose();
    format!("{millis}.{}", digest::hex(&digest::sha256(format!("{secret}{millis}{secret}").as_bytes())))
}

/// The token of a request, from its headers or its URL.
pub fn of(headers: &http::HeaderMap, uri: &http::Uri) -> Option<String> {
    match headers.get("x-amz-security-token") {
        Some(token) => token.to_str().ok().map(str::to_owned),
        None => Query(uri.query()?).get("X-Amz-Security-Token").map(str::to_owned),
    }
}

/// Whether a request may go on that came with this token.
pub fn check(pair: &KeyPair, token: &str) -> S3Result<()> {
    let millis = token.split_once('.').and_then(|(millis, _)| millis.parse().ok());
    let Some(millis) = millis.filter(|millis| sealed(pair, *millis) == token) else {
        return Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."));
    };
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(now) if now > Duration::from_millis(millis) => {
            Err(s3_error!(ExpiredToken, "The provided token has expired."))
        }
        _ => Ok(()),
    }
}
