//! Keys of AWS's single sign-on (IAM Identity Center). A browser is not our business: `aws sso login` leaves a token
//! in a file, which we read, exchange for keys, and renew where it brought what that takes.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use super::fetch::{self, Answer, Reach, sensitive};
use super::{Credentials, Environment, Fetching, Source};
use crate::base::digest;
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::sign::canonical::encode_component;
use crate::s3::{Error, ErrorKind};

const BEARER: HeaderName = HeaderName::from_static("x-amz-sso_bearer_token");
/// A token with less left is renewed before it is used.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// What a profile says about single sign-on.
#[derive(Clone, Debug)]
pub struct Sso {
    /// Of an `[sso-session …]`, whose tokens can be renewed.
    pub session: Option<String>,
    /// `sso_start_url`: where people log in; names the token's file where there is no session.
    pub start_url: String,
    /// `sso_account_id`.
    pub account_id: String,
    /// `sso_role_name`.
    pub role_name: String,
    /// Where keys are: `https://portal.sso.REGION.amazonaws.com`.
    pub portal: String,
    /// Where tokens are renewed: `https://oidc.REGION.amazonaws.com`.
    pub oidc: String,
    /// Where tokens are kept: `~/.aws/sso/cache`.
    pub cache: PathBuf,
    /// How both are reached.
    pub reach: Reach,
}

/// The file of a token. What we do not know in it is kept.
struct Cached {
    path: PathBuf,
    fields: Map<String, Value>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    access_token: String,
    expires_in: u64,
    refresh_token: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    role_credentials: Keys,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    /// Milliseconds since 1970.
    expiration: Option<u64>,
}

impl Sso {
    /// The folder of the AWS tools: `~/.aws/sso/cache`.
    pub fn cache_of(environment: &Environment) -> PathBuf {
        environment.home().unwrap_or_default().join(".aws/sso/cache")
    }

    async fn ask(&self) -> Result<Credentials, Error> {
        let token = self.token().await?;
        let uri = format!(
            "{}/federation/credentials?role_name={}&account_id={}",
            self.portal,
            encode_component(&self.role_name),
            encode_component(&self.account_id)
        );
        let answer = fetch::call_patiently(&self.reach, "single sign-on", || {
            let headers = HeaderMap::from_iter([(BEARER, sensitive(token.expose())?)]);
            Ok((Method::GET, uri.clone(), headers, Bytes::new()))
        })
        .await?;
        match answer.status {
            StatusCode::OK => parse(&answer.body),
            StatusCode::UNAUTHORIZED => Err(self.login_again("is no longer accepted")),
            StatusCode::FORBIDDEN => Err(fault(&format!(
                "single sign-on gives you no role {:?} in the account {:?}",
                self.role_name, self.account_id
            ))),
            status => Err(fault(&format!("single sign-on refused: {status}"))),
        }
    }

    async fn token(&self) -> Result<Secret, Error> {
        let mut cached = self.cached()?;
        let now = SystemTime::now();
        let left = cached.expires().and_then(|at| at.duration_since(now).ok()).unwrap_or_default();
        if left < RENEW_BEFORE
            && let Some(request) = self.renewal(&cached)
        {
            match self.renew(&request).await {
                Ok(renewed) => cached.replace(&renewed, now),
                // What is left of the old one may do.
                Err(error) if !left.is_zero() => {
                    tracing::warn!("single sign-on could not be renewed: {error}")
                }
                Err(error) => return Err(error),
            }
        } else if left.is_zero() {
            return Err(self.login_again("has ended"));
        }
        cached.text("accessToken").map(Secret::new).ok_or_else(|| self.login_again("left no token"))
    }
    fn cached(&self) -> Result<Cached, Error> {
        let name = self.session.as_deref().unwrap_or(&self.start_url);
        let path = self.cache.join(format!("{}.json", digest::hex(&digest::sha1(name.as_bytes()))));
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.login_again("was never opened"));
            }
            Err(error) => return Err(fault(&format!("{}: {error}", path.display()))),
        };
        // The parser's own message could quote a token.
        let fields = serde_json::from_slice(&text)
            .map_err(|_| fault(&format!("{} has no token in JSON", path.display())))?;
        Ok(Cached { path, fields })
    }

    /// What renews a token: only those of sessions brought it.
    fn renewal(&self, cached: &Cached) -> Option<Bytes> {
        self.session.as_ref()?;
        let registered = cached.time("registrationExpiresAt").is_none_or(|until| until > SystemTime::now());
        let text = |name: &str| cached.text(name).filter(|_| registered);
        let request = serde_json::json!({
            "grantType": "refresh_token",
            "clientId": text("clientId")?,
            "clientSecret": text("clientSecret")?,
            "refreshToken": text("refreshToken")?,
        });
        Some(request.to_string().into())
    }
    async fn renew(&self, request: &Bytes) -> Result<Renewed, Error> {
        let json = || HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let uri = format!("{}/token", self.oidc);
        let Answer { status, body } =
            fetch::call_patiently(&self.reach, "the renewal of single sign-on", || {
                Ok((Method::POST, uri.clone(), json(), request.clone()))
            })
            .await?;
        match status.is_success() {
            true => serde_json::from_slice(&body).map_err(|_| fault("single sign-on sent no token")),
            false => Err(self.login_again("cannot be renewed")),
        }
    }

    fn login_again(&self, why: &str) -> Error {
        let (name, how) = match &self.session {
            Some(session) => (session, format!("`aws sso login --sso-session {session}`")),
            None => (&self.start_url, "`aws sso login` with this profile".to_owned()),
        };
        fault(&format!("the single sign-on session {name:?} {why}: run {how}"))
    }
}

impl Source for Sso {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.ask())
    }
}

impl Cached {
    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str().filter(|text| !text.is_empty())
    }
    fn time(&self, name: &str) -> Option<SystemTime> {
        let text = self.text(name)?;
        // Old versions of the AWS tools wrote `2020-06-17T10:02:08UTC`.
        timestamp::parse_rfc3339(&text.strip_suffix("UTC").map_or(text.to_owned(), |date| format!("{date}Z")))
    }
    fn expires(&self) -> Option<SystemTime> {
        self.time("expiresAt")
    }
    /// In the file too: the old token to renew with is worth nothing any more.
    fn replace(&mut self, renewed: &Renewed, now: SystemTime) {
        let until = timestamp::rfc3339(fetch::end_of_life(now, renewed.expires_in));
        let mut set = |name: &str, text: &str| self.fields.insert(name.to_owned(), text.into());
        set("accessToken", &renewed.access_token);
        set("expiresAt", &until);
        if let Some(token) = &renewed.refresh_token {
            set("refreshToken", token);
        }
        if let Err(error) = write_private(&self.path, &Value::Object(self.fields.clone()).to_string()) {
            tracing::warn!("the renewed token cannot be kept in {}: {error}", self.path.display());
        }
    }
}

/// Whole or not at all, and for our eyes only.
pub(super) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{}.{:08x}", std::process::id(), fastrand::u32(..)));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let renamed = written.and_then(|()| std::fs::rename(&beside, path));
    if renamed.is_err() {
        // What stays behind is ours alone to read; the first error is the one to tell.
        let _ = std::fs::remove_file(&beside);
    }
    renamed
}

pub(super) fn parse(body: &[u8]) -> Result<Credentials, Error> {
    let document: Document =
        serde_json::from_slice(body).map_err(|_| fault("single sign-on answered without keys"))?;
    let keys = document.role_credentials;
    Ok(Credentials {
        session_token: keys.session_token.map(Secret::new),
        expires: keys.expiration.map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis)),
        ..Credentials::new(keys.access_key_id, Secret::new(keys.secret_access_key))
    })
}

fn fault(message: &str) -> Error {
    Error::new(ErrorKind::Credentials, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::credentials::tests::assert_silent;
    use crate::s3::scripted::{Answer, Heard, Server};

    const KEYS: &str = r#"{"roleCredentials":{"accessKeyId":"AK","secretAccessKey":"canary-s","sessionToken":"canary-t","expiration":4070908800000}}"#;

    fn sso(server: &Server, cache: &Path, session: Option<&str>) -> Sso {
        let base = format!("http://{}", server.address);
        Sso {
            session: session.map(str::to_owned),
            start_url: "https://d-1.awsapps.com/start".into(),
            account_id: "111122223333".into(),
            role_name: "Read Only".into(),
            portal: base.clone(),
            oidc: base,
            cache: cache.to_owned(),
            reach: Reach::near(Duration::from_secs(2)),
        }
    }

    fn keep(sso: &Sso, text: &str) -> PathBuf {
        let name = sso.session.as_deref().unwrap_or(&sso.start_url);
        let path = sso.cache.join(format!("{}.json", digest::hex(&digest::sha1(name.as_bytes()))));
        std::fs::write(&path, text).expect("written");
        path
    }

    fn at(seconds_from_now: i64) -> String {
        let now = SystemTime::now();
        let span = Duration::from_secs(seconds_from_now.unsigned_abs());
        timestamp::rfc3339(if seconds_from_now < 0 { now - span } else { now + span })
    }

    #[test]
    fn the_name_of_the_cache_file_is_that_of_the_aws_tools() {
        // `sha1("admin")`, as in the AWS SDKs' reference.
        assert_eq!(digest::hex(&digest::sha1(b"admin")), "d033e22ae348aeb5660fc2140aec35850c4da997");
    }

    #[tokio::test]
    async fn a_cached_token_is_exchanged_for_keys() {
        let server = Server::answering([Answer::error(500, "x"), Answer::new(200, &[], KEYS)]).await;
        let folder = tempfile::tempdir().expect("a folder");
        for session in [None, Some("my-sso")] {
            let sso = sso(&server, folder.path(), session);
            keep(
                &sso,
                &format!(r#"{{"accessToken":"canary-at","expiresAt":"{}"}}"#, at(3600).replace('Z', "UTC")),
            );
            let found = sso.fetch().await.expect("keys");
            assert_eq!((found.access_key.as_str(), found.secret_key.expose()), ("AK", "canary-s"));
            assert_eq!(found.expires, timestamp::parse_rfc3339("2099-01-01T00:00:00Z"));
            let heard = server.heard().pop().expect("a request");
            assert_eq!(heard.target, "/federation/credentials?role_name=Read%20Only&account_id=111122223333");
            assert_eq!(heard.header("x-amz-sso_bearer_token"), "canary-at");
            assert_silent(&(sso, found));
        }
    }

    fn session(ends_in: i64) -> String {
        format!(
            r#"{{"accessToken":"canary-old","expiresAt":"{}","clientId":"id","clientSecret":"canary-cs",
            "refreshToken":"canary-r1","registrationExpiresAt":"{}","region":"eu-west-1"}}"#,
            at(ends_in),
            at(9999)
        )
    }

    fn renewing(_: usize, heard: &Heard) -> Answer {
        match (heard.target.as_str(), heard.header("x-amz-sso_bearer_token")) {
            ("/token", _) => Answer::new(
                200,
                &[],
                r#"{"accessToken":"canary-new","expiresIn":3600,"refreshToken":"canary-r2","tokenType":"Bearer"}"#,
            ),
            (_, "canary-new") => Answer::new(200, &[], KEYS),
            _ => Answer::new(401, &[], ""),
        }
    }

    #[tokio::test]
    async fn the_token_of_a_session_is_renewed_and_kept() {
        use std::os::unix::fs::PermissionsExt as _;
        let server = Server::start(renewing).await;
        let folder = tempfile::tempdir().expect("a folder");
        let sso = sso(&server, folder.path(), Some("my-sso"));
        let path = keep(&sso, &session(-10));
        sso.fetch().await.expect("keys");
        let asked: Value = serde_json::from_slice(&server.heard()[0].body).expect("JSON");
        assert_eq!(
            (asked["grantType"].as_str(), asked["refreshToken"].as_str()),
            (Some("refresh_token"), Some("canary-r1"))
        );
        let kept: Value = serde_json::from_slice(&std::fs::read(&path).expect("kept")).expect("JSON");
        assert_eq!(
            (kept["accessToken"].as_str(), kept["refreshToken"].as_str()),
            (Some("canary-new"), Some("canary-r2"))
        );
        assert_eq!(
            (kept["region"].as_str(), kept["clientSecret"].as_str()),
            (Some("eu-west-1"), Some("canary-cs"))
        );
        assert_eq!(std::fs::metadata(&path).expect("kept").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
        sso.fetch().await.expect("keys");
        assert_eq!(server.heard().len(), 3, "not renewed again");
    }

    #[tokio::test]
    async fn who_must_log_in_is_told_how() {
        let refusing = Server::answering([Answer::new(401, &[], "canary")]).await;
        let folder = tempfile::tempdir().expect("a folder");
        let by_session = sso(&refusing, folder.path(), Some("my-sso"));
        let by_url = sso(&refusing, folder.path(), None);
        let absent = by_session.fetch().await.expect_err("no file");
        assert!(absent.to_string().contains("run `aws sso login --sso-session my-sso`"), "{absent}");
        for (sso, text, part) in [
            (&by_url, format!(r#"{{"accessToken":"canary","expiresAt":"{}"}}"#, at(-1)), "has ended"),
            (
                &by_url,
                format!(r#"{{"accessToken":"canary","expiresAt":"{}"}}"#, at(900)),
                "no longer accepted",
            ),
            (&by_url, "canary".to_owned(), "no token in JSON"),
            (&by_session, session(-1), "cannot be renewed"),
        ] {
            keep(sso, &text);
            let error = sso.fetch().await.expect_err("no keys");
            assert!(error.to_string().contains(part), "{error}");
            assert_silent(&error);
        }
        let forbidding = Server::answering([Answer::new(403, &[], "canary")]).await;
        let forbidden = sso(&forbidding, folder.path(), None);
        keep(&forbidden, &format!(r#"{{"accessToken":"canary","expiresAt":"{}"}}"#, at(900)));
        let error = forbidden.fetch().await.expect_err("no role");
        assert!(error.to_string().contains("no role \"Read Only\""), "{error}");
    }
}
