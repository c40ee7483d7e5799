//! Listings, all their pages.

use futures_util::TryStreamExt;
use holdfs::s3::Client;
use holdfs::s3::ops::{ListObjectVersions, ListObjects, ListObjectsV2, ListedObject};
use holdfs::s3::transfer::pages::{self, Listed, ListedAny};
use serde_json::{Value, json};

use super::{Asked, Outcome};

pub async fn run(client: &Client, operation: &str, asked: &Asked<'_>) -> Outcome {
    let (bucket, prefix, delimiter) = (asked.bucket(), asked.text("prefix"), asked.some("delimiter"));
    let max_keys = asked.number("max").map(|max| max as u32);
    let shown: Vec<Value> = match operation {
        "list_v1" => {
            let list = ListObjects { bucket, prefix, delimiter, marker: asked.some("after"), max_keys };
            let listed: Vec<Listed> = pages::objects_v1(client, list).try_collect().await?;
            listed.iter().map(entry).collect()
        }
        "list_v2" => {
            let start_after = asked.some("after");
            let list = ListObjectsV2 {
                bucket,
                prefix,
                delimiter,
                start_after,
                max_keys,
                ..ListObjectsV2::default()
            };
            let listed: Vec<Listed> = pages::objects(client, list).try_collect().await?;
            listed.iter().map(entry).collect()
        }
        _ => {
            let list =
                ListObjectVersions { bucket, prefix, delimiter, max_keys, ..ListObjectVersions::default() };
            let listed: Vec<ListedAny> = pages::versions(client, list).try_collect().await?;
            listed.iter().map(version).collect()
        }
    };
    Ok(json!(shown))
}

fn entry(listed: &Listed) -> Value {
    match listed {
        Listed::Prefix(prefix) => json!({ "prefix": prefix }),
        Listed::Object(ListedObject { key, etag, size, storage_class, .. }) => {
            json!({ "key": key, "etag": &*etag.0, "size": size, "storage_class": storage_class })
        }
    }
}

fn version(listed: &ListedAny) -> Value {
    let version = match listed {
        ListedAny::Prefix(prefix) => return json!({ "prefix": prefix }),
        ListedAny::Version(version) => version,
    };
    let object = version.object.as_ref();
    json!({
        "key": version.key,
        "version": &*version.version.0,
        "latest": version.is_latest,
        "marker": object.is_none(),
        "etag": object.map(|object| object.etag.0.to_string()),
        "size": object.map(|object| object.size),
        "storage_class": object.and_then(|object| object.storage_class.clone()),
    })
}
