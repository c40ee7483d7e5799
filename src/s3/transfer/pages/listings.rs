//! How each listing turns its pages.

use super::{Listed, ListedAny, Marks, Paged};
use crate::s3::ops::{
    Annotation, Bucket, ListBuckets, ListDirectoryBuckets, ListMultipartUploads, ListObjectAnnotations,
    ListObjectVersions, ListObjects, ListObjectsV2, ListParts, Part, Upload,
};
use crate::s3::settings::{ListNamed, NamedSetting};
use crate::s3::vendor::ibm::{
    ExtendedBucket, ListBucketReplicationFailures, ListBucketsExtended, ReplicationFailure,
};

/// Where the next page begins, for a listing with one marker.
fn one(marker: Option<String>) -> Option<Marks> {
    marker.map(|marker| [Some(marker), None])
}

/// The three words of a listing whose marker and page size are fields.
macro_rules! marked_by {
    ($marker:ident) => {
        fn marks(&self) -> Marks {
            [self.$marker.clone(), None]
        }

        fn at(mut self, [marker, _]: Marks) -> Self {
            self.$marker = marker;
            self
        }
    };
    ($marker:ident, $size:ident) => {
        marked_by!($marker);

        fn with_page_size(self, entries: u32) -> Self {
            Self { $size: Some(entries), ..self }
        }
    };
    ($first:ident and $second:ident, $size:ident) => {
        fn marks(&self) -> Marks {
            [self.$first.clone(), self.$second.clone()]
        }

        fn at(self, [$first, $second]: Marks) -> Self {
            Self { $first, $second, ..self }
        }

        fn with_page_size(self, entries: u32) -> Self {
            Self { $size: Some(entries), ..self }
        }
    };
}

impl Paged for ListBuckets {
    type Item = Bucket;
    marked_by!(continuation_token, max_buckets);

    fn open(page: Self::Output) -> (Vec<Bucket>, Option<Marks>) {
        (page.buckets, one(page.continuation_token))
    }
}

impl Paged for ListDirectoryBuckets {
    type Item = Bucket;
    marked_by!(continuation_token, max_directory_buckets);

    fn open(page: Self::Output) -> (Vec<Bucket>, Option<Marks>) {
        (page.buckets, one(page.continuation_token))
    }
}

impl Paged for ListBucketsExtended {
    type Item = ExtendedBucket;
    marked_by!(marker, max_keys);

    fn open(page: Self::Output) -> (Vec<ExtendedBucket>, Option<Marks>) {
        let next = page.next().map(str::to_owned);
        (page.list.map(|list| list.buckets).unwrap_or_default(), one(next))
    }
}

impl Paged for ListObjectsV2 {
    type Item = Listed;
    marked_by!(continuation_token, max_keys);

    fn open(page: Self::Output) -> (Vec<Listed>, Option<Marks>) {
        let objects = page.objects.into_iter().map(Listed::Object).collect();
        let prefixes = page.common_prefixes.into_iter().map(Listed::Prefix).collect();
        let next = page.next_continuation_token.filter(|_| page.is_truncated);
        (merged(objects, prefixes, Listed::name), one(next))
    }
}

impl Paged for ListObjects {
    type Item = Listed;
    marked_by!(marker, max_keys);

    fn open(page: Self::Output) -> (Vec<Listed>, Option<Marks>) {
        let objects = page.objects.into_iter().map(Listed::Object).collect();
        let prefixes = page.common_prefixes.into_iter().map(Listed::Prefix).collect();
        (merged(objects, prefixes, Listed::name), one(page.next_marker))
    }
}

impl Paged for ListObjectVersions {
    type Item = ListedAny;
    marked_by!(key_marker and version_id_marker, max_keys);

    fn open(page: Self::Output) -> (Vec<ListedAny>, Option<Marks>) {
        let versions = page.versions.into_iter().map(ListedAny::Version).collect();
        let prefixes = page.common_prefixes.into_iter().map(ListedAny::Prefix).collect();
        let next = page.is_truncated.then_some([page.next_key_marker, page.next_version_id_marker]);
        (merged(versions, prefixes, ListedAny::name), next)
    }
}

impl Paged for ListMultipartUploads {
    type Item = Upload;
    marked_by!(key_marker and upload_id_marker, max_uploads);

    fn open(page: Self::Output) -> (Vec<Upload>, Option<Marks>) {
        let next = page.is_truncated.then_some([page.next_key_marker, page.next_upload_id_marker]);
        (page.uploads, next)
    }
}

impl Paged for ListParts {
    type Item = Part;

    fn marks(&self) -> Marks {
        [self.part_number_marker.map(|number| number.to_string()), None]
    }

    fn at(self, [number, _]: Marks) -> Self {
        Self { part_number_marker: number.and_then(|number| number.parse().ok()), ..self }
    }

    fn with_page_size(self, entries: u32) -> Self {
        Self { max_parts: Some(entries), ..self }
    }

    fn open(page: Self::Output) -> (Vec<Part>, Option<Marks>) {
        let next = page.next_part_number_marker.filter(|_| page.is_truncated);
        (page.parts, one(next.map(|number| number.to_string())))
    }
}

impl Paged for ListObjectAnnotations {
    type Item = Annotation;
    marked_by!(continuation_token, max_results);

    fn open(page: Self::Output) -> (Vec<Annotation>, Option<Marks>) {
        (page.list.map(|list| list.entries).unwrap_or_default(), one(page.next))
    }
}

impl Paged for ListBucketReplicationFailures {
    type Item = ReplicationFailure;
    marked_by!(continuation_token, max_keys);

    fn open(page: Self::Output) -> (Vec<ReplicationFailure>, Option<Marks>) {
        let next = page.next.filter(|_| page.truncated == Some(true));
        (page.failures, one(next))
    }
}

/// Their pages hold up to 100 documents, and no request can say fewer.
impl<S: NamedSetting + Clone> Paged for ListNamed<S> {
    type Item = S;
    marked_by!(continuation_token);

    fn with_page_size(self, _entries: u32) -> Self {
        self
    }

    fn open(page: Self::Output) -> (Vec<S>, Option<Marks>) {
        (page.documents, one(page.next))
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
        let page = |truncated, next: Option<&str>| ListObjectsV2Output {
            is_truncated: truncated,
            next_continuation_token: next.map(str::to_owned),
            ..ListObjectsV2Output::default()
        };
        let next = |page| ListObjectsV2::open(page).1;
        assert_eq!(next(page(true, Some("t1"))), Some([Some("t1".into()), None]));
        assert_eq!(next(page(false, Some("t1"))), None);
        let list = ListObjectsV2::default().at([Some("t1".into()), None]).with_page_size(7);
        assert_eq!((list.marks(), list.max_keys), ([Some("t1".into()), None], Some(7)));
        let both = [Some("k".to_owned()), Some("v".to_owned())];
        assert_eq!(ListObjectVersions::default().at(both.clone()).marks(), both);
        assert_eq!(ListMultipartUploads::default().at(both.clone()).marks(), both);
    }

    #[test]
    fn parts_are_paged_by_number() {
        let page =
            ListPartsOutput { next_part_number_marker: Some(7), is_truncated: true, ..Default::default() };
        let (_, next) = ListParts::open(page);
        assert_eq!(ListParts::default().at(next.unwrap()).part_number_marker, Some(7));
    }
}
