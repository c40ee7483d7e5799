//! Signature Version 4A: one signature that is good in a set of regions, made with a key pair of the curve P-256
//! which both sides derive from the secret key. Multi-region access points want it.
//!
//! The private key is the first number below the curve's order that HMAC gives in counter mode (NIST SP 800-108) over
//! the access key, plus one. Signatures are ECDSA with a deterministic nonce (RFC 6979), in DER, in hex.

use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use parking_lot::Mutex;

use crate::base::digest::{self, HmacAlgorithm};
use crate::base::secret::Secret;
use crate::s3::{Credentials, Error, ErrorKind};

/// As requests and strings to sign name it.
pub const ALGORITHM: &str = "AWS4-ECDSA-P256-SHA256";

/// The order of the curve P-256 less two: the largest number that becomes a key by adding one.
const LARGEST: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
];

/// A derived key pair, as secret as what it was derived from: it has no `Debug`.
#[derive(Clone)]
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// One of 2^32 tries fails, and none of 254 in a row ever has.
    pub fn derive(credentials: &Credentials) -> Result<Self, Error> {
        let start = format!("AWS4A{}", credentials.secret_key.expose());
        let found = (1..=254).find_map(|counter| scalar(start.as_bytes(), &credentials.access_key, counter));
        let key = found.and_then(|scalar| SigningKey::from_slice(&scalar).ok());
        let none = || Error::new(ErrorKind::Credentials, "no key pair can be derived from the secret key");
        key.map(Self).ok_or_else(none)
    }

    /// In hex.
    pub fn sign(&self, text: &str) -> String {
        let signature: Signature = self.0.sign(text.as_bytes());
        digest::hex(signature.to_der().as_bytes())
    }

    #[cfg(test)]
    pub fn verifying(&self) -> p256::ecdsa::VerifyingKey {
        *self.0.verifying_key()
    }
}

/// The candidate of this counter; `None` when it is too large.
fn scalar(start: &[u8], access_key: &str, counter: u8) -> Option<[u8; 32]> {
    let mut mac = Hmac::<HmacAlgorithm>::new_from_slice(start).expect("HMAC takes keys of any length");
    mac.update(&1_u32.to_be_bytes());
    mac.update(ALGORITHM.as_bytes());
    mac.update(&[0]);
    mac.update(access_key.as_bytes());
    mac.update(&[counter]);
    // Bits of the key.
    mac.update(&256_u32.to_be_bytes());
    let mut candidate: [u8; 32] = mac.finalize().into_bytes().into();
    if candidate > LARGEST {
        return None;
    }
    for byte in candidate.iter_mut().rev() {
        let (sum, carries) = byte.overflowing_add(1);
        *byte = sum;
        if !carries {
            break;
        }
    }
    Some(candidate)
}

/// The latest key pair: deriving one takes as long as a signature.
#[derive(Default)]
pub struct PairCache(Mutex<Option<(String, Secret, KeyPair)>>);

impl PairCache {
    /// That of these credentials.
    pub fn pair(&self, credentials: &Credentials) -> Result<KeyPair, Error> {
        let mut kept = self.0.lock();
        match &*kept {
            Some((access_key, secret, pair))
                if *access_key == credentials.access_key && *secret == credentials.secret_key =>
            {
                Ok(pair.clone())
            }
            _ => {
                let pair = KeyPair::derive(credentials)?;
                *kept = Some((credentials.access_key.clone(), credentials.secret_key.clone(), pair.clone()));
                Ok(pair)
            }
        }
    }
}
