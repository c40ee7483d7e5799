//! Copies from one store to another: through this machine, since no store fetches from a stranger.

use std::io;
use std::pin::pin;

use clap::Args;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::Target;
use crate::base::ranges::ByteRange;
use crate::cli::{Outcome, options};
use crate::config::Options;
use crate::s3::ops::{Copied, GetObjectTagging, NewObject, WriteCondition};
use crate::s3::transfer::{self, Kept, Tuning, UploadSource};
use crate::s3::{Client, ObjectRef, Result};

/// Pieces that were read and wait to be sent.
const PIECES_AHEAD: usize = 2;

/// Another store to copy to.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Elsewhere {
    /// The store to copy to, where it is another one: the bytes go through this machine.
    #[arg(long, value_name = "URL")]
    to_endpoint: Option<String>,
    /// The region of the store to copy to.
    #[arg(long, value_name = "REGION")]
    to_region: Option<String>,
    /// The profile with the credentials of the store to copy to [default: the same credentials].
    #[arg(long, value_name = "NAME")]
    to_profile: Option<String>,
}

impl Elsewhere {
    /// `None` where the copy stays in its store.
    pub(super) fn client(&self, options: &Options) -> Outcome<Option<Client>> {
        if self.to_endpoint.is_none() && self.to_region.is_none() && self.to_profile.is_none() {
            return Ok(None);
        }
        let mut there = options.clone();
        let store = &mut there.store;
        for (setting, other) in [
            (&mut store.endpoint, &self.to_endpoint),
            (&mut store.region, &self.to_region),
            (&mut store.profile, &self.to_profile),
        ] {
            if other.is_some() {
                setting.clone_from(other);
            }
        }
        options::client(&there).map(Some)
    }
}

/// Exactly `object`, read and stored again with the description that is given.
pub(super) struct Across<'a> {
    pub(super) from: &'a Client,
    pub(super) bucket: &'a str,
    pub(super) object: &'a ObjectRef,
    /// What its store keeps of it.
    pub(super) kept: Option<Kept>,
    pub(super) to: &'a Client,
}

impl Across<'_> {
    pub(super) async fn copy(
        &self,
        tuning: &Tuning,
        target: &Target,
        condition: WriteCondition,
        described: NewObject,
    ) -> Result<Copied> {
        let tuning = &Tuning { parallel: tuning.parallel.min(4), ..tuning.clone() };
        // A byte counts when it is there, not when it is read.
        let reading = Tuning { progress: None, ..tuning.clone() };
        let (bucket, key) = (target.bucket.clone(), target.key.clone());
        let target = transfer::Target { bucket, key, condition, object: described };
        let (sender, mut receiver) = mpsc::channel::<io::Result<bytes::Bytes>>(PIECES_AHEAD);
        let read = async move {
            let (from, bucket, object) = (self.from, self.bucket, self.object);
            let whole = ByteRange::new(0, object.size);
            let mut pieces = pin!(match &self.kept {
                Some(kept) => {
                    transfer::read_verified(from, &reading, bucket, object, kept).left_stream()
                }
                None => transfer::read(from, &reading, bucket, object, whole).right_stream(),
            });
            while let Some(piece) = pieces.next().await {
                let failed = piece.is_err();
                let piece = piece.map_err(|error| io::Error::other(error.to_string()));
                if sender.send(piece).await.is_err() || failed {
                    return;
                }
            }
        };
        let pieces = stream::poll_fn(move |context| receiver.poll_recv(context));
        let source = UploadSource::Stream(Box::pin(pieces));
        let (stored, ()) = tokio::join!(transfer::upload(self.to, tuning, &target, source), read);
        let stored = stored?;
        Ok(Copied { etag: stored.etag, version: stored.version, ..Copied::default() })
    }

    /// The tags of the source.
    pub(super) async fn tags(&self) -> Result<crate::s3::ops::Tags> {
        let (bucket, key) = (self.bucket.to_owned(), self.object.key.to_string());
        self.from.send(&GetObjectTagging { bucket, key, version: self.object.version.clone() }).await
    }
}
