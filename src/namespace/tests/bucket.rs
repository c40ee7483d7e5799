//! A bucket in memory behind the catalog's questions.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::namespace::catalog::{Catalog, From, ListRequest};
use crate::s3::ops::{ListObjectsV2Output, ListedObject, Metadata, ObjectHeaders};
use crate::s3::{ETag, Error, ErrorKind, ObjectRef, Result};

#[derive(Clone)]
struct Object {
    etag: String,
    size: u64,
    modified: SystemTime,
    metadata: Metadata,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: u64,
    heads: u64,
    lists: u64,
    fail_head: Option<ErrorKind>,
    fail_list: Option<ErrorKind>,
    /// What listings show instead of the truth.
    stale: Option<BTreeMap<String, Object>>,
    /// So many empty pages come before each real one.
    empty_pages: u32,
    repeat_token: bool,
    lists_metadata: bool,
}

pub struct Bucket {
    state: Mutex<State>,
    /// Answers are worked out when asked, and handed over when let through.
    gate: Semaphore,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { state: Mutex::default(), gate: Semaphore::new(Semaphore::MAX_PERMITS) }
    }
}

impl Bucket {
    pub fn put(&self, key: &str) {
        self.put_with(key, key.len() as u64, &[]);
    }

    pub fn put_with(&self, key: &str, size: u64, metadata: &[(&str, &str)]) {
        let mut state = self.state.lock();
        state.uploads += 1;
        let object = Object {
            etag: format!("{:032x}", state.uploads),
            size,
            modified: UNIX_EPOCH + Duration::from_secs(1_700_000_000 + state.uploads),
            metadata: metadata
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        state.objects.insert(key.to_owned(), object);
    }

    /// Puts it back as it was, as a store does that shows its past.
    pub fn resurrect(&self, key: &str, object: &ObjectRef) {
        let past = Object {
            etag: object.etag.0.to_string(),
            size: object.size,
            modified: object.last_modified,
            metadata: Metadata::new(),
        };
        self.state.lock().objects.insert(key.to_owned(), past);
    }

    pub fn delete(&self, key: &str) {
        self.state.lock().objects.remove(key);
    }

    pub fn object(&self, key: &str) -> ObjectRef {
        let state = self.state.lock();
        let object = &state.objects[key];
        ObjectRef {
            key: key.into(),
            etag: ETag(object.etag.as_str().into()),
            last_modified: object.modified,
            version: None,
            size: object.size,
        }
    }

    pub fn fail(&self, head: Option<ErrorKind>, list: Option<ErrorKind>) {
        let mut state = self.state.lock();
        (state.fail_head, state.fail_list) = (head, list);
    }

    /// From now on, listings show the bucket as it is at this moment.
    pub fn freeze_listings(&self) {
        let mut state = self.state.lock();
        state.stale = Some(state.objects.clone());
    }

    pub fn empty_pages(&self, count: u32) {
        self.state.lock().empty_pages = count;
    }

    pub fn repeat_token(&self) {
        self.state.lock().repeat_token = true;
    }

    /// From now on, listings bring metadata along when they are asked to.
    pub fn list_metadata(&self) {
        self.state.lock().lists_metadata = true;
    }

    /// HEAD and LIST requests since the last call.
    pub fn requests(&self) -> (u64, u64) {
        let mut state = self.state.lock();
        (std::mem::take(&mut state.heads), std::mem::take(&mut state.lists))
    }

    pub fn lists(&self) -> u64 {
        self.state.lock().lists
    }

    /// Holds answers back until they are let through.
    pub fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn let_through(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    async fn pass<T>(&self, answer: Result<T>) -> Result<T> {
        let _turn = self.gate.acquire().await.expect("never closed");
        answer
    }

    fn head_now(&self, key: &str) -> Result<ObjectHeaders> {
        let mut state = self.state.lock();
        state.heads += 1;
        if let Some(kind) = state.fail_head {
            return Err(Error::new(kind, "injected"));
        }
        let object = state.objects.get(key).ok_or_else(|| Error::new(ErrorKind::NoSuchKey, "absent"))?;
        Ok(ObjectHeaders {
            etag: Some(ETag(object.etag.as_str().into())),
            last_modified: Some(object.modified),
            size: object.size,
            metadata: object.metadata.clone(),
            ..ObjectHeaders::default()
        })
    }

    fn list_now(&self, request: &ListRequest) -> Result<ListObjectsV2Output> {
        let mut state = self.state.lock();
        state.lists += 1;
        if let Some(kind) = state.fail_list {
            return Err(Error::new(kind, "injected"));
        }
        let objects = state.stale.as_ref().unwrap_or(&state.objects);
        let (from, empty) = match &request.from {
            From::Start => (String::new(), 0),
            From::After(key) => (key.clone(), 0),
            From::Token(token) => {
                let (empty, after) = token.split_once(' ').expect("a token of ours");
                (after.to_owned(), empty.parse().expect("a number"))
            }
        };
        if empty < state.empty_pages {
            let token = Some(format!("{} {from}", empty + 1));
            return Ok(ListObjectsV2Output {
                is_truncated: true,
                next_continuation_token: token,
                ..Default::default()
            });
        }
        let mut page = list(objects, request, &from);
        if state.lists_metadata && request.with_metadata {
            for listed in &mut page.objects {
                listed.metadata = Some(state.objects[&listed.key].metadata.clone());
            }
        }
        if state.repeat_token
            && let (From::Token(token), Some(next)) = (&request.from, &mut page.next_continuation_token)
        {
            next.clone_from(token);
        }
        Ok(page)
    }
}

fn list(objects: &BTreeMap<String, Object>, request: &ListRequest, from: &str) -> ListObjectsV2Output {
    let mut page = ListObjectsV2Output::default();
    let mut last = String::new();
    for (key, object) in objects.range(request.prefix.clone()..) {
        let Some(rest) = key.strip_prefix(&request.prefix) else { break };
        let rolled_up =
            rest.find('/').filter(|_| request.delimited).map(|at| &key[..request.prefix.len() + at + 1]);
        // A token that names a rolled-up prefix goes on after all of it.
        let passed = key.as_str() <= from || rolled_up.is_some_and(|prefix| prefix <= from);
        if passed || rolled_up.is_some_and(|prefix| prefix == last) {
            continue;
        }
        if (page.objects.len() + page.common_prefixes.len()) as u32 == request.max_keys {
            page.is_truncated = true;
            page.next_continuation_token = Some(format!("0 {last}"));
            break;
        }
        match rolled_up {
            Some(prefix) => page.common_prefixes.push(prefix.to_owned()),
            None => page.objects.push(listed(key, object)),
        }
        last = rolled_up.unwrap_or(key).to_owned();
    }
    page
}

fn listed(key: &str, object: &Object) -> ListedObject {
    ListedObject::new(key, ETag(object.etag.as_str().into()), object.size, object.modified)
}

impl Catalog for Bucket {
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectHeaders>> {
        let answer = self.head_now(key);
        self.pass(answer).boxed()
    }

    fn list(&self, request: ListRequest) -> BoxFuture<'_, Result<ListObjectsV2Output>> {
        let answer = self.list_now(&request);
        self.pass(answer).boxed()
    }

    fn lists_metadata(&self) -> bool {
        self.state.lock().lists_metadata
    }
}
