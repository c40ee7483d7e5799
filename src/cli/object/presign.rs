//! `holdfs object presign`: a URL that lets its bearer do one thing with one object for a while.

use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::batch::Said;
use super::{Format, Target};
use crate::cli::terminal::data;
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::ops::{DeleteObject, GetObject, HeadObject, PutObject};
use crate::s3::post::PostPolicy;

/// Make a URL that lets its bearer do one thing with an object for a while.
#[derive(Args, Debug)]
#[command(after_help = "\
Nothing is sent: the URL is made here, with your keys, and does what they may.\n\n\
Examples:\n  holdfs object presign papers/a.pdf --expires 600\n  \
curl -T a.pdf \"$(holdfs object presign papers/a.pdf --method put)\"")]
pub struct PresignArgs {
    /// The object, which need not exist yet.
    #[arg(value_name = "BUCKET/KEY")]
    target: String,
    /// What the bearer may do. `post` is a form for browsers, in JSON.
    #[arg(long, value_name = "METHOD", default_value = "get")]
    method: Method,
    /// For how long, at most 604800 (a week).
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    expires: u64,
    /// This version instead of the current one.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    version_id: Option<String>,
    /// With `put` and `post`: the type that the bearer must send.
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
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
        if self.content_type.is_some() && !matches!(self.method, Method::Put | Method::Post) {
            return Err(Failure::usage("--content-type goes with --method put or post."));
        }
        if self.version_id.is_some() && matches!(self.method, Method::Put | Method::Post) {
            return Err(Failure::usage(
                "A version is made by the store: --version-id does not go with put or post.",
            ));
        }
        Target::object(&self.target, self.version_id.clone())
    }
}

/// Nothing is sent: the URL is made here.
pub(super) async fn run(client: &Client, args: PresignArgs, format: Format) -> Outcome {
    let Target { bucket, key, version } = args.target()?;
    if args.method == Method::Post {
        return form(client, bucket, &key, args).await;
    }
    let expires = Duration::from_secs(args.expires);
    let url = match args.method {
        Method::Get | Method::Post => {
            client.presign(&GetObject { bucket, key, version, ..Default::default() }, expires).await
        }
        Method::Head => {
            client.presign(&HeadObject { bucket, key, version, ..Default::default() }, expires).await
        }
        Method::Delete => {
            client.presign(&DeleteObject { bucket, key, version, ..Default::default() }, expires).await
        }
        Method::Put => {
            let mut put = PutObject::new(bucket, key, "");
            put.object.content.content_type = args.content_type.clone();
            client.presign(&put, expires).await
        }
    }?;
    let method = args.method.to_possible_value().map(|value| value.get_name().to_uppercase());
    let fields = json!({ "url": url, "method": method, "expires_seconds": args.expires });
    Said::new(fields, vec![url]).write(format)
}

/// A form has no text of its own: it is JSON in either format.
async fn form(client: &Client, bucket: String, key: &str, args: PresignArgs) -> Outcome {
    let expires = SystemTime::now() + Duration::from_secs(args.expires);
    let mut policy = PostPolicy::new(bucket, expires).key(key);
    if let Some(max) = args.max_size {
        policy = policy.length(0..=max)?;
    }
    if let Some(content_type) = &args.content_type {
        policy = policy.equals("Content-Type", content_type)?;
    }
    let form = client.presign_post(&policy).await?;
    let fields: Map<String, Value> =
        form.fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    data(json!({ "url": form.url, "fields": fields }))
}
