//! `holdfs object acl`: who may do what with an object.

use clap::Args;
use serde_json::json;

use super::batch::{Said, Verb};
use super::each::{self, Deed};
use super::many::{ORDER, Which};
use super::{Format, Target};
use crate::cli::Outcome;
use crate::s3::Client;
use crate::s3::ops::{GetObjectAcl, PutObjectCannedAcl};
use crate::s3::settings::acl::Grantee;

/// Show who may do what with an object, or set a canned list; with --recursive, of all that begin so.
#[derive(Args, Debug)]
#[command(after_help = format!("{ORDER}\n\nExample: holdfs object acl www/img/ public-read --recursive"))]
pub struct AclArgs {
    #[command(flatten)]
    which: Which,
    /// Such as private or public-read [default: show the present list].
    #[arg(value_name = "CANNED")]
    acl: Option<String>,
}

pub(super) async fn run(client: &Client, args: &AclArgs, format: Format) -> Outcome {
    match &args.acl {
        Some(acl) => {
            let deed = Deed { done: Verb("changed"), would: "change the list of" };
            each::run(client, &args.which, format, deed, async |target| {
                set(client, target, acl.clone()).await
            })
            .await
        }
        None => {
            each::run(client, &args.which, format, Deed::SHOW, async |target| show(client, target).await)
                .await
        }
    }
}

async fn show(client: &Client, target: Target) -> Outcome<Said> {
    let Target { bucket, key, version } = target;
    let acl = client.send(&GetObjectAcl { bucket, key, version }).await?;
    let line = |grant: &crate::s3::settings::acl::Grant| {
        let who = match &grant.grantee {
            Grantee::User { id, .. } => id,
            Grantee::Group { uri } => uri,
            Grantee::Email { address } => address,
        };
        format!("{} {who}", grant.permission.as_str())
    };
    let lines = acl.list.grants.iter().map(line).collect();
    Ok(Said::new(json!(acl), lines))
}

async fn set(client: &Client, target: Target, acl: String) -> Outcome<Said> {
    let Target { bucket, key, version } = target;
    let said = Said::done(json!({ "acl": acl }));
    client.send(&PutObjectCannedAcl { bucket, key, version, acl }).await?;
    Ok(said)
}
