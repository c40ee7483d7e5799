//! A bucket that is served to browsers.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>

use bytes::Bytes;

use super::{Removable, Setting};
use crate::s3::Result;
use crate::s3::document::{self, document};

document! {
    /// Either `redirect_all` or the others.
    #[derive(Default, Eq)]
    pub struct Website {
        error: Option<ErrorDocument> = "ErrorDocument",
        index: Option<IndexDocument> = "IndexDocument",
        redirect_all: Option<RedirectAll> = "RedirectAllRequestsTo",
        routing: Option<RoutingRules> = "RoutingRules",
    }

    #[derive(Eq)]
    pub struct ErrorDocument {
        key: String = "Key",
    }

    #[derive(Eq)]
    pub struct IndexDocument {
        /// Without a slash, such as `index.html`.
        suffix: String = "Suffix",
    }

    #[derive(Eq)]
    pub struct RedirectAll {
        host_name: String = "HostName",
        /// `http` or `https`.
        protocol: Option<String> = "Protocol",
    }

    /// Up to 50.
    #[derive(Default, Eq)]
    pub struct RoutingRules {
        rules: Vec<RoutingRule> = "RoutingRule",
    }

    #[derive(Eq)]
    pub struct RoutingRule {
        condition: Option<RoutingCondition> = "Condition",
        redirect: Redirect = "Redirect",
    }

    /// Both, where both are given.
    #[derive(Default, Eq)]
    pub struct RoutingCondition {
        error_code: Option<String> = "HttpErrorCodeReturnedEquals",
        key_prefix: Option<String> = "KeyPrefixEquals",
    }

    /// `replace_prefix` and `replace_key` exclude each other.
    #[derive(Default, Eq)]
    pub struct Redirect {
        host_name: Option<String> = "HostName",
        code: Option<String> = "HttpRedirectCode",
        protocol: Option<String> = "Protocol",
        replace_prefix: Option<String> = "ReplaceKeyPrefixWith",
        replace_key: Option<String> = "ReplaceKeyWith",
    }
}

impl Setting for Website {
    const SUBRESOURCE: &'static str = "website";
    const GET: &'static str = "GetBucketWebsite";
    const PUT: &'static str = "PutBucketWebsite";
    const ABSENT: &'static [&'static str] = &["NoSuchWebsiteConfiguration"];

    fn encode(&self) -> Result<Bytes> {
        document::encode("WebsiteConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("WebsiteConfiguration", document)
    }
}

impl Removable for Website {
    const DELETE: &'static str = "DeleteBucketWebsite";
}

#[cfg(test)]
mod tests {
    use super::super::fixture::survives;
    use super::*;

    #[test]
    fn website_as_in_the_reference() {
        let website: Website = survives(
            r#"<WebsiteConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>
  <IndexDocument><Suffix>index.html</Suffix></IndexDocument>
  <ErrorDocument><Key>Error.html</Key></ErrorDocument>
  <RoutingRules>
    <RoutingRule>
      <Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition>
      <Redirect>
        <HostName>ec2-11-22-333-44.compute-1.amazonaws.com</HostName>
        <ReplaceKeyPrefixWith>report-404/</ReplaceKeyPrefixWith>
      </Redirect>
    </RoutingRule>
    <RoutingRule>
      <Condition><KeyPrefixEquals>images/</KeyPrefixEquals></Condition>
      <Redirect>
        <Protocol>https</Protocol><HttpRedirectCode>301</HttpRedirectCode>
        <ReplaceKeyWith>folderdeleted.html</ReplaceKeyWith>
      </Redirect>
    </RoutingRule>
  </RoutingRules>
</WebsiteConfiguration>"#,
        );
        assert_eq!(website.routing.unwrap().rules.len(), 2);
        let moved: Website = survives(
            "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>example.com</HostName>\
             <Protocol>http</Protocol></RedirectAllRequestsTo></WebsiteConfiguration>",
        );
        assert_eq!(moved.redirect_all.unwrap().host_name, "example.com");
    }
}
