//! Who may do what: policies, access control lists, ownership, the block of public access.

use holdfs::s3::ErrorKind;
use holdfs::s3::ops::{GetObjectAcl, PutBucketCannedAcl, PutObjectAcl, PutObjectCannedAcl};
use holdfs::s3::settings::acl::{ALL_USERS, Grant, Grantee, Permission};
use holdfs::s3::settings::{
    AccessControl, AttributeAccess, BucketPolicy, DeleteSetting, GetBucketPolicyStatus, Ownership,
    OwnershipControls, OwnershipRule, PolicyStatus, PublicAccessBlock,
};

use super::super::{holds_or_lacks, kind, taken};
use super::{comes_and_goes, filled_bucket, get, put, stays};

#[test]
fn a_policy_is_kept_to_the_letter() {
    let bucket = filled_bucket();
    let resource = format!("arn:aws:s3:::{}/*", bucket.name);
    let statement = format!(
        r#"{{"Sid":"1","Effect":"Allow","Principal":{{"AWS":["*"]}},"Action":["s3:GetObject"],"Resource":["{resource}"]}}"#
    );
    let open = BucketPolicy(format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#));
    put(&bucket, &open).unwrap();
    let json = |policy: &str| serde_json::from_str::<serde_json::Value>(policy).unwrap();
    assert_eq!(json(&get::<BucketPolicy>(&bucket).unwrap().unwrap().0), json(&open.0));
    let status = bucket.send(&GetBucketPolicyStatus { bucket: bucket.name.clone() });
    if let Some(status) = taken("GetBucketPolicyStatus", status) {
        let public = Some(PolicyStatus { is_public: Some(true) });
        holds_or_lacks("GetBucketPolicyStatus: a policy for everybody", &status, &public);
    }
    let broken = put(&bucket, &BucketPolicy("{ not JSON".into())).map_err(|error| error.kind());
    holds_or_lacks("PutBucketPolicy: a policy that is none", &broken, &Err(ErrorKind::Invalid));
    bucket.send(&DeleteSetting::<BucketPolicy>::new(&bucket.name)).unwrap();
    assert_eq!(get::<BucketPolicy>(&bucket).unwrap(), None);
}

#[test]
fn ownership_and_the_block_of_public_access_come_and_go() {
    let bucket = filled_bucket();
    let rules = vec![OwnershipRule { ownership: Ownership::ObjectWriter }];
    comes_and_goes(&bucket, OwnershipControls { rules });
    let flag = Some(true);
    comes_and_goes(
        &bucket,
        PublicAccessBlock { block_acls: flag, ignore_acls: flag, block_policy: flag, restrict_buckets: flag },
    );
}

#[test]
fn access_by_attributes_is_switched() {
    stays(&filled_bucket(), AttributeAccess { status: Some(holdfs::s3::document::Toggle::Enabled) });
}

fn everybody_reads(acl: &AccessControl) -> bool {
    let everybody = Grantee::Group { uri: ALL_USERS.into() };
    let reads = |grant: &Grant| grant.grantee == everybody && grant.permission == Permission::Read;
    acl.list.grants.iter().any(reads)
}

#[test]
fn the_list_of_a_bucket_says_who_may_read() {
    let bucket = filled_bucket();
    let acl = || get::<AccessControl>(&bucket).unwrap().unwrap();
    let private = acl();
    assert!(!everybody_reads(&private));
    let canned = PutBucketCannedAcl { bucket: bucket.name.clone(), acl: "public-read".into() };
    if taken("PutBucketAcl", bucket.send(&canned)).is_some() {
        assert!(everybody_reads(&acl()));
        if taken("PutBucketAcl", put(&bucket, &private)).is_some() {
            holds_or_lacks("PutBucketAcl: a list of grants", &everybody_reads(&acl()), &false);
        }
    }
}

#[test]
fn the_list_of_an_object_says_who_may_read() {
    let bucket = filled_bucket();
    let get = GetObjectAcl { bucket: bucket.name.clone(), key: "keep".into(), ..GetObjectAcl::default() };
    let private = bucket.send(&get).unwrap();
    assert!(!everybody_reads(&private));
    let (name, key) = (bucket.name.clone(), "keep".to_owned());
    let canned = PutObjectCannedAcl {
        bucket: name.clone(),
        key: key.clone(),
        version: None,
        acl: "public-read".into(),
    };
    if taken("PutObjectAcl", bucket.send(&canned)).is_some() {
        assert!(everybody_reads(&bucket.send(&get).unwrap()));
        let listed = PutObjectAcl { bucket: name.clone(), key: key.clone(), version: None, acl: private };
        if taken("PutObjectAcl", bucket.send(&listed)).is_some() {
            let seen = everybody_reads(&bucket.send(&get).unwrap());
            holds_or_lacks("PutObjectAcl: a list of grants", &seen, &false);
        }
    }
    let none = GetObjectAcl { bucket: name, key: "none".into(), version: None };
    assert_eq!(kind(bucket.send(&none)), ErrorKind::NoSuchKey);
}
