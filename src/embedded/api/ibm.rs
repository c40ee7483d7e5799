//! What only IBM's stores have: buckets that protect what they hold, legal holds with ids, retention that grows,
//! listings of buckets with their places, replications that failed. What headers say of it is in `kept`.
//! <https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-compatibility-api-bucket-operations>

use http::StatusCode;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::beyond::{document, replied};
use super::kept::{Extension, Kept, check_id, hold, period_of, release, unprotected};
use super::xml::{Xml, leaves, malformed};
use super::{ACCOUNT, Api};
use crate::base::timestamp::{http_date, rfc3339_millis};
use crate::embedded::operation::{Query, Target};
use crate::embedded::storage::bucket::Bucket;
use crate::embedded::storage::protection::Protection;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Object, VersionId};

fn query(request: &S3Request<Body>) -> Query<'_> {
    Query(request.uri.query().unwrap_or_default())
}

fn done() -> S3Response<Body> {
    replied(StatusCode::OK, String::new())
}

impl Api {
    pub(super) async fn get_bucket_protection(&self, target: &Target) -> S3Result<S3Response<Body>> {
        let protection = self.store.read(target.in_bucket()?, |bucket| Ok(bucket.settings.protection))?;
        let mut xml = Xml::new("ProtectionConfiguration");
        match protection {
            None => xml.element("Status", "Disabled"),
            Some(protection) => {
                xml.element("Status", "Retention");
                let days = [
                    ("MinimumRetention", protection.minimum_days),
                    ("MaximumRetention", protection.maximum_days),
                    ("DefaultRetention", protection.default_days),
                ];
                for (name, days) in days {
                    xml.group(name, |xml| xml.element("Days", &days.to_string()));
                }
                if protection.permanent {
                    xml.boolean("EnablePermanentRetention", true);
                }
            }
        }
        Ok(replied(StatusCode::OK, xml.end()))
    }

    pub(super) async fn put_bucket_protection(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let groups = ["MinimumRetention", "MaximumRetention", "DefaultRetention"];
        let leaves = leaves(&document(request), "ProtectionConfiguration", &groups)?;
        let leaf = |path: &str| leaves.iter().find(|(at, _)| at == path).map(|(_, text)| text.trim());
        if leaf("Status") != Some("Retention") {
            return Err(malformed("the Status of a protection is Retention").into());
        }
        let days = |name: &str| {
            let days = leaf(&format!("{name}/Days")).and_then(|days| days.parse::<u32>().ok());
            days.ok_or_else(|| malformed(format!("{name} needs Days")))
        };
        let protection = Protection {
            minimum_days: days("MinimumRetention")?,
            default_days: days("DefaultRetention")?,
            maximum_days: days("MaximumRetention")?,
            permanent: leaf("EnablePermanentRetention").is_some_and(|text| text.eq_ignore_ascii_case("true")),
        };
        let set = |bucket: &mut Bucket| {
            protection.check(bucket.settings.protection)?;
            if bucket.settings.protection.is_none() && !bucket.is_empty() {
                return Err(Refusal::new(
                    409,
                    "BucketNotEmpty",
                    "Only an empty bucket can become a protected one",
                ));
            }
            bucket.settings.protection = Some(protection);
            Ok(())
        };
        self.store.set(target.in_bucket()?, set).await?;
        Ok(done())
    }

    pub(super) async fn change_legal_hold(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (bucket, key) = target.object()?;
        let adds = target.operation == "AddLegalHold";
        let id = query(request).decoded(if adds { "add" } else { "remove" }).unwrap_or_default();
        check_id(&id)?;
        let now = self.store.now();
        let held = self.store.write(bucket, |bucket, scope, _| {
            if bucket.settings.protection.is_none() {
                return Err(unprotected());
            }
            let change =
                |object: &mut Object| if adds { hold(object, id, now) } else { release(object, &id) };
            bucket.edit(scope, key, None, change)
        });
        self.tell("s3:ObjectCreated:PutLegalHold", bucket, key, &*held.await?);
        Ok(done())
    }

    pub(super) async fn list_legal_holds(&self, target: &Target) -> S3Result<S3Response<Body>> {
        let (bucket, key) = target.object()?;
        let (created, retention, holds) = self.store.read(bucket, |bucket| {
            let version = bucket.find(key, None)?;
            let object = version.object.as_ref().ok_or_else(Refusal::no_such_key)?;
            let protected = bucket.settings.protection.ok_or_else(unprotected);
            protected.map(|_| (version.modified, object.lock.retention, object.holds.clone()))
        })?;
        let mut xml = Xml::new("RetentionState");
        xml.element("CreateTime", &http_date(created));
        if let Some(retention) = retention {
            let (period, until) = period_of(retention, created);
            xml.element("RetentionPeriod", &period.to_string());
            xml.some("RetentionPeriodExpirationDate", until.map(http_date).as_deref());
        }
        xml.group("LegalHoldSet", |xml| {
            for (id, since) in &holds {
                xml.group("LegalHold", |xml| {
                    xml.element("ID", id);
                    xml.element("Date", &http_date(*since));
                });
            }
        });
        Ok(replied(StatusCode::OK, xml.end()))
    }

    pub(super) async fn extend_object_retention(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (name, key) = target.object()?;
        let extension = Extension::read(&request.headers)?;
        let now = self.store.now();
        let extended = self.store.write(name, |bucket, scope, _| {
            let protection = bucket.settings.protection.ok_or_else(unprotected)?;
            let created = bucket.find(key, None)?.modified;
            bucket.edit(scope, key, None, |object| {
                let old = object.lock.retention.ok_or_else(unprotected)?.until;
                let new = extension.applied(created, old, now);
                object.lock.retention = Some(protection.extended(created, old, new)?);
                Ok(())
            })
        });
        self.tell("s3:ObjectCreated:PutRetention", name, key, &*extended.await?);
        Ok(done())
    }

    /// What the completion of an upload says about its object, once that is there.
    pub(super) async fn keep(
        &self,
        bucket: &str,
        key: &str,
        id: &VersionId,
        kept: Kept,
    ) -> Result<(), Refusal> {
        if kept == Kept::default() {
            return Ok(());
        }
        let edit = self.store.write(bucket, |bucket, scope, stamp| {
            let protection = bucket.settings.protection.ok_or_else(unprotected)?;
            bucket.edit(scope, key, Some(id), |object| {
                if let Some(until) = kept.until {
                    object.lock.retention = Some(protection.asked(stamp.now, until)?);
                }
                kept.hold(object, stamp.now)
            })
        });
        edit.await.map(drop)
    }

    pub(super) async fn list_buckets_extended(
        &self,
        request: &S3Request<Body>,
    ) -> S3Result<S3Response<Body>> {
        let query = query(request);
        let text = |name: &str| query.decoded(name).unwrap_or_default();
        let (prefix, marker) = (text("prefix"), text("marker"));
        let limit =
            query.get("max-keys").and_then(|limit| limit.parse().ok()).unwrap_or(1000_usize).min(1000);
        let buckets = self.store.buckets();
        let mut rest = buckets.iter().filter(|(name, _)| name.starts_with(&prefix) && *name > marker);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let truncated = rest.next().is_some();
        let mut xml = Xml::new("ListAllMyBucketsResult");
        xml.group("Owner", |xml| {
            xml.element("ID", ACCOUNT);
            xml.element("DisplayName", "holdfs");
        });
        xml.boolean("IsTruncated", truncated);
        xml.element("MaxKeys", &limit.to_string());
        xml.element("Prefix", &prefix);
        xml.element("Marker", &marker);
        xml.some("NextMarker", page.last().filter(|_| truncated).map(|(name, _)| name.as_str()));
        xml.group("Buckets", |xml| {
            for (name, created) in page {
                xml.group("Bucket", |xml| {
                    xml.element("Name", name);
                    xml.element("CreationDate", &rfc3339_millis(*created));
                    xml.element("LocationConstraint", &self.region);
                });
            }
        });
        Ok(replied(StatusCode::OK, xml.end()))
    }

    /// This server has nowhere to replicate to: whatever the configuration says, nothing was tried and nothing failed.
    pub(super) async fn list_replication_failures(&self, target: &Target) -> S3Result<S3Response<Body>> {
        let bucket = target.in_bucket()?;
        self.needs_replication(bucket)?;
        let mut xml = Xml::new("ListReplicationFailureResult");
        xml.element("Name", bucket);
        xml.boolean("IsTruncated", false);
        xml.element("KeyCount", "0");
        Ok(replied(StatusCode::OK, xml.end()))
    }

    /// Nothing failed, so there is nothing to try again.
    pub(super) async fn reattempt_replication(&self, target: &Target) -> S3Result<S3Response<Body>> {
        self.needs_replication(target.in_bucket()?)?;
        Ok(done())
    }

    fn needs_replication(&self, bucket: &str) -> Result<(), Refusal> {
        let missing = || {
            let message = "The replication configuration was not found";
            Refusal::new(404, "ReplicationConfigurationNotFoundError", message)
        };
        self.store.read(bucket, |bucket| {
            bucket.settings.documents.get("replication", "").map(drop).ok_or_else(missing)
        })
    }
}
