//! Browsers' forms, as browsers send them.
//!
//! Debian's Ceph 16 reads policies with a parser of which two of its libraries have different notions: what lies behind
//! its state in memory makes a policy malformed now and then, or ends the gateway. A gateway that has done nothing else
//! yet takes thousands of forms, so `scripts/operations` gives these tests one of their own.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdfs::s3::ChecksumAlgorithm;
use holdfs::s3::post::{PostForm, PostPolicy};

use super::checksums::{head, is_kept, of};
use super::holds_or_lacks;
use crate::mounted::harness::{Bucket, Store, block_on};

/// Sends a form with this key and file; status and body of the answer. It is sent again where Ceph calls it malformed.
fn post(form: &PostForm, key: &str, file: &str) -> (u16, String) {
    for _ in 0..20 {
        let answer = post_once(form, key, file);
        if !answer.1.contains("Malformed JSON") {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("twenty times the answer was that this policy is malformed: {:?}", form.fields);
}

fn post_once(form: &PostForm, key: &str, file: &str) -> (u16, String) {
    let mut body = String::new();
    for (name, value) in &form.fields {
        let value = if name == "key" { key } else { value };
        body += &format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: text/plain\r\n";
    body += &format!("\r\n{file}\r\n--X--\r\n");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let request = client
        .post(&form.url)
        .header("content-type", "multipart/form-data; boundary=X")
        .header("content-length", body.len())
        .body(body);
    block_on(async {
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    })
}

#[test]
fn a_form_uploads_what_its_policy_allows() {
    let store = Store::shared();
    let bucket = Bucket::new(store);
    let policy = PostPolicy::new(&bucket.name, SystemTime::now() + Duration::from_secs(60))
        .key_prefix("in/")
        .equals("Content-Type", "text/plain")
        .and_then(|policy| policy.length(1..=10))
        .unwrap();
    let form = block_on(bucket.client.presign_post(&policy)).unwrap();
    let post = |key: &str, file: &str| post(&form, key, file);
    let (status, said) = post("in/k", "hello");
    assert_eq!(status / 100, 2, "{said}");
    assert_eq!(bucket.get("in/k").unwrap(), b"hello");
    assert!(matches!(post("out/k", "hello").0, 400 | 403), "the embedded server says 400");
    assert_eq!(post("in/long", "more than ten bytes").0, 400);
    assert_eq!(bucket.keys(), ["in/k"]);
    let (status, said) = post("in/${filename}", "by name");
    assert_eq!(status / 100, 2, "{said}");
    holds_or_lacks(
        "PostObject: the name of the file",
        &bucket.get("in/f").as_deref(),
        &Some(&b"by name"[..]),
    );
}

#[test]
fn a_form_may_say_the_checksum_of_its_file() {
    let bucket = Bucket::new(Store::shared());
    for algorithm in ChecksumAlgorithm::ALL.into_iter().filter(|algorithm| is_kept(&bucket, *algorithm)) {
        let value = STANDARD.encode(algorithm.of(b"hello"));
        let policy =
            PostPolicy::new(&bucket.name, SystemTime::now() + Duration::from_secs(60)).key_prefix("in/");
        let form = block_on(bucket.client.presign_post(&policy.equals(algorithm.header(), &value).unwrap()))
            .unwrap();
        let key = format!("in/{algorithm}");
        let (status, said) = post(&form, &key, "hello");
        assert_eq!(status / 100, 2, "{said}");
        holds_or_lacks(
            &format!("PostObject: {algorithm}"),
            &head(&bucket, &key).checksums,
            &of(algorithm, b"hello"),
        );
        let refused = post(&form, "in/other", "other").0;
        if holds_or_lacks(&format!("PostObject: a wrong {algorithm}"), &refused, &400) {
            assert_eq!(bucket.get("in/other"), None, "{algorithm}");
        } else {
            bucket.delete("in/other");
        }
    }
}
