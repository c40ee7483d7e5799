//! The document that an error comes with.

use quick_xml::Reader;
use quick_xml::events::Event;

/// What an error document says. Nothing else of it is kept: `StringToSign` and its like must reach no log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The word of the store, such as `NoSuchKey`.
    pub code: String,
    /// What it says to people.
    pub message: String,
    /// The number of the request.
    pub request_id: String,
    /// Which of its hosts answered.
    pub host_id: String,
    /// The region that the bucket is in, in redirects and malformed authorizations.
    pub region: String,
    /// Elements of `DETAILS` that it has, with their text.
    pub details: Vec<(&'static str, String)>,
}

/// What callers may want to know of an error document besides.
const DETAILS: &[&str] = &[
    "ArgumentName",
    "ArgumentValue",
    "BucketName",
    "Condition",
    "Endpoint",
    "Key",
    "MaxAllowedSkewMilliseconds",
    "MaxSizeAllowed",
    "Method",
    "MinSizeAllowed",
    "PartNumber",
    "ProposedSize",
    "RangeRequested",
    "Region",
    "RequestTime",
    "Resource",
    "ResourceType",
    "ServerTime",
    "UploadId",
    "VersionId",
];
const DETAIL_BYTES_MAX: usize = 2048;

/// Elements of an error document are shallow; deeper nesting is an attack or no error document.
const DEPTH_MAX: usize = 4;

/// Reads an S3 error document; `None` if `document` is none. Entities beyond XML's own five are not known, so
/// nothing can grow, and reading stops at the first fault.
pub fn parse_document(document: &[u8]) -> Option<Document> {
    let text = std::str::from_utf8(document).ok()?.trim_start_matches('\u{feff}').trim_start();
    let mut reader = Reader::from_str(text);
    let (mut found, mut path, mut value) = (Document::default(), Vec::<String>::new(), String::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                value.clear();
                if path.len() > DEPTH_MAX || !matches!(path[0].as_str(), "Error" | "ErrorResponse") {
                    return None;
                }
            }
            Event::Text(text) => value.push_str(text.as_ref()),
            Event::CData(data) => value.push_str(data.as_ref()),
            Event::GeneralRef(entity) => value.push(resolve(&entity)?),
            Event::End(_) => {
                found.take(&path.pop()?, std::mem::take(&mut value));
                if path.is_empty() {
                    return (!found.code.is_empty()).then_some(found);
                }
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
            Event::DocType(_) | Event::Eof => return None,
        }
    }
}

fn resolve(entity: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Some(char) = entity.resolve_char_ref().ok()? {
        return Some(char);
    }
    match entity.as_ref() {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => None,
    }
}

impl Document {
    fn take(&mut self, element: &str, value: String) {
        let value = value.trim().to_owned();
        let detail = DETAILS.iter().find(|name| **name == element);
        if let Some(name) = detail.filter(|_| !value.is_empty() && value.len() <= DETAIL_BYTES_MAX) {
            self.details.push((name, value.clone()));
        }
        match element {
            "Code" => self.code = value,
            "Message" => self.message = value,
            "RequestId" => self.request_id = value,
            "HostId" => self.host_id = value,
            "Region" => self.region = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_every_spelling_are_read() {
        let full = Document {
            code: "NoSuchKey".to_owned(),
            message: "not <there> & \u{fc}\u{1f600}".to_owned(),
            request_id: "R".to_owned(),
            host_id: "H".to_owned(),
            region: "eu-west-1".to_owned(),
            details: vec![("Region", "eu-west-1".to_owned())],
        };
        for text in [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>not &lt;there&gt; &amp; \
             \u{fc}&#x1F600;</Message><StringToSign>x</StringToSign><RequestId>R</RequestId><HostId>H</HostId><Region>eu-west-1</Region>\
             </Error>",
            "  \n <Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Code> NoSuchKey </Code><Message><![CDATA[not \
             <there> & \u{fc}\u{1f600}]]></Message><Region>eu-west-1</Region><RequestId>R</RequestId><HostId>H</HostId>\
             <Resource/></Error>",
            "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchKey</Code><Message>not &lt;there&gt; &amp; \u{fc}&#128512;\
             </Message><Region>eu-west-1</Region><HostId>H</HostId></Error><RequestId>R</RequestId></ErrorResponse>",
        ] {
            assert_eq!(parse_document(text.as_bytes()), Some(full.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_no_error_document_is_none() {
        let bomb = "<!DOCTYPE e [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>";
        let deep = "<Error>".repeat(10_000);
        let attributes = format!("<Error {}><Code>X</Code></Error>", "a='1' ".repeat(100_000));
        for text in [
            "",
            "no XML",
            "<html><body>404</body></html>",
            "<ListBucketResult><Code>X</Code></ListBucketResult>",
            "<Error></Error>",
            "<Error><Code>X</Code>",
            "<Error><Code>X</Message></Error>",
            "<Error><Code>&unknown;</Code></Error>",
            bomb,
            &deep,
        ] {
            assert_eq!(parse_document(text.as_bytes()), None, "{}", &text[..text.len().min(80)]);
        }
        assert_eq!(parse_document(&[b'<', 0xff, 0xfe]), None);
        assert!(parse_document(attributes.as_bytes()).is_some(), "attributes are passed over in one go");
    }
}
