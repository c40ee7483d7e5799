//! Documents of which a bucket has several, told apart by their ids.

use std::fmt::Debug;

use holdfs::s3::document::Toggle;
use holdfs::s3::settings::reports::{
    ArchiveTier, IncludedVersions, InventoryBucket, InventoryDestination, InventoryFrequency,
    InventorySchedule, MetricsFilter, StorageClassAnalysis, Tiering,
};
use holdfs::s3::settings::{
    Analytics, DeleteNamed, GetNamed, IntelligentTiering, Inventory, ListNamed, Metrics, NamedPage,
    NamedSetting, ObjectFilter, PutNamed,
};

use super::super::{holds_or_lacks, lacks_or_fails, taken};
use super::filled_bucket;

/// Puts two, gets, lists and removes one.
fn come_and_go<S: NamedSetting + Clone + PartialEq + Debug>(document: impl Fn(&str) -> S) {
    let bucket = filled_bucket();
    for id in ["b", "a"] {
        let put = PutNamed { bucket: bucket.name.clone(), document: document(id) };
        if taken(S::PUT, bucket.send(&put)).is_none() {
            break;
        }
    }
    let get = |id: &str| bucket.send(&GetNamed::<S>::new(&bucket.name, id));
    let list = || bucket.send(&ListNamed::<S>::new(&bucket.name));
    let delete = || bucket.send(&DeleteNamed::<S>::new(&bucket.name, "a"));
    let (got, page) = (taken(S::GET, get("a")), taken(S::LIST, list()));
    let (Some(got), Some(page)) = (got, page) else {
        taken(S::DELETE, delete());
        return lacks_or_fails(&format!("{}: kept", S::PUT), "it cannot be got");
    };
    if !holds_or_lacks(&format!("{}: kept", S::PUT), &got, &Some(document("a"))) {
        taken(S::DELETE, delete());
        return;
    }
    holds_or_lacks(&format!("{}: one that is not there", S::GET), &taken(S::GET, get("c")), &Some(None));
    let all = NamedPage { documents: vec![document("a"), document("b")], next: None };
    holds_or_lacks(&format!("{}: all of them", S::LIST), &page, &all);
    if taken(S::DELETE, delete()).is_some() {
        let left = taken(S::LIST, list()).map(|page| page.documents);
        holds_or_lacks(&format!("{}: one of two", S::DELETE), &left, &Some(vec![document("b")]));
    }
}

fn below(id: &str) -> Option<ObjectFilter> {
    Some(ObjectFilter { prefix: Some(format!("{id}/")), ..ObjectFilter::default() })
}

#[test]
fn metrics_come_and_go() {
    come_and_go(|id| Metrics {
        id: id.into(),
        filter: Some(MetricsFilter { prefix: Some(format!("{id}/")), ..MetricsFilter::default() }),
    });
}

#[test]
fn analytics_come_and_go() {
    come_and_go(|id| Analytics {
        id: id.into(),
        filter: below(id),
        analysis: StorageClassAnalysis::default(),
    });
}

#[test]
fn inventories_come_and_go() {
    let bucket = InventoryBucket {
        account: None,
        bucket: "arn:aws:s3:::elsewhere".into(),
        format: "CSV".into(),
        prefix: Some("lists".into()),
        encryption: None,
    };
    come_and_go(|id| Inventory {
        destination: InventoryDestination { bucket: bucket.clone() },
        enabled: true,
        filter: None,
        id: id.into(),
        versions: IncludedVersions::All,
        fields: None,
        schedule: InventorySchedule { frequency: InventoryFrequency::Daily },
    });
}

fn tiering(id: &str) -> IntelligentTiering {
    let tierings = vec![Tiering { days: 90, access_tier: ArchiveTier::Archive }];
    IntelligentTiering { id: id.into(), filter: below(id), status: Toggle::Enabled, tierings }
}

#[test]
fn tierings_come_and_go() {
    come_and_go(tiering);
}

#[test]
fn a_long_list_of_documents_comes_in_pages() {
    let bucket = filled_bucket();
    if bucket.store.server.is_none() {
        return;
    }
    for number in 0..105 {
        let document = tiering(&format!("{number:03}"));
        bucket.send(&PutNamed { bucket: bucket.name.clone(), document }).unwrap();
    }
    let mut list = ListNamed::<IntelligentTiering>::new(&bucket.name);
    let first = bucket.send(&list).unwrap();
    list.continuation_token = first.next;
    let second = bucket.send(&list).unwrap();
    assert_eq!((first.documents.len(), second.documents.len(), second.next), (100, 5, None));
}
