//! What HEAD and GET say of an object beside what most readers ask: charges, archives, keys of the customer, and what
//! IBM adds.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName};

use super::headers::{flag, text};
use crate::base::timestamp;

/// S3 API: HeadObject. `None` where the reply did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectFacts {
    /// `bytes`.
    pub accept_ranges: Option<String>,
    /// `ARCHIVE_ACCESS` or `DEEP_ARCHIVE_ACCESS`, of objects in INTELLIGENT_TIERING.
    pub archive_status: Option<String>,
    /// The version is a delete marker.
    pub delete_marker: bool,
    /// `requester`, where the caller paid.
    pub request_charged: Option<String>,
    /// `AES256`, of an object whose key the customer keeps.
    pub sse_customer_algorithm: Option<String>,
    /// Base64.
    pub sse_customer_key_md5: Option<String>,
    /// A key of the bucket stands between the object and KMS.
    pub bucket_key: bool,
    /// What IBM adds.
    pub ibm: IbmFacts,
}

/// What IBM's stores say of an object.
/// <https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-object-operations>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IbmFacts {
    /// Seconds; -1 without end, -2 for ever.
    pub retention_period: Option<i64>,
    /// Until when it is kept.
    pub retention_expires: Option<SystemTime>,
    /// How many legal holds keep it.
    pub legal_holds: u32,
    /// The class of the copy that was restored.
    pub restored_class: Option<String>,
    /// When it goes to an archive, and to which.
    pub transition: Option<String>,
}

impl ObjectFacts {
    pub(super) fn decode(headers: &HeaderMap) -> Self {
        let said = |name: &'static str| text(headers, &HeaderName::from_static(name));
        Self {
            accept_ranges: said("accept-ranges"),
            archive_status: said("x-amz-archive-status"),
            delete_marker: flag(headers, "x-amz-delete-marker"),
            request_charged: said("x-amz-request-charged"),
            sse_customer_algorithm: said("x-amz-server-side-encryption-customer-algorithm"),
            sse_customer_key_md5: said("x-amz-server-side-encryption-customer-key-md5"),
            bucket_key: flag(headers, "x-amz-server-side-encryption-bucket-key-enabled"),
            ibm: IbmFacts::decode(headers),
        }
    }
}

impl IbmFacts {
    fn decode(headers: &HeaderMap) -> Self {
        let said = |name: &'static str| text(headers, &HeaderName::from_static(name));
        let date = |text: &str| timestamp::parse_http_date(text).or_else(|| timestamp::parse_rfc3339(text));
        Self {
            retention_period: said("retention-period").and_then(|seconds| seconds.trim().parse().ok()),
            retention_expires: said("retention-expiration-date").and_then(|text| date(text.trim())),
            legal_holds: said("retention-legal-hold-count")
                .and_then(|count| count.trim().parse().ok())
                .unwrap_or(0),
            restored_class: said("x-ibm-restored-copy-storage-class"),
            transition: said("x-ibm-transition"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(pairs: &[(&'static str, &'static str)]) -> ObjectFacts {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        ObjectFacts::decode(&pairs.collect())
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        assert_eq!(facts(&[("etag", "\"e\"")]), ObjectFacts::default());
    }

    #[test]
    fn dates_of_ibm_have_two_forms() {
        let expires = |text| facts(&[("retention-expiration-date", text)]).ibm.retention_expires;
        let then = timestamp::parse_rfc3339("2017-09-08T22:33:08Z");
        assert!(then.is_some());
        assert_eq!(expires("Fri, 08 Sep 2017 22:33:08 GMT"), then);
        assert_eq!(expires("2017-09-08T22:33:08.000Z"), then);
        assert_eq!(expires("some day"), None);
        assert_eq!(facts(&[("retention-period", "-1")]).ibm.retention_period, Some(-1));
    }
}
