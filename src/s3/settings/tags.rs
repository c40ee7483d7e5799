//! The tags of a bucket.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Removable, Setting};
use crate::s3::Result;
use crate::s3::ops::{NO_TAGS, Tags, decode_tag_set, encode_tag_set};

/// As JSON a map: `{"project": "one"}`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BucketTags(pub Tags);

impl Setting for BucketTags {
    const SUBRESOURCE: &'static str = "tagging";
    const GET: &'static str = "GetBucketTagging";
    const PUT: &'static str = "PutBucketTagging";
    const ABSENT: &'static [&'static str] = NO_TAGS;

    fn encode(&self) -> Result<Bytes> {
        encode_tag_set(&self.0)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        decode_tag_set(document).map(Self)
    }
}

impl Removable for BucketTags {
    const DELETE: &'static str = "DeleteBucketTagging";
}

#[cfg(test)]
mod tests {
    use super::super::{DeleteSetting, GetSetting, PutSetting};
    use super::*;
    use crate::s3::Operation;
    use crate::s3::ops::fixture::{reply, wire};

    #[test]
    fn bucket_tags_as_in_the_reference() {
        let tags = BucketTags([("Project".to_owned(), "Project One".to_owned())].into());
        let put = PutSetting { bucket: "b".into(), document: tags.clone() };
        assert_eq!(
            wire(&put),
            "PUT /b?tagging=\n<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet><Tag>\
             <Key>Project</Key><Value>Project One</Value></Tag></TagSet></Tagging>"
        );
        let document = put.document.encode().unwrap();
        let get = GetSetting::<BucketTags>::new("b");
        let answer = get.decode(reply(200, &[], std::str::from_utf8(&document).unwrap())).unwrap();
        assert_eq!(answer, Some(tags));
        assert_eq!(wire(&DeleteSetting::<BucketTags>::new("b")), "DELETE /b?tagging=");
    }
}
