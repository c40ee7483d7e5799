//! Changed files, from the first write to the committed object.
//!
//! A [`StagedFile`] is a pinned base object under a stack of layers on the local disk; the top layer takes writes,
//! sealing freezes it into a *generation*, and a generation is what reaches the store, whole and conditionally.
//!
//! ```text
//!   write_at ─▶ staged (layers) ─ seal ─▶ journal (SQLite) ─▶ queue ─▶ plan ─▶ upload ─▶ commit ─▶ published
//!                    ▲                                                            │
//!                    └──── recovery: journal × data × remote object, one table ───┘
//! ```
//!
//! Life cycle, plan and recovery table are pure; everything else does as they say. Bytes of a sealed generation
//! never change until it is committed or superseded, and nothing leaves the journal unless the store is proved to
//! hold it, the user deleted it, or it became a visible conflict copy.

mod commit;
mod conflict;
mod early;
mod engine;
mod error;
mod gate;
mod inspect;
mod intents;
mod journal;
mod layer;
mod lifecycle;
mod lock;
mod pace;
mod plan;
mod progress;
mod queue;
mod recover;
mod recovery;
mod session;
mod source;
mod staged;
mod tidy;
mod upload;
mod view;

pub use engine::{
    BaseBytes, Commits, Config, Drained, Durability, Engine, Journal, OnConflict, Parts, Pending,
    Quarantined, Recovered, Status,
};
pub use error::{Error, ErrorKind, Result};
pub use inspect::left_in;
pub use intents::{Intent, IntentId, Intents};
pub use staged::{Allocate, Expected, FileId, Generation, Hold, Origin, Seal, StagedFile, State};
pub use view::{Extent, Piece};
