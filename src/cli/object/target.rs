//! `BUCKET/KEY` as it is typed: also `s3://BUCKET/KEY`, split at the first slash, every byte of the key meant as it is.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::cli::terminal::printable;
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{HeadObject, ObjectHeaders, ReadConditions, Stored};
use crate::s3::{Client, ErrorKind, VersionId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) bucket: String,
    /// Empty for a bucket alone.
    pub(super) key: String,
    pub(super) version: Option<VersionId>,
}

impl Target {
    /// A bucket, and a key or prefix that may be empty.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let path = text.strip_prefix("s3://").unwrap_or(text);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(Failure::usage(format!(
                "{text:?} names no bucket: write BUCKET/KEY or s3://BUCKET/KEY."
            )));
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), version: None })
    }

    /// One object, in its current version or the one named.
    pub(super) fn object(text: &str, version: Option<String>) -> Outcome<Self> {
        let target = Self::parse(text)?;
        if target.key.is_empty() {
            return Err(Failure::usage(format!("{text:?} names a bucket but no object: write BUCKET/KEY.")));
        }
        Ok(Self { version: version.map(|id| VersionId(id.into())), ..target })
    }

    /// What the store says of the object.
    pub(super) async fn head(&self, client: &Client, checksum_mode: bool) -> Outcome<ObjectHeaders> {
        self.head_if(client, checksum_mode, ReadConditions::default()).await
    }

    /// The same, if the conditions hold.
    pub(super) async fn head_if(
        &self,
        client: &Client,
        checksum_mode: bool,
        conditions: ReadConditions,
    ) -> Outcome<ObjectHeaders> {
        let Self { bucket, key, version } = self.clone();
        let head = HeadObject { bucket, key, version, checksum_mode, conditions, part_number: None };
        client.send(&head).await.map_err(|error| match error.kind() {
            ErrorKind::NoSuchKey | ErrorKind::NoSuchVersion => Failure::from(error).said(self.missing()),
            ErrorKind::NotModified => {
                Failure::from(error).said(format!("{self} is as it was: not modified."))
            }
            ErrorKind::PreconditionFailed => {
                Failure::from(error).said(format!("{self} is not as the condition wants it."))
            }
            _ => error.into(),
        })
    }

    fn missing(&self) -> String {
        let key = printable(&self.key);
        match &self.version {
            None => format!("The bucket {} has no object {key}.", self.bucket),
            Some(version) => {
                format!("The bucket {} has no version {} of {key}.", self.bucket, printable(&version.0))
            }
        }
    }

    /// `bucket`, `key` and, where one was named, `version_id`.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("bucket".to_owned(), self.bucket.clone().into());
        fields.insert("key".to_owned(), self.key.clone().into());
        if let Some(version) = &self.version {
            fields.insert("version_id".to_owned(), (*version.0).into());
        }
        fields
    }

    /// What the store says of the object that it has just made here.
    pub(super) fn stored(&self, stored: &Stored) -> Map<String, Value> {
        let mut fields = self.fields();
        fields.insert("etag".to_owned(), json!(stored.etag.as_ref().map(|etag| &*etag.0)));
        fields.insert("version_id".to_owned(), json!(stored.version.as_ref().map(|version| &*version.0)));
        fields.insert("checksums".to_owned(), json!(stored.checksums));
        fields
    }

    /// The object of the same bucket with another key.
    pub(super) fn with_key(&self, key: impl Into<String>) -> Self {
        Self { bucket: self.bucket.clone(), key: key.into(), version: None }
    }

    /// What follows the last slash of the key.
    pub(super) fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }
}

/// As people may read it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, printable(&self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    #[test]
    fn the_first_slash_divides_and_the_rest_is_literal() {
        let table = [
            ("b", "b", ""),
            ("b/", "b", ""),
            ("b/k", "b", "k"),
            ("s3://b/k", "b", "k"),
            ("s3://b", "b", ""),
            ("b//k//", "b", "/k//"),
            ("b/../a b%20+?#", "b", "../a b%20+?#"),
            ("s3:/b", "s3:", "b"),
        ];
        for (text, bucket, key) in table {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.bucket.as_str(), target.key.as_str()), (bucket, key), "{text}");
        }
        for text in ["", "/k", "s3://", "s3:///k"] {
            assert_eq!(Target::parse(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }

    #[test]
    fn an_object_has_a_key() {
        assert_eq!(Target::object("b/", None).unwrap_err().exit, Exit::Usage);
        let target = Target::object("b/a/c.txt", Some("v".into())).unwrap();
        assert_eq!((target.file_name(), &target.version), ("c.txt", &Some(VersionId("v".into()))));
    }
}
