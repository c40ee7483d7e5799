//! Which store a host is of: whether it takes buckets as sub-domains, and which region its name holds.

use std::net::IpAddr;

use super::aws::{AWS_SUFFIXES, AwsHost, is_aws_region};

/// The host of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
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
    pub fn recognise(name: &str) -> Self {
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
    pub fn name(&self, region: &str) -> String {
        match self {
            Self::Aws(host) => host.name(region),
            Self::Virtual { name, .. } | Self::Other { name, .. } => name.clone(),
        }
    }
    pub fn belongs_to_aws(&self) -> bool {
        match self {
            Self::Aws(_) => true,
            Self::Virtual { name, .. } | Self::Other { name, .. } => {
                AWS_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
            }
        }
    }
    pub fn is_address(&self) -> bool {
        match self {
            Self::Other { name, .. } => {
                name.starts_with('[') || name.parse::<IpAddr>().is_ok() || name == "localhost"
            }
            _ => false,
        }
    }
    /// The region in its name.
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::Aws(host) => host.region.as_deref(),
            Self::Virtual { region, .. } | Self::Other { region, .. } => region.as_deref(),
        }
    }
}
