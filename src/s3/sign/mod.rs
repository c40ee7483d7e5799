//! Signature Version 4, as S3 wants it: paths are encoded once and never normalised, and every request says how
//! its body was hashed.
//!
//! [`canonical`] turns a request into the text that is signed, [`key`] derives and keeps the day's signing keys,
//! [`header`] puts the signature into a header, [`presign`] into a URL, and [`chunked`] goes on signing the pieces
//! of a body. [`asymmetric`] is Version 4A, which the same canonical requests go into. All are functions of their
//! arguments; time comes from the caller, corrected by the learnt skew.

pub mod asymmetric;
pub mod canonical;
pub mod chunked;
pub mod header;
pub mod key;
pub mod presign;

use std::time::SystemTime;

use self::key::{Key, KeyCache, Scope};
use super::credentials::Credentials;
use super::{Error, ErrorKind};
use crate::base::digest;
use crate::base::timestamp;

pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub const SERVICE: &str = "s3";
/// SHA-256 of nothing.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Which of the two signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// Version 4: good in one region.
    #[default]
    V4,
    /// Version 4A: good in a set of regions.
    V4A,
}

impl Scheme {
    fn algorithm(self) -> &'static str {
        match self {
            Self::V4 => ALGORITHM,
            Self::V4A => asymmetric::ALGORITHM,
        }
    }
}

/// Whose signature, where and when.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    pub scheme: Scheme,
    pub credentials: &'a Credentials,
    /// With Version 4A a set of them: names with commas between, `*` for all.
    pub region: &'a str,
    pub service: &'a str,
    pub time: SystemTime,
    pub keys: &'a KeyCache,
}

/// A signature and what it was made with.
struct Signed {
    signature: String,
    /// Only Version 4 has one that signs more.
    key: Option<Key>,
}

impl Signer<'_> {
    fn scope(&self) -> Scope<'_> {
        let region = Some(self.region).filter(|_| self.scheme == Scheme::V4);
        Scope { day: timestamp::amz_day(self.time), region, service: self.service }
    }
    /// Whose key and for what: the access key and the scope.
    pub fn credential(&self) -> String {
        format!("{}/{}", self.credentials.access_key, self.scope())
    }
    /// The signature of a text as it is: of the policy of a form.
    pub fn sign_text(&self, text: &str) -> Result<String, Error> {
        match self.scheme {
            Scheme::V4 => {
                let key = self.keys.key(&self.credentials.secret_key, &self.scope());
                Ok(digest::hex(&key.mac(text.as_bytes())))
            }
            Scheme::V4A => {
                Err(Error::new(ErrorKind::Unsupported, "a form cannot be signed for many regions"))
            }
        }
    }
    pub fn stamp(&self) -> String {
        timestamp::amz_date(self.time)
    }
    fn sign(&self, canonical_request: &[u8]) -> Result<Signed, Error> {
        let text = self.string_to_sign(canonical_request);
        match self.scheme {
            Scheme::V4 => {
                let key = self.keys.key(&self.credentials.secret_key, &self.scope());
                Ok(Signed { signature: digest::hex(&key.mac(text.as_bytes())), key: Some(key) })
            }
            Scheme::V4A => {
                let pair = self.keys.pairs.pair(self.credentials)?;
                Ok(Signed { signature: pair.sign(&text), key: None })
            }
        }
    }
    fn string_to_sign(&self, canonical_request: &[u8]) -> String {
        let hash = digest::hex(&digest::sha256(canonical_request));
        format!("{}\n{}\n{}\n{hash}", self.scheme.algorithm(), self.stamp(), self.scope())
    }
}

#[cfg(test)]
mod vectors;
