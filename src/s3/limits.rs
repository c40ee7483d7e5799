//! What a store accepts. The default is AWS; tests scale it down so that the paths for huge objects run on small
//! ones.

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// All bounds are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of every part of an upload but the last.
    pub part_bytes_min: u64,
    /// Bytes of every part.
    pub part_bytes_max: u64,
    /// Parts of one upload; they are numbered from 1.
    pub parts_max: u32,
    /// Bytes of one PutObject.
    pub put_bytes_max: u64,
    /// Bytes of one CopyObject and of one UploadPartCopy.
    pub copy_bytes_max: u64,
    /// Bytes of one object, however it is uploaded.
    pub object_bytes_max: u64,
    /// Bytes of a key in UTF-8.
    pub key_bytes_max: usize,
    /// Bytes of the names and values of user metadata together.
    pub metadata_bytes_max: usize,
    /// Tags of one object.
    pub tags_max: usize,
    /// Keys of one DeleteObjects.
    pub delete_keys_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            part_bytes_min: 5 * MIB,
            part_bytes_max: 5 * GIB,
            parts_max: 10_000,
            put_bytes_max: 5 * GIB,
            copy_bytes_max: 5 * GIB,
            object_bytes_max: 5 * TIB,
            key_bytes_max: KIB as usize,
            metadata_bytes_max: 2 * KIB as usize,
            tags_max: 10,
            delete_keys_max: 1000,
        }
    }
}
