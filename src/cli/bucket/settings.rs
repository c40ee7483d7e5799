//! `holdfs bucket get`, `set` and `unset`: the configuration documents of a bucket, in XML as the store has them or
//! in JSON. One table says which there are; a new document is a new line in it.

use std::io::Read;
use std::path::Path;

use serde_json::json;

use super::documents::{Documents, Emptied, Form, Kept, Removed, Several, Status, of};
use super::info::Look;
use crate::cli::object::Format;
use crate::cli::runtime;
use crate::cli::terminal::data;
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::settings::*;
use crate::s3::vendor::ibm::BucketProtection;

/// What can be got, set and unset, by the name that is typed.
const SETTINGS: &[(&str, &dyn Documents)] = &[
    ("abac", &Kept(of::<AttributeAccess>())),
    ("accelerate", &Kept(of::<Acceleration>())),
    ("acl", &Kept(of::<AccessControl>())),
    ("analytics", &Several(of::<Analytics>())),
    ("cors", &Removed(of::<CorsConfiguration>())),
    ("encryption", &Removed(of::<BucketEncryption>())),
    ("intelligent-tiering", &Several(of::<IntelligentTiering>())),
    ("inventory", &Several(of::<Inventory>())),
    ("lifecycle", &Removed(of::<Lifecycle>())),
    ("logging", &Emptied(of::<Logging>())),
    ("metrics", &Several(of::<Metrics>())),
    ("notification", &Emptied(of::<Notification>())),
    ("object-lock", &Emptied(of::<ObjectLockConfiguration>())),
    ("ownership", &Removed(of::<OwnershipControls>())),
    ("policy", &Removed(of::<BucketPolicy>())),
    ("policy-status", &Status),
    ("protection", &Kept(of::<BucketProtection>())),
    ("public-access-block", &Removed(of::<PublicAccessBlock>())),
    ("replication", &Removed(of::<Replication>())),
    ("request-payment", &Kept(of::<RequestPayment>())),
    ("tags", &Removed(of::<BucketTags>())),
    ("versioning", &Kept(of::<Versioning>())),
    ("website", &Removed(of::<Website>())),
];

pub(super) fn names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(SETTINGS.iter().map(|(name, _)| *name))
}

/// What is asked for: the document `id` of a setting, where it has several.
pub(super) struct Which {
    pub bucket: String,
    pub setting: String,
    pub id: Option<String>,
}

impl Which {
    fn documents(&self) -> Outcome<&'static dyn Documents> {
        let found = SETTINGS.iter().find(|(name, _)| *name == self.setting);
        found
            .map(|(_, documents)| *documents)
            .ok_or_else(|| Failure::usage(format!("There is no setting {:?}.", self.setting)))
    }

    fn absent(&self) -> Failure {
        let Self { bucket, setting, .. } = self;
        match &self.id {
            None => Failure::refused(format!("The bucket {bucket} has no {setting} of its own.")),
            Some(id) => Failure::refused(format!("The bucket {bucket} has no {setting} {id:?}.")),
        }
    }

    /// Of a document that is alone.
    pub(super) fn alone(&self) -> Outcome<&str> {
        match &self.id {
            None => Ok(&self.bucket),
            Some(_) => {
                Err(Failure::usage(format!("A bucket has one {} document: leave --id out.", self.setting)))
            }
        }
    }

    /// That it was done is what people asked for; JSON says it.
    fn done(&self, word: &str, format: Format) -> Outcome {
        match format {
            Format::Json => {
                data(json!({ "bucket": self.bucket, "setting": self.setting, "id": self.id, "done": word }))
            }
            Format::Text => Ok(()),
        }
    }

    pub(super) fn id(&self) -> Outcome<&str> {
        self.id.as_deref().ok_or_else(|| {
            Failure::usage(format!(
                "A bucket can have several {} documents: say which with --id.",
                self.setting
            ))
        })
    }
}

/// The names of those that a bucket has one of, or none.
pub(super) fn alone() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter(|(_, documents)| !documents.are_several()).map(|(name, _)| *name)
}

/// One of them, without a failure where the store has none to show.
pub(super) async fn look(client: &Client, bucket: &str, setting: &str) -> Look {
    let which = Which { bucket: bucket.to_owned(), setting: setting.to_owned(), id: None };
    let found = match which.documents() {
        Ok(documents) => documents.get(client, &which, Form::Json).await,
        Err(failure) => Err(failure),
    };
    match found {
        Ok(Some(text)) => Look::Set(serde_json::from_str(&text).unwrap_or(text.into())),
        Ok(None) => Look::Unset,
        Err(Failure { message, error, .. }) => Look::Refused(match error {
            Some(error) if !error.code().is_empty() => error.code().to_owned(),
            Some(error) => error.message().to_owned(),
            None => message,
        }),
    }
}

pub(super) async fn get(client: &Client, which: Which, format: Format) -> Outcome {
    let form = if format == Format::Json { Form::Json } else { Form::Stored };
    match which.documents()?.get(client, &which, form).await? {
        Some(text) => data(text.trim_end()),
        None => Err(which.absent()),
    }
}

pub(super) async fn set(client: &Client, which: Which, file: &Path, format: Format) -> Outcome {
    let file = file.to_owned();
    let text = runtime::blocking(move || read(&file)).await??;
    which.documents()?.set(client, &which, text).await?;
    which.done("set", format)
}

pub(super) async fn unset(client: &Client, which: Which, format: Format) -> Outcome {
    which.documents()?.unset(client, &which).await?;
    which.done("unset", format)
}

fn read(file: &Path) -> Outcome<String> {
    let mut text = String::new();
    let done = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    match done {
        Ok(_) if text.trim().is_empty() => Err(Failure::usage("The document is empty.")),
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::unreadable(file, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_by_name() {
        let names: Vec<&str> = SETTINGS.iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted(), "people look for them in a list");
        let which =
            |setting: &str| Which { bucket: "b".into(), setting: setting.into(), id: Some("i".into()) };
        assert!(which("cors").documents().is_ok() && which("corse").documents().is_err());
        assert!(which("cors").alone().is_err() && which("metrics").id().is_ok());
    }
}
