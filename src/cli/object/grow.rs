//! `holdfs object append` and `compose`: objects made on the server from what it has.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;

use super::Target;
use crate::cli::terminal::printable;
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::transfer::{self, Piece, Tuning};

/// Bytes that are appended at once. Each time the object is replaced as a whole, on the server.
const CHUNK_BYTES: u64 = 64 << 20;

/// A file of more than a chunk grows the object several times: who fails half way has appended a part.
pub(super) async fn append(client: &Client, target: &Target, file: &Path) -> Outcome {
    let mut source = open(file)?;
    let mut first = true;
    loop {
        let mut chunk = Vec::new();
        source.by_ref().take(CHUNK_BYTES).read_to_end(&mut chunk)?;
        if chunk.is_empty() && !first {
            return Ok(());
        }
        let last = (chunk.len() as u64) < CHUNK_BYTES;
        let chunk = Bytes::from(chunk);
        transfer::append(client, &Tuning::default(), &target.bucket, &target.key, chunk).await?;
        if last {
            return Ok(());
        }
        first = false;
    }
}

fn open(file: &Path) -> Outcome<Box<dyn Read>> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    match File::open(file) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => {
            let name = file.display().to_string();
            Err(Failure::refused(format!("{}: {error}.", printable(&name))))
        }
    }
}

/// The objects one behind the other.
pub(super) async fn compose(client: &Client, target: &Target, sources: &[Target]) -> Outcome {
    let mut pieces = Vec::new();
    for source in sources {
        let object = source.head(client, false).await?.object_ref(&source.key)?;
        pieces.push(Piece::whole(&source.bucket, object));
    }
    let target = transfer::Target {
        bucket: target.bucket.clone(),
        key: target.key.clone(),
        ..transfer::Target::default()
    };
    Ok(transfer::compose(client, &Tuning::default(), &target, &pieces).await.map(drop)?)
}
