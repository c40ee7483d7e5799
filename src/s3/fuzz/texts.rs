//! Texts that people and other programs write: addresses, names, dates, tags, and the files of credentials.
//!
//! An input is the name of a kind on the first line, then the text.

use std::time::{Duration, UNIX_EPOCH};

use percent_encoding::percent_decode_str;

use super::{named, split_line};
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::credentials::fuzz as sources;
use crate::s3::endpoint::arn::Arn;
use crate::s3::endpoint::{self, Endpoint, Purpose};
use crate::s3::names;
use crate::s3::ops::headers::{decode_metadata, encode_metadata};
use crate::s3::post::PostPolicy;
use crate::s3::sign::key::KeyCache;
use crate::s3::sign::{Scheme, Signer, presign};
use crate::s3::{Credentials, ETag, Limits, Style};

/// One text of a kind.
pub fn texts(input: &[u8]) {
    let Some((kind, text)) = split_line(input) else { return };
    let (_, check) = named(KINDS, kind);
    if let Ok(text) = std::str::from_utf8(text) {
        check(text);
    }
}

type Check = fn(&str);

static KINDS: &[(&str, Check)] = &[
    ("address", address),
    ("arn", arn),
    ("date", date),
    ("etag", etag),
    ("metadata", metadata),
    ("name", name),
    ("policy", policy),
    ("presign", presigned),
    ("profile", sources::profile),
    ("command", sources::command),
    ("json", sources::json),
    ("sts", sources::sts),
    ("mc-host", sources::mc_host),
    ("boto", sources::boto),
];

/// Endpoint, region, bucket, and a key to the end: what comes out is an address whose path is the key's.
fn address(text: &str) {
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (url, region, bucket, key) = (line(), line(), line(), line());
    for style in [Style::Auto, Style::Path, Style::Virtual] {
        let Ok(endpoint) = Endpoint::parse(Some(url), style) else { return };
        let asked = endpoint::Asked { bucket: Some(bucket), key: Some(key), region, purpose: Purpose::Data };
        let Ok(address) = endpoint.address(asked) else { continue };
        address.authority.parse::<http::uri::Authority>().expect("an authority");
        address.path.parse::<http::uri::PathAndQuery>().expect("a path");
        assert!(!address.path.contains(['?', '#']), "{}", address.path);
        let path = percent_decode_str(&address.path).decode_utf8().expect("UTF-8");
        let by_path = format!("/{bucket}/{key}");
        assert!(path == by_path || path.strip_prefix('/') == Some(key), "{path:?} for {key:?}");
    }
}

fn arn(text: &str) {
    if let Ok(arn) = Arn::parse(text) {
        assert!(
            [arn.region, arn.account].iter().all(|field| !field.contains(['/', '@', '.', '?'])),
            "{arn:?}"
        );
    }
}

fn date(text: &str) {
    if let Some(at) = timestamp::parse_rfc3339(text) {
        let second = timestamp::parse_rfc3339(&timestamp::rfc3339(at)).expect("a date");
        assert_eq!(timestamp::parse_compact(&timestamp::compact(at)), Some(second), "{text}");
    }
    for at in [timestamp::parse_http_date(text), timestamp::parse_compact(text)].into_iter().flatten() {
        assert_eq!(timestamp::parse_rfc3339(&timestamp::rfc3339(at)), Some(at), "{text}");
    }
}

fn etag(text: &str) {
    let etag = ETag::parse(text);
    if !etag.0.is_empty() && !etag.0.contains('"') {
        assert_eq!(ETag::parse(&etag.quoted()), etag);
    }
}

/// The text that a header stands for can be sent, and is then read as the same.
fn metadata(header: &str) {
    let read = |header: &str| {
        let header = http::HeaderValue::from_bytes(header.as_bytes()).ok()?;
        let headers = http::HeaderMap::from_iter([(http::HeaderName::from_static("x-amz-meta-a"), header)]);
        decode_metadata(&headers).remove("a")
    };
    let Some(text) = read(header) else { return };
    let mut sent = http::HeaderMap::new();
    encode_metadata(&[("a".to_owned(), text.clone())].into(), &mut sent).expect("what was read can be sent");
    if !text.is_ascii() {
        assert_eq!(decode_metadata(&sent).remove("a"), Some(text), "{header:?}");
    }
}

/// What may be the name of a new bucket may be used as one, and no name leaves its place in a path.
fn name(text: &str) {
    if names::check_new_bucket(text).is_ok() {
        names::check_bucket(text).expect("a new bucket can be used");
    }
    if names::check_bucket(text).is_ok() && !text.starts_with("arn:") {
        assert!(!text.contains(['/', '?', '#', '%']) && text != "." && text != "..", "{text}");
    }
    let _ = names::check_key(text, &Limits::default());
}

fn with_signer(check: impl FnOnce(&Signer<'_>)) {
    let credentials = Credentials {
        session_token: Some(Secret::new("token")),
        ..Credentials::new("AK", Secret::new("SK"))
    };
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let keys = KeyCache::default();
    let (scheme, region, service) = (Scheme::V4, "us-east-1", "s3");
    check(&Signer { scheme, credentials: &credentials, region, service, time, keys: &keys });
}

/// Lines of `field=value` (exactly) and `field^value` (at the start), the first being the key.
fn policy(text: &str) {
    let expires = UNIX_EPOCH + Duration::from_secs(1_700_000_600);
    let mut lines = text.split('\n');
    let mut policy = PostPolicy::new("bucket", expires).key(lines.next().unwrap_or_default());
    for line in lines {
        let added = match (line.split_once('='), line.split_once('^')) {
            (Some((field, value)), _) => policy.clone().equals(field, value),
            (None, Some((field, value))) => policy.clone().starts_with(field, value),
            (None, None) => continue,
        };
        policy = added.unwrap_or(policy);
    }
    with_signer(|signer| {
        let Ok(fields) = policy.sign(signer) else { return };
        let of = |wanted: &str| fields.iter().filter(|(name, _)| name == wanted).count();
        assert_eq!((of("key"), of("policy"), of("x-amz-signature")), (1, 1, 1), "{fields:?}");
    });
}

/// A query's values, one a line: the URL holds each of them as it was.
fn presigned(text: &str) {
    let query: Vec<(&'static str, String)> = ["prefix", "versionId", "response-content-type"]
        .into_iter()
        .zip(text.split('\n').map(str::to_owned))
        .collect();
    let headers = http::HeaderMap::from_iter([(http::header::HOST, http::HeaderValue::from_static("host"))]);
    let target = presign::Target {
        method: &http::Method::GET,
        path: "/bucket",
        query: &query,
        headers: &headers,
        payload_hash: "UNSIGNED-PAYLOAD",
    };
    with_signer(|signer| {
        let signed = presign::sign(signer, &target, Duration::from_secs(60)).expect("a query");
        for (name, value) in &query {
            let found = signed.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            let found = percent_decode_str(found.expect("it is there")).decode_utf8().expect("UTF-8");
            assert_eq!(&found, value);
        }
    });
}
