//! Writing in place: append to an object, rename it, change how it is encrypted. Few stores can.

use http::{HeaderName, Method};

use super::{Stored, copy_source, on_object, on_version, put, put_some};
use crate::s3::document::{self, document};
use crate::s3::operation::{Payload, Replay, Reply, Request};
use crate::s3::{Body, ETag, Operation, Result, VersionId};

const OFFSET: HeaderName = HeaderName::from_static("x-amz-write-offset-bytes");
const SIZE: HeaderName = HeaderName::from_static("x-amz-object-size");
const RENAME_SOURCE: HeaderName = HeaderName::from_static("x-amz-rename-source");
const RENAME_IF_MATCH: HeaderName = HeaderName::from_static("x-amz-rename-source-if-match");
const CLIENT_TOKEN: HeaderName = HeaderName::from_static("x-amz-client-token");

/// Adds bytes to the end of an object: directory buckets of AWS (up to 10,000 times), and newer MinIO.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-objects-append.html>
///
/// Output: [`Appended`].
#[derive(Clone)]
pub struct AppendObject {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The size that the object has now; the store refuses another with `InvalidWriteOffset`.
    pub offset: u64,
    /// The bytes.
    pub body: Body,
}

/// What the store says of an append.
#[derive(Clone, Debug, Default)]
pub struct Appended {
    /// As of a PutObject.
    pub stored: Stored,
    /// Bytes of the object now, where the store says so.
    pub size: Option<u64>,
}

impl Operation for AppendObject {
    type Output = Appended;
    const NAME: &'static str = "PutObject";

    fn payload(&self) -> Payload {
        Payload::Object
    }

    fn encode(&self) -> Result<Request> {
        let mut request = on_object(Method::PUT, &self.bucket, &self.key)?;
        put(&mut request.headers, OFFSET, &self.offset.to_string())?;
        request.body = self.body.clone();
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<Appended> {
        let size = super::text(&reply.headers, &SIZE).and_then(|size| size.trim().parse().ok());
        Ok(Appended { stored: Stored::decode(&reply.headers), size })
    }

    /// The object has grown if it was applied: a second try would be refused.
    fn replay(&self) -> Replay {
        Replay::LookFirst
    }
}

/// Renames an object within its directory bucket, at once.
///
/// Sent only to a store that is known to do it: others (MinIO and Ceph, for two) take it for PutObject, and the object's
/// bytes would be lost.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html>
#[derive(Clone, Debug, Default)]
pub struct RenameObject {
    /// The bucket.
    pub bucket: String,
    /// The new key.
    pub key: String,
    /// The old key.
    pub source: String,
    /// Only while the source has this ETag.
    pub source_if_match: Option<ETag>,
    /// A UUID: a second request with it does nothing more.
    pub client_token: Option<String>,
}

impl Operation for RenameObject {
    type Output = ();
    const NAME: &'static str = "RenameObject";

    fn encode(&self) -> Result<Request> {
        let mut request = on_object(Method::PUT, &self.bucket, &self.key)?.with("renameObject", "");
        let headers = &mut request.headers;
        put(headers, RENAME_SOURCE, &copy_source(&self.bucket, &self.source, None))?;
        put_some(headers, RENAME_IF_MATCH, self.source_if_match.as_ref().map(ETag::quoted).as_deref())?;
        put_some(headers, CLIENT_TOKEN, self.client_token.as_deref())?;
        Ok(request)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }

    fn replay(&self) -> Replay {
        if self.client_token.is_some() { Replay::Idempotent } else { Replay::LookFirst }
    }
}

/// Another KMS key for an object; its ETag and date stay.
///
/// Sent only to a store that is known to do it: others (MinIO and Ceph, for two) take it for PutObject, and the object's
/// bytes would be lost.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html>
#[derive(Clone, Debug, Default)]
pub struct UpdateObjectEncryption {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// ARN.
    pub kms_key: String,
    /// A key of the bucket stands between the object and KMS.
    pub bucket_key: Option<bool>,
}

document! {
    pub struct ObjectEncryption {
        kms: ObjectKms = "SSE-KMS",
    }

    pub struct ObjectKms {
        key: String = "KMSKeyArn",
        bucket_key: Option<bool> = "BucketKeyEnabled",
    }
}

impl Operation for UpdateObjectEncryption {
    type Output = ();
    const NAME: &'static str = "UpdateObjectEncryption";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::PUT, &self.bucket, &self.key, self.version.as_ref())?;
        let kms = ObjectKms { key: self.kms_key.clone(), bucket_key: self.bucket_key };
        let document = document::encode("ObjectEncryption", &ObjectEncryption { kms })?;
        Ok(request.with("encryption", "").with_document(document))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reply, wire};
    use super::*;

    #[test]
    fn appends_say_where() {
        let append = AppendObject {
            bucket: "b--usw2-az1--x-s3".into(),
            key: "log".into(),
            offset: 6,
            body: Body::Bytes("more".into()),
        };
        assert_eq!(wire(&append), "PUT /b--usw2-az1--x-s3/log\nx-amz-write-offset-bytes: 6\nmore");
        assert_eq!(append.replay(), Replay::LookFirst);
        let appended =
            append.decode(reply(200, &[("etag", "\"e\""), ("x-amz-object-size", "10")], "")).unwrap();
        assert_eq!(appended.size, Some(10));
    }

    #[test]
    fn renames_are_told_apart_by_their_token() {
        let rename = RenameObject {
            bucket: "b--usw2-az1--x-s3".into(),
            key: "new name".into(),
            source: "old/ä".into(),
            source_if_match: Some(ETag("e".into())),
            client_token: Some("550e8400-e29b-41d4-a716-446655440000".into()),
        };
        assert_eq!(
            wire(&rename),
            "PUT /b--usw2-az1--x-s3/new name?renameObject=\nx-amz-client-token: \
             550e8400-e29b-41d4-a716-446655440000\nx-amz-rename-source: b--usw2-az1--x-s3/old/%C3%A4\n\
             x-amz-rename-source-if-match: \"e\""
        );
        assert_eq!(rename.replay(), Replay::Idempotent);
        assert_eq!(RenameObject { client_token: None, ..rename }.replay(), Replay::LookFirst);
    }

    #[test]
    fn encryption_is_updated_in_place() {
        let update = UpdateObjectEncryption {
            bucket: "b".into(),
            key: "k".into(),
            kms_key: "arn:k".into(),
            bucket_key: Some(true),
            version: None,
        };
        assert_eq!(
            wire(&update),
            "PUT /b/k?encryption=\n<ObjectEncryption xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><SSE-KMS>\
             <KMSKeyArn>arn:k</KMSKeyArn><BucketKeyEnabled>true</BucketKeyEnabled></SSE-KMS></ObjectEncryption>"
        );
    }
}
