//! `holdfs object presign`: a URL that lets its bearer do one thing with one object for a while.

use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::Target;
use crate::cli::terminal::data;
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{DeleteObject, GetObject, HeadObject, PutObject};
use crate::s3::post::PostPolicy;
use crate::s3::{Client, Operation};

#[derive(Args, Debug)]
pub struct PresignArgs {
    #[arg(value_name = "BUCKET/KEY")]
    target: String,
    /// What the bearer may do. `post` is a form for browsers, in JSON.
    #[arg(long, value_name = "METHOD", default_value = "get")]
    method: Method,
    /// For how long, at most 604800 (a week).
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    expires: u64,
    #[arg(long, value_name = "ID")]
    version_id: Option<String>,
    /// With `post`: bytes of the largest file.
    #[arg(long, value_name = "BYTES")]
    max_size: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    Get,
    Head,
    Put,
    Delete,
    Post,
}

impl PresignArgs {
    pub(super) fn target(&self) -> Outcome<Target> {
        if self.max_size.is_some() && self.method != Method::Post {
            return Err(Failure::usage("--max-size goes with --method post."));
        }
        Target::object(&self.target, self.version_id.clone())
    }
}

/// Nothing is sent: the URL is made here.
pub(super) async fn run(client: &Client, args: PresignArgs) -> Outcome {
    let Target { bucket, key, version } = args.target()?;
    let expires = Duration::from_secs(args.expires);
    match args.method {
        Method::Get => url(client, &GetObject { bucket, key, version, ..Default::default() }, expires).await,
        Method::Head => {
            url(client, &HeadObject { bucket, key, version, ..Default::default() }, expires).await
        }
        Method::Delete => {
            url(client, &DeleteObject { bucket, key, version, ..Default::default() }, expires).await
        }
        Method::Put => url(client, &PutObject::new(bucket, key, ""), expires).await,
        Method::Post => form(client, bucket, &key, expires, args.max_size).await,
    }
}

async fn url(client: &Client, operation: &impl Operation, expires: Duration) -> Outcome {
    data(client.presign(operation, expires).await?)
}

async fn form(client: &Client, bucket: String, key: &str, expires: Duration, max: Option<u64>) -> Outcome {
    let mut policy = PostPolicy::new(bucket, SystemTime::now() + expires).key(key);
    if let Some(max) = max {
        policy = policy.length(0..=max)?;
    }
    let form = client.presign_post(&policy).await?;
    let fields: Map<String, Value> =
        form.fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    data(json!({ "url": form.url, "fields": fields }))
}
