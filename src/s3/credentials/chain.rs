//! The standard places, one after the other.

use parking_lot::Mutex;

use super::container::Container;
use super::environment::{self, Environment};
use super::ibm::{self, ApiKey, CredentialsFile};
use super::instance::Instance;
use super::profile::Profiles;
use super::way::{self, Way};
use super::{Credentials, Fetching, Source, legacy, minio};
use crate::s3::{Error, ErrorKind};

/// The first place that answers is kept to from then on.
pub struct Chain {
    environment: Environment,
    /// Named by whom we serve: no other place is looked at.
    profile: Option<String>,
    kept: Mutex<Option<Place>>,
    /// With what it learnt to renew its token.
    api_key: Mutex<Option<ApiKey>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Keys of AWS's names, then MinIO's, then IBM's.
    Environment,
    /// A token in a file that the environment names; a role in the profile goes first.
    WebIdentity,
    Profile,
    /// Files of tools that came before the profile files.
    Legacy,
    /// An alias of MinIO's client.
    MinioAlias,
    /// The credentials file of IBM's console.
    IbmFile,
    Container,
    Instance,
}

const ORDER: [Place; 8] = [
    Place::Environment,
    Place::WebIdentity,
    Place::Profile,
    Place::Legacy,
    Place::MinioAlias,
    Place::IbmFile,
    Place::Container,
    Place::Instance,
];

impl Chain {
    /// Looks in `environment` and in the files that it names; `profile` switches all places but that profile off.
    pub fn new(environment: Environment, profile: Option<&str>) -> Self {
        Self {
            environment,
            profile: profile.map(str::to_owned),
            kept: Mutex::new(None),
            api_key: Mutex::new(None),
        }
    }

    /// `None` where that place has nothing to say; an error where it should have keys and has not.
    async fn ask(&self, place: Place) -> Result<Option<Credentials>, Error> {
        let environment = &self.environment;
        match place {
            Place::Profile => self.go(self.way()?).await,
            // A profile by name is an order, not a hint.
            _ if self.profile.is_some() => Ok(None),
            Place::Environment => match environment::credentials(environment)? {
                Some(found) => Ok(Some(found)),
                None => self.go(ibm::from_environment(environment)?.map(Way::ApiKey)).await,
            },
            Place::WebIdentity => self.go(self.way_by_environment()?).await,
            Place::Legacy => legacy::credentials(environment),
            Place::MinioAlias => Ok(minio::alias(environment)?.and_then(|alias| alias.credentials)),
            Place::IbmFile => {
                let found = match CredentialsFile::load(environment)? {
                    Some(file) => file.found(environment)?,
                    None => None,
                };
                self.go(found.map(|found| match found {
                    ibm::Found::Keys(keys) => Way::Keys(keys),
                    ibm::Found::ApiKey(key) => Way::ApiKey(key),
                }))
                .await
            }
            Place::Container => match Container::from_environment(environment)? {
                Some(container) => container.fetch().await.map(Some),
                None => Ok(None),
            },
            Place::Instance => match Instance::from_environment(environment) {
                Some(instance) => instance.fetch().await,
                None => Ok(None),
            },
        }
    }
    fn way(&self) -> Result<Option<Way>, Error> {
        let profiles = Profiles::load(&self.environment)?;
        match profiles.meant(&self.environment, self.profile.as_deref())? {
            Some(name) => way::of(&profiles, &self.environment, &name),
            None => Ok(None),
        }
    }
    fn way_by_environment(&self) -> Result<Option<Way>, Error> {
        let profiles = Profiles::load(&self.environment)?;
        let name = profiles.meant(&self.environment, None)?.unwrap_or_default();
        match way::by_environment(&profiles, &self.environment, &name)? {
            Some(_) if self.way()?.is_some_and(|way| way.is_role()) => Ok(None),
            found => Ok(found),
        }
    }
    async fn go(&self, way: Option<Way>) -> Result<Option<Credentials>, Error> {
        let way = match way {
            None => return Ok(None),
            Some(Way::ApiKey(key)) => Way::ApiKey(self.same(key)),
            Some(way) => way,
        };
        way.fetch(&self.environment).await.map(Some)
    }
    /// The key that was used last, if this is the same.
    fn same(&self, key: ApiKey) -> ApiKey {
        let mut latest = self.api_key.lock();
        match &*latest {
            Some(latest) if latest.is_same(&key) => latest.clone(),
            _ => latest.insert(key).clone(),
        }
    }

    async fn find(&self) -> Result<Credentials, Error> {
        let kept = *self.kept.lock();
        for place in kept.into_iter().chain(ORDER.into_iter().filter(|place| Some(*place) != kept)) {
            if let Some(found) = self.ask(place).await? {
                *self.kept.lock() = Some(place);
                return Ok(found);
            }
        }
        Err(self.nothing_found())
    }
    fn nothing_found(&self) -> Error {
        let message = match &self.profile {
            Some(profile) => {
                format!("the profile {profile:?} in ~/.aws/credentials and ~/.aws/config says nothing of keys")
            }
            None => "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile, or \
                     ask for anonymous access. Looked at: environment, profile files, files of boto, mc and IBM, \
                     container, instance metadata"
                .to_owned(),
        };
        Error::new(ErrorKind::NoCredentials, message)
    }
}

impl Source for Chain {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.find())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::credentials::Proof;
    use crate::s3::credentials::tests::assert_silent;
    use crate::s3::scripted::{Answer, Heard, Server};

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let off = [("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nowhere")];
        off.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    async fn find(environment: Environment, profile: Option<&str>) -> Result<String, ErrorKind> {
        let found = Chain::new(environment, profile).fetch().await;
        found.map(|found| found.access_key).map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn places_are_asked_in_order_and_a_named_profile_beats_the_environment() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "[default]\naws_access_key_id = D\naws_secret_access_key = s\n[work]\naws_access_key_id = W\n\
                    aws_secret_access_key = s\n";
        std::fs::write(file.path(), text).expect("written");
        let path = file.path().display().to_string();
        let files = ("AWS_SHARED_CREDENTIALS_FILE", path.as_str());
        let keys = [("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert_eq!(find(environment(&[files, keys[0], keys[1]]), None).await.as_deref(), Ok("E"));
        assert_eq!(find(environment(&[files, keys[0], keys[1]]), Some("work")).await.as_deref(), Ok("W"));
        assert_eq!(find(environment(&[files]), None).await.as_deref(), Ok("D"));
        assert_eq!(find(environment(&[files, ("AWS_PROFILE", "work")]), None).await.as_deref(), Ok("W"));
        assert_eq!(find(environment(&[files]), Some("gone")).await, Err(ErrorKind::NoCredentials));
        assert_eq!(
            find(environment(&[files, ("AWS_PROFILE", "gone")]), None).await,
            Err(ErrorKind::NoCredentials)
        );
        assert_eq!(find(environment(&[]), None).await, Err(ErrorKind::NoCredentials));
    }

    /// A home with everything in it, and a server that is every service.
    struct World {
        home: tempfile::TempDir,
        server: Server,
    }

    const TOKEN: &str = "canary-jwt";

    fn every_service(_: usize, heard: &Heard) -> Answer {
        let form = String::from_utf8_lossy(&heard.body).into_owned();
        let sts = |action: &str, key: &str| {
            Answer::new(
                200,
                &[],
                format!(
                    "<{action}Response><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>\
                     canary-s</SecretAccessKey><SessionToken>canary-t</SessionToken><Expiration>2099-01-01T00:00:00Z\
                     </Expiration></Credentials></{action}Result></{action}Response>"
                ),
            )
        };
        if heard.target.starts_with("/container") {
            return Answer::new(200, &[], r#"{"AccessKeyId":"CONTAINER","SecretAccessKey":"canary-s"}"#);
        }
        if form.contains("grant-type%3Aapikey") {
            return Answer::new(200, &[], r#"{"access_token":"canary-bearer","expires_in":3600}"#);
        }
        if form.contains("Action=AssumeRoleWithWebIdentity") {
            assert!(
                form.contains(&format!("WebIdentityToken={TOKEN}"))
                    && heard.header("authorization").is_empty()
            );
            return sts("AssumeRoleWithWebIdentity", "WEB");
        }
        let role = form.split('&').find_map(|pair| pair.strip_prefix("RoleArn=arn%3A")).unwrap_or_default();
        let signed_by = heard.header("authorization");
        let by =
            signed_by.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        sts("AssumeRole", &format!("{role}<!-- -->-by-{by}"))
    }

    impl World {
        async fn new() -> Self {
            let home = tempfile::tempdir().expect("a folder");
            let write = |path: &str, text: &str| {
                let path = home.path().join(path);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                std::fs::write(path, text).expect("written");
            };
            write("token", TOKEN);
            write("boto", "[Credentials]\naws_access_key_id = BOTO\naws_secret_access_key = canary-s\n");
            let mc = r#"{"aliases":{"s3":{"url":"http://h","accessKey":"MC","secretKey":"canary-s"}}}"#;
            write(".mc/config.json", mc);
            write("ibm", r#"{"cos_hmac_keys":{"access_key_id":"IBM","secret_access_key":"canary-s"}}"#);
            write(
                ".aws/config",
                "[profile keys]\naws_access_key_id = P\naws_secret_access_key = canary-s\n\
                 [profile role]\nrole_arn = arn:one\nsource_profile = keys\n\
                 [profile twice]\nrole_arn = arn:two\nsource_profile = role\n\
                 [profile env]\nrole_arn = arn:three\ncredential_source = Environment\n",
            );
            Self { home, server: Server::start(every_service).await }
        }
        async fn find(&self, pairs: &[(&str, &str)], profile: Option<&str>) -> Result<String, ErrorKind> {
            let home = self.home.path().display().to_string();
            let pairs = pairs.iter().map(|(name, value)| {
                let value = match value.strip_prefix("~/") {
                    Some(rest) => format!("{home}/{rest}"),
                    None => value.replace("SERVER", &format!("http://{}", self.server.address)),
                };
                ((*name).to_owned(), value)
            });
            let home = [("HOME", home.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
            let base = home.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let all = base.into_iter().chain(pairs).collect();
            let found = Chain::new(all, profile).fetch().await;
            assert_silent(&found);
            found
                .map(|found| match found.proof {
                    Proof::Bearer => found.secret_key.expose().to_owned(),
                    Proof::Signature | Proof::Session => found.access_key,
                })
                .map_err(|error| error.kind())
        }
    }

    #[tokio::test]
    async fn every_place_has_its_turn() {
        let world = World::new().await;
        let keys = [("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let ibm_key = [("IBM_API_KEY_ID", "canary-k"), ("IBM_AUTH_ENDPOINT", "SERVER/identity/token")];
        let web = [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "~/token"),
            ("AWS_ROLE_ARN", "arn:web"),
            ("AWS_ENDPOINT_URL_STS", "SERVER"),
        ];
        let profile = ("AWS_PROFILE", "keys");
        let boto = ("BOTO_CONFIG", "~/boto");
        let container = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "SERVER/container");
        let (no_mc, ibm) = (("MC_CONFIG_DIR", "/nowhere"), ("COS_CREDENTIALS_FILE", "~/ibm"));
        let all = [&keys[..], &ibm_key, &web, &[profile, boto, container, no_mc, ibm]].concat();
        // From the first place to the last, each time without the one that answered before.
        let mut without = 0;
        for (drop, expected) in [(0, "E"), (2, "canary-bearer"), (2, "WEB"), (3, "P"), (1, "BOTO")] {
            without += drop;
            assert_eq!(
                world.find(&all[without..], None).await.as_deref(),
                Ok(expected),
                "{:?}",
                &all[without..]
            );
        }
        assert_eq!(world.find(&[container, ibm], None).await.as_deref(), Ok("MC"));
        assert_eq!(world.find(&[container, ibm, no_mc], None).await.as_deref(), Ok("IBM"));
        assert_eq!(world.find(&[container, no_mc], None).await.as_deref(), Ok("CONTAINER"));
        assert_eq!(world.find(&all, Some("keys")).await.as_deref(), Ok("P"), "named: nothing else is asked");
    }

    #[tokio::test]
    async fn roles_are_chained_and_a_role_of_the_profile_goes_before_a_web_identity() {
        let world = World::new().await;
        let sts = ("AWS_ENDPOINT_URL_STS", "SERVER");
        assert_eq!(world.find(&[sts], Some("twice")).await.as_deref(), Ok("two-by-one-by-P"));
        let web = [sts, ("AWS_WEB_IDENTITY_TOKEN_FILE", "~/token"), ("AWS_ROLE_ARN", "arn:web")];
        assert_eq!(world.find(&web, None).await.as_deref(), Ok("WEB"));
        let both = [&web[..], &[("AWS_PROFILE", "role")]].concat();
        assert_eq!(world.find(&both, None).await.as_deref(), Ok("one-by-P"));
        let keys = [sts, ("MINIO_ROOT_USER", "M"), ("MINIO_ROOT_PASSWORD", "canary-s")];
        assert_eq!(world.find(&keys, Some("env")).await.as_deref(), Ok("three-by-M"));
        assert_eq!(world.find(&[sts], Some("env")).await, Err(ErrorKind::NoCredentials));
    }

    #[tokio::test]
    async fn the_place_that_answered_is_kept_to() {
        let world = World::new().await;
        let home = world.home.path().display().to_string();
        let environment = environment(&[("HOME", &home), ("BOTO_CONFIG", "/nowhere")]);
        let chain = Chain::new(environment, None);
        *chain.kept.lock() = Some(Place::MinioAlias);
        assert_eq!(chain.fetch().await.expect("keys").access_key, "MC", "boto's file is not even looked for");
    }
}
