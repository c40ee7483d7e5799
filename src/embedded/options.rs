//! What a server can be told when it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::secret::Secret;

/// Everything has a default: a server in memory on a free port of the loopback address.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    pub storage: Storage,
    pub tls: Tls,
    /// `None`: a pair is made; ask [`super::Server::key_pair`].
    pub key_pair: Option<KeyPair>,
    /// Added once to every request, before the head of its reply.
    pub latency: Duration,
    /// Bytes a second in each direction, shared by all connections: one line to the store.
    pub bandwidth: Option<u64>,
    pub limits: Limits,
    pub region: String,
    pub etags: Etags,
    pub times: Times,
    /// Wall time of versions and retention. Signatures are always checked against the system's clock.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage: Storage::Memory,
            tls: Tls::Off,
            key_pair: None,
            latency: Duration::ZERO,
            bandwidth: None,
            limits: Limits::default(),
            region: "us-east-1".to_owned(),
            etags: Etags::Md5,
            times: Times::default(),
            clock: Clock::system(),
        }
    }
}

/// Where objects live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    Memory,
    /// Made if missing; what it holds survives a restart.
    Directory(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    Off,
    /// A certificate for `localhost` and the loopback addresses, made anew at every start. Its PEM is written to
    /// the path, or to a file of its own under the system's temporary directory, and removed at the end.
    SelfSigned {
        write_to: Option<PathBuf>,
    },
    /// PEM files: the chain and its key.
    Files {
        certificates: PathBuf,
        key: PathBuf,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    pub access_key: String,
    pub secret_key: Secret,
}

/// S3's limits, scalable down so that tests need no gigabytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of every part but the last.
    pub part_bytes_min: u64,
    pub part_bytes_max: u64,
    pub parts_max: u32,
    /// Of one PutObject.
    pub put_bytes_max: u64,
    /// Of the source of one CopyObject.
    pub copy_bytes_max: u64,
    pub object_bytes_max: u64,
    pub metadata_bytes_max: usize,
    pub tags_max: usize,
    /// Of one DeleteObjects.
    pub delete_keys_max: usize,
    /// Of one page of a listing.
    pub page_keys_max: usize,
}

impl Default for Limits {
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        const GIB: u64 = 1 << 30;
        Self {
            part_bytes_min: 5 * MIB,
            part_bytes_max: 5 * GIB,
            parts_max: 10_000,
            put_bytes_max: 5 * GIB,
            copy_bytes_max: 5 * GIB,
            object_bytes_max: 5 << 40,
            metadata_bytes_max: 2048,
            tags_max: 10,
            delete_keys_max: 1000,
            page_keys_max: 1000,
        }
    }
}

/// How long things take, scalable so that tests need not wait for days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// A day of lifecycle rules and of restored copies.
    pub day: Duration,
    /// From RestoreObject until the object can be read.
    pub restore: Duration,
}

impl Default for Times {
    /// A day is a day, and archived objects are back at once.
    fn default() -> Self {
        Self { day: Duration::from_secs(86_400), restore: Duration::ZERO }
    }
}

/// How a stored body is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Etags {
    /// MD5, and MD5 of MD5s for multipart: what foreign clients compare.
    Md5,
    /// Random, as legal as those of encrypted buckets, and free: MD5 runs at 0.65 GB/s a core.
    Opaque,
}
