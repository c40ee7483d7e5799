//! The canonical request: one spelling for every request that means the same.

use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but `A-Z a-z 0-9 - . _ ~`.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &COMPONENT.remove(b'/');

/// A name or value of a query, or a header value that is a path of its own.
pub fn encode_component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// A key: slashes stay, and so do empty, `.` and `..` segments.
pub fn encode_path(key: &str) -> String {
    utf8_percent_encode(key, PATH).to_string()
}

/// Sorted by encoded name, then value; what has no value keeps its `=`. Requests are sent with exactly this.
pub fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut encoded: Vec<(String, String)> =
        pairs.into_iter().map(|(name, value)| (encode_component(name), encode_component(value))).collect();
    encoded.sort_unstable();
    let mut text = String::new();
    for (name, value) in encoded {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(&name);
        text.push('=');
        text.push_str(&value);
    }
    text
}

/// Headers that proxies change or that HTTP itself adds; `accept-encoding` because some front ends rewrite it.
const NEVER_SIGNED: &[&str] = &[
    "accept-encoding",
    "authorization",
    "baggage",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// Header lines of a canonical request, sorted by name, and their names joined by `;`.
pub struct SignedHeaders {
    lines: Vec<u8>,
    pub names: String,
}

impl SignedHeaders {
    /// Every header of `headers` that can be signed. Values are signed as they are sent, whatever their bytes.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut names: Vec<&str> =
            headers.keys().map(|name| name.as_str()).filter(|name| !NEVER_SIGNED.contains(name)).collect();
        names.sort_unstable();
        let mut lines = Vec::with_capacity(512);
        for name in &names {
            lines.extend_from_slice(name.as_bytes());
            lines.push(b':');
            for (index, value) in headers.get_all(*name).iter().enumerate() {
                if index > 0 {
                    lines.push(b',');
                }
                push_collapsed(&mut lines, value.as_bytes());
            }
            lines.push(b'\n');
        }
        Self { lines, names: names.join(";") }
    }
}

/// Trimmed, inner runs of white space as one space.
fn push_collapsed(out: &mut Vec<u8>, value: &[u8]) {
    let words = value.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// `path` and `query` as they are sent.
pub fn request(
    method: &Method,
    path: &str,
    query: &str,
    headers: &SignedHeaders,
    payload_hash: &str,
) -> Vec<u8> {
    let path = if path.is_empty() { "/" } else { path };
    let mut text = Vec::with_capacity(headers.lines.len() + path.len() + query.len() + 256);
    for line in [method.as_str(), path, query] {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(&headers.lines);
    text.push(b'\n');
    text.extend_from_slice(headers.names.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(payload_hash.as_bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_once_and_never_normalised() {
        for (key, path) in [
            ("a b+c%20", "a%20b%2Bc%2520"),
            ("./a//../b/", "./a//../b/"),
            ("ü/\u{1}\n~-_.", "%C3%BC/%01%0A~-_."),
            ("a?b#c&d=e", "a%3Fb%23c%26d%3De"),
        ] {
            assert_eq!(encode_path(key), path);
        }
    }

    #[test]
    fn queries_are_sorted_after_encoding() {
        assert_eq!(query([("b", ""), ("a", "x/y"), ("A", "1"), ("a", "b")]), "A=1&a=b&a=x%2Fy&b=");
        assert_eq!(query([("prefix", "ü +")]), "prefix=%C3%BC%20%2B");
        assert_eq!(query([]), "");
    }

    #[test]
    fn header_values_are_collapsed_and_repeated_names_joined() {
        let mut headers = HeaderMap::new();
        headers.append("x-amz-meta-b", " two   words ".parse().expect("a value"));
        headers.append("x-amz-meta-a", "1".parse().expect("a value"));
        headers.append("x-amz-meta-a", "2".parse().expect("a value"));
        headers.append("user-agent", "never".parse().expect("a value"));
        let signed = SignedHeaders::of(&headers);
        assert_eq!(signed.names, "x-amz-meta-a;x-amz-meta-b");
        assert_eq!(signed.lines, b"x-amz-meta-a:1,2\nx-amz-meta-b:two words\n");
    }
}
