//! What a client is made of.

use std::path::PathBuf;
use std::time::Duration;

use super::Limits;
use super::credentials::ibm::CredentialsFile;
use super::credentials::minio;
use super::credentials::profile::{Profiles, Store};
use super::credentials::{Environment, Provider};
use crate::base::clock::Clock;

/// Everything that a [`super::Client`] needs to know. [`Config::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// `https://host[:port]` or `http://host[:port]`; a host alone means HTTPS. `None` is AWS.
    pub endpoint: Option<String>,
    /// `None`: found out from the endpoint's name or from the store's own replies.
    pub region: Option<String>,
    /// Where the name of the bucket goes.
    pub style: Style,
    /// Which of AWS's own addresses are used.
    pub aws_address: AwsAddress,
    /// Where keys come from.
    pub credentials: Provider,
    /// IBM: the instance that buckets are made in and listed of.
    pub service_instance_id: Option<String>,
    /// The account that every bucket must belong to: the store refuses requests about those of others.
    pub expected_bucket_owner: Option<String>,
    /// A bundle in PEM that is trusted instead of the system's certificates.
    pub ca_file: Option<PathBuf>,
    /// Whether the server's certificate must be good.
    pub verification: Verification,
    /// Shown to servers that ask who connects.
    pub client_certificate: Option<ClientCertificate>,
    /// By way of whom the store is reached.
    pub proxy: Proxy,
    /// How long to wait for what.
    pub deadlines: Deadlines,
    /// Idle connections kept per host.
    pub pool_size: usize,
    /// Bytes that one read from a connection may take, at least 8 KiB: what each connection that receives at full speed
    /// has in memory. Best at what a core's second cache holds; 400 KiB unless told.
    pub receive_bytes: usize,
    /// What requests say of who sends them.
    pub user_agent: String,
    /// Whether the signature covers the bytes of a body.
    pub payload_signing: PayloadSigning,
    /// How uploads prove that they arrived whole.
    pub checksum_mode: ChecksumMode,
    /// What the store accepts.
    pub limits: Limits,
    /// What time it is.
    pub clock: Clock,
}

/// Where the name of the bucket goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Virtual hosts on AWS and its like, paths elsewhere and wherever the name does not fit into a host name.
    #[default]
    Auto,
    /// In the path: `host/bucket/key`.
    Path,
    /// In the host: `bucket.host/key`.
    Virtual,
}

/// Which of AWS's own addresses are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsAddress {
    /// Those with cryptography approved by the U.S. government.
    pub fips: bool,
    /// Those that have IPv6 addresses, too.
    pub dualstack: bool,
    /// By way of the nearest edge location; the bucket must be set up for it.
    pub accelerate: bool,
    /// An access point may be in another region than the client's.
    pub follow_arn_region: bool,
    /// Requests to directory buckets are signed with the keys of a session.
    pub express_sessions: bool,
    /// Multi-region access points may be used.
    pub multi_region: bool,
    /// us-east-1 is reached by its old host, which names no region: `s3.amazonaws.com`.
    pub global: bool,
}

impl Default for AwsAddress {
    fn default() -> Self {
        Self {
            fips: false,
            dualstack: false,
            accelerate: false,
            follow_arn_region: true,
            express_sessions: true,
            multi_region: true,
            global: false,
        }
    }
}

impl AwsAddress {
    /// What the environment says, then the profile.
    fn of(environment: &Environment, profile: &Store) -> Self {
        let chosen = |variable: &str, own: Option<bool>, usual: bool| {
            let set = environment.get(variable).map(|_| environment.is_true(variable));
            set.or(own).unwrap_or(usual)
        };
        Self {
            fips: chosen("AWS_USE_FIPS_ENDPOINT", profile.fips, false),
            dualstack: chosen("AWS_USE_DUALSTACK_ENDPOINT", profile.dualstack, false),
            accelerate: profile.accelerate.unwrap_or(false),
            follow_arn_region: chosen("AWS_S3_USE_ARN_REGION", profile.follow_arn_region, true),
            express_sessions: !chosen(
                "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
                profile.express_sessions.map(|on| !on),
                false,
            ),
            multi_region: !chosen(
                "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS",
                profile.multi_region.map(|on| !on),
                false,
            ),
            global: environment
                .get("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT")
                .map(|kind| kind.eq_ignore_ascii_case("legacy"))
                .or(profile.global)
                .unwrap_or(false),
        }
    }
}

/// Whether the server's certificate must be good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// It must be signed by an authority that is trusted, for this host.
    #[default]
    Full,
    /// Any certificate is taken: for experiments only, and whoever sets it must say so at every start.
    None,
}

/// A certificate of ours, with all between it and its authority, and its key; both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM.
    pub certificate_file: PathBuf,
    /// Not encrypted.
    pub key_file: PathBuf,
}

/// By way of whom the store is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case.
    #[default]
    Environment,
    /// Straight.
    None,
    /// `http://[user:password@]host:port`; TLS goes through by CONNECT.
    Url(String),
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Name resolution, TCP and TLS together.
    pub connect: Duration,
    /// From the last byte of the request to the first of the reply.
    pub response_header: Duration,
    /// Between two pieces of a body, in either direction.
    pub no_progress: Duration,
    /// All attempts and pauses of one operation, the time in which a body moves not counted.
    pub total_without_progress: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            response_header: Duration::from_secs(30),
            no_progress: Duration::from_secs(30),
            total_without_progress: Duration::from_secs(60),
        }
    }
}

/// Whether the signature covers the bytes of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadSigning {
    /// Over plain HTTP yes; over TLS, which guards them already, no.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Over TLS and over plain HTTP no.
    Never,
}

/// How uploads prove to the store that they arrived whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumMode {
    /// The best that the store takes: starts at the trailer and goes down once when refused.
    #[default]
    Auto,
    /// CRC-64/NVME, after the bytes where these are read only once.
    Trailer,
    /// CRC-64/NVME, always ahead of the bytes.
    Header,
    /// Content-MD5, ahead of the bytes.
    ContentMd5,
    /// Only where S3 insists.
    None,
}

impl Config {
    /// AWS, with these keys and the defaults.
    pub fn new(credentials: Provider) -> Self {
        Self {
            endpoint: None,
            region: None,
            style: Style::default(),
            aws_address: AwsAddress::default(),
            credentials,
            service_instance_id: None,
            expected_bucket_owner: None,
            ca_file: None,
            verification: Verification::default(),
            client_certificate: None,
            proxy: Proxy::default(),
            deadlines: Deadlines::default(),
            pool_size: 64,
            receive_bytes: 400 << 10,
            user_agent: concat!("holdfs/", env!("CARGO_PKG_VERSION")).to_owned(),
            payload_signing: PayloadSigning::default(),
            checksum_mode: ChecksumMode::default(),
            limits: Limits::default(),
            clock: Clock::system(),
        }
    }

    /// Takes from the AWS profile what is not given yet: region, endpoint, certificates, addressing style, whether
    /// bodies are signed, service instance; the endpoint of `MINIO_ALIAS` and the instance of IBM's own variable and
    /// file, too. Files that cannot be understood give nothing here: whoever asks for credentials reports them.
    pub fn with_profile(self, environment: &Environment, profile: Option<&str>) -> Self {
        let store = Profiles::load(environment).and_then(|profiles| profiles.store(environment, profile));
        let store = store.unwrap_or_default();
        let aws_address = match self.aws_address == AwsAddress::default() {
            true => AwsAddress::of(environment, &store),
            false => self.aws_address,
        };
        let ignored = environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let alias = || match (profile, environment.get("MINIO_ALIAS")) {
            (None, Some(_)) => minio::alias(environment).ok().flatten().map(|alias| alias.url),
            _ => None,
        };
        let instance = || {
            let own = environment.get("IBM_SERVICE_INSTANCE_ID").map(str::to_owned);
            let file = || CredentialsFile::load(environment).ok().flatten()?.resource_instance_id;
            own.or_else(|| if profile.is_none() { file() } else { None })
        };
        Self {
            aws_address,
            region: self.region.or(store.region),
            endpoint: self.endpoint.or(store.endpoint.filter(|_| !ignored)).or_else(alias),
            service_instance_id: self.service_instance_id.or(store.service_instance_id).or_else(instance),
            ca_file: self.ca_file.or(store.ca_file),
            style: if self.style == Style::Auto { store.style.unwrap_or_default() } else { self.style },
            payload_signing: match (self.payload_signing, store.signs_payload) {
                (PayloadSigning::Auto, Some(true)) => PayloadSigning::Always,
                (given, _) => given,
            },
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_fills_in_what_is_not_given() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "[default]\nregion = eu-west-1\nendpoint_url = http://profile:9000\ns3 =\n  addressing_style = path\n";
        std::fs::write(file.path(), text).expect("written");
        let variable = |name: &str, value: String| (name.to_owned(), value);
        let path = file.path().display().to_string();
        let environment: Environment = [variable("AWS_CONFIG_FILE", path.clone())].into_iter().collect();
        let bare = || Config::new(Provider::anonymous());
        let filled = bare().with_profile(&environment, None);
        assert_eq!(filled.region.as_deref(), Some("eu-west-1"));
        assert_eq!((filled.endpoint.as_deref(), filled.style), (Some("http://profile:9000"), Style::Path));
        let given = Config { region: Some("mine".into()), endpoint: Some("http://mine".into()), ..bare() };
        let filled = given.with_profile(&environment, None);
        assert_eq!(
            (filled.region.as_deref(), filled.endpoint.as_deref()),
            (Some("mine"), Some("http://mine"))
        );
        let ignoring: Environment = [
            variable("AWS_CONFIG_FILE", path),
            variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true".into()),
        ]
        .into_iter()
        .collect();
        assert_eq!(bare().with_profile(&ignoring, None).endpoint, None);
        let others: Environment = [
            variable("MINIO_ALIAS", "m".into()),
            variable("MC_HOST_m", "http://AK:SK@minio:9000".into()),
            variable("IBM_SERVICE_INSTANCE_ID", "crn:1".into()),
        ]
        .into_iter()
        .collect();
        let filled = bare().with_profile(&others, None);
        assert_eq!(filled.endpoint.as_deref(), Some("http://minio:9000"));
        assert_eq!(filled.service_instance_id.as_deref(), Some("crn:1"));
    }

    #[test]
    fn switches_of_aws_addresses_come_from_the_environment_then_from_the_profile() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "[default]\nuse_fips_endpoint = true\ns3_disable_express_session_auth = true\n\
                    s3_disable_multiregion_access_points = true\ns3 =\n  \
                    use_accelerate_endpoint = true\n  use_dualstack_endpoint = true\n  use_arn_region = false\n  \
                    us_east_1_regional_endpoint = legacy\n";
        std::fs::write(file.path(), text).expect("written");
        let path = ("AWS_CONFIG_FILE", file.path().display().to_string());
        let address = |more: &[(&str, &str)]| {
            let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
            let all = more.chain([path.clone()]).map(|(name, value)| (name.to_owned(), value));
            Config::new(Provider::anonymous()).with_profile(&all.collect(), None).aws_address
        };
        let of_profile = AwsAddress {
            fips: true,
            dualstack: true,
            accelerate: true,
            follow_arn_region: false,
            express_sessions: false,
            multi_region: false,
            global: true,
        };
        assert_eq!(address(&[]), of_profile);
        let variables = [
            ("AWS_USE_FIPS_ENDPOINT", "false"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
            ("AWS_S3_USE_ARN_REGION", "true"),
            ("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", "false"),
            ("AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS", "false"),
            ("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "regional"),
        ];
        assert_eq!(address(&variables), AwsAddress { accelerate: true, ..AwsAddress::default() });
    }
}
