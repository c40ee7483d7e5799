//! XML that this server writes itself, where `s3s` has no type for a document or loses something of it; and a
//! reader for the few small documents that `s3s` does not know.

use s3s::xml::Deserializer;

use crate::embedded::storage::refusal::Refusal;

pub const XMLNS: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// Text of an element. XML 1.0 has no way to say most control characters; S3 writes references to them
/// nevertheless, and so do we: clients that meet such keys ask for `encoding-type=url`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push_str(&format!("&#x{:x};", c as u32)),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A document of `s3s`, which writes control characters as they are: a parser would take a carriage return for the
/// end of a line. `None` where there is nothing to change.
pub fn with_references(document: &[u8]) -> Option<String> {
    let is_raw = |c: char| c < ' ' && c != '\n' && c != '\t';
    let text = std::str::from_utf8(document).ok()?;
    if !text.starts_with("<?xml") || !text.contains(is_raw) {
        return None;
    }
    let mut written = String::with_capacity(text.len() + 16);
    for piece in text.split_inclusive(is_raw) {
        match piece.chars().next_back().filter(|c| is_raw(*c)) {
            Some(c) => written.push_str(&format!("{}&#x{:x};", piece.trim_end_matches(is_raw), c as u32)),
            None => written.push_str(piece),
        }
    }
    Some(written)
}

/// A document in the making: its root is open until [`Xml::end`].
pub struct Xml {
    text: String,
    root: &'static str,
}

impl Xml {
    pub fn new(root: &'static str) -> Self {
        Self { text: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root} {XMLNS}>"), root }
    }

    /// Without a name space, as errors are.
    pub fn bare(root: &'static str) -> Self {
        Self { text: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root}>"), root }
    }

    pub fn element(&mut self, name: &str, text: &str) {
        for piece in ["<", name, ">", &escape(text), "</", name, ">"] {
            self.text.push_str(piece);
        }
    }

    pub fn some(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.element(name, text);
        }
    }

    pub fn boolean(&mut self, name: &str, value: bool) {
        self.element(name, if value { "true" } else { "false" });
    }

    /// An element with elements in it.
    pub fn group(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.raw(&format!("<{name}>"));
        write(self);
        self.raw(&format!("</{name}>"));
    }

    /// Elements that are written already.
    pub fn raw(&mut self, xml: &str) {
        self.text.push_str(xml);
    }

    pub fn end(mut self) -> String {
        self.text.push_str(&format!("</{}>", self.root));
        self.text
    }
}

/// Inside a document, another one stands without its own declaration.
pub fn without_declaration(document: &str) -> &str {
    match document.trim_start().strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or(rest, |(_, element)| element.trim_start()),
        None => document,
    }
}

pub fn malformed(why: impl std::fmt::Display) -> Refusal {
    let message = format!("The XML you provided was not well-formed or did not validate: {why}");
    Refusal::new(400, "MalformedXML", message)
}

/// The texts of a document's leaves in their order, each with the path of its elements below the root
/// (`SSE-KMS/KMSKeyArn`). `groups` are the elements that have elements in them.
pub fn leaves(document: &[u8], root: &str, groups: &[&str]) -> Result<Vec<(String, String)>, Refusal> {
    let mut found = Vec::new();
    let mut reader = Deserializer::new(document);
    let read = reader.named_element(root, |reader| inner(reader, "", groups, &mut found));
    read.and_then(|()| reader.expect_eof()).map_err(malformed)?;
    Ok(found)
}

fn inner(
    reader: &mut Deserializer<'_>,
    path: &str,
    groups: &[&str],
    found: &mut Vec<(String, String)>,
) -> s3s::xml::DeResult {
    reader.for_each_element(|reader, name| {
        let name = String::from_utf8_lossy(name);
        let inside = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
        // A group within itself is no document of ours, and would be a way to exhaust the stack.
        if groups.contains(&&*name) && !path.split('/').any(|outer| outer == name) {
            return inner(reader, &inside, groups, found);
        }
        let text = reader.text(|text| Ok(text.to_owned()))?;
        found.push((inside, text));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_down_to_control_characters() {
        assert_eq!(escape("<a&\"b\">\u{1}\n"), "&lt;a&amp;&quot;b&quot;&gt;&#x1;&#xa;");
    }

    #[test]
    fn control_characters_of_a_foreign_document_become_references() {
        let raw = "<?xml version=\"1.0\"?>\n<Key>a\r\r\u{1}b\tc\n</Key>";
        let expected = "<?xml version=\"1.0\"?>\n<Key>a&#xd;&#xd;&#x1;b\tc\n</Key>";
        assert_eq!(with_references(raw.as_bytes()).as_deref(), Some(expected));
        assert_eq!(with_references(expected.as_bytes()), None);
        assert_eq!(with_references(b"{\"a\": \"\r\"}"), None, "only XML");
    }

    #[test]
    fn a_document_in_a_listing_has_no_declaration() {
        assert_eq!(without_declaration("<?xml version=\"1.0\"?>\n<A/>"), "<A/>");
        assert_eq!(without_declaration("<A/>"), "<A/>");
    }

    #[test]
    fn leaves_have_paths() {
        let document = b"<A xmlns=\"x\"><B><C>1</C><D>&lt;2</D></B><E/><B><C>3</C></B></A>";
        let pairs = |list: &[(&str, &str)]| {
            list.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect::<Vec<_>>()
        };
        let expected = pairs(&[("B/C", "1"), ("B/D", "<2"), ("E", ""), ("B/C", "3")]);
        assert_eq!(leaves(document, "A", &["B"]).unwrap(), expected);
        for bad in ["<A>", "<B/>", "", "<A/><A/>", "<A><B></A></B>", "<A><C><D/></C></A>"] {
            assert_eq!(leaves(bad.as_bytes(), "A", &["B"]).unwrap_err().code, "MalformedXML", "{bad}");
        }
    }
}
