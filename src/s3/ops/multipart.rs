//! Multipart uploads.

use std::time::SystemTime;

use http::Method;

use super::{
    NewObject, Owner, Stored, WriteCondition, checksums, expiration, on_object, own_version, parse_etag,
    required_etag,
};
use crate::s3::operation::{Payload, Replay, Reply, Request};
use crate::s3::xml::{Reader, Writer};
use crate::s3::{Body, ETag, Error, Operation, Result};

/// The protocol's numbers of parts; a store's own limit may be lower, but none takes others.
const PART_NUMBERS: std::ops::RangeInclusive<u32> = 1..=10_000;

/// Output: the upload id.
#[derive(Clone, Debug, Default)]
pub struct CreateMultipartUpload {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// What it is given beside its bytes.
    pub object: NewObject,
    /// In the order of their numbers.
    pub parts: PartOrigin,
}

/// Where the parts of an upload will come from: not every store can protect copied ones like others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartOrigin {
    /// All of them are sent.
    #[default]
    Sent,
    /// By [`super::UploadPartCopy`], at least one of them.
    AlsoCopied,
}

/// S3 API: [UploadPart](https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html).
#[derive(Clone)]
pub struct UploadPart {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The id of the upload, as its beginning said.
    pub upload_id: String,
    /// 1..=10,000.
    pub part_number: u32,
    /// The bytes.
    pub body: Body,
}

/// A part that the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// 1 to 10,000.
    pub number: u32,
    /// Of its bytes.
    pub etag: ETag,
    /// Bytes; 0 where the reply did not say (UploadPart, UploadPartCopy).
    pub size: u64,
    /// Algorithm in lower case and base64 value, where the store keeps one.
    pub checksum: Option<(String, String)>,
    /// When it was stored; only listings say it.
    pub modified: Option<SystemTime>,
}

/// Output: [`super::Stored`]. Never replayed blindly: a lost answer means HEAD and compare.
#[derive(Clone, Debug, Default)]
pub struct CompleteMultipartUpload {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The id of the upload, as its beginning said.
    pub upload_id: String,
    /// Ascending by number.
    pub parts: Vec<Part>,
    /// Stores only where this holds: `PreconditionFailed` else.
    pub condition: WriteCondition,
}

/// S3 API: [AbortMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html).
#[derive(Clone, Debug, Default)]
pub struct AbortMultipartUpload {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The id of the upload, as its beginning said.
    pub upload_id: String,
}

/// S3 API: [ListParts](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html).
#[derive(Clone, Debug, Default)]
pub struct ListParts {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The id of the upload, as its beginning said.
    pub upload_id: String,
    /// Goes on behind this part.
    pub part_number_marker: Option<u32>,
    /// Entries of a page; stores give 1,000 at most.
    pub max_parts: Option<u32>,
}

/// A page of parts.
#[derive(Clone, Debug, Default)]
pub struct ListPartsOutput {
    /// In the order of their numbers.
    pub parts: Vec<Part>,
    /// Where the next page begins; `None` on the last.
    pub next_part_number_marker: Option<u32>,
    /// More pages follow.
    pub is_truncated: bool,
    /// Who began the upload.
    pub initiator: Option<Owner>,
    /// Who will own the object.
    pub owner: Option<Owner>,
    /// The class that the object will have.
    pub storage_class: Option<String>,
    /// Such as `CRC64NVME`, where the upload was begun with one.
    pub checksum_algorithm: Option<String>,
    /// `COMPOSITE` or `FULL_OBJECT`.
    pub checksum_type: Option<String>,
}

/// A request on an upload that was begun. An empty upload id would name the object itself.
fn on_upload(method: Method, bucket: &str, key: &str, upload_id: &str) -> Result<Request> {
    if upload_id.is_empty() {
        return Err(Error::invalid("An upload id is not empty."));
    }
    Ok(on_object(method, bucket, key)?.with("uploadId", upload_id))
}

pub(super) fn on_part(
    method: Method,
    bucket: &str,
    key: &str,
    upload_id: &str,
    number: u32,
) -> Result<Request> {
    if !PART_NUMBERS.contains(&number) {
        return Err(Error::invalid(format!(
            "Parts are numbered from 1 to 10,000; {number} is none of them."
        )));
    }
    Ok(on_upload(method, bucket, key, upload_id)?.with("partNumber", number.to_string()))
}

impl Operation for CreateMultipartUpload {
    type Output = String;
    const NAME: &'static str = "CreateMultipartUpload";

    fn payload(&self) -> Payload {
        match self.parts {
            PartOrigin::Sent => Payload::Upload,
            PartOrigin::AlsoCopied => Payload::UploadWithCopies,
        }
    }

    fn encode(&self) -> Result<Request> {
        let mut request = on_object(Method::POST, &self.bucket, &self.key)?.with("uploads", "");
        self.object.encode(&mut request.headers)?;
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<String> {
        let mut upload_id = None;
        Reader::open(reply.document()?, "InitiateMultipartUploadResult")?.children(|name, xml| {
            if name == "UploadId" {
                upload_id = xml.non_empty()?;
            }
            Ok(())
        })?;
        upload_id.ok_or_else(|| Error::decode("The reply has no upload id."))
    }
}

impl Operation for UploadPart {
    type Output = Part;
    const NAME: &'static str = "UploadPart";

    fn payload(&self) -> Payload {
        Payload::Object
    }

    fn encode(&self) -> Result<Request> {
        let mut request = on_part(Method::PUT, &self.bucket, &self.key, &self.upload_id, self.part_number)?;
        request.body = self.body.clone();
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<Part> {
        let etag = required_etag(&reply.headers)?;
        let checksum = checksums(&reply.headers).into_iter().next();
        Ok(Part { number: self.part_number, etag, size: 0, checksum, modified: None })
    }
}

impl Operation for CompleteMultipartUpload {
    type Output = Stored;
    const NAME: &'static str = "CompleteMultipartUpload";

    fn encode(&self) -> Result<Request> {
        if self.parts.is_empty() || !self.parts.is_sorted_by(|one, next| one.number < next.number) {
            return Err(Error::invalid(
                "An upload is completed from at least one part, in the order of their numbers.",
            ));
        }
        let mut request = on_upload(Method::POST, &self.bucket, &self.key, &self.upload_id)?;
        self.condition.encode(&mut request.headers)?;
        let document = Writer::document("CompleteMultipartUpload", |xml| {
            self.parts.iter().try_for_each(|part| xml.nested("Part", |xml| part.encode(xml)))
        })?;
        Ok(Request { needs_checksum: false, ..request.with_document(document) })
    }

    fn decode(&self, reply: Reply) -> Result<Stored> {
        let (version, expiration) = (own_version(&reply.headers), expiration(&reply.headers));
        let mut stored = Stored { version, expiration, ..Stored::default() };
        Reader::open(reply.document()?, "CompleteMultipartUploadResult")?.children(|name, xml| {
            match checksum_algorithm(name) {
                _ if name == "ETag" => stored.etag = parse_etag(&xml.text()?),
                _ if name == "Location" => stored.location = xml.non_empty()?,
                Some(algorithm) => stored.checksums.extend([(algorithm, xml.string()?)]),
                None => {}
            }
            Ok(())
        })?;
        Ok(stored)
    }

    fn replay(&self) -> Replay {
        Replay::LookFirst
    }
}

impl Part {
    fn encode(&self, xml: &mut Writer) -> Result<()> {
        xml.element("ETag", &self.etag.quoted())?;
        if let Some((algorithm, value)) = &self.checksum {
            xml.element(&format!("Checksum{}", algorithm.to_ascii_uppercase()), value)?;
        }
        xml.element("PartNumber", &self.number.to_string())
    }

    fn decode(xml: &mut Reader<'_>) -> Result<Self> {
        let (mut number, mut etag, mut size, mut checksum, mut modified) = (None, None, 0, None, None);
        xml.children(|name, xml| {
            match name {
                "PartNumber" => number = Some(xml.number()?),
                "ETag" => etag = parse_etag(&xml.text()?),
                "Size" => size = xml.number()?,
                "LastModified" => modified = Some(xml.time()?),
                name => {
                    if let Some(algorithm) = checksum_algorithm(name) {
                        checksum = Some((algorithm, xml.string()?));
                    }
                }
            }
            Ok(())
        })?;
        match (number, etag) {
            (Some(number), Some(etag)) => Ok(Self { number, etag, size, checksum, modified }),
            _ => Err(Error::decode("The reply has a part without a number or an ETag.")),
        }
    }
}

/// `ChecksumCRC64NVME` → `crc64nvme`.
pub(super) fn checksum_algorithm(element: &str) -> Option<String> {
    let algorithm = element.strip_prefix("Checksum")?;
    let is_value = !matches!(algorithm, "" | "Type" | "Algorithm");
    is_value.then(|| algorithm.to_ascii_lowercase())
}

impl Operation for AbortMultipartUpload {
    type Output = ();
    const NAME: &'static str = "AbortMultipartUpload";

    fn encode(&self) -> Result<Request> {
        on_upload(Method::DELETE, &self.bucket, &self.key, &self.upload_id)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl Operation for ListParts {
    type Output = ListPartsOutput;
    const NAME: &'static str = "ListParts";

    fn encode(&self) -> Result<Request> {
        Ok(on_upload(Method::GET, &self.bucket, &self.key, &self.upload_id)?
            .with_some("part-number-marker", self.part_number_marker)
            .with_some("max-parts", self.max_parts))
    }

    fn decode(&self, reply: Reply) -> Result<ListPartsOutput> {
        let mut output = ListPartsOutput::default();
        Reader::open(reply.document()?, "ListPartsResult")?.children(|name, xml| {
            match name {
                "Part" => output.parts.push(Part::decode(xml)?),
                "IsTruncated" => output.is_truncated = xml.boolean()?,
                "NextPartNumberMarker" => output.next_part_number_marker = Some(xml.number()?),
                "Initiator" => output.initiator = Some(Owner::decode(xml)?),
                "Owner" => output.owner = Some(Owner::decode(xml)?),
                "StorageClass" => output.storage_class = xml.non_empty()?,
                "ChecksumAlgorithm" => output.checksum_algorithm = xml.non_empty()?,
                "ChecksumType" => output.checksum_type = xml.non_empty()?,
                _ => {}
            }
            Ok(())
        })?;
        // Markers of Ceph are 0 on the last page, and some stores leave them out.
        let last = output.parts.last().map(|part| part.number);
        output.next_part_number_marker = output.is_truncated.then_some(last).flatten();
        if output.is_truncated && output.next_part_number_marker <= self.part_number_marker {
            return Err(Error::decode("The reply says that more parts follow, but not after which."));
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{refusal, reply, wire};
    use super::*;
    use crate::s3::ErrorKind;

    const UPLOAD_ID: &str = "VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA";

    fn part(number: u32, etag: &str) -> Part {
        Part { number, etag: ETag(etag.into()), size: 0, checksum: None, modified: None }
    }

    #[test]
    fn create_multipart_upload_as_in_the_reference() {
        let create = CreateMultipartUpload {
            bucket: "example-bucket".into(),
            key: "example-object".into(),
            ..CreateMultipartUpload::default()
        };
        assert_eq!(wire(&create), "POST /example-bucket/example-object?uploads=");
        let document = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Bucket>example-bucket</Bucket>
  <Key>example-object</Key>
  <UploadId>{UPLOAD_ID}</UploadId>
</InitiateMultipartUploadResult>"#
        );
        assert_eq!(create.decode(reply(200, &[], &document)).unwrap(), UPLOAD_ID);
        for document in [
            "<InitiateMultipartUploadResult/>",
            "<InitiateMultipartUploadResult><UploadId/></InitiateMultipartUploadResult>",
            "{}",
        ] {
            assert_eq!(create.decode(reply(200, &[], document)).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn upload_part_needs_a_number_an_id_and_an_etag() {
        let upload = UploadPart {
            bucket: "b".into(),
            key: "k".into(),
            upload_id: UPLOAD_ID.into(),
            part_number: 1,
            body: Body::Bytes("x".into()),
        };
        assert_eq!(wire(&upload), format!("PUT /b/k?uploadId={UPLOAD_ID}&partNumber=1\nx"));
        let headers =
            [("etag", "\"b54357faf0632cce46e942fa68356b38\""), ("x-amz-checksum-crc64nvme", "AA==")];
        let done = upload.decode(reply(200, &headers, "")).unwrap();
        assert_eq!(done.checksum, Some(("crc64nvme".to_owned(), "AA==".to_owned())));
        assert_eq!(upload.decode(reply(200, &[], "")).unwrap_err().kind(), ErrorKind::Corrupt);
        for part_number in [0, 10_001] {
            assert_eq!(refusal(&UploadPart { part_number, ..upload.clone() }), ErrorKind::Invalid);
        }
        assert_eq!(refusal(&UploadPart { upload_id: String::new(), ..upload }), ErrorKind::Invalid);
    }

    #[test]
    fn complete_multipart_upload_as_in_the_reference() {
        let crc = Some(("crc64nvme".to_owned(), "c1==".to_owned()));
        let complete = CompleteMultipartUpload {
            bucket: "example-bucket".into(),
            key: "example-object".into(),
            upload_id: "AAAsb2FkIElEIGZvciBlbHZpbmcncyWeeS1tb3ZpZS5tMnRzIRRwbG9hZA".into(),
            parts: vec![part(1, "a54357aff0632cce46d942af68356b38"), Part { checksum: crc, ..part(3, "e") }],
            condition: WriteCondition::Absent,
        };
        assert_eq!(
            wire(&complete),
            "POST /example-bucket/example-object?uploadId=AAAsb2FkIElEIGZvciBlbHZpbmcncyWeeS1tb3ZpZS5tMnRzIRRwbG9hZA\n\
             if-none-match: *\n<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part>\
             <ETag>&quot;a54357aff0632cce46d942af68356b38&quot;</ETag><PartNumber>1</PartNumber></Part><Part>\
             <ETag>&quot;e&quot;</ETag><ChecksumCRC64NVME>c1==</ChecksumCRC64NVME><PartNumber>3</PartNumber></Part>\
             </CompleteMultipartUpload>"
        );
        assert_eq!(complete.replay(), Replay::LookFirst);
        let document = r#"
   <?xml version="1.0" encoding="UTF-8"?>
<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
 <Location>http://Example-Bucket.s3.region.amazonaws.com/Example-Object</Location>
 <Bucket>Example-Bucket</Bucket>
 <Key>Example-Object</Key>
 <ETag>"3858f62230ac3c915f300c664312c11f-9"</ETag>
 <ChecksumCRC64NVME>AAAA</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>
</CompleteMultipartUploadResult>"#;
        let stored = complete.decode(reply(200, &[("x-amz-version-id", "v")], document)).unwrap();
        assert_eq!(stored.etag, Some(ETag("3858f62230ac3c915f300c664312c11f-9".into())));
        assert_eq!(stored.checksums, [("crc64nvme".to_owned(), "AAAA".to_owned())].into());
        assert!(stored.version.is_some());
        let error = "<?xml version=\"1.0\"?>\n\n  <Error><Code>InternalError</Code></Error>";
        assert_eq!(complete.decode(reply(200, &[], error)).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn parts_are_completed_in_order() {
        let complete = |numbers: &[u32]| CompleteMultipartUpload {
            bucket: "b".into(),
            key: "k".into(),
            upload_id: "u".into(),
            parts: numbers.iter().map(|&number| part(number, "e")).collect(),
            condition: WriteCondition::None,
        };
        assert!(complete(&[1, 2, 9]).encode().is_ok());
        for numbers in [&[][..], &[2, 1], &[1, 1]] {
            assert_eq!(refusal(&complete(numbers)), ErrorKind::Invalid, "{numbers:?}");
        }
    }

    #[test]
    fn aborting_names_the_upload_and_never_the_object() {
        let abort = AbortMultipartUpload { bucket: "b".into(), key: "k".into(), upload_id: UPLOAD_ID.into() };
        assert_eq!(wire(&abort), format!("DELETE /b/k?uploadId={UPLOAD_ID}"));
        assert_eq!(refusal(&AbortMultipartUpload { upload_id: String::new(), ..abort }), ErrorKind::Invalid);
    }

    #[test]
    fn list_parts_as_in_the_reference() {
        let list = ListParts {
            bucket: "example-bucket".into(),
            key: "example-object".into(),
            upload_id: "XXB".into(),
            part_number_marker: Some(1),
            max_parts: Some(2),
        };
        assert_eq!(
            wire(&list),
            "GET /example-bucket/example-object?uploadId=XXB&part-number-marker=1&max-parts=2"
        );
        let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Bucket>example-bucket</Bucket><Key>example-object</Key><UploadId>XXB</UploadId>
  <Initiator><ID>arn:aws:iam::111122223333:user/some-user</ID></Initiator>
  <PartNumberMarker>1</PartNumberMarker>
  <NextPartNumberMarker>3</NextPartNumberMarker>
  <MaxParts>2</MaxParts>
  <IsTruncated>true</IsTruncated>
  <Part>
    <PartNumber>2</PartNumber>
    <LastModified>2010-11-10T20:48:34.000Z</LastModified>
    <ETag>"7778aef83f66abc1fa1e8477f296d394"</ETag>
    <Size>10485760</Size>
  </Part>
  <Part>
    <PartNumber>3</PartNumber>
    <ETag>"aaaa18db4cc2f85cedef654fccc4a4x8"</ETag>
    <Size>10485760</Size>
    <ChecksumCRC32>AAAAAA==</ChecksumCRC32>
  </Part>
</ListPartsResult>"#;
        let output = list.decode(reply(200, &[], document)).unwrap();
        assert_eq!(output.next_part_number_marker, Some(3));
        assert_eq!(
            output.parts.iter().map(|part| (part.number, part.size)).collect::<Vec<_>>(),
            [(2, 10_485_760), (3, 10_485_760)]
        );
        assert_eq!(output.parts[1].checksum, Some(("crc32".to_owned(), "AAAAAA==".to_owned())));
        let endless = "<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>";
        assert_eq!(list.decode(reply(200, &[], endless)).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
