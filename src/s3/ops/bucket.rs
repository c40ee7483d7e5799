//! Buckets.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, Method};

use super::tagging::write_tags;
use super::{Owner, Tags, flag, on_bucket, on_service, put, put_some, text};
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::{Reader, Writer};
use crate::s3::{Error, Operation, Result};

const REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");
const ARN: HeaderName = HeaderName::from_static("x-amz-bucket-arn");
const OBJECT_LOCK: HeaderName = HeaderName::from_static("x-amz-bucket-object-lock-enabled");
const OWNERSHIP: HeaderName = HeaderName::from_static("x-amz-object-ownership");
const NAMESPACE: HeaderName = HeaderName::from_static("x-amz-bucket-namespace");
const ACL: HeaderName = HeaderName::from_static("x-amz-acl");

/// Makes a bucket. Output: [`CreatedBucket`]. Grants go along by [`With::grants`](super::With::grants), IBM's service
/// instance and root key by the methods of [`With`](super::With) that are named after them.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
#[derive(Clone, Debug, Default)]
pub struct CreateBucket {
    /// 3 to 63 lower-case letters, digits, `.` and `-`.
    pub bucket: String,
    /// Objects can be locked; keeps versions from the start.
    pub object_lock: bool,
    /// Region, with IBM region and class (`us-south-smart`). `None` sends no location constraint (us-east-1, and
    /// Ceph's default).
    pub location: Option<String>,
    /// Who owns what others put into it: `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
    pub ownership: Option<String>,
    /// A canned ACL: `private`, `public-read`, `public-read-write`, `authenticated-read`.
    pub acl: Option<String>,
    /// `account-regional` or `global`: among whom the name is unique.
    pub namespace: Option<String>,
    /// Where a directory bucket lies; its name ends with `--ZONE--x-s3`.
    pub directory: Option<DirectoryBucket>,
    /// Tags of the bucket, given at its making.
    pub tags: Tags,
}

/// Where a directory bucket (S3 Express One Zone) lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryBucket {
    /// Such as `usw2-az1`.
    pub zone: String,
    /// What kind of zone.
    pub kind: ZoneKind,
}

/// What kind of zone a directory bucket lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZoneKind {
    /// In a region.
    #[default]
    Availability,
    /// Near a city.
    Local,
}

impl ZoneKind {
    fn location(self) -> &'static str {
        match self {
            Self::Availability => "AvailabilityZone",
            Self::Local => "LocalZone",
        }
    }

    fn redundancy(self) -> &'static str {
        match self {
            Self::Availability => "SingleAvailabilityZone",
            Self::Local => "SingleLocalZone",
        }
    }
}

/// What the store says of a bucket that it has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatedBucket {
    /// Its path or URL.
    pub location: Option<String>,
    /// Its name in AWS's policies.
    pub arn: Option<String>,
}

/// Whether the bucket is there and may be entered. Output: [`HeadBucketOutput`]; `NoSuchBucket` when it is absent,
/// `Denied` when it is not ours.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
#[derive(Clone, Debug, Default)]
pub struct HeadBucket {
    /// Name, or ARN or alias of an access point.
    pub bucket: String,
}

/// What the headers say of a bucket; `None` where they do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadBucketOutput {
    /// Where it is.
    pub region: Option<String>,
    /// Its name in AWS's policies.
    pub arn: Option<String>,
    /// Of a directory bucket: `AvailabilityZone` or `LocalZone`.
    pub location_type: Option<String>,
    /// Of a directory bucket: the zone.
    pub location_name: Option<String>,
    /// The name is an alias of an access point.
    pub access_point_alias: bool,
    /// IBM: objects are encrypted with a root key of Key Protect.
    pub ibm_root_key_enabled: bool,
    /// IBM: the CRN of that root key.
    pub ibm_root_key: Option<String>,
}

/// The caller's buckets. Output: [`ListBucketsOutput`].
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
#[derive(Clone, Debug, Default)]
pub struct ListBuckets {
    /// Names that begin so; old stores answer with all.
    pub prefix: Option<String>,
    /// Where the page begins.
    pub continuation_token: Option<String>,
    /// Names of a page, 1 to 10,000.
    pub max_buckets: Option<u32>,
    /// Only those of this region, which must be the endpoint's.
    pub bucket_region: Option<String>,
}

/// The caller's directory buckets in the client's region. Output: [`ListBucketsOutput`], without regions.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListDirectoryBuckets.html>
#[derive(Clone, Debug, Default)]
pub struct ListDirectoryBuckets {
    /// Where the page begins.
    pub continuation_token: Option<String>,
    /// Names of a page, 1 to 1,000.
    pub max_directory_buckets: Option<u32>,
}

/// A bucket in a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made; some stores change it with the bucket's settings.
    pub created: Option<SystemTime>,
    /// Where it is, where the listing says so.
    pub region: Option<String>,
    /// Its name in AWS's policies.
    pub arn: Option<String>,
}

/// A page of buckets.
#[derive(Clone, Debug, Default)]
pub struct ListBucketsOutput {
    /// In the order of their names.
    pub buckets: Vec<Bucket>,
    /// Who owns them.
    pub owner: Option<Owner>,
    /// Where the next page begins; `None` on the last.
    pub continuation_token: Option<String>,
}

/// Removes an empty bucket; `BucketNotEmpty` while it has objects, versions or delete markers.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>
#[derive(Clone, Debug, Default)]
pub struct DeleteBucket {
    /// Its name.
    pub bucket: String,
}

/// Output: the region; empty and `EU` already translated. [`HeadBucket`] says it, too, and costs less.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
#[derive(Clone, Debug, Default)]
pub struct GetBucketLocation {
    /// Its name.
    pub bucket: String,
}

impl Operation for CreateBucket {
    type Output = CreatedBucket;
    const NAME: &'static str = "CreateBucket";

    fn encode(&self) -> Result<Request> {
        let mut request = on_bucket(Method::PUT, &self.bucket)?;
        if self.object_lock {
            put(&mut request.headers, OBJECT_LOCK, "true")?;
        }
        let headers = &mut request.headers;
        put_some(headers, OWNERSHIP, self.ownership.as_deref())?;
        put_some(headers, NAMESPACE, self.namespace.as_deref())?;
        put_some(headers, ACL, self.acl.as_deref())?;
        if self.location.is_none() && self.directory.is_none() && self.tags.is_empty() {
            return Ok(request);
        }
        Ok(request.with_document(Writer::document("CreateBucketConfiguration", |xml| self.configure(xml))?))
    }

    fn decode(&self, reply: Reply) -> Result<CreatedBucket> {
        Ok(CreatedBucket {
            location: text(&reply.headers, &http::header::LOCATION),
            arn: text(&reply.headers, &ARN),
        })
    }
}

impl CreateBucket {
    fn configure(&self, xml: &mut Writer) -> Result<()> {
        if let Some(location) = &self.location {
            xml.element("LocationConstraint", location)?;
        }
        if let Some(DirectoryBucket { zone, kind }) = &self.directory {
            xml.nested("Location", |xml| {
                xml.element("Name", zone)?;
                xml.element("Type", kind.location())
            })?;
            xml.nested("Bucket", |xml| {
                xml.element("DataRedundancy", kind.redundancy())?;
                xml.element("Type", "Directory")
            })?;
        }
        if self.tags.is_empty() {
            return Ok(());
        }
        xml.nested("Tags", |xml| write_tags(&self.tags, xml))
    }
}

impl Operation for HeadBucket {
    type Output = HeadBucketOutput;
    const NAME: &'static str = "HeadBucket";

    fn encode(&self) -> Result<Request> {
        on_bucket(Method::HEAD, &self.bucket)
    }

    fn decode(&self, reply: Reply) -> Result<HeadBucketOutput> {
        let headers = &reply.headers;
        let said = |name| said(headers, name);
        Ok(HeadBucketOutput {
            region: text(headers, &REGION).filter(|region| !region.is_empty()),
            arn: text(headers, &ARN),
            location_type: said("x-amz-bucket-location-type"),
            location_name: said("x-amz-bucket-location-name"),
            access_point_alias: flag(headers, "x-amz-access-point-alias"),
            ibm_root_key_enabled: flag(headers, "ibm-sse-kp-enabled"),
            ibm_root_key: said("ibm-sse-kp-crk-id"),
        })
    }
}

impl Operation for ListBuckets {
    type Output = ListBucketsOutput;
    const NAME: &'static str = "ListBuckets";

    fn encode(&self) -> Result<Request> {
        Ok(on_service(Method::GET)
            .with_some("prefix", self.prefix.as_deref())
            .with_some("continuation-token", self.continuation_token.as_deref())
            .with_some("max-buckets", self.max_buckets)
            .with_some("bucket-region", self.bucket_region.as_deref()))
    }

    fn decode(&self, reply: Reply) -> Result<ListBucketsOutput> {
        decode_buckets(Reader::open(reply.document()?, "ListAllMyBucketsResult")?)
    }
}

/// Names of a page where nothing else is asked for: this parameter alone tells the two listings apart.
const DIRECTORY_BUCKETS_MAX: u32 = 1000;

impl Operation for ListDirectoryBuckets {
    type Output = ListBucketsOutput;
    const NAME: &'static str = "ListDirectoryBuckets";

    fn encode(&self) -> Result<Request> {
        let most = self.max_directory_buckets.unwrap_or(DIRECTORY_BUCKETS_MAX);
        Ok(on_service(Method::GET)
            .with_some("continuation-token", self.continuation_token.as_deref())
            .with("max-directory-buckets", most.to_string()))
    }

    fn decode(&self, reply: Reply) -> Result<ListBucketsOutput> {
        decode_buckets(Reader::open(reply.document()?, "ListAllMyDirectoryBucketsResult")?)
    }
}

fn decode_buckets(mut xml: Reader<'_>) -> Result<ListBucketsOutput> {
    let mut output = ListBucketsOutput::default();
    xml.children(|name, xml| {
        match name {
            "Buckets" => xml.children(|name, xml| {
                if name == "Bucket" {
                    output.buckets.push(bucket(xml)?);
                }
                Ok(())
            })?,
            "Owner" => output.owner = Some(Owner::decode(xml)?),
            "ContinuationToken" => output.continuation_token = xml.non_empty()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(output)
}

fn bucket(xml: &mut Reader<'_>) -> Result<Bucket> {
    let mut bucket = Bucket::default();
    xml.children(|child, xml| {
        match child {
            "Name" => bucket.name = xml.string()?,
            "CreationDate" => bucket.created = Some(xml.time()?),
            "BucketRegion" => bucket.region = xml.non_empty()?,
            "BucketArn" => bucket.arn = xml.non_empty()?,
            _ => {}
        }
        Ok(())
    })?;
    if bucket.name.is_empty() {
        return Err(Error::decode("The reply lists a bucket without a name."));
    }
    Ok(bucket)
}

fn said(headers: &HeaderMap, name: &'static str) -> Option<String> {
    text(headers, &HeaderName::from_static(name)).filter(|text| !text.is_empty())
}

impl Operation for DeleteBucket {
    type Output = ();
    const NAME: &'static str = "DeleteBucket";

    fn encode(&self) -> Result<Request> {
        on_bucket(Method::DELETE, &self.bucket)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl Operation for GetBucketLocation {
    type Output = String;
    const NAME: &'static str = "GetBucketLocation";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?.with("location", ""))
    }

    fn decode(&self, reply: Reply) -> Result<String> {
        let region = Reader::open(reply.document()?, "LocationConstraint")?.string()?;
        Ok(match region.trim() {
            "" => "us-east-1".to_owned(),
            "EU" => "eu-west-1".to_owned(),
            region => region.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{refusal, reply, wire};
    use super::*;
    use crate::base::timestamp;
    use crate::s3::ErrorKind;

    #[test]
    fn create_bucket_names_a_location_only_when_asked() {
        let plain = CreateBucket { bucket: "colorpictures".into(), ..CreateBucket::default() };
        assert_eq!(wire(&plain), "PUT /colorpictures");
        let there = CreateBucket { location: Some("eu-west-1".into()), object_lock: true, ..plain };
        assert_eq!(
            wire(&there),
            "PUT /colorpictures\nx-amz-bucket-object-lock-enabled: true\n<CreateBucketConfiguration \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-west-1</LocationConstraint>\
             </CreateBucketConfiguration>"
        );
    }

    #[test]
    fn a_directory_bucket_says_where_it_lies() {
        let create = CreateBucket {
            bucket: "photos--usw2-az1--x-s3".into(),
            directory: Some(DirectoryBucket { zone: "usw2-az1".into(), kind: ZoneKind::Availability }),
            tags: [("a".to_owned(), "b".to_owned())].into(),
            ..CreateBucket::default()
        };
        assert!(wire(&create).ends_with(
            "<Location><Name>usw2-az1</Name><Type>AvailabilityZone</Type></Location><Bucket>\
             <DataRedundancy>SingleAvailabilityZone</DataRedundancy><Type>Directory</Type></Bucket><Tags><Tag>\
             <Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>"
        ));
        let reply = reply(200, &[("location", "/photos"), ("x-amz-bucket-arn", "arn:x")], "");
        let created = create.decode(reply).unwrap();
        assert_eq!((created.location.as_deref(), created.arn.as_deref()), (Some("/photos"), Some("arn:x")));
    }

    #[test]
    fn directory_buckets_are_listed_by_a_request_of_their_own() {
        let list = ListDirectoryBuckets { continuation_token: Some("t".into()), ..Default::default() };
        assert_eq!(wire(&list), "GET /?continuation-token=t&max-directory-buckets=1000");
        let document = "<ListAllMyDirectoryBucketsResult><Buckets><Bucket><Name>a--use1-az4--x-s3</Name>\
            <CreationDate>2026-01-31T10:00:00Z</CreationDate></Bucket></Buckets><ContinuationToken>u\
            </ContinuationToken></ListAllMyDirectoryBucketsResult>";
        let page = list.decode(reply(200, &[], document)).unwrap();
        assert_eq!(page.buckets[0].name, "a--use1-az4--x-s3");
        assert_eq!(page.continuation_token.as_deref(), Some("u"));
    }

    #[test]
    fn a_name_that_is_no_bucket_is_refused() {
        for bucket in ["", ".", "..", "a/b", "a?b", "a#b"] {
            assert_eq!(refusal(&DeleteBucket { bucket: bucket.into() }), ErrorKind::Invalid, "{bucket}");
        }
        let point = HeadBucket { bucket: "arn:aws:s3:eu-west-1:1:accesspoint/me".into() };
        assert_eq!(wire(&point), "HEAD /arn:aws:s3:eu-west-1:1:accesspoint/me", "an access point is one");
    }

    #[test]
    fn list_buckets_as_in_the_reference() {
        let list = ListBuckets {
            prefix: Some("amzn".into()),
            continuation_token: Some("t".into()),
            max_buckets: Some(7),
            bucket_region: Some("eu-west-1".into()),
        };
        assert_eq!(
            wire(&list),
            "GET /?prefix=amzn&continuation-token=t&max-buckets=7&bucket-region=eu-west-1"
        );
        let output = list
            .decode(reply(
                200,
                &[],
                r#"<?xml version="1.0" encoding="UTF-8"?>
<ListAllMyBucketsResult>
   <Buckets>
      <Bucket>
         <CreationDate>2019-12-11T23:32:47+00:00</CreationDate>
         <Name>amzn-s3-demo-bucket</Name>
         <BucketRegion>eu-west-1</BucketRegion>
      </Bucket>
      <Bucket><CreationDate>2019-11-10T23:32:13.000Z</CreationDate><Name>amzn-s3-demo-bucket1</Name></Bucket>
   </Buckets>
   <Owner><DisplayName>Account+Name</DisplayName><ID>AIDACKCEVSQ6C2EXAMPLE</ID></Owner>
</ListAllMyBucketsResult>"#,
            ))
            .unwrap();
        let names: Vec<_> = output.buckets.iter().map(|bucket| bucket.name.as_str()).collect();
        assert_eq!(names, ["amzn-s3-demo-bucket", "amzn-s3-demo-bucket1"]);
        assert_eq!(output.buckets[0].region.as_deref(), Some("eu-west-1"));
        assert_eq!(output.buckets[0].created, timestamp::parse_rfc3339("2019-12-11T23:32:47Z"));
        assert_eq!(output.continuation_token, None);
        assert_eq!(output.owner.unwrap().id, "AIDACKCEVSQ6C2EXAMPLE");
    }

    #[test]
    fn the_region_is_learnt_from_the_header() {
        let output =
            HeadBucket { bucket: "b".into() }.decode(reply(200, &[("x-amz-bucket-region", "us-west-2")], ""));
        assert_eq!(output.unwrap().region.as_deref(), Some("us-west-2"));
    }

    #[test]
    fn old_names_of_locations_are_translated() {
        let location = GetBucketLocation { bucket: "b".into() };
        assert_eq!(wire(&location), "GET /b?location=");
        let cases = [
            ("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>", "us-east-1"),
            ("<LocationConstraint>EU</LocationConstraint>", "eu-west-1"),
            ("<?xml version=\"1.0\"?>\n<LocationConstraint>us-west-2</LocationConstraint>", "us-west-2"),
        ];
        for (document, region) in cases {
            assert_eq!(location.decode(reply(200, &[], document)).unwrap(), region);
        }
        assert_eq!(location.decode(reply(200, &[], "<html/>")).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
