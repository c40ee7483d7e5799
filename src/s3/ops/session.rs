//! Keys for one directory bucket. [`Client::send`](crate::s3::Client::send) opens and renews such sessions by itself.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html>

use http::{HeaderName, Method};

use super::{on_bucket, put_some};
use crate::s3::credentials::Proof;
use crate::s3::credentials::sts::Found;
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::Reader;
use crate::s3::{Credentials, Error, Operation, Result};

const MODE: HeaderName = HeaderName::from_static("x-amz-create-session-mode");

/// Output: [`Credentials`] that are good for this bucket and some five minutes.
#[derive(Clone, Debug, Default)]
pub struct CreateSession {
    /// A directory bucket: `base--zone--x-s3`.
    pub bucket: String,
    /// Keys that cannot write.
    pub read_only: bool,
}

impl Operation for CreateSession {
    type Output = Credentials;
    const NAME: &'static str = "CreateSession";

    fn encode(&self) -> Result<Request> {
        let mut request = on_bucket(Method::GET, &self.bucket)?.with("session", "");
        put_some(&mut request.headers, MODE, self.read_only.then_some("ReadOnly"))?;
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<Credentials> {
        let body = reply.document()?;
        let mut found = Found::default();
        let read = Reader::open(body, "CreateSessionResult").and_then(|mut result| {
            result.children(|name, keys| match name {
                "Credentials" => found.read(keys),
                _ => Ok(()),
            })
        });
        // What the reader says could quote a key.
        read.map_err(|_| Error::decode("the reply is no session"))?;
        let keys = found.credentials().filter(|keys| keys.session_token.is_some());
        let keys = keys.ok_or_else(|| Error::decode("the session came without keys"))?;
        Ok(Credentials { proof: Proof::Session, ..keys })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reply, wire};
    use super::*;

    #[test]
    fn a_session_has_keys_of_its_own() {
        let create = CreateSession { bucket: "b--usw2-az1--x-s3".into(), read_only: true };
        assert_eq!(wire(&create), "GET /b--usw2-az1--x-s3?session=\nx-amz-create-session-mode: ReadOnly");
        let document = "<CreateSessionResult><Credentials><SessionToken>t</SessionToken><SecretAccessKey>canary\
            </SecretAccessKey><AccessKeyId>AK</AccessKeyId><Expiration>2026-01-31T10:05:00Z</Expiration>\
            </Credentials></CreateSessionResult>";
        let keys = create.decode(reply(200, &[], document)).unwrap();
        assert_eq!((keys.access_key.as_str(), keys.proof), ("AK", Proof::Session));
        assert!(!format!("{keys:?}").contains("canary"));
        let torn = create.decode(reply(200, &[], "<CreateSessionResult><Secret>canary"));
        assert!(!torn.unwrap_err().to_string().contains("canary"));
    }
}
