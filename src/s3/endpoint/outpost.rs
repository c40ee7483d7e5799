//! Aliases of access points on outposts, which stand where a bucket's name does: the outpost is in the name.
//!
//! ```text
//! name-o0123456789abcdef0….use10--op-s3     on the outpost op-0123456789abcdef0
//! name-e0000…              .use10--op-s3     on EC2
//! ```

use super::Error;

const SUFFIX: &str = "--op-s3";
/// Where the fields are, counted from the end: the kind of hardware, the outpost's own name, the place.
const KIND: usize = 50;
const NAME: usize = 49;
const NAME_END: usize = 32;
const PLACE: usize = 12;
const PLACE_END: usize = 8;
/// What is not for everyone yet: it has no host but the one that is given.
const UNRELEASED: &str = "beta";

/// What an alias says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outpost {
    /// The label after the alias in the host.
    pub label: String,
    /// Whether only a host that was given has it.
    pub needs_host: bool,
}

/// `None` for the name of any other bucket.
pub fn outpost_of(bucket: &str) -> Option<Result<Outpost, Error>> {
    bucket.ends_with(SUFFIX).then(|| {
        parse(bucket).ok_or_else(|| {
            Error::invalid(format!(
                "{bucket:?} is no alias of an access point on an outpost: copy it from the console or \
                 ListAccessPoints, or use the ARN"
            ))
        })
    })
}

fn parse(alias: &str) -> Option<Outpost> {
    let field = |from: usize, to: usize| {
        let start = alias.len().checked_sub(from)?;
        alias.get(start..alias.len() - to)
    };
    let name = field(NAME, NAME_END)?;
    let label = match field(KIND, NAME)? {
        "o" if name.bytes().all(|byte| byte.is_ascii_alphanumeric()) => format!("op-{name}"),
        "e" => "ec2".to_owned(),
        _ => return None,
    };
    Some(Outpost { label, needs_host: field(PLACE, PLACE_END)? == UNRELEASED })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outpost_is_read_from_the_end() {
        let outpost = |label: &str, needs_host| Some(Some(Outpost { label: label.to_owned(), needs_host }));
        for (alias, expected) in [
            (
                "name-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3",
                outpost("op-0b1d075431d83bebd", false),
            ),
            ("name-e0000075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3", outpost("ec2", false)),
            (
                "name-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kbeta0--op-s3",
                outpost("op-0b1d075431d83bebd", true),
            ),
            ("name-h0000075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3", Some(None)),
            ("name-o0b1d.75431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3", Some(None)),
            ("name--op-s3", Some(None)),
            ("é-0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3", Some(None)),
            ("photos", None),
        ] {
            assert_eq!(outpost_of(alias).map(Result::ok), expected, "{alias}");
        }
    }
}
