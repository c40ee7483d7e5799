//! `holdfs serve`: the embedded server until Ctrl-C.
//!
//! stdout gets `export NAME=value` lines for a shell or a test to evaluate, the rest goes to stderr. The key pair is
//! that of the environment; one that the server made for itself is the only secret that holdfs ever prints.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Outcome, runtime, terminal};
use crate::base::secret::Secret;
use crate::embedded::{Error, Etags, KeyPair, Limits, Options, Server, Storage, Times, Tls};

/// Runs the embedded S3 server.
///
/// Prints `export` lines with its address and key pair on stdout: `eval "$(holdfs serve … &)"` does not return,
/// so write them to a file. Requests are counted and faults are made under /_holdfs/ (JSON, unsigned).
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Keep objects in this directory, made if missing
    #[arg(long, value_name = "DIR", conflicts_with = "memory")]
    data: Option<PathBuf>,
    /// Keep objects in memory (the default)
    #[arg(long)]
    memory: bool,
    /// Speak HTTPS, with a certificate made for this run unless one is given
    #[arg(long)]
    tls: bool,
    /// PEM file with the certificate chain
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// PEM file with the private key
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Where to write the certificate that was made [default: a file in the temporary directory]
    #[arg(long, value_name = "FILE", conflicts_with = "tls_certificate")]
    tls_write: Option<PathBuf>,
    /// Wait this long before the head of every reply, such as 30ms
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0ms")]
    latency: Duration,
    /// Bytes a second in each direction over all connections, such as 100M
    #[arg(long, value_name = "RATE", value_parser = bytes)]
    bandwidth: Option<u64>,
    /// Scale S3's limits: part-min, part-max, parts-max, put-max, copy-max, object-max, metadata-max, tags-max,
    /// delete-max, page-max
    #[arg(long, value_name = "NAME=VALUE,…", value_parser = limits, default_value = "")]
    limits: Limits,
    /// The region that requests must be signed for
    #[arg(long, value_name = "REGION", env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
    /// How long a day is for lifecycle rules and restored objects, such as 2s to see them at work
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "86400s")]
    day: Duration,
    /// How long an archived object takes to come back after it was asked for
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s")]
    restore_time: Duration,
    /// Give random ETags instead of MD5, which costs a CPU second for each 0.65 GB written
    #[arg(long)]
    fast_etags: bool,
}

impl Args {
    pub fn run(self) -> Outcome {
        let options = self.options()?;
        runtime::block_on(serve(options))
    }

    fn options(self) -> Outcome<Options> {
        let tls = match (self.tls_certificate, self.tls_key) {
            (Some(certificates), Some(key)) => Tls::Files { certificates, key },
            _ if self.tls || self.tls_write.is_some() => Tls::SelfSigned { write_to: self.tls_write },
            _ => Tls::Off,
        };
        Ok(Options {
            listen: self.listen,
            storage: self.data.map_or(Storage::Memory, Storage::Directory),
            tls,
            key_pair: key_pair(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?,
            latency: self.latency,
            bandwidth: self.bandwidth,
            limits: self.limits,
            region: self.region,
            etags: if self.fast_etags { Etags::Opaque } else { Etags::Md5 },
            times: Times { day: self.day, restore: self.restore_time },
            ..Options::default()
        })
    }
}

fn key_pair(variable: impl Fn(&str) -> Option<String>) -> Outcome<Option<KeyPair>> {
    match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        (Some(access_key), Some(secret)) => Ok(Some(KeyPair { access_key, secret_key: Secret::new(secret) })),
        (None, None) => Ok(None),
        _ => Err(Failure::usage(
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: set both, or neither to have a pair made.",
        )),
    }
}

async fn serve(options: Options) -> Outcome {
    let own_pair = options.key_pair.is_some();
    let region = options.region.clone();
    // Before the address is printed: who reads it may signal at once.
    let (mut interrupt, mut terminate) =
        (listen_for(SignalKind::interrupt())?, listen_for(SignalKind::terminate())?);
    let server = Server::start(options).await.map_err(failure)?;
    print(&server, &region, own_pair)?;
    terminal::note(format_args!("Serving S3 at {} until Ctrl-C.", server.endpoint()));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    server.stop().await;
    Ok(())
}

fn listen_for(kind: SignalKind) -> Outcome<tokio::signal::unix::Signal> {
    signal(kind).map_err(|error| Failure::environment(format!("Cannot wait for signals: {error}.")))
}

fn failure(error: Error) -> Failure {
    Failure::environment(format!("The server cannot start: {error}."))
}

/// One line a variable, each flushed: others wait for them.
fn print(server: &Server, region: &str, own_pair: bool) -> Outcome {
    let mut lines = vec![("AWS_ENDPOINT_URL", server.endpoint()), ("AWS_REGION", region.to_owned())];
    if !own_pair {
        let pair = server.key_pair();
        lines.push(("AWS_ACCESS_KEY_ID", pair.access_key.clone()));
        lines.push(("AWS_SECRET_ACCESS_KEY", pair.secret_key.expose().to_owned()));
    }
    if let Some(path) = server.certificate() {
        lines.push(("AWS_CA_BUNDLE", path.display().to_string()));
    }
    lines.into_iter().try_for_each(|(name, value)| terminal::data(format_args!("export {name}={value}")))
}

/// `30ms`, `2s`, `1m`.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err("give a time with its unit, such as 30ms or 2s".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "give a time such as 30ms or 2s".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

/// `4096`, `64K`, `5M`, `1G`, also with `iB` or `B` behind; powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit.trim_end_matches('B').trim_end_matches('i') {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("give bytes such as 4096, 64K, 5M or 1G".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "give bytes such as 4096, 64K, 5M or 1G".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

fn limits(text: &str) -> Result<Limits, String> {
    let mut limits = Limits::default();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("{pair}: give NAME=VALUE"))?;
        let value = bytes(value)?;
        let count = usize::try_from(value).map_err(|_| format!("{pair}: too large"))?;
        match name {
            "part-min" => limits.part_bytes_min = value,
            "part-max" => limits.part_bytes_max = value,
            "parts-max" => {
                limits.parts_max = u32::try_from(value).map_err(|_| format!("{pair}: too large"))?
            }
            "put-max" => limits.put_bytes_max = value,
            "copy-max" => limits.copy_bytes_max = value,
            "object-max" => limits.object_bytes_max = value,
            "metadata-max" => limits.metadata_bytes_max = count,
            "tags-max" => limits.tags_max = count,
            "delete-max" => limits.delete_keys_max = count,
            "page-max" => limits.page_keys_max = count,
            _ => return Err(format!("{name}: no such limit")),
        }
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(duration("30ms"), Ok(Duration::from_millis(30)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert!(duration("30").is_err() && duration("ms").is_err() && duration("-1s").is_err());
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("64K"), Ok(65_536));
        assert_eq!(bytes("5MiB"), Ok(5 << 20));
        assert!(bytes("5X").is_err() && bytes("").is_err());
    }

    #[test]
    fn limits_are_scaled_by_name() {
        let limits = limits("part-min=64K,parts-max=20").unwrap();
        assert_eq!((limits.part_bytes_min, limits.parts_max), (65_536, 20));
        assert_eq!(limits.part_bytes_max, Limits::default().part_bytes_max);
        assert!(super::limits("part-min").is_err() && super::limits("nonsense=1").is_err());
    }

    #[test]
    fn half_a_key_pair_is_refused() {
        let with =
            |names: &'static [&str]| key_pair(move |name| names.contains(&name).then(|| "x".to_owned()));
        assert!(with(&["AWS_ACCESS_KEY_ID"]).is_err());
        assert!(with(&[]).unwrap().is_none());
        assert!(with(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]).unwrap().is_some());
    }
}
