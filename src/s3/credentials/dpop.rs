//! A proof that we hold the key which a token was made out for (RFC 9449): a small signed JSON document.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey;

use crate::base::secret::Secret;
use crate::s3::{Error, ErrorKind};

const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;
/// Half of a point, half of a signature.
const HALF: usize = 32;

/// For one POST to `uri`. `key` is one of the curve P-256, in PEM.
pub fn proof(key: &Secret, uri: &str, now: SystemTime) -> Result<String, Error> {
    // What the parsers say could quote the key.
    let bad = || Error::new(ErrorKind::Credentials, "the key of the login session is none of P-256 in PEM");
    let der = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| bad())?;
    let key = any_ecdsa_type(&der).map_err(|_| bad())?;
    let (x, y) = coordinates(key.as_ref()).ok_or_else(bad)?;
    let header = serde_json::json!({
        "typ": "dpop+jwt",
        "alg": "ES256",
        "jwk": { "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) },
    });
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let payload = serde_json::json!({
        "htm": "POST",
        "htu": uri,
        "iat": seconds,
        "jti": format!("{:032x}", fastrand::u128(..)),
    });
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(payload.to_string())
    );
    let signer = key.choose_scheme(&[SCHEME]).ok_or_else(bad)?;
    let signature = signer.sign(text.as_bytes()).ok().and_then(|der| halves(&der)).ok_or_else(bad)?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The public point: the last 64 bytes of the key's description, after the byte that says "uncompressed".
fn coordinates(key: &dyn SigningKey) -> Option<([u8; HALF], [u8; HALF])> {
    let description = key.public_key()?;
    let (_, point) =
        description.as_ref().split_at_checked(description.as_ref().len().checked_sub(2 * HALF + 1)?)?;
    let (mark, point) = point.split_first()?;
    let (x, y) = point.split_at(HALF);
    (*mark == 4).then_some((x.try_into().ok()?, y.try_into().ok()?))
}

/// `SEQUENCE { INTEGER, INTEGER }` as two numbers of 32 bytes.
fn halves(der: &[u8]) -> Option<[u8; 2 * HALF]> {
    let (sequence, rest) = element(der, 0x30)?;
    let (r, s) = element(sequence, 0x02)?;
    let (s, end) = element(s, 0x02)?;
    let mut both = [0; 2 * HALF];
    for (number, at) in [(r, 0), (s, HALF)] {
        // A leading zero keeps the number positive.
        let digits = number.strip_prefix(&[0]).unwrap_or(number);
        let start = HALF.checked_sub(digits.len())?;
        both[at + start..at + HALF].copy_from_slice(digits);
    }
    (rest.is_empty() && end.is_empty()).then_some(both)
}

/// The contents of a short DER element, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, len, rest @ ..] = der else { return None };
    (*found == tag && *len < 0x80).then_some(())?;
    rest.split_at_checked(usize::from(*len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::credentials::tests::{assert_silent, canary};

    fn decoded(part: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(part).expect("base64")
    }

    /// The other direction, for the verifier.
    fn der(signature: &[u8]) -> Vec<u8> {
        let number = |half: &[u8]| {
            let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
            let pad = digits.first().is_none_or(|first| *first >= 0x80);
            let content = [if pad { &[0][..] } else { &[] }, &digits].concat();
            [&[2, content.len() as u8], &content[..]].concat()
        };
        let both = [number(&signature[..HALF]), number(&signature[HALF..])].concat();
        [&[0x30, both.len() as u8], &both[..]].concat()
    }

    #[test]
    fn the_proof_names_the_request_and_verifies_with_the_key_in_it() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        // Numbers are shorter than usual in one of a hundred or so signatures.
        for _ in 0..300 {
            let proof = proof(&Secret::new(key.serialize_pem()), "https://h/v1/token", now).expect("signed");
            let (text, signature) = proof.rsplit_once('.').expect("three parts");
            let (header, payload) = text.split_once('.').expect("three parts");
            let header: serde_json::Value = serde_json::from_slice(&decoded(header)).expect("JSON");
            let payload: serde_json::Value = serde_json::from_slice(&decoded(payload)).expect("JSON");
            assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("dpop+jwt"), Some("ES256")));
            assert_eq!(
                (payload["htu"].as_str(), payload["iat"].as_u64()),
                (Some("https://h/v1/token"), Some(1_000))
            );
            let half = |name: &str| decoded(header["jwk"][name].as_str().expect("text"));
            let point = [&[4][..], &half("x"), &half("y")].concat();
            let verifies =
                rustls::crypto::ring::default_provider().signature_verification_algorithms.all.iter().any(
                    |known| {
                        known.verify_signature(&point, text.as_bytes(), &der(&decoded(signature))).is_ok()
                    },
                );
            assert!(verifies, "{proof}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_not_quoted() {
        assert_silent(&proof(&canary("no PEM"), "https://h", SystemTime::now()).expect_err("no key"));
        let pem = Secret::new("-----BEGIN EC PRIVATE KEY-----\ncanary\n-----END EC PRIVATE KEY-----\n");
        assert_silent(&proof(&pem, "https://h", SystemTime::now()).expect_err("no key"));
    }
}
