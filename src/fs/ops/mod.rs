//! The operations of a file system, one file per family.

mod attributes;
mod directory;
mod edit;
mod io;
mod lookup;
mod marker;
mod move_object;
pub mod open;
mod parting;
mod remove;
mod rename;
mod rename_directory;
mod symlink;
mod sync;
mod xattr;
