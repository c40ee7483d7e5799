//! Operations that only some makers' stores have. Others answer NotImplemented or MethodNotAllowed.

pub mod ibm;
pub mod minio;
