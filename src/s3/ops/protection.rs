//! Object lock of one object version: legal hold and retention.

use http::Method;

use super::{Retention, hold_word, on_version, parse_hold, parse_mode, put_bypass_governance};
use crate::base::timestamp;
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::{Reader, Writer};
use crate::s3::{Error, Operation, Result, VersionId};

/// Output: `bool`, on or off.
#[derive(Clone, Debug, Default)]
pub struct GetObjectLegalHold {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
}

/// S3 API: [PutObjectLegalHold](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html).
#[derive(Clone, Debug, Default)]
pub struct PutObjectLegalHold {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// Put it on, or take it off.
    pub on: bool,
}

/// Output: `Option<Retention>`.
#[derive(Clone, Debug, Default)]
pub struct GetObjectRetention {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
}

/// `None` removes it (governance with bypass only).
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use holdfs::s3::ops::{
///     CreateBucket, DeleteObject, GetObjectRetention, PutObject, PutObjectLegalHold, PutObjectRetention,
///     Retention, RetentionMode,
/// };
/// # use holdfs::s3::{Client, Config, Credentials, Provider};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
/// # let pair = server.key_pair();
/// # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
/// # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
/// # let client = Client::new(config)?;
/// let create = CreateBucket { bucket: "ledger".into(), object_lock: true, ..CreateBucket::default() };
/// client.send(&create).await?;
/// let stored = client.send(&PutObject::new("ledger", "2026.csv", "1;2")).await?;
///
/// let (bucket, key) = ("ledger".to_owned(), "2026.csv".to_owned());
/// let retention = Retention {
///     mode: RetentionMode::Governance,
///     until: SystemTime::now() + Duration::from_secs(3600),
/// };
/// client
///     .send(&PutObjectRetention {
///         bucket: bucket.clone(),
///         key: key.clone(),
///         retention: Some(retention),
///         ..PutObjectRetention::default()
///     })
///     .await?;
/// let get = GetObjectRetention { bucket: bucket.clone(), key: key.clone(), version: None };
/// assert_eq!(client.send(&get).await?.map(|kept| kept.mode), Some(RetentionMode::Governance));
/// let hold =
///     PutObjectLegalHold { bucket: bucket.clone(), key: key.clone(), version: None, on: true };
/// client.send(&hold).await?;
///
/// // The version is kept by both; the key only gets a delete marker.
/// let delete = DeleteObject {
///     bucket: bucket.clone(),
///     key: key.clone(),
///     version: stored.version.clone(),
///     bypass_governance: true,
///     ..DeleteObject::default()
/// };
/// let refused = client.send(&delete).await.expect_err("a legal hold cannot be bypassed");
/// assert!(refused.is_object_lock(), "{refused}");
/// client.send(&PutObjectLegalHold { on: false, ..hold }).await?;
/// client.send(&delete).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct PutObjectRetention {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// Until when it cannot be overwritten or deleted.
    pub retention: Option<Retention>,
    /// Also what a retention of mode GOVERNANCE keeps, where the caller may.
    pub bypass_governance: bool,
}

/// What stores answer for an object that was never locked; the second is Ceph's. (A bucket without object lock is
/// InvalidRequest, which stays an error.)
const NEVER_LOCKED: &[&str] = &["NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"];

impl Operation for GetObjectLegalHold {
    type Output = bool;
    const NAME: &'static str = "GetObjectLegalHold";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::GET, &self.bucket, &self.key, self.version.as_ref())?;
        Ok(request.with("legal-hold", ""))
    }

    fn decode(&self, reply: Reply) -> Result<bool> {
        let mut on = None;
        Reader::open(reply.document()?, "LegalHold")?.children(|name, xml| {
            if name == "Status" {
                on = Some(parse_hold(&xml.text()?)?);
            }
            Ok(())
        })?;
        on.ok_or_else(|| Error::decode("The reply has a legal hold without a status."))
    }

    fn recover(&self, error: &Error) -> Option<bool> {
        NEVER_LOCKED.contains(&error.code()).then_some(false)
    }
}

impl Operation for PutObjectLegalHold {
    type Output = ();
    const NAME: &'static str = "PutObjectLegalHold";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::PUT, &self.bucket, &self.key, self.version.as_ref())?;
        let document = Writer::document("LegalHold", |xml| xml.element("Status", hold_word(self.on)))?;
        Ok(request.with("legal-hold", "").with_document(document))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl Operation for GetObjectRetention {
    type Output = Option<Retention>;
    const NAME: &'static str = "GetObjectRetention";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::GET, &self.bucket, &self.key, self.version.as_ref())?;
        Ok(request.with("retention", ""))
    }

    fn decode(&self, reply: Reply) -> Result<Option<Retention>> {
        let (mut mode, mut until) = (None, None);
        Reader::open(reply.document()?, "Retention")?.children(|name, xml| {
            match name {
                "Mode" => mode = xml.non_empty()?,
                "RetainUntilDate" => until = Some(xml.time()?),
                _ => {}
            }
            Ok(())
        })?;
        match (mode, until) {
            (Some(mode), Some(until)) => Ok(Some(Retention { mode: parse_mode(&mode)?, until })),
            (None, None) => Ok(None),
            _ => Err(Error::decode("The reply has half of a retention: a mode or a date alone.")),
        }
    }

    fn recover(&self, error: &Error) -> Option<Option<Retention>> {
        NEVER_LOCKED.contains(&error.code()).then_some(None)
    }
}

impl Operation for PutObjectRetention {
    type Output = ();
    const NAME: &'static str = "PutObjectRetention";

    fn encode(&self) -> Result<Request> {
        let mut request = on_version(Method::PUT, &self.bucket, &self.key, self.version.as_ref())?;
        put_bypass_governance(&mut request.headers, self.bypass_governance)?;
        let document = Writer::document("Retention", |xml| {
            let Some(Retention { mode, until }) = self.retention else { return Ok(()) };
            xml.element("Mode", mode.as_str())?;
            xml.element("RetainUntilDate", &timestamp::rfc3339_millis(until))
        })?;
        Ok(request.with("retention", "").with_document(document))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::RetentionMode;
    use super::super::fixture::{reply, wire};
    use super::*;
    use crate::s3::ErrorKind;

    #[test]
    fn a_legal_hold_is_on_or_off() {
        let put = PutObjectLegalHold { bucket: "b".into(), key: "k".into(), version: None, on: true };
        assert_eq!(
            wire(&put),
            "PUT /b/k?legal-hold=\n<LegalHold xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Status>ON</Status></LegalHold>"
        );
        assert!(put.encode().unwrap().needs_checksum);
        let get = GetObjectLegalHold { bucket: "b".into(), key: "k".into(), version: None };
        let answer = |document: &str| get.decode(reply(200, &[], document));
        assert!(answer("<LegalHold><Status>ON</Status></LegalHold>").unwrap());
        assert!(!answer("<LegalHold><Status>OFF</Status></LegalHold>").unwrap());
        for document in ["<LegalHold/>", "<LegalHold><Status>MAYBE</Status></LegalHold>", ""] {
            assert_eq!(answer(document).unwrap_err().kind(), ErrorKind::Corrupt, "{document}");
        }
    }

    #[test]
    fn retention_is_a_mode_and_a_date() {
        let until = timestamp::parse_rfc3339("2027-01-31T00:00:00Z").unwrap();
        let retention = Retention { mode: RetentionMode::Governance, until };
        let put = PutObjectRetention {
            bucket: "b".into(),
            key: "k".into(),
            version: Some(VersionId("v".into())),
            retention: Some(retention),
            bypass_governance: true,
        };
        assert_eq!(
            wire(&put),
            "PUT /b/k?versionId=v&retention=\nx-amz-bypass-governance-retention: true\n<Retention \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>GOVERNANCE</Mode>\
             <RetainUntilDate>2027-01-31T00:00:00.000Z</RetainUntilDate></Retention>"
        );
        let get = GetObjectRetention { bucket: "b".into(), key: "k".into(), version: None };
        let answer = |document: &str| get.decode(reply(200, &[], document));
        let document = "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2027-01-31T00:00:00Z</RetainUntilDate>\
                        </Retention>";
        assert_eq!(answer(document).unwrap(), Some(retention));
        assert_eq!(answer("<Retention/>").unwrap(), None);
        let half = "<Retention><Mode>GOVERNANCE</Mode></Retention>";
        assert_eq!(answer(half).unwrap_err().kind(), ErrorKind::Corrupt);
        let unknown =
            "<Retention><Mode>X</Mode><RetainUntilDate>2027-01-31T00:00:00Z</RetainUntilDate></Retention>";
        assert_eq!(answer(unknown).unwrap_err().kind(), ErrorKind::Corrupt, "never read as unlocked");
    }

    #[test]
    fn no_retention_is_an_empty_document() {
        let put = PutObjectRetention { bucket: "b".into(), key: "k".into(), ..PutObjectRetention::default() };
        assert_eq!(
            wire(&put),
            "PUT /b/k?retention=\n<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></Retention>"
        );
    }
}
