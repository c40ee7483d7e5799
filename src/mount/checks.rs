//! The first question to the store, and what its answer means for whoever wants to mount.

use std::time::Duration;

use crate::s3::ops::ListObjectsV2;
use crate::s3::{Client, Error as StoreError, ErrorKind, probe};

use super::{Error, Result, Target};

/// All first checks together.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// For the request itself, so that its own words arrive before the time for all is up.
const REQUEST_DEADLINE: Duration = Duration::from_secs(7);

/// Lists one key: that takes an endpoint, good credentials, the right region, a bucket, and the one permission that a
/// file system cannot do without.
pub async fn check_store(client: &Client, target: &Target, region: Option<&str>) -> Result<()> {
    let list = ListObjectsV2 {
        bucket: target.bucket.clone(),
        prefix: target.prefix.clone(),
        max_keys: Some(1),
        ..ListObjectsV2::default()
    };
    let patient = client.with_deadline(REQUEST_DEADLINE);
    match tokio::time::timeout(DEADLINE, patient.send(&list)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(explain(&error, client.endpoint(), &target.bucket, region)),
        Err(_) => Err(Error::new(format!(
            "{} did not answer within {} s. Is the address right, and can this machine reach it (firewall, proxy, \
             name resolution)? curl -v {0} shows how far a connection gets.",
            client.endpoint(),
            DEADLINE.as_secs()
        ))),
    }
}

/// Whether two writers can tell that they race: asked where a mount writes, and never in the way of a mount.
pub async fn learn_conditions(client: &Client, target: &Target, read_only: bool) {
    if read_only {
        return;
    }
    let key = format!("{}.holdfs.d/probe", target.prefix);
    let patient = client.with_deadline(REQUEST_DEADLINE);
    match probe::write_conditions(&patient, &target.bucket, &key).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!("this store has no conditional writes: races with other writers go unnoticed")
        }
        Err(error) => tracing::debug!("whether the store has conditional writes is not known: {error}"),
    }
}

/// One paragraph: what happened, why, what to do.
pub fn explain(error: &StoreError, endpoint: &str, bucket: &str, region: Option<&str>) -> Error {
    let region = region.unwrap_or("the one found out by itself");
    let advice = match error.kind() {
        ErrorKind::NoCredentials => format!(
            "There are no credentials for {endpoint}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a profile \
             of ~/.aws with --profile, or mount a public bucket with --anonymous."
        ),
        ErrorKind::Credentials => credentials(error.code(), endpoint),
        // MinIO's word for a session token that it did not issue.
        ErrorKind::Denied if error.code() == "InvalidTokenId" => credentials("InvalidToken", endpoint),
        ErrorKind::Denied => format!(
            "{endpoint} knows these credentials but does not let them list the bucket {bucket}. Grant them \
             s3:ListBucket (and s3:GetObject, s3:PutObject, s3:DeleteObject to read and write), or use others."
        ),
        ErrorKind::NoSuchBucket => format!(
            "There is no bucket {bucket} at {endpoint}. Check the name and the endpoint, list what there is with \
             holdfs bucket ls, or make it with holdfs bucket create {bucket}."
        ),
        ErrorKind::Redirect => format!(
            "The bucket {bucket} is in another region than requests were signed for ({region}), or at another \
             endpoint. Give the right one with --region or --endpoint."
        ),
        ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::Throttled => format!(
            "{endpoint} cannot be reached or does not serve. Is the address right (--endpoint, AWS_ENDPOINT_URL), is the \
             server running, and does a firewall or proxy stand between?"
        ),
        ErrorKind::Tls => format!(
            "The connection to {endpoint} is not safe. If its certificate is of your own making, name it with --ca-file \
             or AWS_CA_BUNDLE; if the server speaks plain HTTP, write http:// in the endpoint; else check its name and the \
             certificate's dates."
        ),
        ErrorKind::Skew => {
            "This machine's clock and the store's differ too much. Set the clock (timedatectl \
             set-ntp true), then mount again."
                .to_owned()
        }
        ErrorKind::Corrupt => format!(
            "What answers at {endpoint} does not speak S3. Check the address: a console or a web server often listens on \
             the port beside the store's."
        ),
        ErrorKind::Invalid => format!(
            "{endpoint} does not take such a request. Check --endpoint, the bucket's name, --address-style and --region \
             (now: {region})."
        ),
        _ => format!(
            "The first look at bucket {bucket} of {endpoint} failed. holdfs doctor {bucket} looks closer."
        ),
    };
    Error::new(format!("{advice} ({error})"))
}

/// The codes by which stores say what is wrong with a key:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn credentials(code: &str, endpoint: &str) -> String {
    match code {
        "InvalidAccessKeyId" => format!(
            "{endpoint} does not know the access key. Check AWS_ACCESS_KEY_ID or the profile, and that they are meant \
             for this store."
        ),
        "SignatureDoesNotMatch" => format!(
            "{endpoint} knows the access key but the secret key is not the one that belongs to it. Check \
             AWS_SECRET_ACCESS_KEY or the profile."
        ),
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => format!(
            "The session token for {endpoint} has expired. Get new credentials the way you got these (aws sso login, \
             aws sts assume-role), then mount again."
        ),
        "InvalidToken" => format!(
            "{endpoint} does not take the session token. Unset AWS_SESSION_TOKEN if the key needs none, else get new \
             credentials."
        ),
        "AuthorizationHeaderMalformed" => format!(
            "{endpoint} does not take the region that requests were signed for. Give the bucket's region with --region \
             or AWS_REGION."
        ),
        _ => format!(
            "{endpoint} does not take the credentials. Check AWS_ACCESS_KEY_ID and its secret, or the profile."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_names_the_place_and_says_what_to_do() {
        for (kind, expected) in [
            (ErrorKind::NoCredentials, "AWS_ACCESS_KEY_ID"),
            (ErrorKind::Denied, "s3:ListBucket"),
            (ErrorKind::NoSuchBucket, "holdfs bucket create photos"),
            (ErrorKind::Redirect, "--region"),
            (ErrorKind::Unavailable, "--endpoint"),
            (ErrorKind::Tls, "--ca-file"),
            (ErrorKind::Skew, "clock"),
            (ErrorKind::Bug, "holdfs doctor photos"),
        ] {
            let error = StoreError::new(kind, "as it said");
            let text = explain(&error, "https://s3.example:443", "photos", None).to_string();
            assert!(text.contains(expected) && text.contains("as it said"), "{kind:?}: {text}");
            assert!(!text.contains('\n'), "{kind:?} is one paragraph");
        }
    }

    #[test]
    fn the_stores_code_tells_a_wrong_key_from_an_expired_one() {
        for (code, expected) in [
            ("InvalidAccessKeyId", "does not know the access key"),
            ("SignatureDoesNotMatch", "the secret key is not the one"),
            ("ExpiredToken", "has expired"),
            ("AuthorizationHeaderMalformed", "--region"),
            ("Whatever", "does not take the credentials"),
        ] {
            assert!(credentials(code, "http://x:80").contains(expected), "{code}");
        }
    }
}
