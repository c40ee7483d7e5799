//! What this store can do, as far as it has shown.
//!
//! S3 is spoken with accents: some stores refuse checksums behind the body, some ignore conditions. What a request
//! brings to light is remembered here and shared by all clones of a client. Nothing is forbidden by it: a store
//! that was upgraded shows so after the next start.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use http::header::{IF_MATCH, SERVER};
use http::{HeaderMap, HeaderValue, Method};

use super::ChecksumMode;
use super::checksum::Method as Checksum;
use super::operation::Request;

/// What has been learnt of one store; shared by all clones of a client.
#[derive(Debug)]
pub struct Dialect {
    /// Index into [`Checksum::ORDER`].
    checksum: AtomicU8,
    /// The method was asked for and is never changed.
    fixed: bool,
    vendor: AtomicU8,
    /// A write whose condition did not hold was stored all the same.
    ignores_conditions: AtomicBool,
}

/// Who made the store, by its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Has not said.
    Unknown,
    /// Amazon S3.
    Aws,
    /// MinIO and what is made of it.
    Minio,
    /// The gateway of Ceph.
    Ceph,
    /// The server of `holdfs serve`.
    Holdfs,
}

const VENDORS: [Vendor; 5] = [Vendor::Unknown, Vendor::Aws, Vendor::Minio, Vendor::Ceph, Vendor::Holdfs];

impl Dialect {
    pub(super) fn new(mode: ChecksumMode) -> Self {
        let first = match mode {
            ChecksumMode::Auto | ChecksumMode::Trailer => Checksum::Trailer,
            ChecksumMode::Header => Checksum::Header,
            ChecksumMode::ContentMd5 => Checksum::ContentMd5,
            ChecksumMode::None => Checksum::None,
        };
        Self {
            checksum: AtomicU8::new(first.index()),
            fixed: mode != ChecksumMode::Auto,
            vendor: AtomicU8::new(0),
            ignores_conditions: AtomicBool::new(false),
        }
    }
    /// How uploads prove that they arrived whole.
    pub(super) fn checksum(&self) -> Checksum {
        Checksum::ORDER[usize::from(self.checksum.load(Ordering::Relaxed))]
    }
    /// What to try where the store refused `refused`.
    pub(super) fn below(&self, refused: Checksum) -> Option<Checksum> {
        if self.fixed { None } else { Checksum::ORDER.get(usize::from(refused.index()) + 1).copied() }
    }
    /// A request that was refused with a better method succeeded with this one: begin with it from now on.
    pub(super) fn settle_for(&self, method: Checksum) {
        self.checksum.fetch_max(method.index(), Ordering::Relaxed);
    }

    /// Known from the first reply on.
    pub fn vendor(&self) -> Vendor {
        VENDORS[usize::from(self.vendor.load(Ordering::Relaxed))]
    }
    /// It is known to take the form of a fan-out for a browser's. (Ceph 16 may even die of it.)
    pub fn knows_no_fan_outs(&self) -> bool {
        matches!(self.vendor(), Vendor::Aws | Vendor::Ceph)
    }
    /// Listings can carry metadata and tags, so that no entry needs a HEAD.
    pub fn lists_metadata(&self) -> bool {
        matches!(self.vendor(), Vendor::Minio | Vendor::Holdfs)
    }
    /// PutObject and completion both compare what If-Match and If-None-Match say. (Of Ceph 16 only PutObject does.)
    pub fn honours_write_conditions(&self) -> bool {
        self.vendor() != Vendor::Ceph && !self.ignores_conditions.load(Ordering::Relaxed)
    }
    /// The store was caught at it (see `probe`).
    pub(super) fn note_ignored_condition(&self) {
        self.ignores_conditions.store(true, Ordering::Relaxed);
    }
    /// A copy that replaces metadata keeps the tags, as S3 promises. (Ceph 16 drops them unless they are sent.)
    pub fn keeps_tags_of_replaced_copies(&self) -> bool {
        self.vendor() != Vendor::Ceph
    }
    /// Says in the store's own way what the request says in S3's.
    pub(super) fn accommodate(&self, request: &mut Request) {
        if self.vendor() == Vendor::Ceph && request.method == Method::PUT {
            bare_etag(&mut request.headers);
            condition_of_source(&mut request.headers);
        }
        if self.misunderstands(request) {
            request.query.retain(|(name, _)| !UPLOADS_NARROWED.contains(name));
        }
    }
    /// MinIO takes the prefix of uploads for a whole key. Who was asked before its make was known must be asked again.
    pub(super) fn misunderstands(&self, request: &Request) -> bool {
        let has = |name: &str| request.query.iter().any(|(known, value)| *known == name && !value.is_empty());
        self.vendor() == Vendor::Minio
            && request.method == Method::GET
            && request.query.iter().any(|(name, _)| *name == "uploads")
            && UPLOADS_NARROWED.into_iter().any(has)
    }
    pub(super) fn observe(&self, headers: &HeaderMap) {
        if self.vendor() == Vendor::Unknown
            && let Some(index) = VENDORS.iter().position(|vendor| *vendor == vendor_of(headers))
        {
            self.vendor.store(index as u8, Ordering::Relaxed);
        }
    }
}

/// What a listing of uploads can be narrowed by.
const UPLOADS_NARROWED: [&str; 5] = ["prefix", "delimiter", "key-marker", "upload-id-marker", "max-uploads"];

pub(super) fn vendor_of(headers: &HeaderMap) -> Vendor {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let server = text(SERVER.as_str());
    if server.starts_with("AmazonS3") {
        Vendor::Aws
    } else if server.starts_with("MinIO") {
        Vendor::Minio
    } else if server == "holdfs" {
        Vendor::Holdfs
    } else if server.starts_with("Ceph") || is_ceph_transaction(text("x-amz-request-id")) {
        Vendor::Ceph
    } else {
        Vendor::Unknown
    }
}

/// Ceph compares the If-Match of a PUT with the ETag letter by letter, and keeps that without quotes: every quoted
/// one fails.
fn bare_etag(headers: &mut HeaderMap) {
    let quoted = headers.get(IF_MATCH).and_then(|value| value.to_str().ok());
    let bare = quoted.map(|text| text.trim_matches('"')).and_then(|text| HeaderValue::from_str(text).ok());
    if let Some(bare) = bare {
        headers.insert(IF_MATCH, bare);
    }
}

/// Ceph 16 looks for the condition on the source of a CopyObject under a name of its own.
fn condition_of_source(headers: &mut HeaderMap) {
    if let Some(etag) = headers.get("x-amz-copy-source-if-match").cloned() {
        headers.insert("x-amz-copy-if-match", etag);
    }
}

/// `tx00000000000000000000a-0065f1c2d3-1032-default`
fn is_ceph_transaction(id: &str) -> bool {
    id.starts_with("tx0") && id.split('-').count() >= 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ops::{PutObject, WriteCondition};
    use crate::s3::{ETag, Operation};

    #[test]
    fn listings_of_two_servers_carry_metadata() {
        let lists = |server: &'static str| {
            let dialect = Dialect::new(ChecksumMode::Auto);
            dialect.observe(&HeaderMap::from_iter([(SERVER, HeaderValue::from_static(server))]));
            dialect.lists_metadata()
        };
        let servers = ["MinIO", "holdfs", "AmazonS3", "Ceph Object Gateway", "nginx"];
        assert_eq!(servers.map(lists), [true, true, false, false, false]);
    }

    #[test]
    fn checksums_go_down_one_step_at_a_time_and_never_up() {
        let dialect = Dialect::new(ChecksumMode::Auto);
        assert_eq!(dialect.checksum(), Checksum::Trailer);
        assert_eq!(dialect.below(Checksum::Trailer), Some(Checksum::Header));
        dialect.settle_for(Checksum::ContentMd5);
        dialect.settle_for(Checksum::Header);
        assert_eq!(dialect.checksum(), Checksum::ContentMd5);
        assert_eq!(dialect.below(Checksum::None), None);
    }

    #[test]
    fn a_method_that_was_asked_for_stays() {
        let dialect = Dialect::new(ChecksumMode::Header);
        assert_eq!((dialect.checksum(), dialect.below(Checksum::Header)), (Checksum::Header, None));
    }

    #[test]
    fn ceph_gets_the_etag_of_a_conditional_put_without_quotes() {
        let ceph = Dialect::new(ChecksumMode::Auto);
        let id = HeaderValue::from_static("tx00000000000000000000a-0065f1c2d3-1032-default");
        ceph.observe(&HeaderMap::from_iter([(http::HeaderName::from_static("x-amz-request-id"), id)]));
        for (dialect, sent) in [(ceph, "0f8e-2"), (Dialect::new(ChecksumMode::Auto), "\"0f8e-2\"")] {
            let mut put = PutObject::new("bucket", "key", "");
            put.condition = WriteCondition::Matches(ETag("0f8e-2".into()));
            let mut request = put.encode().unwrap();
            dialect.accommodate(&mut request);
            assert_eq!(request.headers[IF_MATCH], sent);
        }
    }

    #[test]
    fn stores_are_known_by_their_own_words() {
        for (name, value, vendor) in [
            ("server", "AmazonS3", Vendor::Aws),
            ("server", "MinIO", Vendor::Minio),
            ("server", "holdfs", Vendor::Holdfs),
            ("x-amz-request-id", "tx00000000000000000000a-0065f1c2d3-1032-default", Vendor::Ceph),
            ("x-amz-request-id", "4442587FB7D0A2F9", Vendor::Unknown),
            ("server", "nginx", Vendor::Unknown),
        ] {
            let dialect = Dialect::new(ChecksumMode::Auto);
            let name = http::HeaderName::from_static(name);
            dialect.observe(&HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))]));
            assert_eq!(dialect.vendor(), vendor, "{value}");
        }
    }
}
