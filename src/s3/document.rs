//! Documents as data: a struct whose fields name their elements.
//!
//! `document!` declares such a struct once and makes of it the XML in the order of the fields, the reader of that
//! XML in any order, and the same shape as JSON (an element is a member, a repeated one an array). In a field's
//! type stands how often the element comes: `T` once, `Option<T>` at most once, `Vec<T>` any number of times, one
//! beside the other. `words!` declares what an element may say; a word that is not known is kept as it is.
//!
//! Elements that are not known are skipped when XML is read, as newer stores say more, and refused in JSON, which
//! people write.

use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::xml::{Reader, Writer};
use super::{Error, Result};
use crate::base::timestamp;

/// What an element holds.
pub(in crate::s3) trait Element: Sized {
    fn write(&self, name: &str, xml: &mut Writer) -> Result<()>;

    /// Reads the open element.
    fn read(xml: &mut Reader<'_>) -> Result<Self>;

    /// Adds the open element to what came before under its name: the last one counts, where one is expected.
    fn join(slot: &mut Option<Self>, xml: &mut Reader<'_>) -> Result<()> {
        *slot = Some(Self::read(xml)?);
        Ok(())
    }

    /// The value of a field when its parent has ended.
    fn settle(slot: Option<Self>, name: &str) -> Result<Self> {
        slot.ok_or_else(|| Error::decode(format!("The reply lacks the element {name}.")))
    }

    /// Nothing will be written.
    fn is_absent(&self) -> bool {
        false
    }

    /// An element without content that stands for no element.
    fn is_blank(&self) -> bool {
        false
    }
}

/// A request document with this root.
pub(in crate::s3) fn encode(root: &str, document: &impl Parent) -> Result<Bytes> {
    Writer::document(root, |xml| document.write_inside(xml))
}

/// A reply document with this root.
pub(in crate::s3) fn decode<T: Element>(root: &str, document: &[u8]) -> Result<T> {
    T::read(&mut Reader::open(document, root)?)
}

/// An element that has elements inside.
pub(in crate::s3) trait Parent: Element {
    fn write_inside(&self, xml: &mut Writer) -> Result<()>;
}

impl<T: Element> Element for Option<T> {
    fn write(&self, name: &str, xml: &mut Writer) -> Result<()> {
        self.as_ref().map_or(Ok(()), |value| value.write(name, xml))
    }

    fn read(xml: &mut Reader<'_>) -> Result<Self> {
        Ok(Some(T::read(xml)?).filter(|value| !value.is_blank()))
    }

    fn settle(slot: Option<Self>, _name: &str) -> Result<Self> {
        Ok(slot.flatten())
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Element> Element for Vec<T> {
    fn write(&self, name: &str, xml: &mut Writer) -> Result<()> {
        self.iter().try_for_each(|value| value.write(name, xml))
    }

    fn read(xml: &mut Reader<'_>) -> Result<Self> {
        Ok(vec![T::read(xml)?])
    }

    fn join(slot: &mut Option<Self>, xml: &mut Reader<'_>) -> Result<()> {
        slot.get_or_insert_default().push(T::read(xml)?);
        Ok(())
    }

    fn settle(slot: Option<Self>, _name: &str) -> Result<Self> {
        Ok(slot.unwrap_or_default())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Element> Element for Box<T> {
    fn write(&self, name: &str, xml: &mut Writer) -> Result<()> {
        (**self).write(name, xml)
    }

    fn read(xml: &mut Reader<'_>) -> Result<Self> {
        T::read(xml).map(Self::new)
    }
}

impl Element for String {
    fn write(&self, name: &str, xml: &mut Writer) -> Result<()> {
        xml.element(name, self)
    }

    fn read(xml: &mut Reader<'_>) -> Result<Self> {
        xml.string()
    }
}

impl Element for bool {
    fn write(&self, name: &str, xml: &mut Writer) -> Result<()> {
        xml.element(name, if *self { "true" } else { "false" })
    }

    fn read(xml: &mut Reader<'_>) -> Result<Self> {
        xml.boolean()
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Element for $number {
            fn write(&self, name: &str, xml: &mut Writer) -> Result<()> {
                xml.element(name, &self.to_string())
            }

            fn read(xml: &mut Reader<'_>) -> Result<Self> {
                xml.number()
            }
        }
    )*};
}

numbers!(u32, u64, i64);

/// A moment: ISO 8601 with milliseconds in XML and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub SystemTime);

impl Element for Date {
    fn write(&self, name: &str, xml: &mut Writer) -> Result<()> {
        xml.element(name, &timestamp::rfc3339_millis(self.0))
    }

    fn read(xml: &mut Reader<'_>) -> Result<Self> {
        xml.time().map(Self)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&timestamp::rfc3339_millis(self.0))
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let date = timestamp::parse_rfc3339(&text);
        date.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("{text:?} is no date: write it as 2027-01-31T00:00:00Z"))
        })
    }
}

/// See the head of this module. The name of the element stands behind the field.
macro_rules! document {
    ($($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* })*) => {
        $($crate::s3::document::document!(@fields [$(#[$meta])* $name] [] $($body)*);)*
    };
    (@fields $head:tt [$($done:tt)*] $(#[$doc:meta])* $field:ident: Vec<$type:ty> = $element:literal, $($rest:tt)*) => {
        $crate::s3::document::document!(
            @fields $head [$($done)* { #[serde(default)] $(#[$doc])* $field: (Vec<$type>) = $element }] $($rest)*
        );
    };
    (@fields $head:tt [$($done:tt)*] $(#[$doc:meta])* $field:ident: $type:ty = $element:literal, $($rest:tt)*) => {
        $crate::s3::document::document!(
            @fields $head [$($done)* { $(#[$doc])* $field: ($type) = $element }] $($rest)*
        );
    };
    (
        @fields [$(#[$meta:meta])* $name:ident]
        [$({ $(#[$attribute:meta])* $field:ident: ($type:ty) = $element:literal })*]
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[doc = ""]
        #[doc = "A document, or an element of one; the same shape as XML and as JSON."]
        pub struct $name {
            $(
                $(#[$attribute])*
                #[doc = ""]
                #[doc = concat!("The element `", $element, "`.")]
                #[serde(rename = $element, skip_serializing_if = "crate::s3::document::Element::is_absent")]
                pub $field: $type,
            )*
        }

        impl $crate::s3::document::Parent for $name {
            fn write_inside(&self, _xml: &mut $crate::s3::xml::Writer) -> $crate::s3::Result<()> {
                $($crate::s3::document::Element::write(&self.$field, $element, _xml)?;)*
                Ok(())
            }
        }

        impl $crate::s3::document::Element for $name {
            fn write(&self, name: &str, xml: &mut $crate::s3::xml::Writer) -> $crate::s3::Result<()> {
                xml.nested(name, |xml| $crate::s3::document::Parent::write_inside(self, xml))
            }

            fn read(xml: &mut $crate::s3::xml::Reader<'_>) -> $crate::s3::Result<Self> {
                $(let mut $field: Option<$type> = None;)*
                xml.children(|name, _xml| match name {
                    $($element => $crate::s3::document::Element::join(&mut $field, _xml),)*
                    _ => Ok(()),
                })?;
                Ok(Self { $($field: $crate::s3::document::Element::settle($field, $element)?,)* })
            }
        }
    };
}
pub(in crate::s3) use document;

/// What an element may say. A word that is not among them is kept as `Other`.
macro_rules! words {
    ($($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        #[doc = ""]
        #[doc = "A word that is not among them is kept as it is."]
        pub enum $name {
            $(
                $(#[$doc])*
                #[doc = ""]
                #[doc = concat!("`", $word, "`")]
                $variant,
            )*
            /// A word of a newer store, as it came.
            Other(String),
        }

        impl $name {
            /// As the store spells it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }

        impl $crate::s3::document::Element for $name {
            fn write(&self, name: &str, xml: &mut $crate::s3::xml::Writer) -> $crate::s3::Result<()> {
                xml.element(name, self.as_str())
            }

            fn read(xml: &mut $crate::s3::xml::Reader<'_>) -> $crate::s3::Result<Self> {
                Ok(Self::from(xml.text()?.trim()))
            }

            fn is_blank(&self) -> bool {
                self.as_str().is_empty()
            }
        }
    )*};
}
pub(in crate::s3) use words;

document! {
    /// An element that says what it has to say by being there.
    #[derive(Copy, Default, Eq)]
    pub struct Empty {}
}

words! {
    /// A switch that can be turned both ways.
    pub enum Toggle {
        Enabled = "Enabled",
        Disabled = "Disabled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ErrorKind;

    document! {
        /// All that a field can be.
        pub struct Sample {
            name: String = "Name",
            count: Option<u32> = "Count",
            on: Option<Toggle> = "On",
            at: Option<Date> = "At",
            tags: Vec<String> = "Tag",
            mark: Option<Empty> = "Mark",
            inner: Vec<Inner> = "Inner",
        }

        pub struct Inner {
            ok: bool = "OK",
        }
    }

    fn sample() -> Sample {
        Sample {
            name: "a & b".into(),
            count: Some(3),
            on: Some(Toggle::Disabled),
            at: timestamp::parse_rfc3339("2027-01-31T00:00:00Z").map(Date),
            tags: vec!["x".into(), String::new()],
            mark: Some(Empty {}),
            inner: vec![Inner { ok: true }, Inner { ok: false }],
        }
    }

    #[test]
    fn a_document_is_written_in_order_and_read_in_any() {
        let text = encode("S", &sample()).unwrap();
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            "<S xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>a &amp; b</Name><Count>3</Count>\
             <On>Disabled</On><At>2027-01-31T00:00:00.000Z</At><Tag>x</Tag><Tag></Tag><Mark></Mark>\
             <Inner><OK>true</OK></Inner><Inner><OK>false</OK></Inner></S>"
        );
        assert_eq!(decode::<Sample>("S", &text).unwrap(), sample());
        let mixed = b"<S><Inner><New/><OK>TRUE</OK></Inner><Tag>x</Tag><At>2027-01-31T00:00:00.000Z</At>\
            <Inner><OK>false</OK></Inner><New><Name>no</Name></New><Mark/><On>Disabled</On>\
            <Count> 3 </Count><Tag/><Name>a &amp; b</Name></S>";
        assert_eq!(decode::<Sample>("S", mixed).unwrap(), sample());
    }

    #[test]
    fn what_is_not_there_is_absent_or_an_error() {
        let bare = decode::<Sample>("S", b"<S><Name/><On/></S>").unwrap();
        assert_eq!((bare.name.as_str(), bare.on, bare.mark), ("", None, None));
        assert_eq!(decode::<Sample>("S", b"<S/>").unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(decode::<Sample>("T", b"<S><Name/></S>").unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn words_of_newer_stores_are_kept() {
        let new = decode::<Sample>("S", b"<S><Name/><On>Sometimes</On></S>").unwrap();
        assert_eq!(new.on, Some(Toggle::Other("Sometimes".into())));
    }

    #[test]
    fn json_has_the_same_shape() {
        let json = serde_json::to_value(sample()).unwrap();
        let expected = serde_json::json!({
            "Name": "a & b", "Count": 3, "On": "Disabled", "At": "2027-01-31T00:00:00.000Z", "Tag": ["x", ""],
            "Mark": {}, "Inner": [{ "OK": true }, { "OK": false }],
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Sample>(json).unwrap(), sample());
        let bare: Sample = serde_json::from_str(r#"{ "Name": "n" }"#).unwrap();
        assert_eq!((bare.tags.len(), bare.count), (0, None));
        for wrong in [r#"{}"#, r#"{ "Name": "n", "Typo": 1 }"#, r#"{ "Name": "n", "At": "soon" }"#] {
            assert!(serde_json::from_str::<Sample>(wrong).is_err(), "{wrong}");
        }
    }
}
