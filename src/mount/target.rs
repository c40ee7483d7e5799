//! `BUCKET[/PREFIX]`: which part of which bucket is mounted.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub bucket: String,
    /// Empty, or ends with a slash.
    pub prefix: String,
}

impl Target {
    /// `photos`, `photos/2026`, `s3://photos/2026/`. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix("s3://").unwrap_or(text);
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        check_bucket(bucket)?;
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if prefix.is_empty() {
            return Ok(Self { bucket: bucket.to_owned(), prefix: String::new() });
        }
        if prefix.split('/').any(|segment| matches!(segment, "" | "." | "..") || segment.len() > 255) {
            return Err(format!("the prefix {prefix} has a segment that no directory can be called"));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: format!("{prefix}/") })
    }
}

/// Old buckets of us-east-1 and other stores allow more than AWS does today, so only what no store takes is refused.
fn check_bucket(bucket: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match bucket {
        "" => Err("the name of the bucket is missing".into()),
        // An access point, its parts divided by colons.
        arn if arn.starts_with("arn:") => {
            crate::s3::names::check_bucket(arn).map_err(|error| error.message().to_owned())
        }
        name if name.len() > 255 || !name.chars().all(allowed) || name.starts_with('.') => {
            Err(format!("{name:?} cannot be the name of a bucket: letters, digits, dots and hyphens only"))
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.bucket)?;
        match self.prefix.trim_end_matches('/') {
            "" => Ok(()),
            prefix => write!(f, "/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_with_a_slash_however_it_was_written() {
        for (text, bucket, prefix) in [
            ("photos", "photos", ""),
            ("photos/", "photos", ""),
            ("photos/2026/may", "photos", "2026/may/"),
            ("s3://photos/2026/", "photos", "2026/"),
            ("arn:aws:s3:eu-west-1:1:accesspoint:me/2026", "arn:aws:s3:eu-west-1:1:accesspoint:me", "2026/"),
        ] {
            let target = Target::parse(text).expect("a good target");
            assert_eq!((target.bucket.as_str(), target.prefix.as_str()), (bucket, prefix), "{text}");
        }
    }

    #[test]
    fn what_no_store_and_no_directory_takes_is_refused() {
        for text in ["", "/x", "s3://", "bu cket", "b//x", "b/../x", "b/./x", "a:b", "arn:aws:s3:::b"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_source_of_a_mount_has_no_slash_at_its_end() {
        for text in ["photos", "photos/2026"] {
            assert_eq!(Target::parse(text).map(|target| target.to_string()).as_deref(), Ok(text));
        }
    }
}
