//! What can go with any operation: who pays, whose bucket it must be, a customer's own encryption key, a checksum of
//! another algorithm, grants, and headers or parameters that nobody here knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{CompleteMultipartUpload, ContentHeaders, GetObject, put};
use crate::base::digest;
use crate::base::secret::Secret;
use crate::s3::operation::{Payload, Replay, Reply, Request, RequestChecksum};
use crate::s3::{ChecksumAlgorithm, Error, Operation, Result};

/// An operation and what goes with it. The output is the operation's own.
///
/// ```
/// use holdfs::s3::ops::{GetObject, With};
///
/// let get = GetObject { bucket: "b".into(), key: "k".into(), ..GetObject::default() };
/// let get = With::new(get).request_payer()?.expected_bucket_owner("111122223333")?;
/// # Ok::<(), holdfs::s3::Error>(())
/// ```
#[derive(Clone)]
pub struct With<O> {
    /// What is sent.
    pub operation: O,
    headers: HeaderMap,
    query: Vec<(&'static str, String)>,
    checksum: RequestChecksum,
}

/// What the checksum of an object that is uploaded in parts is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumType {
    /// Of all bytes in their order; only CRCs, whose values for parts add up to it.
    FullObject,
    /// Of the values of the parts, and marked with their number; every algorithm but CRC64NVME.
    Composite,
}

impl ChecksumType {
    /// As in `x-amz-checksum-type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

/// 32 bytes of a customer's own key (SSE-C). The store forgets it: who loses it has lost the object.
#[derive(Clone)]
pub struct CustomerKey(Secret);

impl CustomerKey {
    /// Of these bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Secret::new(STANDARD.encode(key)))
    }

    /// AES256, the key in base64, and the MD5 of the key in base64.
    fn encode(&self, headers: &mut HeaderMap, prefix: &str) -> Result<()> {
        let key = STANDARD.decode(self.0.expose()).unwrap_or_default();
        let fields = [
            ("algorithm", "AES256".to_owned()),
            ("key", self.0.expose().to_owned()),
            ("key-md5", digest::base64(&digest::md5(&key))),
        ];
        for (field, value) in fields {
            let name = format!("{prefix}server-side-encryption-customer-{field}");
            let name = HeaderName::try_from(name).map_err(|_| Error::invalid("A header name is none."))?;
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| Error::invalid("The key cannot travel in a header."))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(())
    }
}

/// The keys of a customer that go with every operation of a client that can take them.
#[derive(Clone, Default)]
pub struct CustomerKeys {
    /// Of what is written and read.
    pub own: Option<CustomerKey>,
    /// Of what copies read.
    pub source: Option<CustomerKey>,
}

impl CustomerKeys {
    /// Operations on the bytes of an object.
    const TAKE_THEM: [&str; 11] = [
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "GetObject",
        "GetObjectAttributes",
        "HeadObject",
        "ListParts",
        "PutObject",
        "SelectObjectContent",
        "UploadPart",
        "UploadPartCopy",
    ];

    pub(in crate::s3) fn encode(&self, operation: &str, headers: &mut HeaderMap) -> Result<()> {
        if !Self::TAKE_THEM.contains(&operation) {
            return Ok(());
        }
        if let Some(key) = &self.own {
            key.encode(headers, "x-amz-")?;
        }
        match &self.source {
            Some(key) if operation.ends_with("Copy") || operation == "CopyObject" => {
                key.encode(headers, "x-amz-copy-source-")
            }
            _ => Ok(()),
        }
    }
}

/// Who is granted what by the headers of a write; each a comma list of `id="…"`, `uri="…"`, `emailAddress="…"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// All of the others.
    pub full_control: Option<String>,
    /// Of an object its bytes, of a bucket its listing.
    pub read: Option<String>,
    /// The access control list.
    pub read_acp: Option<String>,
    /// Of a bucket.
    pub write: Option<String>,
    /// The access control list.
    pub write_acp: Option<String>,
}

impl<O> With<O> {
    /// Nothing goes with it yet.
    pub fn new(operation: O) -> Self {
        Self { operation, headers: HeaderMap::new(), query: Vec::new(), checksum: RequestChecksum::Usual }
    }

    /// Another algorithm than CRC64NVME: the client computes it over the bytes that are sent, and the store keeps it
    /// with an object or a part. A copy is told to have it, an upload to expect it of every part: parts then go with
    /// the same. A store that does not know it refuses; nothing weaker is tried.
    ///
    /// S3 User Guide: [Checking object
    /// integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
    ///
    /// ```
    /// use holdfs::s3::ChecksumAlgorithm;
    /// use holdfs::s3::ops::{PutObject, With};
    ///
    /// let put = With::new(PutObject::new("b", "k", "bytes")).checksum(ChecksumAlgorithm::XxHash128);
    /// ```
    pub fn checksum(mut self, algorithm: ChecksumAlgorithm) -> Self {
        self.checksum = RequestChecksum::Computed(algorithm);
        self
    }

    /// The value that is known already, big-endian: of the bytes that are sent, or of the whole object where an upload
    /// is completed (a composite one is made by the store alone). `Invalid` where it is not as long as such values are.
    pub fn checksum_value(mut self, algorithm: ChecksumAlgorithm, value: &[u8]) -> Result<Self> {
        if value.len() != algorithm.value_len() {
            let (due, given) = (algorithm.value_len(), value.len());
            return Err(Error::invalid(format!("A value of {algorithm} has {due} bytes, not {given}.")));
        }
        self.checksum = RequestChecksum::Given;
        self.header(algorithm.header(), &digest::base64(value))
    }

    /// Of an upload that begins: what its checksum is of. CRCs are of the full object and the others composite unless
    /// this says otherwise.
    pub fn checksum_type(self, kind: ChecksumType) -> Result<Self> {
        self.header("x-amz-checksum-type", kind.as_str())
    }

    /// Any header; it replaces one that the operation sets itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let name = HeaderName::try_from(name)
            .map_err(|_| Error::invalid(format!("{name:?} is no name of a header.")))?;
        put(&mut self.headers, name, value)?;
        Ok(self)
    }

    /// Any parameter of the query.
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// The caller pays, where the bucket says that callers do.
    pub fn request_payer(self) -> Result<Self> {
        self.header("x-amz-request-payer", "requester")
    }

    /// AccessDenied when the bucket belongs to another account.
    pub fn expected_bucket_owner(self, account: &str) -> Result<Self> {
        self.header("x-amz-expected-bucket-owner", account)
    }

    /// The same of the source of a copy.
    pub fn expected_source_owner(self, account: &str) -> Result<Self> {
        self.header("x-amz-source-expected-bucket-owner", account)
    }

    /// Encrypts what is written and reads what was written with this key. Only over TLS.
    pub fn customer_key(mut self, key: &CustomerKey) -> Result<Self> {
        key.encode(&mut self.headers, "x-amz-")?;
        Ok(self)
    }

    /// The key of the source of a copy.
    pub fn source_customer_key(mut self, key: &CustomerKey) -> Result<Self> {
        key.encode(&mut self.headers, "x-amz-copy-source-")?;
        Ok(self)
    }

    /// A second factor: the serial number of the device and the code that it shows now.
    pub fn mfa(self, serial: &str, code: &str) -> Result<Self> {
        self.header("x-amz-mfa", &format!("{serial} {code}"))
    }

    /// Grants of a new bucket or object, instead of a canned ACL.
    pub fn grants(mut self, grants: &Grants) -> Result<Self> {
        let fields = [
            ("full-control", &grants.full_control),
            ("read", &grants.read),
            ("read-acp", &grants.read_acp),
            ("write", &grants.write),
            ("write-acp", &grants.write_acp),
        ];
        for (field, value) in fields {
            if let Some(value) = value {
                self = self.header(&format!("x-amz-grant-{field}"), value)?;
            }
        }
        Ok(self)
    }
}

impl With<GetObject> {
    /// The store answers with these content headers instead of the object's own; only in signed requests.
    pub fn response_headers(mut self, content: &ContentHeaders) -> Self {
        let fields = [
            ("response-content-type", &content.content_type),
            ("response-content-encoding", &content.content_encoding),
            ("response-content-language", &content.content_language),
            ("response-content-disposition", &content.content_disposition),
            ("response-cache-control", &content.cache_control),
            ("response-expires", &content.expires),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        self.query.extend(given);
        self
    }
}

/// An operation whose output comes with the headers of the reply: whatever they say that the output does not.
///
/// ```
/// use holdfs::s3::ops::{HeadBucket, KeepHeaders};
/// # async fn charged(client: &holdfs::s3::Client) -> holdfs::s3::Result<()> {
/// let (headers, _bucket) = client.send(&KeepHeaders(HeadBucket { bucket: "b".into() })).await?;
/// println!("{:?}", headers.get("x-amz-request-charged"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct KeepHeaders<O>(pub O);

/// Without headers where a refusal amounts to an output.
impl<O: Operation> Operation for KeepHeaders<O> {
    type Output = (HeaderMap, O::Output);
    const NAME: &'static str = O::NAME;
    const STREAMED: bool = O::STREAMED;

    fn encode(&self) -> Result<Request> {
        self.0.encode()
    }

    fn payload(&self) -> Payload {
        self.0.payload()
    }

    fn decode(&self, reply: Reply) -> Result<Self::Output> {
        Ok((reply.headers.clone(), self.0.decode(reply)?))
    }

    fn recover(&self, error: &Error) -> Option<Self::Output> {
        Some((HeaderMap::new(), self.0.recover(error)?))
    }

    fn replay(&self) -> Replay {
        self.0.replay()
    }

    fn is_signed(&self) -> bool {
        self.0.is_signed()
    }
}

impl<O: Operation> Operation for With<O> {
    type Output = O::Output;
    const NAME: &'static str = O::NAME;
    const STREAMED: bool = O::STREAMED;

    fn encode(&self) -> Result<Request> {
        let mut request = self.operation.encode()?;
        for (name, value) in &self.headers {
            request.headers.insert(name, value.clone());
        }
        request.query.extend(self.query.iter().cloned());
        if self.checksum != RequestChecksum::Usual {
            request.checksum = self.checksum;
        }
        // MinIO takes a value of which nothing is said for a composite one.
        if O::NAME == CompleteMultipartUpload::NAME && self.checksum == RequestChecksum::Given {
            let whole = HeaderValue::from_static(ChecksumType::FullObject.as_str());
            request.headers.entry("x-amz-checksum-type").or_insert(whole);
        }
        Ok(request)
    }

    fn payload(&self) -> Payload {
        self.operation.payload()
    }

    fn decode(&self, reply: Reply) -> Result<O::Output> {
        self.operation.decode(reply)
    }

    fn recover(&self, error: &Error) -> Option<O::Output> {
        self.operation.recover(error)
    }

    fn replay(&self) -> Replay {
        self.operation.replay()
    }

    fn is_signed(&self) -> bool {
        self.operation.is_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reply, wire};
    use super::super::{HeadObject, Part, PutObject, WriteCondition};
    use super::*;
    use crate::s3::ETag;

    fn head() -> HeadObject {
        HeadObject { bucket: "b".into(), key: "k".into(), ..HeadObject::default() }
    }

    #[test]
    fn a_customer_key_travels_with_its_md5_and_shows_nowhere() {
        let key = CustomerKey::new(&[b'k'; 32]);
        let head = With::new(head()).customer_key(&key).unwrap().source_customer_key(&key).unwrap();
        let text = wire(&head);
        let value = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
        for line in [
            "x-amz-server-side-encryption-customer-algorithm: AES256",
            &format!("x-amz-server-side-encryption-customer-key: {value}"),
            "x-amz-server-side-encryption-customer-key-md5: 0H0ZsSDV6Bh+iPu9Um/ADA==",
            &format!("x-amz-copy-source-server-side-encryption-customer-key: {value}"),
        ] {
            let name = line.split(": ").next().unwrap();
            assert!(text.lines().any(|found| found.starts_with(name)), "{name} in {text}");
        }
        assert!(text.contains(value));
        assert!(!format!("{:?}", head.encode().unwrap().headers).contains(value));
    }

    #[test]
    fn the_value_of_a_completion_is_said_to_be_of_the_whole() {
        let (bucket, key, upload_id) = ("b".to_owned(), "k".to_owned(), "u".to_owned());
        let parts = vec![Part { number: 1, etag: ETag::parse("e"), size: 1, checksum: None, modified: None }];
        let condition = WriteCondition::None;
        let complete = CompleteMultipartUpload { bucket, key, upload_id, parts, condition };
        let value = |complete: CompleteMultipartUpload| {
            With::new(complete).checksum_value(ChecksumAlgorithm::Crc32, &[1; 4]).unwrap()
        };
        let kind = |with: With<_>| with.encode().unwrap().headers.get("x-amz-checksum-type").cloned();
        assert_eq!(kind(value(complete.clone())).unwrap(), "FULL_OBJECT");
        let told = value(complete.clone()).checksum_type(ChecksumType::Composite).unwrap();
        assert_eq!(kind(told).unwrap(), "COMPOSITE");
        assert_eq!(kind(With::new(complete)), None);
        let put = With::new(PutObject::new("b", "k", "")).checksum_value(ChecksumAlgorithm::Crc32, &[1; 4]);
        assert!(!put.unwrap().encode().unwrap().headers.contains_key("x-amz-checksum-type"));
    }

    #[test]
    fn the_keys_of_a_client_go_with_what_takes_them() {
        let key = || Some(CustomerKey::new(&[b'k'; 32]));
        let names = |operation: &str| {
            let mut headers = HeaderMap::new();
            CustomerKeys { own: key(), source: key() }.encode(operation, &mut headers).unwrap();
            let source = headers.keys().filter(|name| name.as_str().contains("copy-source")).count();
            (headers.len() - source, source)
        };
        assert_eq!(names("PutObject"), (3, 0));
        assert_eq!((names("CopyObject"), names("UploadPartCopy")), ((3, 3), (3, 3)));
        assert_eq!((names("DeleteObject"), names("GetObjectTagging")), ((0, 0), (0, 0)));
    }

    #[test]
    fn a_reader_can_choose_the_headers_of_the_reply() {
        let content = ContentHeaders {
            content_type: Some("text/plain".into()),
            content_disposition: Some("attachment".into()),
            ..ContentHeaders::default()
        };
        let get = GetObject { bucket: "b".into(), key: "k".into(), ..GetObject::default() };
        assert_eq!(
            wire(&With::new(get).response_headers(&content)),
            "GET /b/k?response-content-type=text/plain&response-content-disposition=attachment"
        );
    }

    #[test]
    fn headers_of_a_reply_can_be_kept() {
        let head = KeepHeaders(head());
        assert_eq!(wire(&head), "HEAD /b/k");
        let answer = reply(200, &[("content-length", "3"), ("x-new", "y")], "");
        let (headers, object) = head.decode(answer).unwrap();
        assert_eq!((headers["x-new"].to_str().unwrap(), object.size), ("y", 3));
    }

    #[test]
    fn what_goes_with_an_operation_is_added() {
        let put = With::new(PutObject::new("b", "k", "x"))
            .grants(&Grants { read: Some("uri=\"u\"".into()), ..Grants::default() })
            .and_then(|put| put.request_payer())
            .and_then(|put| put.expected_bucket_owner("1"))
            .and_then(|put| put.mfa("arn", "123456"))
            .unwrap()
            .query("x-id", "PutObject");
        assert_eq!(
            wire(&put),
            "PUT /b/k?x-id=PutObject\nx-amz-expected-bucket-owner: 1\nx-amz-grant-read: uri=\"u\"\n\
             x-amz-mfa: arn 123456\nx-amz-request-payer: requester\nx"
        );
        assert!(With::new(head()).header("no name", "x").is_err());
        assert!(With::new(head()).header("x-a", "line\nbreak").is_err());
    }
}
