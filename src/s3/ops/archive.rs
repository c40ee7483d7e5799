//! Objects that must be brought back before they can be read, and torrents of objects.

use http::Method;

use super::{on_object, on_version};
use crate::s3::document::{self, document, words};
use crate::s3::operation::{Reply, ReplyBody, Request};
use crate::s3::{ByteStream, Error, ErrorKind, Operation, Result, VersionId};

/// Makes a copy of an archived object that can be read for some days.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html>
///
/// Output: [`Restoring`].
#[derive(Clone, Debug, Default)]
pub struct RestoreObject {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// How long the copy stays; `None` for the tiers of INTELLIGENT_TIERING, which restore for good.
    pub days: Option<u32>,
    /// `None` is the store's own choice, Standard.
    pub tier: Option<RestoreTier>,
    /// For people.
    pub description: Option<String>,
}

words! {
    /// How fast, and at what price.
    pub enum RestoreTier {
        /// Minutes; not of DEEP_ARCHIVE.
        Expedited = "Expedited",
        /// 3 to 12 hours.
        Standard = "Standard",
        /// Up to 48 hours.
        Bulk = "Bulk",
        /// IBM: 2 hours.
        Accelerated = "Accelerated",
    }
}

/// Where a restore stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restoring {
    /// 202: it has begun.
    Begun,
    /// 200: the copy is there already; it now stays for the days that were asked for.
    Extended,
}

document! {
    pub struct RestoreRequest {
        days: Option<u32> = "Days",
        glacier: Option<GlacierParameters> = "GlacierJobParameters",
        description: Option<String> = "Description",
        tier: Option<RestoreTier> = "Tier",
    }

    pub struct GlacierParameters {
        tier: RestoreTier = "Tier",
    }
}

impl Operation for RestoreObject {
    type Output = Restoring;
    const NAME: &'static str = "RestoreObject";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::POST, &self.bucket, &self.key, self.version.as_ref())?;
        // With days the tier belongs to the Glacier parameters, without them to the request itself.
        let glacier = self.tier.clone().filter(|_| self.days.is_some());
        let document = RestoreRequest {
            days: self.days,
            glacier: glacier.map(|tier| GlacierParameters { tier }),
            description: self.description.clone(),
            tier: self.tier.clone().filter(|_| self.days.is_none()),
        };
        Ok(request.with("restore", "").with_document(document::encode("RestoreRequest", &document)?))
    }

    fn decode(&self, reply: Reply) -> Result<Restoring> {
        let begun = reply.status == http::StatusCode::ACCEPTED;
        Ok(if begun { Restoring::Begun } else { Restoring::Extended })
    }
}

/// The torrent file of an object of less than 5 GB; withdrawn by AWS for new regions. Output: its bytes.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTorrent.html>
#[derive(Clone, Debug, Default)]
pub struct GetObjectTorrent {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
}

impl Operation for GetObjectTorrent {
    type Output = ByteStream;
    const NAME: &'static str = "GetObjectTorrent";
    const STREAMED: bool = true;

    fn encode(&self) -> Result<Request> {
        Ok(on_object(Method::GET, &self.bucket, &self.key)?.with("torrent", ""))
    }

    fn decode(&self, reply: Reply) -> Result<ByteStream> {
        stream_of(reply)
    }
}

/// The body of an operation whose output is nothing but bytes.
pub(in crate::s3) fn stream_of(reply: Reply) -> Result<ByteStream> {
    match reply.body {
        ReplyBody::Stream(body) => Ok(body),
        ReplyBody::Collected(_) => Err(Error::new(ErrorKind::Bug, "The reply was collected, not streamed.")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reply, streamed, wire};
    use super::*;

    #[test]
    fn restore_as_in_the_reference() {
        let restore = RestoreObject {
            bucket: "examplebucket".into(),
            key: "photo1.jpg".into(),
            days: Some(2),
            tier: Some(RestoreTier::Expedited),
            ..RestoreObject::default()
        };
        assert_eq!(
            wire(&restore),
            "POST /examplebucket/photo1.jpg?restore=\n<RestoreRequest \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Days>2</Days><GlacierJobParameters>\
             <Tier>Expedited</Tier></GlacierJobParameters></RestoreRequest>"
        );
        let tiered = RestoreObject { days: None, ..restore.clone() };
        assert!(wire(&tiered).contains("\"><Tier>Expedited</Tier></RestoreRequest>"));
        assert_eq!(restore.decode(reply(202, &[], "")).unwrap(), Restoring::Begun);
        assert_eq!(restore.decode(reply(200, &[], "")).unwrap(), Restoring::Extended);
    }

    #[tokio::test]
    async fn a_torrent_is_bytes() {
        let torrent = GetObjectTorrent { bucket: "b".into(), key: "Nelson".into() };
        assert_eq!(wire(&torrent), "GET /b/Nelson?torrent=");
        let body = torrent.decode(streamed(200, &[], "d8:announce")).unwrap();
        assert_eq!(&body.collect(100).await.unwrap()[..], b"d8:announce");
    }
}
