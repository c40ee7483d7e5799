//! An upload in parts, and its parts.

use std::sync::Arc;

use super::known::Known;
use super::{Collection, Object};
use crate::base::ranges::ByteRange;
use crate::s3::ops::{
    self, AbortMultipartUpload, CompleteMultipartUpload, CopySource, ListMultipartUploads, ListParts, Stored,
    Upload, UploadPart, UploadPartCopy, WriteCondition,
};
use crate::s3::transfer::pages;
use crate::s3::{Body, Client, Error, ErrorKind, Result};
use futures_util::TryStreamExt;

/// An upload in parts that was begun, by its id.
#[derive(Clone)]
pub struct MultipartUpload {
    object: Object,
    id: String,
    known: Known<Upload>,
}

/// A part of an upload, by its number.
pub type MultipartUploadPart = Part;

/// A part of an upload, by its number.
#[derive(Clone)]
pub struct Part {
    upload: MultipartUpload,
    number: u32,
    known: Known<ops::Part>,
}

impl MultipartUpload {
    pub(super) fn new(object: &Object, id: impl Into<String>) -> Self {
        Self { object: object.clone(), id: id.into(), known: Known::default() }
    }

    pub(super) fn listed(client: &Client, bucket: &str, listed: Upload) -> Self {
        let object = Object::new(client, bucket, listed.key.clone());
        Self { object, id: listed.upload_id.clone(), known: Known::of(listed) }
    }

    /// The name of the bucket.
    pub fn bucket_name(&self) -> &str {
        self.object.bucket_name()
    }

    /// The key that the object will have.
    pub fn object_key(&self) -> &str {
        self.object.key()
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The object that it will be.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// What the list of uploads says of it, looked through once; `NoSuchUpload` where it is not listed (`initiated`,
    /// `initiator`, `owner`, `storage_class`).
    pub async fn load(&self) -> Result<Arc<Upload>> {
        self.known.load(self.look()).await
    }

    async fn look(&self) -> Result<Upload> {
        let (bucket, prefix) = (self.bucket_name().to_owned(), self.object_key().to_owned());
        let list = ListMultipartUploads { bucket, prefix, ..ListMultipartUploads::default() };
        let mut uploads = std::pin::pin!(pages::uploads(self.object.client(), list));
        while let Some(upload) = uploads.try_next().await? {
            if upload.upload_id == self.id {
                return Ok(upload);
            }
        }
        Err(Error::new(ErrorKind::NoSuchUpload, "The list of the bucket's uploads does not have it."))
    }

    /// The parts that the store holds (S3 API: ListParts).
    pub fn parts(&self) -> Collection<ListParts, Part> {
        let list = ListParts {
            bucket: self.bucket_name().to_owned(),
            key: self.object_key().to_owned(),
            upload_id: self.id.clone(),
            ..ListParts::default()
        };
        Collection::new(self.object.client(), list, |client, list, part| {
            let upload = Object::new(client, &list.bucket, &list.key).multipart_upload(&list.upload_id);
            Some(Part { number: part.number, known: Known::of(part), upload })
        })
    }

    /// A part of it.
    pub fn part(&self, number: u32) -> Part {
        Part { upload: self.clone(), number, known: Known::default() }
    }

    /// Gives it up; the store drops its parts (S3 API: AbortMultipartUpload).
    pub async fn abort(&self) -> Result<()> {
        let abort = AbortMultipartUpload {
            bucket: self.bucket_name().to_owned(),
            key: self.object_key().to_owned(),
            upload_id: self.id.clone(),
        };
        self.object.client().send(&abort).await
    }

    /// Makes the parts the object, in the order of their numbers (S3 API: CompleteMultipartUpload).
    pub async fn complete(&self, mut parts: Vec<ops::Part>, condition: WriteCondition) -> Result<Stored> {
        parts.sort_by_key(|part| part.number);
        let complete = CompleteMultipartUpload {
            bucket: self.bucket_name().to_owned(),
            key: self.object_key().to_owned(),
            upload_id: self.id.clone(),
            parts,
            condition,
        };
        self.object.client().send(&complete).await
    }
}

impl Part {
    /// The upload that it belongs to.
    pub fn multipart_upload(&self) -> &MultipartUpload {
        &self.upload
    }

    /// 1 to 10,000.
    pub fn part_number(&self) -> u32 {
        self.number
    }

    /// ETag, size and checksum of what the store holds, asked for once; `NoSuchUpload` where it has no such part.
    pub async fn load(&self) -> Result<Arc<ops::Part>> {
        self.known.load(self.look()).await
    }

    async fn look(&self) -> Result<ops::Part> {
        let list = ListParts {
            bucket: self.upload.bucket_name().to_owned(),
            key: self.upload.object_key().to_owned(),
            upload_id: self.upload.id.clone(),
            part_number_marker: self.number.checked_sub(1).filter(|before| *before > 0),
            max_parts: Some(1),
        };
        let page = self.upload.object.client().send(&list).await?;
        let found = page.parts.into_iter().find(|part| part.number == self.number);
        found.ok_or_else(|| Error::new(ErrorKind::NoSuchUpload, "The upload has no part of this number."))
    }

    /// Sends it (S3 API: UploadPart).
    pub async fn upload(&self, body: Body) -> Result<ops::Part> {
        let upload = UploadPart {
            bucket: self.upload.bucket_name().to_owned(),
            key: self.upload.object_key().to_owned(),
            upload_id: self.upload.id.clone(),
            part_number: self.number,
            body,
        };
        let done = self.upload.object.client().send(&upload).await;
        self.known.forget().await;
        done
    }

    /// Lets the store copy it from an object, or a range of one (S3 API: UploadPartCopy).
    pub async fn copy_from(&self, source: CopySource, range: Option<ByteRange>) -> Result<ops::Part> {
        let copy = UploadPartCopy {
            source,
            range,
            bucket: self.upload.bucket_name().to_owned(),
            key: self.upload.object_key().to_owned(),
            upload_id: self.upload.id.clone(),
            part_number: self.number,
        };
        let done = self.upload.object.client().send(&copy).await;
        self.known.forget().await;
        done
    }
}
