//! The process environment as a value, so that tests can have their own; and the keys that are in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Credentials;
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::endpoint::Endpoint;
use crate::s3::{Error, ErrorKind, Style};

/// Variables with a value; those set to nothing count as unset.
#[derive(Clone, Default)]
pub struct Environment {
    variables: Arc<BTreeMap<String, String>>,
    /// A store that is not AWS's: it has an STS of its own, where it has one at all.
    store: Option<Arc<str>>,
}

impl Environment {
    /// Those of this process, as they are now. What is not UTF-8 is left out.
    pub fn process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }
    /// The same after what was said outright, which is stronger: the region and the trusted certificates of every
    /// service. A store of one's own is its own STS, unless a variable or a profile names one; single sign-on and
    /// the like have addresses and regions of their own.
    #[must_use]
    pub fn told(&self, region: Option<&str>, endpoint: Option<&str>, ca_file: Option<&Path>) -> Self {
        let mut variables = (*self.variables).clone();
        let mut set = |name: &str, value: String| drop(variables.insert(name.to_owned(), value));
        if let Some(region) = region {
            set("AWS_REGION", region.to_owned());
        }
        if let Some(file) = ca_file {
            set("AWS_CA_BUNDLE", file.display().to_string());
        }
        let own = |endpoint: &&str| {
            Endpoint::parse(Some(endpoint), Style::Auto).is_ok_and(|found| !found.belongs_to_aws())
        };
        let store = endpoint.filter(own).map(Arc::from).or_else(|| self.store.clone());
        Self { variables: Arc::new(variables), store }
    }
    /// The store that is its own STS, by what was [told](Self::told).
    pub(super) fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }
    /// The value of a variable; `None` when it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
    /// The first of these that has a value.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }
    /// `true` or `1`.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }
    /// The home directory.
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self { variables: Arc::new(variables.into_iter().collect()), store: None }
    }
}

const ACCESS_KEY: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"];
const SECRET_KEY: &[&str] = &["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"];
const SESSION_TOKEN: &[&str] = &["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"];
/// MinIO's own clients and servers.
const MINIO: &[(&str, &str)] =
    &[("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"), ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD")];

/// AWS's names before MinIO's. AWS's access key without its secret is an error: whoever set it means no other keys.
pub fn credentials(environment: &Environment) -> Result<Option<Credentials>, Error> {
    if let Some(found) = aws(environment)? {
        return Ok(Some(found));
    }
    Ok(MINIO.iter().find_map(|(access_key, secret_key)| {
        let secret = Secret::new(environment.get(secret_key)?);
        Some(Credentials::new(environment.get(access_key)?, secret))
    }))
}

fn aws(environment: &Environment) -> Result<Option<Credentials>, Error> {
    let Some(access_key) = environment.first(ACCESS_KEY) else { return Ok(None) };
    let Some(secret_key) = environment.first(SECRET_KEY) else {
        let why = "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not: set both or none";
        return Err(Error::new(ErrorKind::NoCredentials, why));
    };
    Ok(Some(Credentials {
        session_token: environment.first(SESSION_TOKEN).map(Secret::new),
        expires: environment.get("AWS_CREDENTIAL_EXPIRATION").and_then(timestamp::parse_rfc3339),
        ..Credentials::new(access_key, Secret::new(secret_key))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_outright_is_stronger_than_the_environment() {
        let variables = [("AWS_REGION", "eu-west-1"), ("AWS_CA_BUNDLE", "/theirs")];
        let environment: Environment =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let own = Some("https://minio.example:9000");
        let told = environment.told(Some("us-west-2"), own, Some(Path::new("/ours")));
        assert_eq!(told.get("AWS_REGION"), Some("us-west-2"));
        assert_eq!(told.get("AWS_CA_BUNDLE"), Some("/ours"));
        assert_eq!(told.store(), own);
        for host in ["s3.eu-west-1.amazonaws.com", "bucket.vpce-1a.s3.eu-west-1.vpce.amazonaws.com"] {
            let aws = environment.told(None, Some(&format!("https://{host}")), None);
            assert_eq!((aws.get("AWS_REGION"), aws.store()), (Some("eu-west-1"), None), "{host}");
        }
    }

    pub fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn names_of_aws_go_before_those_of_minio() {
        for (pairs, key) in [
            (
                &[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s"), ("MINIO_ACCESS_KEY", "m")][..],
                Some("a"),
            ),
            (&[("AWS_ACCESS_KEY", "a"), ("AWS_SECRET_KEY", "s")], Some("a")),
            (&[("MINIO_ACCESS_KEY", "m"), ("MINIO_SECRET_KEY", "s")], Some("m")),
            (&[("MINIO_ROOT_USER", "r"), ("MINIO_ROOT_PASSWORD", "s")], Some("r")),
            (&[("AWS_SECRET_ACCESS_KEY", "s")], None),
            (&[], None),
        ] {
            let found = credentials(&environment(pairs)).expect("good");
            assert_eq!(found.as_ref().map(|found| found.access_key.as_str()), key, "{pairs:?}");
        }
        for half in [
            &[("AWS_ACCESS_KEY_ID", "a")][..],
            &[("AWS_ACCESS_KEY", "a"), ("AWS_SECRET_ACCESS_KEY", "")],
            &[("AWS_ACCESS_KEY_ID", "a"), ("MINIO_ACCESS_KEY", "m"), ("MINIO_SECRET_KEY", "s")],
        ] {
            let error = credentials(&environment(half)).expect_err("half a pair").to_string();
            assert!(error.contains("AWS_SECRET_ACCESS_KEY is not"), "{error}");
        }
    }

    #[test]
    fn tokens_and_expiry_come_along() {
        let found = credentials(&environment(&[
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_SESSION_TOKEN", "t"),
            ("AWS_CREDENTIAL_EXPIRATION", "2030-01-02T03:04:05Z"),
        ]))
        .expect("good")
        .expect("keys");
        assert_eq!(found.session_token, Some(Secret::new("t")));
        assert_eq!(found.expires, timestamp::parse_rfc3339("2030-01-02T03:04:05Z"));
    }
}
