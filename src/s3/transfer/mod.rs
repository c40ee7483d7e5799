//! Managed transfers over the plain verbs: uploads and copies of any size in parallel parts, downloads in parallel
//! ranges, listings as one stream over all pages.
//!
//! [`plan`] cuts an object into parts (pure); [`upload()`], [`copy_object`], [`compose()`] and [`download()`] run a plan. `assembly`
//! is the life of one multipart upload: begun, filled, completed once, or aborted. What is read is pinned by its
//! ETag, so that two versions never mix.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use holdfs::s3::ops::{CreateBucket, HeadObject, WriteCondition};
//! use holdfs::s3::transfer::{self, Progress, Target, Tuning, UploadSource, wait};
//! # use holdfs::s3::{Client, Config, Credentials, Provider};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
//! # let pair = server.key_pair();
//! # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
//! # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
//! # let client = Client::new(config)?;
//! # client.send(&CreateBucket { bucket: "films".into(), ..CreateBucket::default() }).await?;
//! // Twelve MiB in three parts; whoever shows progress is told of every piece.
//! let moved = Arc::new(AtomicU64::new(0));
//! let shown = moved.clone();
//! let progress = Progress::new(move |moved| shown.store(moved.done, Ordering::Relaxed));
//! let tuning = Tuning {
//!     multipart_threshold: 5 << 20,
//!     part_bytes: 5 << 20,
//!     progress: Some(progress),
//!     ..Tuning::default()
//! };
//! // Nobody's object is overwritten: `PreconditionFailed` where there is one.
//! let target = Target {
//!     bucket: "films".into(),
//!     key: "a.mp4".into(),
//!     condition: WriteCondition::Absent,
//!     ..Target::default()
//! };
//! let bytes = vec![7; 12 << 20];
//! transfer::upload(&client, &tuning, &target, UploadSource::Bytes(bytes.into())).await?;
//! assert_eq!(moved.load(Ordering::Relaxed), 12 << 20);
//!
//! // A waiter, for stores that take their time, and what the download is pinned to.
//! let head = HeadObject { bucket: "films".into(), key: "a.mp4".into(), ..HeadObject::default() };
//! wait::until_object_is_there(&client, &head, wait::Patience::default()).await?;
//! let object = client.send(&head).await?.object_ref("a.mp4")?;
//!
//! // Ranges side by side into a file that is there only once it is whole.
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("a.mp4");
//! transfer::download_file(&client, &tuning, "films", &object, &file).await?;
//! assert_eq!(std::fs::metadata(&file)?.len(), 12 << 20);
//! # Ok(())
//! # }
//! ```

mod assembly;
mod compose;
mod copy;
mod delete;
mod download;
mod file;
mod growing;
mod ordered;
pub mod pages;
mod partial;
pub mod plan;
mod progress;
mod reader;
mod unfinished;
mod upload;
mod verify;
pub mod wait;

pub use assembly::take_late_tags;
pub use compose::{Piece, append, compose};
pub use copy::{CopyRequest, copy_object};
pub use delete::{Doomed, delete_objects};
pub use download::{Sink, download, read};
pub use file::{
    download_file, download_file_verified, download_writer, upload_exactly, upload_file, upload_reader,
    write_all,
};
pub use growing::GrowingFile;
pub use ordered::read_verified;
pub use partial::PartialFile;
pub use progress::{Moved, Progress};
pub use reader::{pieces_of, pieces_of_blocking};
pub use upload::{Target, UploadSource, upload};
pub use verify::{Kept, attributes, download_verified, verify_file};

/// How to cut, how many pieces to move at once, and who is told.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Bytes; larger objects are uploaded in parts.
    pub multipart_threshold: u64,
    /// Bytes of a part or range, grown where an object needs more parts than the store takes.
    pub part_bytes: u64,
    /// Bytes of a part that the store copies by itself.
    pub copy_part_bytes: u64,
    /// Parts or ranges in flight.
    pub parallel: usize,
    /// Is told how far the transfer is.
    pub progress: Option<Progress>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            multipart_threshold: 16 << 20,
            part_bytes: 16 << 20,
            copy_part_bytes: 256 << 20,
            parallel: 8,
            progress: None,
        }
    }
}
