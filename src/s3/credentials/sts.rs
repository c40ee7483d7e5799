//! The security token service: AWS's own, or the MinIO server itself. It turns long-lived keys, a token of an
//! identity provider, a password or a client certificate into keys that expire.
//!
//! [`Service`] makes one call: a form over HTTPS, signed or not, and a small XML document back.
//! [`super::role::AssumeRole`] and [`super::federated::Federated`] are what can be asked for.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method};

use super::fetch::{self, Reach};
use super::{Credentials, Environment};
use crate::base::clock::Clock;
use crate::base::digest;
use crate::base::secret::Secret;
use crate::s3::endpoint::{Asked, DEFAULT_REGION, Endpoint, GLOBAL_REGION, Partition, Purpose};
use crate::s3::error::{kind_of_code, parse_document};
use crate::s3::sign::header::{self, Target};
use crate::s3::sign::key::KeyCache;
use crate::s3::sign::{Scheme, Signer};
use crate::s3::xml::Reader;
use crate::s3::{Error, ErrorKind, Style};

const SERVICE: &str = "sts";
const VERSION: &str = "2011-06-15";
/// What AWS takes; other services have narrower limits of their own.
const DURATION_MIN: Duration = Duration::from_secs(900);

/// Where keys are asked for.
#[derive(Clone, Debug)]
pub struct Service {
    endpoint: Endpoint,
    region: String,
    reach: Reach,
    clock: Clock,
}

/// What keys are asked for, besides who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// AWS needs it; MinIO has roles for identity plug-ins only.
    pub arn: Option<String>,
    /// How the role's doings are named in records; `None` makes one of the time.
    pub session_name: Option<String>,
    /// From fifteen minutes on; `None` takes what the service gives.
    pub duration: Option<Duration>,
    /// JSON that allows less than the role does.
    pub policy: Option<String>,
    /// What the owner of a role in another account agreed with us.
    pub external_id: Option<String>,
}

impl Service {
    /// AWS's service in a region; without one, its old global address. `fips` and `dualstack` as for S3.
    pub fn aws(region: Option<&str>, fips: bool, dualstack: bool) -> Result<Self, Error> {
        let region = region.filter(|region| *region != GLOBAL_REGION);
        Self::at(&aws_host(region, fips, dualstack)).map(|service| match region {
            Some(region) => service.with_region(region),
            None => service,
        })
    }
    /// A service at an address of its own, such as a MinIO server: `https://host[:port]`.
    pub fn at(endpoint: &str) -> Result<Self, Error> {
        Ok(Self {
            endpoint: Endpoint::parse(Some(endpoint), Style::Path)?,
            region: DEFAULT_REGION.to_owned(),
            reach: Reach::far(&Environment::default()),
            clock: Clock::system(),
        })
    }
    /// The region that requests are signed for.
    pub fn with_region(self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self }
    }
    /// By another proxy, with other certificates, or with another deadline than usual.
    pub fn with_reach(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }
    /// `scheme://host:port`
    pub fn name(&self) -> String {
        self.endpoint.to_string()
    }
    pub(super) fn is_plain(&self) -> bool {
        self.endpoint.scheme == crate::s3::endpoint::Scheme::Http
    }
    pub(super) fn shows_certificate(&self) -> bool {
        self.reach.client_certificate.is_some()
    }
    pub(super) fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    /// `secrets` are those in `form`, so that no error repeats one.
    pub(super) async fn call(
        &self,
        action: &str,
        mut form: Vec<(&str, &str)>,
        keys: Option<&Credentials>,
        secrets: &[&Secret],
    ) -> Result<Credentials, Error> {
        let mut secrets = secrets.to_vec();
        secrets.extend(keys.and_then(|keys| keys.session_token.as_ref()));
        form.extend([("Action", action), ("Version", VERSION)]);
        let body = fetch::form(&form);
        let what = format!("{action} of the token service");
        let answer = fetch::call_patiently(&self.reach, &what, || {
            let (uri, headers) = self.sealed(&body, keys)?;
            Ok((Method::POST, uri, headers, body.clone()))
        })
        .await?;
        match answer.status.is_success() {
            true => parse(action, &answer.body).map_err(|why| self.about(action, &why)),
            false => Err(self.refused(action, answer.status, &answer.body, &secrets)),
        }
    }
    fn sealed(&self, body: &[u8], keys: Option<&Credentials>) -> Result<(String, HeaderMap), Error> {
        let asked = Asked { bucket: None, key: None, region: &self.region, purpose: Purpose::Data };
        let address = self.endpoint.address(asked)?;
        let mut headers = HeaderMap::new();
        let host = HeaderValue::from_str(&address.authority)
            .map_err(|_| Error::new(ErrorKind::Bug, "the host cannot be written into a header"))?;
        headers.insert(HOST, host);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(credentials) = keys {
            let cache = KeyCache::default();
            let (region, service) = (self.region.as_str(), SERVICE);
            let (scheme, time) = (Scheme::V4, self.now());
            let signer = Signer { scheme, credentials, region, service, time, keys: &cache };
            let hash = digest::hex(&digest::sha256(body));
            let target = Target { method: &Method::POST, path: "/", query: "", payload_hash: &hash };
            header::sign(&signer, &target, &mut headers)?;
        }
        Ok((format!("{}://{}/", address.scheme.name(), address.authority), headers))
    }
    fn refused(&self, action: &str, status: http::StatusCode, body: &[u8], secrets: &[&Secret]) -> Error {
        let said = parse_document(body).unwrap_or_default();
        let kind = match kind_of_code(&said.code) {
            Some(ErrorKind::Throttled) => ErrorKind::Throttled,
            _ => ErrorKind::Credentials,
        };
        let why = match said.code.is_empty() {
            true => format!("refused: {status}"),
            false => format!("refused: {}: {}", said.code, fetch::without(&said.message, secrets)),
        };
        Error::new(kind, self.about(action, &why).message())
    }
    fn about(&self, action: &str, why: &str) -> Error {
        Error::new(ErrorKind::Credentials, format!("{action} of the token service {}: {why}", self.endpoint))
    }
}

fn aws_host(region: Option<&str>, fips: bool, dualstack: bool) -> String {
    let Some(region) = region else { return "sts.amazonaws.com".to_owned() };
    let service = if fips { "sts-fips" } else { "sts" };
    let suffix = match (region.starts_with("cn-"), dualstack) {
        (_, false) => Partition::of(region).suffix,
        (false, true) => "api.aws",
        (true, true) => "api.amazonwebservices.com.cn",
    };
    format!("{service}.{region}.{suffix}")
}

impl Role {
    /// What of this goes into a form; `name` is [`Role::name`], `seconds` is [`seconds`].
    pub(super) fn pairs<'a>(&'a self, name: &'a str, seconds: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let named = self.arn.is_some() || self.session_name.is_some();
        [
            ("RoleArn", self.arn.as_deref()),
            ("RoleSessionName", named.then_some(name)),
            ("DurationSeconds", seconds),
            ("Policy", self.policy.as_deref()),
            ("ExternalId", self.external_id.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
    pub(super) fn name(&self, now: SystemTime) -> String {
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        self.session_name.clone().unwrap_or_else(|| format!("holdfs-{seconds}"))
    }
}

/// How long keys shall live, within what services take at all.
pub(super) fn seconds(wanted: Option<Duration>, max: Duration) -> Option<String> {
    wanted
        .filter(|wanted| !wanted.is_zero())
        .map(|wanted| wanted.clamp(DURATION_MIN, max).as_secs().to_string())
}

/// `<{action}Response><{action}Result><Credentials>`
pub(super) fn parse(action: &str, body: &[u8]) -> Result<Credentials, String> {
    let mut found = Found::default();
    // What the reader says could quote the document.
    read(action, body, &mut found).map_err(|_| "its answer is no document of that kind".to_owned())?;
    found.credentials().ok_or_else(|| "it answered without keys".to_owned())
}

/// What an element `Credentials` holds, here and in S3's CreateSession.
#[derive(Default)]
pub(in crate::s3) struct Found {
    access_key: Option<String>,
    secret_key: Option<Secret>,
    session_token: Option<Secret>,
    expires: Option<SystemTime>,
}

impl Found {
    pub(in crate::s3) fn read(&mut self, keys: &mut Reader<'_>) -> Result<(), Error> {
        keys.children(|name, key| {
            match name {
                "AccessKeyId" => self.access_key = key.non_empty()?,
                "SecretAccessKey" => self.secret_key = key.non_empty()?.map(Secret::new),
                "SessionToken" => self.session_token = key.non_empty()?.map(Secret::new),
                "Expiration" => self.expires = Some(key.time()?),
                _ => {}
            }
            Ok(())
        })
    }
    /// `None` without a whole pair.
    pub(in crate::s3) fn credentials(self) -> Option<Credentials> {
        let Self { access_key, secret_key, session_token, expires } = self;
        Some(Credentials { session_token, expires, ..Credentials::new(access_key?, secret_key?) })
    }
}

fn read(action: &str, body: &[u8], found: &mut Found) -> Result<(), Error> {
    let mut root = Reader::open(body, &format!("{action}Response"))?;
    root.children(|_, result| {
        result.children(|name, keys| match name {
            "Credentials" => found.read(keys),
            _ => Ok(()),
        })
    })
}
