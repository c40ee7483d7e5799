//! `holdfs object cp` and `mv`: copies on the server, of one object or of all below a prefix.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::across::{Across, Elsewhere};
use super::batch::{Batch, Done, Report, Said, Verb};
use super::checks::Checks;
use super::describe::Description;
use super::get::unmet;
use super::keys::{Clients, CopyKeys};
use super::many::{Many, ORDER, Which};
use super::progress;
use super::put::is_there;
use super::when::When;
use super::{Format, Target, listing, reach};
use crate::cli::{Failure, Outcome};
use crate::config::Options;
use crate::s3::ops::{
    Copied, DeleteObject, HeadObject, LockHeaders, NewObject, ObjectHeaders, WriteCondition,
};
use crate::s3::transfer::{self, CopyRequest, Kept, Tuning};
use crate::s3::{Client, ErrorKind, ObjectRef};

/// Copy an object on the server, or with --recursive every key that begins so.
#[derive(Args, Debug)]
#[command(after_help = format!("\
A copy takes metadata, content headers, tags, lock and storage class along, except where an option says otherwise. An \
object may be copied onto itself to change these. Conditions (--if-match …) are about the source. With --recursive the \
beginning of each key is replaced.\n\n{ORDER}\n\n\
Examples:\n  holdfs object cp photos/a.jpg archive/2026/ --storage-class GLACIER\n  \
holdfs object cp photos/2026/ archive/2026/ --recursive --include '*.jpg'"))]
pub struct CpArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    to: To,
}

/// Move an object on the server, or with --recursive every key that begins so.
#[derive(Args, Debug)]
#[command(after_help = format!("\
The source is deleted when the copy is known to be whole and the source has not changed meanwhile. On a bucket with \
versions a delete marker hides it. With --recursive the beginning of each key is replaced.\n\n{ORDER}\n\n\
Example: holdfs object mv inbox/2026- archive/2026/ --recursive"))]
pub struct MvArgs {
    /// With --recursive, a bucket or a prefix.
    #[arg(value_name = "BUCKET/KEY")]
    from: String,
    #[command(flatten)]
    many: Many,
    #[command(flatten)]
    to: To,
}

/// Where a copy goes and what it is given.
#[derive(Args, Debug)]
struct To {
    /// A key that ends with `/`, or a bucket alone, takes the last part of the source's.
    #[arg(value_name = "BUCKET/KEY")]
    to: String,
    #[command(flatten)]
    description: Description,
    /// Whether the metadata of the source goes along with that of --metadata.
    #[arg(long, value_name = "copy|replace", default_value = "copy", hide_possible_values = true)]
    metadata_directive: Directive,
    /// Refuse to replace an object that exists; with --recursive, skip it.
    #[arg(long)]
    no_clobber: bool,
    #[command(flatten)]
    when: When,
    #[command(flatten)]
    checks: Checks,
    #[command(flatten)]
    keys: CopyKeys,
    #[command(flatten)]
    elsewhere: Elsewhere,
}

impl To {
    fn clients(&self, client: &Client, there: Option<&Client>) -> Outcome<Clients> {
        let clients = self.keys.given_to_both(client, there)?;
        Ok(Clients { to: self.checks.given_to(&clients.to), ..clients })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Directive {
    Copy,
    Replace,
}

/// What happens to the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Keep,
    /// It goes once its copy is there.
    Remove,
}

pub(super) async fn cp(client: &Client, options: &Options, args: &CpArgs, format: Format) -> Outcome {
    let (from, there) = (args.which.target()?, args.to.elsewhere.client(options)?);
    let clients = args.to.clients(client, there.as_ref())?;
    Copying { clients, many: &args.which.many, to: &args.to, after: After::Keep }.run(from, format).await
}

pub(super) async fn mv(client: &Client, options: &Options, args: &MvArgs, format: Format) -> Outcome {
    let from = match args.many.recursive {
        true => Target::parse(&args.from)?,
        false => Target::object(&args.from, None)?,
    };
    let there = args.to.elsewhere.client(options)?;
    let clients = args.to.clients(client, there.as_ref())?;
    Copying { clients, many: &args.many, to: &args.to, after: After::Remove }.run(from, format).await
}

struct Copying<'a> {
    clients: Clients,
    many: &'a Many,
    to: &'a To,
    after: After,
}

impl Copying<'_> {
    async fn run(&self, from: Target, format: Format) -> Outcome {
        let to = Target::parse(&self.to.to)?;
        if self.many.recursive {
            self.check_apart(&from, &to)?;
            return self.all(reach::reached(&self.clients.from, from).await?, to, format).await;
        }
        let to = named(&from, to)?;
        let same = !self.clients.are_two && (&from.bucket, &from.key) == (&to.bucket, &to.key);
        if same && (self.after == After::Remove || from.version.is_none() && !self.changes()) {
            return Err(Failure::usage(
                "Source and destination are the same object, and nothing is to change.",
            ));
        }
        let from = reach::reached(&self.clients.from, from).await?;
        match self.one(&from, &to, None).await? {
            Done::Did(said) => said.write(format),
            Done::Skipped(why) => Err(Failure::refused(why)),
        }
    }

    fn changes(&self) -> bool {
        let To { description, checks, metadata_directive, .. } = self.to;
        !description.is_empty() || !checks.is_empty() || *metadata_directive == Directive::Replace
    }

    fn check_apart(&self, from: &Target, to: &Target) -> Outcome {
        let in_place = from.key == to.key && self.after == After::Keep && self.changes();
        let one_store = !self.clients.are_two && from.bucket == to.bucket;
        if one_store && to.key.starts_with(&from.key) && !in_place {
            return Err(Failure::usage(
                "The destination lies below the source: it would be copied into itself.",
            ));
        }
        Ok(())
    }

    /// Every key that begins with the source's goes under the destination's, in the source's stead.
    async fn all(&self, from: Target, to: Target, format: Format) -> Outcome {
        let many = self.many;
        let verb = Verb(if self.after == After::Keep { "copied" } else { "moved" });
        let objects = listing::objects(&self.clients.from, &from, many);
        let batch = Batch::new(&self.clients.from, many, format, verb);
        batch
            .run(objects, async |object: ObjectRef| {
                let about = object.key.to_string();
                let rest = about.strip_prefix(&from.key).unwrap_or(&about);
                let (from, to) = (from.with_key(&*about), to.with_key(format!("{}{rest}", to.key)));
                let outcome = if many.dry_run {
                    Ok(self.plan(&from, &to))
                } else {
                    self.one(&from, &to, Some(&batch.tuning())).await
                };
                let outcome = match outcome {
                    Err(failure) if unmet(&failure) => {
                        Ok(Done::Skipped("the condition does not hold".to_owned()))
                    }
                    outcome => outcome,
                };
                vec![Report { about, outcome }]
            })
            .await
    }

    fn plan(&self, from: &Target, to: &Target) -> Done {
        let word = if self.after == After::Keep { "copy" } else { "move" };
        let line = format!("{word} {}/{} to {}/{}", from.bucket, from.key, to.bucket, to.key);
        Done::Did(Said::would(fields(from, to, &Copied::default()), line))
    }

    /// The source goes only once its copy is known to be there.
    async fn one(&self, from: &Target, to: &Target, tuning: Option<&Tuning>) -> Outcome<Done> {
        // Bytes that come through this machine are held against what their store keeps of them.
        let checked = self.clients.are_two;
        let headers = from.head_if(&self.clients.from, checked, self.to.when.conditions()).await?;
        let object = headers.clone().object_ref(&from.key)?;
        let exists = || Ok(Done::Skipped(format!("{to} exists and was left as it is.")));
        if self.to.no_clobber && is_there(&self.clients.to, to).await? {
            return exists();
        }
        let copy = async |tuning: &Tuning| self.copied(from, to, &object, headers, tuning).await;
        let copied = match progress::shown(tuning, Some(object.size), copy).await {
            Err(Failure { error: Some(error), .. })
                if error.kind() == ErrorKind::PreconditionFailed && self.to.no_clobber =>
            {
                return exists();
            }
            copied => copied?,
        };
        if self.after == After::Remove {
            self.remove(from, to, &object, &copied).await?;
        }
        Ok(Done::Did(Said::done(fields(from, to, &copied)).moving(object.size)))
    }

    async fn copied(
        &self,
        from: &Target,
        to: &Target,
        object: &ObjectRef,
        headers: ObjectHeaders,
        tuning: &Tuning,
    ) -> Outcome<Copied> {
        let condition = if self.to.no_clobber { WriteCondition::Absent } else { WriteCondition::None };
        let Clients { from: client, to: there, are_two } = &self.clients;
        if *are_two {
            let kept = Kept::of(&headers);
            let across = Across { from: client, bucket: &from.bucket, object, kept, to: there };
            let mut described = self.described(&headers)?;
            if described.tags.is_none() && headers.tag_count.is_some_and(|count| count > 0) {
                described.tags = Some(across.tags().await?);
            }
            return Ok(across.copy(tuning, to, condition, described).await?);
        }
        let request = CopyRequest {
            source_bucket: from.bucket.clone(),
            bucket: to.bucket.clone(),
            key: to.key.clone(),
            condition,
            replace: self.changes().then(|| self.described(&headers)).transpose()?,
            source_headers: Some(headers),
        };
        Ok(transfer::copy_object(there, tuning, object, &request).await?)
    }

    /// What the copy is given where it shall not be as its source: all of that, changed.
    fn described(&self, source: &ObjectHeaders) -> Outcome<NewObject> {
        let now = std::time::SystemTime::now();
        let copies = self.to.metadata_directive == Directive::Copy;
        self.to.description.over(NewObject {
            content: source.content.clone(),
            metadata: if copies { source.metadata.clone() } else { Default::default() },
            storage_class: source.storage_class.clone(),
            lock: LockHeaders {
                // A store refuses a retention that has ended.
                retention: source.lock.retention.filter(|retention| retention.until > now),
                legal_hold: source.lock.legal_hold.filter(|on| *on),
            },
            ..NewObject::default()
        })
    }

    async fn remove(&self, from: &Target, to: &Target, object: &ObjectRef, copied: &Copied) -> Outcome {
        let copy = Target { version: copied.version.clone(), ..to.clone() };
        let found = copy.head(&self.clients.to, false).await?.size;
        if found != object.size {
            return Err(Failure::refused(format!(
                "The copy {to} has {found} bytes instead of {}: the source was left where it is.",
                object.size
            )));
        }
        let (bucket, key) = (from.bucket.clone(), from.key.clone());
        let now = self.clients.from.send(&HeadObject { bucket, key, ..HeadObject::default() }).await?;
        if now.etag.as_ref() != Some(&object.etag) {
            return Err(Failure::refused(format!(
                "{from} was changed while it was copied: it was left where it is, and {to} is what it was before."
            )));
        }
        let (bucket, key) = (from.bucket.clone(), from.key.clone());
        self.clients.from.send(&DeleteObject { bucket, key, ..DeleteObject::default() }).await?;
        Ok(())
    }
}

fn fields(from: &Target, to: &Target, copied: &Copied) -> serde_json::Value {
    json!({
        "source": from.fields(),
        "bucket": to.bucket,
        "key": to.key,
        "etag": copied.etag.as_ref().map(|etag| &*etag.0),
        "version_id": copied.version.as_ref().map(|version| &*version.0),
    })
}

/// A destination that ends with `/`, or is a bucket alone, takes the source's last part.
fn named(from: &Target, to: Target) -> Outcome<Target> {
    if !to.key.is_empty() && !to.key.ends_with('/') {
        return Ok(to);
    }
    match from.file_name() {
        "" => Err(Failure::usage("The source ends with a slash: say the whole key of the destination.")),
        name => Ok(Target { key: format!("{}{name}", to.key), ..to }),
    }
}
