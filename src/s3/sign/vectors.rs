//! Signatures of others: the signing test suite of the AWS SDKs, and the worked examples of the S3 manual.

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use p256::ecdsa::signature::Verifier as _;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::canonical::{self, SignedHeaders};
use super::chunked::{Chain, Encoder, Trailer};
use super::key::KeyCache;
use super::{EMPTY_SHA256, Scheme, Signer, header, presign};
use crate::base::digest::{self, Crc32C};
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::Credentials;

#[derive(Deserialize)]
struct Case {
    name: String,
    context: Context,
    request: String,
    header: Expected,
    query: Expected,
    /// Of Version 4A.
    public_key: Option<Point>,
}

/// In hex.
#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Point {
    x: String,
    y: String,
}

#[derive(Deserialize)]
struct Context {
    credentials: Keys,
    expiration_in_seconds: u64,
    normalize: bool,
    region: String,
    service: String,
    sign_body: bool,
    timestamp: String,
    #[serde(default)]
    omit_session_token: bool,
}

#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Expected {
    canonical_request: String,
    string_to_sign: String,
    signature: String,
}

/// A request of the suite, read as its README says.
struct Parsed {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    payload_hash: String,
}

impl Case {
    fn parse(&self) -> Parsed {
        Parsed::of(&self.request, self.context.normalize)
    }
    fn credentials(&self) -> Credentials {
        let keys = &self.context.credentials;
        let token = keys.token.as_deref().filter(|_| !self.context.omit_session_token);
        Credentials {
            session_token: token.map(Secret::new),
            ..Credentials::new(&keys.access_key_id, Secret::new(&keys.secret_access_key))
        }
    }
}

impl Parsed {
    fn of(request: &str, normalized: bool) -> Self {
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let mut lines = head.lines();
        let first = lines.next().expect("a request line");
        let (method, rest) = first.split_once(' ').expect("a method");
        let target = rest.strip_suffix(" HTTP/1.1").expect("a version");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = if normalized { normalize(path) } else { path.to_owned() };
        Self {
            method: method.parse().expect("a method"),
            path: canonical::encode_path(&decode(&path)),
            query: query.split('&').filter(|pair| !pair.is_empty()).map(decode_pair).collect(),
            headers: parse_headers(lines),
            payload_hash: digest::hex(&digest::sha256(body.as_bytes())),
        }
    }
    fn canonical(&self) -> Vec<u8> {
        let query = canonical::query(self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let covered = SignedHeaders::of(&self.headers);
        canonical::request(&self.method, &self.path, &query, &covered, &self.payload_hash)
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned()
}

fn decode_pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decode(name), decode(value))
}

fn parse_headers<'a>(lines: impl Iterator<Item = &'a str>) -> HeaderMap {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if !line.starts_with(' ') => pairs.push((name.to_owned(), value.to_owned())),
            _ => {
                pairs.last_mut().expect("a header before its continuation").1 += &format!(" {}", line.trim())
            }
        }
    }
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().expect("a header name");
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
    }
    headers
}

/// RFC 3986 5.2.4 and one slash for many: what other services want of a path, and S3 must not have.
fn normalize(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../tests/fixtures/aws/sigv4.json")).expect("the fixture");
    assert_eq!(cases.len(), 38);
    cases
}

fn signer<'a>(case: &'a Case, credentials: &'a Credentials, keys: &'a KeyCache) -> Signer<'a> {
    Signer {
        scheme: Scheme::V4,
        credentials,
        region: &case.context.region,
        service: &case.context.service,
        time: timestamp::parse_rfc3339(&case.context.timestamp).expect("a time"),
        keys,
    }
}

#[test]
fn the_suite_agrees_on_headers() {
    let keys = KeyCache::default();
    for case in cases() {
        let (mut parsed, credentials) = (case.parse(), case.credentials());
        let signer = signer(&case, &credentials, &keys);
        let mut add = |name: &'static str, value: &str| {
            parsed.headers.insert(HeaderName::from_static(name), value.parse().expect("a value"));
        };
        add("x-amz-date", &signer.stamp());
        if case.context.sign_body {
            add("x-amz-content-sha256", &parsed.payload_hash);
        }
        if let Some(token) = &credentials.session_token {
            add("x-amz-security-token", token.expose());
        }
        check(&case.name, &case.header, &signer, &parsed.canonical());
    }
}

/// Each signature of Version 4A is another one: what can be compared is what is signed, and the key.
#[test]
fn the_suite_of_version_4a_agrees() {
    let text = include_str!("../../../tests/fixtures/aws/sigv4a.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the fixture");
    assert_eq!(cases.len(), 38);
    let keys = KeyCache::default();
    for case in cases {
        let (mut parsed, credentials) = (case.parse(), case.credentials());
        let signer = Signer { scheme: Scheme::V4A, ..signer(&case, &credentials, &keys) };
        let key = keys.pairs.pair(&credentials).expect("a key").verifying();
        let Point { x, y } = case.public_key.as_ref().expect("a public key");
        assert_eq!(digest::hex(key.to_sec1_point(false).as_bytes()), format!("04{x}{y}"), "{}", case.name);
        let is_good = |text: &str, signature: &str| {
            let der: Vec<u8> = (0..signature.len() / 2)
                .map(|n| u8::from_str_radix(&signature[2 * n..2 * n + 2], 16).expect("hex"))
                .collect();
            key.verify(text.as_bytes(), &p256::ecdsa::Signature::from_der(&der).expect("DER")).is_ok()
        };
        for expected in [&case.header, &case.query] {
            assert!(is_good(&expected.string_to_sign, &expected.signature), "{}", case.name);
        }
        let queried = presigned(&case, &parsed, &signer);
        let (query, signature) = queried.split_once("&X-Amz-Signature=").expect("the signature is last");
        assert!(case.query.canonical_request.contains(&format!("\n{query}\n")), "{}", case.name);
        assert!(is_good(&case.query.string_to_sign, signature), "{}", case.name);
        let mut add = |name: &'static str, value: &str| {
            parsed.headers.insert(HeaderName::from_static(name), value.parse().expect("a value"));
        };
        add("x-amz-date", &signer.stamp());
        add("x-amz-region-set", signer.region);
        if case.context.sign_body {
            add("x-amz-content-sha256", &parsed.payload_hash);
        }
        if let Some(token) = &credentials.session_token {
            add("x-amz-security-token", token.expose());
        }
        let request = parsed.canonical();
        assert_eq!(
            std::str::from_utf8(&request).expect("UTF-8"),
            case.header.canonical_request,
            "{}",
            case.name
        );
        assert_eq!(signer.string_to_sign(&request), case.header.string_to_sign, "{}", case.name);
        let signature = signer.sign(&request).expect("signed").signature;
        assert!(is_good(&case.header.string_to_sign, &signature), "{}", case.name);
    }
}

#[test]
fn a_region_set_goes_with_a_signature_of_version_4a() {
    let (credentials, keys) = (example_keys(), KeyCache::default());
    let signer = Signer { scheme: Scheme::V4A, region: "*", ..example_signer(&credentials, &keys) };
    let target = header::Target { method: &Method::GET, path: "/k", query: "", payload_hash: EMPTY_SHA256 };
    let mut headers = headers(&[HOST]);
    let seed = header::sign(&signer, &target, &mut headers).expect("signed");
    assert_eq!(headers["x-amz-region-set"], "*");
    let authorization = headers["authorization"].to_str().expect("text");
    assert!(authorization.starts_with(
        "AWS4-ECDSA-P256-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-region-set, Signature=30"
    ));
    assert!(Chain::of(seed).is_none());
    assert!(signer.sign_text("policy").is_err());
}

/// The suite that came before: every case of it.
#[derive(Deserialize)]
struct Classic {
    name: String,
    request: String,
    token: Option<String>,
    #[serde(flatten)]
    expected: Expected,
}

#[test]
fn the_classic_suite_agrees() {
    let text = include_str!("../../../tests/fixtures/aws/sigv4-classic.json");
    let cases: Vec<Classic> = serde_json::from_str(text).expect("the fixture");
    assert_eq!(cases.len(), 34);
    let credentials =
        Credentials::new("AKIDEXAMPLE", Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
    let (keys, time) =
        (KeyCache::default(), timestamp::parse_rfc3339("2015-08-30T12:36:00Z").expect("a time"));
    let (scheme, region, service) = (Scheme::V4, "us-east-1", "service");
    let signer = Signer { scheme, credentials: &credentials, region, service, time, keys: &keys };
    for case in cases {
        let mut parsed = Parsed::of(&case.request, true);
        if let Some(token) = &case.token {
            parsed.headers.insert("x-amz-security-token", token.parse().expect("a value"));
        }
        check(&case.name, &case.expected, &signer, &parsed.canonical());
    }
}

fn check(name: &str, expected: &Expected, signer: &Signer<'_>, request: &[u8]) {
    assert_eq!(std::str::from_utf8(request).expect("UTF-8"), expected.canonical_request, "{name}");
    let text = signer.string_to_sign(request);
    assert_eq!(text, expected.string_to_sign, "{name}");
    assert_eq!(signer.sign(request).expect("signed").signature, expected.signature, "{name}");
}

#[test]
fn the_suite_agrees_on_queries() {
    let keys = KeyCache::default();
    for case in cases() {
        let (parsed, credentials) = (case.parse(), case.credentials());
        let signed = presigned(&case, &parsed, &signer(&case, &credentials, &keys));
        let (query, signature) = signed.split_once("&X-Amz-Signature=").expect("the signature is last");
        assert_eq!(signature, case.query.signature, "{}", case.name);
        assert!(case.query.canonical_request.contains(&format!("\n{query}\n")), "{}", case.name);
    }
}

fn presigned(case: &Case, parsed: &Parsed, signer: &Signer<'_>) -> String {
    let query: Vec<(&str, String)> =
        parsed.query.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let target = presign::Target {
        method: &parsed.method,
        path: &parsed.path,
        query: &query,
        headers: &parsed.headers,
        payload_hash: &parsed.payload_hash,
    };
    let expires = Duration::from_secs(case.context.expiration_in_seconds);
    presign::sign(signer, &target, expires).expect("signed")
}

/// The example account of the S3 manual.
fn example_keys() -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
}

fn example_signer<'a>(credentials: &'a Credentials, keys: &'a KeyCache) -> Signer<'a> {
    let time = timestamp::parse_rfc3339("2013-05-24T00:00:00Z").expect("a time");
    Signer { scheme: Scheme::V4, credentials, region: "us-east-1", service: "s3", time, keys }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

fn sign_example(
    (method, path, query): (Method, &str, &str),
    payload_hash: &str,
    mut headers: HeaderMap,
) -> (HeaderMap, header::Seed) {
    let (credentials, keys) = (example_keys(), KeyCache::default());
    let target = header::Target { method: &method, path, query, payload_hash };
    let seed = header::sign(&example_signer(&credentials, &keys), &target, &mut headers).expect("signed");
    (headers, seed)
}

const HOST: (&str, &str) = ("host", "examplebucket.s3.amazonaws.com");

#[test]
fn the_manual_agrees_on_plain_requests() {
    let put = digest::hex(&digest::sha256(b"Welcome to Amazon S3."));
    let date = ("date", "Fri, 24 May 2013 00:00:00 GMT");
    for (request, hash, headers, signature) in [
        (
            (Method::GET, "/test.txt", ""),
            EMPTY_SHA256,
            headers(&[HOST, ("range", "bytes=0-9")]),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            (Method::PUT, "/test%24file.text", ""),
            put.as_str(),
            headers(&[HOST, date, ("x-amz-storage-class", "REDUCED_REDUNDANCY")]),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            (Method::GET, "/", "lifecycle="),
            EMPTY_SHA256,
            headers(&[HOST]),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            (Method::GET, "/", "max-keys=2&prefix=J"),
            EMPTY_SHA256,
            headers(&[HOST]),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let (signed, seed) = sign_example(request, hash, headers);
        assert_eq!(seed.signature, signature);
        let authorization = signed["authorization"].to_str().expect("text");
        assert!(authorization.ends_with(&format!("Signature={signature}")));
        assert!(authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders="
        ));
        assert!(signed["authorization"].is_sensitive());
    }
}

#[test]
fn the_manual_agrees_on_a_presigned_url() {
    let (credentials, keys) = (example_keys(), KeyCache::default());
    let headers = headers(&[HOST]);
    let target = presign::Target {
        method: &Method::GET,
        path: "/test.txt",
        query: &[],
        headers: &headers,
        payload_hash: "UNSIGNED-PAYLOAD",
    };
    let signer = example_signer(&credentials, &keys);
    let query = presign::sign(&signer, &target, Duration::from_secs(86_400)).expect("signed");
    assert_eq!(
        query,
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F\
         aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=\
         aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    for seconds in [0, 7 * 86_400 + 1] {
        assert!(presign::sign(&signer, &target, Duration::from_secs(seconds)).is_err());
    }
}

#[derive(Default)]
struct Crc32CTrailer(Crc32C);

impl Trailer for Crc32CTrailer {
    fn name(&self) -> &'static str {
        "x-amz-checksum-crc32c"
    }
    fn value_len(&self) -> u64 {
        8
    }
    fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }
    fn value(&self) -> String {
        digest::base64(&self.0.value().to_be_bytes())
    }
}

const EXAMPLE_BYTES: usize = 66_560;

/// The manual's body, from a source whose pieces fit no chunk.
async fn encode(chain: Option<Chain>, trailer: Option<Box<dyn Trailer>>) -> (u64, String) {
    let body = vec![b'a'; EXAMPLE_BYTES];
    let pieces: Vec<_> = body.chunks(10_007).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let pieces = Box::pin(futures_util::stream::iter(pieces));
    let encoder = Encoder::new(pieces, EXAMPLE_BYTES as u64, chain, trailer).with_chunks_of(65_536);
    let promised = encoder.encoded_len();
    let encoded: Vec<Bytes> = encoder.into_pieces().try_collect().await.expect("encoded");
    (promised, String::from_utf8(encoded.concat()).expect("text"))
}

fn chunked_headers(extra: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut all = headers(&[
        ("host", "s3.amazonaws.com"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ]);
    all.extend(headers(extra));
    all
}

#[tokio::test]
async fn the_manual_agrees_on_signed_chunks() {
    let request = (Method::PUT, "/examplebucket/chunkObject.txt", "");
    let headers = chunked_headers(&[("content-length", "66824")]);
    let (_, seed) = sign_example(request, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", headers);
    assert_eq!(seed.signature, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    let (promised, text) = encode(Chain::of(seed), None).await;
    assert_eq!((promised, text.len()), (66_824, 66_824));
    let data = |len: usize| "a".repeat(len);
    let expected = [
        "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
        &data(65_536),
        "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
        &data(1_024),
        "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
    ];
    assert_eq!(text, expected.concat());
}

#[tokio::test]
async fn the_manual_agrees_on_signed_chunks_with_a_trailer() {
    let request = (Method::PUT, "/examplebucket/chunkObject.txt", "");
    let headers = chunked_headers(&[("x-amz-trailer", "x-amz-checksum-crc32c")]);
    let (_, seed) = sign_example(request, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", headers);
    assert_eq!(seed.signature, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    let (promised, text) = encode(Chain::of(seed), Some(Box::<Crc32CTrailer>::default())).await;
    assert_eq!(promised, text.len() as u64);
    for part in [
        "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n",
        "\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(text.ends_with(
        "\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n\
         x-amz-checksum-crc32c:sOO8/Q==\r\n\
         x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    ));
}

#[tokio::test]
async fn unsigned_chunks_carry_their_trailer_and_their_length_is_known() {
    let (promised, text) = encode(None, Some(Box::<Crc32CTrailer>::default())).await;
    assert_eq!(promised, text.len() as u64);
    assert!(text.starts_with("10000\r\naaaa"));
    assert!(text.ends_with("aaaa\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n\r\n"));
}
