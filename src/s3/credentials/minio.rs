//! Aliases of MinIO's client `mc`: `~/.mc/config.json`, or the variable `MC_HOST_alias`.

use std::collections::BTreeMap;

use super::{Credentials, Environment};
use crate::base::secret::Secret;
use crate::s3::{Error, ErrorKind};

/// The alias that MinIO's libraries take unless another is named.
const USUAL: &str = "s3";
/// What `mc` writes into a new file.
const PLACEHOLDER: &str = "YOUR-ACCESS-KEY-HERE";

/// A store that `mc` knows.
#[derive(Debug, PartialEq, Eq)]
pub struct Alias {
    /// `https://host[:port]`.
    pub url: String,
    /// `None`: it is used anonymously.
    pub credentials: Option<Credentials>,
}

#[derive(serde::Deserialize)]
struct Document {
    /// `hosts` in old files.
    #[serde(alias = "hosts", default)]
    aliases: BTreeMap<String, Entry>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct Entry {
    url: String,
    access_key: String,
    secret_key: String,
    session_token: String,
}

/// The alias of `MINIO_ALIAS`, which must be there, or the one called `s3`.
pub fn alias(environment: &Environment) -> Result<Option<Alias>, Error> {
    let asked = environment.get("MINIO_ALIAS");
    let name = asked.unwrap_or(USUAL);
    if let Some(url) = environment.get(&format!("MC_HOST_{name}")) {
        let wrong = || Error::invalid(format!("MC_HOST_{name} must be https://KEY:SECRET@host[:port]"));
        return parse_url(url).map(Some).ok_or_else(wrong);
    }
    let found = load(environment)?.remove(name).map(Alias::from);
    match asked {
        Some(name) if found.is_none() => {
            let message = format!("MINIO_ALIAS names {name:?}, which the configuration of mc does not have");
            Err(Error::new(ErrorKind::NoCredentials, message))
        }
        _ => Ok(found),
    }
}

fn load(environment: &Environment) -> Result<BTreeMap<String, Entry>, Error> {
    let folder = environment
        .get("MC_CONFIG_DIR")
        .map(Into::into)
        .or_else(|| environment.home().map(|home| home.join(".mc")));
    let Some(path) = folder.map(|folder: std::path::PathBuf| folder.join("config.json")) else {
        return Ok(BTreeMap::new());
    };
    let about = |why: String| Error::invalid(format!("{}: {why}", path.display()));
    match std::fs::read(&path) {
        Ok(text) => aliases(&text).ok_or_else(|| about("this is no configuration of mc".to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(about(error.to_string())),
    }
}

/// `None` where it is no configuration of mc: the parser's own message could quote a key.
pub(super) fn aliases(text: &[u8]) -> Option<BTreeMap<String, Entry>> {
    serde_json::from_slice(text).map(|document: Document| document.aliases).ok()
}

impl From<Entry> for Alias {
    fn from(entry: Entry) -> Self {
        let keys = [&entry.access_key, &entry.secret_key];
        let usable = keys.iter().all(|key| !key.is_empty()) && entry.access_key != PLACEHOLDER;
        let credentials = usable.then(|| Credentials {
            session_token: Some(entry.session_token).filter(|token| !token.is_empty()).map(Secret::new),
            ..Credentials::new(entry.access_key, Secret::new(entry.secret_key))
        });
        Self { url: entry.url.trim_end_matches('/').to_owned(), credentials }
    }
}

/// `https://KEY:SECRET[:TOKEN]@host`; nothing in it is percent-encoded.
pub(super) fn parse_url(url: &str) -> Option<Alias> {
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let (keys, host) = rest.rsplit_once('@').unwrap_or((":", rest));
    let (access_key, secrets) = keys.split_once(':')?;
    let (secret_key, session_token) = secrets.split_once(':').unwrap_or((secrets, ""));
    Some(Alias::from(Entry {
        url: format!("{scheme}://{host}"),
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned(),
        session_token: session_token.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::credentials::tests::assert_silent;

    fn environment(folder: &std::path::Path, pairs: &[(&str, &str)]) -> Environment {
        let folder = ("MC_CONFIG_DIR".to_owned(), folder.display().to_string());
        let own = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        own.chain([folder]).collect()
    }

    #[test]
    fn an_alias_has_an_address_and_keys() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        for map in ["aliases", "hosts"] {
            let text = format!(
                r#"{{"version":"10","{map}":{{"s3":{{"url":"https://s3.amazonaws.com","accessKey":"{PLACEHOLDER}",
                "secretKey":"x","api":"S3v4"}},"mine":{{"url":"http://minio:9000/","accessKey":"AK",
                "secretKey":"canary-s","sessionToken":"canary-t"}}}}}}"#
            );
            std::fs::write(&path, text).expect("written");
            let mine =
                alias(&environment(folder.path(), &[("MINIO_ALIAS", "mine")])).expect("read").expect("there");
            let keys = mine.credentials.as_ref().expect("keys");
            assert_eq!((mine.url.as_str(), keys.access_key.as_str()), ("http://minio:9000", "AK"));
            assert_eq!(keys.session_token, Some(Secret::new("canary-t")));
            assert_silent(&mine);
            let usual = alias(&environment(folder.path(), &[])).expect("read").expect("there");
            assert_eq!(usual.credentials, None, "a new file has no keys");
            let error =
                alias(&environment(folder.path(), &[("MINIO_ALIAS", "gone")])).expect_err("not there");
            assert_eq!(error.kind(), ErrorKind::NoCredentials);
        }
        std::fs::write(&path, "canary").expect("written");
        assert_silent(&alias(&environment(folder.path(), &[])).expect_err("no JSON"));
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(alias(&environment(folder.path(), &[])).expect("nothing"), None);
    }

    #[test]
    fn a_variable_of_mc_beats_its_file() {
        let nowhere = std::path::Path::new("/nowhere");
        for (url, address, keys) in [
            ("https://AK:S/K+@host:9000", "https://host:9000", Some(("AK", "S/K+", None))),
            ("http://AK:SK:TOK@host", "http://host", Some(("AK", "SK", Some("TOK")))),
            ("https://host", "https://host", None),
        ] {
            let found = alias(&environment(nowhere, &[("MINIO_ALIAS", "m"), ("MC_HOST_m", url)]));
            let keys = keys.map(|(access_key, secret_key, token)| Credentials {
                session_token: token.map(Secret::new),
                ..Credentials::new(access_key, Secret::new(secret_key))
            });
            assert_eq!(found.expect("good"), Some(Alias { url: address.to_owned(), credentials: keys }));
        }
        let error = alias(&environment(nowhere, &[("MC_HOST_s3", "AK:canary@host")])).expect_err("no URL");
        assert_silent(&error);
    }
}
