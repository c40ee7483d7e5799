//! Whether a bucket keeps old versions.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::s3::document::Element;
use crate::s3::xml::{Reader, Writer};
use crate::s3::{Error, Result};

/// A bucket that never had versioning has no status.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versioning {
    #[serde(rename = "Status", skip_serializing_if = "Option::is_none")]
    /// HTTP status.
    pub status: Option<VersioningStatus>,
    /// Deleting a version needs a second factor.
    #[serde(rename = "MfaDelete", skip_serializing_if = "Option::is_none")]
    pub mfa_delete: Option<bool>,
    /// MinIO: keys that begin so have one version only.
    #[serde(rename = "ExcludedPrefixes", skip_serializing_if = "Vec::is_empty", default)]
    pub excluded_prefixes: Vec<String>,
    /// MinIO: keys that end in a slash have one version only.
    #[serde(rename = "ExcludeFolders", skip_serializing_if = "Option::is_none")]
    pub exclude_folders: Option<bool>,
}

impl Versioning {
    /// Nothing but this status.
    pub fn of(status: VersioningStatus) -> Self {
        Self { status: Some(status), ..Self::default() }
    }
}

/// Whether new objects have versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VersioningStatus {
    /// Every write makes a version.
    Enabled,
    /// New objects get the version `null`; older versions stay.
    Suspended,
}

impl VersioningStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Suspended => "Suspended",
        }
    }

    /// MinIO spells a bucket without versioning as an empty status.
    fn parse(word: &str) -> Result<Option<Self>> {
        match word.trim() {
            "" => Ok(None),
            word if word.eq_ignore_ascii_case("Enabled") => Ok(Some(Self::Enabled)),
            word if word.eq_ignore_ascii_case("Suspended") => Ok(Some(Self::Suspended)),
            word => Err(Error::decode(format!("The bucket has the unknown versioning status {word:?}."))),
        }
    }
}

impl Setting for Versioning {
    const SUBRESOURCE: &'static str = "versioning";
    const GET: &'static str = "GetBucketVersioning";
    const PUT: &'static str = "PutBucketVersioning";
    const ABSENT: &'static [&'static str] = &[];

    fn encode(&self) -> Result<Bytes> {
        Writer::document("VersioningConfiguration", |xml| {
            if let Some(on) = self.mfa_delete {
                xml.element("MfaDelete", if on { "Enabled" } else { "Disabled" })?;
            }
            if let Some(status) = self.status {
                xml.element("Status", status.as_str())?;
            }
            // One wrapper a prefix: that is how MinIO wants them.
            self.excluded_prefixes
                .iter()
                .try_for_each(|prefix| xml.nested("ExcludedPrefixes", |xml| xml.element("Prefix", prefix)))?;
            self.exclude_folders.write("ExcludeFolders", xml)
        })
    }

    fn decode(document: &[u8]) -> Result<Self> {
        let mut versioning = Self::default();
        Reader::open(document, "VersioningConfiguration")?.children(|name, xml| {
            match name {
                "Status" => versioning.status = VersioningStatus::parse(&xml.text()?)?,
                "MfaDelete" | "MFADelete" => {
                    versioning.mfa_delete = Some(xml.text()?.eq_ignore_ascii_case("Enabled"))
                }
                "ExcludedPrefixes" => xml.children(|name, xml| {
                    if name == "Prefix" {
                        versioning.excluded_prefixes.push(xml.string()?);
                    }
                    Ok(())
                })?,
                "ExcludeFolders" => versioning.exclude_folders = Some(xml.boolean()?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(versioning)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GetSetting, PutSetting};
    use super::*;
    use crate::s3::ops::fixture::{reply, wire};
    use crate::s3::{ErrorKind, Operation};

    #[test]
    fn versioning_as_in_the_reference() {
        let document = Versioning::of(VersioningStatus::Enabled);
        let put = PutSetting { bucket: "bucket".into(), document };
        assert_eq!(
            wire(&put),
            "PUT /bucket?versioning=\n<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Status>Enabled</Status></VersioningConfiguration>"
        );
        assert!(put.encode().unwrap().needs_checksum);
        assert_eq!(wire(&GetSetting::<Versioning>::new("bucket")), "GET /bucket?versioning=");
    }

    #[test]
    fn every_state_of_versioning_is_read() {
        let get = GetSetting::<Versioning>::new("b");
        let answer = |inside: &str| {
            let document = format!("<VersioningConfiguration>{inside}</VersioningConfiguration>");
            get.decode(reply(200, &[], &document))
        };
        let state = |status, mfa_delete| Some(Versioning { status, mfa_delete, ..Versioning::default() });
        assert_eq!(answer("").unwrap(), state(None, None));
        assert_eq!(answer("<Status/>").unwrap(), state(None, None));
        assert_eq!(
            answer("<Status>Suspended</Status>").unwrap(),
            state(Some(VersioningStatus::Suspended), None)
        );
        assert_eq!(
            answer("<MfaDelete>Disabled</MfaDelete><Status>Enabled</Status>").unwrap(),
            state(Some(VersioningStatus::Enabled), Some(false))
        );
        assert_eq!(answer("<Status>Sometimes</Status>").unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn what_minio_adds_is_kept() {
        let versioning: Versioning = super::super::fixture::survives(
            "<VersioningConfiguration><Status>Enabled</Status><ExcludedPrefixes><Prefix>tmp/</Prefix>\
             </ExcludedPrefixes><ExcludedPrefixes><Prefix>b/</Prefix></ExcludedPrefixes>\
             <ExcludeFolders>true</ExcludeFolders></VersioningConfiguration>",
        );
        assert_eq!(versioning.excluded_prefixes, ["tmp/", "b/"]);
    }
}
