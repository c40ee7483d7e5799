//! Which web pages may talk to a bucket.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>

use bytes::Bytes;

use super::{Removable, Setting};
use crate::s3::Result;
use crate::s3::document::{self, document};

document! {
    /// Up to 100 rules; the first that fits a request decides.
    #[derive(Default, Eq)]
    pub struct CorsConfiguration {
        rules: Vec<CorsRule> = "CORSRule",
    }

    #[derive(Default, Eq)]
    pub struct CorsRule {
        /// At most 255 characters.
        id: Option<String> = "ID",
        /// Each with at most one `*`.
        allowed_headers: Vec<String> = "AllowedHeader",
        /// `GET`, `PUT`, `HEAD`, `POST`, `DELETE`.
        allowed_methods: Vec<String> = "AllowedMethod",
        /// Each with at most one `*`.
        allowed_origins: Vec<String> = "AllowedOrigin",
        /// Headers of replies that a page may see; without `*`.
        expose_headers: Vec<String> = "ExposeHeader",
        /// For how many seconds a browser may remember the answer.
        max_age_seconds: Option<u32> = "MaxAgeSeconds",
    }
}

impl Setting for CorsConfiguration {
    const SUBRESOURCE: &'static str = "cors";
    const GET: &'static str = "GetBucketCors";
    const PUT: &'static str = "PutBucketCors";
    const ABSENT: &'static [&'static str] = &["NoSuchCORSConfiguration"];

    fn encode(&self) -> Result<Bytes> {
        document::encode("CORSConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("CORSConfiguration", document)
    }
}

impl Removable for CorsConfiguration {
    const DELETE: &'static str = "DeleteBucketCors";
}

#[cfg(test)]
mod tests {
    use super::super::fixture::survives;
    use super::*;

    #[test]
    fn cors_as_in_the_reference() {
        let cors: CorsConfiguration = survives(
            r#"<CORSConfiguration>
 <CORSRule>
   <AllowedOrigin>http://www.example.com</AllowedOrigin>
   <AllowedMethod>PUT</AllowedMethod>
   <AllowedMethod>POST</AllowedMethod>
   <AllowedMethod>DELETE</AllowedMethod>
   <AllowedHeader>*</AllowedHeader>
   <MaxAgeSeconds>3000</MaxAgeSeconds>
   <ExposeHeader>x-amz-server-side-encryption</ExposeHeader>
   <ExposeHeader>x-amz-request-id</ExposeHeader>
   <ExposeHeader>x-amz-id-2</ExposeHeader>
 </CORSRule>
 <CORSRule>
   <ID>all</ID>
   <AllowedOrigin>*</AllowedOrigin>
   <AllowedMethod>GET</AllowedMethod>
   <AllowedHeader>*</AllowedHeader>
   <MaxAgeSeconds>3000</MaxAgeSeconds>
 </CORSRule>
</CORSConfiguration>"#,
        );
        assert_eq!(cors.rules[0].allowed_methods, ["PUT", "POST", "DELETE"]);
        assert_eq!(cors.rules[1].max_age_seconds, Some(3000));
    }
}
