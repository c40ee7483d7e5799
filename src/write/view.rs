//! A frozen look at a file: layers over a base, the topmost that decides a byte wins.

use std::sync::Arc;

use bytes::Bytes;

use super::layer::{Extents, Layer, read_up_to};
use super::{Error, Result};
use crate::base::disk::File;
use crate::base::ranges::{ByteRange, RangeSet};
use crate::s3::ObjectRef;

/// Bytes that lie in a data file. Readable for as long as it is held, whatever happens to the staged file.
#[derive(Clone)]
pub struct Extent {
    pub(super) file: Arc<dyn File>,
    pub(super) range: ByteRange,
}

impl Extent {
    /// Where in the file the bytes belong.
    pub fn range(&self) -> ByteRange {
        self.range
    }

    /// One pread; bytes that a truncation took away in the meantime read as zero.
    pub fn read(&self) -> Result<Bytes> {
        let mut buffer = vec![0; self.range.len() as usize];
        self.read_into(&mut buffer)?;
        Ok(buffer.into())
    }

    /// The same into a buffer of exactly the range's length.
    pub fn read_into(&self, buffer: &mut [u8]) -> Result<()> {
        let read =
            read_up_to(&*self.file, buffer, self.range.start).map_err(|error| Error::disk("read", &error))?;
        buffer[read..].fill(0);
        Ok(())
    }
}

/// Where the bytes of a range are. Pieces come in order, do not overlap, and end with the file.
#[derive(Clone)]
pub enum Piece {
    Local(Extent),
    /// Unmodified bytes of this object version. A commit of the file may replace that version at the store while it
    /// is read: after `PreconditionFailed`, wait for [`super::StagedFile::outcome_known`], and plan again if
    /// [`super::StagedFile::base`] has moved on.
    Base(ObjectRef, ByteRange),
    Zero(ByteRange),
}

impl Piece {
    pub fn range(&self) -> ByteRange {
        match self {
            Self::Local(extent) => extent.range,
            Self::Base(_, range) | Self::Zero(range) => *range,
        }
    }

    /// The part of it inside `range`, if there is one.
    pub(super) fn clip(&self, range: ByteRange) -> Option<Self> {
        let range = self.range().intersect(range)?;
        Some(match self {
            Self::Local(extent) => Self::Local(Extent { file: extent.file.clone(), range }),
            Self::Base(object, _) => Self::Base(object.clone(), range),
            Self::Zero(_) => Self::Zero(range),
        })
    }
}

/// One generation's content.
#[derive(Clone)]
pub struct View {
    pub base: Option<ObjectRef>,
    /// Bottom to top.
    pub layers: Arc<[Arc<Layer>]>,
    pub size: u64,
}

impl View {
    pub fn pieces(&self, range: ByteRange) -> Vec<Piece> {
        let sheets: Vec<_> =
            self.layers.iter().map(|layer| Sheet::new(&layer.file, &layer.extents)).collect();
        overlay(self.base.as_ref(), &sheets, self.size, range)
    }

    /// Everything that does not come from the base.
    pub fn dirty(&self) -> RangeSet {
        let mut dirty: RangeSet =
            self.layers.iter().flat_map(|layer| layer.extents.all().iter().collect::<Vec<_>>()).collect();
        dirty.remove(ByteRange::new(self.size, u64::MAX));
        dirty
    }

    /// The whole content lies in one layer's data file, in one run: then the layer's checksum is that of the file.
    pub fn whole_checksum(&self) -> Option<u64> {
        let [layer] = &*self.layers else { return None };
        let whole = ByteRange::new(0, self.size);
        let one_run = layer.extents.zeros.is_empty() && layer.extents.data.iter().eq([whole]);
        one_run.then_some(layer.checksum)
    }
}

/// A layer as the overlay sees it, frozen or not.
pub struct Sheet<'a> {
    file: &'a Arc<dyn File>,
    extents: &'a Extents,
}

impl<'a> Sheet<'a> {
    pub fn new(file: &'a Arc<dyn File>, extents: &'a Extents) -> Self {
        Self { file, extents }
    }
}

/// The pieces of `range` in a file of `size` bytes; `sheets` bottom to top.
pub fn overlay(base: Option<&ObjectRef>, sheets: &[Sheet<'_>], size: u64, range: ByteRange) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some(range) = range.intersect(ByteRange::new(0, size)) {
        descend(base, sheets, range, &mut pieces);
    }
    pieces
}

fn descend(base: Option<&ObjectRef>, sheets: &[Sheet<'_>], range: ByteRange, pieces: &mut Vec<Piece>) {
    let Some((top, below)) = sheets.split_last() else { return bottom(base, range, pieces) };
    let mut at = range.start;
    for (piece, run) in decided(top, range) {
        if at < run.start {
            descend(base, below, ByteRange::new(at, run.start), pieces);
        }
        pieces.push(piece);
        at = run.end;
    }
    if at < range.end {
        descend(base, below, ByteRange::new(at, range.end), pieces);
    }
}

/// What `sheet` decides of `range`, ascending.
fn decided(sheet: &Sheet<'_>, range: ByteRange) -> Vec<(Piece, ByteRange)> {
    let local = |run| (Piece::Local(Extent { file: sheet.file.clone(), range: run }), run);
    let data = sheet.extents.data.overlaps(range).map(local);
    let zeros = sheet.extents.zeros.overlaps(range).map(|run| (Piece::Zero(run), run));
    let mut all: Vec<_> = data.chain(zeros).collect();
    all.sort_by_key(|(_, run)| run.start);
    all
}

fn bottom(base: Option<&ObjectRef>, range: ByteRange, pieces: &mut Vec<Piece>) {
    let held = base.and_then(|object| Some((object, range.intersect(ByteRange::new(0, object.size))?)));
    let Some((object, held)) = held else { return pieces.push(Piece::Zero(range)) };
    pieces.push(Piece::Base(object.clone(), held));
    if held.end < range.end {
        pieces.push(Piece::Zero(ByteRange::new(held.end, range.end)));
    }
}
