//! AWS's profile files: `~/.aws/config` and `~/.aws/credentials`, merged, the latter on top.
//!
//! [`Profiles::load`] reads them; a profile gives keys and also says where the store is. `parse` follows the
//! rules of the AWS SDKs to the letter (continued lines, comments, `[profile x]` before `[x]`): their own test
//! cases are ours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::Environment;
use crate::s3::{Error, ErrorKind, Style};

type Properties = BTreeMap<String, String>;

/// All profiles of both files.
#[derive(Default)]
pub struct Profiles {
    profiles: BTreeMap<String, Properties>,
    services: BTreeMap<String, Properties>,
    sessions: BTreeMap<String, Properties>,
    /// Profiles whose keys are in the credentials file.
    with_shared_keys: BTreeSet<String>,
}

/// What a profile says besides keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// `region`.
    pub region: Option<String>,
    /// `endpoint_url` of its `services` section, else its own.
    pub endpoint: Option<String>,
    /// `ca_bundle`: trusted instead of the system's certificates.
    pub ca_file: Option<PathBuf>,
    /// `addressing_style` of its `s3` block; `None` for `auto` too.
    pub style: Option<Style>,
    /// `ibm_service_instance_id`.
    pub service_instance_id: Option<String>,
    /// `use_fips_endpoint`.
    pub fips: Option<bool>,
    /// `use_dualstack_endpoint`, its own or of its `s3` block.
    pub dualstack: Option<bool>,
    /// `use_accelerate_endpoint` of its `s3` block.
    pub accelerate: Option<bool>,
    /// `s3_use_arn_region`.
    pub follow_arn_region: Option<bool>,
    /// The contrary of `s3_disable_express_session_auth`.
    pub express_sessions: Option<bool>,
    /// The contrary of `s3_disable_multiregion_access_points`.
    pub multi_region: Option<bool>,
    /// `payload_signing_enabled` of its `s3` block.
    pub signs_payload: Option<bool>,
    /// Whether `us_east_1_regional_endpoint` of its `s3` block is `legacy`.
    pub global: Option<bool>,
}

/// Which of the two files a text is: they differ in how they name profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Config,
    Credentials,
}

impl Profiles {
    /// Files that are not there count as empty; files that cannot be read or understood are errors.
    pub fn load(environment: &Environment) -> Result<Self, Error> {
        let (config, credentials) = locations(environment);
        let mut profiles = Self::default();
        for (path, file) in [(config, File::Config), (credentials, File::Credentials)] {
            let Some(path) = path else { continue };
            let about = |why: String| Error::invalid(format!("{}: {why}", path.display()));
            match std::fs::read_to_string(&path) {
                Ok(text) => profiles.merge(&text, file).map_err(about)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(about(error.to_string())),
            }
        }
        Ok(profiles)
    }

    /// The properties of a profile; `None` where there is none of that name.
    pub(super) fn get(&self, name: &str) -> Option<Section<'_>> {
        self.profiles.get(name).map(Section)
    }
    /// An `[sso-session …]`.
    pub(super) fn session(&self, name: &str) -> Option<Section<'_>> {
        self.sessions.get(name).map(Section)
    }
    pub(super) fn has_shared_keys(&self, name: &str) -> bool {
        self.with_shared_keys.contains(name)
    }
    /// The profile that is meant when `name` was asked for: then it must exist.
    pub(super) fn meant(
        &self,
        environment: &Environment,
        name: Option<&str>,
    ) -> Result<Option<String>, Error> {
        Ok(self.named(environment, name)?.map(|_| name_of(environment, name)))
    }
    /// The address of a service of AWS's (`sts`, `sso`, …) where it is not the usual one.
    pub(super) fn endpoint(&self, environment: &Environment, profile: &str, service: &str) -> Option<String> {
        if environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return None;
        }
        let variable = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
        let given = environment.first(&[&variable, "AWS_ENDPOINT_URL"]).map(str::to_owned);
        let properties = || self.profiles.get(profile);
        let url = given
            .or_else(|| self.own_endpoint(properties()?, service))
            .or_else(|| properties()?.get("endpoint_url").filter(|url| !url.is_empty()).cloned());
        url.map(|url| url.trim_end_matches('/').to_owned())
    }
    fn own_endpoint(&self, properties: &Properties, service: &str) -> Option<String> {
        sub(self.services.get(properties.get("services")?)?, service, "endpoint_url")
    }

    /// Where the store is, by a profile.
    pub fn store(&self, environment: &Environment, name: Option<&str>) -> Result<Store, Error> {
        let Some(properties) = self.named(environment, name)? else { return Ok(Store::default()) };
        let text = |key: &str| properties.get(key).filter(|value| !value.is_empty()).cloned();
        let of_s3 = |key: &str| sub(properties, "s3", key);
        let switch = |value: Option<String>| value.map(|value| value.eq_ignore_ascii_case("true"));
        Ok(Store {
            fips: switch(text("use_fips_endpoint")),
            dualstack: switch(text("use_dualstack_endpoint").or_else(|| of_s3("use_dualstack_endpoint"))),
            accelerate: switch(of_s3("use_accelerate_endpoint")),
            follow_arn_region: switch(text("s3_use_arn_region").or_else(|| of_s3("use_arn_region"))),
            express_sessions: switch(text("s3_disable_express_session_auth")).map(|off| !off),
            multi_region: switch(text("s3_disable_multiregion_access_points")).map(|off| !off),
            signs_payload: switch(of_s3("payload_signing_enabled")),
            global: text("s3_us_east_1_regional_endpoint")
                .or_else(|| of_s3("us_east_1_regional_endpoint"))
                .map(|kind| kind.eq_ignore_ascii_case("legacy")),
            region: text("region"),
            endpoint: self.own_endpoint(properties, "s3").or_else(|| text("endpoint_url")),
            ca_file: text("ca_bundle").map(PathBuf::from),
            style: match of_s3("addressing_style").as_deref() {
                Some("path") => Some(Style::Path),
                Some("virtual") => Some(Style::Virtual),
                _ => None,
            },
            service_instance_id: text("ibm_service_instance_id"),
        })
    }

    fn named(&self, environment: &Environment, name: Option<&str>) -> Result<Option<&Properties>, Error> {
        let wanted = name_of(environment, name);
        let found = self.profiles.get(&wanted);
        let asked = name.is_some() || environment.get("AWS_PROFILE").is_some();
        if found.is_none() && asked {
            let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
            let message =
                format!("there is no profile {wanted:?} in the AWS profile files; they have {known}");
            return Err(Error::new(ErrorKind::NoCredentials, message));
        }
        Ok(found)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn merged(config: &str, credentials: &str) -> Result<Self, String> {
        let mut profiles = Self::default();
        profiles.merge(config, File::Config)?;
        profiles.merge(credentials, File::Credentials)?;
        Ok(profiles)
    }

    fn merge(&mut self, text: &str, file: File) -> Result<(), String> {
        let sections = parse(text, file)?;
        for (kind, name, properties) in sections {
            if file == File::Credentials && properties.contains_key("aws_access_key_id") {
                self.with_shared_keys.insert(name.clone());
            }
            let table = match kind {
                Kind::Profile => &mut self.profiles,
                Kind::Services => &mut self.services,
                Kind::Session => &mut self.sessions,
            };
            table.entry(name).or_default().extend(properties);
        }
        Ok(())
    }
}

/// Properties that have a value.
#[derive(Clone, Copy)]
pub(super) struct Section<'a>(&'a Properties);

impl<'a> Section<'a> {
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
    pub fn is_true(self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

fn name_of(environment: &Environment, name: Option<&str>) -> String {
    name.or_else(|| environment.get("AWS_PROFILE")).unwrap_or("default").to_owned()
}

/// The config file and the credentials file.
fn locations(environment: &Environment) -> (Option<PathBuf>, Option<PathBuf>) {
    let home = environment.home();
    let at = |variable: &str, name: &str| {
        let given = environment.get(variable).map(|path| match (path.strip_prefix("~/"), &home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        });
        given.or_else(|| Some(home.as_ref()?.join(".aws").join(name)))
    };
    (at("AWS_CONFIG_FILE", "config"), at("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
}

/// A property of a nested block: `s3 =` followed by indented lines.
fn sub(properties: &Properties, block: &str, key: &str) -> Option<String> {
    properties.get(block)?.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key && !value.trim().is_empty()).then(|| value.trim().to_owned())
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Profile,
    Services,
    Session,
}

/// What the lines are added to.
struct Open {
    kind: Kind,
    name: String,
    /// `[profile default]`, which beats `[default]` wherever it stands.
    prefixed: bool,
    properties: Properties,
    /// The property that an indented line goes on with.
    latest: Option<String>,
}

type Parsed = (Kind, String, Properties);

fn parse(text: &str, file: File) -> Result<Vec<Parsed>, String> {
    let mut sections: Vec<Open> = Vec::new();
    // Lines of a section with a bad name belong to nobody.
    let mut current: Option<Open> = None;
    let mut seen_section = false;
    for (index, line) in text.lines().enumerate() {
        let fault = |why: &str| format!("line {}: {why}", index + 1);
        let is_indented = line.starts_with([' ', '\t']);
        if line.trim().is_empty() || line.trim_start().starts_with(['#', ';']) && !is_indented {
            continue;
        }
        if line.starts_with('[') {
            sections.extend(current.take());
            current = open_section(line, file).map_err(fault)?;
            seen_section = true;
        } else if !seen_section {
            return Err(fault("Expected a profile definition"));
        } else if let Some(section) = &mut current {
            if is_indented { section.continue_with(line) } else { section.add(line) }.map_err(fault)?;
        }
    }
    sections.extend(current);
    let overridden = sections.iter().any(|section| section.prefixed && section.name == "default");
    let kept = |section: &Open| !(overridden && section.name == "default" && !section.prefixed);
    Ok(sections
        .into_iter()
        .filter(kept)
        .map(|section| (section.kind, section.name, section.properties))
        .collect())
}

/// `None` for a section whose name is not one: its lines are ignored.
fn open_section(line: &str, file: File) -> Result<Option<Open>, &'static str> {
    let line = strip_comment(line, |_| true);
    let inner = line.trim_end().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.ok_or("Profile definition must end with ']'")?.trim();
    let (word, rest) =
        inner.split_once([' ', '\t']).map_or((inner, None), |(word, rest)| (word, Some(rest.trim())));
    let (kind, name, prefixed) = match (file, word, rest) {
        (File::Config, "profile", Some(name)) => (Kind::Profile, name, true),
        (File::Config, "services", Some(name)) => (Kind::Services, name, true),
        (File::Config, "sso-session", Some(name)) => (Kind::Session, name, true),
        (File::Config, "default", None) => (Kind::Profile, "default", false),
        (File::Credentials, name, None) => (Kind::Profile, name, false),
        _ => return Ok(None),
    };
    let allowed = |char: char| char.is_ascii_alphanumeric() || "-_/.%@:+".contains(char);
    let section =
        || Open { kind, name: name.to_owned(), prefixed, properties: Properties::new(), latest: None };
    Ok((!name.is_empty() && name.chars().all(allowed)).then(section))
}

impl Open {
    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let line = strip_comment(line, |before| before.ends_with([' ', '\t']));
        let (name, value) = line.split_once('=').ok_or("Expected an '=' sign defining a property")?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() {
            return Err("Property did not have a name");
        }
        let allowed = |char: char| char.is_ascii_alphanumeric() || "-_/.%@:+".contains(char);
        self.latest = Some(name.clone());
        if name.chars().all(allowed) {
            self.properties.insert(name, value.trim().to_owned());
        }
        Ok(())
    }
    /// An indented line goes on with a value; after an empty value it is a property of a nested block.
    fn continue_with(&mut self, line: &str) -> Result<(), &'static str> {
        let latest = self.latest.as_ref().ok_or("Expected a property definition, found continuation")?;
        let Some(value) = self.properties.get_mut(latest) else { return Ok(()) };
        let line = line.trim();
        if value.is_empty() || value.starts_with('\n') {
            let (name, _) = line.split_once('=').ok_or("Expected an '=' sign defining a sub-property")?;
            if name.trim().is_empty() {
                return Err("Sub-property did not have a name");
            }
        }
        value.push('\n');
        value.push_str(line);
        Ok(())
    }
}

/// Cuts the line at the first `#` or `;` where one may begin.
fn strip_comment(line: &str, may_begin: impl Fn(&str) -> bool) -> &str {
    let cut = line.char_indices().find(|(at, char)| matches!(char, '#' | ';') && may_begin(&line[..*at]));
    cut.map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Fixture<T> {
        tests: Vec<T>,
    }

    #[derive(Deserialize)]
    struct ParserCase {
        name: String,
        input: Input,
        output: Output,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Input {
        #[serde(default)]
        config_file: String,
        #[serde(default)]
        credentials_file: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Output {
        config: Option<Expected>,
        error_containing: Option<String>,
    }

    #[derive(Deserialize)]
    struct Expected {
        profiles: BTreeMap<String, Properties>,
    }

    fn merged(config: &str, credentials: &str) -> Result<Profiles, String> {
        Profiles::merged(config, credentials)
    }

    #[test]
    fn the_sdks_parser_cases_agree() {
        let text = include_str!("../../../tests/fixtures/aws/profile-parser-tests.json");
        let fixture: Fixture<ParserCase> = serde_json::from_str(text).expect("the fixture");
        assert_eq!(fixture.tests.len(), 65);
        for case in fixture.tests {
            let found = merged(&case.input.config_file, &case.input.credentials_file);
            match (case.output.config, case.output.error_containing) {
                (Some(expected), _) => {
                    let found = found.unwrap_or_else(|error| panic!("{}: {error}", case.name));
                    assert_eq!(found.profiles, expected.profiles, "{}", case.name);
                }
                (None, Some(part)) => {
                    let error = found.err().unwrap_or_else(|| panic!("{} must fail", case.name));
                    assert!(error.contains(&part), "{}: {error}", case.name);
                }
                (None, None) => panic!("{} expects nothing", case.name),
            }
        }
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LocationCase {
        name: String,
        environment: BTreeMap<String, String>,
        platform: String,
        profile: Option<String>,
        config_location: PathBuf,
        credentials_location: PathBuf,
    }

    #[test]
    fn the_sdks_location_cases_agree() {
        let text = include_str!("../../../tests/fixtures/aws/file-location-tests.json");
        let fixture: Fixture<LocationCase> = serde_json::from_str(text).expect("the fixture");
        let mut seen = 0;
        for case in fixture.tests.into_iter().filter(|case| case.platform == "linux") {
            let environment: Environment = case.environment.into_iter().collect();
            let expected = (Some(case.config_location), Some(case.credentials_location));
            assert_eq!(locations(&environment), expected, "{}", case.name);
            if let Some(profile) = case.profile {
                assert_eq!(name_of(&environment, None), profile, "{}", case.name);
            }
            seen += 1;
        }
        assert!(seen >= 4, "{seen}");
    }

    const CONFIG: &str = "[default]\nregion = eu-west-1\n[profile work]\nendpoint_url = http://minio:9000\n\
                          ca_bundle = /etc/ca.pem\ns3 =\n  addressing_style = path\nservices = mine\n\
                          [services mine]\ns3 =\n  endpoint_url = http://other:9000\nsso_oidc =\n  endpoint_url = http://oidc/\n\
                          [sso-session one]\nsso_region = eu-west-1\n";

    #[test]
    fn a_profile_says_where_the_store_and_other_services_are() {
        let (profiles, environment) = (merged(CONFIG, "[work]\n").expect("parsed"), Environment::default());
        let store = profiles.store(&environment, Some("work")).expect("known");
        assert_eq!(store.endpoint.as_deref(), Some("http://other:9000"));
        assert_eq!((store.style, store.ca_file), (Some(Style::Path), Some("/etc/ca.pem".into())));
        assert_eq!(profiles.store(&environment, None).expect("default").region.as_deref(), Some("eu-west-1"));
        assert_eq!(profiles.session("one").and_then(|of| of.get("sso_region")), Some("eu-west-1"));
        let set = |pairs: &[(&str, &str)]| -> Environment {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let general = ("AWS_ENDPOINT_URL", "http://all");
        for (variables, profile, service, url) in [
            (set(&[]), "work", "sso_oidc", Some("http://oidc")),
            (set(&[]), "work", "sts", Some("http://minio:9000")),
            (set(&[]), "default", "sts", None),
            (set(&[general]), "work", "sso_oidc", Some("http://all")),
            (set(&[general, ("AWS_ENDPOINT_URL_STS", "http://sts")]), "work", "sts", Some("http://sts")),
            (set(&[general, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]), "work", "sts", None),
        ] {
            assert_eq!(
                profiles.endpoint(&variables, profile, service).as_deref(),
                url,
                "{profile} {service}"
            );
        }
    }

    #[test]
    fn a_profile_that_was_asked_for_must_exist() {
        let (profiles, environment) = (merged(CONFIG, "").expect("parsed"), Environment::default());
        let error = profiles.meant(&environment, Some("gone")).expect_err("not there");
        assert_eq!(error.kind(), ErrorKind::NoCredentials);
        assert!(error.to_string().contains("there is no profile \"gone\""), "{error}");
        assert_eq!(profiles.meant(&environment, None).expect("default").as_deref(), Some("default"));
        assert_eq!(Profiles::default().meant(&environment, None).expect("none"), None);
    }
}
