//! Addresses of stores that are not AWS's, and of those that are in short; the SDKs' own cases are in `rules`.

use super::*;

fn url(endpoint: Option<&str>, style: Style, bucket: &str, key: &str, region: &str) -> String {
    let endpoint = Endpoint::parse(endpoint, style).expect("a good endpoint");
    let key = (!key.is_empty()).then_some(key);
    let asked = Asked { bucket: Some(bucket), key, region, purpose: Purpose::Data };
    let address = endpoint.address(asked).expect("an address");
    format!("{}://{}{}", address.scheme.name(), address.authority, address.path)
}

#[test]
fn the_bucket_goes_into_the_host_where_host_and_name_allow() {
    let auto = Style::Auto;
    for (endpoint, style, bucket, key, region, expected) in [
        (None, auto, "bkt", "k", "eu-west-1", "https://bkt.s3.eu-west-1.amazonaws.com/k"),
        (None, auto, "bkt", "", "us-east-1", "https://bkt.s3.us-east-1.amazonaws.com/"),
        (None, auto, "bkt", "k", "cn-north-1", "https://bkt.s3.cn-north-1.amazonaws.com.cn/k"),
        (None, auto, "my.b", "k", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/my.b/k"),
        (None, auto, "Old_Name", "k", "us-east-1", "https://s3.us-east-1.amazonaws.com/Old_Name/k"),
        // Shorter names than S3 has: one in the host would be no host of the store's.
        (None, auto, "ab", "k", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/ab/k"),
        (None, auto, "bkt", "k", GLOBAL_REGION, "https://bkt.s3.amazonaws.com/k"),
        (None, Style::Path, "bkt", "", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/bkt"),
        (
            Some("https://s3.eu-west-1.amazonaws.com"),
            auto,
            "bkt",
            "k",
            "eu-west-3",
            "https://bkt.s3.eu-west-3.amazonaws.com/k",
        ),
        (
            Some("s3-fips.dualstack.us-gov-east-1.amazonaws.com"),
            auto,
            "bkt",
            "k",
            "us-gov-east-1",
            "https://bkt.s3-fips.dualstack.us-gov-east-1.amazonaws.com/k",
        ),
        (
            Some("https://vpce-1.s3.eu-west-1.vpce.amazonaws.com"),
            auto,
            "bkt",
            "k",
            "eu-west-1",
            "https://bkt.vpce-1.s3.eu-west-1.vpce.amazonaws.com/k",
        ),
        (Some("http://127.0.0.1:9000"), auto, "bkt", "k", "us-east-1", "http://127.0.0.1:9000/bkt/k"),
        (
            Some("http://127.0.0.1:9000"),
            Style::Virtual,
            "bkt",
            "k",
            "us-east-1",
            "http://127.0.0.1:9000/bkt/k",
        ),
        (Some("http://[::1]:9000/"), auto, "bkt", "k", "us-east-1", "http://[::1]:9000/bkt/k"),
        (Some("https://[::1]"), auto, "bkt", "k", "us-east-1", "https://[::1]/bkt/k"),
        (Some("http://localhost:80"), auto, "bkt", "k", "us-east-1", "http://localhost/bkt/k"),
        (Some("https://minio.example.org:443"), auto, "bkt", "k", "x", "https://minio.example.org/bkt/k"),
        (
            Some("https://minio.example.org"),
            Style::Virtual,
            "bkt",
            "k",
            "x",
            "https://bkt.minio.example.org/k",
        ),
        (
            Some("https://minio.example.org"),
            Style::Virtual,
            "a.b",
            "k",
            "x",
            "https://minio.example.org/a.b/k",
        ),
        (Some("http://minio.example.org"), Style::Virtual, "a.b", "k", "x", "http://a.b.minio.example.org/k"),
        (
            Some("https://s3.eu-de.cloud-object-storage.appdomain.cloud"),
            auto,
            "bkt",
            "k",
            "eu-de",
            "https://bkt.s3.eu-de.cloud-object-storage.appdomain.cloud/k",
        ),
    ] {
        assert_eq!(url(endpoint, style, bucket, key, region), expected);
    }
}

#[test]
fn odd_keys_reach_the_path_byte_for_byte() {
    for (key, path) in [
        ("../x", "/b/../x"),
        ("a/./b", "/b/a/./b"),
        ("/lead", "/b//lead"),
        ("a//b/", "/b/a//b/"),
        ("%2e ?#", "/b/%252e%20%3F%23"),
    ] {
        let url = url(Some("http://h:1"), Style::Auto, "b", key, "r");
        assert_eq!(url, format!("http://h:1{path}"));
    }
}

#[test]
fn regions_are_read_from_host_names() {
    for (endpoint, region) in [
        ("https://s3.eu-central-1.amazonaws.com", Some("eu-central-1")),
        ("https://s3-ap-southeast-2.amazonaws.com", Some("ap-southeast-2")),
        ("https://s3.amazonaws.com", None),
        ("https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com", Some("eu-west-1")),
        ("https://s3.private.us-south.cloud-object-storage.appdomain.cloud", Some("us-south")),
        ("https://fra1.digitaloceanspaces.com", Some("fra1")),
        ("https://s3.us-west-004.backblazeb2.com", Some("us-west-004")),
        ("https://s3.wasabisys.com", None),
        ("https://0a1b.r2.cloudflarestorage.com", Some("auto")),
        ("https://oss-cn-hangzhou.aliyuncs.com", Some("oss-cn-hangzhou")),
        ("http://localhost:9000", None),
    ] {
        assert_eq!(
            Endpoint::parse(Some(endpoint), Style::Auto).expect("good").region(),
            region,
            "{endpoint}"
        );
    }
    assert_eq!(region_of_aws_host("b.s3-us-west-2.amazonaws.com").as_deref(), Some("us-west-2"));
    assert_eq!(region_of_aws_host("b.s3.eu-west-1.amazonaws.com").as_deref(), Some("eu-west-1"));
    assert_eq!(region_of_aws_host("eu-west-1.amazonaws.com.evil.example"), None);
}

#[test]
fn endpoints_that_say_more_than_a_host_are_refused() {
    for bad in [
        "ftp://h",
        "http://",
        "https://h/path",
        "https://h?q",
        "https://h#f",
        "https://user:pw@h",
        "http://h:",
        "http://h:0",
        "http://h:65536",
        "http://[::1",
        "http://[zz]",
        "http://a b",
        "http://h:80x",
        "http://é",
    ] {
        assert!(Endpoint::parse(Some(bad), Style::Auto).is_err(), "{bad}");
    }
    let secret = Endpoint::parse(Some("https://AKIA:topsecret@h"), Style::Auto).expect_err("refused");
    assert!(!secret.to_string().contains("topsecret"));
}

#[test]
fn the_name_of_a_store_always_has_its_port() {
    for (endpoint, name) in [
        (None, "https://s3.us-east-1.amazonaws.com:443"),
        (Some("http://Example.org"), "http://example.org:80"),
        (Some("https://[::1]:8443"), "https://[::1]:8443"),
    ] {
        assert_eq!(Endpoint::parse(endpoint, Style::Auto).expect("good").to_string(), name);
    }
}
