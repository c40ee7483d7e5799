//! What every layer above may lean on and what knows neither S3 nor FUSE.

pub mod budget;
pub mod buffer;
pub mod checksum;
pub mod clock;
#[cfg(test)]
pub mod corpus;
pub mod digest;
pub mod disk;
pub mod errno;
pub mod ranges;
pub mod recency;
pub mod secret;
pub mod single_flight;
pub mod store;
pub mod tasks;
pub mod timestamp;
pub mod ttl;
