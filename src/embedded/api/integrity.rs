//! What a client says about the bytes that it sends, and whether it is true.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use crate::base::checksum::Algorithm;
use crate::base::digest::Md5;
use crate::embedded::storage::checksum::Checksums;
use crate::embedded::storage::refusal::Refusal;

/// The checksum that comes with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    None,
    Header(Algorithm, Vec<u8>),
    /// The value follows the body.
    Trailer(Algorithm),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub length: Option<u64>,
    pub md5: Option<Vec<u8>>,
    pub checksum: Claim,
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn decode(value: &str, length: usize, what: &str) -> Result<Vec<u8>, Refusal> {
    let bytes = STANDARD.decode(value.trim()).ok().filter(|bytes| bytes.len() == length);
    bytes.ok_or_else(|| {
        let (code, message) = match what {
            "content-md5" => ("InvalidDigest", "The Content-MD5 you specified was invalid.".to_owned()),
            name => ("InvalidRequest", format!("Value for {name} header is invalid.")),
        };
        Refusal::new(400, code, message)
    })
}

/// The value of a checksum header, of the right length.
pub fn decode_checksum(algorithm: Algorithm, value: &str) -> Result<Vec<u8>, Refusal> {
    decode(value, algorithm.value_len(), algorithm.header())
}

impl Claims {
    pub fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let md5 = text(headers, "content-md5").map(|value| decode(value, 16, "content-md5")).transpose()?;
        let length = text(headers, "content-length").and_then(|value| value.parse().ok());
        Ok(Self { length, md5, checksum: Claim::read(headers)? })
    }

    pub fn is_bare(&self) -> bool {
        self.md5.is_none() && self.checksum == Claim::None
    }

    pub fn algorithm(&self) -> Option<Algorithm> {
        match self.checksum {
            Claim::None => None,
            Claim::Header(algorithm, _) | Claim::Trailer(algorithm) => Some(algorithm),
        }
    }

    /// Compares with what was computed; `trailers` came behind the body.
    pub fn check(
        &self,
        md5: Option<[u8; 16]>,
        computed: &Checksums,
        trailers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if let (Some(said), Some(md5)) = (&self.md5, md5)
            && said[..] != md5
        {
            return Err(Refusal::new(
                400,
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
        let (algorithm, said) = match &self.checksum {
            Claim::None => return Ok(()),
            Claim::Header(algorithm, value) => (*algorithm, value.clone()),
            Claim::Trailer(algorithm) => {
                let value = text(trailers, algorithm.header());
                let value = value.ok_or_else(|| {
                    Refusal::new(
                        400,
                        "MalformedTrailerError",
                        format!("The trailer {} is missing.", algorithm.header()),
                    )
                })?;
                (*algorithm, decode_checksum(*algorithm, value)?)
            }
        };
        if computed.get(&algorithm) == Some(&said) {
            return Ok(());
        }
        let message =
            format!("The {} you specified did not match the calculated checksum.", algorithm.name());
        Err(Refusal::new(400, "BadDigest", message))
    }
}

/// The checksum in the headers, as it is said there.
pub fn value(headers: &HeaderMap) -> Result<Option<(Algorithm, &str)>, Refusal> {
    let given = |algorithm: Algorithm| Some((algorithm, text(headers, algorithm.header())?));
    let mut values = Algorithm::ALL.into_iter().filter_map(given);
    let (value, more) = (values.next(), values.next());
    if more.is_some() {
        return Err(Refusal::request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ));
    }
    Ok(value)
}

impl Claim {
    fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        if let Some((algorithm, value)) = value(headers)? {
            return Ok(Self::Header(algorithm, decode_checksum(algorithm, value)?));
        }
        let trailer = text(headers, "x-amz-trailer").and_then(|name| {
            Algorithm::ALL.into_iter().find(|algorithm| algorithm.header().eq_ignore_ascii_case(name.trim()))
        });
        if let Some(algorithm) = trailer {
            return Ok(Self::Trailer(algorithm));
        }
        match headers.get("x-amz-sdk-checksum-algorithm") {
            None => Ok(Self::None),
            Some(_) => Err(Refusal::request(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers \
                 were found.",
            )),
        }
    }
}

/// Whether a request for a document (a batch of deletes, tags, locks …) must say something about its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    No,
    Yes,
}

/// Checks the body of a request that `s3s` parses itself.
pub fn check_document(headers: &HeaderMap, body: &[u8], required: Required) -> Result<(), Refusal> {
    let claims = Claims::read(headers)?;
    if claims.is_bare() && required == Required::Yes {
        return Err(Refusal::request(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
        ));
    }
    let mut md5 = Md5::default();
    md5.update(body);
    let computed = claims.algorithm().map(|algorithm| (algorithm, algorithm.of(body))).into_iter().collect();
    claims.check(Some(md5.finish()), &computed, &HeaderMap::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn document(list: &[(&'static str, &str)], required: Required) -> &'static str {
        check_document(&headers(list), b"123456789", required).map_or_else(|refusal| refusal.code, |()| "OK")
    }

    #[test]
    fn documents_are_checked_by_whatever_came_with_them() {
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(Headers<'_>, Required, &str)] = &[
            (&[], Required::No, "OK"),
            (&[], Required::Yes, "InvalidRequest"),
            (&[("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")], Required::Yes, "OK"),
            (&[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")], Required::Yes, "BadDigest"),
            (&[("content-md5", "short")], Required::Yes, "InvalidDigest"),
            (&[("x-amz-checksum-crc32", "y/Q5Jg==")], Required::Yes, "OK"),
            (&[("x-amz-checksum-crc32", "y/Q5Jw==")], Required::Yes, "BadDigest"),
            (&[("x-amz-checksum-crc32", "y/Q5")], Required::Yes, "InvalidRequest"),
            (
                &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "4waSgw==")],
                Required::Yes,
                "InvalidRequest",
            ),
            (&[("x-amz-sdk-checksum-algorithm", "CRC32")], Required::No, "InvalidRequest"),
            (&[("x-amz-checksum-xxhash3", "ctyxi2ehff8=")], Required::Yes, "OK"),
            (&[("x-amz-checksum-md5", "JfnnlDI7RTiF9RgfG2JNCw==")], Required::Yes, "OK"),
            (&[("x-amz-checksum-xxhash64", "ctyxi2ehff8=")], Required::Yes, "BadDigest"),
            (&[("x-amz-checksum-sha512", "AAAA")], Required::No, "InvalidRequest"),
        ];
        for (list, required, expected) in cases {
            assert_eq!(document(list, *required), *expected, "{list:?}");
        }
    }

    #[test]
    fn a_trailer_must_come_and_match() {
        let claims = Claims::read(&headers(&[("x-amz-trailer", "x-amz-checksum-crc32")])).unwrap();
        assert_eq!(claims.checksum, Claim::Trailer(Algorithm::Crc32));
        let computed = [(Algorithm::Crc32, Algorithm::Crc32.of(b"123456789"))].into_iter().collect();
        let check = |trailers: &[(&'static str, &str)]| {
            let trailers = headers(trailers);
            claims.check(None, &computed, &trailers).map_or_else(|refusal| refusal.code, |()| "OK")
        };
        assert_eq!(check(&[("x-amz-checksum-crc32", "y/Q5Jg==")]), "OK");
        assert_eq!(check(&[("x-amz-checksum-crc32", "AAAAAA==")]), "BadDigest");
        assert_eq!(check(&[]), "MalformedTrailerError");
    }
}
