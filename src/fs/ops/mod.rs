//! The operations of a file system, one file per family.

mod attributes;
mod directory;
mod edit;
mod io;
mod lookup;
pub mod open;
mod remove;
mod rename;
mod rename_directory;
mod symlink;
mod sync;
mod xattr;
