//! Where access points and directory buckets answer: each kind has hosts, and names to sign for, of its own.

use super::arn::{Arn, Point};
use super::aws::Partition;
use super::host::Host;
use super::outpost::Outpost;
use super::{Address, Asked, EXPRESS, Endpoint, OBJECT_LAMBDA, OUTPOSTS, Purpose, SERVICE};
use crate::s3::names::is_dns_label;
use crate::s3::sign::{self, canonical::encode_path};
use crate::s3::{AwsAddress, Error, Style};

impl Endpoint {
    pub(super) fn access_point(&self, arn: &Arn<'_>, asked: Asked<'_>) -> Result<Address, Error> {
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
            Point::ObjectLambda(name) => (format!("{name}-{}", arn.account), OBJECT_LAMBDA, OBJECT_LAMBDA),
            Point::Outpost { .. } if fips || dualstack => {
                return refuse("on an outpost has neither FIPS nor dual-stack endpoints");
            }
            Point::Outpost { outpost, name } => {
                (format!("{name}-{}.{outpost}", arn.account), OUTPOSTS, OUTPOSTS)
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

    /// Whether a name can be an alias here: other stores may call their buckets as they like.
    pub(super) fn knows_aliases(&self) -> bool {
        match self.host {
            Host::Aws(_) | Host::Virtual { .. } => true,
            Host::Other { .. } => self.style == Style::Virtual && !self.host.is_address(),
        }
    }
    pub(super) fn outpost_alias(
        &self,
        alias: &str,
        outpost: &Outpost,
        asked: Asked<'_>,
    ) -> Result<Address, Error> {
        let AwsAddress { fips, dualstack, accelerate, .. } = self.wanted;
        let refuse = |why: &str| Err(Error::invalid(format!("an access point on an outpost {why}")));
        if asked.purpose == Purpose::Make {
            return refuse("is no bucket: it is neither made nor located by S3");
        }
        if self.style == Style::Path || fips || dualstack || accelerate || !is_dns_label(alias) {
            return refuse(
                "goes with none of addressing by path, FIPS, dual-stack and transfer acceleration",
            );
        }
        let host = match &self.host {
            Host::Aws(_) if outpost.needs_host => {
                return refuse("that is not for everyone needs an endpoint");
            }
            Host::Aws(_) => {
                format!("{OUTPOSTS}.{}.{}", asked.region, Partition::of(asked.region).suffix)
            }
            Host::Virtual { name, .. } | Host::Other { name, .. } => name.clone(),
        };
        let path = format!("/{}", encode_path(asked.key.unwrap_or_default()));
        Ok(self.at(format!("{alias}.{}.{host}", outpost.label), path, asked.region, OUTPOSTS))
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

    pub(super) fn directory_bucket(
        &self,
        bucket: &str,
        zone: &str,
        asked: Asked<'_>,
    ) -> Result<Address, Error> {
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
    pub(super) fn directory_control(&self, region: &str) -> Option<String> {
        let fips = if self.wanted.fips { "-fips" } else { "" };
        let control = || format!("s3express-control{fips}{}", self.express_suffix(region));
        self.is_aws().then(control)
    }
    fn express_suffix(&self, region: &str) -> String {
        let dualstack = if self.wanted.dualstack { ".dualstack" } else { "" };
        format!("{dualstack}.{region}.{}", Partition::of(region).suffix)
    }
}
