//! The answer of an Object Lambda function to whoever asked for the object.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_WriteGetObjectResponse.html>

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{Metadata, ObjectHeaders, on_service, put, put_some};
use crate::s3::operation::{Replay, Reply, Request};
use crate::s3::{Body, ETag, Error, Operation, Result};

/// Where the caller waits: the request goes to a host of its own.
pub(in crate::s3) const ROUTE: HeaderName = HeaderName::from_static("x-amz-request-route");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-request-token");
const STATUS: HeaderName = HeaderName::from_static("x-amz-fwd-status");
const CODE: HeaderName = HeaderName::from_static("x-amz-fwd-error-code");
const MESSAGE: HeaderName = HeaderName::from_static("x-amz-fwd-error-message");
const FORWARDED: &str = "x-amz-fwd-header-";

/// Answers a GetObject that came through an Object Lambda access point. The route and the token are those of the
/// event that the function was called with.
#[derive(Clone)]
pub struct WriteGetObjectResponse {
    /// `outputRoute` of the event: one label of a host's name.
    pub route: String,
    /// `outputToken` of the event.
    pub token: String,
    /// Status of the reply; `None` is 200.
    pub status: Option<u16>,
    /// What the caller is told instead of the bytes.
    pub error: Option<LambdaError>,
    /// Headers of the reply: content headers, ETag and date are sent, `size` is that of the body.
    pub headers: ObjectHeaders,
    /// User metadata of the reply.
    pub metadata: Metadata,
    /// Bytes of the reply.
    pub body: Body,
}

/// A refusal in the name of S3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LambdaError {
    /// One word, such as `AccessDenied`.
    pub code: String,
    /// For people.
    pub message: String,
}

fn forward(headers: &mut HeaderMap, name: &HeaderName, value: Option<&str>) -> Result<()> {
    let name = HeaderName::try_from(format!("{FORWARDED}{name}"))
        .map_err(|_| Error::invalid("The name of a header is none."))?;
    put_some(headers, name, value)
}

impl Operation for WriteGetObjectResponse {
    type Output = ();
    const NAME: &'static str = "WriteGetObjectResponse";

    fn encode(&self) -> Result<Request> {
        let mut request = on_service(Method::POST);
        let headers = &mut request.headers;
        put(headers, ROUTE, &self.route)?;
        let mut token = HeaderValue::from_str(&self.token)
            .map_err(|_| Error::invalid("The token cannot travel in a header."))?;
        token.set_sensitive(true);
        headers.insert(TOKEN, token);
        put_some(headers, STATUS, self.status.map(|status| status.to_string()).as_deref())?;
        if let Some(LambdaError { code, message }) = &self.error {
            put(headers, CODE, code)?;
            put(headers, MESSAGE, message)?;
        }
        let mut own = HeaderMap::new();
        self.headers.content.encode(&mut own)?;
        put_some(&mut own, header::ETAG, self.headers.etag.as_ref().map(ETag::quoted).as_deref())?;
        let date = self.headers.last_modified.map(crate::base::timestamp::http_date);
        put_some(&mut own, header::LAST_MODIFIED, date.as_deref())?;
        for (name, value) in &own {
            forward(headers, name, value.to_str().ok())?;
        }
        super::headers::encode_metadata(&self.metadata, headers)?;
        request.body = self.body.clone();
        Ok(request)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }

    /// The caller gets one answer.
    fn replay(&self) -> Replay {
        Replay::LookFirst
    }
}

#[cfg(test)]
mod tests {
    use super::super::ContentHeaders;
    use super::super::fixture::wire;
    use super::*;

    #[test]
    fn headers_are_forwarded_under_their_own_names() {
        let content = ContentHeaders { content_type: Some("text/plain".into()), ..ContentHeaders::default() };
        let answer = WriteGetObjectResponse {
            route: "io-cell001".into(),
            token: "secret".into(),
            status: Some(200),
            error: None,
            headers: ObjectHeaders { content, etag: Some(ETag("e".into())), ..ObjectHeaders::default() },
            metadata: [("a".to_owned(), "b".to_owned())].into(),
            body: Body::Bytes("done".into()),
        };
        assert_eq!(
            wire(&answer),
            "POST /\nx-amz-fwd-header-content-type: text/plain\nx-amz-fwd-header-etag: \"e\"\n\
             x-amz-fwd-status: 200\nx-amz-meta-a: b\nx-amz-request-route: io-cell001\n\
             x-amz-request-token: secret\ndone"
        );
        assert!(!format!("{:?}", answer.encode().unwrap().headers).contains("secret"));
    }
}
