//! One name at the store: HEAD of the key and LIST of what lies below it, raced.
//!
//! A directory wins as soon as the listing shows anything below `key/`. A file needs both answers, since a directory
//! would shadow it; absence needs the store's word twice: 404 for the object, and an empty listing. What is neither
//! (403, 5xx, a time-out, a torn reply) is an error, with two exceptions: who may not list can still open files, and
//! who may list but not read still sees what a listing shows.

use std::sync::Arc;

use futures_util::future::{Either, select};

use super::catalog::{Catalog, ListRequest, Pager};
use super::entry::{Entry, Version};
use super::name;
use super::tree::{Admitted, Asked};
use super::{Error, Namespace, Node, Result};
use crate::s3::ops::ObjectHeaders;
use crate::s3::{self, ErrorKind};

/// What the store says of a name.
#[derive(Clone, Debug)]
pub enum Answer {
    Absent,
    /// With its marker, if it has one.
    Directory(Option<Version>),
    File(Arc<ObjectHeaders>),
    /// The listing shows an object whose headers the store refuses.
    Listed(Version),
}

/// A shared answer, and when the question began.
pub type Flight = s3::Result<(Answer, Asked)>;

impl Namespace {
    /// Asks the store, whatever memory knows (except of local changes); concurrent questions are one.
    pub async fn lookup(&self, parent: &Arc<Node>, name: &str) -> Result<Option<Arc<Node>>> {
        name::nameable(name)?;
        if !parent.is_directory() {
            return Err(Error::NotDirectory);
        }
        if self.standing(parent, name) != name::Standing::Free {
            return Ok(None);
        }
        loop {
            if !parent.is_reachable() {
                return Err(Error::Unlinked);
            }
            if let Some(certain) = self.tree.lock().certain(parent, name) {
                return Ok(certain);
            }
            let (answer, asked) = self.question(parent, name).await?;
            let entry = self.entry_of(parent, name, answer).await?;
            match self.tree.lock().admit(parent, name, entry.as_ref(), &asked) {
                Admitted::Present(node) => return Ok(Some(node)),
                Admitted::Absent => return Ok(None),
                // The directory was renamed meanwhile: the answer is about another key.
                Admitted::Moved => {}
            }
        }
    }

    /// Who asks for strict freshness must not be served an answer to a question that began before its own.
    async fn question(&self, parent: &Arc<Node>, name: &str) -> Result<(Answer, Asked)> {
        let ask = || {
            let asked = self.tree.lock().ask();
            let key = name::file_key(&parent.key(), name);
            let catalog = self.catalog.clone();
            async move { ask(catalog, &key).await.map(|answer| (answer, asked)) }
        };
        let flight = if self.options.ttl.is_zero() {
            ask().await
        } else {
            let lost = |_| Err(s3::Error::new(ErrorKind::Bug, "the lookup ended without an answer"));
            self.flights.run((parent.id(), name.into()), ask).await.unwrap_or_else(lost)
        };
        Ok(flight?)
    }

    /// Adds what user metadata says, where it is to be believed.
    async fn entry_of(&self, parent: &Arc<Node>, name: &str, answer: Answer) -> Result<Option<Entry>> {
        let name: Arc<str> = name.into();
        Ok(match answer {
            Answer::Absent => None,
            Answer::Listed(version) => Some(Entry::file(name, version)),
            Answer::Directory(marker) => Some(self.directory_entry(parent, name, marker).await?),
            Answer::File(headers) => Some(self.file_entry(parent, name, &headers).await?),
        })
    }

    pub(super) async fn file_entry(
        &self,
        parent: &Arc<Node>,
        name: Arc<str>,
        headers: &ObjectHeaders,
    ) -> Result<Entry> {
        let posix = super::Posix::decode(&headers.metadata, &name);
        let version = Version::headed(headers).ok_or_else(|| unpinnable(&name))?;
        let mut entry = Entry::file(name, version);
        if !posix.is_empty() && self.believes_metadata(parent, None).await? {
            entry.set_posix(posix);
        }
        Ok(entry)
    }

    async fn directory_entry(
        &self,
        parent: &Arc<Node>,
        name: Arc<str>,
        marker: Option<Version>,
    ) -> Result<Entry> {
        let mut entry = Entry::directory(name);
        let may_have_metadata = marker.is_some() && self.flag_known(parent) != Some(false);
        entry.version = marker;
        if may_have_metadata {
            let key = name::directory_key(&parent.key(), &entry.name);
            let headers = self.head_for_metadata(&key).await?;
            let posix =
                headers.map(|headers| super::Posix::decode(&headers.metadata, &key)).unwrap_or_default();
            if !posix.is_empty() && self.believes_metadata(parent, None).await? {
                entry.set_posix(posix);
            }
        }
        Ok(entry)
    }
}

fn unpinnable(name: &str) -> s3::Error {
    s3::Error::decode(format!(
        "the store sent no ETag for {name:?}, so reads of it cannot be pinned to one version"
    ))
}

async fn ask(catalog: Arc<dyn Catalog>, key: &str) -> s3::Result<Answer> {
    name::check_key(key).map_err(|error| s3::Error::new(ErrorKind::KeyTooLong, error.to_string()))?;
    let below = Box::pin(first_below(&catalog, key));
    let (head, below) = match select(catalog.head(key), below).await {
        Either::Left((head, below)) => (head, below.await),
        Either::Right((Ok(Some(marker)), _)) => return Ok(Answer::Directory(marker.version())),
        Either::Right((below, head)) => (head.await, below),
    };
    match decide(head, below)? {
        Decision::Answer(answer) => Ok(answer),
        Decision::LookInListing(denied) => listed(&catalog, key).await?.map(Answer::Listed).ok_or(denied),
    }
}

/// The first thing below a key that makes it a directory.
#[derive(Clone, Debug)]
enum Below {
    Marker(Version),
    Child,
}

impl Below {
    fn version(self) -> Option<Version> {
        match self {
            Self::Marker(version) => Some(version),
            Self::Child => None,
        }
    }
}

async fn first_below(catalog: &Arc<dyn Catalog>, key: &str) -> s3::Result<Option<Below>> {
    let prefix = format!("{key}/");
    if name::check_key(&prefix).is_err() {
        return Ok(None);
    }
    let request = ListRequest { prefix: prefix.clone(), max_keys: 2, ..ListRequest::default() };
    let mut pager = Pager::new(catalog.clone(), request);
    while let Some(page) = pager.next().await? {
        // A sloppy store may answer with other keys than were asked for.
        if let Some(object) = page.objects.iter().find(|object| object.key.starts_with(&prefix)) {
            let is_marker = object.key == prefix;
            return Ok(Some(if is_marker { Below::Marker(Version::listed(object)) } else { Below::Child }));
        }
    }
    Ok(None)
}

/// The object as a listing shows it: the first key with its own name as the prefix.
async fn listed(catalog: &Arc<dyn Catalog>, key: &str) -> s3::Result<Option<Version>> {
    let request = ListRequest { prefix: key.to_owned(), max_keys: 1, ..ListRequest::default() };
    let page = Pager::new(catalog.clone(), request).next().await?;
    Ok(page.iter().flat_map(|page| &page.objects).find(|object| object.key == key).map(Version::listed))
}

#[derive(Debug)]
enum Decision {
    Answer(Answer),
    /// The store refuses the object's headers, but lets us list: absent or not, a listing can say. If it shows
    /// nothing, the refusal stands, since without permissions S3 says 403 of absent names too.
    LookInListing(s3::Error),
}

fn decide(head: s3::Result<ObjectHeaders>, below: s3::Result<Option<Below>>) -> s3::Result<Decision> {
    let answer = match (head, below) {
        (_, Ok(Some(below))) => Answer::Directory(below.version()),
        (Ok(headers), Ok(None)) => Answer::File(Arc::new(headers)),
        (Ok(headers), Err(error)) if error.kind() == ErrorKind::Denied => Answer::File(Arc::new(headers)),
        (Ok(_), Err(error)) => return Err(error),
        (Err(absent), Ok(None)) if absent.kind() == ErrorKind::NoSuchKey => Answer::Absent,
        (Err(absent), Err(error)) if absent.kind() == ErrorKind::NoSuchKey => return Err(error),
        (Err(denied), Ok(None)) if denied.kind() == ErrorKind::Denied => {
            return Ok(Decision::LookInListing(denied));
        }
        (Err(error), _) => return Err(error),
    };
    Ok(Decision::Answer(answer))
}

#[cfg(test)]
mod tests {
    use std::result::Result;

    use super::*;
    use crate::s3::ETag;

    fn head(kind: Option<ErrorKind>) -> s3::Result<ObjectHeaders> {
        let headers = ObjectHeaders { etag: Some(ETag("e".into())), ..ObjectHeaders::default() };
        kind.map_or(Ok(headers), |kind| Err(s3::Error::new(kind, "head")))
    }

    fn below(kind: Result<bool, ErrorKind>) -> s3::Result<Option<Below>> {
        match kind {
            Ok(any) => Ok(any.then_some(Below::Child)),
            Err(kind) => Err(s3::Error::new(kind, "list")),
        }
    }

    #[test]
    fn only_the_word_of_the_store_makes_a_name_absent() {
        use ErrorKind::*;
        let table: &[(Option<ErrorKind>, Result<bool, ErrorKind>, &str)] = &[
            (None, Ok(false), "file"),
            (None, Ok(true), "directory"),
            (Some(NoSuchKey), Ok(true), "directory"),
            (Some(Denied), Ok(true), "directory"),
            (Some(Unavailable), Ok(true), "directory"),
            (Some(NoSuchKey), Ok(false), "absent"),
            (Some(Denied), Ok(false), "look in the listing"),
            (None, Err(Denied), "file"),
            (None, Err(Unavailable), "list: Unavailable"),
            (None, Err(TimedOut), "list: TimedOut"),
            (Some(NoSuchKey), Err(Denied), "list: Denied"),
            (Some(NoSuchKey), Err(Throttled), "list: Throttled"),
            (Some(NoSuchKey), Err(NoSuchBucket), "list: NoSuchBucket"),
            (Some(Denied), Err(Denied), "head: Denied"),
            (Some(Unavailable), Ok(false), "head: Unavailable"),
            (Some(TimedOut), Ok(false), "head: TimedOut"),
            (Some(Corrupt), Ok(false), "head: Corrupt"),
            (Some(NoSuchBucket), Ok(false), "head: NoSuchBucket"),
        ];
        for (head_kind, below_kind, expected) in table {
            let told = match decide(head(*head_kind), below(*below_kind)) {
                Ok(Decision::Answer(Answer::File(_) | Answer::Listed(_))) => "file".to_owned(),
                Ok(Decision::Answer(Answer::Directory(_))) => "directory".to_owned(),
                Ok(Decision::Answer(Answer::Absent)) => "absent".to_owned(),
                Ok(Decision::LookInListing(_)) => "look in the listing".to_owned(),
                Err(error) => format!("{}: {:?}", error.message(), error.kind()),
            };
            assert_eq!(told, *expected, "HEAD {head_kind:?}, LIST {below_kind:?}");
        }
    }
}
