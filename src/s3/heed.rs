//! Sub-resources that a store may pass over.
//!
//! A store that does not know the sub-resource of a request may do what is left of the request instead (MinIO and
//! Ceph were seen to): `DELETE /bucket?metrics` becomes DeleteBucket, and `PUT /bucket/key?annotation` puts the
//! annotation in the place of the object. So a request whose remainder would destroy something goes only to stores
//! that are known to heed the sub-resource, or that have just answered a question about it.

use http::Method;

use super::operation::{Operation, Reply, Request};
use super::xml::Reader;
use super::{Error, ErrorKind, Result};

/// Sub-resources of buckets that every store has heeded for as long as it has had buckets.
const EVERYWHERE: &[&str] = &["cors", "lifecycle", "policy", "replication", "tagging", "website"];

/// Those of objects that only AWS has, and what is left of a PUT or DELETE without them.
const RARE: &[&str] = &["annotation", "encryption", "renameObject"];

/// What must be known of a store before it gets a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Care {
    Nothing,
    /// It answers this question about the same sub-resource.
    Asked(Question),
    /// It is of a make that heeds `subresource`; any other might take the request for `otherwise`.
    Known {
        subresource: &'static str,
        otherwise: &'static str,
    },
}

/// What must be known of the store before it gets `request`.
pub fn care(request: &Request) -> Care {
    let otherwise = match request.method {
        Method::PUT => "PutObject, which would replace the object",
        Method::DELETE => "DeleteObject, which would delete the object",
        _ => return Care::Nothing,
    };
    let Some((subresource, _)) = request.query.iter().find(|(_, value)| value.is_empty()) else {
        return Care::Nothing;
    };
    match (&request.bucket, &request.key) {
        (Some(_), Some(_)) if RARE.contains(subresource) => Care::Known { subresource, otherwise },
        (Some(bucket), None) if request.method == Method::DELETE && !EVERYWHERE.contains(subresource) => {
            Care::Asked(Question { bucket: bucket.clone(), query: request.query.clone() })
        }
        _ => Care::Nothing,
    }
}

/// The refusal that a store is spared.
pub fn refuse(subresource: &str, otherwise: &str) -> Error {
    let message = format!(
        "nothing was sent: this store is not known to heed ?{subresource}, and one that passes over it takes the \
         request for {otherwise}"
    );
    Error::new(ErrorKind::Unsupported, message)
}

/// GET of a sub-resource of a bucket. Output: nothing, or `ErrorKind::Unsupported` where the store lists the bucket.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    bucket: String,
    query: Vec<(&'static str, String)>,
}

impl Question {
    /// Whether the answer is one to the question, be it that there is nothing to tell.
    pub fn is_heeded(answer: Result<()>) -> Result<()> {
        match answer {
            Err(error) if error.kind() == ErrorKind::NoSuchSetting => Ok(()),
            Err(error) if error.kind() == ErrorKind::Unsupported => Err(error.explain(
                "nothing was removed: a store that passes over the sub-resource would delete the bucket",
            )),
            answer => answer,
        }
    }
}

impl Operation for Question {
    type Output = ();
    const NAME: &'static str = "GetBucketConfiguration";

    fn encode(&self) -> Result<Request> {
        let request = super::ops::on_bucket(Method::GET, &self.bucket)?;
        Ok(Request { query: self.query.clone(), ..request })
    }

    /// Documents in JSON, and none at all, are answers, too.
    fn decode(&self, reply: Reply) -> Result<()> {
        match Reader::open_any(reply.document()?) {
            Err(error) if error.kind() == ErrorKind::Unsupported => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ops::{
        DeleteObjectAnnotation, DeleteObjectTagging, PutObject, PutObjectTagging, RenameObject,
        fixture::reply,
    };
    use crate::s3::settings::{DeleteSetting, Lifecycle, PublicAccessBlock};

    fn care_of(operation: &impl Operation) -> Care {
        care(&operation.encode().unwrap())
    }

    #[test]
    fn only_what_would_destroy_something_needs_care() {
        let (bucket, key) = ("b".to_owned(), "k".to_owned());
        let delete = DeleteObjectAnnotation { bucket, key, name: "n".into(), ..Default::default() };
        assert!(matches!(care_of(&delete), Care::Known { subresource: "annotation", .. }));
        let (bucket, key) = ("b".to_owned(), "k".to_owned());
        let rename = RenameObject { bucket, key, source: "s".into(), ..Default::default() };
        assert!(matches!(care_of(&rename), Care::Known { subresource: "renameObject", .. }));
        let query = vec![("publicAccessBlock", String::new())];
        let question = Question { bucket: "b".into(), query };
        assert_eq!(care_of(&DeleteSetting::<PublicAccessBlock>::new("b")), Care::Asked(question));
        assert_eq!(care_of(&DeleteSetting::<Lifecycle>::new("b")), Care::Nothing);
        assert_eq!(care_of(&PutObject::new("b", "k", "x")), Care::Nothing);
        let (bucket, key) = ("b".to_owned(), "k".to_owned());
        assert_eq!(care_of(&DeleteObjectTagging { bucket, key, version: None }), Care::Nothing);
        let (bucket, key) = ("b".to_owned(), "k".to_owned());
        let tags = PutObjectTagging { bucket, key, version: None, tags: Default::default() };
        assert_eq!(care_of(&tags), Care::Nothing);
    }

    #[test]
    fn a_listing_is_no_answer() {
        let question = Question { bucket: "b".into(), query: vec![("metrics", String::new())] };
        let answer = |body: &str| Question::is_heeded(question.decode(reply(200, &[], body)));
        for good in ["", "{}", "<MetricsConfiguration/>"] {
            answer(good).unwrap();
        }
        let listing = answer("<ListBucketResult><Name>b</Name></ListBucketResult>").unwrap_err();
        assert_eq!(listing.kind(), ErrorKind::Unsupported);
        assert!(listing.to_string().contains("nothing was removed"), "{listing}");
        let refused = |kind| Question::is_heeded(Err(Error::new(kind, ""))).map_err(|error| error.kind());
        assert_eq!(refused(ErrorKind::NoSuchSetting), Ok(()));
        for kind in
            [ErrorKind::Unsupported, ErrorKind::NoSuchBucket, ErrorKind::Denied, ErrorKind::Unavailable]
        {
            assert_eq!(refused(kind), Err(kind));
        }
    }
}
