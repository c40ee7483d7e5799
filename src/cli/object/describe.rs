//! What an object is given beside its bytes, as `put` and `cp` take it.

use clap::Args;

use super::labels::{pairs, parse_retention};
use crate::cli::Outcome;
use crate::s3::ops::{ContentHeaders, LockHeaders, NewObject};

#[derive(Args, Clone, Debug, Default)]
pub(super) struct Description {
    /// MIME type [default: by the ending of the key; of a copy, the source's].
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// How the bytes are packed, such as gzip.
    #[arg(long, value_name = "CODING")]
    content_encoding: Option<String>,
    /// The language of the text, such as en or de-CH.
    #[arg(long, value_name = "LANGUAGE")]
    content_language: Option<String>,
    /// Such as 'attachment; filename="a.pdf"'.
    #[arg(long, value_name = "TEXT")]
    content_disposition: Option<String>,
    /// Such as max-age=3600.
    #[arg(long, value_name = "TEXT")]
    cache_control: Option<String>,
    /// When caches should ask again, as HTTP writes dates.
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
    /// Where the website of the bucket sends who asks for this object.
    #[arg(long, value_name = "URL")]
    website_redirect: Option<String>,
    /// User metadata; several with several options.
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<String>,
    /// A tag; several with several options. They take the place of those of a copy's source.
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Vec<String>,
    /// Such as STANDARD_IA or GLACIER.
    #[arg(long, value_name = "CLASS")]
    storage_class: Option<String>,
    /// Who may do what with it: a canned list, such as private or public-read.
    #[arg(long, value_name = "ACL")]
    acl: Option<String>,
    /// How the store encrypts it: AES256, aws:kms or aws:kms:dsse.
    #[arg(long, value_name = "METHOD")]
    sse: Option<String>,
    /// With --sse aws:kms: by which key, instead of the account's own.
    #[arg(long, value_name = "ID", requires = "sse")]
    sse_kms_key_id: Option<String>,
    /// Put a legal hold on it.
    #[arg(long)]
    hold: bool,
    /// Lock it until then: `GOVERNANCE 2027-01-31T00:00:00Z`, or COMPLIANCE, which nobody can take back.
    #[arg(long, num_args = 2, value_names = ["MODE", "UNTIL"])]
    retain: Option<Vec<String>>,
}

impl Description {
    /// A new object with this key.
    pub(super) fn of_new(&self, key: &str) -> Outcome<NewObject> {
        let guessed = mime_guess::from_path(key).first_or_octet_stream().to_string();
        let content = ContentHeaders { content_type: Some(guessed), ..ContentHeaders::default() };
        self.over(NewObject { content, ..NewObject::default() })
    }

    /// Nothing is asked for: a copy is as its source.
    pub(super) fn is_empty(&self) -> bool {
        let texts = [
            &self.content_type,
            &self.content_encoding,
            &self.content_language,
            &self.content_disposition,
            &self.cache_control,
            &self.expires,
            &self.website_redirect,
            &self.storage_class,
            &self.acl,
            &self.sse,
        ];
        let lists_are_empty = self.metadata.is_empty() && self.tag.is_empty() && self.retain.is_none();
        texts.iter().all(|text| text.is_none()) && lists_are_empty && !self.hold
    }

    /// What is asked for goes before what `object` has; its other metadata stays, its other tags do not.
    pub(super) fn over(&self, object: NewObject) -> Outcome<NewObject> {
        let retention = match self.retain.as_deref() {
            Some([mode, until]) => Some(parse_retention(mode, until)?),
            _ => object.lock.retention,
        };
        let mut metadata = object.metadata;
        metadata.extend(pairs(&self.metadata)?);
        let tags = match self.tag.as_slice() {
            [] => object.tags,
            tags => Some(pairs(tags)?.into_iter().collect()),
        };
        let first = |mine: &Option<String>, other: Option<String>| mine.clone().or(other);
        let content = object.content;
        Ok(NewObject {
            content: ContentHeaders {
                content_type: first(&self.content_type, content.content_type),
                content_encoding: first(&self.content_encoding, content.content_encoding),
                content_language: first(&self.content_language, content.content_language),
                content_disposition: first(&self.content_disposition, content.content_disposition),
                cache_control: first(&self.cache_control, content.cache_control),
                expires: first(&self.expires, content.expires),
                website_redirect: first(&self.website_redirect, content.website_redirect),
            },
            metadata,
            tags,
            lock: LockHeaders { retention, legal_hold: self.hold.then_some(true).or(object.lock.legal_hold) },
            storage_class: first(&self.storage_class, object.storage_class),
            acl: first(&self.acl, object.acl),
            sse: first(&self.sse, object.sse),
            sse_kms_key_id: first(&self.sse_kms_key_id, object.sse_kms_key_id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_goes_before_what_is_there() {
        let description = Description {
            content_type: Some("text/x".into()),
            metadata: vec!["a=2".into(), "c=3".into()],
            storage_class: Some("GLACIER".into()),
            ..Description::default()
        };
        let there = NewObject {
            content: ContentHeaders {
                content_type: Some("text/y".into()),
                cache_control: Some("no-store".into()),
                ..ContentHeaders::default()
            },
            metadata: [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "1".to_owned())].into(),
            tags: Some([("t".to_owned(), "1".to_owned())].into()),
            ..NewObject::default()
        };
        let made = description.over(there.clone()).unwrap();
        assert_eq!(made.content.content_type.as_deref(), Some("text/x"));
        assert_eq!(made.content.cache_control.as_deref(), Some("no-store"));
        let metadata: Vec<_> = made.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(metadata, ["a=2", "b=1", "c=3"]);
        assert_eq!((made.tags, made.storage_class.as_deref()), (there.tags, Some("GLACIER")));
        assert!(Description::default().is_empty() && !description.is_empty());
        assert_eq!(description.of_new("a.png").unwrap().content.content_type.as_deref(), Some("text/x"));
    }

    #[test]
    fn the_ending_of_a_key_tells_its_type() {
        let kind = |key: &str| Description::default().of_new(key).unwrap().content.content_type.unwrap();
        assert_eq!((kind("a/b.png"), kind("b")), ("image/png".into(), "application/octet-stream".into()));
    }
}
