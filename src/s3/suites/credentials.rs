//! Which keys botocore finds in an environment, in files and at services, and where it finds a fault.
//!
//! Not among them: when keys are renewed, which the tests of `credentials` count by themselves. There botocore gives no
//! more keys once their last minutes have begun and the renewal fails; here those that still live go on.

use std::collections::BTreeMap;

use crate::s3::credentials::Environment;
use crate::s3::scripted::{Answer, Heard, Server};
use crate::s3::{Error, Provider};

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// `~/` is the home directory, `SERVER` the service.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// In the home directory.
    #[serde(default)]
    files: BTreeMap<String, String>,
    profile: Option<String>,
    #[serde(default)]
    service: Service,
    /// Of each request: fields of its form, headers, `target`, and by whose keys it was signed.
    asked: Option<Vec<BTreeMap<String, String>>>,
    /// Access key, secret key and token; with none and no fault nothing is found.
    #[serde(default)]
    found: Vec<String>,
    #[serde(default)]
    fails: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Service {
    #[default]
    None,
    Sts,
    Sso,
    Container,
    /// Says 401 to everything.
    Broken,
}

/// What is otherwise here, with the reason. All others agree, and these do not.
const OTHERWISE: &[(&str, &str)] = &[
    ("boto/half", "what files of old tools have is looked for, and passed over where it is not whole"),
    ("roles/with a duration that is none", "a setting that cannot be understood is a fault, not a default"),
];

impl Service {
    fn answer(self, heard: &Heard) -> Answer {
        match self {
            Self::Sts => {
                let action = fact(heard, "Action");
                Answer::document(&format!(
                    "<{action}Response><{action}Result><Credentials><AccessKeyId>foo</AccessKeyId><SecretAccessKey>bar\
                     </SecretAccessKey><SessionToken>baz</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
                     </Credentials></{action}Result></{action}Response>"
                ))
            }
            Self::Sso => Answer::new(
                200,
                &[],
                r#"{"roleCredentials":{"accessKeyId":"foo","secretAccessKey":"bar","sessionToken":"baz","expiration":4102444800000}}"#,
            ),
            Self::Container => Answer::new(
                200,
                &[],
                r#"{"AccessKeyId":"access_key","SecretAccessKey":"secret_key","Token":"token","Expiration":"2999-01-01T00:00:00Z"}"#,
            ),
            Self::None | Self::Broken => Answer::new(401, &[], ""),
        }
    }
}

/// One fact of a request.
fn fact(heard: &Heard, name: &str) -> String {
    let form = String::from_utf8_lossy(&heard.body).into_owned();
    let field = || form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    match name {
        "target" => heard.target.clone(),
        "by" => {
            let signed = heard.header("authorization").split("Credential=").nth(1);
            signed.and_then(|scope| scope.split('/').next()).unwrap_or_default().to_owned()
        }
        _ if name.starts_with(char::is_uppercase) => {
            let value = field().unwrap_or_default();
            percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned()
        }
        _ => heard.header(name).to_owned(),
    }
}

async fn find(case: &Case, home: &std::path::Path, server: &Server) -> Result<Vec<String>, Error> {
    let (home, url) = (home.display().to_string(), format!("http://{}", server.address));
    let placed = |text: &str| text.replace("~/", &format!("{home}/")).replace("SERVER", &url);
    for (name, text) in &case.files {
        let path = std::path::Path::new(&home).join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, placed(text)).expect("written");
    }
    let own = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO"].map(|name| (name.to_owned(), url.clone()));
    let quiet = [("HOME", home.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
    let quiet = quiet.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let given = case.environment.iter().map(|(name, value)| (name.clone(), placed(value)));
    let environment: Environment = own.into_iter().chain(quiet).chain(given).collect();
    let keys = Provider::standard_in(environment, case.profile.as_deref()).credentials().await?;
    let keys = keys.expect("not anonymous");
    let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
    Ok([keys.access_key.clone(), keys.secret_key.expose().to_owned()].into_iter().chain(token).collect())
}

async fn differs(case: &Case) -> super::Found {
    let home = tempfile::tempdir().expect("a folder");
    let service = case.service;
    let server = Server::start(move |_, heard| service.answer(heard)).await;
    let found = find(case, home.path(), &server).await;
    let nothing = ["no credentials were found", "says nothing of keys"];
    let agrees = match &found {
        Ok(keys) => *keys == case.found,
        Err(error) => {
            let is_nothing = nothing.iter().any(|part| error.to_string().contains(part));
            case.found.is_empty() && case.fails != is_nothing
        }
    };
    if !agrees {
        return Err(format!("{found:?}"));
    }
    let heard = server.heard();
    let Some(asked) = &case.asked else { return Ok(()) };
    let same = |(asked, heard): (&BTreeMap<String, String>, &Heard)| {
        asked.iter().all(|(name, value)| fact(heard, name) == *value)
    };
    let agrees = asked.len() == heard.len() && asked.iter().zip(&heard).all(same);
    if agrees { Ok(()) } else { Err(format!("asked {heard:?}")) }
}

#[tokio::test]
async fn keys_are_found_where_botocore_finds_them() {
    let text = include_str!("../../../tests/fixtures/aws/credentials.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the fixture");
    assert_eq!(cases.len(), 69);
    let found = futures_util::future::join_all(cases.iter().map(differs)).await;
    super::compare(cases.iter().map(|case| case.name.as_str()).zip(found), OTHERWISE);
}
