//! Pure rules of names: what can be one, what is reserved, and how keys and paths map to each other.
//!
//! A key is cut at its slashes into segments; a segment that can be the name of a file is *nameable*. What cannot
//! (empty, `.`, `..`, too long, NUL) is never shown, never merged with something else and never touched. Reserved
//! names are nameable, but hidden and refused. Whether `a` is shadowed by `a/` only a listing can tell.

/// One component of a path, and of a key, in bytes.
pub const SEGMENT_BYTES_MAX: usize = 255;
/// A whole key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;
/// Says that the directory it lies in holds POSIX metadata.
pub const FLAG: &str = ".holdfs";
/// Where holdfs puts aside what it must keep in the store.
pub const ASIDE: &str = ".holdfs.d";

/// Why a name cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// EILSEQ.
    #[error("the name is not valid UTF-8, which S3 keys must be")]
    NotUtf8,
    /// ENAMETOOLONG.
    #[error(
        "the name is longer than {SEGMENT_BYTES_MAX} bytes, or its whole key longer than {KEY_BYTES_MAX}"
    )]
    TooLong,
    /// EPERM.
    #[error("the name is reserved by holdfs")]
    Reserved,
    /// EINVAL: empty, `.`, `..`, or with a slash or NUL in it.
    #[error("no file can have this name")]
    Invalid,
}

/// The bytes of a name as a key can hold them. Says nothing of reserved names: those exist, but are not shown.
pub fn parse(name: &[u8]) -> Result<&str, Error> {
    let name = std::str::from_utf8(name).map_err(|_| Error::NotUtf8)?;
    nameable(name)?;
    Ok(name)
}

/// Can a file have this segment of a key as its name?
pub fn nameable(segment: &str) -> Result<(), Error> {
    if segment.len() > SEGMENT_BYTES_MAX {
        return Err(Error::TooLong);
    }
    let odd = matches!(segment, "" | "." | "..") || segment.contains(['/', '\0']);
    if odd { Err(Error::Invalid) } else { Ok(()) }
}

/// What the mount does with a nameable segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Free,
    /// Ours, anywhere in a key: hidden, not a child, not counted.
    Reserved,
    /// A virtual name of the root: a key of that name is hidden, and counted.
    Virtual,
}

/// `virtual_names` are those of the directory: empty for all but the root.
pub fn standing(name: &str, virtual_names: &[String]) -> Standing {
    if matches!(name, FLAG | ASIDE) {
        Standing::Reserved
    } else if virtual_names.iter().any(|taken| taken == name) {
        Standing::Virtual
    } else {
        Standing::Free
    }
}

/// The key of `name` in the directory whose key (with its last slash, or empty) is `directory`.
pub fn file_key(directory: &str, name: &str) -> String {
    [directory, name].concat()
}

/// The same for a directory: what its marker is called, and what every key below begins with.
pub fn directory_key(directory: &str, name: &str) -> String {
    [directory, name, "/"].concat()
}

/// A key that a request can carry.
pub fn check_key(key: &str) -> Result<(), Error> {
    if key.len() > KEY_BYTES_MAX { Err(Error::TooLong) } else { Ok(()) }
}

/// Why no path leads to the key with this rest below some directory; `Ok` also for reserved names and markers.
pub fn reachable(rest: &str) -> Result<(), Error> {
    rest.strip_suffix('/').unwrap_or(rest).split('/').try_for_each(nameable)
}

/// A mount's prefix as keys need it: empty, or ending with exactly the slash that was meant.
pub fn normalize_prefix(prefix: &str) -> String {
    match prefix {
        "" => String::new(),
        whole if whole.ends_with('/') => whole.to_owned(),
        open => format!("{open}/"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_be_a_name() {
        let longest = "x".repeat(SEGMENT_BYTES_MAX);
        let too_long = "x".repeat(SEGMENT_BYTES_MAX + 1);
        let wide = "ä".repeat(128);
        let table: &[(&[u8], Result<(), Error>)] = &[
            (b"a", Ok(())),
            (b"...", Ok(())),
            (b".hidden", Ok(())),
            (b"a b%2F+&\n\x01\x7f", Ok(())),
            ("🦀".as_bytes(), Ok(())),
            ("e\u{301}".as_bytes(), Ok(())),
            (b"*?\"<>|\\ ", Ok(())),
            (longest.as_bytes(), Ok(())),
            (too_long.as_bytes(), Err(Error::TooLong)),
            (wide.as_bytes(), Err(Error::TooLong)),
            (b"", Err(Error::Invalid)),
            (b".", Err(Error::Invalid)),
            (b"..", Err(Error::Invalid)),
            (b"a/b", Err(Error::Invalid)),
            (b"a\0b", Err(Error::Invalid)),
            (b"\xff\xfe", Err(Error::NotUtf8)),
            (b"caf\xe9", Err(Error::NotUtf8)),
        ];
        for (name, expected) in table {
            assert_eq!(parse(name).map(drop), *expected, "{}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn what_is_reserved() {
        let roots = [".versions".to_owned(), ".snapshots".to_owned()];
        assert_eq!(standing(".holdfs", &[]), Standing::Reserved);
        assert_eq!(standing(".holdfs.d", &[]), Standing::Reserved);
        assert_eq!(standing(".holdfs", &roots), Standing::Reserved);
        assert_eq!(standing(".versions", &roots), Standing::Virtual);
        assert_eq!(standing(".versions", &[]), Standing::Free);
        assert_eq!(standing(".holdfs.e", &roots), Standing::Free);
        assert_eq!(standing(".Holdfs", &roots), Standing::Free);
    }

    #[test]
    fn keys_without_a_path() {
        for good in ["a", "a/", "a/b", "a/b/", "a/.holdfs", "a b/\n", "..."] {
            assert_eq!(reachable(good), Ok(()), "{good:?}");
        }
        for bad in ["", "/", "//", "a//b", "a//", "/a", "./a", "a/../b", "a/.", "..", "a\0"] {
            assert_eq!(reachable(bad), Err(Error::Invalid), "{bad:?}");
        }
        assert_eq!(reachable(&format!("a/{}", "x".repeat(256))), Err(Error::TooLong));
    }

    #[test]
    fn prefixes_end_with_a_slash() {
        for (typed, meant) in [("", ""), ("a", "a/"), ("a/", "a/"), ("a/b", "a/b/"), ("a//", "a//")] {
            assert_eq!(normalize_prefix(typed), meant);
        }
    }

    proptest! {
        #[test]
        fn a_path_of_good_names_is_a_reachable_key(names in prop::collection::vec("[^/\0]{1,40}", 1..8)) {
            prop_assume!(names.iter().all(|name| nameable(name).is_ok()));
            let (last, parents) = names.split_last().expect("at least one name");
            let directory = parents.iter().fold(String::new(), |key, name| directory_key(&key, name));
            let key = file_key(&directory, last);
            prop_assert_eq!(reachable(&key), Ok(()));
            prop_assert_eq!(key.split('/').collect::<Vec<_>>(), names.iter().map(String::as_str).collect::<Vec<_>>());
        }

        #[test]
        fn a_key_is_reachable_only_by_its_own_segments(key in "[-./0a]{0,12}") {
            let rest = key.strip_suffix('/').unwrap_or(&key);
            let named = rest.split('/').all(|segment| parse(segment.as_bytes()).is_ok());
            prop_assert_eq!(reachable(&key).is_ok(), named);
        }
    }
}
