//! Pure: tag sets as text, and the store's rules about them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Error, Result};
use crate::s3::ops::Tags;

/// Everything but what RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Limits of an S3 object's tag set, in Unicode characters.
const TAGS_MAX: usize = 10;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

/// `k1=v1&k2=v2`, percent-encoded.
pub fn format(tags: &Tags) -> String {
    let encode = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let pairs: Vec<String> =
        tags.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

/// Reads what [`format()`] wrote; an empty text is the empty set.
pub fn parse(text: &str) -> Result<Tags> {
    let mut tags = Tags::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decode(key)?, decode(value)?);
        if tags.insert(key.clone(), value).is_some() {
            return Err(Error::Invalid(format!("the tag {key:?} is given twice")));
        }
    }
    validate(&tags)?;
    Ok(tags)
}

fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| Error::Invalid(format!("{text:?} is not percent-encoded UTF-8")))
}

/// Would a store take this set?
pub fn validate(tags: &Tags) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(Error::Invalid(format!("an object can have {TAGS_MAX} tags, these are {}", tags.len())));
    }
    tags.iter().try_for_each(|(key, value)| validate_tag(key, value))
}

fn validate_tag(key: &str, value: &str) -> Result<()> {
    let refused = |why: &str| Err(Error::Invalid(format!("the tag {key:?} is refused: {why}")));
    if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
        return refused("a key has 1 to 128 characters");
    }
    if value.chars().count() > VALUE_CHARS_MAX {
        return refused("a value has at most 256 characters");
    }
    if key.starts_with("aws:") {
        return refused("keys that begin with aws: belong to AWS");
    }
    if !key.chars().chain(value.chars()).all(is_allowed) {
        return refused("only letters, digits, blanks and + - = . _ : / @ are allowed");
    }
    Ok(())
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "+-=._:/@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_set_comes_back_from_its_text() {
        let set = tags(&[("project", "x=y/z"), ("a b", "ä@+"), ("empty", "")]);
        assert_eq!(format(&set), "a%20b=%C3%A4%40%2B&empty=&project=x%3Dy%2Fz");
        assert_eq!(parse(&format(&set)).expect("valid"), set);
        assert_eq!(parse("").expect("valid"), Tags::new());
    }

    #[test]
    fn what_the_store_would_refuse_is_refused() {
        let eleven: Tags = (0..11).map(|n| (format!("k{n}"), String::new())).collect();
        assert!(validate(&eleven).is_err());
        for (key, value) in [
            ("", "v"),
            ("aws:x", "v"),
            ("k", "a&b"),
            ("k", "a\nb"),
            (&"k".repeat(129), ""),
            ("k", &"v".repeat(257)),
        ] {
            assert!(validate(&tags(&[(key, value)])).is_err(), "{key:?} {value:?}");
        }
        assert!(validate(&tags(&[(&"k".repeat(128), &"ä".repeat(256))])).is_ok());
        for text in ["a=1&a=2", "a=%ff", "a=%26"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
