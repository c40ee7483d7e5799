//! The bucket as it is now.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Catalog, From, ListRequest};
use crate::s3::ops::{HeadObject, ListObjectsV2, ListObjectsV2Output, ObjectHeaders};
use crate::s3::{Client, Result};

pub struct Live {
    client: Client,
    bucket: String,
}

impl Live {
    pub fn new(client: Client, bucket: &str) -> Self {
        Self { client, bucket: bucket.to_owned() }
    }
}

impl Catalog for Live {
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectHeaders>> {
        let head = HeadObject { bucket: self.bucket.clone(), key: key.to_owned(), ..HeadObject::default() };
        async move { self.client.send(&head).await }.boxed()
    }

    fn list(&self, request: ListRequest) -> BoxFuture<'_, Result<ListObjectsV2Output>> {
        let list = encode(&self.bucket, request);
        async move { self.client.send(&list).await }.boxed()
    }

    fn lists_metadata(&self) -> bool {
        self.client.dialect().lists_metadata()
    }
}

fn encode(bucket: &str, request: ListRequest) -> ListObjectsV2 {
    let (continuation_token, start_after) = match request.from {
        From::Start => (None, None),
        From::Token(token) => (Some(token), None),
        From::After(key) => (None, Some(key)),
    };
    ListObjectsV2 {
        bucket: bucket.to_owned(),
        prefix: request.prefix,
        delimiter: request.delimited.then(|| "/".to_owned()),
        continuation_token,
        start_after,
        max_keys: Some(request.max_keys),
        with_metadata: request.with_metadata,
        ..ListObjectsV2::default()
    }
}
