//! Objects, listings and uploads on the wire.

use std::time::{Duration, Instant};

use holdfs::base::digest::base64;
use holdfs::embedded::{Limits, Options};

use super::raw::Store;

#[test]
fn what_is_put_is_got_in_whole_and_in_ranges() {
    let store = Store::in_memory();
    let put = store.put("/bkt/k", b"0123456789");
    assert_eq!((put.status, put.header("etag")), (200, Some("\"781e5e245d69b566979b86e28d23f2c7\"")));
    let got = store.get("/bkt/k");
    assert_eq!((got.status, got.body.as_slice(), got.is_whole()), (200, b"0123456789".as_slice(), true));
    assert!(got.header("x-amz-request-id").is_some() && got.header("x-amz-id-2").is_some());
    let cases = [
        ("bytes=0-0", 206, "0"),
        ("bytes=3-5", 206, "345"),
        ("bytes=8-99", 206, "89"),
        ("bytes=-3", 206, "789"),
        ("bytes=7-", 206, "789"),
        ("bytes=10-", 416, ""),
        ("bytes=-0", 416, ""),
    ];
    for (range, status, body) in cases {
        let reply = store.with("GET", "/bkt/k", &[("range", range)], b"");
        assert_eq!(reply.status, status, "{range}");
        if status == 206 {
            assert_eq!(reply.text(), body, "{range}");
        }
    }
    assert_eq!(
        store.with("GET", "/bkt/k", &[("range", "bytes=3-5")], b"").header("content-range"),
        Some("bytes 3-5/10")
    );
    let head = store.with("HEAD", "/bkt/k", &[], b"");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10"), 0));
}

#[test]
fn odd_keys_arrive_as_they_were_sent() {
    let store = Store::in_memory();
    let keys = [
        "x//y",
        "/lead",
        "./p",
        "d/../e",
        "m",
        "m/",
        "%01%02",
        "a%0Ab",
        "a%5Cb",
        "a%252Fb",
        "a%2Bb%20c",
        ".",
        "..",
    ];
    for key in keys {
        assert_eq!(store.put(&format!("/bkt/{key}"), key.as_bytes()).status, 200, "{key}");
    }
    for key in keys {
        assert_eq!(store.get(&format!("/bkt/{key}")).text(), key, "{key}");
    }
    let listing = store.get("/bkt?list-type=2&encoding-type=url").text();
    for key in ["x//y", "/lead", "./p", "d/../e", "%01%02", "a%0Ab", "a%252Fb", "a%2Bb%20c"] {
        assert!(listing.contains(&format!("<Key>{key}</Key>")), "{key} in {listing}");
    }
    assert_eq!(store.put("/bkt/cr%0D", b"<?xml version=\"1.0\"?><A>\r</A>").status, 200);
    let listing = store.get("/bkt?list-type=2&prefix=cr").text();
    assert!(listing.contains("<Key>cr&#xd;</Key>"), "a parser must not take it for a line feed: {listing}");
    assert!(store.get("/bkt/cr%0D").text().contains('\r'), "what an object holds stays as it is");
}

#[test]
fn bodies_are_checked_by_header_and_by_trailer() {
    let store = Store::in_memory();
    let crc = |sum: &str| store.with("PUT", "/bkt/k", &[("x-amz-checksum-crc32", sum)], b"123456789").code();
    assert_eq!(crc("y/Q5Jg=="), "200");
    assert_eq!(crc("AAAAAA=="), "BadDigest");
    assert_eq!(crc("short"), "InvalidRequest");
    let chunked = |sum: &str| {
        let body = format!("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32c:{sum}\r\n\r\n");
        let headers = [
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "9"),
            ("x-amz-trailer", "x-amz-checksum-crc32c"),
        ];
        store.with("PUT", "/bkt/chunked", &headers, body.as_bytes()).code()
    };
    assert_eq!(chunked("4waSgw=="), "200");
    let got = store.with("GET", "/bkt/chunked", &[("x-amz-checksum-mode", "ENABLED")], b"");
    assert_eq!((got.text().as_str(), got.header("x-amz-checksum-crc32c")), ("123456789", Some("4waSgw==")));
    assert_eq!(got.header("content-encoding"), None, "the encoding of the transfer is not the object's");
    assert_eq!(chunked("AAAAAA=="), "BadDigest");
    let signed = store.with("PUT", "/bkt/k", &[("x-amz-content-sha256", &"0".repeat(64))], b"123456789");
    assert_eq!(signed.code(), "XAmzContentSHA256Mismatch");
}

#[test]
fn writes_obey_their_conditions() {
    let store = Store::in_memory();
    let when = |method: &str, headers: &[(&str, &str)]| store.with(method, "/bkt/k", headers, b"x").code();
    assert_eq!(when("PUT", &[("if-match", "\"e\"")]), "NoSuchKey");
    assert_eq!(when("PUT", &[("if-none-match", "*")]), "200");
    assert_eq!(when("PUT", &[("if-none-match", "*")]), "PreconditionFailed");
    assert_eq!(when("PUT", &[("if-match", "\"9dd4e461268c8034f5c8564e155c67a6\"")]), "200");
    assert_eq!(when("PUT", &[("if-none-match", "\"e\"")]), "NotImplemented");
    let copy = [("x-amz-copy-source", "bkt/k"), ("if-none-match", "*")];
    assert_eq!(store.with("PUT", "/bkt/copy", &copy, b"").code(), "200");
    assert_eq!(store.with("PUT", "/bkt/copy", &copy, b"").code(), "PreconditionFailed");
    assert_eq!(store.with("DELETE", "/bkt/k", &[("if-match", "\"e\"")], b"").code(), "PreconditionFailed");
    let lists = [("if-none-match", "\"a\", \"9dd4e461268c8034f5c8564e155c67a6\"")];
    let unchanged = store.with("GET", "/bkt/k", &lists, b"");
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
}

#[test]
fn limits_can_be_scaled_down() {
    let limits = Limits {
        part_bytes_min: 8,
        parts_max: 3,
        put_bytes_max: 100,
        part_bytes_max: 20,
        ..Limits::default()
    };
    let store = Store::with_bucket(Options { limits, ..Options::default() });
    assert_eq!(store.put("/bkt/k", &[0; 101]).code(), "EntityTooLarge");
    let id = store.with("POST", "/bkt/k?uploads", &[], b"").element("UploadId").expect("an upload");
    let part =
        |number: u32, body: &[u8]| store.put(&format!("/bkt/k?partNumber={number}&uploadId={id}"), body);
    assert_eq!(part(4, b"x").code(), "InvalidArgument");
    assert_eq!(part(1, &[0; 21]).code(), "EntityTooLarge");
    let etags: Vec<String> = [(1, b"12345678".as_slice()), (2, b"1234567"), (3, b"1")]
        .into_iter()
        .map(|(number, body)| part(number, body).header("etag").expect("a tag").to_owned())
        .collect();
    let complete = |parts: &[usize]| {
        let parts = parts.iter().map(|&number| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", etags[number - 1])
        });
        let list =
            format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.collect::<String>());
        store.with("POST", &format!("/bkt/k?uploadId={id}"), &[], list.as_bytes())
    };
    assert_eq!(complete(&[1, 2, 3]).code(), "EntityTooSmall");
    assert_eq!(complete(&[2, 1]).code(), "InvalidPartOrder");
    assert_eq!(complete(&[1, 2]).code(), "200");
    assert_eq!(store.get("/bkt/k").text(), "123456781234567");
    assert_eq!(complete(&[1, 2]).code(), "NoSuchUpload");
}

#[test]
fn signatures_and_regions_are_checked() {
    let store = Store::in_memory();
    assert_eq!(store.unsigned("GET", "/bkt", b"").code(), "AccessDenied");
    assert_eq!(
        store.with("GET", "/bkt", &[("x-amz-expected-bucket-owner", "111111111111")], b"").code(),
        "AccessDenied"
    );
    assert_eq!(
        store.with("GET", "/bkt", &[("x-amz-expected-bucket-owner", "000000000000")], b"").code(),
        "200"
    );
    assert_eq!(store.get("/bkt?faspConnectionInfo").code(), "NotImplemented");
    assert_eq!(
        store.get("/bkt?X-Amz-Expires=604801&X-Amz-Signature=0").code(),
        "AuthorizationQueryParametersError"
    );
}

#[test]
fn a_batch_of_deletes_needs_a_digest_and_keys() {
    let store = Store::in_memory();
    store.put("/bkt/k", b"x");
    let batch = "<Delete><Object><Key>k</Key></Object><Object><Key>none</Key></Object></Delete>";
    assert_eq!(store.with("POST", "/bkt?delete", &[], batch.as_bytes()).code(), "InvalidRequest");
    let empty = "<Delete><Object><Key></Key></Object></Delete>";
    assert_eq!(store.document("POST", "/bkt?delete", empty).code(), "MalformedXML");
    let done = store.document("POST", "/bkt?delete", batch);
    assert_eq!((done.status, done.text().matches("<Deleted>").count()), (200, 2));
    assert_eq!(store.get("/bkt/k").code(), "NoSuchKey");
}

#[test]
fn a_distant_store_is_slow_by_as_much_as_was_asked() {
    let latency = Duration::from_millis(60);
    let store = Store::with_bucket(Options { latency, bandwidth: Some(4 << 20), ..Options::default() });
    let timed = |run: &dyn Fn()| {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    let small = timed(&|| assert_eq!(store.put("/bkt/k", b"x").status, 200));
    assert!((latency..Duration::from_secs(10)).contains(&small), "{small:?}");
    let large = vec![7; 2 << 20];
    let up = timed(&|| assert_eq!(store.put("/bkt/large", &large).status, 200));
    let down = timed(&|| assert_eq!(store.get("/bkt/large").body, large));
    for took in [up, down] {
        assert!(
            (Duration::from_millis(400)..Duration::from_secs(20)).contains(&took),
            "half a second: {took:?}"
        );
    }
}

#[test]
fn the_log_counts_requests_and_bytes() {
    let store = Store::in_memory();
    store.put("/bkt/k", &[0; 1000]);
    store.with("GET", "/bkt/k", &[("range", "bytes=0-99")], b"");
    store.get("/bkt/none");
    // A request is entered once its reply has gone; the client may know it first.
    let began = Instant::now();
    while store.log().count("GetObject") < 2 && began.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let counters = store.log().counters();
    assert_eq!((counters["PutObject"].requests, counters["PutObject"].bytes_in), (1, 1000));
    assert_eq!((counters["GetObject"].requests, counters["GetObject"].errors), (2, 1));
    let entries = store.log().entries();
    let ranged = entries.iter().find(|entry| entry.range.is_some()).expect("the ranged read");
    assert_eq!((ranged.status, ranged.bytes_out, ranged.key.as_deref()), (Some(206), 100, Some("k")));
    assert!(entries.iter().any(|entry| entry.error.as_deref() == Some("NoSuchKey")));
    assert!(store.unsigned("GET", "/_holdfs/counters", b"").text().contains("\"PutObject\""));
    assert_eq!(store.unsigned("DELETE", "/_holdfs/log", b"").status, 200);
    assert!(store.log().counters().is_empty());
}

#[test]
fn composite_checksums_are_of_the_parts() {
    let store = Store::with_bucket(Options {
        limits: Limits { part_bytes_min: 1, ..Limits::default() },
        ..Options::default()
    });
    let started = store.with("POST", "/bkt/k?uploads", &[("x-amz-checksum-algorithm", "SHA256")], b"");
    let id = started.element("UploadId").expect("an upload");
    let sum = |data: &[u8]| base64(&holdfs::base::digest::sha256(data));
    let mut parts = String::new();
    let mut sums = Vec::new();
    for (number, data) in [(1, b"a".as_slice()), (2, b"b")] {
        let path = format!("/bkt/k?partNumber={number}&uploadId={id}");
        let put = store.with("PUT", &path, &[("x-amz-checksum-sha256", &sum(data))], data);
        let etag = put.header("etag").expect("a tag");
        parts += &format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumSHA256>{}</ChecksumSHA256></Part>",
            sum(data)
        );
        sums.extend(holdfs::base::digest::sha256(data));
    }
    let list = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let done = store.with("POST", &format!("/bkt/k?uploadId={id}"), &[], list.as_bytes());
    assert_eq!(done.element("ChecksumSHA256"), Some(format!("{}-2", sum(&sums))));
    let head = store.with("HEAD", "/bkt/k", &[("x-amz-checksum-mode", "ENABLED")], b"");
    assert_eq!(head.header("x-amz-checksum-type"), Some("COMPOSITE"));
}
