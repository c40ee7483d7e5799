//! Pure: what an attribute's name means.

/// An attribute's name, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `user.s3.tag.KEY`
    Tag(String),
    /// `user.s3.tags`
    Tags,
    LegalHold,
    Retention,
    /// What only the store can say.
    Fact(Fact),
    /// A header that describes the content.
    Header(Header),
    StorageClass,
    /// `user.holdfs.state`
    State,
    /// `user.holdfs.error`
    LastError,
    /// `user.holdfs.cached`
    Cached,
    /// `user.holdfs.sync`
    Sync,
    /// `user.s3.presigned-url` and `user.s3.presigned-url.SECONDS`
    PresignedUrl(u64),
    /// `user.s3.versions`
    Versions,
    /// Any other `user.NAME`, without the `user.`: user metadata. Bytes, because Linux asks for no encoding.
    Metadata(Vec<u8>),
    /// Below `user.s3.` or `user.holdfs.`, but nothing known.
    Unknown,
    /// `system.*`, `security.*`, `trusted.*`: never there.
    Foreign,
}

/// What only the store can say of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    ETag,
    VersionId,
    LastModified,
    Parts,
    Sse,
    SseKmsKeyId,
    ReplicationStatus,
    Expiration,
    Restore,
    /// By algorithm, in lower case.
    Checksum(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    ContentType,
    ContentEncoding,
    ContentLanguage,
    ContentDisposition,
    CacheControl,
    Expires,
    WebsiteRedirect,
}

impl Header {
    pub const ALL: [Self; 7] = [
        Self::ContentType,
        Self::ContentEncoding,
        Self::ContentLanguage,
        Self::ContentDisposition,
        Self::CacheControl,
        Self::Expires,
        Self::WebsiteRedirect,
    ];

    pub fn suffix(self) -> &'static str {
        match self {
            Self::ContentType => "content-type",
            Self::ContentEncoding => "content-encoding",
            Self::ContentLanguage => "content-language",
            Self::ContentDisposition => "content-disposition",
            Self::CacheControl => "cache-control",
            Self::Expires => "expires",
            Self::WebsiteRedirect => "website-redirect",
        }
    }
}

/// Seconds that a presigned URL is good for when the name does not say.
const PRESIGNED_SECONDS: u64 = 3600;
/// Seven days: the most that the signature allows.
const PRESIGNED_SECONDS_MAX: u64 = 7 * 24 * 3600;

impl Name {
    pub fn parse(name: &[u8]) -> Self {
        if let Some(rest) = name.strip_prefix(b"user.s3.") {
            return std::str::from_utf8(rest).map_or(Self::Unknown, Self::of_store);
        }
        if let Some(rest) = name.strip_prefix(b"user.holdfs.") {
            return Self::of_mount(rest);
        }
        match name.strip_prefix(b"user.") {
            Some(rest) if !rest.is_empty() => Self::Metadata(rest.to_vec()),
            _ => Self::Foreign,
        }
    }

    fn of_store(rest: &str) -> Self {
        if let Some(key) = rest.strip_prefix("tag.") {
            return if key.is_empty() { Self::Unknown } else { Self::Tag(key.to_owned()) };
        }
        if let Some(algorithm) = rest.strip_prefix("checksum.") {
            return Self::Fact(Fact::Checksum(algorithm.to_owned()));
        }
        if let Some(seconds) = rest.strip_prefix("presigned-url.") {
            return match seconds.parse() {
                Ok(seconds @ 1..=PRESIGNED_SECONDS_MAX) => Self::PresignedUrl(seconds),
                _ => Self::Unknown,
            };
        }
        if let Some(header) = Header::ALL.into_iter().find(|header| header.suffix() == rest) {
            return Self::Header(header);
        }
        match rest {
            "tags" => Self::Tags,
            "legal-hold" => Self::LegalHold,
            "retention" => Self::Retention,
            "storage-class" => Self::StorageClass,
            "etag" => Self::Fact(Fact::ETag),
            "version-id" => Self::Fact(Fact::VersionId),
            "last-modified" => Self::Fact(Fact::LastModified),
            "parts" => Self::Fact(Fact::Parts),
            "sse" => Self::Fact(Fact::Sse),
            "sse-kms-key-id" => Self::Fact(Fact::SseKmsKeyId),
            "replication-status" => Self::Fact(Fact::ReplicationStatus),
            "expiration" => Self::Fact(Fact::Expiration),
            "restore" => Self::Fact(Fact::Restore),
            "presigned-url" => Self::PresignedUrl(PRESIGNED_SECONDS),
            "versions" => Self::Versions,
            _ => Self::Unknown,
        }
    }

    fn of_mount(rest: &[u8]) -> Self {
        match rest {
            b"state" => Self::State,
            b"error" => Self::LastError,
            b"cached" => Self::Cached,
            b"sync" => Self::Sync,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_name_is_understood() {
        let cases: &[(&str, Name)] = &[
            ("user.s3.tag.project", Name::Tag("project".into())),
            ("user.s3.tag.a.b", Name::Tag("a.b".into())),
            ("user.s3.tags", Name::Tags),
            ("user.s3.legal-hold", Name::LegalHold),
            ("user.s3.retention", Name::Retention),
            ("user.s3.etag", Name::Fact(Fact::ETag)),
            ("user.s3.checksum.crc64nvme", Name::Fact(Fact::Checksum("crc64nvme".into()))),
            ("user.s3.storage-class", Name::StorageClass),
            ("user.s3.content-type", Name::Header(Header::ContentType)),
            ("user.s3.website-redirect", Name::Header(Header::WebsiteRedirect)),
            ("user.s3.presigned-url", Name::PresignedUrl(3600)),
            ("user.s3.presigned-url.60", Name::PresignedUrl(60)),
            ("user.holdfs.state", Name::State),
            ("user.holdfs.sync", Name::Sync),
            ("user.comment", Name::Metadata(b"comment".to_vec())),
            ("user.s3", Name::Metadata(b"s3".to_vec())),
        ];
        for (text, meaning) in cases {
            assert_eq!(Name::parse(text.as_bytes()), *meaning, "{text}");
        }
    }

    #[test]
    fn names_without_a_meaning_are_told_from_names_of_other_namespaces() {
        for text in
            ["user.s3.nonsense", "user.s3.tag.", "user.holdfs.x", "user.s3.presigned-url.0", "user.s3."]
        {
            assert_eq!(Name::parse(text.as_bytes()), Name::Unknown, "{text}");
        }
        for text in ["security.capability", "system.posix_acl_access", "trusted.x", "user.", "user"] {
            assert_eq!(Name::parse(text.as_bytes()), Name::Foreign, "{text}");
        }
        assert_eq!(Name::parse(b"user.\xff"), Name::Metadata(b"\xff".to_vec()));
    }
}
