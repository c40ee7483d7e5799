//! Files of tools that came before the profile files: `AWS_CREDENTIAL_FILE`, and boto's configuration.

use std::path::PathBuf;

use super::{Credentials, Environment};
use crate::base::secret::Secret;
use crate::s3::Error;

/// What a file may call the two halves of a pair.
const NAMES: [(&str, &str); 2] =
    [("AWSAccessKeyId", "AWSSecretKey"), ("aws_access_key_id", "aws_secret_access_key")];

/// Those of the first file that has a whole pair. A file that a variable names must be there.
pub fn credentials(environment: &Environment) -> Result<Option<Credentials>, Error> {
    for (path, is_named) in files(environment) {
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                if let Some(found) = NAMES.iter().find_map(|names| pair(&text, *names)) {
                    return Ok(Some(found));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => {}
            Err(error) => return Err(Error::invalid(format!("{}: {error}", path.display()))),
        }
    }
    Ok(None)
}

fn files(environment: &Environment) -> Vec<(PathBuf, bool)> {
    let named = |variable: &str| environment.get(variable).map(|path| (PathBuf::from(path), true));
    let mut files: Vec<_> = named("AWS_CREDENTIAL_FILE").into_iter().collect();
    match named("BOTO_CONFIG") {
        Some(boto) => files.push(boto),
        None => {
            files.push(("/etc/boto.cfg".into(), false));
            files.extend(environment.home().map(|home| (home.join(".boto"), false)));
        }
    }
    files
}

/// Lines of `name = value`, outside of sections or in `[Credentials]`.
pub(super) fn pair(text: &str, (access_key, secret_key): (&str, &str)) -> Option<Credentials> {
    let mut is_ours = true;
    let (mut access, mut secret) = (None, None);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_ours = section.trim_end_matches(']').trim() == "Credentials";
        } else if let Some((name, value)) = line.split_once('=').filter(|_| is_ours) {
            match name.trim() {
                name if name == access_key => access = Some(value.trim()),
                name if name == secret_key => secret = Some(Secret::new(value.trim())),
                _ => {}
            }
        }
    }
    Some(Credentials::new(access?, secret?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_have_pairs_of_keys() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let credential = file("credential", "AWSAccessKeyId=AK1\nAWSSecretKey=S=1\n");
        let boto = file(
            "boto",
            "[Boto]\naws_access_key_id = NO\n[Credentials]\naws_access_key_id = AK2\naws_secret_access_key = S2\n",
        );
        file(".boto", "[Credentials]\naws_access_key_id = AK3\naws_secret_access_key = S3\n");
        let half = file("half", "[Credentials]\naws_access_key_id = AK4\n");
        let home = folder.path().display().to_string();
        for (pairs, keys) in [
            (&[("AWS_CREDENTIAL_FILE", &credential), ("BOTO_CONFIG", &boto)][..], Some(("AK1", "S=1"))),
            (&[("BOTO_CONFIG", &boto)], Some(("AK2", "S2"))),
            (&[("AWS_CREDENTIAL_FILE", &half), ("BOTO_CONFIG", &boto)], Some(("AK2", "S2"))),
            (&[("HOME", &home)], Some(("AK3", "S3"))),
            (&[("BOTO_CONFIG", &half)], None),
        ] {
            let environment =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect();
            let found = credentials(&environment).expect("read");
            let keys = keys.map(|(access_key, secret)| Credentials::new(access_key, Secret::new(secret)));
            assert_eq!(found, keys, "{pairs:?}");
        }
        let gone = [("BOTO_CONFIG".to_owned(), "/nowhere/boto".to_owned())].into_iter().collect();
        assert!(credentials(&gone).is_err());
    }
}
