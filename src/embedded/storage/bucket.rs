//! One bucket as plain data: its keys with their versions, its uploads, its settings.
//!
//! Every change to it is also noted in [`Changes`](super::change::Changes), which the journal writes down.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::change::{Scope, Stamp};
use super::condition::WriteConditions;
use super::documents::Documents;
use super::lock::{Bypass, DefaultRetention, Retention};
use super::multipart::Upload;
use super::protection::Protection;
use super::refusal::Refusal;
use super::version::{Lock, NewObject, Object, Version, VersionId};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    #[default]
    Off,
    Enabled,
    Suspended,
}

/// What a bucket is, besides what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub created: SystemTime,
    pub versioning: Versioning,
    pub lock: Option<LockRule>,
    #[serde(default)]
    pub documents: Documents,
    #[serde(default)]
    pub protection: Option<Protection>,
}

/// Object lock is on; it cannot be switched off again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRule {
    pub default: Option<DefaultRetention>,
}

pub struct Bucket {
    pub settings: Settings,
    /// Of each key the versions in the order of writing: the last is the current one. Never empty.
    pub keys: BTreeMap<String, Vec<Arc<Version>>>,
    /// By key, then by id, which grows with time.
    pub uploads: BTreeMap<String, BTreeMap<String, Upload>>,
    /// The latest renamings that had a token, so that a repeated one does nothing more; the oldest first.
    renamings: VecDeque<(String, Renaming)>,
}

/// From key to key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    pub from: String,
    pub to: String,
}

const RENAMINGS_MAX: usize = 1000;

/// What a delete has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The marker that was laid, or the version that was removed.
    pub version: Option<VersionId>,
    /// A marker was laid, or the removed version was one.
    pub marker: bool,
}

impl Bucket {
    pub fn new(settings: Settings) -> Self {
        Self { settings, keys: BTreeMap::new(), uploads: BTreeMap::new(), renamings: VecDeque::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn current(&self, key: &str) -> Option<&Arc<Version>> {
        self.keys.get(key).and_then(|versions| versions.last())
    }

    /// The version asked for, or the current one; it is an object.
    pub fn find(&self, key: &str, id: Option<&VersionId>) -> Result<&Arc<Version>, Refusal> {
        let Some(id) = id else {
            let version = self.current(key).ok_or_else(Refusal::no_such_key)?;
            return if version.is_marker() { Err(Refusal::deleted(version.id.clone())) } else { Ok(version) };
        };
        let versions = self.keys.get(key).ok_or_else(Refusal::no_such_version)?;
        let version =
            versions.iter().find(|version| version.id == *id).ok_or_else(Refusal::no_such_version)?;
        if version.is_marker() { Err(Refusal::is_marker(id.clone())) } else { Ok(version) }
    }

    pub fn check(&self, key: &str, conditions: &WriteConditions) -> Result<(), Refusal> {
        let object = self.current(key).and_then(|version| version.object.as_ref());
        conditions.check(object.map(|object| object.etag.as_str()))
    }

    /// The protection of a new version: what its writer asks for, else the bucket's default.
    pub fn lock_for(&self, asked: Lock, now: SystemTime) -> Result<Lock, Refusal> {
        if let Some(protection) = self.settings.protection {
            let retention = match asked.retention {
                Some(retention) => protection.asked(now, retention.until)?,
                None => protection.retention(now),
            };
            return Ok(Lock { retention: Some(retention), ..asked });
        }
        let Some(rule) = self.settings.lock else {
            let bare = asked == Lock::default();
            return if bare {
                Ok(asked)
            } else {
                Err(Refusal::request("Bucket is missing Object Lock Configuration"))
            };
        };
        Lock::default().may_retain(asked.retention, Bypass::No, now)?;
        let default = || rule.default.map(|default| default.starting(now));
        Ok(Lock { retention: asked.retention.or_else(default), ..asked })
    }

    pub fn put(
        &mut self,
        scope: &mut Scope<'_>,
        key: &str,
        new: NewObject,
        stamp: Stamp,
    ) -> Result<Arc<Version>, Refusal> {
        self.put_again(scope, key, Object::new(new), stamp)
    }

    /// Writes an object that has a past: it grew, or had another name.
    pub fn put_again(
        &mut self,
        scope: &mut Scope<'_>,
        key: &str,
        object: Object,
        stamp: Stamp,
    ) -> Result<Arc<Version>, Refusal> {
        self.may_replace(key, stamp.now)?;
        Ok(self.push(scope, key, Some(object), stamp))
    }

    /// Without versions, to write is to remove what was there; only IBM's protection keeps objects in such buckets.
    fn may_replace(&self, key: &str, now: SystemTime) -> Result<(), Refusal> {
        let null = |version: &&Arc<Version>| version.id == VersionId::Null;
        let replaced = match self.settings.versioning {
            Versioning::Enabled => None,
            Versioning::Off | Versioning::Suspended => self
                .keys
                .get(key)
                .into_iter()
                .flatten()
                .find(null)
                .and_then(|version| version.object.as_ref()),
        };
        replaced.map_or(Ok(()), |object| object.may_remove(Bypass::No, now))
    }

    /// Removes every version of every key that begins so, or, if one of them is protected, none.
    pub fn clear(&mut self, scope: &mut Scope<'_>, prefix: &str, now: SystemTime) -> Result<usize, Refusal> {
        let below = |key: &&String| key.starts_with(prefix);
        let keys: Vec<String> = self.keys.keys().filter(below).cloned().collect();
        let objects = keys.iter().filter_map(|key| self.keys.get(key)).flatten();
        objects
            .filter_map(|version| version.object.as_ref())
            .try_for_each(|it| it.may_remove(Bypass::No, now))?;
        for key in &keys {
            self.keys.remove(key).into_iter().flatten().for_each(|version| scope.remove_version(version));
        }
        Ok(keys.len())
    }

    fn push(
        &mut self,
        scope: &mut Scope<'_>,
        key: &str,
        object: Option<Object>,
        stamp: Stamp,
    ) -> Arc<Version> {
        let versions = self.keys.entry(key.to_owned()).or_default();
        let id = match self.settings.versioning {
            Versioning::Enabled => VersionId::Named(stamp.id()),
            Versioning::Off | Versioning::Suspended => VersionId::Null,
        };
        // Only the version named null is ever replaced; whether it may be was asked before.
        if let Some(at) = versions.iter().position(|version| version.id == id) {
            scope.remove_version(versions.remove(at));
        }
        let version = Arc::new(Version { id, serial: stamp.serial, modified: stamp.second(), object });
        scope.put_version(key, &version);
        versions.push(version.clone());
        version
    }

    /// Removes the version named, for good, or else lays a delete marker (without versioning: removes the object).
    pub fn delete(
        &mut self,
        scope: &mut Scope<'_>,
        key: &str,
        id: Option<&VersionId>,
        bypass: Bypass,
        stamp: Stamp,
    ) -> Result<Deletion, Refusal> {
        match (id, self.settings.versioning) {
            (Some(id), _) => self.remove(scope, key, id, bypass, stamp.now),
            (None, Versioning::Off) => {
                let removed = self.remove(scope, key, &VersionId::Null, bypass, stamp.now)?;
                Ok(Deletion { version: None, ..removed })
            }
            (None, Versioning::Enabled | Versioning::Suspended) => {
                let marker = self.push(scope, key, None, stamp);
                Ok(Deletion { version: Some(marker.id.clone()), marker: true })
            }
        }
    }

    /// Removing what is not there is no error in S3.
    fn remove(
        &mut self,
        scope: &mut Scope<'_>,
        key: &str,
        id: &VersionId,
        bypass: Bypass,
        now: SystemTime,
    ) -> Result<Deletion, Refusal> {
        let deletion = |marker| Deletion { version: Some(id.clone()), marker };
        let Some(versions) = self.keys.get_mut(key) else {
            return Ok(deletion(false));
        };
        let Some(at) = versions.iter().position(|version| version.id == *id) else {
            return Ok(deletion(false));
        };
        if let Some(object) = &versions[at].object {
            object.may_remove(bypass, now)?;
        }
        let removed = versions.remove(at);
        if versions.is_empty() {
            self.keys.remove(key);
        }
        let marker = removed.is_marker();
        scope.remove_version(removed);
        Ok(deletion(marker))
    }

    /// The current object gets another name and loses the old one; what had that name is overwritten.
    pub fn rename(
        &mut self,
        scope: &mut Scope<'_>,
        Renaming { from, to }: &Renaming,
        stamp: Stamp,
    ) -> Result<(), Refusal> {
        if from == to {
            return Err(Refusal::request("An object cannot be renamed to its own name"));
        }
        let source = self.find(from, None)?.clone();
        let object = source.object.clone().ok_or_else(Refusal::no_such_key)?;
        self.may_replace(to, stamp.now)?;
        self.delete(scope, from, None, Bypass::No, stamp)?;
        self.push(scope, to, Some(object), Stamp { now: source.modified, ..stamp });
        Ok(())
    }

    /// Whether this very renaming was done under this token.
    pub fn renamed_before(&self, token: &str, renaming: &Renaming) -> Result<bool, Refusal> {
        match self.renamings.iter().find(|(used, _)| used == token) {
            None => Ok(false),
            Some((_, done)) if done == renaming => Ok(true),
            Some(_) => Err(Refusal::new(
                400,
                "IdempotencyParameterMismatch",
                "The client token was used for another renaming",
            )),
        }
    }

    pub fn note_renaming(&mut self, token: String, renaming: Renaming) {
        if self.renamings.len() == RENAMINGS_MAX {
            self.renamings.pop_front();
        }
        self.renamings.push_back((token, renaming));
    }

    /// Changes what is known about an object; its bytes and its time stay.
    pub fn edit(
        &mut self,
        scope: &mut Scope<'_>,
        key: &str,
        id: Option<&VersionId>,
        edit: impl FnOnce(&mut Object) -> Result<(), Refusal>,
    ) -> Result<Arc<Version>, Refusal> {
        let serial = self.find(key, id)?.serial;
        let versions = self.keys.get_mut(key).into_iter().flatten();
        let version = versions.into_iter().find(|version| version.serial == serial);
        let version = version.ok_or_else(Refusal::no_such_key)?;
        let mut changed = Version::clone(version);
        changed.object.as_mut().map_or(Ok(()), edit)?;
        *version = Arc::new(changed);
        let version = version.clone();
        scope.put_version(key, &version);
        Ok(version)
    }

    /// It has or had versions: replies name them then.
    pub fn is_versioned(&self) -> bool {
        self.settings.versioning != Versioning::Off
    }

    pub fn needs_lock(&self) -> Result<(), Refusal> {
        match self.settings.lock {
            Some(_) => Ok(()),
            None => Err(Refusal::request("Bucket is missing Object Lock Configuration")),
        }
    }

    pub fn set_versioning(&mut self, versioning: Versioning) -> Result<(), Refusal> {
        if versioning != Versioning::Enabled && self.settings.lock.is_some() {
            let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be \
                           changed.";
            return Err(Refusal::new(409, "InvalidBucketState", message));
        }
        self.settings.versioning = versioning;
        Ok(())
    }

    pub fn set_lock_rule(&mut self, rule: LockRule) -> Result<(), Refusal> {
        if self.settings.versioning != Versioning::Enabled {
            let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
            return Err(Refusal::new(409, "InvalidBucketState", message));
        }
        self.settings.lock = Some(rule);
        Ok(())
    }

    /// Changes retention by the rules of [`Lock::may_retain`].
    pub fn retain(
        &mut self,
        scope: &mut Scope<'_>,
        key: &str,
        id: Option<&VersionId>,
        retention: Option<Retention>,
        bypass: Bypass,
        now: SystemTime,
    ) -> Result<Arc<Version>, Refusal> {
        self.needs_lock()?;
        self.edit(scope, key, id, |object| {
            object.lock.may_retain(retention, bypass, now)?;
            object.lock.retention = retention;
            Ok(())
        })
    }
}
