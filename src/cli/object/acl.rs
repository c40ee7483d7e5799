//! `holdfs object acl`: who may do what with an object.

use super::{Format, Target};
use crate::cli::Outcome;
use crate::cli::terminal::Answer;
use crate::s3::Client;
use crate::s3::ops::{GetObjectAcl, PutObjectCannedAcl};
use crate::s3::settings::acl::Grantee;

/// Sets the canned list, or shows the present one.
pub(super) async fn run(client: &Client, target: &Target, acl: Option<String>, format: Format) -> Outcome {
    match acl {
        Some(acl) => set(client, target, acl).await,
        None => show(client, target, format).await,
    }
}

async fn show(client: &Client, target: &Target, format: Format) -> Outcome {
    let Target { bucket, key, version } = target.clone();
    let acl = client.send(&GetObjectAcl { bucket, key, version }).await?;
    let mut answer = Answer::to_stdout();
    match format {
        Format::Json => {
            answer.line(serde_json::json!(acl))?;
        }
        Format::Text => {
            for grant in &acl.list.grants {
                let who = match &grant.grantee {
                    Grantee::User { id, .. } => id,
                    Grantee::Group { uri } => uri,
                    Grantee::Email { address } => address,
                };
                let line = format!("{} {}", answer.name(grant.permission.as_str()), answer.name(who));
                answer.line(line)?;
            }
        }
    }
    answer.finish()
}

async fn set(client: &Client, target: &Target, acl: String) -> Outcome {
    let Target { bucket, key, version } = target.clone();
    Ok(client.send(&PutObjectCannedAcl { bucket, key, version, acl }).await?)
}
