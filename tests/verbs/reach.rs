//! Who reaches a store, and by which address: keys, none, wrong ones, signed URLs.

use std::time::Duration;

use holdfs::base::secret::Secret;
use holdfs::s3::ops::{GetObject, HeadBucket, ListBuckets, PutObject};
use holdfs::s3::{Client, Config, Credentials, ErrorKind, Provider};

use super::kind;
use crate::mounted::harness::{Bucket, Store, block_on};

#[test]
fn a_client_is_made_of_an_address_and_keys() {
    let store = Store::shared();
    let client = Client::new(store.config()).unwrap();
    block_on(client.send(&ListBuckets::default())).unwrap();
    assert_eq!(client.stats().requests, 1);
    for endpoint in ["ftp://host", "http://host/path", "http://user@host", "http://host:port", "http://h?q"] {
        let config = Config { endpoint: Some(endpoint.into()), ..store.config() };
        assert_eq!(
            Client::new(config).err().map(|error| error.kind()),
            Some(ErrorKind::Invalid),
            "{endpoint:?}"
        );
    }
}

#[test]
fn who_has_the_wrong_keys_or_none_is_refused() {
    let bucket = Bucket::new(Store::shared());
    let as_somebody = |credentials: Provider| {
        let config = Config { credentials, ..bucket.store.config() };
        let head = HeadBucket { bucket: bucket.name.clone() };
        kind(block_on(Client::new(config).unwrap().send(&head)))
    };
    let refused = [ErrorKind::Denied, ErrorKind::Credentials];
    let wrong = Credentials::new(&bucket.store.access_key, Secret::new("wrong"));
    assert!(refused.contains(&as_somebody(Provider::fixed(wrong))));
    let unknown = Credentials::new("unknown", Secret::new("wrong"));
    assert!(refused.contains(&as_somebody(Provider::fixed(unknown))));
    assert!(refused.contains(&as_somebody(Provider::anonymous())));
}

/// Method, URL and body as a program without keys sends them; the status and the body of the answer.
fn fetch(method: &str, url: &str, body: &'static str) -> (u16, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let request = client.request(method.parse().unwrap(), url).body(body);
    block_on(async {
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    })
}

#[test]
fn a_signed_url_does_one_thing_until_it_expires() {
    let bucket = Bucket::new(Store::shared());
    let minute = Duration::from_secs(60);
    let put = PutObject::new(&bucket.name, "k ü/+", "");
    let put = block_on(bucket.client.presign(&put, minute)).unwrap();
    assert_eq!(fetch("PUT", &put, "hello").0, 200);
    let get = GetObject { bucket: bucket.name.clone(), key: "k ü/+".into(), ..GetObject::default() };
    let url = block_on(bucket.client.presign(&get, minute)).unwrap();
    assert_eq!(fetch("GET", &url, ""), (200, "hello".to_owned()));
    assert_eq!(fetch("DELETE", &url, "").0, 403);
    assert_eq!(fetch("GET", &url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), "").0, 403);
    let second = block_on(bucket.client.presign(&get, Duration::from_secs(1))).unwrap();
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(fetch("GET", &second, "").0, 403);
    for expires in [Duration::ZERO, Duration::from_secs(7 * 24 * 3600 + 1)] {
        assert_eq!(kind(block_on(bucket.client.presign(&get, expires))), ErrorKind::Invalid);
    }
}
