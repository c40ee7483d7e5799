//! Where a request goes: from the endpoint that was configured, the region and the names of bucket and key to a
//! host and a path. Pure.
//!
//! The bucket is part of the host on AWS and its like, and part of the path everywhere else, for addresses and for
//! names that no host name (or no certificate) can hold. A region that a reply teaches changes the host only where
//! that host is an AWS one which names its region: nothing that a server says can send us to another host.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::names::{check_bucket, is_dns_label};
use super::sign::canonical::encode_path;
use super::{Config, Error, Style};

/// The region that AWS's own default host and most other stores sign with.
pub const DEFAULT_REGION: &str = "us-east-1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A store as it was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub scheme: Scheme,
    /// A name, an IPv4 address or an IPv6 one in brackets.
    host: Host,
    port: u16,
    style: Style,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// An AWS host that names its region: another region has another host.
    Aws(AwsHost),
    /// Hosts that take buckets as sub-domains by contract, `region` when their name has it.
    Virtual {
        name: String,
        region: Option<String>,
    },
    Other {
        name: String,
        region: Option<String>,
    },
}

/// `s3[-fips][.dualstack].REGION.amazonaws.com[.cn]`
#[derive(Clone, Debug, PartialEq, Eq)]
struct AwsHost {
    service: &'static str,
    dualstack: bool,
    /// `None`: the global name, or no endpoint at all.
    region: Option<String>,
    suffix: &'static str,
}

/// One request's host and path, both as they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub scheme: Scheme,
    /// As in the Host header: without the scheme's own port.
    pub authority: String,
    pub path: String,
}

/// What an address depends on besides the endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub bucket: Option<&'a str>,
    pub key: Option<&'a str>,
    pub region: &'a str,
    /// Making a bucket and asking for its region work by path only.
    pub by_path: bool,
}

impl Endpoint {
    pub fn of(config: &Config) -> Result<Self, Error> {
        Self::parse(config.endpoint.as_deref(), config.style)
    }
    /// `text` is a URL without path, or a host alone (then over TLS). `None` is AWS.
    pub fn parse(text: Option<&str>, style: Style) -> Result<Self, Error> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(Self { scheme: Scheme::Https, host: Host::Aws(AwsHost::global()), port: 443, style });
        };
        let refuse = |why: &str| Error::invalid(format!("the endpoint {text:?} {why}"));
        let (scheme, rest) =
            split_scheme(text).ok_or_else(|| refuse("must begin with https:// or http://"))?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(Error::invalid(
                "the endpoint must not hold a user name: keys come from the environment",
            ));
        }
        if authority.contains(['/', '?', '#']) {
            return Err(refuse("must be a host and a port only, without path or query"));
        }
        let (name, port) = split_port(authority).ok_or_else(|| refuse("has no valid host and port"))?;
        let host = Host::recognise(&name.to_ascii_lowercase());
        Ok(Self { scheme, host, port: port.unwrap_or(scheme.port()), style })
    }

    /// The region in the host's name.
    pub fn region(&self) -> Option<&str> {
        match &self.host {
            Host::Aws(host) => host.region.as_deref(),
            Host::Virtual { region, .. } | Host::Other { region, .. } => region.as_deref(),
        }
    }
    pub fn is_aws(&self) -> bool {
        matches!(self.host, Host::Aws(_))
    }

    pub fn address(&self, asked: Asked<'_>) -> Result<Address, Error> {
        let host = self.host.name(asked.region);
        let port = if self.port == self.scheme.port() { String::new() } else { format!(":{}", self.port) };
        let key = encode_path(asked.key.unwrap_or_default());
        let Some(bucket) = asked.bucket else {
            return Ok(Address { scheme: self.scheme, authority: host + &port, path: "/".to_owned() });
        };
        check_bucket(bucket)?;
        let by_host = !asked.by_path && self.puts_bucket_in_host(bucket);
        let (authority, path) = match by_host {
            true => (format!("{bucket}.{host}{port}"), format!("/{key}")),
            false if asked.key.is_none() => (host + &port, format!("/{}", encode_path(bucket))),
            false => (host + &port, format!("/{}/{key}", encode_path(bucket))),
        };
        Ok(Address { scheme: self.scheme, authority, path })
    }

    fn puts_bucket_in_host(&self, bucket: &str) -> bool {
        let fits = match self.scheme {
            // A wildcard certificate covers one label.
            Scheme::Https => is_dns_label(bucket),
            Scheme::Http => bucket.split('.').all(is_dns_label),
        };
        fits && !self.host.is_address()
            && match self.style {
                Style::Path => false,
                Style::Virtual => true,
                Style::Auto => !matches!(self.host, Host::Other { .. }),
            }
    }
}

/// `scheme://host:port`, the port always given.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = self.region().unwrap_or(DEFAULT_REGION);
        write!(f, "{}://{}:{}", self.scheme.name(), self.host.name(region), self.port)
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    match text.split_once("://") {
        None => Some((Scheme::Https, text)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => Some((Scheme::Https, rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => Some((Scheme::Http, rest)),
        Some(_) => None,
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = if authority.starts_with('[') {
        let (address, rest) = authority.split_at(authority.find(']')? + 1);
        address[1..address.len() - 1].parse::<Ipv6Addr>().ok()?;
        (address, rest.strip_prefix(':').or((rest.is_empty()).then_some("")))
    } else {
        match authority.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (authority, Some("")),
        }
    };
    let is_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
    if name.is_empty() || !(name.starts_with('[') || name.chars().all(is_name)) {
        return None;
    }
    match port? {
        "" => (!authority.ends_with(':')).then_some((name, None)),
        port => Some((name, Some(port.parse().ok().filter(|port| *port > 0)?))),
    }
}

/// Hosts whose name holds the region as the label before the suffix, and whether they want buckets as sub-domains.
const REGION_BEFORE: &[(&str, Placement)] = &[
    (".cloud-object-storage.appdomain.cloud", Placement::Host),
    (".aliyuncs.com", Placement::Host),
    (".digitaloceanspaces.com", Placement::Path),
    (".wasabisys.com", Placement::Path),
    (".backblazeb2.com", Placement::Path),
    (".linodeobjects.com", Placement::Path),
    (".scw.cloud", Placement::Path),
];
/// Hosts that know one region only.
const REGION_FIXED: &[(&str, &str)] =
    &[(".r2.cloudflarestorage.com", "auto"), ("storage.googleapis.com", "auto")];

#[derive(Clone, Copy, PartialEq)]
enum Placement {
    Host,
    Path,
}

impl Host {
    fn recognise(name: &str) -> Self {
        if let Some(host) = AwsHost::recognise(name) {
            return Self::Aws(host);
        }
        let of_aws = AWS_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
        if let Some(labels) = of_aws {
            // Interface endpoints and the like: `bucket.vpce-1a2b.s3.eu-west-1.vpce`.
            let region = labels.split('.').find(|label| is_aws_region(label)).map(str::to_owned);
            return Self::Virtual { name: name.to_owned(), region };
        }
        for (suffix, placement) in REGION_BEFORE {
            if let Some(labels) = name.strip_suffix(suffix) {
                let label = labels.rsplit('.').next().filter(|label| *label != "s3" && !label.is_empty());
                let (name, region) = (name.to_owned(), label.map(str::to_owned));
                return match placement {
                    Placement::Host => Self::Virtual { name, region },
                    Placement::Path => Self::Other { name, region },
                };
            }
        }
        let fixed = REGION_FIXED.iter().find(|(suffix, _)| name.ends_with(suffix));
        Self::Other { name: name.to_owned(), region: fixed.map(|(_, region)| (*region).to_owned()) }
    }
    fn name(&self, region: &str) -> String {
        match self {
            Self::Aws(host) => host.name(region),
            Self::Virtual { name, .. } | Self::Other { name, .. } => name.clone(),
        }
    }
    fn is_address(&self) -> bool {
        match self {
            Self::Other { name, .. } => {
                name.starts_with('[') || name.parse::<IpAddr>().is_ok() || name == "localhost"
            }
            _ => false,
        }
    }
}

const AWS_SUFFIXES: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

impl AwsHost {
    fn global() -> Self {
        Self { service: "s3", dualstack: false, region: None, suffix: AWS_SUFFIXES[0] }
    }
    fn recognise(name: &str) -> Option<Self> {
        let (suffix, labels) =
            AWS_SUFFIXES.iter().find_map(|suffix| Some((*suffix, name.strip_suffix(suffix)?)))?;
        let labels: Vec<&str> = labels.split('.').collect();
        let (service, dualstack, region) = match labels.as_slice() {
            ["s3"] => ("s3", false, None),
            ["s3", region] if is_aws_region(region) => ("s3", false, Some(*region)),
            ["s3-fips", region] if is_aws_region(region) => ("s3-fips", false, Some(*region)),
            ["s3", "dualstack", region] if is_aws_region(region) => ("s3", true, Some(*region)),
            ["s3-fips", "dualstack", region] if is_aws_region(region) => ("s3-fips", true, Some(*region)),
            // The old spelling: `s3-eu-west-1`.
            [old] => ("s3", false, Some(old.strip_prefix("s3-").filter(|region| is_aws_region(region))?)),
            _ => return None,
        };
        Some(Self { service, dualstack, region: region.map(str::to_owned), suffix })
    }
    fn name(&self, region: &str) -> String {
        let suffix = if region.starts_with("cn-") { AWS_SUFFIXES[1] } else { AWS_SUFFIXES[0] };
        let dualstack = if self.dualstack { ".dualstack" } else { "" };
        format!("{}{dualstack}.{region}{suffix}", self.service)
    }
}

/// The region of an AWS host, such as the one in the Location header of a redirect.
pub fn region_of_aws_host(host: &str) -> Option<String> {
    let labels = AWS_SUFFIXES.iter().find_map(|suffix| host.strip_suffix(suffix))?;
    let mut labels = labels.rsplit('.');
    let last = labels.next()?;
    let region = last.strip_prefix("s3-").unwrap_or(last);
    is_aws_region(region).then(|| region.to_owned())
}

/// `eu-west-1`, `us-gov-east-1`, `ap-southeast-10`.
fn is_aws_region(label: &str) -> bool {
    let words: Vec<&str> = label.split('-').collect();
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|char| char.is_ascii_lowercase());
    match words.split_last() {
        Some((number, names)) => {
            (2..=4).contains(&names.len())
                && names.iter().all(is_word)
                && matches!(number.len(), 1 | 2)
                && number.chars().all(|char| char.is_ascii_digit())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(endpoint: Option<&str>, style: Style, bucket: &str, key: &str, region: &str) -> String {
        let endpoint = Endpoint::parse(endpoint, style).expect("a good endpoint");
        let key = (!key.is_empty()).then_some(key);
        let asked = Asked { bucket: Some(bucket), key, region, by_path: false };
        let address = endpoint.address(asked).expect("an address");
        format!("{}://{}{}", address.scheme.name(), address.authority, address.path)
    }

    #[test]
    fn the_bucket_goes_into_the_host_where_host_and_name_allow() {
        let auto = Style::Auto;
        for (endpoint, style, bucket, key, region, expected) in [
            (None, auto, "b", "k", "eu-west-1", "https://b.s3.eu-west-1.amazonaws.com/k"),
            (None, auto, "b", "", "us-east-1", "https://b.s3.us-east-1.amazonaws.com/"),
            (None, auto, "b", "k", "cn-north-1", "https://b.s3.cn-north-1.amazonaws.com.cn/k"),
            (None, auto, "my.b", "k", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/my.b/k"),
            (None, auto, "Old_Name", "k", "us-east-1", "https://s3.us-east-1.amazonaws.com/Old_Name/k"),
            (None, Style::Path, "b", "", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/b"),
            (
                Some("https://s3.eu-west-1.amazonaws.com"),
                auto,
                "b",
                "k",
                "eu-west-3",
                "https://b.s3.eu-west-3.amazonaws.com/k",
            ),
            (
                Some("s3-fips.dualstack.us-gov-east-1.amazonaws.com"),
                auto,
                "b",
                "k",
                "us-gov-east-1",
                "https://b.s3-fips.dualstack.us-gov-east-1.amazonaws.com/k",
            ),
            (
                Some("https://vpce-1.s3.eu-west-1.vpce.amazonaws.com"),
                auto,
                "b",
                "k",
                "eu-west-1",
                "https://b.vpce-1.s3.eu-west-1.vpce.amazonaws.com/k",
            ),
            (Some("http://127.0.0.1:9000"), auto, "b", "k", "us-east-1", "http://127.0.0.1:9000/b/k"),
            (
                Some("http://127.0.0.1:9000"),
                Style::Virtual,
                "b",
                "k",
                "us-east-1",
                "http://127.0.0.1:9000/b/k",
            ),
            (Some("http://[::1]:9000/"), auto, "b", "k", "us-east-1", "http://[::1]:9000/b/k"),
            (Some("https://[::1]"), auto, "b", "k", "us-east-1", "https://[::1]/b/k"),
            (Some("http://localhost:80"), auto, "b", "k", "us-east-1", "http://localhost/b/k"),
            (Some("https://minio.example.org:443"), auto, "b", "k", "x", "https://minio.example.org/b/k"),
            (
                Some("https://minio.example.org"),
                Style::Virtual,
                "b",
                "k",
                "x",
                "https://b.minio.example.org/k",
            ),
            (
                Some("https://minio.example.org"),
                Style::Virtual,
                "a.b",
                "k",
                "x",
                "https://minio.example.org/a.b/k",
            ),
            (
                Some("http://minio.example.org"),
                Style::Virtual,
                "a.b",
                "k",
                "x",
                "http://a.b.minio.example.org/k",
            ),
            (
                Some("https://s3.eu-de.cloud-object-storage.appdomain.cloud"),
                auto,
                "b",
                "k",
                "eu-de",
                "https://b.s3.eu-de.cloud-object-storage.appdomain.cloud/k",
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
}
