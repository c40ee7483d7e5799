//! Where a request goes: from the endpoint that was configured, the region and the names of bucket and key to a
//! host and a path. Pure.
//!
//! The bucket is part of the host on AWS and its like, and part of the path everywhere else, for addresses and for
//! names that no host name (or no certificate) can hold. A region that a reply teaches changes the host only where
//! that host is an AWS one which names its region: nothing that a server says can send us to another host.
//!
//! An access point and a directory bucket bring a host, a region and a signing name of their own; what does not go
//! together (FIPS and a host of one's own, acceleration and dots) is refused before anything is sent.

pub mod arn;
mod aws;
#[cfg(test)]
mod rules;
pub mod zone;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use self::arn::{Arn, Point, is_arn};
use self::aws::{AWS_SUFFIXES, AwsHost, Partition, check_region, is_aws_region};
use self::zone::zone_of;

use super::names::{check_bucket, is_dns_label};
use super::sign::canonical::encode_path;
use super::sign::{self, SERVICE};
use super::{AwsAddress, Config, Error, Style};

pub use aws::region_of_aws_host;

/// The region that AWS's own default host and most other stores sign with.
pub const DEFAULT_REGION: &str = "us-east-1";

/// What requests to directory buckets are signed for.
const EXPRESS: &str = "s3express";

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
    wanted: AwsAddress,
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

/// One request's host and path, both as they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub scheme: Scheme,
    /// As in the Host header: without the scheme's own port.
    pub authority: String,
    pub path: String,
    /// The region and the service that the request is signed for.
    pub region: String,
    pub service: &'static str,
    pub signature: sign::Scheme,
}

/// What an address depends on besides the endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub bucket: Option<&'a str>,
    pub key: Option<&'a str>,
    pub region: &'a str,
    pub purpose: Purpose,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Objects, and listings of them.
    Data,
    /// The bucket's own settings: those of directory buckets have a host of their own. Without a bucket: the list of
    /// directory buckets.
    Control,
    /// Making a bucket and asking for its region, by path only.
    Make,
}

impl Endpoint {
    pub fn of(config: &Config) -> Result<Self, Error> {
        let (wanted, style) = (config.aws_address, config.style);
        let given = config.endpoint.as_deref().is_some_and(|text| !text.trim().is_empty());
        for (is_wanted, what) in [
            (wanted.fips, "FIPS endpoints"),
            (wanted.dualstack, "dual-stack endpoints"),
            (wanted.accelerate, "transfer acceleration"),
        ] {
            if given && is_wanted {
                return Err(Error::invalid(format!("{what} are AWS's own: they go with no other endpoint")));
            }
        }
        if wanted.accelerate && (wanted.fips || style == Style::Path) {
            return Err(Error::invalid(
                "transfer acceleration goes with neither FIPS nor addressing by path",
            ));
        }
        let endpoint = Self::parse(config.endpoint.as_deref(), style)?;
        Ok(match endpoint.host {
            Host::Aws(_) if !given => Self { host: Host::Aws(AwsHost::usual(wanted)), wanted, ..endpoint },
            _ => Self { wanted, ..endpoint },
        })
    }
    /// `text` is a URL without path, or a host alone (then over TLS). `None` is AWS.
    pub fn parse(text: Option<&str>, style: Style) -> Result<Self, Error> {
        let wanted = AwsAddress::default();
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            let host = Host::Aws(AwsHost::usual(wanted));
            return Ok(Self { scheme: Scheme::Https, host, port: 443, style, wanted });
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
        Ok(Self { scheme, host, port: port.unwrap_or(scheme.port()), style, wanted })
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
        if self.is_aws() {
            check_region(asked.region)?;
            Partition::of(asked.region).check(self.wanted)?;
        }
        let host = self.host.name(asked.region);
        let Some(bucket) = asked.bucket else {
            let (host, service) = match asked.purpose {
                Purpose::Control => (self.directory_control(asked.region).unwrap_or(host), EXPRESS),
                Purpose::Data | Purpose::Make => (host, SERVICE),
            };
            return Ok(self.at(host, "/".to_owned(), asked.region, service));
        };
        if is_arn(bucket) {
            return self.access_point(&Arn::parse(bucket)?, asked);
        }
        check_bucket(bucket)?;
        if let Some(zone) = zone_of(bucket) {
            return self.directory_bucket(bucket, zone?, asked);
        }
        let by_host = asked.purpose != Purpose::Make && self.puts_bucket_in_host(bucket);
        let host = if self.wanted.accelerate && asked.purpose != Purpose::Make {
            self.accelerated(by_host, asked.region)?
        } else {
            host
        };
        Ok(self.placed(bucket, by_host, host, asked, SERVICE))
    }
    /// Where an Object Lambda function answers: a host of the caller's own, on AWS.
    pub fn object_lambda(&self, route: &str, region: &str) -> Result<Address, Error> {
        if !is_dns_label(route) || route.is_empty() {
            return Err(Error::invalid(format!("{route:?} is no route of an Object Lambda request")));
        }
        let host = match &self.host {
            Host::Aws(_) => {
                check_region(region)?;
                let fips = if self.wanted.fips { "-fips" } else { "" };
                format!("{route}.s3-object-lambda{fips}.{region}.{}", Partition::of(region).suffix)
            }
            Host::Virtual { name, .. } | Host::Other { name, .. } => name.clone(),
        };
        Ok(self.at(host, "/WriteGetObjectResponse".to_owned(), region, "s3-object-lambda"))
    }
    fn placed(
        &self,
        bucket: &str,
        by_host: bool,
        host: String,
        asked: Asked<'_>,
        service: &'static str,
    ) -> Address {
        let key = encode_path(asked.key.unwrap_or_default());
        let (host, path) = match by_host {
            true => (format!("{bucket}.{host}"), format!("/{key}")),
            false if asked.key.is_none() => (host, format!("/{}", encode_path(bucket))),
            false => (host, format!("/{}/{key}", encode_path(bucket))),
        };
        self.at(host, path, asked.region, service)
    }
    fn at(&self, host: String, path: String, region: &str, service: &'static str) -> Address {
        let port = if self.port == self.scheme.port() { String::new() } else { format!(":{}", self.port) };
        let (scheme, authority, signature) = (self.scheme, host + &port, sign::Scheme::V4);
        Address { scheme, authority, path, region: region.to_owned(), service, signature }
    }

    fn accelerated(&self, by_host: bool, region: &str) -> Result<String, Error> {
        let partition = Partition::of(region);
        if !by_host || !partition.is_main() {
            return Err(Error::invalid(
                "transfer acceleration is for buckets without dots in their names, in AWS's main partition only",
            ));
        }
        let dualstack = if self.wanted.dualstack { ".dualstack" } else { "" };
        Ok(format!("s3-accelerate{dualstack}.{}", partition.suffix))
    }

    fn access_point(&self, arn: &Arn<'_>, asked: Asked<'_>) -> Result<Address, Error> {
        let refuse = |why: &str| Err(Error::invalid(format!("an access point {why}")));
        if asked.purpose == Purpose::Make {
            return refuse("is no bucket: it is neither made nor located by S3");
        }
        if self.style == Style::Path || self.wanted.accelerate || self.host.is_address() {
            return refuse("goes with neither addressing by path nor transfer acceleration");
        }
        let multi_region = matches!(arn.point, Point::MultiRegion(_));
        let partition = Partition::of(if multi_region { asked.region } else { arn.region });
        if arn.partition != partition.name || self.is_aws() && *partition != *Partition::of(asked.region) {
            return refuse("cannot be reached from another partition");
        }
        if !multi_region && arn.region != asked.region && !self.wanted.follow_arn_region {
            return refuse("in another region than the client's is not to be used (AWS_S3_USE_ARN_REGION)");
        }
        partition.check(self.wanted)?;
        let (fips, dualstack) = (self.wanted.fips, self.wanted.dualstack);
        let (first, kind, service) = match arn.point {
            Point::MultiRegion(alias) => return self.multi_region(alias, partition, asked),
            Point::Access(name) => (format!("{name}-{}", arn.account), "s3-accesspoint", SERVICE),
            Point::ObjectLambda(_) if dualstack => {
                return refuse("of Object Lambda has no dual-stack endpoint");
            }
            Point::ObjectLambda(name) => {
                (format!("{name}-{}", arn.account), "s3-object-lambda", "s3-object-lambda")
            }
            Point::Outpost { .. } if fips || dualstack => {
                return refuse("on an outpost has neither FIPS nor dual-stack endpoints");
            }
            Point::Outpost { outpost, name } => {
                (format!("{name}-{}.{outpost}", arn.account), "s3-outposts", "s3-outposts")
            }
        };
        let host = match &self.host {
            Host::Aws(_) => {
                let (fips, dualstack) =
                    (if fips { "-fips" } else { "" }, if dualstack { ".dualstack" } else { "" });
                format!("{first}.{kind}{fips}{dualstack}.{}.{}", arn.region, partition.suffix)
            }
            Host::Virtual { name, .. } | Host::Other { name, .. } => format!("{first}.{name}"),
        };
        let path = format!("/{}", encode_path(asked.key.unwrap_or_default()));
        Ok(self.at(host, path, arn.region, service))
    }

    /// AWS takes the nearest of its regions: the signature must be good in all of them.
    fn multi_region(&self, alias: &str, partition: &Partition, asked: Asked<'_>) -> Result<Address, Error> {
        let AwsAddress { fips, dualstack, multi_region, .. } = self.wanted;
        let refuse = |why: &str| Err(Error::invalid(format!("a multi-region access point {why}")));
        if !multi_region {
            return refuse("is not to be used (AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS)");
        }
        if fips || dualstack {
            return refuse("has neither FIPS nor dual-stack endpoints");
        }
        let Host::Aws(_) = &self.host else { return refuse("is AWS's own: it goes with no other endpoint") };
        let host = format!("{alias}.accesspoint.s3-global.{}", partition.suffix);
        let path = format!("/{}", encode_path(asked.key.unwrap_or_default()));
        Ok(Address { signature: sign::Scheme::V4A, ..self.at(host, path, "*", SERVICE) })
    }

    fn directory_bucket(&self, bucket: &str, zone: &str, asked: Asked<'_>) -> Result<Address, Error> {
        if self.wanted.accelerate {
            return Err(Error::invalid("a directory bucket goes without transfer acceleration"));
        }
        let Some(control) = self.directory_control(asked.region) else {
            let host = self.host.name(asked.region);
            let by_host = self.puts_bucket_in_host(bucket);
            return Ok(self.placed(bucket, by_host, host, asked, EXPRESS));
        };
        let (by_host, host) = match asked.purpose {
            Purpose::Data => {
                let fips = if self.wanted.fips { "-fips" } else { "" };
                (true, format!("s3express{fips}-{zone}{}", self.express_suffix(asked.region)))
            }
            Purpose::Control | Purpose::Make => (false, control),
        };
        Ok(self.placed(bucket, by_host, host, asked, EXPRESS))
    }
    /// The host that knows of directory buckets; only AWS has one.
    fn directory_control(&self, region: &str) -> Option<String> {
        let fips = if self.wanted.fips { "-fips" } else { "" };
        let control = || format!("s3express-control{fips}{}", self.express_suffix(region));
        self.is_aws().then(control)
    }
    fn express_suffix(&self, region: &str) -> String {
        let dualstack = if self.wanted.dualstack { ".dualstack" } else { "" };
        format!("{dualstack}.{region}.{}", Partition::of(region).suffix)
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

#[cfg(test)]
mod tests {
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
