//! Buckets.

use std::time::SystemTime;

use http::{HeaderName, Method};

use super::{on_bucket, on_service, put, text};
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::{Reader, Writer};
use crate::s3::{Error, Operation, Result};

const REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");
const OBJECT_LOCK: HeaderName = HeaderName::from_static("x-amz-bucket-object-lock-enabled");

#[derive(Clone, Debug, Default)]
pub struct CreateBucket {
    pub bucket: String,
    pub object_lock: bool,
    /// `None` sends no location constraint (us-east-1, and Ceph's default).
    pub location: Option<String>,
}

/// Output: [`HeadBucketOutput`].
#[derive(Clone, Debug, Default)]
pub struct HeadBucket {
    pub bucket: String,
}

#[derive(Clone, Debug, Default)]
pub struct HeadBucketOutput {
    pub region: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct ListBuckets {
    pub prefix: Option<String>,
    pub continuation_token: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Bucket {
    pub name: String,
    pub created: Option<SystemTime>,
    pub region: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct ListBucketsOutput {
    pub buckets: Vec<Bucket>,
    pub continuation_token: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct DeleteBucket {
    pub bucket: String,
}

/// Output: the region; empty and `EU` already translated.
#[derive(Clone, Debug, Default)]
pub struct GetBucketLocation {
    pub bucket: String,
}

impl Operation for CreateBucket {
    type Output = ();
    const NAME: &'static str = "CreateBucket";

    fn encode(&self) -> Result<Request> {
        let mut request = on_bucket(Method::PUT, &self.bucket)?;
        if self.object_lock {
            put(&mut request.headers, OBJECT_LOCK, "true")?;
        }
        let Some(location) = &self.location else { return Ok(request) };
        let document =
            Writer::document("CreateBucketConfiguration", |xml| xml.element("LocationConstraint", location))?;
        Ok(request.with_document(document))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl Operation for HeadBucket {
    type Output = HeadBucketOutput;
    const NAME: &'static str = "HeadBucket";

    fn encode(&self) -> Result<Request> {
        on_bucket(Method::HEAD, &self.bucket)
    }

    fn decode(&self, reply: Reply) -> Result<HeadBucketOutput> {
        Ok(HeadBucketOutput { region: text(&reply.headers, &REGION).filter(|region| !region.is_empty()) })
    }
}

impl Operation for ListBuckets {
    type Output = ListBucketsOutput;
    const NAME: &'static str = "ListBuckets";

    fn encode(&self) -> Result<Request> {
        Ok(on_service(Method::GET)
            .with_some("prefix", self.prefix.as_deref())
            .with_some("continuation-token", self.continuation_token.as_deref()))
    }

    fn decode(&self, reply: Reply) -> Result<ListBucketsOutput> {
        let mut output = ListBucketsOutput::default();
        Reader::open(reply.document()?, "ListAllMyBucketsResult")?.children(|name, xml| {
            match name {
                "Buckets" => xml.children(|name, xml| {
                    if name == "Bucket" {
                        output.buckets.push(bucket(xml)?);
                    }
                    Ok(())
                })?,
                "ContinuationToken" => output.continuation_token = xml.non_empty()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(output)
    }
}

fn bucket(xml: &mut Reader<'_>) -> Result<Bucket> {
    let (mut name, mut created, mut region) = (None, None, None);
    xml.children(|child, xml| {
        match child {
            "Name" => name = xml.non_empty()?,
            "CreationDate" => created = Some(xml.time()?),
            "BucketRegion" => region = xml.non_empty()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Bucket {
        name: name.ok_or_else(|| Error::decode("The reply lists a bucket without a name."))?,
        created,
        region,
    })
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
    fn a_name_that_is_no_bucket_is_refused() {
        for bucket in ["", ".", "..", "a/b", "a?b", "a#b"] {
            assert_eq!(refusal(&DeleteBucket { bucket: bucket.into() }), ErrorKind::Invalid, "{bucket}");
        }
    }

    #[test]
    fn list_buckets_as_in_the_reference() {
        let list = ListBuckets { prefix: Some("amzn".into()), continuation_token: Some("t".into()) };
        assert_eq!(wire(&list), "GET /?prefix=amzn&continuation-token=t");
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
