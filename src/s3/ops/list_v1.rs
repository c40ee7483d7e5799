//! The first version of the listing: old stores know no other.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>

use http::Method;

use super::listed_names::{Decoder, check_names};
use super::{ListedObject, on_bucket};
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::Reader;
use crate::s3::{Error, Operation, Result};

/// Output: [`ListObjectsOutput`].
#[derive(Clone, Debug, Default)]
pub struct ListObjects {
    /// The bucket.
    pub bucket: String,
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys are rolled up to the first one of it behind the prefix: `/` shows folders.
    pub delimiter: Option<String>,
    /// Goes on behind this key or common prefix.
    pub marker: Option<String>,
    /// Entries of a page; stores give 1,000 at most.
    pub max_keys: Option<u32>,
}

/// A page of objects.
#[derive(Clone, Debug, Default)]
pub struct ListObjectsOutput {
    /// In the order of their keys.
    pub objects: Vec<ListedObject>,
    /// What keys have in common up to the delimiter.
    pub common_prefixes: Vec<String>,
    /// The marker of the next page; `None` on the last.
    pub next_marker: Option<String>,
}

impl Operation for ListObjects {
    type Output = ListObjectsOutput;
    const NAME: &'static str = "ListObjects";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?
            .with("encoding-type", "url")
            .with("prefix", &*self.prefix)
            .with_some("delimiter", self.delimiter.as_deref())
            .with_some("marker", self.marker.as_deref())
            .with_some("max-keys", self.max_keys))
    }

    fn decode(&self, reply: Reply) -> Result<ListObjectsOutput> {
        let mut output = ListObjectsOutput::default();
        let (mut names, mut truncated) = (Decoder::default(), false);
        Reader::open(reply.document()?, "ListBucketResult")?.children(|name, xml| {
            match name {
                "Contents" => output.objects.push(ListedObject::decode(xml)?),
                "CommonPrefixes" => names.common_prefix(xml, &mut output.common_prefixes)?,
                "EncodingType" => names.encoding_type(xml)?,
                "IsTruncated" => truncated = xml.boolean()?,
                "NextMarker" => output.next_marker = xml.non_empty()?,
                _ => {}
            }
            Ok(())
        })?;
        names.decode(output.objects.iter_mut().map(|object| &mut object.key))?;
        names.decode(&mut output.common_prefixes)?;
        names.decode(&mut output.next_marker)?;
        let listed = output.objects.iter().map(|object| &object.key).chain(&output.common_prefixes);
        check_names(&self.prefix, listed.clone())?;
        // Without a delimiter stores do not say where to go on.
        let last = listed.max().cloned();
        output.next_marker = output.next_marker.or(last).filter(|_| truncated);
        if truncated && output.next_marker.is_none() {
            return Err(Error::decode("The listing goes on, but the reply has no key to go on from."));
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reply, wire};
    use super::*;
    use crate::s3::ErrorKind;

    const ENTRY: &str =
        "<LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>\"e\"</ETag><Size>1</Size>";

    fn page(inside: &str) -> Result<ListObjectsOutput> {
        let document = format!("<ListBucketResult>{inside}</ListBucketResult>");
        ListObjects { bucket: "b".into(), ..ListObjects::default() }.decode(reply(200, &[], &document))
    }

    #[test]
    fn list_objects_as_in_the_reference() {
        let list = ListObjects {
            bucket: "quotes".into(),
            prefix: "N".into(),
            delimiter: Some("/".into()),
            marker: Some("Ned".into()),
            max_keys: Some(40),
        };
        assert_eq!(wire(&list), "GET /quotes?encoding-type=url&prefix=N&delimiter=/&marker=Ned&max-keys=40");
        let document = format!(
            "<ListBucketResult><Contents><Key>Nel+son%2B</Key>{ENTRY}</Contents><CommonPrefixes><Prefix>Neo/</Prefix>\
             </CommonPrefixes><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated></ListBucketResult>"
        );
        let output = list.decode(reply(200, &[], &document)).unwrap();
        assert_eq!(output.objects[0].key, "Nel son+");
        assert_eq!((output.common_prefixes, output.next_marker), (vec!["Neo/".to_owned()], None));
    }

    #[test]
    fn the_next_page_begins_behind_the_last_name() {
        let truncated = "<IsTruncated>true</IsTruncated>";
        let entries = format!(
            "<Contents><Key>a</Key>{ENTRY}</Contents><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"
        );
        assert_eq!(page(&format!("{entries}{truncated}")).unwrap().next_marker.as_deref(), Some("b/"));
        let told =
            format!("{entries}{truncated}<NextMarker>b%2F</NextMarker><EncodingType>url</EncodingType>");
        assert_eq!(page(&told).unwrap().next_marker.as_deref(), Some("b/"));
        assert_eq!(page(truncated).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
