//! `holdfs bucket get`, `set` and `unset`: the configuration documents of a bucket, in XML as the store has them or
//! in JSON. One table says which there are; a new document is a new line in it.

use std::io::Read;
use std::path::Path;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::info::Look;
use crate::cli::object::Format;
use crate::cli::runtime;
use crate::cli::terminal::{self, data};
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
    fn alone(&self) -> Outcome<&str> {
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

    fn id(&self) -> Outcome<&str> {
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
        Err(error) => {
            let name = file.display().to_string();
            Err(Failure::refused(format!("{}: {error}.", terminal::printable(&name))))
        }
    }
}

/// How a document is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As the store has it.
    Stored,
    Json,
}

/// What the command line can do with a setting, whatever its type.
#[async_trait]
trait Documents: Sync {
    async fn get(&self, client: &Client, which: &Which, form: Form) -> Outcome<Option<String>>;
    async fn set(&self, client: &Client, which: &Which, text: String) -> Outcome;
    async fn unset(&self, client: &Client, which: &Which) -> Outcome;
    /// A bucket can have more than one.
    fn are_several(&self) -> bool {
        false
    }
}

/// A type as a value.
struct Of<S>(std::marker::PhantomData<fn() -> S>);

const fn of<S>() -> Of<S> {
    Of(std::marker::PhantomData)
}

/// There is a DELETE for it.
struct Removed<S>(Of<S>);
/// Unset is to put the one that says nothing.
struct Emptied<S>(Of<S>);
/// Can be replaced only.
struct Kept<S>(Of<S>);
/// A bucket has several, each with an id.
struct Several<S>(Of<S>);
/// What the store makes of the policy.
struct Status;

impl<S: Setting + Serialize + DeserializeOwned> Of<S> {
    async fn get(&self, client: &Client, which: &Which, form: Form) -> Outcome<Option<String>> {
        let bucket = which.alone()?;
        if form == Form::Json {
            let document = client.send(&GetSetting::<S>::new(bucket)).await?;
            return document.as_ref().map(json_of).transpose();
        }
        let document = client.send(&GetVerbatim::<S>::new(bucket)).await?;
        Ok(document.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A policy is JSON for the store too; everything else travels as XML.
    async fn set(&self, client: &Client, which: &Which, text: String) -> Outcome {
        let bucket = which.alone()?;
        if S::PUT == BucketPolicy::PUT || is_xml(&text) {
            S::decode(text.as_bytes()).map_err(not_understood)?;
            return Ok(client.send(&PutVerbatim::<S>::new(bucket, text)).await?);
        }
        let document = from_json::<S>(&text)?;
        Ok(client.send(&PutSetting { bucket: bucket.to_owned(), document }).await?)
    }
}

#[async_trait]
impl<S: Removable + Serialize + DeserializeOwned> Documents for Removed<S> {
    async fn get(&self, client: &Client, which: &Which, form: Form) -> Outcome<Option<String>> {
        self.0.get(client, which, form).await
    }
    async fn set(&self, client: &Client, which: &Which, text: String) -> Outcome {
        self.0.set(client, which, text).await
    }
    async fn unset(&self, client: &Client, which: &Which) -> Outcome {
        Ok(client.send(&DeleteSetting::<S>::new(which.alone()?)).await?)
    }
}

#[async_trait]
impl<S: Setting + Blank + Serialize + DeserializeOwned> Documents for Emptied<S> {
    async fn get(&self, client: &Client, which: &Which, form: Form) -> Outcome<Option<String>> {
        self.0.get(client, which, form).await
    }
    async fn set(&self, client: &Client, which: &Which, text: String) -> Outcome {
        self.0.set(client, which, text).await
    }
    async fn unset(&self, client: &Client, which: &Which) -> Outcome {
        let bucket = which.alone()?.to_owned();
        Ok(client.send(&PutSetting { bucket, document: S::blank() }).await?)
    }
}

/// The document that takes back what others said.
trait Blank {
    fn blank() -> Self;
}

impl Blank for Logging {
    fn blank() -> Self {
        Self::default()
    }
}

impl Blank for Notification {
    fn blank() -> Self {
        Self::default()
    }
}

/// Without the default retention; the lock itself cannot be taken away.
impl Blank for ObjectLockConfiguration {
    fn blank() -> Self {
        Self { enabled: true, default_retention: None }
    }
}

#[async_trait]
impl<S: Setting + Serialize + DeserializeOwned> Documents for Kept<S> {
    async fn get(&self, client: &Client, which: &Which, form: Form) -> Outcome<Option<String>> {
        self.0.get(client, which, form).await
    }
    async fn set(&self, client: &Client, which: &Which, text: String) -> Outcome {
        self.0.set(client, which, text).await
    }
    async fn unset(&self, _client: &Client, which: &Which) -> Outcome {
        let message = format!("{} can be changed but not unset: set another document.", which.setting);
        Err(Failure::usage(message))
    }
}

#[async_trait]
impl<S: NamedSetting + Serialize + DeserializeOwned> Documents for Several<S> {
    async fn get(&self, client: &Client, which: &Which, form: Form) -> Outcome<Option<String>> {
        let bucket = &which.bucket;
        match (&which.id, form) {
            (None, _) => all::<S>(client, bucket, form).await.map(Some),
            (Some(id), Form::Json) => {
                let document = client.send(&GetNamed::<S>::new(bucket, id)).await?;
                document.as_ref().map(json_of).transpose()
            }
            (Some(id), Form::Stored) => {
                let document = client.send(&GetNamedVerbatim::<S>::new(bucket, id)).await?;
                Ok(document.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
            }
        }
    }

    async fn set(&self, client: &Client, which: &Which, text: String) -> Outcome {
        let xml = is_xml(&text);
        let document =
            if xml { S::decode(text.as_bytes()).map_err(not_understood)? } else { from_json::<S>(&text)? };
        if which.id.as_deref().is_some_and(|id| id != document.id()) {
            return Err(Failure::usage(format!("The document calls itself {:?}.", document.id())));
        }
        let (bucket, id) = (which.bucket.clone(), document.id().to_owned());
        if xml {
            return Ok(client.send(&PutNamedVerbatim::<S>::new(bucket, id, text)).await?);
        }
        Ok(client.send(&PutNamed { bucket, document }).await?)
    }

    async fn unset(&self, client: &Client, which: &Which) -> Outcome {
        Ok(client.send(&DeleteNamed::<S>::new(&which.bucket, which.id()?)).await?)
    }

    fn are_several(&self) -> bool {
        true
    }
}

/// The ids, one a line, or all documents as a JSON array.
async fn all<S: NamedSetting + Serialize>(client: &Client, bucket: &str, form: Form) -> Outcome<String> {
    let mut documents = Vec::new();
    let mut list = ListNamed::<S>::new(bucket);
    loop {
        let page = client.send(&list).await?;
        documents.extend(page.documents);
        match page.next {
            None => break,
            next if next == list.continuation_token => {
                return Err(Failure::refused("The listing goes in a circle."));
            }
            next => list.continuation_token = next,
        }
    }
    match form {
        Form::Json => json_of(&documents),
        Form::Stored => Ok(documents.iter().map(NamedSetting::id).collect::<Vec<_>>().join("\n")),
    }
}

#[async_trait]
impl Documents for Status {
    async fn get(&self, client: &Client, which: &Which, form: Form) -> Outcome<Option<String>> {
        let get = GetBucketPolicyStatus { bucket: which.alone()?.to_owned() };
        let Some(status) = client.send(&get).await? else { return Ok(None) };
        let word = if status.is_public == Some(true) { "public" } else { "not public" };
        if form == Form::Json { json_of(&status).map(Some) } else { Ok(Some(word.to_owned())) }
    }
    async fn set(&self, _client: &Client, _which: &Which, _text: String) -> Outcome {
        Err(Failure::usage("policy-status follows from the policy: set policy instead."))
    }
    async fn unset(&self, _client: &Client, _which: &Which) -> Outcome {
        Err(Failure::usage("policy-status follows from the policy: unset policy instead."))
    }
}

fn is_xml(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('<')
}

fn json_of(document: &impl Serialize) -> Outcome<String> {
    serde_json::to_string_pretty(document)
        .map_err(|error| Failure::refused(format!("The document has no JSON form: {error}.")))
}

fn from_json<S: DeserializeOwned>(text: &str) -> Outcome<S> {
    serde_json::from_str(text)
        .map_err(|error| Failure::usage(format!("The document is not understood: {error}.")))
}

fn not_understood(error: crate::s3::Error) -> Failure {
    Failure::usage(format!("The document is not understood: {}", error.message()))
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

    #[test]
    fn xml_is_told_from_json() {
        assert!(is_xml("\u{feff}\n <A/>") && !is_xml("{\"A\": 1}"));
    }
}
