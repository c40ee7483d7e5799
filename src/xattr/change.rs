//! Pure: what a setxattr or removexattr asks for, judged before anything is sent.

use std::time::SystemTime;

use super::view::header_of_mut;
use super::{Error, Header, Name, Result, VALUE_BYTES_MAX, lock, metadata, tags};
use crate::s3::ops::{NewObject, Retention, Tags};

/// An attribute set (`Some`) or removed (`None`).
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Tag(String, Option<String>),
    Tags(Tags),
    LegalHold(bool),
    Retention(Option<Retention>),
    Header(Header, Option<String>),
    StorageClass(String),
    Metadata(Vec<u8>, Option<Vec<u8>>),
    /// Upload now and wait.
    Sync,
}

/// How a change of a stored object takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A request of its own: tags, hold, retention.
    Label,
    /// The object is stored anew.
    Rewrite,
    Upload,
}

impl Change {
    /// What setting `name` to `value` means; refused where the store would refuse it.
    pub fn set(name: Name, value: &[u8], now: SystemTime) -> Result<Self> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(Error::TooBig("a value has at most 64 KiB".to_owned()));
        }
        match name {
            Name::Tag(key) => Self::set_tag(key, text_of(value)?),
            Name::Tags => tags::parse(text_of(value)?).map(Self::Tags),
            Name::LegalHold => lock::parse_hold(text_of(value)?).map(Self::LegalHold),
            Name::Retention => {
                lock::parse_retention(text_of(value)?, now).map(|it| Self::Retention(Some(it)))
            }
            Name::Header(header) => Ok(Self::Header(header, Some(header_value(value)?))),
            Name::StorageClass => storage_class(value).map(Self::StorageClass),
            Name::Metadata(name) => Ok(Self::Metadata(name, Some(value.to_vec()))),
            Name::Sync => Ok(Self::Sync),
            other => Err(read_only(&other)),
        }
    }

    pub fn remove(name: Name) -> Result<Self> {
        match name {
            Name::Tag(key) => Ok(Self::Tag(key, None)),
            Name::Tags => Ok(Self::Tags(Tags::new())),
            Name::LegalHold => Ok(Self::LegalHold(false)),
            Name::Retention => Ok(Self::Retention(None)),
            Name::Header(header) => Ok(Self::Header(header, None)),
            Name::Metadata(name) => Ok(Self::Metadata(name, None)),
            other => Err(read_only(&other)),
        }
    }

    fn set_tag(key: String, value: &str) -> Result<Self> {
        tags::validate(&[(key.clone(), value.to_owned())].into())?;
        Ok(Self::Tag(key, Some(value.to_owned())))
    }

    pub fn effect(&self) -> Effect {
        match self {
            Self::Tag(..) | Self::Tags(_) | Self::LegalHold(_) | Self::Retention(_) => Effect::Label,
            Self::Header(..) | Self::StorageClass(_) | Self::Metadata(..) => Effect::Rewrite,
            Self::Sync => Effect::Upload,
        }
    }

    /// Only a bucket with object lock can do this.
    pub fn needs_object_lock(&self) -> bool {
        matches!(self, Self::LegalHold(_) | Self::Retention(_))
    }

    /// Makes the change in what an object will be given. The object is unchanged if this fails.
    pub fn apply(&self, object: &mut NewObject) -> Result<()> {
        match self {
            Self::Tag(key, value) => {
                let changed =
                    self::change_tag(object.tags.clone().unwrap_or_default(), key, value.as_deref())?;
                object.tags = Some(changed);
            }
            Self::Tags(tags) => object.tags = Some(tags.clone()),
            Self::LegalHold(on) => object.lock.legal_hold = Some(*on),
            Self::Retention(retention) => object.lock.retention = *retention,
            Self::Header(header, value) => set_header(object, *header, value.clone())?,
            Self::StorageClass(class) => object.storage_class = Some(class.clone()),
            Self::Metadata(name, Some(value)) => metadata::set(&mut object.metadata, name, value)?,
            Self::Metadata(name, None) => metadata::remove(&mut object.metadata, name)?,
            Self::Sync => {}
        }
        Ok(())
    }
}

/// The set with one tag set or removed.
pub(super) fn change_tag(mut set: Tags, key: &str, value: Option<&str>) -> Result<Tags> {
    match value {
        Some(value) => {
            set.insert(key.to_owned(), value.to_owned());
            tags::validate(&set)?;
        }
        None => {
            set.remove(key).ok_or(Error::NoAttribute)?;
        }
    }
    Ok(set)
}

fn set_header(object: &mut NewObject, header: Header, value: Option<String>) -> Result<()> {
    let field = header_of_mut(&mut object.content, header);
    if value.is_none() && field.is_none() {
        return Err(Error::NoAttribute);
    }
    *field = value;
    Ok(())
}

fn read_only(name: &Name) -> Error {
    match name {
        Name::Foreign => Error::Unsupported("only user.* attributes can be stored".to_owned()),
        Name::Unknown => Error::Unsupported(
            "names below user.s3. and user.holdfs. have fixed meanings, and this is none".to_owned(),
        ),
        _ => Error::Unsupported("this attribute can only be read".to_owned()),
    }
}

fn text_of(value: &[u8]) -> Result<&str> {
    std::str::from_utf8(value).map_err(|_| Error::Invalid("the value is not UTF-8".to_owned()))
}

/// A value that a header can carry.
fn header_value(value: &[u8]) -> Result<String> {
    let printable = !value.is_empty() && value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if !printable || value.starts_with(b" ") || value.ends_with(b" ") {
        return Err(Error::Invalid(
            "a header's value is printable ASCII, not empty and without blanks at its ends".to_owned(),
        ));
    }
    text_of(value).map(str::to_owned)
}

fn storage_class(value: &[u8]) -> Result<String> {
    let class = header_value(value)?;
    let well_formed = class.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-'));
    if well_formed { Ok(class) } else { Err(Error::Invalid(format!("{class:?} is no storage class"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Change> {
        Change::set(Name::parse(name.as_bytes()), value.as_bytes(), SystemTime::UNIX_EPOCH)
    }

    fn remove(name: &str) -> Result<Change> {
        Change::remove(Name::parse(name.as_bytes()))
    }

    #[test]
    fn each_name_takes_effect_in_its_way() {
        for (name, value, effect) in [
            ("user.s3.tag.a", "b", Effect::Label),
            ("user.s3.tags", "a=b", Effect::Label),
            ("user.s3.legal-hold", "ON", Effect::Label),
            ("user.s3.retention", "GOVERNANCE 2027-01-31T00:00:00Z", Effect::Label),
            ("user.s3.content-type", "text/plain", Effect::Rewrite),
            ("user.s3.storage-class", "STANDARD_IA", Effect::Rewrite),
            ("user.comment", "hi", Effect::Rewrite),
            ("user.holdfs.sync", "", Effect::Upload),
        ] {
            assert_eq!(set(name, value).expect(name).effect(), effect, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_told_from_what_is_wrong() {
        for name in ["user.s3.etag", "user.s3.nonsense", "user.holdfs.state", "system.posix_acl_access"] {
            assert!(matches!(set(name, "x"), Err(Error::Unsupported(_))), "{name}");
            assert!(matches!(remove(name), Err(Error::Unsupported(_))), "{name}");
        }
        for (name, value) in [
            ("user.s3.tag.a", "b&c"),
            ("user.s3.legal-hold", "maybe"),
            ("user.s3.retention", "GOVERNANCE 1960-01-31T00:00:00Z"),
            ("user.s3.content-type", "a\r\nb"),
            ("user.s3.storage-class", "very cold"),
        ] {
            assert!(matches!(set(name, value), Err(Error::Invalid(_))), "{name}");
        }
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        assert!(matches!(set("user.a", &long), Err(Error::TooBig(_))));
    }

    #[test]
    fn changes_apply_to_what_will_be_stored() {
        let mut object = NewObject::default();
        for (name, value) in [("user.s3.tag.a", "b"), ("user.s3.content-type", "text/x"), ("user.c", "d")] {
            set(name, value).expect("valid").apply(&mut object).expect("applies");
        }
        assert_eq!(object.tags.as_ref().and_then(|tags| tags.get("a")).map(String::as_str), Some("b"));
        assert_eq!(object.content.content_type.as_deref(), Some("text/x"));
        assert_eq!(object.metadata.get("c").map(String::as_str), Some("d"));
        remove("user.s3.tag.a").expect("valid").apply(&mut object).expect("it was there");
        assert!(matches!(
            remove("user.s3.tag.a").expect("valid").apply(&mut object),
            Err(Error::NoAttribute)
        ));
        assert!(matches!(
            remove("user.s3.expires").expect("valid").apply(&mut object),
            Err(Error::NoAttribute)
        ));
    }

    #[test]
    fn an_eleventh_tag_is_refused_and_changes_nothing() {
        let ten: Tags = (0..10).map(|n| (format!("k{n}"), String::new())).collect();
        let mut object = NewObject { tags: Some(ten.clone()), ..NewObject::default() };
        let change = set("user.s3.tag.eleventh", "x").expect("valid by itself");
        assert!(matches!(change.apply(&mut object), Err(Error::Invalid(_))));
        assert_eq!(object.tags, Some(ten));
    }
}
