//! `holdfs bucket info`: where a bucket is and what is set on it.

use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

use super::settings;
use crate::cli::Outcome;
use crate::cli::object::Format;
use crate::cli::terminal::Answer;
use crate::s3::Client;
use crate::s3::ops::HeadBucket;

/// Documents that are asked for at once.
const PARALLEL: usize = 6;

/// What one look at a setting has shown.
pub(super) enum Look {
    Set(Value),
    Unset,
    /// The store does not have it, or does not show it to us.
    Refused(String),
}

pub(super) async fn run(client: &Client, bucket: &str, format: Format) -> Outcome {
    let region = client.send(&HeadBucket { bucket: bucket.to_owned() }).await?.region;
    let looks: Vec<(&str, Look)> = stream::iter(settings::alone())
        .map(async |name| (name, settings::look(client, bucket, name).await))
        .buffered(PARALLEL)
        .collect()
        .await;
    let mut answer = Answer::to_stdout();
    match format {
        Format::Json => {
            answer.line(described(bucket, region, looks))?;
        }
        Format::Text => {
            let region = region.unwrap_or_else(|| "-".to_owned());
            for line in [format!("bucket: {bucket}"), format!("region: {region}")] {
                let line = answer.name(&line).into_owned();
                answer.line(line)?;
            }
            for (name, look) in looks {
                let shown = match look {
                    Look::Set(document) => document.to_string(),
                    Look::Unset => continue,
                    Look::Refused(why) => format!("? {why}"),
                };
                let line = answer.name(&format!("{name}: {shown}")).into_owned();
                answer.line(line)?;
            }
        }
    }
    answer.finish()
}

/// A setting that is not set is null, one that the store refuses to show is among `refused`.
fn described(bucket: &str, region: Option<String>, looks: Vec<(&str, Look)>) -> Value {
    let (mut settings, mut refused) = (Map::new(), Map::new());
    for (name, look) in looks {
        match look {
            Look::Set(document) => drop(settings.insert(name.to_owned(), document)),
            Look::Unset => drop(settings.insert(name.to_owned(), Value::Null)),
            Look::Refused(why) => drop(refused.insert(name.to_owned(), why.into())),
        }
    }
    json!({ "bucket": bucket, "region": region, "settings": settings, "refused": refused })
}
