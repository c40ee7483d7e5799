//! Signature Version 4, as S3 wants it: paths are encoded once and never normalised, and every request says how
//! its body was hashed.
//!
//! [`canonical`] turns a request into the text that is signed, [`key`] derives and keeps the day's signing keys,
//! [`header`] puts the signature into a header, [`presign`] into a URL, and [`chunked`] goes on signing the pieces
//! of a body. All are functions of their arguments; time comes from the caller, corrected by the learnt skew.

pub mod canonical;
pub mod chunked;
pub mod header;
pub mod key;
pub mod presign;

use std::time::SystemTime;

use self::key::{Key, KeyCache, Scope};
use super::credentials::Credentials;
use crate::base::digest;
use crate::base::timestamp;

pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub const SERVICE: &str = "s3";
/// SHA-256 of nothing.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Whose signature, where and when.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    pub credentials: &'a Credentials,
    pub region: &'a str,
    pub service: &'a str,
    pub time: SystemTime,
    pub keys: &'a KeyCache,
}

/// A signature and what it was made with.
struct Signed {
    signature: String,
    key: Key,
}

impl Signer<'_> {
    fn scope(&self) -> Scope<'_> {
        Scope { day: timestamp::amz_day(self.time), region: self.region, service: self.service }
    }
    /// Whose key and for what: the access key and the scope.
    pub fn credential(&self) -> String {
        format!("{}/{}", self.credentials.access_key, self.scope())
    }
    /// The signature of a text as it is: of the policy of a form.
    pub fn sign_text(&self, text: &str) -> String {
        let key = self.keys.key(&self.credentials.secret_key, &self.scope());
        digest::hex(&key.mac(text.as_bytes()))
    }
    pub fn stamp(&self) -> String {
        timestamp::amz_date(self.time)
    }
    fn sign(&self, canonical_request: &[u8]) -> Signed {
        let scope = self.scope();
        let key = self.keys.key(&self.credentials.secret_key, &scope);
        let text = string_to_sign(&self.stamp(), &scope, canonical_request);
        Signed { signature: digest::hex(&key.mac(text.as_bytes())), key }
    }
}

fn string_to_sign(stamp: &str, scope: &Scope<'_>, canonical_request: &[u8]) -> String {
    let hash = digest::hex(&digest::sha256(canonical_request));
    format!("{ALGORITHM}\n{stamp}\n{scope}\n{hash}")
}

#[cfg(test)]
mod vectors;
