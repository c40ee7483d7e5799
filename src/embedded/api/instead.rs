//! What takes the place of what `s3s` says: it travels with a reply to where that leaves.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Response, StatusCode};
use s3s::Body;

use super::sums::Seat;
use super::xml;

/// A body that takes the place of the one that `s3s` writes.
#[derive(Clone, Debug)]
pub struct Document(pub bytes::Bytes);

/// A status that takes the place of the one that `s3s` gives.
#[derive(Clone, Copy, Debug)]
pub struct Status(pub StatusCode);

/// What `s3s` leaves to be said of the answer to this operation.
pub fn finish(operation: &str, mut answer: Response<Body>) -> Response<Body> {
    if let Some(Document(bytes)) = answer.extensions_mut().remove() {
        answer.headers_mut().remove(CONTENT_LENGTH);
        *answer.body_mut() = Body::from(bytes);
    }
    if let Some(Status(status)) = answer.extensions_mut().remove() {
        *answer.status_mut() = status;
    }
    let (mut head, mut body) = answer.into_parts();
    if let Some(seat) = head.extensions.remove::<Seat>() {
        seat.name(&mut head.headers, &mut body);
    }
    if !matches!(operation, "GetObject" | "GetObjectAnnotation" | "GetObjectTorrent")
        && let Some(text) = body.bytes().and_then(|bytes| xml::with_references(&bytes))
    {
        head.headers.remove(CONTENT_LENGTH);
        body = Body::from(bytes::Bytes::from(text));
    }
    if head.status == StatusCode::NOT_MODIFIED {
        head.headers.remove(CONTENT_TYPE);
        head.headers.remove(CONTENT_LENGTH);
        body = Body::empty();
    }
    Response::from_parts(head, body)
}
