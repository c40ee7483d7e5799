//! A role that is taken on with other keys: AWS across accounts, MinIO for keys that expire.

use std::time::Duration;

use super::sts::{Role, Service, seconds};
use super::{Fetching, Provider, Source};
use crate::base::secret::Secret;
use crate::s3::{Error, ErrorKind};

const DURATION_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// STS AssumeRole.
#[derive(Clone, Debug)]
pub struct AssumeRole {
    /// Who gives the keys.
    pub service: Service,
    /// Whose keys sign the request.
    pub keys: Provider,
    /// What is asked for.
    pub role: Role,
    /// Where the role's owner asks for a second factor.
    pub mfa: Option<Mfa>,
}

/// A code from a device: good for one request, so the keys that it gave cannot be renewed.
#[derive(Clone, Debug)]
pub struct Mfa {
    /// The serial number or ARN of the device.
    pub device: String,
    /// The six digits that it shows now.
    pub code: Secret,
}

impl Source for AssumeRole {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            let keys = self.keys.credentials().await?.ok_or_else(|| {
                Error::new(ErrorKind::NoCredentials, "a role cannot be assumed anonymously")
            })?;
            let (name, seconds) =
                (self.role.name(self.service.now()), seconds(self.role.duration, DURATION_MAX));
            let mut form = self.role.pairs(&name, seconds.as_deref());
            let mut secrets = Vec::new();
            if let Some(mfa) = &self.mfa {
                form.extend([("SerialNumber", mfa.device.as_str()), ("TokenCode", mfa.code.expose())]);
                secrets.push(&mfa.code);
            }
            self.service.call("AssumeRole", form, Some(&keys), &secrets).await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::s3::Credentials;
    use crate::s3::credentials::tests::{assert_silent, canary};
    use crate::s3::scripted::{Answer, Server};

    pub const ANSWER: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <AssumeRoleResult><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/n</Arn></AssumedRoleUser><Credentials>\
        <AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>canary-secret</SecretAccessKey>\
        <SessionToken>canary-token</SessionToken><Expiration>2099-01-02T03:04:05Z</Expiration></Credentials>\
        </AssumeRoleResult><ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata></AssumeRoleResponse>";

    fn role(server: &Server) -> AssumeRole {
        AssumeRole {
            service: Service::at(&format!("http://{}", server.address))
                .expect("good")
                .with_region("eu-west-1"),
            keys: Provider::fixed(Credentials::new("AKIA0", canary("long-lived"))),
            role: Role {
                arn: Some("arn:aws:iam::1:role/r".into()),
                session_name: Some("me".into()),
                duration: Some(Duration::from_secs(60)),
                policy: Some("{}".into()),
                external_id: Some("ext+1".into()),
            },
            mfa: Some(Mfa { device: "dev".into(), code: canary("123456") }),
        }
    }

    #[tokio::test]
    async fn a_role_is_asked_for_in_a_signed_form_and_asked_again_when_the_service_is_ill() {
        let server =
            Server::answering([Answer::error(503, "ServiceUnavailable"), Answer::new(200, &[], ANSWER)])
                .await;
        let found = role(&server).fetch().await.expect("keys");
        assert_eq!((found.access_key.as_str(), found.secret_key.expose()), ("ASIA1", "canary-secret"));
        assert!(found.session_token.is_some() && found.expires.is_some());
        let heard = &server.heard()[1];
        assert_eq!((heard.method.as_str(), heard.target.as_str()), ("POST", "/"));
        assert_eq!(
            String::from_utf8_lossy(&heard.body),
            "Action=AssumeRole&DurationSeconds=900&ExternalId=ext%2B1&Policy=%7B%7D&RoleArn=arn%3Aaws%3Aiam%3A%3A1\
             %3Arole%2Fr&RoleSessionName=me&SerialNumber=dev&TokenCode=canary-123456&Version=2011-06-15"
        );
        let authorization = heard.header("authorization");
        assert!(
            authorization.contains("/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;"),
            "{authorization}"
        );
    }

    #[tokio::test]
    async fn refusals_are_final_and_repeat_no_secret() {
        let echo = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no canary-123456 for \
                    you</Message></Error><RequestId>r</RequestId></ErrorResponse>";
        let torn = ANSWER.replace("</Credentials>", "");
        for (status, body, part) in [
            (403, echo, "AccessDenied: no [redacted] for you"),
            (200, torn.as_str(), "no document of that kind"),
            (200, "<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>", "without keys"),
            (400, "canary-123456", "400 Bad Request"),
        ] {
            let server = Server::answering([Answer::new(status, &[], body)]).await;
            let error = role(&server).fetch().await.expect_err("no keys");
            assert_eq!((error.kind(), server.heard().len()), (ErrorKind::Credentials, 1));
            assert!(error.to_string().contains(part), "{error}");
            assert_silent(&error);
        }
        assert_silent(&role(&Server::answering([Answer::nothing()]).await));
    }

    #[test]
    fn aws_has_a_service_in_every_region() {
        for (region, fips, dualstack, host) in [
            (None, false, false, "https://sts.amazonaws.com:443"),
            (Some("eu-west-1"), false, false, "https://sts.eu-west-1.amazonaws.com:443"),
            (Some("cn-north-1"), false, false, "https://sts.cn-north-1.amazonaws.com.cn:443"),
            (Some("us-east-2"), true, false, "https://sts-fips.us-east-2.amazonaws.com:443"),
            (Some("us-east-2"), false, true, "https://sts.us-east-2.api.aws:443"),
        ] {
            assert_eq!(Service::aws(region, fips, dualstack).expect("good").name(), host);
        }
        assert!(Service::aws(Some("evil.example/"), false, false).is_err());
    }
}
