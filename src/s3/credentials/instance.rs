//! Keys from the metadata service of a virtual machine (EC2's IMDSv2 and what imitates it).
//!
//! A machine without one must not wait for it: one second to say that it is there.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::fetch::Reach;
use super::{Credentials, Environment, fetch};
use crate::s3::{Error, ErrorKind};

const V4: &str = "http://169.254.169.254";
const V6: &str = "http://[fd00:ec2::254]";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const TOKEN_LIFE: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const WAIT_FOR_SIGN: Duration = Duration::from_secs(1);
const WAIT: Duration = Duration::from_secs(2);

pub struct Instance {
    base: String,
}

impl Instance {
    /// `None` when it is switched off.
    pub fn from_environment(environment: &Environment) -> Option<Self> {
        if environment.is_true("AWS_EC2_METADATA_DISABLED") {
            return None;
        }
        let v6 = environment
            .get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")
            .is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
        let usual = if v6 { V6 } else { V4 };
        let base = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(usual);
        Some(Self { base: base.trim_end_matches('/').to_owned() })
    }

    /// `None` where there is no such service, or it knows of no role.
    pub async fn fetch(&self) -> Result<Option<Credentials>, Error> {
        let Some(token) = self.token().await else { return Ok(None) };
        let Some(roles) = self.get(ROLES, &token).await? else { return Ok(None) };
        let Some(role) = roles.lines().next().filter(|role| !role.trim().is_empty()) else { return Ok(None) };
        match self.get(&format!("{ROLES}{}", role.trim()), &token).await? {
            Some(document) => fetch::parse(document.as_bytes()).map(Some),
            None => Ok(None),
        }
    }

    /// Version 1, without a token, is not spoken: it gave keys to whoever could make us send a GET.
    async fn token(&self) -> Option<HeaderValue> {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(TOKEN_LIFE),
            HeaderValue::from_static("21600"),
        )]);
        let uri = format!("{}/latest/api/token", self.base);
        let answer =
            fetch::call(&Reach::near(WAIT_FOR_SIGN), Method::PUT, &uri, headers, Bytes::new()).await.ok()?;
        let mut token =
            HeaderValue::from_bytes(&answer.body).ok().filter(|_| answer.status == StatusCode::OK)?;
        token.set_sensitive(true);
        Some(token)
    }
    async fn get(&self, path: &str, token: &HeaderValue) -> Result<Option<String>, Error> {
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static(TOKEN), token.clone())]);
        let uri = format!("{}{path}", self.base);
        let answer = fetch::call(&Reach::near(WAIT), Method::GET, &uri, headers, Bytes::new()).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(String::from_utf8_lossy(&answer.body).into_owned())),
            StatusCode::NOT_FOUND => Ok(None),
            status => {
                let message = format!("the instance's metadata service failed: {status}");
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::s3::scripted::{Answer, Heard, Server};

    fn instance(base: &str) -> Option<Instance> {
        let variable = ("AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(), base.to_owned());
        Instance::from_environment(&[variable].into_iter().collect())
    }

    fn metadata(_: usize, heard: &Heard) -> Answer {
        let keys = r#"{"Code":"Success","AccessKeyId":"AK","SecretAccessKey":"SK","Token":"T","Expiration":"2030-01-02T03:04:05Z"}"#;
        match (heard.method.as_str(), heard.target.as_str(), heard.header("x-aws-ec2-metadata-token")) {
            ("PUT", "/latest/api/token", _) => Answer::new(200, &[], "tok"),
            ("GET", "/latest/meta-data/iam/security-credentials/", "tok") => {
                Answer::new(200, &[], "role\nother")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/role", "tok") => Answer::new(200, &[], keys),
            _ => Answer::new(401, &[], ""),
        }
    }

    #[tokio::test]
    async fn keys_of_the_first_role_are_fetched_with_a_token() {
        let server = Server::start(metadata).await;
        let found =
            instance(&format!("http://{}/", server.address)).expect("on").fetch().await.expect("an answer");
        assert_eq!(found.expect("keys").access_key, "AK");
        assert_eq!(server.heard()[0].header("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
    }

    #[tokio::test]
    async fn a_machine_without_the_service_does_not_wait_for_it() {
        let silent = Server::answering([Answer::silence()]).await;
        for base in [format!("http://{}", silent.address), "http://127.0.0.1:1".to_owned()] {
            let started = Instant::now();
            assert_eq!(instance(&base).expect("on").fetch().await.expect("an answer"), None);
            assert!(started.elapsed() < Duration::from_secs(3), "{base}");
        }
        let off = ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
        assert!(Instance::from_environment(&[off].into_iter().collect()).is_none());
    }
}
