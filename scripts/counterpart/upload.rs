//! Objects made of parts.

use futures_util::TryStreamExt;
use holdfs::base::ranges::ByteRange;
use holdfs::s3::ops::{
    AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, ListMultipartUploads, ListParts,
    Part, PartOrigin, UploadPart, UploadPartCopy, WriteCondition,
};
use holdfs::s3::transfer::pages;
use holdfs::s3::{Body, Client, ETag};
use serde_json::{Value, json};

use super::object::{new_object, source};
use super::{Asked, Outcome, done};

pub async fn run(client: &Client, operation: &str, asked: &Asked<'_>) -> Outcome {
    let (bucket, key, upload_id) = (asked.bucket(), asked.key(), asked.text("upload"));
    let part_number = asked.number("number").unwrap_or(1) as u32;
    match operation {
        "create_upload" => {
            let (object, parts) = (new_object(asked), PartOrigin::AlsoCopied);
            let create = CreateMultipartUpload { bucket, key, object, parts };
            Ok(json!({ "upload": client.send(&create).await? }))
        }
        "part" => {
            let body = Body::Bytes(asked.bytes().into());
            let part = client.send(&UploadPart { bucket, key, upload_id, part_number, body }).await?;
            Ok(json!({ "etag": &*part.etag.0 }))
        }
        "part_copy" => {
            let range = asked.number("from").zip(asked.number("to"));
            let copy = UploadPartCopy {
                source: source(&asked.part("source")),
                range: range.map(|(from, to)| ByteRange::new(from, to)),
                bucket,
                key,
                upload_id,
                part_number,
            };
            let copied = client.send(&copy).await?;
            Ok(json!({ "etag": copied.etag.0.to_string() }))
        }
        "complete" => {
            let parts = asked.0["parts"].as_array().into_iter().flatten().map(part).collect();
            let condition =
                if asked.flag("if_absent") { WriteCondition::Absent } else { WriteCondition::None };
            let complete = CompleteMultipartUpload { bucket, key, upload_id, parts, condition };
            let stored = client.send(&complete).await?;
            let etag = stored.etag.map(|etag| etag.0.to_string());
            Ok(json!({ "etag": etag, "version": stored.version.map(|version| version.0.to_string()) }))
        }
        "abort" => done(client, AbortMultipartUpload { bucket, key, upload_id }).await,
        "parts" => {
            let max_parts = asked.number("max").map(|max| max as u32);
            let list = ListParts { bucket, key, upload_id, max_parts, ..ListParts::default() };
            let parts: Vec<Part> = pages::parts(client, list).try_collect().await?;
            Ok(json!(parts.iter().map(|part| (part.number, &*part.etag.0, part.size)).collect::<Vec<_>>()))
        }
        _ => {
            let (prefix, max_uploads) = (asked.text("prefix"), asked.number("max").map(|max| max as u32));
            let list =
                ListMultipartUploads { bucket, prefix, max_uploads, ..ListMultipartUploads::default() };
            let uploads: Vec<_> = pages::uploads(client, list).try_collect().await?;
            Ok(json!(uploads.iter().map(|upload| (&upload.key, &upload.upload_id)).collect::<Vec<_>>()))
        }
    }
}

/// `[number, etag, size]`
fn part(entry: &Value) -> Part {
    Part {
        number: entry[0].as_u64().unwrap_or_default() as u32,
        etag: ETag::parse(entry[1].as_str().unwrap_or_default()),
        size: entry[2].as_u64().unwrap_or_default(),
        checksum: None,
        modified: None,
    }
}
