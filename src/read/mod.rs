//! Bytes of one object version, fetched ahead and once.
//!
//! * [`window`] (pure): the pattern of a handle's reads → what to fetch now and what ahead.
//! * [`reader`]: one handle; answers from memory or waits.
//! * [`fetch`]: the engine; blocks keyed by object version and index, single flight, one budget.
//! * [`download`]: one ranged GET being consumed into blocks, resumed where it was cut.
//! * [`block`], [`shelf`]: a block's life, and the table that says which goes first.
//! * [`source`]: the seam to the client; [`cache`]: the seam to a cache on disk.
//!
//! Invariants: every byte comes from the version that the reader was opened with (If-Match on every request); a
//! range is on its way at most once; whatever waits is woken; all memory is paid for from the budget.

pub mod block;
pub mod cache;
pub mod download;
pub mod fetch;
pub mod reader;
pub mod shelf;
pub mod source;
pub mod window;

#[cfg(test)]
mod tests;

pub use fetch::{Engine, Fetched, Options, Status};
pub use reader::Reader;
