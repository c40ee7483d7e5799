//! `holdfs object attributes`: checksums, and the parts that an object was uploaded in.

use clap::Args;
use serde_json::{Value, json};

use super::batch::Said;
use super::each::{self, Deed};
use super::keys::OwnKey;
use super::many::{ORDER, Which};
use super::{Format, Target};
use crate::base::timestamp;
use crate::cli::Outcome;
use crate::s3::Client;
use crate::s3::ops::{GetObjectAttributes, ObjectAttributes};
use crate::s3::transfer;

/// Show checksums, and the parts that an object was uploaded in; with --recursive, of all that begin so.
#[derive(Args, Debug)]
#[command(after_help = format!("{ORDER}\n\nExample: holdfs object attributes photos/a.jpg"))]
pub struct AttributesArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    key: OwnKey,
}

pub(super) async fn run(client: &Client, args: &AttributesArgs, format: Format) -> Outcome {
    let keyed = &args.key.given_to(client)?;
    let show = async |target| {
        let Target { bucket, key, version } = target;
        let get = GetObjectAttributes { bucket, key, version, ..GetObjectAttributes::default() };
        let attributes = transfer::attributes(keyed, get).await?;
        Ok(Said::new(described(&attributes), lines(&attributes)))
    };
    each::run(client, &args.which, format, Deed::SHOW, show).await
}

fn described(attributes: &ObjectAttributes) -> Value {
    let part = |part: &crate::s3::ops::ObjectPart| json!({ "number": part.number, "size": part.size, "checksums": part.checksums });
    json!({
        "size": attributes.size,
        "etag": attributes.etag.as_ref().map(|etag| &*etag.0),
        "version_id": attributes.version.as_ref().map(|version| &*version.0),
        "last_modified": attributes.last_modified.map(timestamp::rfc3339),
        "storage_class": attributes.storage_class,
        "checksums": attributes.checksums,
        "checksum_type": attributes.checksum_type,
        "parts_count": attributes.parts.as_ref().and_then(|parts| parts.count),
        "parts": attributes.parts.as_ref().map(|parts| parts.parts.iter().map(part).collect::<Vec<_>>()),
    })
}

fn lines(attributes: &ObjectAttributes) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name}: {value}")));
    };
    line("size", attributes.size.map(|size| size.to_string()));
    line("etag", attributes.etag.as_ref().map(|etag| etag.0.to_string()));
    line("version_id", attributes.version.as_ref().map(|version| version.0.to_string()));
    line("last_modified", attributes.last_modified.map(timestamp::rfc3339));
    line("storage_class", attributes.storage_class.clone());
    line("checksum_type", attributes.checksum_type.clone());
    for (algorithm, value) in &attributes.checksums {
        line(&format!("checksum_{algorithm}"), Some(value.clone()));
    }
    let parts = attributes.parts.as_ref();
    line("parts_count", parts.and_then(|parts| parts.count).map(|count| count.to_string()));
    for part in parts.into_iter().flat_map(|parts| &parts.parts) {
        line(&format!("part {}", part.number), Some(part.size.to_string()));
    }
    lines
}
