//! Which region a bucket is in, learnt from the store's own replies and kept per bucket.
//!
//! A wrong guess costs one request: the reply names the right region in a header or in its body, and the request
//! is signed again. A redirect is never followed to the host it names; see `endpoint`.

use std::collections::HashMap;

use http::HeaderMap;
use http::header::LOCATION;
use parking_lot::RwLock;

use super::endpoint::region_of_aws_host;

/// Buckets remembered; a mount uses one or two.
const KNOWN_MAX: usize = 1024;
const REGION_BYTES_MAX: usize = 64;
pub const HEADER: &str = "x-amz-bucket-region";

#[derive(Default)]
pub struct Regions(RwLock<HashMap<String, String>>);

impl Regions {
    pub fn of(&self, bucket: &str) -> Option<String> {
        self.0.read().get(bucket).cloned()
    }
    pub fn learn(&self, bucket: &str, region: &str) {
        let mut known = self.0.write();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(bucket.to_owned(), region.to_owned());
    }
    /// For a bucket that is gone: another of its name may be anywhere.
    pub fn forget(&self, bucket: &str) {
        self.0.write().remove(bucket);
    }
}

/// The region that a refusal names: in its header, in its document, or in the AWS host it points to.
pub fn named_in(headers: &HeaderMap, document_region: &str) -> Option<String> {
    let header = headers.get(HEADER).and_then(|value| value.to_str().ok());
    let pointed = headers.get(LOCATION).and_then(|value| value.to_str().ok()).and_then(host_of);
    header
        .map(str::to_owned)
        .or_else(|| (!document_region.is_empty()).then(|| document_region.to_owned()))
        .or_else(|| pointed.and_then(region_of_aws_host))
        .filter(|region| is_region(region))
}

fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.split(['/', '?', '#', ':']).next()
}

/// Becomes part of a host name and of a signature: nothing but a label may.
fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= REGION_BYTES_MAX
        && text.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_goes_before_the_document_and_the_location() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
                .collect()
        };
        let west = [("x-amz-bucket-region", "eu-west-1")];
        let location = [("location", "https://b.s3-us-west-2.amazonaws.com/k?x=1")];
        for (headers, document, region) in [
            (headers(&west), "us-east-2", Some("eu-west-1")),
            (headers(&location), "us-east-2", Some("us-east-2")),
            (headers(&location), "", Some("us-west-2")),
            (headers(&[("location", "http://169.254.169.254/latest")]), "", None),
            (headers(&[("x-amz-bucket-region", "evil.example/")]), "", None),
            (headers(&[]), "a.b", None),
            (headers(&[]), "", None),
        ] {
            assert_eq!(named_in(&headers, document).as_deref(), region);
        }
    }

    #[test]
    fn what_is_learnt_is_bounded_and_can_be_forgotten() {
        let regions = Regions::default();
        for n in 0..2 * KNOWN_MAX {
            regions.learn(&format!("b{n}"), "eu-west-1");
        }
        assert!(regions.0.read().len() <= KNOWN_MAX);
        regions.learn("b", "eu-west-1");
        regions.forget("b");
        assert_eq!(regions.of("b"), None);
    }
}
