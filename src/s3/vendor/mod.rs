//! Operations that only some makers' stores have. Others answer NotImplemented or MethodNotAllowed.

#![warn(missing_docs)]

mod fan_out;
pub mod ibm;
pub mod minio;
mod snowball;
