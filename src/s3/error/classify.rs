//! What a status and a code mean: the one place where they become a kind.

use super::ErrorKind;

/// What a request named: decides what a 404 without a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing but the service.
    Service,
    /// A bucket.
    Bucket,
    /// An object.
    Key,
    /// A version of an object.
    Version,
    /// A sub-resource that may not have been put (`?tagging`, `?lifecycle`).
    Setting,
}

/// Status and code to kind. `code` is empty where the reply carried no S3 error document.
pub fn kind_of(status: u16, code: &str, asked: Asked) -> ErrorKind {
    kind_of_code(code).unwrap_or_else(|| kind_of_status(status, asked))
}

/// Codes by which stores say that they are asked for too much.
const THROTTLED: &[&str] = &[
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "XMinioServerNotInitialized",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "TooManyRequests",
    "TooManyRequestsException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "EC2ThrottledException",
    "KMS.ThrottlingException",
];

/// The kind of a code that says enough by itself (also in the entries of DeleteObjects).
pub fn kind_of_code(code: &str) -> Option<ErrorKind> {
    use ErrorKind::*;
    Some(match code {
        "NoSuchKey" => NoSuchKey,
        "NoSuchBucket" => NoSuchBucket,
        "NoSuchVersion" => NoSuchVersion,
        "NoSuchUpload" => NoSuchUpload,
        "NoSuchTagSet"
        | "NoSuchTagSetError"
        | "NoSuchBucketPolicy"
        | "NoSuchCORSConfiguration"
        | "NoSuchWebsiteConfiguration"
        | "NoSuchConfiguration"
        | "NoSuchLifecycleConfiguration"
        | "NoSuchPublicAccessBlockConfiguration"
        | "NoSuchAnnotation"
        | "NoLoggingStatusForKey"
        | "NoSuchObjectLockConfiguration"
        | "ObjectLockConfigurationNotFoundError"
        | "OwnershipControlsNotFoundError"
        | "ReplicationConfigurationNotFoundError"
        | "ServerSideEncryptionConfigurationNotFoundError" => NoSuchSetting,
        "NotModified" => NotModified,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "NotSignedUp" | "InvalidPayer"
        | "UnauthorizedAccess" => Denied,
        "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "InvalidSecurity"
        | "MissingAuthenticationToken"
        | "TokenRefreshRequired" => Credentials,
        "PreconditionFailed" => PreconditionFailed,
        "ConditionalRequestConflict"
        | "OperationAborted"
        | "InvalidBucketState"
        | "RestoreAlreadyInProgress"
        | "ObjectAlreadyInActiveTierError" => Conflict,
        "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" => BucketExists,
        "BucketNotEmpty" => BucketNotEmpty,
        "InvalidRange" => InvalidRange,
        "MethodNotAllowed" => MethodNotAllowed,
        "NotImplemented" | "XNotImplemented" | "AccessControlListNotSupported" => Unsupported,
        "InvalidObjectState" | "ObjectNotInActiveTierError" => Archived,
        "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" => InvalidPart,
        "EntityTooLarge" | "MaxMessageLengthExceeded" | "InlineDataTooLarge" => TooLarge,
        "KeyTooLongError" | "KeyTooLong" => KeyTooLong,
        "MetadataTooLarge" => MetadataTooLarge,
        "QuotaExceeded" | "InsufficientStorage" | "XMinioAdminBucketQuotaExceeded" | "XMinioStorageFull" => {
            Quota
        }
        _ if THROTTLED.contains(&code) => Throttled,
        // A key that is off, gone or not for us.
        _ if code.starts_with("KMS.") => Denied,
        "InternalError" | "InternalFailure" | "ServiceUnavailable" | "PriorRequestNotComplete" => Unavailable,
        "RequestTimeout" | "RequestTimeoutException" => TimedOut,
        "BadDigest" | "IncompleteBody" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" => {
            Corrupt
        }
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "Redirect"
        | "AuthorizationHeaderMalformed"
        | "InvalidRegion"
        | "IllegalLocationConstraintException" => Redirect,
        "RequestTimeTooSkewed" => Skew,
        "CrossLocationLoggingProhibited" | "UnexpectedContent" | "MissingContentLength" => Invalid,
        "TooManyBuckets" | "TooManyConfigurations" | "AnnotationLimitExceeded" => Quota,
        _ => return None,
    })
}

fn kind_of_status(status: u16, asked: Asked) -> ErrorKind {
    use ErrorKind::*;
    match status {
        304 => NotModified,
        300..=399 => Redirect,
        401 => Credentials,
        403 => Denied,
        404 => absent(asked),
        405 => MethodNotAllowed,
        408 => TimedOut,
        409 => Conflict,
        412 => PreconditionFailed,
        413 => TooLarge,
        416 => InvalidRange,
        429 => Throttled,
        501 => Unsupported,
        507 => Quota,
        500..=599 => Unavailable,
        400..=499 => Invalid,
        _ => Corrupt,
    }
}

fn absent(asked: Asked) -> ErrorKind {
    match asked {
        Asked::Service => ErrorKind::Invalid,
        Asked::Bucket => ErrorKind::NoSuchBucket,
        Asked::Key => ErrorKind::NoSuchKey,
        Asked::Version => ErrorKind::NoSuchVersion,
        Asked::Setting => ErrorKind::NoSuchSetting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_more_than_a_status() {
        use ErrorKind::*;
        for (status, code, kind) in [
            (404, "NoSuchKey", NoSuchKey),
            (404, "NoSuchBucket", NoSuchBucket),
            (404, "NoSuchVersion", NoSuchVersion),
            (404, "NoSuchUpload", NoSuchUpload),
            (404, "NoSuchTagSet", NoSuchSetting),
            (404, "ObjectLockConfigurationNotFoundError", NoSuchSetting),
            (403, "AccessDenied", Denied),
            (403, "InvalidAccessKeyId", Credentials),
            (403, "SignatureDoesNotMatch", Credentials),
            (400, "ExpiredToken", Credentials),
            (412, "PreconditionFailed", PreconditionFailed),
            (409, "ConditionalRequestConflict", Conflict),
            (409, "OperationAborted", Conflict),
            (409, "BucketAlreadyOwnedByYou", BucketExists),
            (409, "BucketNotEmpty", BucketNotEmpty),
            (416, "InvalidRange", InvalidRange),
            (405, "MethodNotAllowed", MethodNotAllowed),
            (501, "NotImplemented", Unsupported),
            (403, "InvalidObjectState", Archived),
            (400, "InvalidPart", InvalidPart),
            (400, "EntityTooSmall", InvalidPart),
            (400, "EntityTooLarge", TooLarge),
            (400, "KeyTooLongError", KeyTooLong),
            (400, "MetadataTooLarge", MetadataTooLarge),
            (403, "QuotaExceeded", Quota),
            (403, "SlowDown", Throttled),
            (400, "RequestTimeout", TimedOut),
            (500, "InternalError", Unavailable),
            (400, "BadDigest", Corrupt),
            (301, "PermanentRedirect", Redirect),
            (400, "AuthorizationHeaderMalformed", Redirect),
            (403, "RequestTimeTooSkewed", Skew),
            (400, "MalformedXML", Invalid),
            (409, "InvalidBucketState", Conflict),
            (403, "SomethingNew", Denied),
            (503, "SomethingNew", Unavailable),
        ] {
            assert_eq!(kind_of(status, code, Asked::Key), kind, "{status} {code}");
        }
    }

    /// The others are the catch-all of their status.
    #[test]
    fn every_code_of_the_reference_has_a_kind() {
        use ErrorKind::*;
        let mut codes = 0;
        for (status, kind, of_kind) in [
            (301, Redirect, "PermanentRedirect"),
            (307, Redirect, "Redirect TemporaryRedirect"),
            (400, Corrupt, "BadDigest IncompleteBody"),
            (400, Credentials, "ExpiredToken InvalidToken TokenRefreshRequired"),
            (
                400,
                Invalid,
                "AmbiguousGrantByEmailAddress CredentialsNotSupported \
                IllegalVersioningConfigurationException IncorrectNumberOfFilesInPostRequest \
                InvalidAddressingHeader InvalidArgument InvalidBucketName InvalidDigest \
                InvalidEncryptionAlgorithmError InvalidLocationConstraint InvalidPolicyDocument \
                InvalidRequest InvalidSOAPRequest InvalidStorageClass InvalidTargetBucketForLogging \
                InvalidURI MalformedACLError MalformedPOSTRequest MalformedXML \
                MaxPostPreDataLengthExceededError MissingAttachment MissingRequestBodyError \
                MissingSecurityElement MissingSecurityHeader RequestIsNotMultiPartContent \
                RequestTorrentOfBucketError UnexpectedContent UnresolvableGrantByEmailAddress \
                UserKeyMustBeSpecified",
            ),
            (400, InvalidPart, "EntityTooSmall InvalidPart InvalidPartOrder"),
            (400, KeyTooLong, "KeyTooLongError"),
            (400, MetadataTooLarge, "MetadataTooLarge"),
            (400, NoSuchSetting, "NoLoggingStatusForKey"),
            (400, Quota, "TooManyBuckets"),
            (400, Redirect, "AuthorizationHeaderMalformed"),
            (400, TimedOut, "RequestTimeout"),
            (400, TooLarge, "EntityTooLarge InlineDataTooLarge MaxMessageLengthExceeded"),
            (403, Archived, "InvalidObjectState"),
            (403, Credentials, "InvalidAccessKeyId InvalidSecurity SignatureDoesNotMatch"),
            (403, Denied, "AccessDenied AccountProblem AllAccessDisabled InvalidPayer NotSignedUp"),
            (403, Invalid, "CrossLocationLoggingProhibited"),
            (403, Skew, "RequestTimeTooSkewed"),
            (404, NoSuchBucket, "NoSuchBucket"),
            (404, NoSuchKey, "NoSuchKey"),
            (404, NoSuchSetting, "NoSuchBucketPolicy NoSuchLifecycleConfiguration"),
            (404, NoSuchUpload, "NoSuchUpload"),
            (404, NoSuchVersion, "NoSuchVersion"),
            (405, MethodNotAllowed, "MethodNotAllowed"),
            (409, BucketExists, "BucketAlreadyExists BucketAlreadyOwnedByYou"),
            (409, BucketNotEmpty, "BucketNotEmpty"),
            (409, Conflict, "InvalidBucketState OperationAborted RestoreAlreadyInProgress"),
            (411, Invalid, "MissingContentLength"),
            (412, PreconditionFailed, "PreconditionFailed"),
            (416, InvalidRange, "InvalidRange"),
            (500, Unavailable, "InternalError"),
            (501, Unsupported, "NotImplemented"),
            (503, Throttled, "SlowDown"),
            (503, Unavailable, "ServiceUnavailable"),
        ] {
            for code in of_kind.split_whitespace() {
                assert_eq!(kind_of(status, code, Asked::Key), kind, "{status} {code}");
                codes += 1;
            }
        }
        assert_eq!(codes, 80);
    }

    #[test]
    fn a_status_without_a_code_means_what_was_asked_for() {
        for (asked, kind) in [
            (Asked::Key, ErrorKind::NoSuchKey),
            (Asked::Version, ErrorKind::NoSuchVersion),
            (Asked::Bucket, ErrorKind::NoSuchBucket),
            (Asked::Service, ErrorKind::Invalid),
        ] {
            assert_eq!(kind_of(404, "", asked), kind);
        }
        for (status, kind) in [
            (304, ErrorKind::NotModified),
            (307, ErrorKind::Redirect),
            (400, ErrorKind::Invalid),
            (403, ErrorKind::Denied),
            (412, ErrorKind::PreconditionFailed),
            (416, ErrorKind::InvalidRange),
            (429, ErrorKind::Throttled),
            (500, ErrorKind::Unavailable),
            (501, ErrorKind::Unsupported),
            (507, ErrorKind::Quota),
            (599, ErrorKind::Unavailable),
            (199, ErrorKind::Corrupt),
        ] {
            assert_eq!(kind_of(status, "", Asked::Key), kind, "{status}");
        }
    }
}
