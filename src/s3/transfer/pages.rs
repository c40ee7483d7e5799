//! Listings as one stream over all their pages. The next page is asked for when the last entry of the one before
//! was taken; who stops early asks for no more.

use std::collections::VecDeque;

use futures_util::Stream;
use futures_util::stream;

use crate::s3::ops::{
    Bucket, ListBuckets, ListMultipartUploads, ListObjectVersions, ListObjects, ListObjectsV2, ListParts,
    ListedObject, ListedVersion, Part, Upload,
};
use crate::s3::vendor::ibm::{ExtendedBucket, ListBucketsExtended};
use crate::s3::{Client, Error, Operation, Result};

/// Keys and common prefixes in the order of their names.
#[derive(Clone, Debug)]
pub enum Listed {
    Object(ListedObject),
    Prefix(String),
}

impl Listed {
    pub fn name(&self) -> &str {
        match self {
            Self::Object(object) => &object.key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// The same with old versions, newest first per key.
#[derive(Clone, Debug)]
pub enum ListedAny {
    Version(ListedVersion),
    Prefix(String),
}

impl ListedAny {
    pub fn name(&self) -> &str {
        match self {
            Self::Version(version) => &version.key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

pub fn buckets(client: &Client, list: ListBuckets) -> impl Stream<Item = Result<Bucket>> + Send + use<> {
    pages(client.clone(), list)
}

/// IBM's: with their places.
pub fn buckets_extended(
    client: &Client,
    list: ListBucketsExtended,
) -> impl Stream<Item = Result<ExtendedBucket>> + Send + use<> {
    pages(client.clone(), list)
}

pub fn objects(client: &Client, list: ListObjectsV2) -> impl Stream<Item = Result<Listed>> + Send + use<> {
    pages(client.clone(), list)
}

/// As [`objects`], by the first version of the listing.
pub fn objects_v1(client: &Client, list: ListObjects) -> impl Stream<Item = Result<Listed>> + Send + use<> {
    pages(client.clone(), list)
}

pub fn versions(
    client: &Client,
    list: ListObjectVersions,
) -> impl Stream<Item = Result<ListedAny>> + Send + use<> {
    pages(client.clone(), list)
}

pub fn uploads(
    client: &Client,
    list: ListMultipartUploads,
) -> impl Stream<Item = Result<Upload>> + Send + use<> {
    pages(client.clone(), list)
}

pub fn parts(client: &Client, list: ListParts) -> impl Stream<Item = Result<Part>> + Send + use<> {
    pages(client.clone(), list)
}

/// A listing whose pages follow each other.
trait Paged: Operation + Send + Sized {
    type Item: Send;

    /// The entries of a page, and the request for the page after it.
    fn turn(self, page: Self::Output) -> Result<(Vec<Self::Item>, Option<Self>)>;
}

struct Place<L: Paged> {
    client: Client,
    entries: VecDeque<L::Item>,
    next: Option<L>,
}

fn pages<L: Paged>(client: Client, list: L) -> impl Stream<Item = Result<L::Item>> + Send {
    let place = Place { client, entries: VecDeque::new(), next: Some(list) };
    stream::try_unfold(place, async |mut place| {
        loop {
            if let Some(entry) = place.entries.pop_front() {
                return Ok(Some((entry, place)));
            }
            let Some(list) = place.next.take() else { return Ok(None) };
            let page = place.client.send(&list).await?;
            let (entries, next) = list.turn(page)?;
            place.entries = entries.into();
            place.next = next;
        }
    })
}

/// The page that follows, unless the store sends us in a circle.
fn follow<M: PartialEq, L>(at: &M, next: M, then: impl FnOnce(M) -> L) -> Result<Option<L>> {
    if *at == next {
        return Err(Error::decode(
            "The listing goes in a circle: its next page is the one it has just sent.",
        ));
    }
    Ok(Some(then(next)))
}

impl Paged for ListBuckets {
    type Item = Bucket;

    fn turn(self, page: Self::Output) -> Result<(Vec<Bucket>, Option<Self>)> {
        if page.continuation_token.is_none() {
            return Ok((page.buckets, None));
        }
        let at = self.continuation_token.clone();
        let next =
            follow(&at, page.continuation_token, |continuation_token| Self { continuation_token, ..self })?;
        Ok((page.buckets, next))
    }
}

impl Paged for ListBucketsExtended {
    type Item = ExtendedBucket;

    fn turn(self, page: Self::Output) -> Result<(Vec<ExtendedBucket>, Option<Self>)> {
        let next = page.next().map(str::to_owned);
        let buckets = page.list.map(|list| list.buckets).unwrap_or_default();
        if next.is_none() {
            return Ok((buckets, None));
        }
        let at = self.marker.clone();
        let next = follow(&at, next, |marker| Self { marker, ..self })?;
        Ok((buckets, next))
    }
}

impl Paged for ListObjectsV2 {
    type Item = Listed;

    fn turn(self, page: Self::Output) -> Result<(Vec<Listed>, Option<Self>)> {
        let objects = page.objects.into_iter().map(Listed::Object).collect();
        let prefixes = page.common_prefixes.into_iter().map(Listed::Prefix).collect();
        let entries = merged(objects, prefixes, Listed::name);
        if !page.is_truncated {
            return Ok((entries, None));
        }
        let at = self.continuation_token.clone();
        let next = follow(&at, page.next_continuation_token, |continuation_token| Self {
            continuation_token,
            ..self
        })?;
        Ok((entries, next))
    }
}

impl Paged for ListObjects {
    type Item = Listed;

    fn turn(self, page: Self::Output) -> Result<(Vec<Listed>, Option<Self>)> {
        let objects = page.objects.into_iter().map(Listed::Object).collect();
        let prefixes = page.common_prefixes.into_iter().map(Listed::Prefix).collect();
        let entries = merged(objects, prefixes, Listed::name);
        if page.next_marker.is_none() {
            return Ok((entries, None));
        }
        let at = self.marker.clone();
        let next = follow(&at, page.next_marker, |marker| Self { marker, ..self })?;
        Ok((entries, next))
    }
}

impl Paged for ListObjectVersions {
    type Item = ListedAny;

    fn turn(self, page: Self::Output) -> Result<(Vec<ListedAny>, Option<Self>)> {
        let versions = page.versions.into_iter().map(ListedAny::Version).collect();
        let prefixes = page.common_prefixes.into_iter().map(ListedAny::Prefix).collect();
        let entries = merged(versions, prefixes, ListedAny::name);
        if !page.is_truncated {
            return Ok((entries, None));
        }
        let at = (self.key_marker.clone(), self.version_id_marker.clone());
        let next = follow(&at, (page.next_key_marker, page.next_version_id_marker), |(key, version)| Self {
            key_marker: key,
            version_id_marker: version,
            ..self
        })?;
        Ok((entries, next))
    }
}

impl Paged for ListMultipartUploads {
    type Item = Upload;

    fn turn(self, page: Self::Output) -> Result<(Vec<Upload>, Option<Self>)> {
        if !page.is_truncated {
            return Ok((page.uploads, None));
        }
        let at = (self.key_marker.clone(), self.upload_id_marker.clone());
        let next = follow(&at, (page.next_key_marker, page.next_upload_id_marker), |(key, upload)| Self {
            key_marker: key,
            upload_id_marker: upload,
            ..self
        })?;
        Ok((page.uploads, next))
    }
}

impl Paged for ListParts {
    type Item = Part;

    fn turn(self, page: Self::Output) -> Result<(Vec<Part>, Option<Self>)> {
        if !page.is_truncated {
            return Ok((page.parts, None));
        }
        let at = self.part_number_marker;
        let next = follow(&at, page.next_part_number_marker, |part_number_marker| Self {
            part_number_marker,
            ..self
        })?;
        Ok((page.parts, next))
    }
}

/// Both lists as one in the order of names, as S3 counts through them; each keeps its own order.
fn merged<T>(keys: Vec<T>, prefixes: Vec<T>, name: impl Fn(&T) -> &str) -> Vec<T> {
    let mut merged = Vec::with_capacity(keys.len() + prefixes.len());
    let mut keys = keys.into_iter().peekable();
    for prefix in prefixes {
        merged.extend(std::iter::from_fn(|| keys.next_if(|key| name(key) < name(&prefix))));
        merged.push(prefix);
    }
    merged.extend(keys);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ErrorKind;
    use crate::s3::ops::{ListObjectsV2Output, ListPartsOutput};

    #[test]
    fn keys_and_prefixes_come_in_the_order_of_their_names() {
        let order = |keys: &[&'static str], prefixes: &[&'static str]| {
            merged(keys.to_vec(), prefixes.to_vec(), |name| name)
        };
        assert_eq!(order(&["a", "c", "c", "e"], &["b/", "d/"]), ["a", "b/", "c", "c", "d/", "e"]);
        assert_eq!(order(&["a-", "a0"], &["a/"]), ["a-", "a/", "a0"]);
        assert_eq!(order(&[], &["x/"]), ["x/"]);
    }

    #[test]
    fn the_next_page_goes_on_where_the_last_one_ended() {
        let list = ListObjectsV2 { start_after: Some("a".into()), ..ListObjectsV2::default() };
        let page = |next: Option<&str>| ListObjectsV2Output {
            is_truncated: next.is_some(),
            next_continuation_token: next.map(str::to_owned),
            ..ListObjectsV2Output::default()
        };
        let (_, next) = list.clone().turn(page(Some("t1"))).unwrap();
        let next = next.unwrap();
        assert_eq!(next.continuation_token.as_deref(), Some("t1"));
        let circle = next.clone().turn(page(Some("t1")));
        assert_eq!(circle.err().map(|error| error.kind()), Some(ErrorKind::Corrupt));
        assert!(next.turn(page(None)).unwrap().1.is_none());
    }

    #[test]
    fn parts_are_paged_by_number() {
        let page = ListPartsOutput { parts: vec![], next_part_number_marker: Some(7), is_truncated: true };
        let (_, next) = ListParts::default().turn(page).unwrap();
        assert_eq!(next.unwrap().part_number_marker, Some(7));
    }
}
