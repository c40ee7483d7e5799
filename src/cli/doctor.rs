//! `holdfs doctor`.

use std::time::Duration;

use crate::config::Options;
use crate::mount::{self, Device};
use crate::s3::credentials::Proof;
use crate::s3::ops::{GetObject, HeadBucket, ListBuckets, ListObjectsV2};
use crate::s3::settings::{GetSetting, ObjectLockConfiguration, Versioning, VersioningStatus};
use crate::s3::{Client, ErrorKind};

use super::{Failure, Outcome, options, runtime, terminal};

/// Probes endpoint, credentials, permissions, clock and FUSE, and says what to fix.
///
/// Changes nothing, at the store or here.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The bucket to look at; without it, only endpoint, credentials and this machine
    #[arg(value_name = "BUCKET")]
    bucket: Option<String>,
    #[command(flatten)]
    store: super::options::StoreArgs,
}

/// What one probe found.
enum Finding {
    Good(String),
    /// Works, with a limit that one should know.
    Limited(String),
    Broken(String),
}

use Finding::{Broken, Good, Limited};

impl Args {
    pub fn run(self) -> Outcome {
        let options = self.store.options()?;
        let client = options::client(&options)?;
        let mut findings = machine();
        let at_store =
            runtime::block_on(async { Ok(store(&client, &options, self.bucket.as_deref()).await) })?;
        findings.extend(at_store);
        for (subject, finding) in &findings {
            let (mark, text) = match finding {
                Good(text) => ("ok   ", text),
                Limited(text) => ("note ", text),
                Broken(text) => ("WRONG", text),
            };
            terminal::data(format_args!("{mark} {subject}: {text}"))?;
        }
        match findings.iter().filter(|(_, finding)| matches!(finding, Broken(_))).count() {
            0 => Ok(()),
            1 => Err(Failure::environment("One thing to put right.")),
            wrong => Err(Failure::environment(format!("{wrong} things to put right."))),
        }
    }
}

type Findings = Vec<(&'static str, Finding)>;

fn machine() -> Findings {
    vec![("FUSE", device()), ("other users", other_users()), ("kernel", kernel())]
}

fn device() -> Finding {
    match mount::check_device(&Device::default()) {
        Ok(()) => Good("/dev/fuse can be opened".into()),
        Err(error) => Broken(error.to_string()),
    }
}

/// Root needs no leave; others need a line in /etc/fuse.conf.
fn other_users() -> Finding {
    let allowed = std::fs::read_to_string("/etc/fuse.conf")
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "user_allow_other"));
    if allowed || crate::config::paths::user_id() == 0 {
        Good("--allow-other works".into())
    } else {
        Limited(
            "--allow-other does not work without root: /etc/fuse.conf lacks the line user_allow_other".into(),
        )
    }
}

/// Versions from which the kernel can do more for us: 5.16 spares requests at close, 6.9 passes reads through.
fn kernel() -> Finding {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    match version(release) {
        Some(at) if at < (5, 15) => {
            Limited(format!("{release} is older than 5.15, the oldest that holdfs is tested on"))
        }
        Some(at) if at < (5, 16) => {
            Limited(format!("{release}: from 5.16 on, closing a file that was only read costs less"))
        }
        Some(_) => Good(release.to_owned()),
        None => Limited(format!("the version {release:?} is not understood")),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

async fn store(client: &Client, options: &Options, bucket: Option<&str>) -> Findings {
    let client = client.with_deadline(Duration::from_secs(10));
    let mut findings = vec![("credentials", credentials(options).await)];
    match bucket {
        None => findings.push(("endpoint", endpoint(&client).await)),
        Some(bucket) => {
            let listed = list(&client, options, bucket).await;
            let reached = !matches!(listed, Err(Broken(_)));
            let (finding, key) = listed.map_or_else(|wrong| (wrong, None), |(good, key)| (good, key));
            findings.push(("bucket", finding));
            if reached {
                findings.push(("reading", read(&client, bucket, key).await));
                findings.push(("versions", versioning(&client, bucket).await));
                findings.push(("object lock", object_lock(&client, bucket).await));
            }
        }
    }
    findings.push(("clock", clock(client.clock_skew_seconds())));
    findings
}

/// S3 refuses a signature that is 15 minutes off, which is why requests are signed with the store's time.
fn clock(skew_seconds: i64) -> Finding {
    let seconds = skew_seconds.unsigned_abs();
    let direction = if skew_seconds > 0 { "behind" } else { "ahead of" };
    match seconds {
        0 => Good("within a second of the store's".into()),
        1..=59 => Good(format!("{seconds} s {direction} the store's")),
        _ => Limited(format!(
            "{seconds} s {direction} the store's: requests are signed with the store's time all the same, but other tools \
             may be refused, and times of files disagree; let NTP set it"
        )),
    }
}

async fn credentials(options: &Options) -> Finding {
    if options.store.anonymous {
        return Good("none are sent (--anonymous)".into());
    }
    match options.store.credentials().credentials().await {
        Ok(Some(found)) => {
            let what = match found.proof {
                Proof::Signature | Proof::Session => format!("access key {}", found.access_key),
                Proof::Bearer => "a bearer token".to_owned(),
            };
            match found.expires {
                Some(at) => Good(format!("{what}, until {}", crate::base::timestamp::rfc3339(at))),
                None => Good(what),
            }
        }
        Ok(None) => Limited("none are sent".into()),
        Err(error) => Broken(format!(
            "{error}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with --profile."
        )),
    }
}

/// Any answer of an S3 server proves that the endpoint is one; not everyone may list buckets.
async fn endpoint(client: &Client) -> Finding {
    match client.send(&ListBuckets::default()).await {
        Ok(output) => {
            Good(format!("{} answers, with {} buckets of yours", client.endpoint(), output.buckets.len()))
        }
        Err(error) if error.kind() == ErrorKind::Denied => {
            Good(format!("{} answers (and does not let you list buckets)", client.endpoint()))
        }
        Err(error) => Broken(mount::explain(&error, client.endpoint(), "", None).to_string()),
    }
}

/// Finds a key to read, too.
async fn list(
    client: &Client,
    options: &Options,
    bucket: &str,
) -> Result<(Finding, Option<String>), Finding> {
    let request = ListObjectsV2 { bucket: bucket.to_owned(), max_keys: Some(1), ..ListObjectsV2::default() };
    match client.send(&request).await {
        Ok(output) => {
            let key = output.objects.into_iter().next().map(|object| object.key);
            Ok((Good(format!("{bucket} at {} can be listed", client.endpoint())), key))
        }
        Err(error) if error.kind() == ErrorKind::Denied => Err(denied_list(client, bucket).await),
        Err(error) => {
            let region = options.store.region.as_deref();
            Err(Broken(mount::explain(&error, client.endpoint(), bucket, region).to_string()))
        }
    }
}

/// Without permission to list, S3 says 403 for names that are absent, too.
async fn denied_list(client: &Client, bucket: &str) -> Finding {
    let exists = client.send(&HeadBucket { bucket: bucket.to_owned() }).await.is_ok();
    let known = if exists { "exists" } else { "may or may not exist" };
    Broken(format!(
        "{bucket} {known}, but these credentials may not list it: then the store says 403 even for names that are absent, \
         and a file system cannot tell. Grant s3:ListBucket."
    ))
}

async fn read(client: &Client, bucket: &str, key: Option<String>) -> Finding {
    let Some(key) = key else { return Limited("not tried, since the bucket is empty".into()) };
    let request = GetObject { bucket: bucket.to_owned(), key, ..GetObject::default() };
    // The reply's head is enough; its body is dropped unread.
    match client.send(&request).await {
        Ok(_) => Good("objects can be read".into()),
        Err(error) if error.kind() == ErrorKind::Archived => {
            Limited(format!("the first object is archived ({error})"))
        }
        Err(error) => Broken(format!("objects cannot be read: {error}. Grant s3:GetObject.")),
    }
}

async fn versioning(client: &Client, bucket: &str) -> Finding {
    match client.send(&GetSetting::<Versioning>::new(bucket)).await {
        Ok(found) => match found.and_then(|versioning| versioning.status) {
            Some(VersioningStatus::Enabled) => Good("kept".into()),
            Some(VersioningStatus::Suspended) => Limited("no longer kept (versioning is suspended)".into()),
            None => Limited("not kept: what is overwritten or removed is gone".into()),
        },
        Err(error) => Limited(format!("cannot be asked for: {error}")),
    }
}

async fn object_lock(client: &Client, bucket: &str) -> Finding {
    match client.send(&GetSetting::<ObjectLockConfiguration>::new(bucket)).await {
        Ok(Some(found)) if found.enabled => Good("on: legal hold and retention can be set".into()),
        Ok(_) => Good("off: legal hold and retention are not to be had in this bucket".into()),
        Err(error) => Limited(format!(
            "cannot be asked for, so locked objects cannot be told from others, and all count as locked if there is a \
             lock: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_a_figure_and_a_direction() {
        for (skew, expected) in [
            (0, "within a second of the store's"),
            (7, "7 s behind the store's"),
            (-59, "59 s ahead of the store's"),
            (600, "600 s behind the store's:"),
        ] {
            let (Good(text) | Limited(text) | Broken(text)) = clock(skew);
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn kernel_versions_are_read_as_numbers() {
        for (release, expected) in
            [("6.18.0-rc1", Some((6, 18))), ("5.15.0-91-generic", Some((5, 15))), ("linux", None)]
        {
            assert_eq!(version(release), expected, "{release}");
        }
    }
}
