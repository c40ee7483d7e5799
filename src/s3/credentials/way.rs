//! How a profile gets its keys.
//!
//! [`of`] reads it from the properties, source profiles included, and asks nobody: a loop, a missing half or a code
//! that only people have is found before anything is sent. [`Way::fetch`] then goes the way. In one profile a role
//! goes before a web identity, then single sign-on, keys of the credentials file, a login session, a command, keys of
//! the config file.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::container::Container;
use super::environment;
use super::federated::{Federated, Grant, TokenFile};
use super::fetch::Reach;
use super::ibm::ApiKey;
use super::instance::Instance;
use super::login::Login;
use super::process::Process;
use super::profile::{Profiles, Section};
use super::role::AssumeRole;
use super::sso::Sso;
use super::sts::{Role, Service};
use super::{Credentials, Environment, Provider, Source};
use crate::base::secret::Secret;
use crate::s3::endpoint::Partition;
use crate::s3::{Error, ErrorKind};

#[derive(Debug)]
pub enum Way {
    Keys(Credentials),
    /// Taken on with the keys of another way.
    Role {
        service: Service,
        role: Role,
        keys: Box<Way>,
    },
    WebIdentity(Federated),
    Sso(Sso),
    Login(Login),
    Process(Process),
    ApiKey(ApiKey),
    /// What a role's `credential_source` can name.
    Environment,
    Container,
    Instance,
}

impl Way {
    pub fn is_role(&self) -> bool {
        matches!(self, Self::Role { .. })
    }
    pub fn fetch<'a>(
        self,
        environment: &'a Environment,
    ) -> Pin<Box<dyn Future<Output = Result<Credentials, Error>> + Send + 'a>> {
        Box::pin(async move {
            let none = |place: &str| {
                Error::new(
                    ErrorKind::NoCredentials,
                    format!("the role's credential_source {place} has no keys"),
                )
            };
            match self {
                Self::Keys(credentials) => Ok(credentials),
                Self::Role { service, role, keys } => {
                    let keys = Provider::fixed(keys.fetch(environment).await?);
                    AssumeRole { service, keys, role, mfa: None }.fetch().await
                }
                Self::WebIdentity(source) => source.fetch().await,
                Self::Sso(source) => source.fetch().await,
                Self::Login(source) => source.fetch().await,
                Self::Process(source) => source.fetch().await,
                Self::ApiKey(source) => source.fetch().await,
                Self::Environment => {
                    environment::credentials(environment)?.ok_or_else(|| none("Environment"))
                }
                Self::Container => match Container::from_environment(environment)? {
                    Some(container) => container.fetch().await,
                    None => Err(none("EcsContainer")),
                },
                Self::Instance => {
                    let found = match Instance::from_environment(environment) {
                        Some(instance) => instance.fetch().await?,
                        None => None,
                    };
                    found.ok_or_else(|| none("Ec2InstanceMetadata"))
                }
            }
        })
    }
}

/// `None` where the profile says nothing of keys.
pub fn of(profiles: &Profiles, environment: &Environment, profile: &str) -> Result<Option<Way>, Error> {
    Search { profiles, environment, main: profile }.of(profile, &mut Vec::new())
}

/// A role that the environment names, with a token in a file (EKS and kin).
pub fn by_environment(
    profiles: &Profiles,
    environment: &Environment,
    profile: &str,
) -> Result<Option<Way>, Error> {
    let (Some(file), Some(arn)) =
        (environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN"))
    else {
        return Ok(None);
    };
    let session_name = environment.get("AWS_ROLE_SESSION_NAME").map(str::to_owned);
    let role = Role { arn: Some(arn.to_owned()), session_name, ..Role::default() };
    let search = Search { profiles, environment, main: profile };
    Ok(Some(Way::WebIdentity(search.web_identity(file, role)?)))
}

struct Search<'a> {
    profiles: &'a Profiles,
    environment: &'a Environment,
    /// The profile that was asked for: it says where services are.
    main: &'a str,
}

impl Search<'_> {
    /// `seen` are the profiles whose roles need the keys of this one.
    fn of(&self, name: &str, seen: &mut Vec<String>) -> Result<Option<Way>, Error> {
        let Some(section) = self.profiles.get(name) else {
            return match seen.last() {
                None => Ok(None),
                Some(asking) => {
                    Err(fault(asking, &format!("names the source_profile {name:?}, which is not there")))
                }
            };
        };
        let is_source = !seen.is_empty();
        let keys = self.keys(name, section)?;
        let shared = self.profiles.has_shared_keys(name);
        match (section.get("role_arn"), section.get("web_identity_token_file")) {
            // A chain of roles begins at the first profile that has keys.
            (Some(_), None) if is_source && keys.is_some() => return Ok(keys),
            (Some(arn), None) => return self.role(name, section, arn, seen).map(Some),
            (arn, Some(file)) => {
                let arn = arn.ok_or_else(|| fault(name, "has a web_identity_token_file but no role_arn"))?;
                let role = role(name, section, arn)?;
                return Ok(Some(Way::WebIdentity(self.web_identity(file, role)?)));
            }
            (None, None) => {}
        }
        if let Some(sso) = self.sso(name, section)? {
            return Ok(Some(Way::Sso(sso)));
        }
        match (section.get("login_session"), section.get("credential_process")) {
            _ if shared => Ok(keys),
            (Some(session), _) => Ok(Some(Way::Login(self.login(section, session)))),
            (None, Some(line)) => Process::new(line).map(|process| Some(Way::Process(process))),
            (None, None) => Ok(keys),
        }
    }

    fn login(&self, section: Section<'_>, session: &str) -> Login {
        let region = self.environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]);
        Login {
            session: session.to_owned(),
            cache: Login::cache_of(self.environment),
            endpoint: self.profiles.endpoint(self.environment, self.main, "signin"),
            region: region.or_else(|| section.get("region")).map(str::to_owned),
            reach: self.reach(),
        }
    }

    fn keys(&self, name: &str, section: Section<'_>) -> Result<Option<Way>, Error> {
        if let Some(key) = section.get("ibm_api_key_id") {
            let reach = Reach::far(self.environment);
            let key = ApiKey::new(Secret::new(key), section.get("ibm_auth_endpoint"), reach)?;
            return Ok(Some(Way::ApiKey(key)));
        }
        match (section.get("aws_access_key_id"), section.get("aws_secret_access_key")) {
            (Some(access_key), Some(secret_key)) => Ok(Some(Way::Keys(Credentials {
                session_token: section.get("aws_session_token").map(Secret::new),
                ..Credentials::new(access_key, Secret::new(secret_key))
            }))),
            (None, None) => Ok(None),
            _ => {
                Err(fault(name, "has half a key pair: it needs aws_access_key_id and aws_secret_access_key"))
            }
        }
    }

    fn role(
        &self,
        name: &str,
        section: Section<'_>,
        arn: &str,
        seen: &mut Vec<String>,
    ) -> Result<Way, Error> {
        if section.get("mfa_serial").is_some() {
            let why = "needs a code of a device (mfa_serial), which nobody can type into a mount: put keys into the \
                       environment (`aws configure export-credentials --format env`), or use credential_process";
            return Err(fault(name, why));
        }
        let keys = match (section.get("source_profile"), section.get("credential_source")) {
            (Some(source), None) => self.source(name, section, source, seen)?,
            (None, Some("Environment")) => Way::Environment,
            (None, Some("EcsContainer")) => Way::Container,
            (None, Some("Ec2InstanceMetadata")) => Way::Instance,
            (None, Some(_)) => {
                let why =
                    "has a credential_source other than Environment, EcsContainer and Ec2InstanceMetadata";
                return Err(fault(name, why));
            }
            _ => {
                return Err(fault(
                    name,
                    "has a role_arn and needs one of source_profile and credential_source",
                ));
            }
        };
        Ok(Way::Role { service: self.service()?, role: role(name, section, arn)?, keys: Box::new(keys) })
    }
    fn source(
        &self,
        name: &str,
        section: Section<'_>,
        source: &str,
        seen: &mut Vec<String>,
    ) -> Result<Way, Error> {
        // A profile may be its own source: its keys then take on its role.
        let own = if source == name { self.keys(name, section)? } else { None };
        if let Some(keys) = own {
            return Ok(keys);
        }
        seen.push(name.to_owned());
        if seen.iter().any(|seen| seen == source) {
            return Err(fault(name, &format!("is its own source, by way of {}", seen.join(" and "))));
        }
        let nothing = || fault(name, &format!("names the source_profile {source:?}, which has no keys"));
        self.of(source, seen)?.ok_or_else(nothing)
    }

    fn web_identity(&self, file: &str, role: Role) -> Result<Federated, Error> {
        let grant = Grant::WebIdentity(Arc::new(TokenFile(file.into())));
        Ok(Federated { service: self.service()?, role, grant })
    }

    fn service(&self) -> Result<Service, Error> {
        let main = self.profiles.get(self.main);
        let variable = |name: &str, key: &str| {
            let set = self.environment.get(name).map(|_| self.environment.is_true(name));
            set.unwrap_or_else(|| main.is_some_and(|main| main.is_true(key)))
        };
        let region = self.environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]);
        let region = region.or_else(|| main?.get("region"));
        let named = self.profiles.endpoint(self.environment, self.main, "sts");
        let service = match named.or_else(|| self.environment.store().map(str::to_owned)) {
            None => Service::aws(
                region,
                variable("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
                variable("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
            )?,
            Some(url) => match region {
                Some(region) => Service::at(&url)?.with_region(region),
                None => Service::at(&url)?,
            },
        };
        Ok(service.with_reach(self.reach()))
    }
    fn reach(&self) -> Reach {
        let bundle = || self.profiles.get(self.main)?.get("ca_bundle").map(Into::into);
        let reach = Reach::far(self.environment);
        Reach { ca_file: reach.ca_file.clone().or_else(bundle), ..reach }
    }

    fn sso(&self, name: &str, section: Section<'_>) -> Result<Option<Sso>, Error> {
        let session = section.get("sso_session");
        let from = match session {
            None if SSO_KEYS.iter().all(|key| section.get(key).is_none()) => return Ok(None),
            None => section,
            Some(session) => self.profiles.session(session).ok_or_else(|| {
                fault(name, &format!("names the sso_session {session:?}, which ~/.aws/config does not have"))
            })?,
        };
        let need = |from: Section<'_>, key: &str| {
            from.get(key)
                .map(str::to_owned)
                .ok_or_else(|| fault(name, &format!("uses single sign-on without {key}")))
        };
        let region = need(from, "sso_region")?;
        let at = |service: &str, host: &str| {
            let own = self.profiles.endpoint(self.environment, self.main, service);
            own.unwrap_or_else(|| format!("https://{host}.{region}.{}", Partition::of(&region).suffix))
        };
        Ok(Some(Sso {
            session: session.map(str::to_owned),
            start_url: need(from, "sso_start_url")?,
            account_id: need(section, "sso_account_id")?,
            role_name: need(section, "sso_role_name")?,
            portal: at("sso", "portal.sso"),
            oidc: at("sso_oidc", "oidc"),
            cache: Sso::cache_of(self.environment),
            reach: self.reach(),
        }))
    }
}

/// By which a profile shows that it is one of single sign-on.
const SSO_KEYS: [&str; 3] = ["sso_start_url", "sso_account_id", "sso_role_name"];

fn role(name: &str, section: Section<'_>, arn: &str) -> Result<Role, Error> {
    let duration = match section.get("duration_seconds").map(str::parse) {
        None => None,
        Some(Ok(seconds)) => Some(Duration::from_secs(seconds)),
        Some(Err(_)) => return Err(fault(name, "has duration_seconds that are no number")),
    };
    Ok(Role {
        arn: Some(arn.to_owned()),
        session_name: section.get("role_session_name").map(str::to_owned),
        duration,
        policy: None,
        external_id: section.get("external_id").map(str::to_owned),
    })
}

fn fault(profile: &str, why: &str) -> Error {
    Error::new(ErrorKind::NoCredentials, format!("the profile {profile:?} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::credentials::tests::assert_silent;

    const CONFIG: &str = "[default]\nregion = eu-west-1\n\
        [profile keys]\naws_access_key_id = AK\naws_secret_access_key = canary-1\naws_session_token = canary-2\n\
        [profile half]\naws_access_key_id = AK\n\
        [profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = keys\nexternal_id = e\n\
        duration_seconds = 1800\nrole_session_name = s\n\
        [profile chained]\nrole_arn = arn:aws:iam::1:role/c\nsource_profile = role\n\
        [profile self]\nrole_arn = arn:r\nsource_profile = self\naws_access_key_id = OWN\naws_secret_access_key = canary-3\n\
        [profile by-self]\nrole_arn = arn:r\nsource_profile = self\n\
        [profile a]\nrole_arn = arn:r\nsource_profile = b\n[profile b]\nrole_arn = arn:r\nsource_profile = a\n\
        [profile alone]\nrole_arn = arn:r\nsource_profile = alone\n\
        [profile env]\nrole_arn = arn:r\ncredential_source = Environment\n\
        [profile ecs]\nrole_arn = arn:r\ncredential_source = EcsContainer\n\
        [profile ec2]\nrole_arn = arn:r\ncredential_source = Ec2InstanceMetadata\n\
        [profile odd]\nrole_arn = arn:r\ncredential_source = Cloud\n\
        [profile both]\nrole_arn = arn:r\ncredential_source = Environment\nsource_profile = keys\n\
        [profile neither]\nrole_arn = arn:r\n\
        [profile lost]\nrole_arn = arn:r\nsource_profile = gone\n\
        [profile empty]\nrole_arn = arn:r\nsource_profile = default\n\
        [profile mfa]\nrole_arn = arn:r\nsource_profile = keys\nmfa_serial = arn:d\n\
        [profile long]\nrole_arn = arn:r\nsource_profile = keys\nduration_seconds = ever\n\
        [profile web]\nrole_arn = arn:r\nweb_identity_token_file = /token\n\
        [profile web-half]\nweb_identity_token_file = /token\n\
        [profile sso]\nsso_session = one\nsso_account_id = 1\nsso_role_name = r\n\
        [profile sso-old]\nsso_start_url = https://u\nsso_region = cn-north-1\nsso_account_id = 1\nsso_role_name = r\n\
        [profile sso-lost]\nsso_session = two\nsso_account_id = 1\nsso_role_name = r\n\
        [profile sso-nowhere]\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = r\n\
        [profile sso-half]\nsso_session = one\nsso_account_id = 1\n\
        [sso-session one]\nsso_region = eu-west-1\nsso_start_url = https://u\n\
        [profile process]\ncredential_process = cmd canary-4\n\
        [profile process-first]\ncredential_process = cmd\naws_access_key_id = AK\naws_secret_access_key = canary-5\n\
        [profile shared]\ncredential_process = cmd\nlogin_session = arn:me\n\
        [profile login]\nlogin_session = arn:me\ncredential_process = cmd\n\
        [profile ibm]\nibm_api_key_id = canary-6\n\
        [profile ibm-open]\nibm_api_key_id = canary-7\nibm_auth_endpoint = http://iam.example\n";
    const SHARED: &str = "[shared]\naws_access_key_id = AK\naws_secret_access_key = canary-8\n";

    /// The way in short.
    fn short(way: &Way) -> String {
        match way {
            Way::Keys(keys) => keys.access_key.clone(),
            Way::Role { role, keys, .. } => {
                format!("{} by {}", role.arn.as_deref().unwrap_or_default(), short(keys))
            }
            Way::WebIdentity(_) => "web".to_owned(),
            Way::Sso(sso) => format!("sso {} {:?}", sso.portal, sso.session),
            Way::Login(login) => format!("login {}", login.session),
            Way::Process(_) => "process".to_owned(),
            Way::ApiKey(_) => "api key".to_owned(),
            Way::Environment | Way::Container | Way::Instance => format!("{way:?}"),
        }
    }

    #[test]
    fn a_profile_has_one_way_to_its_keys() {
        let (profiles, environment) =
            (Profiles::merged(CONFIG, SHARED).expect("parsed"), Environment::default());
        for (profile, expected) in [
            ("keys", "AK"),
            ("role", "arn:aws:iam::1:role/r by AK"),
            ("chained", "arn:aws:iam::1:role/c by arn:aws:iam::1:role/r by AK"),
            ("self", "arn:r by OWN"),
            ("by-self", "arn:r by OWN"),
            ("env", "arn:r by Environment"),
            ("ecs", "arn:r by Container"),
            ("ec2", "arn:r by Instance"),
            ("web", "web"),
            ("sso", "sso https://portal.sso.eu-west-1.amazonaws.com Some(\"one\")"),
            ("sso-old", "sso https://portal.sso.cn-north-1.amazonaws.com.cn None"),
            ("login", "login arn:me"),
            ("process", "process"),
            ("process-first", "process"),
            ("shared", "AK"),
            ("ibm", "api key"),
        ] {
            let way = of(&profiles, &environment, profile).expect(profile).expect(profile);
            assert_eq!(short(&way), expected, "{profile}");
            assert_silent(&way);
        }
        assert!(of(&profiles, &environment, "default").expect("good").is_none());
        assert!(of(&profiles, &environment, "gone").expect("good").is_none());
        let Ok(Some(Way::Role { role, .. })) = of(&profiles, &environment, "role") else { panic!("a role") };
        let expected = Role {
            arn: Some("arn:aws:iam::1:role/r".into()),
            session_name: Some("s".into()),
            duration: Some(Duration::from_secs(1800)),
            policy: None,
            external_id: Some("e".into()),
        };
        assert_eq!(role, expected);
    }

    /// As AWS's own command line has it, but for a store of one's own, which it does not know to be its own STS.
    #[test]
    fn services_are_where_variables_then_the_profile_then_the_store_say() {
        let config = format!(
            "{CONFIG}[services mine]\nsts =\n  endpoint_url = http://profile-sts:1\n\
             sso =\n  endpoint_url = http://profile-sso:1/\nsso_oidc =\n  endpoint_url = http://profile-oidc:1\n\
             [profile role-mine]\nrole_arn = arn:r\nsource_profile = keys\nservices = mine\nregion = eu-west-2\n\
             [profile sso-mine]\nsso_session = one\nsso_account_id = 1\nsso_role_name = r\nservices = mine\n"
        );
        let profiles = Profiles::merged(&config, SHARED).expect("parsed");
        let (store, region) = (Some("http://store:9"), Some("us-west-2"));
        let aws = "https://portal.sso.eu-west-1.amazonaws.com https://oidc.eu-west-1.amazonaws.com";
        let (sts, general) = (("AWS_ENDPOINT_URL_STS", "http://sts:1"), ("AWS_ENDPOINT_URL", "http://all:1"));
        let sso = [("AWS_ENDPOINT_URL_SSO", "http://sso:1"), ("AWS_ENDPOINT_URL_SSO_OIDC", "http://oidc:1")];
        let ignoring = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        for (variables, region, store, profile, expected) in [
            (&[][..], None, None, "role", "https://sts.amazonaws.com:443"),
            (&[], region, None, "role", "https://sts.us-west-2.amazonaws.com:443"),
            (
                &[("AWS_USE_FIPS_ENDPOINT", "true")],
                region,
                None,
                "role",
                "https://sts-fips.us-west-2.amazonaws.com:443",
            ),
            (&[], Some("aws-global"), None, "role", "https://sts.amazonaws.com:443"),
            (
                &[],
                region,
                Some("https://s3.us-west-2.amazonaws.com"),
                "role",
                "https://sts.us-west-2.amazonaws.com:443",
            ),
            (&[], None, store, "role", "http://store:9"),
            (&[], None, store, "role-mine", "http://profile-sts:1"),
            (&[ignoring], None, None, "role-mine", "https://sts.eu-west-2.amazonaws.com:443"),
            (&[ignoring], None, store, "role-mine", "http://store:9"),
            (&[general], None, store, "role-mine", "http://all:1"),
            (&[general, sts], None, store, "role-mine", "http://sts:1"),
            (&[], region, store, "sso", aws),
            (&[], region, None, "sso-mine", "http://profile-sso:1 http://profile-oidc:1"),
            (&[general], None, None, "sso-mine", "http://all:1 http://all:1"),
            (&sso, None, None, "sso-mine", "http://sso:1 http://oidc:1"),
        ] {
            let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let environment = owned.collect::<Environment>().told(region, store, None);
            let found = match of(&profiles, &environment, profile).expect(profile).expect(profile) {
                Way::Role { service, .. } => service.name(),
                Way::Sso(sso) => format!("{} {}", sso.portal, sso.oidc),
                other => panic!("{profile}: {other:?}"),
            };
            assert_eq!(found, expected, "{variables:?} {region:?} {store:?} {profile}");
        }
    }

    #[test]
    fn loops_and_missing_pieces_are_found_before_anything_is_sent() {
        let (profiles, environment) =
            (Profiles::merged(CONFIG, SHARED).expect("parsed"), Environment::default());
        for (profile, part) in [
            ("half", "half a key pair"),
            ("a", "is its own source, by way of a and b"),
            ("alone", "is its own source, by way of alone"),
            ("odd", "credential_source other than"),
            ("both", "needs one of source_profile and credential_source"),
            ("neither", "needs one of source_profile and credential_source"),
            ("lost", "source_profile \"gone\", which is not there"),
            ("empty", "source_profile \"default\", which has no keys"),
            ("mfa", "needs a code of a device"),
            ("long", "duration_seconds that are no number"),
            ("web-half", "no role_arn"),
            ("sso-lost", "sso_session \"two\", which"),
            ("sso-half", "without sso_role_name"),
            ("sso-nowhere", "without sso_start_url"),
            ("ibm-open", "must begin with https://"),
        ] {
            let error = of(&profiles, &environment, profile).expect_err(profile);
            assert!(error.to_string().contains(part), "{profile}: {error}");
            assert_silent(&error);
        }
    }

    #[test]
    fn the_service_is_that_of_the_region_or_the_one_that_is_named() {
        let profiles = Profiles::merged(CONFIG, SHARED).expect("parsed");
        for (pairs, profile, name) in [
            (&[][..], "role", "https://sts.amazonaws.com:443"),
            (&[], "default", "https://sts.eu-west-1.amazonaws.com:443"),
            (
                &[("AWS_REGION", "us-east-2"), ("AWS_USE_FIPS_ENDPOINT", "true")],
                "role",
                "https://sts-fips.us-east-2.amazonaws.com:443",
            ),
            (&[("AWS_ENDPOINT_URL", "http://minio:9000")], "role", "http://minio:9000"),
        ] {
            let environment: Environment =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let search = Search { profiles: &profiles, environment: &environment, main: profile };
            assert_eq!(search.service().expect("good").name(), name);
        }
    }
}
