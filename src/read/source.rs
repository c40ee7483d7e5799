//! Where bytes come from: the seam between the engine and the client, so that tests can script cuts and stalls.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::base::ranges::ByteRange;
use crate::s3::ops::{GetObject, GetObjectOutput, ObjectHeaders, ReadConditions};
use crate::s3::{Client, ETag, Error, ErrorKind, ObjectRef};

/// A reply whose body is still to come. A body that stalls must fail by itself, as those of the client do.
pub struct Opened {
    pub headers: ObjectHeaders,
    /// What the body holds of the object, by the reply.
    pub range: ByteRange,
    pub chunks: BoxStream<'static, Result<Bytes, Error>>,
}

pub trait Source: Send + Sync {
    /// A range of exactly this version of the object, or an error that says that it is gone.
    fn open<'a>(&'a self, object: &'a ObjectRef, range: ByteRange) -> BoxFuture<'a, Result<Opened, Error>>;
    /// Whatever `key` holds now, unless that is `known`.
    fn open_current<'a>(&'a self, key: &'a str, known: Option<ETag>) -> BoxFuture<'a, Result<Opened, Error>>;
}

/// A bucket at the store.
pub struct Bucket {
    pub client: Client,
    pub name: String,
}

impl Source for Bucket {
    fn open<'a>(&'a self, object: &'a ObjectRef, range: ByteRange) -> BoxFuture<'a, Result<Opened, Error>> {
        let request = GetObject {
            bucket: self.name.clone(),
            key: object.key.to_string(),
            version: object.version.clone(),
            range: Some(range),
            conditions: ReadConditions { if_match: Some(object.etag.clone()), ..Default::default() },
            ..Default::default()
        };
        Box::pin(async move { self.client.send(&request).await.map(Opened::from) })
    }

    fn open_current<'a>(&'a self, key: &'a str, known: Option<ETag>) -> BoxFuture<'a, Result<Opened, Error>> {
        let request = GetObject {
            bucket: self.name.clone(),
            key: key.to_owned(),
            conditions: ReadConditions { if_none_match: known, ..Default::default() },
            checksum_mode: true,
            ..Default::default()
        };
        Box::pin(async move { self.client.send(&request).await.map(Opened::from) })
    }
}

impl From<GetObjectOutput> for Opened {
    fn from(output: GetObjectOutput) -> Self {
        Self { headers: output.headers, range: output.range, chunks: output.body.boxed() }
    }
}

/// Is this reply the range that was asked for, of the object that was asked for? Some stores ignore `If-Match`
/// or `Range`, and proxies answer 200 for 206: such bytes must never reach a reader.
pub fn verify(object: &ObjectRef, asked: ByteRange, opened: &Opened) -> Result<(), Error> {
    let headers = &opened.headers;
    if headers.etag.as_ref().is_some_and(|etag| *etag != object.etag) {
        let message = format!("{} is another object now, and the store ignored If-Match", object.key);
        return Err(Error::new(ErrorKind::PreconditionFailed, message));
    }
    if headers.size != object.size {
        let message =
            format!("{}: the reply is of {} bytes, the object has {}", object.key, headers.size, object.size);
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    if opened.range != asked {
        let (got, want) = (opened.range, asked);
        let message = format!(
            "{}: bytes {}..{} were asked for, the reply holds {}..{}",
            object.key, want.start, want.end, got.start, got.end
        );
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn only_the_asked_range_of_the_asked_object_passes() {
        let object = ObjectRef {
            key: "k".into(),
            etag: ETag("e".into()),
            last_modified: SystemTime::UNIX_EPOCH,
            version: None,
            size: 100,
        };
        let verdict = |etag: Option<&str>, size, start, end| {
            let headers =
                ObjectHeaders { etag: etag.map(|text| ETag(text.into())), size, ..Default::default() };
            let chunks = futures_util::stream::empty().boxed();
            let opened = Opened { headers, range: ByteRange::new(start, end), chunks };
            verify(&object, ByteRange::new(10, 20), &opened).map_err(|error| error.kind())
        };
        assert_eq!(verdict(Some("e"), 100, 10, 20), Ok(()));
        assert_eq!(verdict(None, 100, 10, 20), Ok(()));
        assert_eq!(verdict(Some("f"), 100, 10, 20), Err(ErrorKind::PreconditionFailed));
        assert_eq!(verdict(Some("e"), 99, 10, 20), Err(ErrorKind::Corrupt));
        assert_eq!(verdict(Some("e"), 100, 0, 100), Err(ErrorKind::Corrupt));
        assert_eq!(verdict(Some("e"), 100, 10, 19), Err(ErrorKind::Corrupt));
    }
}
