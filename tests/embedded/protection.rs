//! Versions and locks on the wire.

use std::time::{Duration, SystemTime};

use holdfs::base::clock::Clock;
use holdfs::base::timestamp::rfc3339;
use holdfs::embedded::Options;

use super::raw::Store;

const ENABLED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const SUSPENDED: &str = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";

fn locked(clock: Clock) -> Store {
    let store = Store::start(Options { clock, ..Options::default() });
    assert_eq!(store.with("PUT", "/bkt", &[("x-amz-bucket-object-lock-enabled", "true")], b"").status, 200);
    store
}

fn version(store: &Store, body: &str) -> String {
    let put = store.put("/bkt/k", body.as_bytes());
    put.header("x-amz-version-id").expect("a version").to_owned()
}

#[test]
fn versions_are_kept_marked_and_removed() {
    let store = Store::in_memory();
    assert_eq!(store.put("/bkt/k", b"before").header("x-amz-version-id"), None);
    assert_eq!(store.with("PUT", "/bkt?versioning", &[], ENABLED.as_bytes()).status, 200);
    let (one, two) = (version(&store, "one"), version(&store, "two"));
    let deleted = store.delete("/bkt/k");
    assert_eq!((deleted.status, deleted.header("x-amz-delete-marker")), (204, Some("true")));
    let marker = deleted.header("x-amz-version-id").expect("a marker").to_owned();
    let gone = store.get("/bkt/k");
    assert_eq!((gone.code().as_str(), gone.header("x-amz-delete-marker")), ("NoSuchKey", Some("true")));
    let named = store.get(&format!("/bkt/k?versionId={marker}"));
    assert_eq!((named.status, named.header("allow")), (405, Some("DELETE")));
    for (id, body) in [(one.as_str(), "one"), (two.as_str(), "two"), ("null", "before")] {
        assert_eq!(store.get(&format!("/bkt/k?versionId={id}")).text(), body);
    }
    let listing = store.get("/bkt?versions").text();
    let order: Vec<&str> =
        listing.split("<VersionId>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
    assert_eq!(order, [marker.as_str(), &two, &one, "null"], "newest first, markers among versions");
    assert_eq!(store.delete(&format!("/bkt/k?versionId={marker}")).status, 204);
    assert_eq!(store.get("/bkt/k").text(), "two");
    assert_eq!(store.with("PUT", "/bkt?versioning", &[], SUSPENDED.as_bytes()).status, 200);
    assert_eq!(version(&store, "null again"), "null");
    assert_eq!(
        store.get("/bkt?versions").text().matches("<Version>").count(),
        3,
        "the null version was replaced"
    );
    assert_eq!(store.delete("/bkt").code(), "BucketNotEmpty");
}

#[test]
fn holds_and_retention_keep_versions_until_their_time() {
    let clock = Clock::manual();
    let store = locked(clock.clone());
    let until = |seconds| rfc3339(clock.wall() + Duration::from_secs(seconds));
    let id = version(&store, "kept");
    let own = format!("versionId={id}");
    let hold = |status: &str| {
        store.document(
            "PUT",
            &format!("/bkt/k?legal-hold&{own}"),
            &format!("<LegalHold><Status>{status}</Status></LegalHold>"),
        )
    };
    let retain = |mode: &str, until: &str, bypass: &str| {
        let body =
            format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>");
        let md5 = holdfs::base::digest::base64(&holdfs::base::digest::md5(body.as_bytes()));
        let headers = [("content-md5", md5.as_str()), ("x-amz-bypass-governance-retention", bypass)];
        store.with("PUT", &format!("/bkt/k?retention&{own}"), &headers, body.as_bytes()).code()
    };
    let remove = |bypass: &str| {
        store
            .with("DELETE", &format!("/bkt/k?{own}"), &[("x-amz-bypass-governance-retention", bypass)], b"")
            .code()
    };
    assert_eq!(hold("ON").status, 200);
    assert_eq!(remove("true"), "AccessDenied");
    assert_eq!(store.get("/bkt/k").header("x-amz-object-lock-legal-hold"), Some("ON"));
    assert_eq!(hold("OFF").status, 200);
    assert_eq!(retain("GOVERNANCE", &until(1000), "false"), "200");
    assert_eq!(remove("false"), "AccessDenied");
    assert_eq!(retain("GOVERNANCE", &until(500), "false"), "AccessDenied");
    assert_eq!(retain("GOVERNANCE", &until(500), "true"), "200");
    assert_eq!(retain("COMPLIANCE", &until(2000), "false"), "200");
    assert_eq!(retain("COMPLIANCE", &until(1000), "true"), "AccessDenied");
    assert_eq!(remove("true"), "AccessDenied");
    assert_eq!(store.delete("/bkt/k").status, 204, "a marker may always be laid");
    clock.advance(Duration::from_secs(2001));
    assert_eq!(remove("false"), "204");
}

#[test]
fn a_bucket_gives_its_default_to_new_versions() {
    let store = locked(Clock::system());
    let rule = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    assert_eq!(store.document("PUT", "/bkt?object-lock", rule).status, 200);
    assert!(store.get("/bkt?object-lock").text().contains("<Days>1</Days>"));
    assert_eq!(store.put("/bkt/k", b"no digest").code(), "InvalidRequest");
    let put = store.document("PUT", "/bkt/k", "with a digest");
    assert_eq!(put.status, 200);
    let id = put.header("x-amz-version-id").expect("a version");
    assert_eq!(store.get("/bkt/k").header("x-amz-object-lock-mode"), Some("GOVERNANCE"));
    assert_eq!(store.delete(&format!("/bkt/k?versionId={id}")).code(), "AccessDenied");
    assert_eq!(store.with("PUT", "/bkt?versioning", &[], SUSPENDED.as_bytes()).status, 409);
}

#[test]
fn a_bucket_without_lock_takes_none() {
    let store = Store::in_memory();
    store.put("/bkt/k", b"x");
    let later = rfc3339(SystemTime::now() + Duration::from_secs(1000));
    let headers =
        [("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-retain-until-date", later.as_str())];
    assert_eq!(store.with("PUT", "/bkt/k", &headers, b"x").code(), "InvalidRequest");
    assert_eq!(store.with("PUT", "/bkt/k", &headers[..1], b"x").code(), "InvalidArgument");
    assert_eq!(store.get("/bkt/k?retention").code(), "InvalidRequest");
    assert_eq!(store.get("/bkt?object-lock").code(), "ObjectLockConfigurationNotFoundError");
}
