//! A command that says or changes something of one object, done to one or to all below a prefix.

use super::batch::{Batch, Done, Report, Said, Verb};
use super::many::Which;
use super::{Format, Target, listing, reach};
use crate::cli::Outcome;
use crate::s3::{Client, ObjectRef};

/// What the command does to an object: `tagged` for the summary, `tag` for what would be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed {
    pub(super) done: Verb,
    pub(super) would: &'static str,
}

impl Deed {
    pub(super) const SHOW: Self = Self { done: Verb("shown"), would: "show" };
}

/// `work` is given the object; what it says is completed by the object's names.
pub(super) async fn run(
    client: &Client,
    which: &Which,
    format: Format,
    deed: Deed,
    work: impl AsyncFn(Target) -> Outcome<Said>,
) -> Outcome {
    let target = reach::reached(client, which.target()?).await?;
    let named = async |target: Target| {
        let mut fields = target.fields();
        let said = work(target).await?;
        fields.extend(said.fields);
        Ok(Said { fields, ..said })
    };
    if !which.many.recursive {
        return named(target).await?.write(format);
    }
    let batch = Batch::new(client, &which.many, format, deed.done);
    batch
        .run(listing::objects(client, &target, &which.many), async |object: ObjectRef| {
            let about = object.key.to_string();
            let target = target.with_key(&*about);
            let outcome = if which.many.dry_run {
                let line = format!("{} {}/{}", deed.would, target.bucket, target.key);
                Ok(Said::would(target.fields().into(), line))
            } else {
                named(target).await
            };
            vec![Report { about, outcome: outcome.map(Done::Did) }]
        })
        .await
}
