//! `--sse-c-key-file`: a customer's own key, which the store uses and forgets. It comes from a file: what is typed shows
//! in lists of processes.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

use crate::cli::{Failure, Outcome, terminal};
use crate::s3::Client;
use crate::s3::ops::{CustomerKey, CustomerKeys};

/// Bytes of a key of AES-256.
const KEY_BYTES: usize = 32;

/// For what is read or written.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct OwnKey {
    /// A file with your own key (SSE-C): 32 bytes, as they are or in base64. Only over https.
    #[arg(long, value_name = "FILE")]
    sse_c_key_file: Option<PathBuf>,
}

/// For what is copied.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct CopyKeys {
    #[command(flatten)]
    own: OwnKey,
    /// A file with the key that the source was encrypted with.
    #[arg(long, value_name = "FILE")]
    sse_c_copy_source_key_file: Option<PathBuf>,
}

impl OwnKey {
    pub(super) fn given_to(&self, client: &Client) -> Outcome<Client> {
        let own = self.sse_c_key_file.as_deref().map(read).transpose()?;
        Ok(client.with_customer_keys(CustomerKeys { own, source: None }))
    }
}

/// Who reads and who writes when something is copied.
pub(super) struct Clients {
    /// Reads, and deletes what was moved.
    pub(super) from: Client,
    /// Writes, and lets the store copy where it is the same one.
    pub(super) to: Client,
    /// They are of different stores.
    pub(super) are_two: bool,
}

impl CopyKeys {
    pub(super) fn given_to_both(&self, client: &Client, there: Option<&Client>) -> Outcome<Clients> {
        let own = self.own.sse_c_key_file.as_deref().map(read).transpose()?;
        let source = self.sse_c_copy_source_key_file.as_deref().map(read).transpose()?;
        let from = client.with_customer_keys(CustomerKeys { own: source.clone(), source: None });
        let are_two = there.is_some();
        let source = source.filter(|_| !are_two);
        let to =
            there.unwrap_or(client).stopped_with(client).with_customer_keys(CustomerKeys { own, source });
        Ok(Clients { from, to, are_two })
    }
}

fn read(file: &Path) -> Outcome<CustomerKey> {
    let content = std::fs::read(file).map_err(|error| Failure::unreadable(file, &error))?;
    if std::fs::metadata(file).is_ok_and(|about| about.is_file() && about.mode() & 0o077 != 0) {
        terminal::note(format_args!("Others on this machine can read {}: chmod 600 it.", file.display()));
    }
    key_of(&content).ok_or_else(|| {
        let name = file.display();
        Failure::usage(format!("{name} holds no key: it must have 32 bytes, as they are or in base64."))
    })
}

fn key_of(content: &[u8]) -> Option<CustomerKey> {
    let decoded = || STANDARD.decode(content.trim_ascii()).ok();
    let key = if content.len() == KEY_BYTES { content.to_vec() } else { decoded()? };
    <&[u8; KEY_BYTES]>::try_from(key.as_slice()).ok().map(CustomerKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_32_bytes() {
        assert!(key_of(&[7; 32]).is_some());
        assert!(key_of(format!("{}\n", STANDARD.encode([7; 32])).as_bytes()).is_some());
        for wrong in [&[7_u8; 31][..], &[7; 33], b"", STANDARD.encode([7; 16]).as_bytes()] {
            assert!(key_of(wrong).is_none());
        }
    }
}
