//! The S3 client of holdfs at the end of a pipe: one operation a line comes in as JSON, what came of it goes out the
//! same way. `scripts/differential` has it and boto3 do the same things to two buckets and compares.
//!
//! An answer is `{"ok": …}`, or `{"error": {"status": …, "code": …}}` with a status of 0 where nothing was sent.

mod listing;
mod object;
mod settings;
mod upload;

use std::io::{BufRead, Write as _};
use std::time::SystemTime;

use holdfs::base::timestamp;
use holdfs::s3::ops::{
    CreateBucket, DeleteBucket, DeleteObjectTagging, GetObjectLegalHold, GetObjectRetention,
    GetObjectTagging, PutObjectLegalHold, PutObjectRetention, PutObjectTagging, Retention, RetentionMode,
    Tags,
};
use holdfs::s3::{Client, Config, Error, Operation, Provider, VersionId};
use serde_json::{Value, json};

type Outcome = Result<Value, Error>;

fn main() -> std::io::Result<()> {
    // reqwest is built without a cryptography provider of its own; plain HTTP needs none but insists.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let endpoint = std::env::var("AWS_ENDPOINT_URL").ok();
    let config = Config { endpoint, ..Config::new(Provider::standard(None)) };
    let client = Client::new(config).map_err(std::io::Error::other)?;
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let answer = match runtime.block_on(run(&client, &Asked(&asked))) {
            Ok(value) => json!({ "ok": value }),
            Err(error) => {
                let (status, code, message) = (error.status(), error.code(), error.to_string());
                json!({ "error": { "status": status, "code": code, "message": message } })
            }
        };
        // Whoever asked has gone: nobody is left to tell.
        if writeln!(std::io::stdout(), "{answer}").is_err() {
            break;
        }
    }
    Ok(())
}

/// What an operation was given.
struct Asked<'a>(&'a Value);

impl Asked<'_> {
    fn text(&self, name: &str) -> String {
        self.some(name).unwrap_or_default()
    }
    fn some(&self, name: &str) -> Option<String> {
        self.0[name].as_str().map(str::to_owned)
    }
    fn number(&self, name: &str) -> Option<u64> {
        self.0[name].as_u64()
    }
    fn flag(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or_default()
    }
    fn bucket(&self) -> String {
        self.text("bucket")
    }
    fn key(&self) -> String {
        self.text("key")
    }
    fn version(&self) -> Option<VersionId> {
        self.some("version").map(|version| VersionId(version.into()))
    }
    fn map(&self, name: &str) -> Option<Tags> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let map = self.0[name].as_object()?;
        Some(map.iter().map(|(name, value)| (name.clone(), text(value))).collect())
    }
    fn part(&self, name: &str) -> Asked<'_> {
        Asked(&self.0[name])
    }
    fn bytes(&self) -> Vec<u8> {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(self.text("body")).expect("base64")
    }
    fn retention(&self) -> Option<Retention> {
        let mode = RetentionMode::parse(&self.some("mode")?)?;
        Some(Retention { mode, until: timestamp::parse_rfc3339(&self.text("until"))? })
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn date(at: SystemTime) -> String {
    timestamp::rfc3339(at)
}

async fn run(client: &Client, asked: &Asked<'_>) -> Outcome {
    let operation = asked.text("do");
    match operation.as_str() {
        "put" | "get" | "head" | "delete" | "delete_batch" | "copy" | "presign" | "fetch" => {
            object::run(client, &operation, asked).await
        }
        "create_upload" | "part" | "part_copy" | "complete" | "abort" | "parts" | "uploads" => {
            upload::run(client, &operation, asked).await
        }
        "list_v1" | "list_v2" | "list_versions" => listing::run(client, &operation, asked).await,
        "setting_get" | "setting_put" | "setting_delete" | "policy_status" | "acl_get" | "acl_put" => {
            settings::run(client, &operation, asked).await
        }
        "create_bucket" => {
            let (bucket, object_lock) = (asked.bucket(), asked.flag("lock"));
            done(client, CreateBucket { bucket, object_lock, ..CreateBucket::default() }).await
        }
        "delete_bucket" => done(client, DeleteBucket { bucket: asked.bucket() }).await,
        _ => label(client, &operation, asked).await,
    }
}

/// For operations whose answer is that they were done.
async fn done<O: Operation>(client: &Client, operation: O) -> Outcome {
    client.send(&operation).await.map(|_| Value::Null)
}

async fn label(client: &Client, operation: &str, asked: &Asked<'_>) -> Outcome {
    let (bucket, key, version) = (asked.bucket(), asked.key(), asked.version());
    match operation {
        "tags_put" => {
            let tags = asked.map("tags").unwrap_or_default();
            done(client, PutObjectTagging { bucket, key, version, tags }).await
        }
        "tags_get" => Ok(json!(client.send(&GetObjectTagging { bucket, key, version }).await?)),
        "tags_delete" => done(client, DeleteObjectTagging { bucket, key, version }).await,
        "hold_put" => done(client, PutObjectLegalHold { bucket, key, version, on: asked.flag("on") }).await,
        "hold_get" => {
            let held = client.send(&GetObjectLegalHold { bucket, key, version }).await?;
            Ok(json!(held))
        }
        "retention_put" => {
            let (retention, bypass_governance) = (asked.retention(), asked.flag("bypass"));
            done(client, PutObjectRetention { bucket, key, version, retention, bypass_governance }).await
        }
        "retention_get" => {
            let retention = client.send(&GetObjectRetention { bucket, key, version }).await?;
            Ok(json!(retention.map(|kept| [kept.mode.as_str().to_owned(), date(kept.until)])))
        }
        other => panic!("there is no operation {other}"),
    }
}
