//! Pure: values and names of a file's attributes, from what the store said and what is waiting to be stored.

use super::{Fact, Header, Name, lock, metadata, tags};
use crate::base::timestamp;
use crate::s3::ops::{ContentHeaders, NewObject, ObjectHeaders, Tags};

/// A file as attributes show it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What HEAD said; `None` for what is not stored yet.
    pub stored: Option<&'a ObjectHeaders>,
    /// What the file has, or will have when it is stored. Tags of `None` are not known.
    pub object: &'a NewObject,
}

/// What an object with these headers would be given to be stored again. Tags are the caller's to add: no header
/// carries them.
pub fn object_of(headers: &ObjectHeaders) -> NewObject {
    NewObject {
        content: headers.content.clone(),
        metadata: headers.metadata.clone(),
        tags: None,
        lock: headers.lock,
        storage_class: headers.storage_class.clone(),
        acl: None,
        sse: headers.sse.clone(),
        sse_kms_key_id: headers.sse_kms_key_id.clone(),
    }
}

impl View<'_> {
    /// The value, for the names that need no further request.
    pub fn value(&self, name: &Name) -> Option<Vec<u8>> {
        match name {
            Name::Tag(key) => self.tags()?.get(key).cloned().map(String::into_bytes),
            Name::Tags => {
                self.tags().filter(|tags| !tags.is_empty()).map(tags::format).map(String::into_bytes)
            }
            Name::LegalHold => self.object.lock.legal_hold.map(|on| lock::format_hold(on).into()),
            Name::Retention => self.object.lock.retention.map(|it| lock::format_retention(it).into_bytes()),
            Name::Fact(fact) => self.fact(fact).map(String::into_bytes),
            Name::Header(header) => header_of(&self.object.content, *header).clone().map(String::into_bytes),
            Name::StorageClass => Some(self.storage_class().to_owned().into_bytes()),
            Name::Metadata(name) => metadata::get(&self.object.metadata, name),
            _ => None,
        }
    }

    /// The full names of everything that has a value.
    pub fn names(&self) -> Vec<Vec<u8>> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        names
            .extend(metadata::names(&self.object.metadata).iter().map(|name| [b"user.", &name[..]].concat()));
        let own: Vec<String> = self.tag_names().chain(self.fixed_names()).collect();
        names.extend(own.into_iter().map(String::into_bytes));
        names
    }

    fn tag_names(&self) -> impl Iterator<Item = String> {
        let keys: Vec<&String> = self.tags().into_iter().flat_map(Tags::keys).collect();
        let whole = (!keys.is_empty()).then(|| "user.s3.tags".to_owned());
        keys.into_iter().map(|key| format!("user.s3.tag.{key}")).chain(whole)
    }

    fn fixed_names(&self) -> impl Iterator<Item = String> {
        let facts = [
            ("etag", Name::Fact(Fact::ETag)),
            ("version-id", Name::Fact(Fact::VersionId)),
            ("last-modified", Name::Fact(Fact::LastModified)),
            ("parts", Name::Fact(Fact::Parts)),
            ("sse", Name::Fact(Fact::Sse)),
            ("sse-kms-key-id", Name::Fact(Fact::SseKmsKeyId)),
            ("replication-status", Name::Fact(Fact::ReplicationStatus)),
            ("expiration", Name::Fact(Fact::Expiration)),
            ("storage-class", Name::StorageClass),
            ("legal-hold", Name::LegalHold),
            ("retention", Name::Retention),
        ];
        let headers = Header::ALL.map(|header| (header.suffix(), Name::Header(header)));
        let checksums = self.stored.into_iter().flat_map(|headers| headers.checksums.keys());
        let checksums: Vec<String> =
            checksums.map(|algorithm| format!("user.s3.checksum.{algorithm}")).collect();
        let named = facts.into_iter().chain(headers).filter(|(_, name)| self.value(name).is_some());
        let named: Vec<String> = named.map(|(suffix, _)| format!("user.s3.{suffix}")).collect();
        named.into_iter().chain(checksums)
    }

    fn tags(&self) -> Option<&Tags> {
        self.object.tags.as_ref()
    }

    /// S3 leaves the header out for its default class.
    fn storage_class(&self) -> &str {
        self.object.storage_class.as_deref().unwrap_or("STANDARD")
    }

    fn fact(&self, fact: &Fact) -> Option<String> {
        let headers = self.stored?;
        match fact {
            Fact::ETag => headers.etag.as_ref().map(|etag| etag.0.to_string()),
            Fact::VersionId => headers.version.as_ref().map(|version| version.0.to_string()),
            Fact::LastModified => headers.last_modified.map(timestamp::rfc3339),
            Fact::Parts => headers.parts_count.map(|count| count.to_string()),
            Fact::Sse => headers.sse.clone(),
            Fact::SseKmsKeyId => headers.sse_kms_key_id.clone(),
            Fact::ReplicationStatus => headers.replication_status.clone(),
            Fact::Expiration => headers.expiration.clone(),
            Fact::Restore => Some(restore_of(headers.restore.as_deref())),
            Fact::Checksum(algorithm) => headers.checksums.get(algorithm).cloned(),
        }
    }
}

/// `x-amz-restore: ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`, in words.
fn restore_of(header: Option<&str>) -> String {
    let Some(header) = header else {
        return "none".to_owned();
    };
    if header.contains("ongoing-request=\"true\"") {
        return "in progress".to_owned();
    }
    let expiry = header.split_once("expiry-date=\"").and_then(|(_, rest)| rest.split_once('"'));
    let until = expiry.and_then(|(date, _)| timestamp::parse_http_date(date));
    until.map_or_else(|| "none".to_owned(), |until| format!("until {}", timestamp::rfc3339(until)))
}

pub(super) fn header_of(content: &ContentHeaders, header: Header) -> &Option<String> {
    match header {
        Header::ContentType => &content.content_type,
        Header::ContentEncoding => &content.content_encoding,
        Header::ContentLanguage => &content.content_language,
        Header::ContentDisposition => &content.content_disposition,
        Header::CacheControl => &content.cache_control,
        Header::Expires => &content.expires,
        Header::WebsiteRedirect => &content.website_redirect,
    }
}

pub(super) fn header_of_mut(content: &mut ContentHeaders, header: Header) -> &mut Option<String> {
    match header {
        Header::ContentType => &mut content.content_type,
        Header::ContentEncoding => &mut content.content_encoding,
        Header::ContentLanguage => &mut content.content_language,
        Header::ContentDisposition => &mut content.content_disposition,
        Header::CacheControl => &mut content.cache_control,
        Header::Expires => &mut content.expires,
        Header::WebsiteRedirect => &mut content.website_redirect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ETag;
    use crate::s3::ops::LockHeaders;

    fn headers() -> ObjectHeaders {
        ObjectHeaders {
            etag: Some(ETag("abc".into())),
            content: ContentHeaders { content_type: Some("text/plain".into()), ..ContentHeaders::default() },
            metadata: [("color".to_owned(), "red".to_owned()), ("mode".to_owned(), "33188".to_owned())]
                .into(),
            lock: LockHeaders { legal_hold: Some(true), retention: None },
            checksums: [("crc64nvme".to_owned(), "AAAA".to_owned())].into(),
            ..ObjectHeaders::default()
        }
    }

    fn text(view: &View<'_>, name: &str) -> Option<String> {
        view.value(&Name::parse(name.as_bytes())).map(|value| String::from_utf8(value).expect("text"))
    }

    #[test]
    fn every_listed_name_has_a_value() {
        let headers = headers();
        let mut object = object_of(&headers);
        object.tags = Some([("project".to_owned(), "x".to_owned())].into());
        let view = View { stored: Some(&headers), object: &object };
        let names = view.names();
        for name in &names {
            assert!(view.value(&Name::parse(name)).is_some(), "{}", String::from_utf8_lossy(name));
        }
        let listed: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
        for name in [
            "user.color",
            "user.s3.tag.project",
            "user.s3.tags",
            "user.s3.etag",
            "user.s3.checksum.crc64nvme",
        ] {
            assert!(listed.iter().any(|listed| listed == name), "{name} in {listed:?}");
        }
        assert!(!listed.iter().any(|listed| listed == "user.mode" || listed == "user.s3.retention"));
    }

    #[test]
    fn values_are_what_the_store_said() {
        let headers = headers();
        let object = object_of(&headers);
        let view = View { stored: Some(&headers), object: &object };
        for (name, value) in [
            ("user.s3.etag", Some("abc")),
            ("user.s3.legal-hold", Some("ON")),
            ("user.s3.storage-class", Some("STANDARD")),
            ("user.s3.content-type", Some("text/plain")),
            ("user.s3.restore", Some("none")),
            ("user.s3.retention", None),
            ("user.s3.tags", None),
            ("user.s3.checksum.crc32", None),
        ] {
            assert_eq!(text(&view, name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_not_stored_shows_what_it_will_have() {
        let object =
            NewObject { metadata: [("a".to_owned(), "b".to_owned())].into(), ..NewObject::default() };
        let view = View { stored: None, object: &object };
        assert_eq!(text(&view, "user.a").as_deref(), Some("b"));
        assert_eq!(text(&view, "user.s3.etag"), None);
    }

    #[test]
    fn restores_are_told_in_words() {
        assert_eq!(restore_of(Some("ongoing-request=\"true\"")), "in progress");
        let done = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"";
        assert_eq!(restore_of(Some(done)), "until 2012-12-21T00:00:00Z");
    }
}
