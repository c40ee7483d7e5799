//! What a bucket and a key may be called. Checked before anything is sent: an empty key would turn DeleteObject
//! into DeleteBucket, and a name with a slash would turn one bucket into a key of another.

use std::net::Ipv4Addr;

use super::endpoint::arn::{Arn, is_arn};
use super::{Error, ErrorKind, Limits};

const NEW_BUCKET_CHARS: std::ops::RangeInclusive<usize> = 3..=63;
const OLD_BUCKET_CHARS_MAX: usize = 255;

/// A name that some store may have given out: old ones hold capitals, `_`, `:` and up to 255 characters. The ARN of an
/// access point may stand for one.
pub fn check_bucket(name: &str) -> Result<(), Error> {
    if is_arn(name) {
        return Arn::parse(name).map(|_| ());
    }
    let known = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_' | ':');
    if name.is_empty()
        || name.len() > OLD_BUCKET_CHARS_MAX
        || !name.chars().all(known)
        || name.trim_matches('.').is_empty()
    {
        return Err(Error::invalid(format!(
            "{name:?} is no bucket name: it has letters, digits, '.', '-' and '_' and at most 255 of them"
        )));
    }
    Ok(())
}

/// A name that every store accepts for a new bucket.
pub fn check_new_bucket(name: &str) -> Result<(), Error> {
    match fault_of_new_bucket(name) {
        None => Ok(()),
        Some(fault) => Err(Error::invalid(format!("a bucket cannot be called {name:?}: {fault}"))),
    }
}

fn fault_of_new_bucket(name: &str) -> Option<&'static str> {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let reserved_prefixes = ["xn--", "sthree-", "amzn-s3-demo-"];
    let reserved_suffixes = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    if !NEW_BUCKET_CHARS.contains(&name.len()) {
        Some("it must have 3 to 63 characters")
    } else if !name.chars().all(|char| plain(char) || matches!(char, '.' | '-')) {
        Some("it may hold lower-case letters, digits, '.' and '-' only")
    } else if !name.starts_with(plain) || !name.ends_with(plain) {
        Some("it must start and end with a letter or a digit")
    } else if ["..", ".-", "-."].iter().any(|pair| name.contains(pair)) {
        Some("a '.' must stand between letters or digits")
    } else if name.parse::<Ipv4Addr>().is_ok() {
        Some("it must not look like an IP address")
    } else if reserved_prefixes.iter().any(|prefix| name.starts_with(prefix))
        || reserved_suffixes.iter().any(|suffix| name.ends_with(suffix))
    {
        Some("its beginning or end is reserved by AWS")
    } else {
        None
    }
}

/// Any UTF-8 of one to 1,024 bytes; segments may be empty, `.` or `..`.
pub fn check_key(key: &str, limits: &Limits) -> Result<(), Error> {
    if key.is_empty() {
        return Err(Error::invalid("the key is empty"));
    }
    if key.len() > limits.key_bytes_max {
        let message =
            format!("the key has {} bytes; at most {} are allowed", key.len(), limits.key_bytes_max);
        return Err(Error::new(ErrorKind::KeyTooLong, message));
    }
    Ok(())
}

/// One label of a host name, so that it can stand before the store's own name.
pub fn is_dns_label(name: &str) -> bool {
    name.len() <= 63
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_usable_but_not_given_to_new_buckets() {
        for (name, usable, creatable) in [
            ("photos", true, true),
            ("my.photos-2024", true, true),
            ("Photos_Of:Me", true, false),
            ("ab", true, false),
            ("192.168.5.4", true, false),
            ("a..b", true, false),
            ("a.-b", true, false),
            ("-ab", true, false),
            ("xn--abc", true, false),
            ("abc--x-s3", true, false),
            ("", false, false),
            ("..", false, false),
            ("a/b", false, false),
            ("a b", false, false),
            ("a%2Fb", false, false),
            ("arn:aws:s3:eu-west-1:1:accesspoint/me", true, false),
            ("arn:aws:s3:eu-west-1:1:bucket/me", false, false),
            ("ä", false, false),
            ("a\n", false, false),
        ] {
            assert_eq!(check_bucket(name).is_ok(), usable, "{name:?} for use");
            assert_eq!(check_new_bucket(name).is_ok(), creatable, "{name:?} for creation");
        }
        assert!(check_bucket(&"a".repeat(255)).is_ok() && check_bucket(&"a".repeat(256)).is_err());
    }

    #[test]
    fn keys_are_bounded_in_bytes_and_never_empty() {
        let limits = Limits::default();
        assert_eq!(check_key("", &limits).expect_err("empty").kind(), ErrorKind::Invalid);
        assert!(check_key(&"a".repeat(1024), &limits).is_ok());
        assert_eq!(check_key(&"ü".repeat(513), &limits).expect_err("long").kind(), ErrorKind::KeyTooLong);
        assert!(check_key("..", &limits).is_ok());
    }
}
