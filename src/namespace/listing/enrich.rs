//! User metadata for the entries of a listing, where it is asked for: one HEAD per entry that the listing did not
//! bring it along for, many at once, and once per object version.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

use super::page::{self, FLAG_BYTES, Page};
use crate::namespace::attributes::Posix;
use crate::namespace::entry::{Entry, Tag, Version};
use crate::namespace::{Namespace, Node, PosixMetadata, Result, name};
use crate::s3::ErrorKind;
use crate::s3::ops::{ListObjectsV2Output, ObjectHeaders};

/// HEAD requests of one listing in flight.
const HEADS_AT_ONCE: usize = 32;

/// An object version whose metadata is known: the key, its ETag and, since a copy onto itself can keep that, when it
/// was stored, in seconds.
pub type VersionKey = (Arc<str>, Tag, i64);

impl Namespace {
    /// Is user metadata of what lies in this directory shown? `seen` is what a listing of it says of the flag.
    pub(in crate::namespace) async fn believes_metadata(
        &self,
        directory: &Arc<Node>,
        seen: Option<bool>,
    ) -> Result<bool> {
        match self.options.posix {
            PosixMetadata::Off => Ok(false),
            PosixMetadata::Full => Ok(true),
            PosixMetadata::Own => self.flag(directory, seen).await,
        }
    }

    /// Does the directory carry the flag object? Asked at the store if it is not known.
    pub(in crate::namespace) async fn flag(&self, directory: &Arc<Node>, seen: Option<bool>) -> Result<bool> {
        if let Some(seen) = seen {
            self.set_flag(directory, seen);
            return Ok(seen);
        }
        if let Some(known) = self.flags.get(&directory.id()) {
            return Ok(known);
        }
        let key = name::file_key(&directory.key(), name::FLAG);
        let there = self.head_for_metadata(&key).await?.is_some_and(|headers| headers.size == FLAG_BYTES);
        self.set_flag(directory, there);
        Ok(there)
    }

    /// Whether metadata would be believed, as far as that can be told without asking.
    pub(in crate::namespace) fn flag_known(&self, directory: &Arc<Node>) -> Option<bool> {
        match self.options.posix {
            PosixMetadata::Off => Some(false),
            PosixMetadata::Full => Some(true),
            PosixMetadata::Own => self.flags.get(&directory.id()),
        }
    }

    /// Headers for the sake of metadata: `None` if there is no object, or none that we may look at.
    pub(in crate::namespace) async fn head_for_metadata(&self, key: &str) -> Result<Option<ObjectHeaders>> {
        if name::check_key(key).is_err() {
            return Ok(None);
        }
        match self.catalog.head(key).await {
            Ok(headers) => Ok(Some(headers)),
            Err(error) => match error.kind() {
                ErrorKind::NoSuchKey | ErrorKind::Denied => Ok(None),
                _ => Err(error.into()),
            },
        }
    }

    /// Adds to the entries of a page what their metadata says.
    pub(super) async fn enrich(
        &self,
        directory: &Arc<Node>,
        prefix: &str,
        page: &mut Page,
        output: &ListObjectsV2Output,
    ) -> Result<()> {
        if page.entries.is_empty() || !self.believes_metadata(directory, page.flag).await? {
            return Ok(());
        }
        let mut told =
            page::listed_metadata(prefix, output).into_iter().collect::<std::collections::HashMap<_, _>>();
        let mut open = Vec::new();
        for (index, entry) in page.entries.iter_mut().enumerate() {
            match told.remove(&*entry.name).filter(|_| !entry.is_directory()) {
                Some(metadata) => entry.set_posix(Posix::decode(metadata, &entry.name)),
                None => open.push((index, entry.clone())),
            }
        }
        let mut heads = stream::iter(open)
            .map(
                |(index, entry)| async move { self.look_at(prefix, entry).await.map(|entry| (index, entry)) },
            )
            .buffer_unordered(HEADS_AT_ONCE);
        while let Some(looked_at) = heads.next().await {
            let (index, entry) = looked_at?;
            page.entries[index] = entry;
        }
        Ok(())
    }

    async fn look_at(&self, prefix: &str, mut entry: Entry) -> Result<Entry> {
        let slash = if entry.is_directory() { "/" } else { "" };
        let key: Arc<str> = [prefix, &entry.name, slash].concat().into();
        if let Some(posix) = entry.version.as_ref().and_then(|version| self.metadata_of(&key, version)) {
            entry.set_posix(posix);
            return Ok(entry);
        }
        let Some(headers) = self.head_for_metadata(&key).await? else { return Ok(entry) };
        let posix = Posix::decode(&headers.metadata, &key);
        if let Some(version) = Version::headed(&headers) {
            self.keep_metadata(key, &version, &posix);
            entry.version = Some(version);
        }
        entry.set_posix(posix);
        Ok(entry)
    }

    fn metadata_of(&self, key: &Arc<str>, version: &Version) -> Option<Posix> {
        self.metadata
            .get(&version_key(key.clone(), version))
            .map(|known| known.map_or_else(Posix::default, |posix| *posix))
    }

    pub(in crate::namespace) fn keep_metadata(&self, key: Arc<str>, version: &Version, posix: &Posix) {
        let known = (!posix.is_empty()).then(|| Box::new(posix.clone()));
        self.metadata.insert(version_key(key, version), known, std::time::Duration::MAX);
    }
}

fn version_key(key: Arc<str>, version: &Version) -> VersionKey {
    (key, version.tag.clone(), version.modified.seconds())
}
