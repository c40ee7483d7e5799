//! What becomes of objects as they age.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>
//!
//! The older form (PutBucketLifecycle), with a prefix in the rule instead of a filter, is read into the same rules.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use super::filter::Tag;
use super::{Removable, Setting};
use crate::s3::Result;
use crate::s3::document::{self, Date, Toggle, document, words};
use crate::s3::ops::{put_some, text};

const TRANSITION_MINIMUM: HeaderName =
    HeaderName::from_static("x-amz-transition-default-minimum-object-size");

/// Up to 1,000 rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// In any order; all that match an object apply.
    #[serde(rename = "Rule")]
    pub rules: Vec<LifecycleRule>,
    /// Travels in a header; stores other than AWS do not have it.
    #[serde(rename = "TransitionDefaultMinimumObjectSize", skip_serializing_if = "Option::is_none", default)]
    pub transition_minimum: Option<TransitionMinimum>,
}

words! {
    /// The smallest object that a transition without a size of its own moves.
    pub enum TransitionMinimum {
        /// 128 KiB for every class.
        All128K = "all_storage_classes_128K",
        /// None for the archive classes.
        ByStorageClass = "varies_by_storage_class",
    }
}

document! {
    pub struct Rules {
        rules: Vec<LifecycleRule> = "Rule",
    }

    /// At least one action besides id, filter and status.
    pub struct LifecycleRule {
        expiration: Option<Expiration> = "Expiration",
        /// At most 255 characters, unique in the bucket; made up by the store when absent.
        id: Option<String> = "ID",
        /// Only in the older form.
        prefix: Option<String> = "Prefix",
        filter: Option<LifecycleFilter> = "Filter",
        status: Toggle = "Status",
        transitions: Vec<Transition> = "Transition",
        noncurrent_transitions: Vec<NoncurrentTransition> = "NoncurrentVersionTransition",
        noncurrent_expiration: Option<NoncurrentExpiration> = "NoncurrentVersionExpiration",
        abort_uploads: Option<AbortIncompleteUpload> = "AbortIncompleteMultipartUpload",
    }

    /// Exactly one of the fields; `and` to combine. Without any: every object.
    #[derive(Default, Eq)]
    pub struct LifecycleFilter {
        prefix: Option<String> = "Prefix",
        tag: Option<Tag> = "Tag",
        /// Bytes.
        size_above: Option<u64> = "ObjectSizeGreaterThan",
        /// Bytes.
        size_below: Option<u64> = "ObjectSizeLessThan",
        and: Option<LifecycleAnd> = "And",
    }

    /// All of them.
    #[derive(Default, Eq)]
    pub struct LifecycleAnd {
        prefix: Option<String> = "Prefix",
        tags: Vec<Tag> = "Tag",
        size_above: Option<u64> = "ObjectSizeGreaterThan",
        size_below: Option<u64> = "ObjectSizeLessThan",
    }

    /// When the current version goes; exactly one of the fields.
    #[derive(Default, Eq)]
    pub struct Expiration {
        /// Midnight UTC.
        date: Option<Date> = "Date",
        days: Option<u32> = "Days",
        /// Removes a delete marker under which no version is left.
        expired_delete_marker: Option<bool> = "ExpiredObjectDeleteMarker",
        /// MinIO: all versions at once.
        all_versions: Option<bool> = "ExpiredObjectAllVersions",
    }

    #[derive(Default, Eq)]
    pub struct Transition {
        /// Midnight UTC.
        date: Option<Date> = "Date",
        days: Option<u32> = "Days",
        /// `GLACIER`, `STANDARD_IA`, …; MinIO: the name of a tier.
        storage_class: Option<String> = "StorageClass",
    }

    #[derive(Default, Eq)]
    pub struct NoncurrentTransition {
        /// Since a newer version took its place.
        days: Option<u32> = "NoncurrentDays",
        storage_class: Option<String> = "StorageClass",
        /// So many newer noncurrent versions stay.
        newer_versions: Option<u32> = "NewerNoncurrentVersions",
    }

    #[derive(Default, Eq)]
    pub struct NoncurrentExpiration {
        /// Since a newer version took its place.
        days: Option<u32> = "NoncurrentDays",
        /// So many newer noncurrent versions stay.
        newer_versions: Option<u32> = "NewerNoncurrentVersions",
    }

    #[derive(Default, Eq)]
    pub struct AbortIncompleteUpload {
        days: Option<u32> = "DaysAfterInitiation",
    }
}

impl LifecycleRule {
    /// An enabled rule without an action, for the objects of `filter`.
    pub fn new(id: impl Into<String>, filter: LifecycleFilter) -> Self {
        Self {
            expiration: None,
            id: Some(id.into()),
            prefix: None,
            filter: Some(filter),
            status: Toggle::Enabled,
            transitions: Vec::new(),
            noncurrent_transitions: Vec::new(),
            noncurrent_expiration: None,
            abort_uploads: None,
        }
    }
}

impl Setting for Lifecycle {
    const SUBRESOURCE: &'static str = "lifecycle";
    const GET: &'static str = "GetBucketLifecycleConfiguration";
    const PUT: &'static str = "PutBucketLifecycleConfiguration";
    const ABSENT: &'static [&'static str] = &["NoSuchLifecycleConfiguration"];

    fn encode(&self) -> Result<Bytes> {
        document::encode("LifecycleConfiguration", &Rules { rules: self.rules.clone() })
    }

    fn decode(document: &[u8]) -> Result<Self> {
        let Rules { rules } = document::decode("LifecycleConfiguration", document)?;
        Ok(Self { rules, transition_minimum: None })
    }

    fn put_headers(&self, headers: &mut HeaderMap) -> Result<()> {
        let minimum = self.transition_minimum.as_ref().map(TransitionMinimum::as_str);
        put_some(headers, TRANSITION_MINIMUM, minimum)
    }

    fn with_headers(self, headers: &HeaderMap) -> Self {
        let transition_minimum = text(headers, &TRANSITION_MINIMUM).map(TransitionMinimum::from);
        Self { transition_minimum, ..self }
    }
}

impl Removable for Lifecycle {
    const DELETE: &'static str = "DeleteBucketLifecycle";
}

#[cfg(test)]
mod tests {
    use super::super::fixture::survives;
    use super::super::{GetSetting, PutSetting};
    use super::*;
    use crate::s3::Operation;
    use crate::s3::ops::fixture::{reply, wire};

    #[test]
    fn lifecycle_as_in_the_reference() {
        let lifecycle: Lifecycle = survives(
            r#"<LifecycleConfiguration>
  <Rule>
    <ID>id1</ID>
    <Filter><Prefix>documents/</Prefix></Filter>
    <Status>Enabled</Status>
    <Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>
  </Rule>
  <Rule>
    <ID>id2</ID>
    <Filter>
      <And>
        <Prefix>logs/</Prefix>
        <Tag><Key>a</Key><Value>b</Value></Tag>
        <Tag><Key>c</Key><Value/></Tag>
        <ObjectSizeGreaterThan>500</ObjectSizeGreaterThan>
        <ObjectSizeLessThan>64000</ObjectSizeLessThan>
      </And>
    </Filter>
    <Status>Disabled</Status>
    <Expiration><Date>2027-01-31T00:00:00.000Z</Date></Expiration>
    <NoncurrentVersionTransition><NoncurrentDays>30</NoncurrentDays><StorageClass>STANDARD_IA</StorageClass>
    </NoncurrentVersionTransition>
    <NoncurrentVersionExpiration>
      <NewerNoncurrentVersions>5</NewerNoncurrentVersions><NoncurrentDays>1</NoncurrentDays>
    </NoncurrentVersionExpiration>
    <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>
  </Rule>
</LifecycleConfiguration>"#,
        );
        let [first, second] = &lifecycle.rules[..] else { panic!("two rules") };
        assert_eq!(first.transitions[0].storage_class.as_deref(), Some("GLACIER"));
        assert_eq!(second.status, Toggle::Disabled);
        assert_eq!(second.abort_uploads, Some(AbortIncompleteUpload { days: Some(7) }));
    }

    #[test]
    fn the_older_form_is_read() {
        let old = "<LifecycleConfiguration><Rule><ID>x</ID><Prefix></Prefix><Status>Enabled</Status>\
                   <Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>";
        let lifecycle: Lifecycle = survives(old);
        assert_eq!(lifecycle.rules[0].prefix.as_deref(), Some(""));
        assert_eq!(lifecycle.rules[0].filter, None);
    }

    #[test]
    fn the_least_size_travels_in_a_header() {
        let rule = LifecycleRule {
            expiration: Some(Expiration { days: Some(1), ..Expiration::default() }),
            ..LifecycleRule::new("r", LifecycleFilter::default())
        };
        let document = Lifecycle { rules: vec![rule], transition_minimum: Some(TransitionMinimum::All128K) };
        let put = PutSetting { bucket: "b".into(), document };
        assert_eq!(
            wire(&put),
            "PUT /b?lifecycle=\nx-amz-transition-default-minimum-object-size: all_storage_classes_128K\n\
             <LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><Expiration>\
             <Days>1</Days></Expiration><ID>r</ID><Filter></Filter><Status>Enabled</Status></Rule>\
             </LifecycleConfiguration>"
        );
        let headers = [("x-amz-transition-default-minimum-object-size", "varies_by_storage_class")];
        let get = GetSetting::<Lifecycle>::new("b");
        let answer = get.decode(reply(200, &headers, "<LifecycleConfiguration/>")).unwrap().unwrap();
        assert_eq!(answer.transition_minimum, Some(TransitionMinimum::ByStorageClass));
    }
}
