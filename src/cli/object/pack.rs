//! `put --snowball`: small files together, in archives that the store unpacks.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;

use super::Target;
use super::batch::{Batch, Done, Report, Said};
use super::put::plan;
use super::walk::Local;
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::vendor::minio::{
    SnowballContent, SnowballObject, SnowballOptions, unpacks_snowballs, upload_snowball,
};

/// Larger files gain nothing by company.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// An archive is held in memory while it is sent.
const ARCHIVE_BYTES: u64 = 8 << 20;
const ARCHIVE_FILES: usize = 1000;

/// What is sent with one request, or with several of its own.
pub(super) enum Load {
    Alone(Local),
    Together(Vec<Small>),
}

pub(super) struct Small {
    path: PathBuf,
    name: String,
}

/// Goes through the files in their order; small ones wait for each other where they are to go together.
pub(super) fn loads(mut files: impl Iterator<Item = Local>, are_packed: bool) -> impl Iterator<Item = Load> {
    let (mut small, mut bytes, mut ended) = (Vec::new(), 0, false);
    std::iter::from_fn(move || {
        while !ended {
            match files.next() {
                Some(Local::File { path, name }) if are_packed && is_small(&path, &mut bytes) => {
                    small.push(Small { path, name });
                }
                Some(local) => return Some(Load::Alone(local)),
                None => ended = true,
            }
            if bytes >= ARCHIVE_BYTES || small.len() == ARCHIVE_FILES {
                bytes = 0;
                return Some(Load::Together(std::mem::take(&mut small)));
            }
        }
        match small.len() {
            0 => None,
            1 => small.pop().map(|Small { path, name }| Load::Alone(Local::File { path, name })),
            _ => Some(Load::Together(std::mem::take(&mut small))),
        }
    })
}

/// Adds its size where it is.
fn is_small(path: &std::path::Path, bytes: &mut u64) -> bool {
    let size = path.metadata().map_or(u64::MAX, |metadata| metadata.len());
    let is_small = size <= FILE_BYTES_MAX;
    *bytes += if is_small { size } else { 0 };
    is_small
}

/// Where archives go. What is in them is given nothing beside its bytes: stores do not agree on what becomes of that.
pub(super) struct Packing<'a> {
    pub(super) client: &'a Client,
    /// A bucket alone, or a key that ends with a slash.
    pub(super) to: &'a Target,
}

impl Packing<'_> {
    /// A failure where the store would keep archives as they are.
    pub(super) async fn check(&self) -> Outcome {
        if unpacks_snowballs(self.client, &self.to.bucket).await? {
            return Ok(());
        }
        Err(Failure::refused(
            "This store does not unpack archives (MinIO and `holdfs serve` do): leave out --snowball.",
        ))
    }

    pub(super) async fn send(&self, files: Vec<Small>, batch: &Batch<'_>) -> Vec<Report> {
        let (mut reports, mut objects, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        for Small { path, name } in files {
            let target = self.to.with_key(format!("{}{name}", self.to.key));
            let about = path.to_string_lossy().into_owned();
            if batch.many.dry_run {
                reports.push(Report { about, outcome: Ok(Done::Did(plan(&target, &path))) });
                continue;
            }
            match read(&path) {
                Ok((bytes, modified)) => {
                    let mut fields = target.fields();
                    fields.insert("file".to_owned(), about.clone().into());
                    sent.push((about, Said::done(fields.into()).moving(bytes.len() as u64)));
                    let content = SnowballContent::Bytes(bytes, modified);
                    objects.push(SnowballObject { key: target.key, content });
                }
                Err(error) => {
                    let failure = Failure::refused(format!("Cannot read it: {error}."));
                    reports.push(Report { about, outcome: Err(failure) });
                }
            }
        }
        if objects.is_empty() {
            return reports;
        }
        let stored = self.upload(objects, batch).await;
        reports.extend(sent.into_iter().map(|(about, said)| {
            let outcome = stored.clone().map(|()| Done::Did(said));
            Report { about, outcome }
        }));
        reports
    }

    async fn upload(&self, objects: Vec<SnowballObject>, batch: &Batch<'_>) -> Outcome {
        // At the top of the bucket: stores do not agree on what the archive's folder is to the names in it.
        let archive = format!(".holdfs-{:016x}.tar", fastrand::u64(..));
        let to = (self.to.bucket.as_str(), archive.as_str());
        upload_snowball(self.client, &batch.tuning(), to, objects, SnowballOptions::default()).await?;
        Ok(())
    }
}

fn read(path: &std::path::Path) -> io::Result<(Bytes, SystemTime)> {
    let content = std::fs::read(path)?;
    let modified = path.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok((content.into(), modified))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_go_together_and_others_alone() {
        let folder = tempfile::tempdir().unwrap();
        let shape = |sizes: &[u64], are_packed: bool| -> Vec<usize> {
            let files = sizes.iter().enumerate().map(|(n, size)| {
                let path = folder.path().join(n.to_string());
                std::fs::File::create(&path).unwrap().set_len(*size).unwrap();
                Local::File { path, name: n.to_string() }
            });
            let count = |load| match load {
                Load::Alone(_) => 1,
                Load::Together(files) => files.len(),
            };
            loads(files, are_packed).map(count).collect()
        };
        assert_eq!(shape(&[1, 2, 3], true), [3]);
        assert_eq!(shape(&[1, 2, 3], false), [1, 1, 1]);
        assert_eq!(shape(&[1, FILE_BYTES_MAX + 1, 3], true), [1, 2], "the large one does not wait");
        assert_eq!(shape(&[FILE_BYTES_MAX; 9], true), [8, 1]);
        assert_eq!(shape(&[0; 1001], true), [1000, 1]);
        assert_eq!(shape(&[], true), [0; 0]);
        assert_eq!(shape(&[5], true), [1]);
    }
}
