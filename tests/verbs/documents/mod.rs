//! Every configuration document: put, got as it was put, taken back.

mod access;
mod named;
mod plain;
mod tables;

use std::fmt::Debug;

use holdfs::s3::Result;
use holdfs::s3::settings::{DeleteSetting, GetSetting, PutSetting, Removable, Setting};

use super::{holds_or_lacks, lacks_or_fails, taken};
use crate::mounted::harness::{Bucket, Store};

/// A bucket with something in it: a store that takes `DELETE /bucket?what` for `DELETE /bucket` must refuse.
fn filled_bucket() -> Bucket<'static> {
    let bucket = Bucket::new(Store::shared());
    bucket.put("keep", "x");
    bucket
}

fn get<S: Setting>(bucket: &Bucket<'_>) -> Result<Option<S>> {
    bucket.send(&GetSetting::<S>::new(&bucket.name))
}

fn put<S: Setting + Clone>(bucket: &Bucket<'_>, document: &S) -> Result<()> {
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document: document.clone() })
}

/// Puts it and gets the same.
fn stays<S: Setting + Clone + PartialEq + Debug>(bucket: &Bucket<'_>, document: S) {
    if taken(S::PUT, put(bucket, &document)).is_none() {
        taken(S::GET, get::<S>(bucket));
        return;
    }
    match taken(S::GET, get::<S>(bucket)) {
        Some(got) => _ = holds_or_lacks(&format!("{}: what was put", S::GET), &got, &Some(document)),
        None => lacks_or_fails(&format!("{}: taken and not kept", S::PUT), "it cannot be got"),
    }
}

/// Puts it, gets the same, removes it: then there is what was there before.
fn comes_and_goes<S: Removable + Clone + PartialEq + Debug>(bucket: &Bucket<'_>, document: S) {
    let before = get::<S>(bucket).ok();
    stays(bucket, document);
    let removed = taken(S::DELETE, bucket.send(&DeleteSetting::<S>::new(&bucket.name)));
    if let (Some(before), Some(())) = (before, removed) {
        let after = taken(S::GET, get::<S>(bucket));
        holds_or_lacks(&format!("{}: as it was before", S::DELETE), &after, &Some(before));
    }
}
