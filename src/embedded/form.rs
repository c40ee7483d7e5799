//! The fields of a browser's form, read ahead of `s3s`, which keeps to itself those that it has no name for.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use s3s::StdError;

use super::storage::refusal::Refusal;

/// Of all fields before the file.
const FIELDS_BYTES_MAX: usize = 1 << 20;

/// What a form says before its file begins, in its order. Its length is not that of the file.
#[derive(Clone, Debug, Default)]
pub struct Form(Arc<Said>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    fields: Vec<(String, String)>,
    /// As the browser calls it, without its folders.
    file_name: String,
}

impl Form {
    /// Case does not matter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.fields.iter();
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The key with the name of the file in it, where it asks for that.
    pub fn key(&self, key: &str) -> String {
        key.replace("${filename}", &self.0.file_name)
    }

    /// Fields that say what headers of other requests say.
    pub fn headers(&self) -> HeaderMap {
        let header = |(name, value): &(String, String)| {
            let name = HeaderName::try_from(name.to_ascii_lowercase()).ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        };
        self.0.fields.iter().filter_map(header).collect()
    }
}

/// A body of which the beginning was read and is read again.
pub struct Resumed<B> {
    head: Option<Bytes>,
    rest: B,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Resumed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.head.take() {
            Some(head) => Poll::Ready(Some(Ok(Frame::data(head)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.head.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, head) = (self.rest.size_hint(), self.head.as_ref().map_or(0, Bytes::len) as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + head);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + head);
        }
        hint
    }
}

/// Reads up to where the file begins. A body that is no such form goes on untouched, for `s3s` to say what is wrong.
pub async fn read_ahead<B>(
    content_type: &str,
    mut body: B,
) -> Result<Result<(Form, Resumed<B>), Refusal>, StdError>
where
    B: Body<Data = Bytes, Error = StdError> + Unpin,
{
    let mut head = BytesMut::new();
    let form = match boundary(content_type) {
        None => Form::default(),
        Some(boundary) => loop {
            match fields(&head, boundary) {
                Found::File(said) => break Form(Arc::new(said)),
                Found::Nonsense => break Form::default(),
                Found::More if head.len() > FIELDS_BYTES_MAX => {
                    let message = "Your POST request fields preceding the upload file were too large.";
                    return Ok(Err(Refusal::new(400, "MaxPostPreDataLengthExceededError", message)));
                }
                Found::More => match body.frame().await.transpose()? {
                    Some(frame) => head.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
                    None => break Form::default(),
                },
            }
        },
    };
    Ok(Ok((form, Resumed { head: Some(head.freeze()).filter(|head| !head.is_empty()), rest: body })))
}

fn boundary(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1).map(str::trim);
    let boundary = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, boundary) = { boundary }.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(boundary.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// The file begins.
    File(Said),
    /// The file has not begun yet.
    More,
    Nonsense,
}

fn fields(head: &[u8], boundary: &str) -> Found {
    let (first, next) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}"));
    let mut rest = match head.strip_prefix(first.as_bytes()) {
        Some(rest) => rest,
        None if first.as_bytes().starts_with(head) => return Found::More,
        None => return Found::Nonsense,
    };
    let mut fields = Vec::new();
    loop {
        let Some((lines, behind)) = split(rest, b"\r\n\r\n") else { return Found::More };
        let Ok(lines) = std::str::from_utf8(lines) else { return Found::Nonsense };
        let Some(name) = parameter(lines, "name") else { return Found::Nonsense };
        if name.eq_ignore_ascii_case("file") {
            let path = parameter(lines, "filename").unwrap_or_default();
            let file_name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            return Found::File(Said { fields, file_name });
        }
        let Some((value, behind)) = split(behind, next.as_bytes()) else { return Found::More };
        let Ok(value) = std::str::from_utf8(value) else { return Found::Nonsense };
        fields.push((name.to_owned(), value.to_owned()));
        rest = match behind {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Found::More,
            _ => return Found::Nonsense,
        };
    }
}

fn split<'b>(bytes: &'b [u8], at: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let start = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..start], &bytes[start + at.len()..]))
}

/// Of the disposition among these headers.
fn parameter<'l>(lines: &'l str, name: &str) -> Option<&'l str> {
    let is_disposition = |line: &&str| line.to_ascii_lowercase().starts_with("content-disposition:");
    let disposition = lines.split("\r\n").find(is_disposition)?;
    let parameters = disposition.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let (_, value) = { parameters }.find(|(found, _)| *found == name)?;
    Some(value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--X\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/b\r\n--X\r\n\
        content-disposition: form-data; name=\"List\"\r\nContent-Type: text/plain\r\n\r\n{}\n{}\n\r\n--X\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"C:\\d\\f\"\r\n\r\n--X and more\r\n--X--\r\n";

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn fields_end_where_the_file_begins() {
        let said = || {
            let fields = pairs(&[("key", "a/b"), ("List", "{}\n{}\n")]);
            Said { fields, file_name: "f".to_owned() }
        };
        let file = FORM.find("--X and").unwrap();
        assert_eq!(fields(&FORM.as_bytes()[..file], "X"), Found::File(said()));
        for cut in 0..file {
            assert_eq!(fields(&FORM.as_bytes()[..cut], "X"), Found::More, "{cut}");
        }
        for nonsense in
            ["x", "--Y\r\n", "--X\r\nA: b\r\n\r\n", "--X\r\nContent-Disposition: form-data\r\n\r\n"]
        {
            assert_eq!(fields(nonsense.as_bytes(), "X"), Found::Nonsense, "{nonsense}");
        }
        let form = Form(Arc::new(said()));
        assert_eq!((form.get("list"), form.get("none")), (Some("{}\n{}\n"), None));
        assert_eq!(form.headers().get("key").unwrap(), "a/b");
        assert_eq!((form.key("in/${filename}"), form.key("plain")), ("in/f".to_owned(), "plain".to_owned()));
    }

    #[test]
    fn boundaries_stand_with_or_without_quotes() {
        assert_eq!(boundary("multipart/form-data; charset=x; Boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("multipart/form-data;boundary=ab"), Some("ab"));
        assert_eq!(boundary("multipart/form-data"), None);
    }

    #[tokio::test]
    async fn what_was_read_ahead_is_read_again() {
        let pieces = |size| {
            let pieces: Vec<_> = FORM.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
            http_body_util::StreamBody::new(futures_util::stream::iter(
                pieces.into_iter().map(|piece| Ok::<_, StdError>(Frame::data(piece))),
            ))
        };
        for size in [1, 7, 1000] {
            let read = read_ahead("multipart/form-data; boundary=X", pieces(size)).await.unwrap();
            let (form, body) = read.unwrap();
            assert_eq!(form.get("key"), Some("a/b"));
            assert_eq!(body.collect().await.unwrap().to_bytes(), FORM);
        }
        let (form, body) = read_ahead("text/plain", pieces(3)).await.unwrap().unwrap();
        assert_eq!((form.get("key"), body.collect().await.unwrap().to_bytes()), (None, FORM.into()));
        let endless = http_body_util::Full::new(Bytes::from(format!(
            "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{}",
            "x".repeat(FIELDS_BYTES_MAX)
        )));
        let refused =
            read_ahead("multipart/form-data; boundary=X", endless.map_err(StdError::from)).await.unwrap();
        assert_eq!(refused.err().unwrap().code, "MaxPostPreDataLengthExceededError");
    }
}
