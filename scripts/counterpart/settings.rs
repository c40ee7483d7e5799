//! The documents of a bucket, and the access control lists of objects.

use holdfs::s3::Client;
use holdfs::s3::ops::{GetObjectAcl, PutBucketCannedAcl, PutObjectAcl, PutObjectCannedAcl};
use holdfs::s3::settings::{
    AccessControl, BucketEncryption, BucketPolicy, BucketTags, CorsConfiguration, DeleteSetting,
    GetBucketPolicyStatus, GetSetting, Lifecycle, ObjectLockConfiguration, OwnershipControls,
    PublicAccessBlock, PutSetting, Removable, Setting, Versioning,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Asked, Outcome, done};

pub async fn run(client: &Client, operation: &str, asked: &Asked<'_>) -> Outcome {
    let bucket = asked.bucket();
    match operation {
        "policy_status" => Ok(json!(client.send(&GetBucketPolicyStatus { bucket }).await?)),
        "acl_get" | "acl_put" => object_acl(client, operation, asked).await,
        _ => setting(client, operation, asked).await,
    }
}

fn document<D: DeserializeOwned>(asked: &Asked<'_>) -> D {
    serde_json::from_value(asked.0["document"].clone()).expect("a document")
}

async fn object_acl(client: &Client, operation: &str, asked: &Asked<'_>) -> Outcome {
    let (bucket, key, version) = (asked.bucket(), asked.key(), asked.version());
    match (operation, asked.some("canned")) {
        ("acl_get", _) => Ok(json!(client.send(&GetObjectAcl { bucket, key, version }).await?)),
        (_, Some(acl)) => done(client, PutObjectCannedAcl { bucket, key, version, acl }).await,
        (_, None) => {
            let acl: AccessControl = document(asked);
            done(client, PutObjectAcl { bucket, key, version, acl }).await
        }
    }
}

async fn setting(client: &Client, operation: &str, asked: &Asked<'_>) -> Outcome {
    match (asked.text("kind").as_str(), asked.some("canned")) {
        ("acl", Some(acl)) => done(client, PutBucketCannedAcl { bucket: asked.bucket(), acl }).await,
        ("acl", None) => replaced::<AccessControl>(client, operation, asked).await,
        ("versioning", _) => replaced::<Versioning>(client, operation, asked).await,
        ("lock", _) => replaced::<ObjectLockConfiguration>(client, operation, asked).await,
        ("tagging", _) => removed::<BucketTags>(client, operation, asked).await,
        ("cors", _) => removed::<CorsConfiguration>(client, operation, asked).await,
        ("lifecycle", _) => removed::<Lifecycle>(client, operation, asked).await,
        ("policy", _) => removed::<BucketPolicy>(client, operation, asked).await,
        ("encryption", _) => removed::<BucketEncryption>(client, operation, asked).await,
        ("public_access", _) => removed::<PublicAccessBlock>(client, operation, asked).await,
        ("ownership", _) => removed::<OwnershipControls>(client, operation, asked).await,
        (other, _) => panic!("there is no document {other}"),
    }
}

async fn removed<S: Removable + Serialize + DeserializeOwned>(
    client: &Client,
    operation: &str,
    asked: &Asked<'_>,
) -> Outcome {
    match operation {
        "setting_delete" => done(client, DeleteSetting::<S>::new(asked.bucket())).await,
        _ => replaced::<S>(client, operation, asked).await,
    }
}

async fn replaced<S: Setting + Serialize + DeserializeOwned>(
    client: &Client,
    operation: &str,
    asked: &Asked<'_>,
) -> Outcome {
    match operation {
        "setting_put" => {
            let document: S = document(asked);
            done(client, PutSetting { bucket: asked.bucket(), document }).await
        }
        "setting_get" => Ok(json!(client.send(&GetSetting::<S>::new(asked.bucket())).await?)),
        other => panic!("{other} is not for this document"),
    }
}
