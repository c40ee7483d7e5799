//! Which objects a rule is about, as replication, analytics and tiering say it.

use serde::{Deserialize, Serialize};

use crate::s3::Result;
use crate::s3::document::{Element, document};
use crate::s3::ops::read_tag;
use crate::s3::xml::{Reader, Writer};

/// A tag that an object must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// 1 to 128 characters.
    #[serde(rename = "Key")]
    pub key: String,
    /// Up to 256 characters.
    #[serde(rename = "Value")]
    pub value: String,
}

impl Element for Tag {
    fn write(&self, name: &str, xml: &mut Writer) -> Result<()> {
        xml.nested(name, |xml| {
            self.key.write("Key", xml)?;
            self.value.write("Value", xml)
        })
    }

    fn read(xml: &mut Reader<'_>) -> Result<Self> {
        let (key, value) = read_tag(xml)?;
        Ok(Self { key, value })
    }
}

document! {
    /// Exactly one of the fields; `and` to combine. Without any: every object.
    #[derive(Default, Eq)]
    pub struct ObjectFilter {
        prefix: Option<String> = "Prefix",
        tag: Option<Tag> = "Tag",
        and: Option<ObjectFilterAnd> = "And",
    }

    /// All of them.
    #[derive(Default, Eq)]
    pub struct ObjectFilterAnd {
        prefix: Option<String> = "Prefix",
        tags: Vec<Tag> = "Tag",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::document;

    #[test]
    fn a_tag_may_come_without_its_value_but_not_without_its_key() {
        let filter = "<Filter><Tag><Key>c</Key></Tag></Filter>";
        let read: ObjectFilter = document::decode("Filter", filter.as_bytes()).unwrap();
        assert_eq!(read.tag, Some(Tag { key: "c".into(), value: String::new() }));
        let written = document::encode("Filter", &read).unwrap();
        assert_eq!(document::decode::<ObjectFilter>("Filter", &written).unwrap(), read);
        let nameless = "<Filter><Tag><Value>c</Value></Tag></Filter>";
        let error = document::decode::<ObjectFilter>("Filter", nameless.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("a tag without a key"), "{error}");
    }
}
