//! What files, commands and services say of credentials, for the fuzz targets: a text in, and no panic.

use super::ibm::CredentialsFile;
use super::profile::Profiles;
use super::{Environment, fetch, legacy, login, minio, process, sso, sts, way};

/// The config file, a line of `---`, and the credentials file.
pub fn profile(text: &str) {
    let (config, credentials) = text.split_once("\n---\n").unwrap_or((text, ""));
    let Ok(profiles) = Profiles::merged(config, credentials) else { return };
    let environment = Environment::default();
    for name in [None, Some("a")] {
        let _ = profiles.store(&environment, name);
        let _ = profiles.endpoint(&environment, name.unwrap_or("default"), "sts");
        let _ = way::of(&profiles, &environment, name.unwrap_or("default"));
    }
}

/// A command line of a profile.
pub fn command(text: &str) {
    let _ = process::split(text);
}

/// Each of the documents that could be meant.
pub fn json(text: &str) {
    let text = text.as_bytes();
    let _ = process::parse(text);
    let _ = sso::parse(text);
    let _ = fetch::parse(text);
    let _ = minio::aliases(text);
    let _ = serde_json::from_slice::<CredentialsFile>(text).map(|file| file.found(&Environment::default()));
    let _ = serde_json::from_slice(text).map(|fields| login::keys_of(&fields));
}

/// An answer of STS.
pub fn sts(text: &str) {
    let _ = sts::parse("AssumeRole", text.as_bytes());
}

/// An address of an alias with its keys.
pub fn mc_host(text: &str) {
    let _ = minio::parse_url(text);
}

/// A file of boto's.
pub fn boto(text: &str) {
    let _ = legacy::pair(text, ("aws_access_key_id", "aws_secret_access_key"));
}
