//! Operations that only some makers' stores have. Others answer NotImplemented or MethodNotAllowed.

mod fan_out;
pub mod ibm;
pub mod minio;
mod retention;
mod snowball;
