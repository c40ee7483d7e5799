//! Managed transfers over the plain verbs: uploads and copies of any size in parallel parts, downloads in parallel
//! ranges, listings as one stream over all pages.
//!
//! [`plan`] cuts an object into parts (pure); [`upload()`], [`copy_object`], [`compose()`] and [`download()`] run a plan. `assembly`
//! is the life of one multipart upload: begun, filled, completed once, or aborted. What is read is pinned by its
//! ETag, so that two versions never mix.

mod assembly;
mod compose;
mod copy;
mod delete;
mod download;
mod file;
pub mod pages;
pub mod plan;
mod progress;
mod reader;
mod upload;
pub mod wait;

pub use assembly::take_late_tags;
pub use compose::{Piece, append, compose};
pub use copy::{CopyRequest, copy_object};
pub use delete::{Doomed, delete_objects};
pub use download::{Sink, download, read};
pub use file::{PartialFile, download_file, download_writer, upload_exactly, upload_file, upload_reader};
pub use progress::{Moved, Progress};
pub use reader::{pieces_of, pieces_of_blocking};
pub use upload::{Target, UploadSource, upload};

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
