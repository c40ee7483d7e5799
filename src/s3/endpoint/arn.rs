//! Names of access points (ARNs), which stand where a bucket's name does.
//!
//! ```text
//! arn:aws:s3:eu-west-1:111122223333:accesspoint/name            (a ':' may stand for each '/')
//! arn:aws:s3::111122223333:accesspoint/alias.mrap               of many regions
//! arn:aws:s3-object-lambda:eu-west-1:111122223333:accesspoint/name
//! arn:aws:s3-outposts:eu-west-1:111122223333:outpost/op-1/accesspoint/name
//! ```

use super::Error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    /// Empty for one of many regions.
    pub region: &'a str,
    pub account: &'a str,
    pub point: Point<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point<'a> {
    Access(&'a str),
    MultiRegion(&'a str),
    ObjectLambda(&'a str),
    Outpost { outpost: &'a str, name: &'a str },
}

/// Whether a bucket's name is an ARN, good or bad.
pub fn is_arn(bucket: &str) -> bool {
    bucket.starts_with("arn:")
}

/// Whether a bucket's name is that of a multi-region access point.
pub fn is_multi_region(bucket: &str) -> bool {
    is_arn(bucket) && Arn::parse(bucket).is_ok_and(|arn| matches!(arn.point, Point::MultiRegion(_)))
}

impl<'a> Arn<'a> {
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let refuse = |why: &str| Error::invalid(format!("{text:?} is no name of an access point: {why}"));
        let fields: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = fields[..] else {
            return Err(refuse("it has too few fields"));
        };
        let resource: Vec<&str> = resource.split(['/', ':']).collect();
        let point = match (service, &resource[..]) {
            ("s3", ["accesspoint", alias]) if region.is_empty() => {
                let fits = !alias.is_empty() && alias.split('.').all(is_label);
                fits.then_some(Point::MultiRegion(alias))
            }
            ("s3", ["accesspoint", name]) => is_label(name).then_some(Point::Access(name)),
            ("s3-object-lambda", ["accesspoint", name]) => {
                is_label(name).then_some(Point::ObjectLambda(name))
            }
            ("s3-outposts", ["outpost", outpost, "accesspoint", name]) => {
                (is_label(outpost) && is_label(name)).then_some(Point::Outpost { outpost, name })
            }
            _ => return Err(refuse("it is of another service or kind")),
        };
        let point = point.ok_or_else(|| refuse("its name may hold letters, digits and '-' only"))?;
        let located = matches!(point, Point::MultiRegion(_)) || is_label(region);
        if !is_label(account) || !located || partition.is_empty() {
            return Err(refuse("its region or account is none"));
        }
        Ok(Self { partition, region, account, point })
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colons_and_slashes_divide_alike() {
        for (text, point) in [
            ("arn:aws:s3:eu-west-1:1:accesspoint/me", Some(Point::Access("me"))),
            ("arn:aws:s3:eu-west-1:1:accesspoint:me", Some(Point::Access("me"))),
            ("arn:aws:s3::1:accesspoint/x.mrap", Some(Point::MultiRegion("x.mrap"))),
            ("arn:aws:s3-object-lambda:eu-west-1:1:accesspoint/me", Some(Point::ObjectLambda("me"))),
            (
                "arn:aws:s3-outposts:eu-west-1:1:outpost/op-1/accesspoint:me",
                Some(Point::Outpost { outpost: "op-1", name: "me" }),
            ),
            ("arn:aws:s3:eu-west-1:1:accesspoint/me/object", None),
            ("arn:aws:s3:eu-west-1:1:accesspoint/evil.example", None),
            ("arn:aws:s3:evil.example/:1:accesspoint/me", None),
            ("arn:aws:s3:eu-west-1:1@evil:accesspoint/me", None),
            ("arn:aws:s3:eu-west-1:1:bucket/me", None),
            ("arn:aws:s3:::bucket", None),
            ("arn:", None),
        ] {
            assert_eq!(Arn::parse(text).ok().map(|arn| arn.point), point, "{text}");
        }
    }
}
