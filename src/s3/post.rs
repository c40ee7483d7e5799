//! Forms with which a browser that has no keys uploads one object.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use holdfs::s3::post::PostPolicy;
//! # use holdfs::s3::ops::{CreateBucket, GetObject};
//! # use holdfs::s3::{Client, Config, Credentials, Provider};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
//! # let pair = server.key_pair();
//! # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
//! # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
//! # let client = Client::new(config)?;
//! # client.send(&CreateBucket { bucket: "inbox".into(), ..CreateBucket::default() }).await?;
//! let policy = PostPolicy::new("inbox", SystemTime::now() + Duration::from_secs(300))
//!     .key_prefix("uploads/")
//!     .equals("Content-Type", "text/plain")?
//!     .length(1..=1 << 20)?;
//! let form = client.presign_post(&policy).await?;
//!
//! // What a browser makes of it: the fields, the key being the visitor's own choice, then the file.
//! let mut body = String::new();
//! for (name, value) in &form.fields {
//!     let value = if name == "key" { "uploads/note.txt" } else { value };
//!     body += &format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
//! }
//! body += "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"note.txt\"\r\n\r\nhello\r\n--B--\r\n";
//! # let _ = rustls::crypto::ring::default_provider().install_default();
//! # let length = body.len();
//! let post = reqwest::Client::new().post(&form.url).header("content-type", "multipart/form-data; boundary=B");
//! # let post = post.header("content-length", length);
//! assert!(post.body(body).send().await?.status().is_success());
//! # let get = GetObject { bucket: "inbox".into(), key: "uploads/note.txt".into(), ..GetObject::default() };
//! # assert_eq!(client.send(&get).await?.body.collect(10).await?, "hello");
//! # Ok(())
//! # }
//! ```

use std::ops::RangeInclusive;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::sign::Signer;
use super::{Error, Result};
use crate::base::{digest, timestamp};

/// What a form may upload, and until when.
#[derive(Clone, Debug)]
pub struct PostPolicy {
    /// The bucket.
    pub bucket: String,
    expires: SystemTime,
    key: Option<Condition>,
    conditions: Vec<(String, Condition)>,
    length: Option<RangeInclusive<u64>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Equals(String),
    StartsWith(String),
}

/// What a browser posts as `multipart/form-data`: the fields in any order, then `file`, whatever follows it being
/// ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostForm {
    /// Where to.
    pub url: String,
    /// Names and values. A field that must only start with something stands here with what it starts with.
    pub fields: Vec<(String, String)>,
}

/// Fields that the signature itself sets.
const RESERVED: [&str; 7] = [
    "bucket",
    "policy",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signature",
];

impl PostPolicy {
    /// Good for seven days at most.
    pub fn new(bucket: impl Into<String>, expires: SystemTime) -> Self {
        Self { bucket: bucket.into(), expires, key: None, conditions: Vec::new(), length: None }
    }

    /// The one key that may be written; `${filename}` in it is the name that the browser sends.
    pub fn key(self, key: &str) -> Self {
        let condition = match key.split_once("${filename}") {
            None => Condition::Equals(key.to_owned()),
            Some((start, _)) => Condition::StartsWith(start.to_owned()),
        };
        Self { key: Some(condition), ..self }
    }

    /// Any key that begins so.
    pub fn key_prefix(self, prefix: &str) -> Self {
        Self { key: Some(Condition::StartsWith(prefix.to_owned())), ..self }
    }

    /// A field of the form with exactly this value, such as `Content-Type` or `x-amz-meta-who`.
    pub fn equals(self, field: &str, value: &str) -> Result<Self> {
        self.field(field, Condition::Equals(value.to_owned()))
    }

    /// A field whose value begins so; not one of `x-amz-`, except metadata.
    pub fn starts_with(self, field: &str, start: &str) -> Result<Self> {
        let name = field.trim_start_matches('$').to_ascii_lowercase();
        let fixed = name.starts_with("x-amz-") && !name.starts_with("x-amz-meta-");
        if fixed || name == "success_action_status" {
            return Err(Error::invalid(format!("The field {field} must have one value.")));
        }
        self.field(field, Condition::StartsWith(start.to_owned()))
    }

    /// Bytes of the file.
    pub fn length(self, bytes: RangeInclusive<u64>) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Error::invalid("The least length of the file is above the greatest."));
        }
        Ok(Self { length: Some(bytes), ..self })
    }

    fn field(mut self, field: &str, condition: Condition) -> Result<Self> {
        let name = field.trim_start_matches('$');
        let lower = name.to_ascii_lowercase();
        if name.is_empty() || RESERVED.contains(&lower.as_str()) || lower == "key" {
            return Err(Error::invalid(format!("The field {field:?} is not a condition to choose.")));
        }
        self.conditions.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.conditions.push((name.to_owned(), condition));
        Ok(self)
    }

    /// The signed fields.
    pub(super) fn sign(&self, signer: &Signer<'_>) -> Result<Vec<(String, String)>> {
        let Some(key) = &self.key else {
            return Err(Error::invalid(
                "The form must say which key, or which beginning of one, it may write.",
            ));
        };
        let credential = signer.credential();
        let mut fixed = vec![
            ("x-amz-algorithm".to_owned(), super::sign::ALGORITHM.to_owned()),
            ("x-amz-credential".to_owned(), credential),
            ("x-amz-date".to_owned(), signer.stamp()),
        ];
        if let Some(token) = &signer.credentials.session_token {
            fixed.push(("x-amz-security-token".to_owned(), token.expose().to_owned()));
        }
        let policy = digest::base64(self.document(key, &fixed).to_string().as_bytes());
        let signature = signer.sign_text(&policy)?;
        let mut fields = vec![("key".to_owned(), key.value().to_owned())];
        fields.extend(
            self.conditions.iter().map(|(name, condition)| (name.clone(), condition.value().to_owned())),
        );
        fields.extend(fixed);
        fields.push(("policy".to_owned(), policy));
        fields.push(("x-amz-signature".to_owned(), signature));
        Ok(fields)
    }

    fn document(&self, key: &Condition, fixed: &[(String, String)]) -> Value {
        let mut conditions = vec![json!(["eq", "$bucket", self.bucket]), key.of("key")];
        conditions.extend(self.conditions.iter().map(|(name, condition)| condition.of(name)));
        if let Some(bytes) = &self.length {
            conditions.push(json!(["content-length-range", bytes.start(), bytes.end()]));
        }
        conditions.extend(fixed.iter().map(|(name, value)| json!(["eq", format!("${name}"), value])));
        json!({ "expiration": timestamp::rfc3339_millis(self.expires), "conditions": conditions })
    }
}

impl Condition {
    fn of(&self, field: &str) -> Value {
        match self {
            Self::Equals(value) => json!(["eq", format!("${field}"), value]),
            Self::StartsWith(start) => json!(["starts-with", format!("${field}"), start]),
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::Equals(value) | Self::StartsWith(value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::base::secret::Secret;
    use crate::s3::Credentials;
    use crate::s3::sign::Scheme;
    use crate::s3::sign::key::KeyCache;

    fn signed(policy: &PostPolicy) -> Result<Vec<(String, String)>> {
        let credentials =
            Credentials::new("AKIAIOSFODNN7EXAMPLE", Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"));
        let time = timestamp::parse_rfc3339("2015-12-29T00:00:00Z").unwrap();
        let keys = KeyCache::default();
        policy.sign(&Signer {
            scheme: Scheme::V4,
            credentials: &credentials,
            region: "us-east-1",
            service: "s3",
            time,
            keys: &keys,
        })
    }

    fn policy() -> PostPolicy {
        let expires = timestamp::parse_rfc3339("2015-12-30T12:00:00Z").unwrap();
        PostPolicy::new("sigv4examplebucket", expires)
    }

    #[test]
    fn a_policy_says_what_may_be_uploaded() {
        let policy = policy()
            .key_prefix("user/user1/")
            .equals("acl", "public-read")
            .and_then(|policy| policy.starts_with("$Content-Type", "image/"))
            .and_then(|policy| policy.starts_with("x-amz-meta-tag", ""))
            .and_then(|policy| policy.length(1..=1024))
            .unwrap();
        let fields = signed(&policy).unwrap();
        let field = |name: &str| fields.iter().find(|(found, _)| found == name).unwrap().1.as_str();
        let document = base64::engine::general_purpose::STANDARD.decode(field("policy")).unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(document["expiration"], "2015-12-30T12:00:00.000Z");
        let expected = json!([
            ["eq", "$bucket", "sigv4examplebucket"],
            ["starts-with", "$key", "user/user1/"],
            ["eq", "$acl", "public-read"],
            ["starts-with", "$Content-Type", "image/"],
            ["starts-with", "$x-amz-meta-tag", ""],
            ["content-length-range", 1, 1024],
            ["eq", "$x-amz-algorithm", "AWS4-HMAC-SHA256"],
            ["eq", "$x-amz-credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"],
            ["eq", "$x-amz-date", "20151229T000000Z"],
        ]);
        assert_eq!(document["conditions"], expected);
        assert_eq!(field("key"), "user/user1/");
        assert_eq!(field("x-amz-signature").len(), 64);
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html>
    #[test]
    fn the_text_is_signed_as_in_the_reference() {
        let policy = concat!(
            "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1",
            "Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8i",
            "XSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDov",
            "L3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0",
            "YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUx",
            "MjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFy",
            "dHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZP",
            "RE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGht",
            "IjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9",
        );
        let credentials =
            Credentials::new("AKIAIOSFODNN7EXAMPLE", Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"));
        let (time, keys) = (timestamp::parse_rfc3339("2015-12-29T00:00:00Z").unwrap(), KeyCache::default());
        let signer = Signer {
            scheme: Scheme::V4,
            credentials: &credentials,
            region: "us-east-1",
            service: "s3",
            time,
            keys: &keys,
        };
        let expected = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
        assert_eq!(signer.sign_text(policy).unwrap(), expected);
    }

    #[test]
    fn what_a_form_must_not_say_is_refused() {
        assert!(signed(&policy()).is_err(), "no key");
        assert!(policy().equals("bucket", "other").is_err());
        assert!(policy().equals("$x-amz-signature", "0").is_err());
        assert!(policy().equals("key", "other").is_err());
        assert!(policy().starts_with("x-amz-acl", "p").is_err());
        assert!(policy().starts_with("success_action_status", "2").is_err());
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is tested")]
        let reversed = policy().length(2..=1);
        assert!(reversed.is_err());
        assert_eq!(policy().key("a/${filename}").key, Some(Condition::StartsWith("a/".into())));
    }
}
