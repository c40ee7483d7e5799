//! Reads and writes of open files.
//!
//! A read follows the content of its inode: bytes of one object version, or the staged file's own with the base
//! below. When a commit or a rename of ours moves the content on while a read is on its way, the read begins anew;
//! a version that somebody else destroyed is ESTALE.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::base::ranges::ByteRange;
use crate::fs::content::Content;
use crate::fs::handle::FileHandle;
use crate::fs::{Error, ErrorKind, FileSystem, HandleId, NodeId, Result, Whence};
use crate::s3::{self, ObjectRef};
use crate::write::{self, Allocate, Extent, Piece, StagedFile};

/// A content that moves on under a read this often is somebody's endless loop.
const READ_ATTEMPTS_MAX: usize = 8;

impl FileSystem {
    pub fn read_now(&self, _node: NodeId, handle: HandleId, range: ByteRange) -> Option<Result<Bytes>> {
        let handle = match self.handles.file(handle) {
            Ok(handle) => handle,
            Err(error) => return Some(Err(error)),
        };
        match handle.file.content() {
            Content::Clean(object) => {
                let range = within(range, object.size);
                match handle.reader(&self.read, &object).try_read(range)? {
                    Ok(bytes) => Some(Ok(bytes)),
                    // Whether that is final needs a second look.
                    Err(_) => None,
                }
            }
            Content::Kept(bytes) => Some(Ok(slice_of(&bytes, range))),
            Content::Staged(staged) => read_local(&staged.read_plan(range)),
        }
    }

    pub async fn read(&self, _node: NodeId, handle: HandleId, range: ByteRange) -> Result<Bytes> {
        let handle = self.handles.file(handle)?;
        let mut attempts = 0;
        loop {
            let content = handle.file.content();
            let error = match self.read_content(&handle, &content, range).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => error,
            };
            attempts += 1;
            let moved = has_moved(&content, &handle.file.content());
            if error.kind() != ErrorKind::Stale || !moved || attempts == READ_ATTEMPTS_MAX {
                return Err(error);
            }
        }
    }

    async fn read_content(&self, handle: &FileHandle, content: &Content, range: ByteRange) -> Result<Bytes> {
        match content {
            Content::Clean(object) => self.read_object(handle, object, within(range, object.size)).await,
            Content::Kept(bytes) => Ok(slice_of(bytes, range)),
            Content::Staged(staged) => self.read_staged(handle, staged, range).await,
        }
    }

    async fn read_object(&self, handle: &FileHandle, object: &ObjectRef, range: ByteRange) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        handle.reader(&self.read, object).read(range).await.map_err(stale_if_gone)
    }

    async fn read_staged(
        &self,
        handle: &FileHandle,
        staged: &Arc<StagedFile>,
        range: ByteRange,
    ) -> Result<Bytes> {
        let plan = staged.read_plan(range);
        if let Some(local) = read_local(&plan) {
            return local;
        }
        let mut bytes = BytesMut::new();
        for piece in &plan {
            match piece {
                Piece::Local(extent) => append(&mut bytes, extent)?,
                Piece::Zero(zeros) => bytes.resize(bytes.len() + zeros.len() as usize, 0),
                Piece::Base(object, part) => {
                    bytes.extend_from_slice(&self.read_base(handle, staged, object, *part).await?);
                }
            }
        }
        Ok(bytes.freeze())
    }

    /// `Stale` with a base that has moved on is found out by the caller, who then plans again.
    async fn read_base(
        &self,
        handle: &FileHandle,
        staged: &StagedFile,
        object: &ObjectRef,
        range: ByteRange,
    ) -> Result<Bytes> {
        match self.read_object(handle, object, range).await {
            Err(error) if error.kind() == ErrorKind::Stale => {
                staged.outcome_known().await;
                let newer = |base: &ObjectRef| base != object && base.size >= range.end;
                let base = staged.base().filter(newer).ok_or(error)?;
                self.read_object(handle, &base, range).await
            }
            answer => answer,
        }
    }

    pub fn write_now(
        &self,
        _node: NodeId,
        handle: HandleId,
        offset: u64,
        data: &[u8],
    ) -> Option<Result<u32>> {
        let handle = match self.writing(handle) {
            Ok(handle) => handle,
            Err(error) => return Some(Err(error)),
        };
        if handle.flags.synchronous() || !self.is_staged_or_prepared(&handle.file) {
            return None;
        }
        match self.edit_now(&handle.file, |staged| staged.write_at(offset, data)) {
            Ok(()) => Some(Ok(self.written(&handle, offset, data.len()))),
            Err(error) if needs_patience(&error) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    pub async fn write(&self, _node: NodeId, handle: HandleId, offset: u64, data: Bytes) -> Result<u32> {
        let handle = self.writing(handle)?;
        self.edit(&handle.file, |staged| staged.write_at(offset, &data)).await?;
        let written = self.written(&handle, offset, data.len());
        if handle.flags.synchronous() {
            handle.take_unflushed();
            self.publish(&handle.file).await?;
        }
        Ok(written)
    }

    fn written(&self, handle: &FileHandle, offset: u64, length: usize) -> u32 {
        handle.wrote();
        if let Some(spare) = handle.left_behind(ByteRange::sized(offset, length as u64)) {
            self.kernel.spare(handle.file.node.id(), spare);
        }
        length as u32
    }

    fn writing(&self, handle: HandleId) -> Result<Arc<FileHandle>> {
        let handle = self.handles.file(handle)?;
        if handle.flags.writes() { Ok(handle) } else { Err(ErrorKind::BadHandle.into()) }
    }

    /// `mode` as in fallocate(2).
    pub async fn fallocate(
        &self,
        _node: NodeId,
        handle: HandleId,
        offset: u64,
        length: u64,
        mode: i32,
    ) -> Result<()> {
        let handle = self.writing(handle)?;
        let range = ByteRange::sized(offset, length);
        let change = allocation(mode)?;
        self.edit(&handle.file, |staged| match change {
            Allocation::Reserve(size) => staged.allocate(range, size),
            Allocation::Zero(size) => staged.zero(range, size),
        })
        .await?;
        handle.wrote();
        Ok(())
    }

    /// Only what was never written counts as a hole; an object of the store is all data.
    pub async fn lseek(&self, _node: NodeId, handle: HandleId, offset: u64, whence: Whence) -> Result<u64> {
        let handle = self.handles.file(handle)?;
        let content = handle.file.content();
        let size = content.size();
        if offset >= size {
            return Err(ErrorKind::NoSuchOffset.into());
        }
        let plan = match &content {
            Content::Staged(staged) => staged.read_plan(ByteRange::new(offset, size)),
            Content::Clean(_) | Content::Kept(_) => Vec::new(),
        };
        let wants_zero = whence == Whence::Hole;
        let found = plan.iter().find(|piece| matches!(piece, Piece::Zero(_)) == wants_zero).map(range_of);
        match (whence, found) {
            (_, Some(range)) => Ok(range.start.max(offset)),
            (Whence::Hole, None) => Ok(size),
            (Whence::Data, None) if plan.is_empty() => Ok(offset),
            (Whence::Data, None) => Err(ErrorKind::NoSuchOffset.into()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allocation {
    Reserve(Allocate),
    Zero(Allocate),
}

fn allocation(mode: i32) -> Result<Allocation> {
    let size = if mode & libc::FALLOC_FL_KEEP_SIZE != 0 { Allocate::KeepSize } else { Allocate::Extend };
    match mode & !libc::FALLOC_FL_KEEP_SIZE {
        0 => Ok(Allocation::Reserve(size)),
        // The kernel lets a punched hole only keep the size.
        libc::FALLOC_FL_PUNCH_HOLE => Ok(Allocation::Zero(Allocate::KeepSize)),
        libc::FALLOC_FL_ZERO_RANGE => Ok(Allocation::Zero(size)),
        _ => Err(Error::new(ErrorKind::Unsupported, "only extending, punching and zeroing can be done")),
    }
}

fn needs_patience(error: &write::Error) -> bool {
    matches!(error.kind(), write::ErrorKind::NoSpace | write::ErrorKind::Retired)
}

/// What a plan without base bytes says; `None` if it has some.
fn read_local(plan: &[Piece]) -> Option<Result<Bytes>> {
    if let [Piece::Local(extent)] = plan {
        return Some(extent.read().map_err(Error::from));
    }
    if plan.iter().any(|piece| matches!(piece, Piece::Base(..))) {
        return None;
    }
    let total: u64 = plan.iter().map(|piece| range_of(piece).len()).sum();
    let mut bytes = BytesMut::with_capacity(total as usize);
    for piece in plan {
        match piece {
            Piece::Local(extent) => {
                if let Err(error) = append(&mut bytes, extent) {
                    return Some(Err(error));
                }
            }
            Piece::Zero(zeros) => bytes.resize(bytes.len() + zeros.len() as usize, 0),
            Piece::Base(..) => return None,
        }
    }
    Some(Ok(bytes.freeze()))
}

fn append(bytes: &mut BytesMut, extent: &Extent) -> Result<()> {
    let start = bytes.len();
    bytes.resize(start + extent.range().len() as usize, 0);
    Ok(extent.read_into(&mut bytes[start..])?)
}

fn range_of(piece: &Piece) -> ByteRange {
    match piece {
        Piece::Local(extent) => extent.range(),
        Piece::Base(_, range) | Piece::Zero(range) => *range,
    }
}

fn within(range: ByteRange, size: u64) -> ByteRange {
    ByteRange::new(range.start.min(size), range.end.min(size))
}

fn slice_of(bytes: &Bytes, range: ByteRange) -> Bytes {
    let range = within(range, bytes.len() as u64);
    bytes.slice(range.start as usize..range.end as usize)
}

/// The version is gone, whatever word the store has for it.
fn stale_if_gone(error: s3::Error) -> Error {
    let gone = matches!(
        error.kind(),
        s3::ErrorKind::NoSuchKey
            | s3::ErrorKind::NoSuchVersion
            | s3::ErrorKind::PreconditionFailed
            | s3::ErrorKind::MethodNotAllowed
            | s3::ErrorKind::InvalidRange
    );
    if gone {
        Error::new(ErrorKind::Stale, format!("the version that is open is gone: {error}"))
    } else {
        error.into()
    }
}

fn has_moved(before: &Content, now: &Content) -> bool {
    match (before, now) {
        (Content::Clean(before), Content::Clean(now)) => before != now,
        (Content::Staged(before), Content::Staged(now)) => !Arc::ptr_eq(before, now),
        (Content::Kept(_), Content::Kept(_)) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallocate_modes_are_what_linux_says() {
        use libc::{
            FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
            FALLOC_FL_ZERO_RANGE,
        };
        for (mode, expected) in [
            (0, Some(Allocation::Reserve(Allocate::Extend))),
            (FALLOC_FL_KEEP_SIZE, Some(Allocation::Reserve(Allocate::KeepSize))),
            (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, Some(Allocation::Zero(Allocate::KeepSize))),
            (FALLOC_FL_ZERO_RANGE, Some(Allocation::Zero(Allocate::Extend))),
            (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, Some(Allocation::Zero(Allocate::KeepSize))),
            (FALLOC_FL_COLLAPSE_RANGE, None),
            (FALLOC_FL_INSERT_RANGE, None),
        ] {
            assert_eq!(allocation(mode).ok(), expected, "{mode:#x}");
        }
    }

    #[test]
    fn ranges_end_with_the_file() {
        assert_eq!(within(ByteRange::new(5, 20), 10), ByteRange::new(5, 10));
        assert!(within(ByteRange::new(15, 20), 10).is_empty());
        assert_eq!(&slice_of(&Bytes::from_static(b"hello"), ByteRange::new(3, 99))[..], b"lo");
    }
}
