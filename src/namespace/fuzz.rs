//! Keys as paths, for the fuzz target `names`: every key of a bucket is a file at its own path and nowhere else, or
//! one of those that have no path and are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::UNIX_EPOCH;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::catalog::{From, ListRequest};
use super::*;
use crate::s3::ops::{ListObjectsV2Output, ListedObject};
use crate::s3::{ETag, Error as StoreError};

const KEYS_MAX: usize = 24;
const DEPTH_MAX: usize = 40;

/// One key a line; the first byte says how many come in a page of a listing.
pub fn names(input: &[u8]) {
    let Some((&page, lines)) = input.split_first() else { return };
    let lines = lines.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let keys: BTreeSet<String> = lines
        .filter(|key| !key.is_empty() && key.len() <= name::KEY_BYTES_MAX)
        .take(KEYS_MAX)
        .map(str::to_owned)
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let shown = runtime.block_on(walk(keys.clone(), u32::from(page % 8) + 1));
    for (path, key) in &shown {
        assert_eq!(path, key, "a path leads to its own key");
        assert!(keys.contains(key), "{key:?} is shown and not there");
    }
    for key in &keys {
        assert_eq!(shown.contains_key(key), is_shown(key, &keys), "{key:?}, of {keys:?}");
    }
}

/// The rules of the contract, put plainly.
fn is_shown(key: &str, keys: &BTreeSet<String>) -> bool {
    let segments: Vec<&str> = key.split('/').collect();
    let is_dir = |above: &String| above.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
    segments.iter().all(|segment| name::nameable(segment).is_ok())
        && !segments.iter().any(|segment| matches!(*segment, name::FLAG | name::ASIDE))
        && !matches!(segments[0], ".versions" | ".snapshots")
        && !keys.iter().any(is_dir)
        && segments.len() <= DEPTH_MAX
}

/// Files by their paths, and the keys of their nodes.
async fn walk(keys: BTreeSet<String>, page_keys: u32) -> BTreeMap<String, String> {
    let tasks = Tasks::new(tokio::runtime::Handle::current());
    let options = Options { page_keys, posix: PosixMetadata::Off, ..Options::default() };
    let names = Namespace::over(Arc::new(Keys(keys)), "b", "", options, Clock::manual(), tasks);
    let (mut files, mut directories) = (BTreeMap::new(), vec![(String::new(), names.root(), 1)]);
    while let Some((path, directory, depth)) = directories.pop() {
        for (entry, kind) in entries(&names, &directory).await {
            let node =
                names.lookup(&directory, &entry).await.expect("an answer").expect("what is listed is there");
            assert_eq!(node.kind(), kind, "{path}{entry}");
            if kind == FileKind::Directory {
                if depth < DEPTH_MAX {
                    directories.push((format!("{path}{entry}/"), node, depth + 1));
                }
            } else if files.insert(format!("{path}{entry}"), node.key().to_string()).is_some() {
                panic!("{path}{entry} is listed twice");
            }
        }
    }
    files
}

async fn entries(names: &Arc<Namespace>, directory: &Arc<Node>) -> Vec<(String, FileKind)> {
    let (open, mut found, mut cookie) =
        (names.open_directory(directory).expect("a directory"), Vec::new(), 0);
    loop {
        let batch = open.entries(cookie).await.expect("an answer");
        for entry in &batch.entries {
            cookie = entry.cookie;
            found.push((entry.name.to_string(), entry.kind));
        }
        if batch.end {
            return found;
        }
    }
}

/// A bucket that holds nothing but keys.
struct Keys(BTreeSet<String>);

impl Keys {
    fn page(&self, request: &ListRequest) -> ListObjectsV2Output {
        let after = match &request.from {
            From::Start => "",
            From::After(key) | From::Token(key) => key,
        };
        let mut page = ListObjectsV2Output::default();
        let mut last: Option<&str> = None;
        for key in self.0.range::<str, _>((Bound::Included(request.prefix.as_str()), Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(&request.prefix) else { break };
            let slash = rest.find('/').filter(|_| request.delimited);
            let shown = slash.map_or(key.as_str(), |at| &key[..request.prefix.len() + at + 1]);
            if shown <= after || last == Some(shown) {
                continue;
            }
            if page.objects.len() + page.common_prefixes.len() == request.max_keys as usize {
                page.is_truncated = true;
                page.next_continuation_token = last.map(str::to_owned);
                break;
            }
            match slash {
                Some(_) => page.common_prefixes.push(shown.to_owned()),
                None => page.objects.push(listed(key)),
            }
            last = Some(shown);
        }
        page
    }
}

fn listed(key: &str) -> ListedObject {
    ListedObject::new(key, ETag("e".into()), 1, UNIX_EPOCH)
}

impl Catalog for Keys {
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, s3::Result<ObjectHeaders>> {
        let found = ObjectHeaders {
            etag: Some(ETag("e".into())),
            last_modified: Some(UNIX_EPOCH),
            size: 1,
            ..ObjectHeaders::default()
        };
        let absent = StoreError::new(ErrorKind::NoSuchKey, "absent");
        let answer = if self.0.contains(key) { Ok(found) } else { Err(absent) };
        async { answer }.boxed()
    }
    fn list(&self, request: ListRequest) -> BoxFuture<'_, s3::Result<ListObjectsV2Output>> {
        let page = self.page(&request);
        async { Ok(page) }.boxed()
    }
    fn lists_metadata(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_of_names_finds_nothing() {
        crate::base::corpus::replay("names", super::names);
    }
}
