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
mod host;
mod outpost;
mod points;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
pub mod zone;

use std::fmt;
use std::net::Ipv6Addr;

use self::arn::{Arn, is_arn};
use self::aws::{AwsHost, check_region, region_behind_fips};
use self::host::Host;
use self::outpost::outpost_of;
use self::zone::zone_of;

use super::names::{check_bucket, is_dns_label};
use super::sign::canonical::encode_path;
use super::sign::{self, SERVICE};
use super::{AwsAddress, Config, Error, Style};

pub use aws::{Partition, region_of_aws_host};

/// The region that AWS's own default host and most other stores sign with.
pub const DEFAULT_REGION: &str = "us-east-1";
/// Not a region: the SDKs' word for AWS's host that names none, where requests are signed for the default one.
pub const GLOBAL_REGION: &str = "aws-global";

/// What requests to directory buckets are signed for.
const EXPRESS: &str = "s3express";
/// And those to access points on outposts.
const OUTPOSTS: &str = "s3-outposts";
/// And those of functions that answer in the place of objects.
const OBJECT_LAMBDA: &str = "s3-object-lambda";
/// AWS has no bucket whose name is shorter; other stores may, in paths.
const BUCKET_LABEL_MIN: usize = 3;

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
        let given = config.endpoint.as_deref().is_some_and(|text| !text.trim().is_empty());
        let named_fips = !given && config.region.as_deref().and_then(region_behind_fips).is_some();
        let AwsAddress { fips, .. } = config.aws_address;
        let (wanted, style) = (AwsAddress { fips: fips || named_fips, ..config.aws_address }, config.style);
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

    /// The region that is meant: that of `fips-REGION` is chosen together with AWS's FIPS hosts.
    pub fn plain_region<'a>(&self, region: &'a str) -> &'a str {
        let behind = || region_behind_fips(region).filter(|_| self.is_aws() && self.wanted.fips);
        behind().unwrap_or(region)
    }
    /// The region in the host's name.
    pub fn region(&self) -> Option<&str> {
        self.host.region()
    }
    pub fn is_aws(&self) -> bool {
        matches!(self.host, Host::Aws(_))
    }
    /// The same, and hosts of AWS's that know one place only, such as interface endpoints.
    pub fn belongs_to_aws(&self) -> bool {
        self.host.belongs_to_aws()
    }

    pub fn address(&self, asked: Asked<'_>) -> Result<Address, Error> {
        if self.is_aws() {
            check_region(asked.region)?;
            Partition::of(asked.region).check(self.wanted)?;
        }
        if let Some(name) = asked.bucket.filter(|bucket| is_arn(bucket)) {
            return self.access_point(&Arn::parse(name)?, asked);
        }
        let host = self.host.name(asked.region);
        let asked = Asked { region: signing_region(asked.region), ..asked };
        let Some(bucket) = asked.bucket else {
            let (host, service) = match asked.purpose {
                Purpose::Control => (self.directory_control(asked.region).unwrap_or(host), EXPRESS),
                Purpose::Data | Purpose::Make => (host, SERVICE),
            };
            return Ok(self.at(host, "/".to_owned(), asked.region, service));
        };
        check_bucket(bucket)?;
        if let Some(zone) = zone_of(bucket) {
            return self.directory_bucket(bucket, zone?, asked);
        }
        if let Some(outpost) = outpost_of(bucket).filter(|_| self.knows_aliases()) {
            return self.outpost_alias(bucket, &outpost?, asked);
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
        if !route.split('.').all(is_dns_label) {
            return Err(Error::invalid(format!("{route:?} is no route of an Object Lambda request")));
        }
        if self.wanted.dualstack || self.wanted.accelerate {
            return Err(Error::invalid(
                "Object Lambda goes with neither dual-stack nor transfer acceleration",
            ));
        }
        let host = match &self.host {
            Host::Aws(_) => {
                check_region(region)?;
                let partition = Partition::of(region);
                partition.check(self.wanted)?;
                let fips = if self.wanted.fips { "-fips" } else { "" };
                format!("{route}.{OBJECT_LAMBDA}{fips}.{}.{}", signing_region(region), partition.suffix)
            }
            Host::Other { name, .. } if self.host.is_address() => name.clone(),
            Host::Virtual { name, .. } | Host::Other { name, .. } => format!("{route}.{name}"),
        };
        Ok(self.at(host, "/WriteGetObjectResponse".to_owned(), region, OBJECT_LAMBDA))
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
        Address { scheme, authority, path, region: signing_region(region).to_owned(), service, signature }
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

    fn puts_bucket_in_host(&self, bucket: &str) -> bool {
        let fits = match self.scheme {
            // A wildcard certificate covers one label.
            Scheme::Https => is_dns_label(bucket) && bucket.len() >= BUCKET_LABEL_MIN,
            Scheme::Http => bucket.split('.').all(is_dns_label) && bucket.len() >= BUCKET_LABEL_MIN,
        };
        fits && !self.host.is_address()
            && match self.style {
                Style::Path => false,
                Style::Virtual => true,
                Style::Auto => !matches!(self.host, Host::Other { .. }),
            }
    }
}

/// What a request is signed for.
pub fn signing_region(region: &str) -> &str {
    if region == GLOBAL_REGION { DEFAULT_REGION } else { region }
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
