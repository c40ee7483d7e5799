//! Directory buckets: the availability zone is in the name, and with it the host.

use super::Error;

const SUFFIXES: [&str; 2] = ["--x-s3", "--xa-s3"];

/// The zone in `base--zone--x-s3` (a bucket) or `name--zone--xa-s3` (an access point of one); `None` for the name of
/// any other bucket.
pub fn zone_of(bucket: &str) -> Option<Result<&str, Error>> {
    let name = SUFFIXES.iter().find_map(|suffix| bucket.strip_suffix(suffix))?;
    let zone = name.rsplit_once("--").filter(|(base, _)| is_base(base)).map(|(_, zone)| zone);
    Some(zone.filter(|zone| is_zone(zone)).ok_or_else(|| {
        Error::invalid(format!(
            "{bucket:?} is no name of a directory bucket: it is base--zone--x-s3, such as photos--use1-az4--x-s3"
        ))
    }))
}

fn is_base(base: &str) -> bool {
    !base.is_empty()
        && base.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
}

/// `use1-az4`, `usw2-lax1-az1`.
fn is_zone(zone: &str) -> bool {
    let words: Vec<&str> = zone.split('-').collect();
    let is_word = |word: &&str| {
        !word.is_empty() && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
    };
    words.len() >= 2 && words.iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::zone_of;

    #[test]
    fn the_zone_stands_before_the_suffix() {
        for (bucket, zone) in [
            ("photos--use1-az4--x-s3", Some(Some("use1-az4"))),
            ("a--b--usw2-lax1-az1--x-s3", Some(Some("usw2-lax1-az1"))),
            ("point--use1-az4--xa-s3", Some(Some("use1-az4"))),
            ("photos--x-s3", Some(None)),
            ("photos--az4--x-s3", Some(None)),
            ("pho.tos--use1-az4--x-s3", Some(None)),
            ("photos", None),
        ] {
            assert_eq!(zone_of(bucket).map(Result::ok), zone, "{bucket}");
        }
    }
}
