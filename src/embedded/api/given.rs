//! What a request gives the object that it makes: PutObject, CopyObject and CreateMultipartUpload carry the same
//! headers, which the protocol crate hands over in three types.

use s3s::dto::{
    Metadata, ObjectLockLegalHoldStatus, ObjectLockMode, ServerSideEncryption, StorageClass, Timestamp,
};

use super::about::{parse_tags, storage_class, stored_encoding};
use super::acl;
use super::encryption::{asked_encryption, refuse_customer_key};
use super::wire;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{About, Lock, Tags};

/// The headers as they came.
pub struct Headers {
    pub acl: acl::Asked,
    pub server_side_encryption: Option<ServerSideEncryption>,
    pub sse_customer_algorithm: Option<String>,
    pub ssekms_key_id: Option<String>,
    pub bucket_key_enabled: Option<bool>,
    pub object_lock_mode: Option<ObjectLockMode>,
    pub object_lock_retain_until_date: Option<Timestamp>,
    pub object_lock_legal_hold_status: Option<ObjectLockLegalHoldStatus>,
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<Timestamp>,
    pub website_redirect_location: Option<String>,
    pub storage_class: Option<StorageClass>,
    pub metadata: Option<Metadata>,
    pub tagging: Option<String>,
}

/// Takes [`Headers`] out of the input of any of the three.
macro_rules! take_headers {
    ($input:expr) => {
        take_headers!($input; server_side_encryption sse_customer_algorithm ssekms_key_id bucket_key_enabled object_lock_mode
            object_lock_retain_until_date object_lock_legal_hold_status content_type cache_control
            content_disposition content_encoding content_language expires website_redirect_location storage_class
            metadata tagging)
    };
    ($input:expr; $($header:ident)*) => {
        $crate::embedded::api::given::Headers {
            acl: $crate::embedded::api::acl::take_acl!($input),
            $($header: $input.$header.take()),*
        }
    };
}
pub(super) use take_headers;

/// The same, understood.
pub struct Given {
    pub about: About,
    pub lock: Lock,
    /// The access control list, if anything is said of it.
    pub acl: Option<String>,
}

impl Headers {
    pub fn understand(self) -> Result<Given, Refusal> {
        refuse_customer_key(self.sse_customer_algorithm.as_deref())?;
        let encryption = asked_encryption(
            self.server_side_encryption.as_ref(),
            self.ssekms_key_id,
            self.bucket_key_enabled,
        )?;
        let acl = self.acl.document()?;
        let lock = wire::asked_lock(
            self.object_lock_mode.as_ref(),
            self.object_lock_retain_until_date.as_ref(),
            self.object_lock_legal_hold_status.as_ref(),
        )?;
        let about = About {
            content_type: self.content_type,
            cache_control: self.cache_control,
            content_disposition: self.content_disposition,
            content_encoding: stored_encoding(self.content_encoding),
            content_language: self.content_language,
            expires: self.expires.as_ref().map(wire::system_time),
            website_redirect: self.website_redirect_location,
            storage_class: storage_class(self.storage_class)?,
            metadata: self.metadata.into_iter().flatten().collect(),
            tags: self.tagging.map_or_else(|| Ok(Tags::new()), |header| parse_tags(&header))?,
            encryption,
        };
        Ok(Given { about, lock, acl })
    }
}
