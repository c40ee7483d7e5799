//! Every verb of the S3 client against a store: the embedded server, or the one that `HOLDFS_TEST_ENDPOINT` and the
//! usual AWS variables name. What a store is known to lack is told to the conformance table, never skipped in silence.

mod commands;
mod conditions;
mod copies;
mod documents;
mod listings;
mod locks;
mod more;
mod multipart;
mod objects;
mod settings;
mod transfers;

use std::fmt::Debug;

use holdfs::s3::{ErrorKind, Result};

use crate::mounted::harness::lacks;

/// The kind of error that a call ended with.
fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("a refusal").kind()
}

/// What the store must do; one that does something else, but refuses nothing it promised, is a row of the table.
fn holds_or_lacks<T: PartialEq + Debug>(what: &str, seen: &T, wanted: &T) -> bool {
    if seen != wanted {
        lacks(what);
        eprintln!("this store lacks {what}: {seen:?} instead of {wanted:?}");
    }
    seen == wanted
}
