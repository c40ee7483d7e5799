//! Signing keys: four rounds of HMAC over the day, the region and the service, kept for as long as they serve.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;

use super::asymmetric::PairCache;
use crate::base::digest::HmacAlgorithm;
use crate::base::secret::Secret;

/// `20130524/us-east-1/s3/aws4_request`; of Version 4A without the region.
pub struct Scope<'a> {
    /// `YYYYMMDD`.
    pub day: String,
    pub region: Option<&'a str>,
    pub service: &'a str,
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.day)?;
        if let Some(region) = self.region {
            write!(f, "{region}/")?;
        }
        write!(f, "{}/aws4_request", self.service)
    }
}

/// A signing key. As secret as the secret key for the rest of its day, so it has no `Debug`.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    pub fn derive(secret: &Secret, scope: &Scope<'_>) -> Self {
        let start = format!("AWS4{}", secret.expose());
        let rounds = [scope.day.as_str(), scope.region.unwrap_or_default(), scope.service, "aws4_request"];
        let first = hmac(start.as_bytes(), rounds[0].as_bytes());
        Self(rounds[1..].iter().fold(first, |key, round| hmac(&key, round.as_bytes())))
    }
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        hmac(&self.0, message)
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<HmacAlgorithm>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Buckets in different regions and a day that turns need a few keys at once.
const KEPT_MAX: usize = 8;

/// The latest keys, found by everything that they were derived from.
#[derive(Default)]
pub struct KeyCache {
    kept: Mutex<Vec<Kept>>,
    /// Those of Version 4A.
    pub pairs: PairCache,
}

struct Kept {
    scope: String,
    secret: Secret,
    key: Key,
}

impl KeyCache {
    pub fn key(&self, secret: &Secret, scope: &Scope<'_>) -> Key {
        let name = scope.to_string();
        let mut kept = self.kept.lock();
        if let Some(found) = kept.iter().find(|kept| kept.scope == name && kept.secret == *secret) {
            return found.key.clone();
        }
        if kept.len() == KEPT_MAX {
            kept.remove(0);
        }
        let key = Key::derive(secret, scope);
        kept.push(Kept { scope: name, secret: secret.clone(), key: key.clone() });
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_apart_by_secret_and_scope() {
        let cache = KeyCache::default();
        let scope = |region| Scope { day: "20130524".to_owned(), region: Some(region), service: "s3" };
        let (one, two) = (Secret::new("one"), Secret::new("two"));
        let first = cache.key(&one, &scope("us-east-1"));
        assert!(first.0 == cache.key(&one, &scope("us-east-1")).0);
        assert!(first.0 != cache.key(&one, &scope("eu-west-1")).0);
        assert!(first.0 != cache.key(&two, &scope("us-east-1")).0);
        assert_eq!(cache.kept.lock().len(), 3);
    }
}
