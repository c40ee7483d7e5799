//! Single sign-on from end to end, at services of one's own: a token that is renewed, the keys of a role, another role
//! that is taken on with them, and an object.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::tests::assert_silent;
use super::{Chain, Credentials, Environment, Provider, Source};
use crate::base::digest;
use crate::base::timestamp;
use crate::s3::ops::GetObject;
use crate::s3::scripted::{Answer, Heard, Server};
use crate::s3::{Client, Config, Error};

/// A home with profiles, and the services of AWS's that they need.
struct World {
    home: tempfile::TempDir,
    oidc: Server,
    portal: Server,
    sts: Server,
}

/// Takes `canary-r1` for a new token.
fn oidc(_: usize, heard: &Heard) -> Answer {
    let asked: Value = serde_json::from_slice(&heard.body).unwrap_or_default();
    let good = heard.target == "/token" && heard.method == "POST" && asked["grantType"] == "refresh_token";
    match (good, asked["refreshToken"].as_str()) {
        (true, Some("canary-r1")) => {
            let token =
                json!({ "accessToken": "canary-new", "expiresIn": 3600, "refreshToken": "canary-r2" });
            Answer::new(200, &[], token.to_string())
        }
        _ => Answer::new(400, &[], json!({ "error": "invalid_grant" }).to_string()),
    }
}

/// Knows the new token only.
fn portal(_: usize, heard: &Heard) -> Answer {
    match heard.header("x-amz-sso_bearer_token") {
        "canary-new"
            if heard.target == "/federation/credentials?role_name=Reader&account_id=111122223333" =>
        {
            let keys = json!({ "accessKeyId": "SSO", "secretAccessKey": "canary-s", "sessionToken": "canary-t1",
                "expiration": 4_070_908_800_000_u64 });
            Answer::new(200, &[], json!({ "roleCredentials": keys }).to_string())
        }
        _ => Answer::new(401, &[], json!({ "__type": "UnauthorizedException" }).to_string()),
    }
}

/// Gives a role to whoever comes with the keys of single sign-on.
fn sts(_: usize, heard: &Heard) -> Answer {
    let by_sso = heard.header("authorization").contains("Credential=SSO/");
    match by_sso && heard.header("x-amz-security-token") == "canary-t1" {
        true => Answer::document(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>\
             canary-s</SecretAccessKey><SessionToken>canary-t2</SessionToken><Expiration>2099-01-01T00:00:00Z\
             </Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
        ),
        false => {
            Answer::new(403, &[], "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
        }
    }
}

impl World {
    async fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let (oidc, portal, sts) =
            (Server::start(oidc).await, Server::start(portal).await, Server::start(sts).await);
        let config = format!(
            "[sso-session my-sso]\nsso_region = eu-west-1\nsso_start_url = https://d-1.awsapps.com/start\n\
             [profile bare]\nsso_session = my-sso\nsso_account_id = 111122223333\nsso_role_name = Reader\n\
             [profile placed]\nsso_session = my-sso\nsso_account_id = 111122223333\nsso_role_name = Reader\n\
             services = near\n\
             [profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = bare\nservices = near\n\
             [services near]\nsso =\n  endpoint_url = http://{}\nsso_oidc =\n  endpoint_url = http://{}\n\
             sts =\n  endpoint_url = http://{}\n",
            portal.address, oidc.address, sts.address
        );
        std::fs::create_dir_all(home.path().join(".aws/sso/cache")).expect("made");
        std::fs::write(home.path().join(".aws/config"), config).expect("written");
        Self { home, oidc, portal, sts }
    }
    fn cache(&self) -> PathBuf {
        let name = digest::hex(&digest::sha1(b"my-sso"));
        self.home.path().join(".aws/sso/cache").join(name + ".json")
    }
    /// A token that ended an hour ago.
    fn keep_ended(&self, refresh_token: Option<&str>) {
        let at = |time| timestamp::rfc3339(time);
        let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
        let mut token = json!({ "accessToken": "canary-old", "expiresAt": at(now - hour) });
        if let Some(refresh_token) = refresh_token {
            token["refreshToken"] = refresh_token.into();
            token["clientId"] = "id".into();
            token["clientSecret"] = "canary-cs".into();
            token["registrationExpiresAt"] = at(now + hour).into();
        }
        std::fs::write(self.cache(), token.to_string()).expect("written");
    }
    /// The services by variables.
    fn named(&self) -> Vec<(&'static str, String)> {
        let at = |server: &Server| format!("http://{}", server.address);
        vec![("AWS_ENDPOINT_URL_SSO", at(&self.portal)), ("AWS_ENDPOINT_URL_SSO_OIDC", at(&self.oidc))]
    }
    fn environment(&self, more: &[(&'static str, String)]) -> Environment {
        let home = ("HOME", self.home.path().display().to_string());
        let off = ("AWS_EC2_METADATA_DISABLED", "true".to_owned());
        let all = more.iter().cloned().chain([home, off]);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
    async fn find(&self, more: &[(&'static str, String)], profile: &str) -> Result<Credentials, Error> {
        let found = Chain::new(self.environment(more), Some(profile)).fetch().await;
        assert_silent(&found);
        found
    }
    /// Requests that each of the services has heard.
    fn heard(&self) -> [usize; 3] {
        [&self.oidc, &self.portal, &self.sts].map(|server| server.heard().len())
    }
}

#[tokio::test]
async fn a_token_is_renewed_and_a_role_s_keys_are_fetched_where_variables_or_the_profile_say() {
    for profile in ["bare", "placed"] {
        let world = World::new().await;
        world.keep_ended(Some("canary-r1"));
        let variables = if profile == "bare" { world.named() } else { Vec::new() };
        let found = world.find(&variables, profile).await.expect("keys");
        assert_eq!((found.access_key.as_str(), found.secret_key.expose()), ("SSO", "canary-s"));
        assert_eq!(found.expires, timestamp::parse_rfc3339("2099-01-01T00:00:00Z"));
        assert_eq!(world.heard(), [1, 1, 0], "{profile}");
        let kept: Value = serde_json::from_slice(&std::fs::read(world.cache()).expect("kept")).expect("JSON");
        assert_eq!(
            (&kept["accessToken"], &kept["refreshToken"]),
            (&json!("canary-new"), &json!("canary-r2"))
        );
        world.find(&variables, profile).await.expect("keys");
        assert_eq!(world.heard(), [1, 2, 0], "{profile}: not renewed again");
    }
}

#[tokio::test]
async fn a_role_is_taken_on_with_keys_of_single_sign_on_and_an_object_is_read_with_it() {
    let world = World::new().await;
    world.keep_ended(Some("canary-r1"));
    let store = Server::answering([Answer::object("hello")]).await;
    let credentials = Provider::standard_in(world.environment(&[]), Some("role"));
    let client = Client::new(Config { credentials, ..store.config() }).expect("a client");
    let get = GetObject { bucket: "bucket".into(), key: "key".into(), ..GetObject::default() };
    for _ in 0..2 {
        let body = client.send(&get).await.expect("read").body.collect(1 << 10).await.expect("read");
        assert_eq!(body, "hello");
    }
    assert_eq!(world.heard(), [1, 1, 1], "once for all requests");
    for heard in store.heard() {
        assert!(heard.header("authorization").contains("Credential=ROLE/"), "{heard:?}");
        assert_eq!(heard.header("x-amz-security-token"), "canary-t2");
    }
}

#[tokio::test]
async fn a_token_that_has_ended_says_what_to_do() {
    let world = World::new().await;
    for (refresh_token, why, heard) in
        [(None, "has ended", [0, 0, 0]), (Some("canary-withdrawn"), "cannot be renewed", [1, 0, 0])]
    {
        world.keep_ended(refresh_token);
        for profile in ["placed", "role"] {
            let error = world.find(&[], profile).await.expect_err("no keys").to_string();
            assert!(
                error.contains(why) && error.contains("run `aws sso login --sso-session my-sso`"),
                "{error}"
            );
        }
        assert_eq!(world.heard(), heard.map(|once| 2 * once), "{why}");
    }
    let refused = json!({ "accessToken": "canary-withdrawn", "expiresAt": "2099-01-01T00:00:00Z" });
    std::fs::write(world.cache(), refused.to_string()).expect("written");
    let error = world.find(&world.named(), "bare").await.expect_err("no keys").to_string();
    assert!(error.contains("is no longer accepted: run `aws sso login --sso-session my-sso`"), "{error}");
}
