//! Pure: `user.NAME` ↔ user metadata `x-amz-meta-NAME`.
//!
//! Headers carry little: names in lower case, values of printable ASCII. A pair that fits is stored as it is, so
//! that other tools see it; any other pair is stored as `holdfs-xattr-HASH: base64(NAME NUL VALUE)`, also one whose
//! value would be read as the text of a word of RFC 2047.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Error, Result};
use crate::base::digest::Sha256;
use crate::s3::Limits;
use crate::s3::ops::{Metadata, encoded_word};

/// Names whose meaning is that of POSIX metadata.
const POSIX_NAMES: [&str; 6] = ["mode", "uid", "gid", "mtime", "ctime", "atime"];
/// Everything that holdfs keeps in user metadata begins with this.
const OWN_PREFIX: &str = "holdfs-";
const ENCODED_PREFIX: &str = "holdfs-xattr-";
/// `holdfs-write-id` and its 32 digits, which every upload of a changed file carries.
const WRITE_ID_BYTES: usize = 15 + 32;

/// The value of `user.NAME`.
pub fn get(metadata: &Metadata, name: &[u8]) -> Option<Vec<u8>> {
    let as_it_is = std::str::from_utf8(name).ok().filter(|name| !is_reserved(name));
    if let Some(value) = as_it_is.and_then(|name| metadata.get(name)) {
        return Some(value.clone().into_bytes());
    }
    let (stored_name, stored_value) = decode(metadata.get(&encoded_key(name))?)?;
    (stored_name == name).then_some(stored_value)
}

/// Sets `user.NAME`.
pub fn set(metadata: &mut Metadata, name: &[u8], value: &[u8]) -> Result<()> {
    refuse_reserved(name)?;
    let mut changed = metadata.clone();
    unset(&mut changed, name);
    match plain_name(name).filter(|_| is_plain_value(value)) {
        Some(name) => changed.insert(name.to_owned(), String::from_utf8_lossy(value).into_owned()),
        None => changed.insert(encoded_key(name), encode(name, value)),
    };
    if bytes_of(&changed) > Limits::default().metadata_bytes_max {
        return Err(Error::NoSpace(format!(
            "user metadata of an object is limited to {} bytes in all",
            Limits::default().metadata_bytes_max
        )));
    }
    *metadata = changed;
    Ok(())
}

/// Removes `user.NAME`.
pub fn remove(metadata: &mut Metadata, name: &[u8]) -> Result<()> {
    refuse_reserved(name)?;
    if unset(metadata, name) { Ok(()) } else { Err(Error::NoAttribute) }
}

/// The names that are shown, without `user.`.
pub fn names(metadata: &Metadata) -> Vec<Vec<u8>> {
    metadata.iter().filter_map(|(key, value)| shown_name(key, value)).collect()
}

fn shown_name(key: &str, value: &str) -> Option<Vec<u8>> {
    match key {
        _ if key.starts_with(ENCODED_PREFIX) => decode(value).map(|(name, _)| name),
        _ if is_reserved(key) => None,
        _ => Some(key.as_bytes().to_vec()),
    }
}

/// Bytes as S3 counts them, the write id of the next upload included.
fn bytes_of(metadata: &Metadata) -> usize {
    let own = WRITE_ID_BYTES;
    let others = metadata.iter().filter(|(name, _)| *name != "holdfs-write-id");
    own + others.map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

fn unset(metadata: &mut Metadata, name: &[u8]) -> bool {
    let plain = std::str::from_utf8(name).is_ok_and(|name| metadata.remove(name).is_some());
    let key = encoded_key(name);
    let is_its = metadata.get(&key).and_then(|value| decode(value)).is_some_and(|(stored, _)| stored == name);
    let encoded = is_its && metadata.remove(&key).is_some();
    plain || encoded
}

fn refuse_reserved(name: &[u8]) -> Result<()> {
    match std::str::from_utf8(name) {
        Ok(name) if is_reserved(name) => {
            Err(Error::Forbidden(format!("user.{name} is kept by holdfs itself: use chmod, chown or touch")))
        }
        _ => Ok(()),
    }
}

fn is_reserved(name: &str) -> bool {
    POSIX_NAMES.contains(&name) || name.starts_with(OWN_PREFIX)
}

/// The name as a header can carry it.
fn plain_name(name: &[u8]) -> Option<&str> {
    let fits = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && name.as_bytes().iter().all(fits))
}

fn is_plain_value(value: &[u8]) -> bool {
    let printable = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let ends = [value.first(), value.last()];
    let blank_ends = ends.iter().any(|end| matches!(end, None | Some(b' ')));
    let looks_encoded = value.starts_with(b"=?") && value.ends_with(b"?=");
    let text = String::from_utf8_lossy(value);
    printable && !blank_ends && !looks_encoded && encoded_word::decode(&text) == text
}

fn encoded_key(name: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(name);
    let digits: String = hash.finish().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{ENCODED_PREFIX}{digits}")
}

fn encode(name: &[u8], value: &[u8]) -> String {
    BASE64.encode([name, &[0], value].concat())
}

fn decode(stored: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let pair = BASE64.decode(stored).ok()?;
    let nul = pair.iter().position(|byte| *byte == 0)?;
    Some((pair[..nul].to_vec(), pair[nul + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(name: &[u8], value: &[u8]) -> Metadata {
        let mut metadata = Metadata::new();
        set(&mut metadata, name, value).expect("it fits");
        metadata
    }

    #[test]
    fn plain_pairs_are_stored_as_they_are() {
        let metadata = stored(b"color", b"dark red");
        assert_eq!(metadata.get("color").map(String::as_str), Some("dark red"));
        assert_eq!(metadata.len(), 1);
    }

    #[test]
    fn what_a_header_cannot_carry_is_encoded() {
        for (name, value) in [
            (&b"Color"[..], &b"red"[..]),
            (b"color", b" red"),
            (b"color", b""),
            (b"color", b"=?x?="),
            (b"color", b"dark =?UTF-8?Q?red?= or so"),
            (b"color", "r\u{f6}t".as_bytes()),
            (b"\xff\xfe", b"\0\n"),
        ] {
            let metadata = stored(name, value);
            let key = metadata.keys().next().expect("one pair");
            assert!(key.starts_with("holdfs-xattr-") && key.len() == 13 + 8, "{key}");
            assert_eq!(get(&metadata, name).as_deref(), Some(value));
            assert_eq!(names(&metadata), [name]);
        }
    }

    #[test]
    fn a_new_value_replaces_the_old_one_in_either_form() {
        let mut metadata = stored(b"color", b"red");
        set(&mut metadata, b"color", b"").expect("it fits");
        assert_eq!((metadata.len(), get(&metadata, b"color")), (1, Some(Vec::new())));
        set(&mut metadata, b"color", b"blue").expect("it fits");
        assert_eq!((metadata.len(), get(&metadata, b"color")), (1, Some(b"blue".to_vec())));
    }

    #[test]
    fn posix_metadata_is_hidden_and_refused() {
        let metadata: Metadata = [("mode", "33188"), ("holdfs-write-id", "00"), ("a", "b")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        assert_eq!(names(&metadata), [b"a"]);
        assert_eq!(get(&metadata, b"mode"), None);
        assert!(matches!(set(&mut metadata.clone(), b"mtime", b"1"), Err(Error::Forbidden(_))));
        assert!(matches!(remove(&mut metadata.clone(), b"holdfs-write-id"), Err(Error::Forbidden(_))));
    }

    #[test]
    fn too_much_metadata_changes_nothing() {
        let mut metadata = stored(b"a", b"b");
        assert!(matches!(set(&mut metadata, b"big", &[b'x'; 2048]), Err(Error::NoSpace(_))));
        assert_eq!(metadata, stored(b"a", b"b"));
    }

    #[test]
    fn removing_what_is_not_there_says_so() {
        assert!(matches!(remove(&mut Metadata::new(), b"a"), Err(Error::NoAttribute)));
    }

    proptest! {
        #[test]
        fn every_pair_comes_back(
            name in proptest::collection::vec(1_u8.., 1..40),
            value in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            prop_assume!(!std::str::from_utf8(&name).is_ok_and(is_reserved));
            let metadata = stored(&name, &value);
            prop_assert_eq!(get(&metadata, &name), Some(value));
            prop_assert_eq!(names(&metadata), vec![name]);
        }
    }
}
