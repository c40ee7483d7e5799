//! One object.

use holdfs::base::ranges::ByteRange;
use holdfs::s3::ops::{
    ContentHeaders, CopyObject, CopySource, DeleteObject, DeleteObjects, GetObject, HeadObject, LockHeaders,
    NewObject, ObjectHeaders, PutObject, ReadConditions, With, WriteCondition,
};
use holdfs::s3::{Client, ETag, Error, ErrorKind, VersionId};
use serde_json::{Value, json};

use super::{Asked, Outcome, base64, date};

const BYTES_MAX: usize = 64 << 20;

pub async fn run(client: &Client, operation: &str, asked: &Asked<'_>) -> Outcome {
    let (bucket, key, version) = (asked.bucket(), asked.key(), asked.version());
    match operation {
        "put" => put(client, asked).await,
        "get" => {
            let output = client.send(&read(asked)).await?;
            let mut shown = headers(&output.headers);
            shown["range"] = json!([output.range.start, output.range.end]);
            shown["body"] = base64(&output.body.collect(BYTES_MAX).await?).into();
            Ok(shown)
        }
        "head" => {
            let GetObject { part_number, conditions, .. } = read(asked);
            let head = HeadObject { bucket, key, version, part_number, conditions, ..HeadObject::default() };
            Ok(headers(&client.send(&head).await?))
        }
        "delete" => {
            let bypass_governance = asked.flag("bypass");
            let delete = DeleteObject { bucket, key, version, bypass_governance, ..DeleteObject::default() };
            let deleted = client.send(&delete).await?;
            Ok(json!({ "marker": deleted.delete_marker, "version": id(deleted.version.as_ref()) }))
        }
        "delete_batch" => delete_batch(client, asked).await,
        "copy" => copy(client, asked).await,
        "presign" => presign(client, asked).await,
        _ => fetch(asked).await,
    }
}

fn id(version: Option<&VersionId>) -> Option<&str> {
    version.map(|version| &*version.0)
}

fn read(asked: &Asked<'_>) -> GetObject {
    let etag = |name: &str| asked.some(name).map(|etag| ETag::parse(&etag));
    let range = asked.number("from").zip(asked.number("to"));
    GetObject {
        bucket: asked.bucket(),
        key: asked.key(),
        version: asked.version(),
        range: range.map(|(from, to)| ByteRange::new(from, to)),
        part_number: asked.number("part").map(|number| number as u32),
        conditions: ReadConditions {
            if_match: etag("if_match"),
            if_none_match: etag("if_none_match"),
            ..ReadConditions::default()
        },
        checksum_mode: false,
    }
}

/// What says the same of an object wherever it lies.
fn headers(headers: &ObjectHeaders) -> Value {
    let lock = headers.lock.retention.map(|kept| [kept.mode.as_str().to_owned(), date(kept.until)]);
    let content = &headers.content;
    json!({
        "etag": headers.etag.as_ref().map(|etag| etag.0.to_string()),
        "version": id(headers.version.as_ref()),
        "size": headers.size,
        "metadata": headers.metadata,
        "content_type": content.content_type,
        "content_encoding": content.content_encoding,
        "content_language": content.content_language,
        "content_disposition": content.content_disposition,
        "cache_control": content.cache_control,
        "storage_class": headers.storage_class,
        "retention": lock,
        "hold": headers.lock.legal_hold,
        "tag_count": headers.tag_count.unwrap_or(0),
        "parts": headers.parts_count,
        "encryption": headers.sse,
    })
}

pub fn new_object(asked: &Asked<'_>) -> NewObject {
    NewObject {
        content: ContentHeaders {
            content_type: asked.some("content_type"),
            content_encoding: asked.some("content_encoding"),
            content_language: asked.some("content_language"),
            content_disposition: asked.some("content_disposition"),
            cache_control: asked.some("cache_control"),
            ..ContentHeaders::default()
        },
        metadata: asked.map("metadata").unwrap_or_default(),
        tags: asked.map("tags"),
        lock: LockHeaders { retention: asked.retention(), legal_hold: asked.0["hold"].as_bool() },
        storage_class: asked.some("storage_class"),
        acl: asked.some("acl"),
        ..NewObject::default()
    }
}

async fn put(client: &Client, asked: &Asked<'_>) -> Outcome {
    let condition = match asked.some("if_match") {
        Some(etag) => WriteCondition::Matches(ETag::parse(&etag)),
        None if asked.flag("if_absent") => WriteCondition::Absent,
        None => WriteCondition::None,
    };
    let put = PutObject {
        condition,
        object: new_object(asked),
        ..PutObject::new(asked.bucket(), asked.key(), asked.bytes())
    };
    let stored = match asked.some("checksum") {
        None => client.send(&put).await?,
        Some(algorithm) => {
            let header = format!("x-amz-checksum-{algorithm}");
            client.send(&With::new(put).header(&header, &asked.text("checksum_value"))?).await?
        }
    };
    Ok(json!({ "etag": stored.etag.map(|etag| etag.0.to_string()), "version": id(stored.version.as_ref()) }))
}

async fn delete_batch(client: &Client, asked: &Asked<'_>) -> Outcome {
    let entries = asked.0["keys"].as_array().cloned().unwrap_or_default();
    let version = |entry: &Value| entry[1].as_str().map(|version| VersionId(version.into()));
    let keys = entries.iter().map(|entry| (entry[0].as_str().unwrap_or_default().to_owned(), version(entry)));
    let (bucket, bypass_governance) = (asked.bucket(), asked.flag("bypass"));
    let keys = keys.collect();
    let delete = DeleteObjects { bucket, keys, bypass_governance, ..DeleteObjects::default() };
    let failed = client.send(&delete).await?.failed;
    Ok(json!(failed.iter().map(|failure| (&failure.key, &failure.code)).collect::<Vec<_>>()))
}

pub fn source(asked: &Asked<'_>) -> CopySource {
    let etag = asked.some("if_match").map(|etag| ETag::parse(&etag));
    CopySource {
        bucket: asked.bucket(),
        key: asked.key(),
        version: asked.version(),
        conditions: ReadConditions { if_match: etag, ..ReadConditions::default() },
    }
}

async fn copy(client: &Client, asked: &Asked<'_>) -> Outcome {
    let copy = CopyObject {
        source: source(&asked.part("source")),
        bucket: asked.bucket(),
        key: asked.key(),
        replace: asked.flag("replace").then(|| new_object(asked)),
        storage_class: asked.some("storage_class"),
        ..CopyObject::default()
    };
    let copied = client.send(&copy).await?;
    let (etag, version) = (copied.etag.map(|etag| etag.0.to_string()), id(copied.version.as_ref()));
    Ok(json!({ "etag": etag, "version": version }))
}

async fn presign(client: &Client, asked: &Asked<'_>) -> Outcome {
    let lives = std::time::Duration::from_secs(60);
    let url = match asked.text("method").as_str() {
        "PUT" => client.presign(&PutObject::new(asked.bucket(), asked.key(), ""), lives).await?,
        _ => client.presign(&read(asked), lives).await?,
    };
    Ok(json!({ "url": url }))
}

/// What the bearer of a URL does with it.
async fn fetch(asked: &Asked<'_>) -> Outcome {
    let failed = |error: reqwest::Error| Error::new(ErrorKind::Unavailable, error.to_string());
    let http = reqwest::Client::new();
    let request = match asked.text("method").as_str() {
        "PUT" => {
            http.put(asked.text("url")).header("content-type", "binary/octet-stream").body(asked.bytes())
        }
        _ => http.get(asked.text("url")),
    };
    let reply = request.send().await.map_err(failed)?;
    let status = reply.status().as_u16();
    let body = reply.bytes().await.map_err(failed)?;
    Ok(json!({ "status": status, "body": if status == 200 { base64(&body) } else { String::new() } }))
}
