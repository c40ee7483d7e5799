//! IBM Cloud: an API key is exchanged for a bearer token that lives for an hour; or the credentials file has HMAC keys,
//! which sign like any others.
//!
//! A token is renewed with the refresh token that came with it, where one did, and with the API key where that is
//! refused. The service answers 400 to a key that it does not know: asking again does not help.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use parking_lot::Mutex;

use super::fetch::{self, Reach};
use super::{Credentials, Environment, Fetching, Source};
use crate::base::secret::Secret;
use crate::s3::{Error, ErrorKind};

/// Where IBM Cloud exchanges an API key for a token.
pub const AUTH_ENDPOINT: &str = "https://iam.cloud.ibm.com/identity/token";
/// `bx:bx`, the public name of every client.
const CLIENT: &str = "Basic Yng6Yng=";
const BY_KEY: &str = "urn:ibm:params:oauth:grant-type:apikey";
const BY_REFRESH_TOKEN: &str = "refresh_token";

/// An API key of IBM's identity service. Clones share the refresh token.
#[derive(Clone, Debug)]
pub struct ApiKey {
    key: Secret,
    endpoint: String,
    reach: Reach,
    refresh: Arc<Mutex<Option<Secret>>>,
}

#[derive(serde::Deserialize)]
struct Document {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: u64,
}

#[derive(serde::Deserialize)]
struct Delegated {
    delegated_refresh_token: String,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Refusal {
    error_code: String,
    error_message: String,
}

impl ApiKey {
    /// `endpoint` is the whole address that tokens are asked for at; `None` is [`AUTH_ENDPOINT`].
    pub fn new(key: Secret, endpoint: Option<&str>, reach: Reach) -> Result<Self, Error> {
        let endpoint = endpoint.unwrap_or(AUTH_ENDPOINT).to_owned();
        let near = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
        if !endpoint.starts_with("https://") && !near.iter().any(|near| endpoint.starts_with(near)) {
            return Err(Error::invalid("the address of IBM's identity service must begin with https://"));
        }
        Ok(Self { key, endpoint, reach, refresh: Arc::default() })
    }
    /// The same key at the same place: what was learnt about one holds for the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.key == other.key && self.endpoint == other.endpoint
    }

    async fn ask(&self) -> Result<Credentials, Error> {
        let refresh = self.refresh.lock().clone();
        if let Some(token) = refresh {
            let form = [("grant_type", BY_REFRESH_TOKEN), ("refresh_token", token.expose())];
            match self.exchange(&form).await {
                Err(error) if error.kind() == ErrorKind::Credentials => *self.refresh.lock() = None,
                other => return other,
            }
        }
        self.exchange(&[("grant_type", BY_KEY), ("apikey", self.key.expose())]).await
    }
    async fn exchange(&self, form: &[(&str, &str)]) -> Result<Credentials, Error> {
        let document: Document = self.post(form, &[("response_type", "cloud_iam")]).await?;
        *self.refresh.lock() = document.refresh_token.filter(|token| is_token(token)).map(Secret::new);
        let expires = fetch::end_of_life(SystemTime::now(), document.expires_in);
        Ok(Credentials { expires: Some(expires), ..Credentials::bearer(Secret::new(document.access_token)) })
    }

    /// A refresh token that other clients of the identity service may use in our name, for six days (Aspera).
    pub async fn delegated_token(&self, receivers: &[&str]) -> Result<Secret, Error> {
        let receivers = receivers.join(",");
        let kind =
            [("response_type", "delegated_refresh_token"), ("receiver_client_ids", receivers.as_str())];
        let by_key = [("grant_type", BY_KEY), ("apikey", self.key.expose())];
        let delegated: Delegated = self.post(&by_key, &kind).await?;
        Ok(Secret::new(delegated.delegated_refresh_token))
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        form: &[(&str, &str)],
        kind: &[(&str, &str)],
    ) -> Result<T, Error> {
        let body = fetch::form(&[form, kind].concat());
        let answer = fetch::call_patiently(&self.reach, "IBM's identity service", || {
            Ok((Method::POST, self.endpoint.clone(), headers(), body.clone()))
        })
        .await?;
        let wrong = |why: String| Error::new(ErrorKind::Credentials, format!("IBM's identity service {why}"));
        if !answer.status.is_success() {
            let said: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
            let refresh = self.refresh.lock().clone();
            let secrets: Vec<&Secret> = [Some(&self.key), refresh.as_ref()].into_iter().flatten().collect();
            let what = fetch::without(&format!("{} {}", said.error_code, said.error_message), &secrets);
            return Err(wrong(format!("refused: {}: {}", answer.status, what.trim())));
        }
        // The parser's own message could quote a token.
        serde_json::from_slice(&answer.body).map_err(|_| wrong("answered without a token".to_owned()))
    }
}

/// The service writes `not_supported` where it gives none.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token != "not_supported"
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(AUTHORIZATION, HeaderValue::from_static(CLIENT));
    headers
}

impl Source for ApiKey {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.ask())
    }
}

/// The file that IBM's console offers for download.
#[derive(serde::Deserialize)]
pub struct CredentialsFile {
    apikey: Option<String>,
    /// The service instance that new buckets belong to.
    pub resource_instance_id: Option<String>,
    iam_auth_endpoint: Option<String>,
    cos_hmac_keys: Option<HmacKeys>,
}

#[derive(serde::Deserialize)]
struct HmacKeys {
    access_key_id: String,
    secret_access_key: String,
}

/// What a place of IBM's has.
#[derive(Debug)]
pub enum Found {
    /// HMAC keys, which sign like any others.
    Keys(Credentials),
    /// A key to be exchanged for tokens.
    ApiKey(ApiKey),
}

impl CredentialsFile {
    /// `COS_CREDENTIALS_FILE`, which must be there, or `~/.bluemix/cos_credentials`.
    pub fn load(environment: &Environment) -> Result<Option<Self>, Error> {
        let given = environment.get("COS_CREDENTIALS_FILE").map(PathBuf::from);
        let is_given = given.is_some();
        let usual = || environment.home().map(|home| home.join(".bluemix/cos_credentials"));
        let Some(path) = given.or_else(usual) else { return Ok(None) };
        let about = |why: String| Error::invalid(format!("{}: {why}", path.display()));
        match std::fs::read(&path) {
            // The parser's own message could quote a key.
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|_| about("this is no JSON of service credentials".to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_given => Ok(None),
            Err(error) => Err(about(error.to_string())),
        }
    }
    /// HMAC keys before the API key.
    pub fn found(self, environment: &Environment) -> Result<Option<Found>, Error> {
        if let Some(keys) = self.cos_hmac_keys {
            let credentials = Credentials::new(keys.access_key_id, Secret::new(keys.secret_access_key));
            return Ok(Some(Found::Keys(credentials)));
        }
        let Some(key) = self.apikey else { return Ok(None) };
        let endpoint = self.iam_auth_endpoint.as_deref();
        ApiKey::new(Secret::new(key), endpoint, Reach::far(environment)).map(|key| Some(Found::ApiKey(key)))
    }
}

/// `IBM_API_KEY_ID`.
pub fn from_environment(environment: &Environment) -> Result<Option<ApiKey>, Error> {
    let Some(key) = environment.get("IBM_API_KEY_ID") else { return Ok(None) };
    let endpoint = environment.get("IBM_AUTH_ENDPOINT");
    ApiKey::new(Secret::new(key), endpoint, Reach::far(environment)).map(Some)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::s3::credentials::Proof;
    use crate::s3::credentials::tests::{assert_silent, canary};
    use crate::s3::scripted::{Answer, Heard, Server};

    fn key(server: &Server) -> ApiKey {
        let endpoint = format!("http://{}/identity/token", server.address);
        ApiKey::new(canary("key"), Some(&endpoint), Reach::near(Duration::from_secs(2))).expect("near")
    }

    fn identity(number: usize, heard: &Heard) -> Answer {
        let form = String::from_utf8_lossy(&heard.body).into_owned();
        if form.contains("refresh_token=canary-r1&") || form.ends_with("refresh_token=canary-r1") {
            return Answer::new(400, &[], r#"{"errorCode":"BXNIM0408E","errorMessage":"canary-r1 is old"}"#);
        }
        let token = format!(
            r#"{{"access_token":"canary-t{number}","refresh_token":"canary-r{number}","token_type":"Bearer","expires_in":3600,"expiration":1}}"#
        );
        Answer::new(200, &[], token)
    }

    #[tokio::test]
    async fn a_key_is_exchanged_and_the_token_renewed_by_its_refresh_token_or_else_by_the_key() {
        let server = Server::start(identity).await;
        let source = key(&server);
        let expected = [
            "apikey=canary-key&grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&response_type=cloud_iam",
            "grant_type=refresh_token&refresh_token=canary-r0&response_type=cloud_iam",
            "grant_type=refresh_token&refresh_token=canary-r1&response_type=cloud_iam",
            "apikey=canary-key&grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&response_type=cloud_iam",
        ];
        for token in ["canary-t0", "canary-t1", "canary-t3"] {
            let found = source.fetch().await.expect("a token");
            assert_eq!((found.proof, found.secret_key.expose()), (Proof::Bearer, token));
            let left = found.expires.expect("an end").duration_since(SystemTime::now()).expect("later");
            assert!(left > Duration::from_secs(3500));
            assert_silent(&(&source, found));
        }
        let heard = server.heard();
        let bodies: Vec<_> =
            heard.iter().map(|heard| String::from_utf8_lossy(&heard.body).into_owned()).collect();
        assert_eq!(bodies, expected);
        assert_eq!(heard[0].header("authorization"), "Basic Yng6Yng=");
        assert_eq!(heard[0].header("accept"), "application/json");
    }

    #[tokio::test]
    async fn an_unknown_key_is_final_and_a_service_that_is_ill_is_asked_again() {
        let unknown =
            r#"{"errorCode":"BXNIM0415E","errorMessage":"Provided API key canary-key could not be found"}"#;
        let server = Server::answering([Answer::error(500, "x"), Answer::new(400, &[], unknown)]).await;
        let error = key(&server).fetch().await.expect_err("unknown");
        assert_eq!((error.kind(), server.heard().len()), (ErrorKind::Credentials, 2));
        assert!(error.to_string().contains("BXNIM0415E Provided API key [redacted]"), "{error}");
        let server = Server::answering([Answer::new(200, &[], r#"{"access_token":{"canary":1}}"#)]).await;
        assert_silent(&key(&server).fetch().await.expect_err("no token"));
    }

    #[tokio::test]
    async fn a_token_can_be_delegated() {
        let server =
            Server::answering([Answer::new(200, &[], r#"{"delegated_refresh_token":"canary-d"}"#)]).await;
        let token = key(&server).delegated_token(&["one", "two"]).await.expect("a token");
        assert_eq!(token.expose(), "canary-d");
        assert_eq!(
            String::from_utf8_lossy(&server.heard()[0].body),
            "apikey=canary-key&grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&\
             receiver_client_ids=one%2Ctwo&response_type=delegated_refresh_token"
        );
    }

    #[test]
    fn a_key_goes_over_tls_or_to_this_machine() {
        for (endpoint, ok) in [
            (None, true),
            (Some("https://private.iam.cloud.ibm.com/identity/token"), true),
            (Some("http://localhost:8080/token"), true),
            (Some("http://iam.cloud.ibm.com/identity/token"), false),
            (Some("http://localhost.evil.example:80/"), false),
        ] {
            let made = ApiKey::new(canary("k"), endpoint, Reach::far(&Environment::default()));
            assert_eq!(made.is_ok(), ok, "{endpoint:?}");
        }
    }

    #[test]
    fn the_credentials_file_prefers_hmac_keys_and_names_the_instance() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().display().to_string();
        let environment: Environment = [("COS_CREDENTIALS_FILE".to_owned(), path)].into_iter().collect();
        let both = r#"{"apikey":"canary-k","cos_hmac_keys":{"access_key_id":"AK","secret_access_key":"canary-s"},
                      "resource_instance_id":"crn:v1:x::","iam_serviceid_crn":"crn"}"#;
        std::fs::write(file.path(), both).expect("written");
        let loaded = CredentialsFile::load(&environment).expect("read").expect("there");
        assert_eq!(loaded.resource_instance_id.as_deref(), Some("crn:v1:x::"));
        let found = loaded.found(&environment).expect("good").expect("some");
        assert!(matches!(&found, Found::Keys(keys) if keys.access_key == "AK"), "{found:?}");
        assert_silent(&found);
        std::fs::write(file.path(), r#"{"apikey":"canary-k"}"#).expect("written");
        let found = CredentialsFile::load(&environment).expect("read").expect("there").found(&environment);
        assert!(matches!(found, Ok(Some(Found::ApiKey(_)))), "{found:?}");
        std::fs::write(file.path(), "canary").expect("written");
        assert_silent(&CredentialsFile::load(&environment).err().expect("no JSON"));
        file.close().expect("removed");
        assert!(CredentialsFile::load(&environment).is_err(), "named, but not there");
        assert!(CredentialsFile::load(&Environment::default()).expect("nothing").is_none());
    }
}
