//! Archives that unpack themselves: PutObject of a tar, with `x-amz-meta-snowball-auto-extract: true`, becomes one
//! object for each file in it, below the folder of the key. The bytes of a plain tar are not copied: each object is
//! a piece of the archive's blob.

use std::io::Write;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;

use super::Api;
use super::receive::Digests;
use crate::base::ranges::ByteRange;
use crate::embedded::blob::Content;
use crate::embedded::policy::Who;
use crate::embedded::storage::change::Stamp;
use crate::embedded::storage::checksum::{Checksum, Choice};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{About, Lock, NewObject};
use crate::embedded::tar::{BLOCK_BYTES, Header, Kind, NAME_BYTES_MAX, long_name, pax_path};

const ASKS: &str = "snowball-auto-extract";
/// MinIO: goes before every name.
const PREFIX: &str = "minio-snowball-prefix";
/// MinIO: folders become no objects.
const IGNORE_FOLDERS: &str = "minio-snowball-ignore-dirs";

/// How an archive is to be unpacked.
pub struct Unpacking {
    folder: String,
    with_folders: bool,
    /// Must be allowed to write every member.
    who: Who,
    /// What every object is given.
    about: About,
}

impl Unpacking {
    /// `None`: the object is no archive, or is to stay one.
    pub fn asked(key: &str, about: &About, who: Who) -> Option<Self> {
        let says = |name: &str| about.metadata.get(name).map(|value| value.trim());
        let asked = says(ASKS).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if !asked {
            return None;
        }
        let own = key.rfind('/').map_or("", |end| &key[..=end]);
        let prefix = says(PREFIX).map(|prefix| prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty());
        let folder = prefix.map_or_else(|| own.to_owned(), |prefix| format!("{own}{prefix}/"));
        let with_folders = !says(IGNORE_FOLDERS).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let mut about = about.clone();
        about.metadata.retain(|name, _| name != ASKS && !name.starts_with("minio-snowball-"));
        // That of the archive is nothing to its members.
        about.content_type = None;
        about.content_encoding = None;
        Some(Self { folder, with_folders, who, about })
    }
}

impl Api {
    /// Makes the objects; says how many.
    pub(super) async fn unpack(
        &self,
        bucket: &str,
        archive: &Content,
        unpacking: &Unpacking,
        lock: Lock,
    ) -> Result<usize, Refusal> {
        let plain = self.plain(archive).await?;
        let (mut at, mut objects, mut long): (u64, usize, Option<String>) = (0, 0, None);
        while at + BLOCK_BYTES <= plain.len() {
            let block = piece(&plain, at, BLOCK_BYTES).collect().await.map_err(Refusal::internal)?;
            let Some(header) = Header::parse(&block)? else {
                break;
            };
            let body = at + BLOCK_BYTES;
            at = body + header.stored_bytes();
            if body + header.size > plain.len() {
                return Err(Refusal::argument("The archive cannot be unpacked: it ends within an entry"));
            }
            if matches!(header.kind, Kind::Pax | Kind::LongName) {
                if header.size > NAME_BYTES_MAX {
                    return Err(Refusal::argument("The archive cannot be unpacked: a name is too long"));
                }
                let bytes = piece(&plain, body, header.size).collect().await.map_err(Refusal::internal)?;
                long = if header.kind == Kind::Pax {
                    pax_path(&bytes)?.or(long)
                } else {
                    Some(long_name(&bytes)?)
                };
                continue;
            }
            let name = long.take().unwrap_or_else(|| header.name.clone());
            let wanted = header.kind == Kind::File || header.kind == Kind::Folder && unpacking.with_folders;
            if wanted {
                let content = piece(&plain, body, header.size);
                self.unpack_one(bucket, &name, &header, content, unpacking, lock).await?;
                objects += 1;
            }
        }
        Ok(objects)
    }

    async fn unpack_one(
        &self,
        bucket: &str,
        name: &str,
        header: &Header,
        content: Content,
        unpacking: &Unpacking,
        lock: Lock,
    ) -> Result<(), Refusal> {
        let slash = if header.kind == Kind::Folder { "/" } else { "" };
        let name = name.trim_start_matches("./").trim_matches('/');
        let key = format!("{}{name}{slash}", unpacking.folder);
        if name.is_empty() {
            return Ok(());
        }
        if key.len() > 1024 {
            return Err(Refusal::new(400, "KeyTooLongError", "Your key is too long"));
        }
        self.may(unpacking.who, "PutObject", bucket, Some(&key), &Default::default())?;
        let algorithm = Choice::default().algorithm;
        let digests = Digests::new(true, [algorithm]);
        let (etag, sums) = digests.over(content.stream(), self.etags).await?;
        let value = sums.get(&algorithm).ok_or_else(|| Refusal::internal("no checksum"))?;
        let (checksum, about) = (Checksum::whole(algorithm, value), Box::new(unpacking.about.clone()));
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(header.modified);
        let version = self
            .store
            .write(bucket, |bucket, scope, stamp| {
                let lock = bucket.lock_for(lock, stamp.now)?;
                let object = NewObject { content, etag, checksum, parts: Vec::new(), about, lock, acl: None };
                // A time that has not come yet would be a lie of the archive.
                let stamp = Stamp { now: modified.min(stamp.now), ..stamp };
                bucket.put(scope, &key, object, stamp)
            })
            .await?;
        self.tell("s3:ObjectCreated:Put", bucket, &key, &version);
        Ok(())
    }

    /// The archive without its compression.
    async fn plain(&self, archive: &Content) -> Result<Content, Refusal> {
        let magic = piece(archive, 0, archive.len().min(2)).collect().await.map_err(Refusal::internal)?;
        if magic != [0x1f, 0x8b] {
            return Ok(archive.clone());
        }
        let wrong =
            |error: std::io::Error| Refusal::argument(format!("The archive cannot be unpacked: {error}"));
        let mut inflater = flate2::write::MultiGzDecoder::new(Vec::new());
        let (mut writer, mut packed, mut size) = (self.store.blobs.create(), archive.stream(), 0);
        while let Some(bytes) = packed.next().await {
            // A kilobyte becomes a megabyte at most.
            for step in bytes.map_err(Refusal::internal)?.chunks(1024) {
                inflater.write_all(step).map_err(wrong)?;
                let plain = std::mem::take(inflater.get_mut());
                size += plain.len() as u64;
                if size > self.store.limits.object_bytes_max {
                    return Err(Refusal::new(400, "EntityTooLarge", "The unpacked archive is too large"));
                }
                writer.append(plain.into()).await.map_err(Refusal::internal)?;
            }
        }
        let rest = inflater.finish().map_err(wrong)?;
        writer.append(rest.into()).await.map_err(Refusal::internal)?;
        writer.finish().await.map_err(Refusal::internal)
    }
}

fn piece(content: &Content, at: u64, len: u64) -> Content {
    content.slice(ByteRange::sized(at, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_is_unpacked() {
        let about = |pairs: &[(&str, &str)]| About {
            metadata: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            content_type: Some("application/x-tar".to_owned()),
            ..About::default()
        };
        assert!(Unpacking::asked("k", &about(&[]), Who::Owner).is_none());
        assert!(Unpacking::asked("k", &about(&[(ASKS, "false")]), Who::Owner).is_none());
        let unpacking =
            Unpacking::asked("in/x.tar", &about(&[(ASKS, "True"), ("colour", "red")]), Who::Owner).unwrap();
        assert_eq!((unpacking.folder.as_str(), unpacking.about.content_type), ("in/", None));
        assert_eq!(unpacking.about.metadata.into_keys().collect::<Vec<_>>(), ["colour"]);
        let below =
            Unpacking::asked("x.tar", &about(&[(ASKS, "true"), (PREFIX, "/a/b/")]), Who::Owner).unwrap();
        assert_eq!(below.folder, "a/b/");
    }
}
