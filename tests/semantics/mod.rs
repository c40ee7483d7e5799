//! What `docs/SEMANTICS.md` promises, asked of the file system without a kernel, on an embedded server.
//!
//! [`world`] has the store, the file system and a few words to work with them; each other file is a section of the
//! page.

mod world;

mod attributes;
mod crash;
mod files;
mod foreign;
mod locks;
mod names;
mod requests;
mod storm;
