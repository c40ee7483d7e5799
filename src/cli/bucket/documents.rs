//! What the command line can do with a document of a bucket, by its kind: some are removed, some are emptied, some can
//! only be replaced, and of some a bucket has several.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::settings::Which;
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::settings::*;

/// How a document is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As the store has it.
    Stored,
    Json,
}

/// What the command line can do with a setting, whatever its type.
#[async_trait]
pub(super) trait Documents: Sync {
    async fn get(&self, client: &Client, which: &Which, form: Form) -> Outcome<Option<String>>;
    async fn set(&self, client: &Client, which: &Which, text: String) -> Outcome;
    async fn unset(&self, client: &Client, which: &Which) -> Outcome;
    /// A bucket can have more than one.
    fn are_several(&self) -> bool {
        false
    }
}

/// A type as a value.
pub(super) struct Of<S>(std::marker::PhantomData<fn() -> S>);

pub(super) const fn of<S>() -> Of<S> {
    Of(std::marker::PhantomData)
}

/// There is a DELETE for it.
pub(super) struct Removed<S>(pub(super) Of<S>);
/// Unset is to put the one that says nothing.
pub(super) struct Emptied<S>(pub(super) Of<S>);
/// Can be replaced only.
pub(super) struct Kept<S>(pub(super) Of<S>);
/// A bucket has several, each with an id.
pub(super) struct Several<S>(pub(super) Of<S>);
/// What the store makes of the policy.
pub(super) struct Status;

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
    fn xml_is_told_from_json() {
        assert!(is_xml("\u{feff}\n <A/>") && !is_xml("{\"A\": 1}"));
    }
}
