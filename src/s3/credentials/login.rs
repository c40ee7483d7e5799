//! Keys of `aws login`: a session of the AWS console on this machine. The AWS tools leave a file with keys that live for
//! fifteen minutes and what renews them: a refresh token, good only with a proof that we hold the key beside it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};

use super::dpop;
use super::fetch::{self, Reach, sensitive};
use super::sso::write_private;
use super::{Credentials, Environment, Fetching, Source};
use crate::base::digest;
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::{Error, ErrorKind};

const PROOF: HeaderName = HeaderName::from_static("dpop");
/// Keys with less left are renewed before they are used.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// What a profile says of its login session.
#[derive(Clone, Debug)]
pub struct Login {
    /// The ARN of who logged in.
    pub session: String,
    /// Where sessions are kept: `~/.aws/login/cache`.
    pub cache: PathBuf,
    /// Where the AWS tools' sign-in service is, if not at its usual place.
    pub endpoint: Option<String>,
    /// Of the profile; the session's own goes first.
    pub region: Option<String>,
    /// How the sign-in service is reached.
    pub reach: Reach,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    access_token: Keys,
    expires_in: u64,
    refresh_token: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
}

impl Login {
    /// The folder of the AWS tools: `AWS_LOGIN_CACHE_DIRECTORY`, else `~/.aws/login/cache`.
    pub fn cache_of(environment: &Environment) -> PathBuf {
        match environment.get("AWS_LOGIN_CACHE_DIRECTORY") {
            Some(path) => PathBuf::from(path),
            None => environment.home().unwrap_or_default().join(".aws/login/cache"),
        }
    }

    async fn ask(&self) -> Result<Credentials, Error> {
        let path = self.path();
        let mut fields = self.load(&path)?;
        let now = SystemTime::now();
        let kept = keys_of(&fields);
        let left = kept.as_ref().and_then(|keys| keys.expires?.duration_since(now).ok()).unwrap_or_default();
        match kept {
            Some(keys) if left > RENEW_BEFORE => return Ok(keys),
            _ => {}
        }
        match (self.renew(&fields, now).await, kept_while(left, &fields)) {
            (Ok(renewed), _) => {
                keep(&mut fields, &renewed, now);
                if let Err(error) = write_private(&path, &Value::Object(fields.clone()).to_string()) {
                    tracing::warn!("the renewed login session cannot be kept in {}: {error}", path.display());
                }
                keys_of(&fields).ok_or_else(|| self.login_again("brought no keys"))
            }
            (Err(error), Some(keys)) => {
                tracing::warn!("the login session could not be renewed: {error}");
                Ok(keys)
            }
            (Err(error), None) => Err(error),
        }
    }

    fn path(&self) -> PathBuf {
        let name = digest::hex(&digest::sha256(self.session.trim().as_bytes()));
        self.cache.join(format!("{name}.json"))
    }
    fn load(&self, path: &Path) -> Result<Map<String, Value>, Error> {
        match std::fs::read(path) {
            // The parser's own message could quote a key.
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|_| fault(&format!("{} has no login session in JSON", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(self.login_again("was never opened"))
            }
            Err(error) => Err(fault(&format!("{}: {error}", path.display()))),
        }
    }

    async fn renew(&self, fields: &Map<String, Value>, now: SystemTime) -> Result<Renewed, Error> {
        let text = |name: &str| {
            let found = fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            found.ok_or_else(|| self.login_again(&format!("has no {name}")))
        };
        let uri = self.address(fields);
        let (key, refresh) = (Secret::new(text("dpopKey")?), text("refreshToken")?);
        let form = serde_json::json!({
            "clientId": text("clientId")?,
            "grantType": "refresh_token",
            "refreshToken": refresh,
        });
        let body = Bytes::from(form.to_string());
        let answer = fetch::call_patiently(&self.reach, "the renewal of the login session", || {
            let proof = sensitive(&dpop::proof(&key, &uri, now)?)?;
            let json = HeaderValue::from_static("application/json");
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, json), (PROOF, proof)]);
            Ok((Method::POST, uri.clone(), headers, body.clone()))
        })
        .await?;
        match answer.status.is_success() {
            true => serde_json::from_slice(&answer.body).map_err(|_| self.login_again("brought no keys")),
            false => Err(self.login_again("cannot be renewed")),
        }
    }
    fn address(&self, fields: &Map<String, Value>) -> String {
        if let Some(endpoint) = &self.endpoint {
            return format!("{endpoint}/v1/token");
        }
        let own = fields.get("signInRegion").and_then(Value::as_str);
        let region = own.or(self.region.as_deref()).unwrap_or(crate::s3::endpoint::DEFAULT_REGION);
        let domain = match region {
            region if region.starts_with("cn-") => "amazonaws.cn",
            region if region.starts_with("us-gov-") => "amazonaws-us-gov.com",
            _ => "aws.amazon.com",
        };
        format!("https://{region}.signin.{domain}/v1/token")
    }

    fn login_again(&self, why: &str) -> Error {
        fault(&format!("the login session {:?} {why}: run `aws login` with this profile", self.session))
    }
}

impl Source for Login {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.ask())
    }
}

pub(super) fn keys_of(fields: &Map<String, Value>) -> Option<Credentials> {
    let token = fields.get("accessToken")?;
    let text = |name: &str| token.get(name)?.as_str().filter(|text| !text.is_empty());
    Some(Credentials {
        session_token: text("sessionToken").map(Secret::new),
        expires: Some(timestamp::parse_rfc3339(text("expiresAt")?)?),
        ..Credentials::new(text("accessKeyId")?, Secret::new(text("secretAccessKey")?))
    })
}

/// Keys in their last minutes are better than none.
fn kept_while(left: Duration, fields: &Map<String, Value>) -> Option<Credentials> {
    if left.is_zero() { None } else { keys_of(fields) }
}

/// In the file too: the old refresh token is worth nothing any more. What we do not know stays.
fn keep(fields: &mut Map<String, Value>, renewed: &Renewed, now: SystemTime) {
    let keys = &renewed.access_token;
    let until = timestamp::rfc3339(fetch::end_of_life(now, renewed.expires_in));
    let token = fields.entry("accessToken").or_insert_with(|| Value::Object(Map::new()));
    for (name, text) in [
        ("accessKeyId", &keys.access_key_id),
        ("secretAccessKey", &keys.secret_access_key),
        ("sessionToken", &keys.session_token),
        ("expiresAt", &until),
    ] {
        token[name] = Value::from(text.as_str());
    }
    fields.insert("refreshToken".to_owned(), Value::from(renewed.refresh_token.as_str()));
}

fn fault(message: &str) -> Error {
    Error::new(ErrorKind::Credentials, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::credentials::tests::assert_silent;
    use crate::s3::scripted::{Answer, Server};

    const SESSION: &str = "arn:aws:iam::111122223333:user/me";
    const RENEWED: &str = r#"{"accessToken":{"accessKeyId":"NEW","secretAccessKey":"canary-s2","sessionToken":"canary-t2"},
        "tokenType":"aws_sigv4","expiresIn":900,"refreshToken":"canary-r2"}"#;

    fn login(server: &Server, cache: &Path) -> Login {
        Login {
            session: SESSION.into(),
            cache: cache.to_owned(),
            endpoint: Some(format!("http://{}", server.address)),
            region: None,
            reach: Reach::near(Duration::from_secs(2)),
        }
    }

    fn write(login: &Login, left_seconds: i64) {
        let now = SystemTime::now();
        let span = Duration::from_secs(left_seconds.unsigned_abs());
        let until = timestamp::rfc3339(if left_seconds < 0 { now - span } else { now + span });
        let session = serde_json::json!({
            "accessToken": {"accessKeyId": "OLD", "secretAccessKey": "canary-s1", "sessionToken": "canary-t1",
                            "accountId": "111122223333", "expiresAt": until},
            "clientId": "arn:aws:signin:::devtools/same-device", "refreshToken": "canary-r1", "idToken": "canary-i",
            "dpopKey": rcgen::KeyPair::generate().expect("a key").serialize_pem(),
        });
        std::fs::write(login.path(), session.to_string()).expect("written");
    }

    #[tokio::test]
    async fn keys_of_the_file_serve_until_their_last_minutes_and_are_then_renewed_and_kept() {
        let server = Server::answering([Answer::error(500, "x"), Answer::new(200, &[], RENEWED)]).await;
        let folder = tempfile::tempdir().expect("a folder");
        let login = login(&server, folder.path());
        write(&login, 600);
        assert_eq!(login.fetch().await.expect("keys").access_key, "OLD");
        assert!(server.heard().is_empty());
        write(&login, -1);
        let found = login.fetch().await.expect("keys");
        assert_eq!((found.access_key.as_str(), found.secret_key.expose()), ("NEW", "canary-s2"));
        assert_silent(&(&login, found));
        let heard = &server.heard()[1];
        assert_eq!((heard.method.as_str(), heard.target.as_str()), ("POST", "/v1/token"));
        assert_eq!(heard.header("dpop").split('.').count(), 3);
        let asked: Value = serde_json::from_slice(&heard.body).expect("JSON");
        assert_eq!(
            (asked["grantType"].as_str(), asked["refreshToken"].as_str()),
            (Some("refresh_token"), Some("canary-r1"))
        );
        let kept: Value = serde_json::from_slice(&std::fs::read(login.path()).expect("kept")).expect("JSON");
        assert_eq!(
            (kept["refreshToken"].as_str(), kept["idToken"].as_str()),
            (Some("canary-r2"), Some("canary-i"))
        );
        assert_eq!(kept["accessToken"]["accountId"].as_str(), Some("111122223333"));
        assert_eq!(login.fetch().await.expect("keys").access_key, "NEW");
        assert_eq!(server.heard().len(), 2, "not renewed again");
    }

    #[tokio::test]
    async fn a_session_that_cannot_be_renewed_serves_to_its_end_and_then_says_what_to_do() {
        let refusing =
            Server::answering([Answer::new(403, &[], r#"{"error":"TOKEN_EXPIRED","message":"canary-r1"}"#)])
                .await;
        let folder = tempfile::tempdir().expect("a folder");
        let login = login(&refusing, folder.path());
        let absent = login.fetch().await.expect_err("no file");
        assert!(absent.to_string().contains("run `aws login`"), "{absent}");
        write(&login, 60);
        assert_eq!(login.fetch().await.expect("keys").access_key, "OLD");
        write(&login, -1);
        let error = login.fetch().await.expect_err("ended");
        assert!(error.to_string().contains("cannot be renewed"), "{error}");
        assert_silent(&error);
        std::fs::write(login.path(), "canary").expect("written");
        assert_silent(&login.fetch().await.expect_err("no JSON"));
        std::fs::write(login.path(), "{}").expect("written");
        assert!(login.fetch().await.expect_err("empty").to_string().contains("has no dpopKey"));
    }

    #[test]
    fn the_service_is_that_of_the_region_that_was_logged_in_to() {
        let at = |region: Option<&str>, fields: &str| {
            let login = Login {
                session: SESSION.into(),
                cache: PathBuf::new(),
                endpoint: None,
                region: region.map(str::to_owned),
                reach: Reach::near(Duration::from_secs(1)),
            };
            login.address(&serde_json::from_str(fields).expect("JSON"))
        };
        assert_eq!(at(None, "{}"), "https://us-east-1.signin.aws.amazon.com/v1/token");
        assert_eq!(at(Some("eu-west-1"), "{}"), "https://eu-west-1.signin.aws.amazon.com/v1/token");
        let own = r#"{"signInRegion":"us-gov-west-1"}"#;
        assert_eq!(at(Some("eu-west-1"), own), "https://us-gov-west-1.signin.amazonaws-us-gov.com/v1/token");
    }
}
