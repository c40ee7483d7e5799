//! Configuration documents: what is understood can be written, and then says the same, in XML and in JSON.
//!
//! An input is the name of a document on the first line, then the XML.

use std::fmt::Debug;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{named, split_line};
use crate::s3::error::parse_document;
use crate::s3::ops::{decode_tag_set, encode_tag_set};
use crate::s3::settings::*;
use crate::s3::vendor::ibm::BucketProtection;
use crate::s3::{ErrorKind, Result};

/// A document that is read, written, and read again.
pub fn documents(input: &[u8]) {
    let Some((name, document)) = split_line(input) else { return };
    let _ = parse_document(document);
    let (_, check) = named(DOCUMENTS, name);
    check(document);
}

type Check = fn(&[u8]);

static DOCUMENTS: &[(&str, Check)] = &[
    ("AccessControl", setting::<AccessControl>),
    ("Acceleration", setting::<Acceleration>),
    ("Analytics", named_setting::<Analytics>),
    ("AttributeAccess", setting::<AttributeAccess>),
    ("BucketEncryption", setting::<BucketEncryption>),
    ("BucketProtection", setting::<BucketProtection>),
    ("BucketTags", setting::<BucketTags>),
    ("CorsConfiguration", setting::<CorsConfiguration>),
    ("IntelligentTiering", named_setting::<IntelligentTiering>),
    ("Inventory", named_setting::<Inventory>),
    ("Lifecycle", setting::<Lifecycle>),
    ("Logging", setting::<Logging>),
    ("Metrics", named_setting::<Metrics>),
    ("Notification", setting::<Notification>),
    ("ObjectLockConfiguration", setting::<ObjectLockConfiguration>),
    ("OwnershipControls", setting::<OwnershipControls>),
    ("PublicAccessBlock", setting::<PublicAccessBlock>),
    ("Replication", setting::<Replication>),
    ("RequestPayment", setting::<RequestPayment>),
    ("TagSet", tags),
    ("Versioning", setting::<Versioning>),
    ("Website", setting::<Website>),
];

fn setting<S: Setting + PartialEq + Debug + Serialize + DeserializeOwned>(document: &[u8]) {
    survives(document, S::decode, S::encode);
}

fn named_setting<S: NamedSetting + PartialEq + Debug + Serialize + DeserializeOwned>(document: &[u8]) {
    let _ = S::decode_page(document);
    survives(document, S::decode, S::encode);
}

fn tags(document: &[u8]) {
    survives(document, decode_tag_set, encode_tag_set);
}

fn survives<S: PartialEq + Debug + Serialize + DeserializeOwned>(
    document: &[u8],
    decode: fn(&[u8]) -> Result<S>,
    encode: fn(&S) -> Result<Bytes>,
) {
    let read = match decode(document) {
        Ok(read) => read,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
    };
    // A reply can hold what no request may: control characters, a word that is none.
    let Ok(written) = encode(&read) else { return };
    let again = decode(&written).expect("what was written is understood");
    assert!(is_same(&again, &read), "{again:?}\ninstead of\n{read:?}");
    let json = serde_json::to_string(&read).expect("it has a JSON form");
    let again: S = serde_json::from_str(&json).expect("which is understood");
    assert!(is_same(&again, &read), "{again:?}\ninstead of\n{read:?}");
}

/// Dates are written to the millisecond, so that a finer one is cut.
fn is_same<S: PartialEq + Debug>(one: &S, other: &S) -> bool {
    one == other || format!("{other:?}").contains("SystemTime")
}
