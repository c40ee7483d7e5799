//! Whether a bucket can lock objects, and how long it locks what is stored without a word about locks.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html>

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::s3::document::{self, document};
use crate::s3::ops::{RetentionMode, parse_mode};
use crate::s3::{Error, Result};

/// Whether objects can be locked, and what locks new ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct ObjectLockConfiguration {
    /// Once enabled it stays so.
    pub enabled: bool,
    /// What new objects are given that are not told otherwise.
    pub default_retention: Option<DefaultRetention>,
}

/// How new objects are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultRetention {
    /// How firmly.
    pub mode: RetentionMode,
    /// For how long.
    pub period: RetentionPeriod,
}

/// At most 36,500 days or 100 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionPeriod {
    /// At least one.
    Days(u32),
    /// At least one.
    Years(u32),
}

mod wire {
    //! The document as it is written.

    use super::document;

    document! {
        #[derive(Default)]
        pub struct Wire {
            enabled: Option<String> = "ObjectLockEnabled",
            rule: Option<Rule> = "Rule",
        }

        #[derive(Default)]
        pub struct Rule {
            default: Option<Default> = "DefaultRetention",
        }

        #[derive(Default)]
        pub struct Default {
            mode: Option<String> = "Mode",
            days: Option<u32> = "Days",
            years: Option<u32> = "Years",
        }
    }
}
use wire::Wire;

impl From<ObjectLockConfiguration> for Wire {
    fn from(configuration: ObjectLockConfiguration) -> Self {
        let default = configuration.default_retention.map(wire::Default::from);
        Self {
            enabled: configuration.enabled.then(|| "Enabled".to_owned()),
            rule: default.map(|default| wire::Rule { default: Some(default) }),
        }
    }
}

impl From<DefaultRetention> for wire::Default {
    fn from(DefaultRetention { mode, period }: DefaultRetention) -> Self {
        let mode = Some(mode.as_str().to_owned());
        match period {
            RetentionPeriod::Days(days) => Self { mode, days: Some(days), years: None },
            RetentionPeriod::Years(years) => Self { mode, days: None, years: Some(years) },
        }
    }
}

impl TryFrom<Wire> for ObjectLockConfiguration {
    type Error = Error;

    fn try_from(wire: Wire) -> Result<Self> {
        let default = wire.rule.and_then(|rule| rule.default).unwrap_or_default();
        let enabled = wire.enabled.is_some_and(|word| word.trim().eq_ignore_ascii_case("Enabled"));
        Ok(Self { enabled, default_retention: default_retention(default)? })
    }
}

fn default_retention(wire: wire::Default) -> Result<Option<DefaultRetention>> {
    let period = match (wire.days, wire.years) {
        (Some(days), None) => Some(RetentionPeriod::Days(days)),
        (None, Some(years)) => Some(RetentionPeriod::Years(years)),
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(Error::decode("The bucket has a default retention of both days and years."));
        }
    };
    match (wire.mode.filter(|mode| !mode.is_empty()), period) {
        (Some(mode), Some(period)) => Ok(Some(DefaultRetention { mode: parse_mode(&mode)?, period })),
        (None, None) => Ok(None),
        _ => Err(Error::decode("The bucket has half of a default retention: a mode or a period alone.")),
    }
}

impl Setting for ObjectLockConfiguration {
    const SUBRESOURCE: &'static str = "object-lock";
    const GET: &'static str = "GetObjectLockConfiguration";
    const PUT: &'static str = "PutObjectLockConfiguration";
    const ABSENT: &'static [&'static str] =
        &["ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"];

    fn encode(&self) -> Result<Bytes> {
        document::encode("ObjectLockConfiguration", &Wire::from(self.clone()))
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode::<Wire>("ObjectLockConfiguration", document)?.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GetSetting, PutSetting};
    use super::*;
    use crate::s3::ops::fixture::{reply, wire};
    use crate::s3::{ErrorKind, Operation};

    #[test]
    fn object_lock_as_in_the_reference() {
        let retention =
            DefaultRetention { mode: RetentionMode::Compliance, period: RetentionPeriod::Days(50) };
        let document = ObjectLockConfiguration { enabled: true, default_retention: Some(retention) };
        let put = PutSetting { bucket: "b".into(), document: document.clone() };
        assert_eq!(
            wire(&put),
            "PUT /b?object-lock=\n<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode>\
             <Days>50</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
        );
        let json = serde_json::to_value(&document).unwrap();
        assert_eq!(json["Rule"]["DefaultRetention"]["Days"], 50);
        assert_eq!(serde_json::from_value::<ObjectLockConfiguration>(json).unwrap(), document);
        let encoded = document.encode().unwrap();
        assert_eq!(ObjectLockConfiguration::decode(&encoded).unwrap(), document);
    }

    #[test]
    fn a_bucket_may_lock_without_a_default() {
        let get = GetSetting::<ObjectLockConfiguration>::new("b");
        let answer = |inside: &str| {
            let document = format!("<ObjectLockConfiguration>{inside}</ObjectLockConfiguration>");
            get.decode(reply(200, &[], &document))
        };
        let enabled = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
        let expected = ObjectLockConfiguration { enabled: true, default_retention: None };
        assert_eq!(answer(enabled).unwrap(), Some(expected.clone()));
        assert_eq!(answer(&format!("{enabled}<Rule><DefaultRetention/></Rule>")).unwrap(), Some(expected));
        let years =
            "<Rule><DefaultRetention><Years>1</Years><Mode>GOVERNANCE</Mode></DefaultRetention></Rule>";
        let retention =
            DefaultRetention { mode: RetentionMode::Governance, period: RetentionPeriod::Years(1) };
        assert_eq!(answer(years).unwrap().unwrap().default_retention, Some(retention));
        let half = "<Rule><DefaultRetention><Years>1</Years></DefaultRetention></Rule>";
        assert_eq!(answer(half).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
