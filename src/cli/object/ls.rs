//! `holdfs object ls`: one line a key, a folder or a version.

use std::pin::pin;

use clap::Args;
use futures_util::{Stream, TryStreamExt};
use serde_json::{Value, json};

use super::many::{Filter, ORDER, name_below};
use super::{Format, Target, reach};
use crate::base::timestamp;
use crate::cli::Outcome;
use crate::cli::terminal::{Answer, Reader};
use crate::s3::ops::{ListObjectVersions, ListObjectsV2, ListedVersion};
use crate::s3::transfer::pages::{self, Listed, ListedAny};
use crate::s3::{Client, Result};

/// List keys under a prefix: like a folder, or all of them with --recursive.
#[derive(Args, Debug)]
#[command(after_help = format!("\
A line is the time of modification, the size in bytes and the key; with --json an object a line.\n\n{ORDER}\n\n\
Example: holdfs object ls photos/2026/ --recursive --include '*.jpg'"))]
pub struct LsArgs {
    /// What the keys begin with; a bucket alone for all of them.
    #[arg(value_name = "BUCKET[/PREFIX]")]
    target: String,
    /// Every key below, instead of one level.
    #[arg(long, short)]
    recursive: bool,
    #[command(flatten)]
    filter: Filter,
    /// Old versions and delete markers too.
    #[arg(long)]
    versions: bool,
}

pub(super) async fn run(client: &Client, args: &LsArgs, format: Format) -> Outcome {
    let Target { bucket, key: prefix, .. } = reach::reached(client, Target::parse(&args.target)?).await?;
    let delimiter = (!args.recursive).then(|| "/".to_owned());
    let takes = |name: &str| args.filter.takes(name_below(&prefix, name));
    if args.versions {
        let list =
            ListObjectVersions { bucket, prefix: prefix.clone(), delimiter, ..ListObjectVersions::default() };
        let versions =
            pages::versions(client, list).try_filter(|entry| std::future::ready(takes(entry.name())));
        return write_all(versions, |entry, answer| match format {
            Format::Json => version_json(entry).to_string(),
            Format::Text => version_line(entry, answer),
        })
        .await;
    }
    let list = ListObjectsV2 { bucket, prefix: prefix.clone(), delimiter, ..ListObjectsV2::default() };
    let objects = pages::objects(client, list).try_filter(|entry| std::future::ready(takes(entry.name())));
    write_all(objects, |entry, answer| match format {
        Format::Json => object_json(entry).to_string(),
        Format::Text => object_line(entry, answer),
    })
    .await
}

/// Of one key, as they were listed.
pub(super) fn show_versions(versions: &[ListedVersion], format: Format) -> Outcome {
    let mut answer = Answer::to_stdout();
    for version in versions {
        let entry = ListedAny::Version(version.clone());
        let line = match format {
            Format::Json => version_json(&entry).to_string(),
            Format::Text => version_line(&entry, &answer),
        };
        answer.line(line)?;
    }
    answer.finish()
}

/// Stops asking for pages once nobody reads.
async fn write_all<T>(
    entries: impl Stream<Item = Result<T>>,
    line: impl Fn(&T, &Answer) -> String,
) -> Outcome {
    let mut entries = pin!(entries);
    let mut answer = Answer::to_stdout();
    while let Some(entry) = entries.try_next().await? {
        let line = line(&entry, &answer);
        if answer.line(line)? == Reader::Left {
            return Ok(());
        }
    }
    answer.finish()
}

/// Date, bytes and name; a folder has neither of the first two.
fn object_line(entry: &Listed, answer: &Answer) -> String {
    match entry {
        Listed::Prefix(prefix) => format!("{:20} {:>14}  {}", "", "DIR", answer.name(prefix)),
        Listed::Object(object) => {
            format!(
                "{} {:>14}  {}",
                timestamp::rfc3339(object.last_modified),
                object.size,
                answer.name(&object.key)
            )
        }
    }
}

fn object_json(entry: &Listed) -> Value {
    match entry {
        Listed::Prefix(prefix) => json!({ "prefix": prefix }),
        Listed::Object(object) => json!({
            "key": object.key,
            "size": object.size,
            "etag": &*object.etag.0,
            "last_modified": timestamp::rfc3339_millis(object.last_modified),
            "storage_class": object.storage_class,
        }),
    }
}

/// As an object's, with `*` for the current version and the version's id before the name.
fn version_line(entry: &ListedAny, answer: &Answer) -> String {
    match entry {
        ListedAny::Prefix(prefix) => format!("{:20} {:>14}  {}", "", "DIR", answer.name(prefix)),
        ListedAny::Version(ListedVersion { key, version, is_latest, last_modified, object, .. }) => {
            let size = object.as_ref().map_or_else(|| "DELETED".to_owned(), |object| object.size.to_string());
            let mark = if *is_latest { '*' } else { ' ' };
            let date = timestamp::rfc3339(*last_modified);
            format!("{date} {size:>14} {mark} {}  {}", answer.name(&version.0), answer.name(key))
        }
    }
}

fn version_json(entry: &ListedAny) -> Value {
    match entry {
        ListedAny::Prefix(prefix) => json!({ "prefix": prefix }),
        ListedAny::Version(version) => json!({
            "key": version.key,
            "version_id": &*version.version.0,
            "is_latest": version.is_latest,
            "delete_marker": version.object.is_none(),
            "size": version.object.as_ref().map(|object| object.size),
            "etag": version.object.as_ref().map(|object| &*object.etag.0),
            "last_modified": timestamp::rfc3339_millis(version.last_modified),
            "storage_class": version.object.as_ref().and_then(|object| object.storage_class.as_deref()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::s3::ops::ListedObject;
    use crate::s3::{ETag, VersionId};

    #[test]
    fn a_delete_marker_is_told_from_a_version() {
        let marker = ListedAny::Version(ListedVersion {
            key: "k".into(),
            version: VersionId("v1".into()),
            is_latest: true,
            last_modified: UNIX_EPOCH + Duration::from_secs(1),
            owner: None,
            object: None,
        });
        assert_eq!(
            version_line(&marker, &Answer::to_stdout()),
            "1970-01-01T00:00:01Z        DELETED * v1  k"
        );
        assert_eq!(version_json(&marker)["delete_marker"], true);
    }

    #[test]
    fn a_line_of_json_has_every_field() {
        let object = ListedObject::new("a\nb", ETag("e-2".into()), 7, UNIX_EPOCH);
        let object = Listed::Object(object);
        let expected = json!({ "key": "a\nb", "size": 7, "etag": "e-2",
            "last_modified": "1970-01-01T00:00:00.000Z", "storage_class": null });
        assert_eq!(object_json(&object), expected);
        assert!(!object_json(&object).to_string().contains('\n'), "one line");
        assert_eq!(object_line(&object, &Answer::to_stdout()).find("7  a"), Some(34));
    }
}
