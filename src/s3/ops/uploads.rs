//! Uploads that are on their way into a bucket.
//!
//! MinIO takes the prefix for the whole key of one object, and without a prefix answers with all uploads of the bucket
//! at once, whatever else was asked: there everything is asked for (`dialect`), and the page is made here.

use std::time::SystemTime;

use http::Method;

use super::listed_names::{Decoder, check_names};
use super::{Owner, on_bucket};
use crate::s3::dialect::{Vendor, vendor_of};
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::Reader;
use crate::s3::{Error, Operation, Result};

/// S3 API: [ListMultipartUploads](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html).
#[derive(Clone, Debug, Default)]
pub struct ListMultipartUploads {
    /// The bucket.
    pub bucket: String,
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys are rolled up to the first one of it behind the prefix: `/` shows folders.
    pub delimiter: Option<String>,
    /// Goes on behind this key.
    pub key_marker: Option<String>,
    /// Goes on behind this upload of the key.
    pub upload_id_marker: Option<String>,
    /// Entries of a page; stores give 1,000 at most.
    pub max_uploads: Option<u32>,
}

/// An upload in parts that was neither completed nor aborted.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// The key that the object will have.
    pub key: String,
    /// Its id.
    pub upload_id: String,
    /// When it was begun.
    pub initiated: Option<SystemTime>,
    /// Who began it.
    pub initiator: Option<Owner>,
    /// Who will own the object.
    pub owner: Option<Owner>,
    /// The class that the object will have.
    pub storage_class: Option<String>,
}

/// A page of uploads.
#[derive(Clone, Debug, Default)]
pub struct ListMultipartUploadsOutput {
    /// In the order of their keys.
    pub uploads: Vec<Upload>,
    /// What keys have in common up to the delimiter.
    pub common_prefixes: Vec<String>,
    /// More pages follow.
    pub is_truncated: bool,
    /// Where the next page begins; `None` on the last.
    pub next_key_marker: Option<String>,
    /// Where the next page begins.
    pub next_upload_id_marker: Option<String>,
}

impl Operation for ListMultipartUploads {
    type Output = ListMultipartUploadsOutput;
    const NAME: &'static str = "ListMultipartUploads";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?
            .with("uploads", "")
            .with("encoding-type", "url")
            .with("prefix", &*self.prefix)
            .with_some("delimiter", self.delimiter.as_deref())
            .with_some("key-marker", self.key_marker.as_deref())
            .with_some("upload-id-marker", self.upload_id_marker.as_deref())
            .with_some("max-uploads", self.max_uploads))
    }

    fn decode(&self, reply: Reply) -> Result<ListMultipartUploadsOutput> {
        let mut output = ListMultipartUploadsOutput::default();
        let mut names = Decoder::default();
        Reader::open(reply.document()?, "ListMultipartUploadsResult")?.children(|name, xml| {
            match name {
                "Upload" => output.uploads.push(upload(xml)?),
                "CommonPrefixes" => names.common_prefix(xml, &mut output.common_prefixes)?,
                "EncodingType" => names.encoding_type(xml)?,
                "IsTruncated" => output.is_truncated = xml.boolean()?,
                "NextKeyMarker" => output.next_key_marker = xml.non_empty()?,
                "NextUploadIdMarker" => output.next_upload_id_marker = xml.non_empty()?,
                _ => {}
            }
            Ok(())
        })?;
        names.guess(output.uploads.iter().map(|upload| &upload.key).chain(&output.common_prefixes));
        names.decode(output.uploads.iter_mut().map(|upload| &mut upload.key))?;
        names.decode(&mut output.common_prefixes)?;
        names.decode(&mut output.next_key_marker)?;
        if vendor_of(&reply.headers) == Vendor::Minio && !output.is_truncated {
            self.narrow(&mut output);
        }
        let keys = output.uploads.iter().map(|upload| &upload.key).chain(&output.common_prefixes);
        check_names(&self.prefix, keys)?;
        if output.is_truncated && output.next_key_marker.is_none() {
            return Err(Error::decode("The reply says that more uploads follow, but not after which key."));
        }
        Ok(output)
    }
}

impl ListMultipartUploads {
    /// Makes of all uploads of the bucket the page that was asked for.
    fn narrow(&self, all: &mut ListMultipartUploadsOutput) {
        let mut uploads = std::mem::take(&mut all.uploads);
        uploads.retain(|upload| upload.key.starts_with(&self.prefix));
        uploads.sort_by(|a, b| (&a.key, a.initiated, &a.upload_id).cmp(&(&b.key, b.initiated, &b.upload_id)));
        self.pass_over(&mut uploads);
        let most = self.max_uploads.map_or(usize::MAX, |most| most as usize);
        for upload in uploads {
            let common = self.common_prefix(&upload.key);
            if common.as_ref().is_some_and(|common| all.common_prefixes.last() == Some(common)) {
                continue;
            }
            if all.uploads.len() + all.common_prefixes.len() >= most {
                all.is_truncated = all.next_key_marker.is_some();
                return;
            }
            all.next_key_marker = Some(common.clone().unwrap_or_else(|| upload.key.clone()));
            all.next_upload_id_marker = common.is_none().then(|| upload.upload_id.clone());
            match common {
                Some(common) => all.common_prefixes.push(common),
                None => all.uploads.push(upload),
            }
        }
        (all.next_key_marker, all.next_upload_id_marker) = (None, None);
    }
    /// Leaves what comes behind the markers.
    fn pass_over(&self, uploads: &mut Vec<Upload>) {
        let Some(marker) = self.key_marker.as_deref().filter(|marker| !marker.is_empty()) else { return };
        let id = self.upload_id_marker.as_deref().filter(|id| !id.is_empty());
        let at = id
            .and_then(|id| uploads.iter().position(|upload| upload.key == marker && upload.upload_id == id));
        match at {
            Some(at) => drop(uploads.drain(..=at)),
            None => uploads.retain(|upload| {
                let rolled_up = self.common_prefix(&upload.key).is_some_and(|common| common == marker);
                &*upload.key > marker && !rolled_up
            }),
        }
    }
    /// What a key is rolled up to.
    fn common_prefix(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let end = key[self.prefix.len()..].find(delimiter)? + delimiter.len();
        Some(key[..self.prefix.len() + end].to_owned())
    }
}

fn upload(xml: &mut Reader<'_>) -> Result<Upload> {
    let mut upload = Upload::default();
    xml.children(|name, xml| {
        match name {
            "Key" => upload.key = xml.string()?,
            "UploadId" => upload.upload_id = xml.string()?,
            "Initiated" => upload.initiated = Some(xml.time()?),
            "Initiator" => upload.initiator = Some(Owner::decode(xml)?),
            "Owner" => upload.owner = Some(Owner::decode(xml)?),
            "StorageClass" => upload.storage_class = xml.non_empty()?,
            _ => {}
        }
        Ok(())
    })?;
    if upload.upload_id.is_empty() {
        return Err(Error::decode("The reply lists an upload without an id."));
    }
    Ok(upload)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reply, wire};
    use super::*;
    use crate::base::timestamp;
    use crate::s3::ErrorKind;
    use crate::s3::scripted::{Answer, Server};

    #[test]
    fn list_multipart_uploads_as_in_the_reference() {
        let list = ListMultipartUploads {
            bucket: "bucket".into(),
            max_uploads: Some(3),
            ..ListMultipartUploads::default()
        };
        assert_eq!(wire(&list), "GET /bucket?uploads=&encoding-type=url&prefix=&max-uploads=3");
        let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Bucket>bucket</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker>
  <NextKeyMarker>my+movie%2B.m2ts</NextKeyMarker>
  <NextUploadIdMarker>YW55IGlkZWEgd2h5IGVsdmluZydzIHVwbG9hZCBmYWlsZWQ</NextUploadIdMarker>
  <MaxUploads>3</MaxUploads><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>
  <Upload><Key>my-divisor</Key><UploadId>XMgbGlrZSBlbHZpbmcncyBub3QgaGF2aW5nIG11Y2ggbHVjaw</UploadId>
    <Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>
  <Upload><Key>my+movie%2B.m2ts</Key><UploadId>VXBsb2FkIElE</UploadId></Upload>
  <CommonPrefixes><Prefix>photos%2F</Prefix></CommonPrefixes>
</ListMultipartUploadsResult>"#;
        let output = list.decode(reply(200, &[], document)).unwrap();
        let keys: Vec<_> = output.uploads.iter().map(|upload| upload.key.as_str()).collect();
        assert_eq!(keys, ["my-divisor", "my movie+.m2ts"]);
        assert_eq!(output.uploads[0].initiated, timestamp::parse_rfc3339("2010-11-10T20:48:33Z"));
        assert_eq!(output.next_key_marker.as_deref(), Some("my movie+.m2ts"));
        assert_eq!(output.common_prefixes, ["photos/"]);
        let strange = ListMultipartUploads { prefix: "x/".into(), ..list };
        assert_eq!(strange.decode(reply(200, &[], document)).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    const ALL: &str = "<ListMultipartUploadsResult>\
        <Upload><Key>b</Key><UploadId>4</UploadId><Initiated>2026-01-01T00:00:04Z</Initiated></Upload>\
        <Upload><Key>a/2</Key><UploadId>3</UploadId><Initiated>2026-01-01T00:00:03Z</Initiated></Upload>\
        <Upload><Key>a/1</Key><UploadId>1</UploadId><Initiated>2026-01-01T00:00:02Z</Initiated></Upload>\
        <Upload><Key>a/1</Key><UploadId>2</UploadId><Initiated>2026-01-01T00:00:01Z</Initiated></Upload>\
        <Upload><Key>c/d/e</Key><UploadId>5</UploadId></Upload></ListMultipartUploadsResult>";

    #[test]
    fn what_minio_says_at_once_comes_in_the_pages_that_were_asked_for() {
        let page = |list: &ListMultipartUploads| {
            let page = list.decode(reply(200, &[("server", "MinIO")], ALL)).unwrap();
            let ids = page.uploads.iter().map(|upload| upload.upload_id.clone()).collect::<Vec<_>>().join("");
            (
                ids,
                page.common_prefixes.join(" "),
                page.next_key_marker.zip(page.is_truncated.then_some(page.next_upload_id_marker)),
            )
        };
        let text = |text: &str| Some(text.to_owned());
        let bare = ListMultipartUploads { bucket: "b".into(), ..ListMultipartUploads::default() };
        assert_eq!(page(&bare), ("21345".into(), String::new(), None));
        let below = ListMultipartUploads { prefix: "a/".into(), ..bare.clone() };
        assert_eq!(page(&below), ("213".into(), String::new(), None));
        let first = ListMultipartUploads { max_uploads: Some(1), ..below };
        assert_eq!(page(&first), ("2".into(), String::new(), text("a/1").zip(Some(text("2")))));
        let second = ListMultipartUploads { key_marker: text("a/1"), upload_id_marker: text("2"), ..first };
        assert_eq!(page(&second), ("1".into(), String::new(), text("a/1").zip(Some(text("1")))));
        let behind = ListMultipartUploads { upload_id_marker: None, max_uploads: None, ..second };
        assert_eq!(page(&behind), ("3".into(), String::new(), None));
        let folders = ListMultipartUploads { delimiter: text("/"), ..bare };
        assert_eq!(page(&folders), ("4".into(), "a/ c/".into(), None));
        let two = ListMultipartUploads { max_uploads: Some(2), ..folders.clone() };
        assert_eq!(page(&two), ("4".into(), "a/".into(), text("b").zip(Some(text("4")))));
        let one = ListMultipartUploads { max_uploads: Some(1), ..folders.clone() };
        assert_eq!(page(&one), (String::new(), "a/".into(), text("a/").zip(Some(None))));
        let rest = ListMultipartUploads { key_marker: text("a/"), ..folders };
        assert_eq!(page(&rest), ("4".into(), "c/".into(), None));
    }

    /// The first answer tells the make; from then on everything is asked for at once.
    #[tokio::test]
    async fn minio_is_asked_for_all_uploads_and_others_for_those_below_the_prefix() {
        let list = ListMultipartUploads { bucket: "b".into(), prefix: "a/".into(), ..Default::default() };
        let minio = |document: &str| Answer::new(200, &[("server", "MinIO")], document);
        let server =
            Server::answering([minio("<ListMultipartUploadsResult/>"), minio(ALL), minio(ALL)]).await;
        let client = server.client();
        for _ in 0..2 {
            assert_eq!(client.send(&list).await.unwrap().uploads.len(), 3);
        }
        let asked: Vec<_> = server.heard().iter().map(|heard| heard.target.contains("a%2F")).collect();
        assert_eq!(asked, [true, false, false]);
        let other = Server::answering([Answer::new(200, &[], "<ListMultipartUploadsResult/>")]).await;
        assert!(other.client().send(&list).await.unwrap().uploads.is_empty());
        assert_eq!(other.heard().len(), 1);
    }
}
