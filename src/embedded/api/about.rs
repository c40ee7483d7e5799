//! What an object has beside its bytes, as headers say it, and what of that is legal.

use percent_encoding::percent_decode_str;
use s3s::dto::StorageClass;

use crate::embedded::options::Limits;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{About, Tags};

/// `aws-chunked` was an encoding of the transfer.
pub(super) fn stored_encoding(header: Option<String>) -> Option<String> {
    let header = header?;
    let kept: Vec<&str> =
        header.split(',').map(str::trim).filter(|encoding| *encoding != "aws-chunked").collect();
    Some(kept.join(",")).filter(|kept| !kept.is_empty())
}

pub(super) fn storage_class(class: Option<StorageClass>) -> Result<Option<String>, Refusal> {
    const KNOWN: [&str; 7] = [
        StorageClass::REDUCED_REDUNDANCY,
        StorageClass::STANDARD_IA,
        StorageClass::ONEZONE_IA,
        StorageClass::INTELLIGENT_TIERING,
        StorageClass::GLACIER,
        StorageClass::DEEP_ARCHIVE,
        StorageClass::GLACIER_IR,
    ];
    match class.as_ref().map(StorageClass::as_str) {
        None | Some(StorageClass::STANDARD) => Ok(None),
        Some(name) if KNOWN.contains(&name) => Ok(Some(name.to_owned())),
        Some(_) => {
            Err(Refusal::new(400, "InvalidStorageClass", "The storage class you specified is not valid"))
        }
    }
}

/// Tags as in `x-amz-tagging`: a form.
pub(super) fn parse_tags(header: &str) -> Result<Tags, Refusal> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned())
    };
    let invalid = || {
        Refusal::argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query \
                                        parameters without tag name duplicates.",
        )
    };
    let mut tags = Tags::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decode(key).map_err(|_| invalid())?, decode(value).map_err(|_| invalid())?);
        if tags.insert(key, value).is_some() {
            return Err(invalid());
        }
    }
    Ok(tags)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
pub(super) fn check_tags(tags: &Tags, limits: &Limits) -> Result<(), Refusal> {
    if tags.len() > limits.tags_max {
        let message = format!("Object tags cannot be greater than {}", limits.tags_max);
        return Err(Refusal::new(400, "BadRequest", message));
    }
    let legal =
        |text: &str| text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "+-=._:/@".contains(c));
    for (key, value) in tags {
        let key_fits = (1..=128).contains(&key.chars().count()) && !key.starts_with("aws:") && legal(key);
        if !key_fits {
            return Err(Refusal::new(400, "InvalidTag", "The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !legal(value) {
            return Err(Refusal::new(400, "InvalidTag", "The TagValue you have provided is invalid"));
        }
    }
    Ok(())
}

pub(super) fn check_about(about: &About, limits: &Limits) -> Result<(), Refusal> {
    let size: usize = about.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > limits.metadata_bytes_max {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(Refusal::new(400, "MetadataTooLarge", message));
    }
    check_tags(&about.tags, limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_as_a_form() {
        let tags = |header| parse_tags(header).map_err(|refusal| refusal.code);
        let pairs = |list: &[(&str, &str)]| {
            Ok(list.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect::<Tags>())
        };
        assert_eq!(tags("a=1&b=x%20y+z"), pairs(&[("a", "1"), ("b", "x y z")]));
        assert_eq!(tags("bare"), pairs(&[("bare", "")]));
        assert_eq!(tags("%C3%BC=%2B"), pairs(&[("ü", "+")]));
        assert_eq!(tags("a=1&a=2"), Err("InvalidArgument"));
        assert_eq!(tags(""), pairs(&[]));
    }

    #[test]
    fn tags_are_limited_in_number_length_and_letters() {
        let check = |tags: Vec<(String, String)>| {
            check_tags(&tags.into_iter().collect(), &Limits::default())
                .map_or_else(|refusal| refusal.code, |()| "OK")
        };
        let one = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        assert_eq!(check((0..10).map(|n| (n.to_string(), String::new())).collect()), "OK");
        assert_eq!(check((0..11).map(|n| (n.to_string(), String::new())).collect()), "BadRequest");
        assert_eq!(check(one(&"k".repeat(128), &"v".repeat(256))), "OK");
        assert_eq!(check(one(&"k".repeat(129), "")), "InvalidTag");
        assert_eq!(check(one("", "")), "InvalidTag");
        assert_eq!(check(one("k", &"v".repeat(257))), "InvalidTag");
        assert_eq!(check(one("aws:k", "")), "InvalidTag");
        assert_eq!(check(one("k", "a&b")), "InvalidTag");
        assert_eq!(check(one("ключ", "значение @ +-=._:/")), "OK");
    }

    #[test]
    fn the_transfer_encoding_is_not_stored() {
        let stored = |header: &str| stored_encoding(Some(header.to_owned()));
        assert_eq!(stored("aws-chunked"), None);
        assert_eq!(stored("gzip,aws-chunked").as_deref(), Some("gzip"));
        assert_eq!(stored("gzip").as_deref(), Some("gzip"));
    }
}
