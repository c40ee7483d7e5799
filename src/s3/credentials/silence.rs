//! No secret shows itself: every provider, against services that answer well, badly, and by repeating all they heard;
//! in what is returned (`Debug` and `Display`) and in everything that is logged meanwhile.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span;

use super::container::Container;
use super::federated::{Federated, Grant, Token, TokenSource};
use super::fetch::Reach;
use super::ibm::ApiKey;
use super::instance::Instance;
use super::login::Login;
use super::process::Process;
use super::role::{AssumeRole, Mfa};
use super::sso::Sso;
use super::sts::{Role, Service};
use super::tests::canary;
use super::{Chain, Credentials, Environment, Fetching, Provider, Source};
use crate::base::clock::Clock;
use crate::base::digest;
use crate::base::secret::Secret;
use crate::s3::scripted::{Answer, Heard, Server};

/// Writes down every event, whatever its level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = writeln!(self.0.lock(), "{field}={value:?}");
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut self.clone());
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// How a service answers.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// With keys that are secret.
    Good,
    /// With keys, but torn.
    Torn,
    /// With keys in words that no parser expects.
    Nonsense,
    /// With a refusal that repeats the request.
    Echo(u16),
    Silent,
}

const MOODS: [Mood; 7] =
    [Mood::Good, Mood::Torn, Mood::Nonsense, Mood::Echo(400), Mood::Echo(403), Mood::Echo(500), Mood::Silent];

const KEYS: &str = r#""AccessKeyId":"AK","SecretAccessKey":"canary-1","Token":"canary-2","Expiration":"2099-01-02T03:04:05Z""#;
const LOGIN: &str = r#""accessKeyId":"AK","secretAccessKey":"canary-3","sessionToken":"canary-4""#;

/// What every service of ours would say at this address.
fn good(heard: &Heard) -> String {
    let form = String::from_utf8_lossy(&heard.body).into_owned();
    if let Some(action) = form.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        return format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>AK</AccessKeyId><SecretAccessKey>canary-5\
             </SecretAccessKey><SessionToken>canary-6</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
             </Credentials></{action}Result></{action}Response>"
        );
    }
    match heard.target.as_str() {
        "/latest/api/token" => "canary-metadata".to_owned(),
        "/latest/meta-data/iam/security-credentials/" => "role".to_owned(),
        "/token" => r#"{"accessToken":"canary-7","expiresIn":900,"refreshToken":"canary-8"}"#.to_owned(),
        "/v1/token" => format!(r#"{{"accessToken":{{{LOGIN}}},"expiresIn":900,"refreshToken":"canary-9"}}"#),
        "/identity" => {
            r#"{"access_token":"canary-10","refresh_token":"canary-11","expires_in":3600}"#.to_owned()
        }
        target if target.starts_with("/federation") => {
            format!(r#"{{"roleCredentials":{{{LOGIN},"expiration":4070908800000}}}}"#)
        }
        _ => format!("{{\"Code\":\"Success\",{KEYS}}}"),
    }
}

fn answer(mood: Mood, heard: &Heard) -> Answer {
    match mood {
        Mood::Good => Answer::new(200, &[], good(heard)),
        Mood::Torn => {
            let text = good(heard);
            Answer::new(200, &[], &text[..text.len() * 2 / 3])
        }
        Mood::Nonsense => Answer::new(200, &[], "canary-12 \u{1b}[2J <!DOCTYPE canary>"),
        Mood::Echo(status) => {
            let all = format!("{:?} {}", heard.headers, String::from_utf8_lossy(&heard.body));
            let document = match heard.target.as_str() {
                "/identity" => {
                    serde_json::json!({ "errorCode": "canary-not", "errorMessage": all }).to_string()
                }
                _ => {
                    let escaped = all.replace('&', "&amp;").replace('<', "&lt;");
                    format!(
                        "<ErrorResponse><Error><Code>X</Code><Message>{escaped}</Message></Error></ErrorResponse>"
                    )
                }
            };
            Answer::new(status, &[], document.replace("canary-not", "X"))
        }
        Mood::Silent => Answer::nothing(),
    }
}

/// Every provider that asks a service at `base`, with its files in `home`.
fn providers(base: &str, home: &Path) -> Vec<(&'static str, Provider)> {
    let reach = Reach::near(Duration::from_millis(500));
    let service = || Service::at(base).expect("good").with_reach(reach.clone());
    let token: Arc<dyn TokenSource> = Arc::new(|| Ok(Token { text: canary("t+/="), expires_in: None }));
    let keys = Credentials {
        session_token: Some(canary("session")),
        ..Credentials::new("AKIA", canary("long-lived"))
    };
    let role = Role { arn: Some("arn:r".into()), ..Role::default() };
    let federated = |grant| of(Federated { service: service(), role: role.clone(), grant });
    let mfa = Some(Mfa { device: "d".into(), code: canary("123") });
    let sso = Sso {
        session: Some("s".into()),
        start_url: "https://u".into(),
        account_id: "1".into(),
        role_name: "r".into(),
        portal: base.to_owned(),
        oidc: base.to_owned(),
        cache: home.to_owned(),
        reach: reach.clone(),
    };
    let login = Login {
        session: "l".into(),
        cache: home.to_owned(),
        endpoint: Some(base.to_owned()),
        region: None,
        reach: reach.clone(),
    };
    let variables = |pairs: &[(&str, String)]| -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let container = variables(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{base}/canary-path")),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-container".into()),
    ]);
    let instance = variables(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", base.to_owned())]);
    let chain = variables(&[("HOME", home.display().to_string()), ("AWS_ENDPOINT_URL_STS", base.to_owned())]);
    let key = ApiKey::new(canary("key"), Some(&format!("{base}/identity")), reach.clone()).expect("near");
    let ldap = Grant::Ldap { user: "u".into(), password: canary("p&<"), revoke_type: None };
    let command = r#"echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"canary-13"}'"#;
    let container = Container::from_environment(&container).expect("near").expect("on");
    let instance = Instance::from_environment(&instance).expect("on");
    vec![
        ("role", of(AssumeRole { service: service(), keys: Provider::fixed(keys), role: role.clone(), mfa })),
        ("web identity", federated(Grant::WebIdentity(token.clone()))),
        ("client grants", federated(Grant::ClientGrants(token.clone()))),
        ("custom token", federated(Grant::CustomToken(token))),
        ("ldap", federated(ldap)),
        ("single sign-on", of(sso)),
        ("login session", of(login)),
        ("api key", of(key)),
        ("container", of(Asking::Container(container))),
        ("instance", of(Asking::Instance(instance))),
        ("command", of(Process::new(command).expect("a line"))),
        ("failing command", of(Process::new("false canary-14").expect("a line"))),
        ("chain", of(Chain::new(chain, Some("role")))),
    ]
}

fn of(source: impl Source + 'static) -> Provider {
    Provider::from_source(source, Clock::system())
}

/// Those that are no `Source` by themselves.
enum Asking {
    Container(Container),
    Instance(Instance),
}

impl Source for Asking {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            match self {
                Self::Container(container) => container.fetch().await,
                Self::Instance(instance) => {
                    Ok(instance.fetch().await?.unwrap_or_else(|| Credentials::new("none", Secret::new(""))))
                }
            }
        })
    }
}

fn furnish(home: &Path) {
    let write = |name: &str, text: String| std::fs::write(home.join(name), text).expect("written");
    let name = |digest: &[u8]| format!("{}.json", digest::hex(digest));
    let session = r#"{"accessToken":"canary-15","expiresAt":"2000-01-01T00:00:00Z","clientId":"c",
                      "clientSecret":"canary-16","refreshToken":"canary-17"}"#;
    write(&name(&digest::sha1(b"s")), session.to_owned());
    let login = serde_json::json!({
        "accessToken": {"accessKeyId": "OLD", "secretAccessKey": "canary-18", "sessionToken": "canary-19",
                        "expiresAt": "2000-01-01T00:00:00Z"},
        "clientId": "c", "refreshToken": "canary-20",
        "dpopKey": rcgen::KeyPair::generate().expect("a key").serialize_pem(),
    });
    write(&name(&digest::sha256(b"l")), login.to_string());
    std::fs::create_dir_all(home.join(".aws")).expect("made");
    let config = "[profile role]\nrole_arn = arn:r\nsource_profile = keys\n[profile keys]\naws_access_key_id = AK\n\
                  aws_secret_access_key = canary-21\naws_session_token = canary-22\n";
    write(".aws/config", config.to_owned());
}

#[tokio::test]
async fn no_provider_shows_a_secret_whatever_its_service_says() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    for mood in MOODS {
        let server = Server::start(move |_, heard| answer(mood, heard)).await;
        let home = tempfile::tempdir().expect("a folder");
        furnish(home.path());
        let base = format!("http://{}", server.address);
        let asked = providers(&base, home.path()).into_iter().map(|(name, provider)| async move {
            let found = provider.credentials().await;
            let told = found.as_ref().err().map(ToString::to_string);
            let shown = format!("{provider:?} {found:?} {found:#?} {told:?}");
            assert!(!shown.contains("canary"), "{name}, {mood:?}: {shown}");
            assert!(
                found.is_ok() || !matches!(mood, Mood::Good) || name == "failing command",
                "{name}: {shown}"
            );
        });
        futures_util::future::join_all(asked).await;
    }
    tracing::trace!("the end");
    let log = log.0.lock();
    assert!(log.contains("the end"), "what is logged is heard");
    assert!(!log.contains("canary"), "{log}");
}
