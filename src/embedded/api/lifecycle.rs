//! Lifecycle: reading the rules of a bucket, telling when an object expires, and the sweep that expires it.

use std::time::{Duration, SystemTime};

use s3s::dto::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleRule, LifecycleRuleFilter, Tag, TagSet,
};
use s3s::xml::{Deserialize, Deserializer};

use super::{Api, wire};
use crate::base::timestamp::http_date;
use crate::embedded::storage::bucket::Bucket;
use crate::embedded::storage::lifecycle::{
    Age, Calendar, Fate, Filter, Noncurrent, Rule, aborts, expiry, fates,
};
use crate::embedded::storage::lock::Bypass;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Tags, Version, VersionId};

/// Keys that one hold of the storage's lock may look at.
const KEYS_AT_ONCE: usize = 1000;
/// A sweep comes so often, or as often as the day has hours where days are scaled down.
const SWEEP_MAX: Duration = Duration::from_secs(3600);
const SWEEP_MIN: Duration = Duration::from_millis(100);

/// The rules of a document that are on.
pub fn rules(document: &str) -> Result<Vec<Rule>, Refusal> {
    let mut reader = Deserializer::new(document.as_bytes());
    let configuration =
        BucketLifecycleConfiguration::deserialize(&mut reader).map_err(super::xml::malformed)?;
    let on = |rule: &LifecycleRule| rule.status.as_str() == ExpirationStatus::ENABLED;
    configuration.rules.into_iter().filter(on).map(rule).collect()
}

fn days(days: i32, what: &str, least: i32) -> Result<u32, Refusal> {
    let legal = u32::try_from(days).ok().filter(|_| days >= least);
    legal.ok_or_else(|| Refusal::argument(format!("'{what}' must be a positive integer")))
}

fn rule(rule: LifecycleRule) -> Result<Rule, Refusal> {
    let expiration = rule.expiration.unwrap_or_default();
    let age = match (expiration.days, &expiration.date) {
        (Some(number), None) => Some(Age::Days(days(number, "Days", 1)?)),
        (None, Some(date)) => Some(Age::Date(wire::system_time(date))),
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(super::xml::malformed("an expiration has either Days or Date"));
        }
    };
    let noncurrent = rule.noncurrent_version_expiration.map(|expiration| {
        let number = expiration.noncurrent_days.unwrap_or_default();
        let kept =
            usize::try_from(expiration.newer_noncurrent_versions.unwrap_or_default()).unwrap_or_default();
        Ok::<_, Refusal>(Noncurrent { days: days(number, "NoncurrentDays", 1)?, kept })
    });
    let abort = rule.abort_incomplete_multipart_upload.and_then(|abort| abort.days_after_initiation);
    Ok(Rule {
        id: rule.id.unwrap_or_default(),
        filter: filter(rule.filter, rule.prefix),
        expiration: age,
        lone_markers: expiration.expired_object_delete_marker == Some(true),
        noncurrent: noncurrent.transpose()?,
        abort_days: abort.map(|number| days(number, "DaysAfterInitiation", 1)).transpose()?,
    })
}

fn filter(filter: Option<LifecycleRuleFilter>, old_prefix: Option<String>) -> Filter {
    let filter = filter.unwrap_or_default();
    let (and, bound) = (filter.and.unwrap_or_default(), |bound: Option<i64>| bound?.try_into().ok());
    let tags: TagSet = and.tags.unwrap_or_default().into_iter().chain(filter.tag).collect();
    let pair = |tag: Tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    Filter {
        prefix: and.prefix.or(filter.prefix).or(old_prefix).unwrap_or_default(),
        tags: tags.into_iter().map(pair).collect::<Tags>(),
        larger_than: bound(and.object_size_greater_than.or(filter.object_size_greater_than)),
        smaller_than: bound(and.object_size_less_than.or(filter.object_size_less_than)),
    }
}

/// Those that were understood when they were put.
fn rules_of(bucket: &Bucket) -> Vec<Rule> {
    let document = bucket.settings.documents.get("lifecycle", "");
    document.map(|document| rules(document).unwrap_or_default()).unwrap_or_default()
}

impl Api {
    fn calendar(&self) -> Calendar {
        Calendar { day: self.times.day }
    }

    /// `x-amz-expiration` of a current version.
    pub(super) fn expiration(&self, bucket: &str, key: &str, version: &Version) -> Option<String> {
        let (rules, is_current) = self
            .store
            .read(bucket, |bucket| {
                let current = bucket.current(key).is_some_and(|current| current.serial == version.serial);
                Ok((rules_of(bucket), current))
            })
            .ok()?;
        let (due, id) = expiry(&rules, self.calendar(), key, version).filter(|_| is_current)?;
        Some(format!("expiry-date=\"{}\", rule-id=\"{id}\"", http_date(due)))
    }

    /// Sweeps for ever.
    pub async fn expire(self) {
        let restores = Some(self.times.restore).filter(|restore| !restore.is_zero());
        let pause = (self.times.day / 24).min(restores.unwrap_or(SWEEP_MAX)).clamp(SWEEP_MIN, SWEEP_MAX);
        let mut since = self.store.now();
        loop {
            tokio::time::sleep(pause).await;
            let now = self.store.now();
            for (bucket, _) in self.store.buckets() {
                let told = self.tell_restored(&bucket, since, now);
                if let Err(refusal) = self.sweep(&bucket).await.and(told)
                    && refusal.code != "NoSuchBucket"
                {
                    tracing::warn!(bucket, %refusal, "the lifecycle rules of a bucket were not carried out");
                }
            }
            since = now;
        }
    }

    /// Carries out the rules of one bucket.
    pub(super) async fn sweep(&self, name: &str) -> Result<(), Refusal> {
        let now = self.store.now();
        let rules = self.store.read(name, |bucket| Ok(rules_of(bucket)))?;
        if rules.is_empty() {
            return Ok(());
        }
        self.abort_old_uploads(name, &rules, now).await?;
        let mut after: Option<String> = None;
        loop {
            let (due, last) =
                self.store.read(name, |bucket| Ok(self.due(bucket, &rules, after.as_deref(), now)))?;
            for (key, fate) in due {
                self.carry_out(name, &key, &fate, &rules).await?;
            }
            match last {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// What is to be done with the next keys, and where to go on, if there are more.
    fn due(
        &self,
        bucket: &Bucket,
        rules: &[Rule],
        after: Option<&str>,
        now: SystemTime,
    ) -> (Vec<(String, Fate)>, Option<String>) {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page: Vec<_> = bucket.keys.range::<str, _>((from, Bound::Unbounded)).take(KEYS_AT_ONCE).collect();
        let of_key = |(key, versions): &(&String, &Vec<_>)| {
            let key = (*key).clone();
            let fates = fates(rules, self.calendar(), &key, versions, now);
            fates.into_iter().map(move |fate| (key.clone(), fate))
        };
        let due = page.iter().flat_map(of_key).collect();
        let last = (page.len() == KEYS_AT_ONCE).then(|| page.last().map(|(key, _)| (*key).clone()));
        (due, last.flatten())
    }

    /// Looks again under the lock; what is protected stays.
    async fn carry_out(&self, name: &str, key: &str, fate: &Fate, rules: &[Rule]) -> Result<(), Refusal> {
        let calendar = self.calendar();
        let done = self.store.write(name, |bucket, scope, stamp| {
            let versions = bucket.keys.get(key).map(Vec::as_slice).unwrap_or_default();
            if !fates(rules, calendar, key, versions, stamp.now).contains(fate) {
                return Ok(None);
            }
            let id: Option<VersionId> = match fate {
                Fate::Expire => None,
                Fate::Remove(serial) => versions
                    .iter()
                    .find(|version| version.serial == *serial)
                    .map(|version| version.id.clone()),
            };
            bucket.delete(scope, key, id.as_ref(), Bypass::No, stamp).map(Some)
        });
        match done.await {
            Ok(Some(deletion)) => {
                let laid = *fate == Fate::Expire && deletion.marker;
                let event = if laid {
                    "s3:LifecycleExpiration:DeleteMarkerCreated"
                } else {
                    "s3:LifecycleExpiration:Delete"
                };
                self.tell_gone(event, name, key, deletion.version.as_ref());
                Ok(())
            }
            Ok(None) => Ok(()),
            // Retention and holds are stronger than any rule.
            Err(refusal) if refusal.code == "AccessDenied" => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    async fn abort_old_uploads(&self, name: &str, rules: &[Rule], now: SystemTime) -> Result<(), Refusal> {
        let calendar = self.calendar();
        let old: Vec<_> = self.store.read(name, |bucket| {
            let uploads = bucket.uploads.values().flat_map(|uploads| uploads.values());
            let starts = uploads.map(|upload| upload.start.clone());
            Ok(starts.filter(|start| aborts(rules, calendar, start, now)).collect())
        })?;
        for start in old {
            match self.store.abort_upload(name, &start.key, &start.id).await {
                Err(refusal) if refusal.code != "NoSuchUpload" => return Err(refusal),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_rules() {
        let text = "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><And><Prefix>in/</Prefix>\
            <Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter>\
            <Expiration><Days>3</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>\
            <NewerNoncurrentVersions>4</NewerNoncurrentVersions></NoncurrentVersionExpiration>\
            <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
            </AbortIncompleteMultipartUpload></Rule><Rule><Status>Disabled</Status><Prefix>x</Prefix><Expiration>\
            <Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
        let rules = rules(text).unwrap();
        let filter = Filter {
            prefix: "in/".to_owned(),
            tags: [("k".to_owned(), "v".to_owned())].into(),
            larger_than: Some(5),
            smaller_than: None,
        };
        let expected = Rule {
            id: "a".to_owned(),
            filter,
            expiration: Some(Age::Days(3)),
            lone_markers: false,
            noncurrent: Some(Noncurrent { days: 2, kept: 4 }),
            abort_days: Some(7),
        };
        assert_eq!(rules, [expected]);
    }

    #[test]
    fn rules_without_sense_are_refused() {
        let code = |inner: &str| {
            let text = format!(
                "<LifecycleConfiguration><Rule><Status>Enabled</Status><Prefix></Prefix>{inner}</Rule>\
                 </LifecycleConfiguration>"
            );
            rules(&text).map_or_else(|refusal| refusal.code, |_| "OK")
        };
        assert_eq!(code("<Expiration><Days>0</Days></Expiration>"), "InvalidArgument");
        let both = "<Expiration><Days>1</Days><Date>2026-01-01T00:00:00Z</Date></Expiration>";
        assert_eq!(code(both), "MalformedXML");
        assert_eq!(
            code("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
            "OK"
        );
    }
}
