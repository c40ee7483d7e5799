//! `holdfs object stat`: all that the store says about an object.

use clap::Args;
use serde_json::{Map, Value, json};

use super::batch::Said;
use super::each::{self, Deed};
use super::keys::OwnKey;
use super::many::{ORDER, Which};
use super::when::When;
use super::{Format, Target};
use crate::base::timestamp;
use crate::cli::Outcome;
use crate::s3::Client;
use crate::s3::ops::ObjectHeaders;

/// Show what the store says about an object; with --recursive, about all that begin so.
#[derive(Args, Debug)]
#[command(after_help = format!("Sizes are bytes.\n\n{ORDER}\n\nExample: holdfs object stat photos/a.jpg"))]
pub struct StatArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    when: When,
    #[command(flatten)]
    key: OwnKey,
}

pub(super) async fn run(client: &Client, args: &StatArgs, format: Format) -> Outcome {
    let keyed = &args.key.given_to(client)?;
    let show = async |target: Target| {
        let headers = target.head_if(keyed, true, args.when.conditions()).await?;
        let fields = described(&target, &headers);
        let lines = lines(&fields).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        Ok(Said::new(Value::Object(fields), lines))
    };
    each::run(client, &args.which, format, Deed::SHOW, show).await
}

/// What the reply did not say is left out.
fn described(target: &Target, object: &ObjectHeaders) -> Map<String, Value> {
    let content = &object.content;
    let retention = object.lock.retention;
    let fields = [
        ("bucket", json!(target.bucket)),
        ("key", json!(target.key)),
        ("size", json!(object.size)),
        ("etag", json!(object.etag.as_ref().map(|etag| &*etag.0))),
        ("version_id", json!(object.version.as_ref().map(|version| &*version.0))),
        ("last_modified", json!(object.last_modified.map(timestamp::rfc3339))),
        ("storage_class", json!(object.storage_class)),
        ("content_type", json!(content.content_type)),
        ("content_encoding", json!(content.content_encoding)),
        ("content_language", json!(content.content_language)),
        ("content_disposition", json!(content.content_disposition)),
        ("cache_control", json!(content.cache_control)),
        ("expires", json!(content.expires)),
        ("website_redirect", json!(content.website_redirect)),
        ("metadata", json!(object.metadata)),
        ("tag_count", json!(object.tag_count)),
        ("legal_hold", json!(object.lock.legal_hold.map(|on| if on { "ON" } else { "OFF" }))),
        ("retention_mode", json!(retention.map(|retention| retention.mode.as_str()))),
        ("retention_until", json!(retention.map(|retention| timestamp::rfc3339(retention.until)))),
        ("parts", json!(object.parts_count)),
        ("restore", json!(object.restore)),
        ("expiration", json!(object.expiration)),
        ("replication_status", json!(object.replication_status)),
        ("sse", json!(object.sse)),
        ("sse_kms_key_id", json!(object.sse_kms_key_id)),
        ("checksums", json!(object.checksums)),
        ("checksum_type", json!(object.checksum_type)),
        ("archive_status", json!(object.facts.archive_status)),
        ("sse_customer_algorithm", json!(object.facts.sse_customer_algorithm)),
        ("bucket_key", json!(object.facts.bucket_key.then_some(true))),
    ];
    let said = |value: &Value| !value.is_null() && value.as_object().is_none_or(|pairs| !pairs.is_empty());
    fields
        .into_iter()
        .filter(|(_, value)| said(value))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Fields as text; those with fields of their own as `metadata.NAME`.
fn lines(fields: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields
        .iter()
        .flat_map(|(name, value)| match value {
            Value::Object(pairs) => {
                pairs.iter().map(|(inner, value)| (format!("{name}.{inner}"), text(value))).collect()
            }
            value => vec![(name.clone(), text(value))],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ops::LockHeaders;

    #[test]
    fn only_what_the_store_said_is_shown() {
        let object = ObjectHeaders {
            size: 3,
            metadata: [("a".to_owned(), "b".to_owned())].into(),
            lock: LockHeaders { legal_hold: Some(false), retention: None },
            ..ObjectHeaders::default()
        };
        let fields = described(&Target::object("bucket/k", None).unwrap(), &object);
        let shown: Vec<String> =
            lines(&fields).iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(shown, ["bucket: bucket", "key: k", "legal_hold: OFF", "metadata.a: b", "size: 3"]);
    }
}
