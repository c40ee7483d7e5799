//! A map that knows which entry was used longest ago: the one use of the `lru` crate, under one name.

pub use lru::LruCache as RecencyMap;
