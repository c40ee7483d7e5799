//! Hosts of AWS: which service, partition, region and kind of address a name stands for, and the other way round.

use super::{DEFAULT_REGION, Error, GLOBAL_REGION, signing_region};
use crate::s3::config::AwsAddress;
use crate::s3::sign::SERVICE;

/// `s3[-fips][.dualstack].REGION.SUFFIX`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsHost {
    service: &'static str,
    dualstack: bool,
    /// The default region is reached by the name without a region.
    global: bool,
    /// `None`: the global name, or no endpoint at all.
    pub region: Option<String>,
}

pub const AWS_SUFFIXES: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

/// A world of its own: accounts, keys and names of one are unknown in the others.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// As ARNs name it.
    pub name: &'static str,
    /// What its regions begin with.
    prefix: &'static str,
    pub suffix: &'static str,
    fips: bool,
}

const MAIN: Partition = Partition { name: "aws", prefix: "", suffix: "amazonaws.com", fips: true };
const OTHERS: &[Partition] = &[
    Partition { name: "aws-cn", prefix: "cn-", suffix: "amazonaws.com.cn", fips: false },
    Partition { name: "aws-us-gov", prefix: "us-gov-", suffix: "amazonaws.com", fips: true },
    Partition { name: "aws-iso", prefix: "us-iso-", suffix: "c2s.ic.gov", fips: true },
    Partition { name: "aws-iso-b", prefix: "us-isob-", suffix: "sc2s.sgov.gov", fips: true },
    Partition { name: "aws-iso-e", prefix: "eu-isoe-", suffix: "cloud.adc-e.uk", fips: true },
    Partition { name: "aws-iso-f", prefix: "us-isof-", suffix: "csp.hci.ic.gov", fips: true },
    Partition { name: "aws-eusc", prefix: "eusc-", suffix: "amazonaws.eu", fips: true },
];

impl Partition {
    pub fn of(region: &str) -> &'static Self {
        OTHERS.iter().find(|partition| region.starts_with(partition.prefix)).unwrap_or(&MAIN)
    }
    pub fn is_main(&self) -> bool {
        self.name == MAIN.name
    }
    /// Refuses what this partition does not have.
    pub fn check(&self, wanted: AwsAddress) -> Result<(), Error> {
        if wanted.fips && !self.fips {
            return Err(Error::invalid(format!("the partition {} has no FIPS endpoints", self.name)));
        }
        Ok(())
    }
}

/// Becomes a part of a host's name: nothing but a label may.
pub fn check_region(region: &str) -> Result<(), Error> {
    let is_label = |char: char| char.is_ascii_alphanumeric() || char == '-';
    match !region.is_empty() && region.len() <= 63 && region.chars().all(is_label) {
        true => Ok(()),
        false => Err(Error::invalid(format!("{region:?} is no region: it has letters, digits and '-' only"))),
    }
}

impl AwsHost {
    /// The host where no endpoint is named.
    pub fn usual(wanted: AwsAddress) -> Self {
        let service = if wanted.fips { "s3-fips" } else { "s3" };
        Self { service, dualstack: wanted.dualstack, global: wanted.global, region: None }
    }
    pub fn recognise(name: &str) -> Option<Self> {
        let labels = AWS_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix))?;
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
        Some(Self { service, dualstack, global: false, region: region.map(str::to_owned) })
    }
    pub fn name(&self, region: &str) -> String {
        let global = region == GLOBAL_REGION || self.global && region == DEFAULT_REGION;
        if global && self.service == SERVICE && !self.dualstack {
            return format!("{SERVICE}.{}", MAIN.suffix);
        }
        let dualstack = if self.dualstack { ".dualstack" } else { "" };
        let (region, suffix) = (signing_region(region), Partition::of(region).suffix);
        format!("{}{dualstack}.{region}.{suffix}", self.service)
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

/// `fips-us-east-1` and `us-east-1-fips`: how older SDKs ask for the FIPS host of a region.
pub fn region_behind_fips(region: &str) -> Option<&str> {
    let plain = region.strip_prefix("fips-").or_else(|| region.strip_suffix("-fips"));
    plain.filter(|region| is_aws_region(region))
}

/// `eu-west-1`, `us-gov-east-1`, `ap-southeast-10`.
pub fn is_aws_region(label: &str) -> bool {
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
