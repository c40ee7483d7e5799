//! The standard places, one after the other.

use parking_lot::Mutex;

use super::container::Container;
use super::environment::{self, Environment};
use super::instance::Instance;
use super::profile::Profiles;
use super::{Credentials, Fetching, Source};
use crate::s3::{Error, ErrorKind};

/// Environment, profile, container, instance metadata. The first that answers is kept to from then on.
pub struct Chain {
    environment: Environment,
    /// Named by whom we serve: the environment's keys are not looked at.
    profile: Option<String>,
    kept: Mutex<Option<Place>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Environment,
    Profile,
    Container,
    Instance,
}

const ORDER: [Place; 4] = [Place::Environment, Place::Profile, Place::Container, Place::Instance];

impl Chain {
    pub fn new(environment: Environment, profile: Option<&str>) -> Self {
        Self { environment, profile: profile.map(str::to_owned), kept: Mutex::new(None) }
    }

    /// `None` where that place has nothing to say; an error where it should have keys and has not.
    async fn ask(&self, place: Place) -> Result<Option<Credentials>, Error> {
        match place {
            Place::Environment => {
                Ok(if self.profile.is_none() { environment::credentials(&self.environment) } else { None })
            }
            Place::Profile => {
                Profiles::load(&self.environment)?.credentials(&self.environment, self.profile.as_deref())
            }
            // A profile by name is an order, not a hint.
            Place::Container | Place::Instance if self.profile.is_some() => Ok(None),
            Place::Container => match Container::from_environment(&self.environment)? {
                Some(container) => container.fetch().await.map(Some),
                None => Ok(None),
            },
            Place::Instance => match Instance::from_environment(&self.environment) {
                Some(instance) => instance.fetch().await,
                None => Ok(None),
            },
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
            Some(profile) => format!("the profile {profile:?} has no keys in ~/.aws/credentials nor ~/.aws/config"),
            None => "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile, or \
                     ask for anonymous access. Looked at: environment, profile files, container, instance metadata"
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
        assert_eq!(find(environment(&[]), None).await, Err(ErrorKind::NoCredentials));
    }
}
