//! Every verb of the S3 client against a store: the embedded server, or the one that `HOLDFS_TEST_ENDPOINT` and the
//! usual AWS variables name. The embedded server does all that is asked here. What another store is known to lack is
//! told to the conformance table and to the table of operations, never skipped in silence.

mod checksums;
mod commands;
mod commands_checks;
mod commands_many;
mod commands_more;
mod commands_resume;
mod commands_tidy;
mod composing;
mod conditions;
mod copies;
mod documents;
mod expiry;
mod forms;
mod grown;
mod handles;
mod heard;
mod ibm;
mod kept;
mod listings;
mod locks;
mod minio;
mod more;
mod multipart;
mod naughty;
mod objects;
mod paging;
mod rare;
mod reach;
mod resources;
mod scripted;
mod select;
mod settings;
mod transfers;
mod typed;
mod values;
mod waiting;

use std::fmt::Debug;

use holdfs::s3::transfer::Tuning;
use holdfs::s3::{ErrorKind, Result};

use crate::mounted::harness::{Store, lacks, observed};

/// Parts as small as a store takes them, so that few bytes need several.
fn tuning() -> Tuning {
    Tuning {
        multipart_threshold: 5 << 20,
        part_bytes: 5 << 20,
        copy_part_bytes: 5 << 20,
        parallel: 3,
        ..Tuning::default()
    }
}

/// The kind of error that a call ended with.
fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("a refusal").kind()
}

/// What the store must do; one of somebody else that does something else, but refuses nothing it promised, is a row
/// of the table. `what` begins with the operation: `CopyObject: If-None-Match`.
#[track_caller]
fn holds_or_lacks<T: PartialEq + Debug>(what: &str, seen: &T, wanted: &T) -> bool {
    if seen == wanted {
        return true;
    }
    lacks_or_fails(what, &format!("{seen:?} instead of {wanted:?}"));
    false
}

#[track_caller]
fn lacks_or_fails(what: &str, instead: &str) {
    assert!(Store::shared().server.is_none() || EMBEDDED_LACKS.contains(&what), "{what}: {instead}");
    lacks(what);
    eprintln!("this store lacks {what}: {instead}");
}

/// What the embedded server does not do, and says so.
const EMBEDDED_LACKS: &[&str] = &["GetObjectTorrent", "PromptObject"];

/// What a call brought; `None` when the store does not do such things, or refuses what others take.
#[track_caller]
fn taken<T>(operation: &str, answer: Result<T>) -> Option<T> {
    let error = match answer {
        Ok(output) => return Some(output),
        Err(error) => error,
    };
    let unsupported = matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::MethodNotAllowed);
    if Store::shared().server.is_some() {
        assert!(unsupported && EMBEDDED_LACKS.contains(&operation), "{error}");
    }
    if !unsupported {
        let code =
            if error.code().is_empty() { format!("{:?}", error.kind()) } else { error.code().to_owned() };
        lacks_or_fails(&format!("{operation}: {code}"), &error.to_string());
    }
    None
}

/// A refusal of one of these kinds shows that the store does such things.
#[track_caller]
fn answers_with<T>(operation: &str, refusals: &[ErrorKind], answer: Result<T>) {
    match answer {
        Err(error) if refusals.contains(&error.kind()) => _ = observed(operation, Ok(())),
        other => _ = taken(operation, other),
    }
}
