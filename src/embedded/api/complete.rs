//! CompleteMultipartUpload: the parts that a client lists become an object.
//!
//! The request comes past `s3s`, which would refuse a list with checksums of the newer algorithms; its reader and its
//! writer of XML do the rest.

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use s3s::dto::{CompleteMultipartUploadOutput, CompletedMultipartUpload, CompletedPart};
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use s3s::{Body, S3Request, S3Response, S3Result};

use super::encryption::refuse_customer_key;
use super::integrity::{decode_checksum, value};
use super::kept::Kept;
use super::object::found_unless;
use super::sums::{self, Seat, Sums, sums_of, with_sums};
use super::wire::{self, shown_version};
use super::xml::malformed;
use super::{Api, ignored};
use crate::embedded::operation::{Query, Target};
use crate::embedded::storage::checksum::Kind;
use crate::embedded::storage::multipart::{Expected, ListedPart, Start};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::Version;

/// 10,000 parts, each with its ETag and the longest checksum, fit three times.
const LIST_BYTES_MAX: usize = 8 << 20;

impl Api {
    pub(super) async fn complete_multipart_upload(
        &self,
        mut request: S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (bucket, key) = target.object()?;
        let headers = &request.headers;
        refuse_customer_key(
            wire::list_header(headers, "x-amz-server-side-encryption-customer-algorithm").as_deref(),
        )?;
        let conditions = found_unless(wire::write_conditions(headers)?, ignored(&request));
        let kept = Kept::read(headers, self.store.now())?;
        let expected = expected(headers)?;
        let list = request.input.store_all_limited(LIST_BYTES_MAX).await;
        let list = list.map_err(|_| {
            Refusal::new(400, "MaxMessageLengthExceeded", "Your request was too big, or ended too early.")
        })?;
        let listed = listed(list)?;
        let id = Query(request.uri.query().unwrap_or_default()).decoded("uploadId").unwrap_or_default();
        self.store.read(bucket, |bucket| kept.check(bucket))?;
        let start = self.store.upload(bucket, key, &id)?;
        require_part_checksums(&start, &listed)?;
        let version = self.store.complete_upload(bucket, (key, &id), &listed, &expected, &conditions).await?;
        self.keep(bucket, key, &version.id, kept).await?;
        self.tell("s3:ObjectCreated:CompleteMultipartUpload", bucket, key, &version);
        let versioned = self.store.read(bucket, |bucket| Ok(bucket.is_versioned()))?;
        let mut response = completed((bucket, key), &version)?;
        let mut say = |name, text: Option<String>| {
            let value = text.and_then(|text| HeaderValue::from_str(&text).ok());
            value.map(|value| response.headers.insert(HeaderName::from_static(name), value))
        };
        say("x-amz-version-id", shown_version(&version.id, versioned));
        say("x-amz-expiration", self.expiration(bucket, key, &version));
        Ok(response)
    }
}

/// What the headers say of the whole.
fn expected(headers: &HeaderMap) -> Result<Expected, Refusal> {
    let size = wire::list_header(headers, "x-amz-mp-object-size");
    let size = size.map(|text| text.trim().parse::<u64>());
    let kind = wire::list_header(headers, "x-amz-checksum-type");
    Ok(Expected {
        size: size
            .transpose()
            .map_err(|_| Refusal::request("Value for x-amz-mp-object-size header is invalid."))?,
        kind: kind.as_deref().map(sums::kind).transpose()?,
        checksum: value(headers)?.map(|(algorithm, value)| (algorithm, value.to_owned())),
    })
}

fn listed(document: bytes::Bytes) -> Result<Vec<ListedPart>, Refusal> {
    let (seat, document) = Seat::take(document);
    let mut reader = Deserializer::new(&document);
    let upload = CompletedMultipartUpload::deserialize(&mut reader);
    let upload = upload.and_then(|upload| reader.expect_eof().map(|()| upload)).map_err(malformed)?;
    upload.parts.into_iter().flatten().map(|part| listed_part(part, seat)).collect()
}

fn listed_part(part: CompletedPart, seat: Option<Seat>) -> Result<ListedPart, Refusal> {
    let incomplete = || malformed("a part needs its number and its ETag");
    let number = part.part_number.and_then(|number| u32::try_from(number).ok()).ok_or_else(incomplete)?;
    let etag = part.e_tag.ok_or_else(incomplete)?.into_value();
    let given = sums_of!(part, seat).given();
    let decoded = given.map(|(algorithm, value)| Ok((algorithm, decode_checksum(algorithm, &value)?)));
    Ok(ListedPart { number, etag, checksums: decoded.collect::<Result<_, Refusal>>()? })
}

/// A composite checksum that the client has asked for is made of what the client says of each part.
fn require_part_checksums(start: &Start, listed: &[ListedPart]) -> Result<(), Refusal> {
    let Some(choice) = start.choice.filter(|choice| choice.kind == Kind::Composite) else {
        return Ok(());
    };
    let Some(bare) = listed.iter().find(|part| !part.checksums.contains_key(&choice.algorithm)) else {
        return Ok(());
    };
    Err(Refusal::request(format!(
        "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was \
         missing for part {} in the request.",
        choice.algorithm.name().to_lowercase(),
        bare.number
    )))
}

fn completed((bucket, key): (&str, &str), version: &Version) -> S3Result<S3Response<Body>> {
    let object = version.object.as_ref();
    let sums = object.map(|object| Sums::of(&object.checksum)).unwrap_or_default();
    let seat = sums.seat;
    let output = with_sums!(sums; CompleteMultipartUploadOutput {
        location: Some(format!("/{bucket}/{key}")),
        bucket: Some(bucket.to_owned()),
        key: Some(key.to_owned()),
        e_tag: object.map(|object| wire::etag(&object.etag)),
        checksum_type: sums.kind,
        ..Default::default()
    });
    let mut document = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_vec();
    output.serialize(&mut Serializer::new(&mut document)).map_err(Refusal::internal)?;
    let mut response = Seat::answer(seat, Body::from(document));
    response.status = Some(StatusCode::OK);
    response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::checksum::Algorithm;

    fn parts(document: &str) -> Result<Vec<ListedPart>, &'static str> {
        listed(document.to_owned().into()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn parts_are_listed_with_the_checksum_of_any_algorithm() {
        for algorithm in Algorithm::ALL {
            let (name, value) = (algorithm.element(), algorithm.of(b"x"));
            let text = crate::base::digest::base64(&value);
            let document = format!(
                "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><{name}>{text}</{name}>\
                 <ETag>&quot;e&quot;</ETag><PartNumber>3</PartNumber></Part></CompleteMultipartUpload>"
            );
            let checksums = [(algorithm, value)].into();
            assert_eq!(parts(&document), Ok(vec![ListedPart { number: 3, etag: "e".to_owned(), checksums }]));
        }
    }

    #[test]
    fn a_list_that_is_none_is_malformed() {
        let two = "<Part><ETag>e</ETag><PartNumber>1</PartNumber><ChecksumMD5>AA==</ChecksumMD5>\
                   <ChecksumSHA256>AA==</ChecksumSHA256></Part>";
        for inside in ["<Part><ETag>e</ETag></Part>", "<Part>", "<Part><Size>1</Size></Part>", two] {
            let document = format!("<CompleteMultipartUpload>{inside}</CompleteMultipartUpload>");
            assert_eq!(parts(&document), Err("MalformedXML"), "{inside}");
        }
        assert_eq!(parts(""), Err("MalformedXML"));
        assert_eq!(parts("<CompleteMultipartUpload/>"), Ok(vec![]));
    }
}
