//! Whether a bucket keeps old versions.

use bytes::Bytes;

use super::Setting;
use crate::s3::xml::{Reader, Writer};
use crate::s3::{Error, Result};

/// A bucket that never had versioning has neither field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versioning {
    pub status: Option<VersioningStatus>,
    /// Deleting a version needs a second factor.
    pub mfa_delete: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersioningStatus {
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
            self.status.map_or(Ok(()), |status| xml.element("Status", status.as_str()))
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
        let document = Versioning { status: Some(VersioningStatus::Enabled), mfa_delete: None };
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
        let state = |status, mfa_delete| Some(Versioning { status, mfa_delete });
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
}
