//! Whether a bucket can lock objects, and how long it locks what is stored without a word about locks.

use bytes::Bytes;

use super::Setting;
use crate::s3::ops::{RetentionMode, parse_mode};
use crate::s3::xml::{Reader, Writer};
use crate::s3::{Error, Result};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectLockConfiguration {
    pub enabled: bool,
    pub default_retention: Option<DefaultRetention>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultRetention {
    pub mode: RetentionMode,
    pub period: RetentionPeriod,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionPeriod {
    Days(u32),
    Years(u32),
}

impl Setting for ObjectLockConfiguration {
    const SUBRESOURCE: &'static str = "object-lock";
    const GET: &'static str = "GetObjectLockConfiguration";
    const PUT: &'static str = "PutObjectLockConfiguration";
    const ABSENT: &'static [&'static str] =
        &["ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"];

    fn encode(&self) -> Result<Bytes> {
        Writer::document("ObjectLockConfiguration", |xml| {
            if self.enabled {
                xml.element("ObjectLockEnabled", "Enabled")?;
            }
            let Some(retention) = self.default_retention else { return Ok(()) };
            xml.nested("Rule", |xml| xml.nested("DefaultRetention", |xml| retention.encode(xml)))
        })
    }

    fn decode(document: &[u8]) -> Result<Self> {
        let mut configuration = Self::default();
        Reader::open(document, "ObjectLockConfiguration")?.children(|name, xml| {
            match name {
                "ObjectLockEnabled" => configuration.enabled = xml.text()?.eq_ignore_ascii_case("Enabled"),
                "Rule" => xml.children(|name, xml| {
                    if name == "DefaultRetention" {
                        configuration.default_retention = DefaultRetention::decode(xml)?;
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(configuration)
    }
}

impl DefaultRetention {
    fn encode(self, xml: &mut Writer) -> Result<()> {
        xml.element("Mode", self.mode.as_str())?;
        match self.period {
            RetentionPeriod::Days(days) => xml.element("Days", &days.to_string()),
            RetentionPeriod::Years(years) => xml.element("Years", &years.to_string()),
        }
    }

    fn decode(xml: &mut Reader<'_>) -> Result<Option<Self>> {
        let (mut mode, mut period) = (None, None);
        xml.children(|name, xml| {
            match name {
                "Mode" => mode = xml.non_empty()?,
                "Days" => period = Some(RetentionPeriod::Days(xml.number()?)),
                "Years" => period = Some(RetentionPeriod::Years(xml.number()?)),
                _ => {}
            }
            Ok(())
        })?;
        match (mode, period) {
            (Some(mode), Some(period)) => Ok(Some(Self { mode: parse_mode(&mode)?, period })),
            (None, None) => Ok(None),
            _ => Err(Error::decode("The bucket has half of a default retention: a mode or a period alone.")),
        }
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
