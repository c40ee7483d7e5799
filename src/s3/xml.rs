//! XML as S3 uses it: elements and text, attributes and namespaces of no account.
//!
//! [`Reader`] walks a reply in document order without building a tree. [`Reader::children`] calls back for every
//! child of the open element; a child that the callback leaves unread is skipped, so unknown elements never
//! matter. Names are matched without their prefix. What a hostile server might send is refused or costs nothing:
//! document types are an error, only the five entities of XML and character references are known, depth is
//! bounded, attributes are never parsed. Text is exact: blanks at its ends belong to it (tags have such values),
//! and characters that XML forbids pass (older stores list keys with them unescaped).
//!
//! [`Writer`] builds a request. It escapes what a parser would alter and refuses what XML 1.0 cannot carry.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::SystemTime;

use bytes::Bytes;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};

use crate::base::timestamp;
use crate::s3::{Error, ErrorKind, Result};

/// The deepest document of S3 (replication) has 8 levels.
const DEPTH_MAX: usize = 32;

/// Memory taken at once for text with references, which comes in pieces.
const REFERRING_BYTES: usize = 40;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// The root of a listing of keys.
const LISTING: &str = "ListBucketResult";
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A cursor over a document; one element is open at any time.
pub(crate) struct Reader<'x> {
    events: quick_xml::Reader<&'x [u8]>,
    /// Open elements.
    depth: usize,
}

impl<'x> Reader<'x> {
    /// Opens the root element, which must be called `root`.
    pub(crate) fn open(document: &'x [u8], root: &str) -> Result<Self> {
        let (reader, found) = Self::open_root(document)?;
        match found.as_deref() {
            Some(found) if found == root => Ok(reader),
            Some(LISTING) => Err(listed_instead()),
            Some(found) => Err(malformed(format_args!("its root is <{found}>, not <{root}>"))),
            None => Err(malformed(format_args!("it has no <{root}>"))),
        }
    }

    /// Opens the root element, whatever stores call it.
    pub(crate) fn open_any(document: &'x [u8]) -> Result<Self> {
        match Self::open_root(document)? {
            (_, Some(found)) if found == LISTING => Err(listed_instead()),
            (reader, Some(_)) => Ok(reader),
            (_, None) => Err(malformed("it has no element")),
        }
    }

    fn open_root(document: &'x [u8]) -> Result<(Self, Option<String>)> {
        let text = std::str::from_utf8(document).map_err(|_| malformed("it is not UTF-8"))?;
        let mut events = quick_xml::Reader::from_str(text);
        events.config_mut().expand_empty_elements = true;
        let mut reader = Self { events, depth: 0 };
        loop {
            match reader.event()? {
                Event::Start(start) => {
                    let found = start.local_name().into_inner().to_owned();
                    return Ok((reader, Some(found)));
                }
                Event::Eof => return Ok((reader, None)),
                _ => {}
            }
        }
    }

    /// Calls `visit` with the name of every child of the open element, the child being open, then closes the
    /// element.
    pub(crate) fn children(&mut self, mut visit: impl FnMut(&str, &mut Self) -> Result<()>) -> Result<()> {
        let inside = self.depth;
        loop {
            match self.event()? {
                Event::Start(start) => {
                    visit(start.local_name().into_inner(), self)?;
                    self.close_to(inside)?;
                }
                Event::End(_) => return Ok(()),
                _ => {}
            }
        }
    }

    /// The text of the open element, which is closed. Children of it are skipped.
    pub(crate) fn text(&mut self) -> Result<Cow<'x, str>> {
        let inside = self.depth;
        let mut text = Cow::Borrowed("");
        loop {
            match self.event()? {
                Event::Text(piece) => append(&mut text, piece.into_inner()),
                Event::CData(piece) => append(&mut text, piece.into_inner()),
                Event::GeneralRef(reference) => {
                    let text = text.to_mut();
                    // An ETag with its quotes, mostly.
                    text.reserve(REFERRING_BYTES);
                    text.push(resolve(&reference)?);
                }
                Event::Start(_) => self.close_to(inside)?,
                Event::End(_) => return Ok(text),
                _ => {}
            }
        }
    }

    pub(crate) fn string(&mut self) -> Result<String> {
        self.text().map(Cow::into_owned)
    }

    /// `None` for an empty element.
    pub(crate) fn non_empty(&mut self) -> Result<Option<String>> {
        self.string().map(|text| Some(text).filter(|text| !text.is_empty()))
    }

    pub(crate) fn number<N: FromStr>(&mut self) -> Result<N> {
        let text = self.text()?;
        text.trim().parse().map_err(|_| malformed(format_args!("`{text}` is not a number in range")))
    }

    /// `true` or `false` in any case.
    pub(crate) fn boolean(&mut self) -> Result<bool> {
        let text = self.text()?;
        match text.trim() {
            word if word.eq_ignore_ascii_case("true") => Ok(true),
            word if word.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(malformed(format_args!("`{text}` is neither true nor false"))),
        }
    }

    /// ISO 8601.
    pub(crate) fn time(&mut self) -> Result<SystemTime> {
        let text = self.text()?;
        timestamp::parse_rfc3339(text.trim()).ok_or_else(|| malformed(format_args!("`{text}` is not a date")))
    }

    /// Skips to where `depth` elements are open.
    fn close_to(&mut self, depth: usize) -> Result<()> {
        while self.depth > depth {
            self.event()?;
        }
        Ok(())
    }

    fn event(&mut self) -> Result<Event<'x>> {
        let event = self.events.read_event().map_err(malformed)?;
        match event {
            Event::Start(_) if self.depth == DEPTH_MAX => Err(malformed("it is nested too deeply")),
            Event::Start(_) => {
                self.depth += 1;
                Ok(event)
            }
            Event::End(_) => {
                self.depth -= 1;
                Ok(event)
            }
            Event::DocType(_) => Err(malformed("it has a document type")),
            Event::Eof if self.depth > 0 => Err(malformed("it ends in the middle")),
            _ => Ok(event),
        }
    }
}

fn append<'x>(text: &mut Cow<'x, str>, piece: Cow<'x, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char> {
    if let Some(character) = reference.resolve_char_ref().map_err(malformed)? {
        return Ok(character);
    }
    resolve_xml_entity(reference)
        .and_then(|text| text.chars().next())
        .ok_or_else(|| malformed(format_args!("it uses the unknown entity &{};", &**reference)))
}

fn malformed(why: impl std::fmt::Display) -> Error {
    Error::decode(format!("The XML of the reply is malformed: {why}."))
}

/// Stores that pass over a sub-resource that they do not know list the bucket instead.
fn listed_instead() -> Error {
    let why = "The store does not know what was asked for: it answered with a listing of the bucket.";
    Error::new(ErrorKind::Unsupported, why)
}

/// Builds a document; elements come in the order of the calls.
pub(crate) struct Writer {
    text: String,
}

impl Writer {
    /// A whole document with the root `root` in the namespace of S3.
    pub(crate) fn document(root: &str, fill: impl FnOnce(&mut Self) -> Result<()>) -> Result<Bytes> {
        let mut writer = Self { text: format!("<{root} xmlns=\"{NAMESPACE}\">") };
        fill(&mut writer)?;
        writer.close(root);
        Ok(writer.text.into())
    }

    pub(crate) fn nested(&mut self, name: &str, fill: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.open(name);
        fill(self)?;
        self.close(name);
        Ok(())
    }

    /// As [`Writer::nested`], with an `xsi:type`: what a grantee of an ACL is.
    pub(crate) fn nested_of_type(
        &mut self,
        name: &str,
        kind: &str,
        fill: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.text.extend(["<", name, " xmlns:xsi=\"", SCHEMA_INSTANCE, "\" xsi:type=\"", kind, "\">"]);
        fill(self)?;
        self.close(name);
        Ok(())
    }

    /// `<name>text</name>`; an error when XML cannot carry the text.
    pub(crate) fn element(&mut self, name: &str, text: &str) -> Result<()> {
        self.open(name);
        for character in text.chars() {
            self.push(character).map_err(|()| not_in_xml(name, text))?;
        }
        self.close(name);
        Ok(())
    }

    fn open(&mut self, name: &str) {
        self.text.extend(["<", name, ">"]);
    }

    fn close(&mut self, name: &str) {
        self.text.extend(["</", name, ">"]);
    }

    /// CR, LF and tab go as references: a parser would turn the first into the second, and attributes aside some
    /// strip all three at the ends.
    fn push(&mut self, character: char) -> std::result::Result<(), ()> {
        match character {
            '&' => self.text.push_str("&amp;"),
            '<' => self.text.push_str("&lt;"),
            '>' => self.text.push_str("&gt;"),
            '"' => self.text.push_str("&quot;"),
            '\r' | '\n' | '\t' => write!(self.text, "&#x{:X};", u32::from(character)).map_err(|_| ())?,
            _ if !allowed(character) => return Err(()),
            _ => self.text.push(character),
        }
        Ok(())
    }
}

/// Whether a request document can carry this text.
pub(crate) fn carries(text: &str) -> bool {
    text.chars().all(allowed)
}

/// XML 1.0, production Char.
fn allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn not_in_xml(name: &str, text: &str) -> Error {
    Error::invalid(format!("{name} {text:?} has a control character, which an XML request cannot carry."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(document: &str) -> Result<Vec<(String, String)>> {
        let mut texts = Vec::new();
        Reader::open(document.as_bytes(), "R")?.children(|name, xml| {
            texts.push((name.to_owned(), xml.string()?));
            Ok(())
        })?;
        Ok(texts)
    }

    fn text(document: &str) -> String {
        texts(document).unwrap().remove(0).1
    }

    #[test]
    fn namespaces_and_prefixes_do_not_matter() {
        for document in [
            "<R><A>1</A></R>",
            "<R xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><A>1</A></R>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ns:R xmlns:ns=\"urn:x\"><ns:A>1</ns:A></ns:R>",
            "<!-- c --><R a='>' b=\"</R>\"><!-- c --><A>1</A></R>",
        ] {
            assert_eq!(text(document), "1", "{document}");
        }
    }

    #[test]
    fn text_is_exact() {
        assert_eq!(text("<R><A>  a b \n</A></R>"), "  a b \n");
        assert_eq!(text("<R><A>&lt;&amp;&#x8;&#13;&#xA;&quot;</A></R>"), "<&\u{8}\r\n\"");
        assert_eq!(text("<R><A>a<![CDATA[<&amp;>]]>b</A></R>"), "a<&amp;>b");
        assert_eq!(text("<R><A>a<!-- no -->b<B>c</B>d</A></R>"), "abd");
        assert_eq!(text("<R><A/></R>"), "");
        assert_eq!(text("<R><A>\u{1}</A></R>"), "\u{1}", "older stores do not escape it");
    }

    #[test]
    fn a_listing_is_no_answer_to_anything_else() {
        let listing = b"<ListBucketResult><Name>b</Name></ListBucketResult>";
        let kind = |reader: Result<Reader<'_>>| reader.err().map(|error| error.kind());
        assert_eq!(kind(Reader::open(listing, "Tagging")), Some(ErrorKind::Unsupported));
        assert_eq!(kind(Reader::open_any(listing)), Some(ErrorKind::Unsupported));
        assert_eq!(kind(Reader::open(listing, "ListBucketResult")), None);
    }

    #[test]
    fn what_is_not_read_is_skipped() {
        let document = b"<R><X><A>no</A><Y/></X><A>yes</A><X>no</X></R>";
        let mut found = Vec::new();
        Reader::open(document, "R")
            .unwrap()
            .children(|name, xml| {
                if name == "A" {
                    found.push(xml.string()?);
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(found, ["yes"]);
    }

    #[test]
    fn broken_and_hostile_documents_are_errors() {
        let deep = format!("<R>{}", "<a>".repeat(1_000_000));
        let cases = [
            "",
            "R",
            "<Q/>",
            "<R>",
            "<R><A>",
            "<R><A>1</R>",
            "<R><A>1</B></R>",
            "<R><A>&bomb;</A></R>",
            "<R><A>&#0;</A></R>",
            "<R><A>&#xD800;</A></R>",
            "<R><A>&",
            &deep,
            "<!DOCTYPE R [<!ENTITY bomb \"x\">]><R><A>1</A></R>",
        ];
        for document in cases {
            let error = texts(document).expect_err(document);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{document:.60}");
        }
        assert!(Reader::open(b"<R>\xFF</R>", "R").is_err());
    }

    #[test]
    fn a_million_attributes_cost_nothing() {
        let mut document = String::from("<R");
        (0..1_000_000).for_each(|n| write!(document, " xmlns:a{n}=\"u\"").unwrap());
        document.push_str("><A>1</A></R>");
        let started = std::time::Instant::now();
        assert_eq!(text(&document), "1");
        assert!(started.elapsed().as_secs() < 1);
    }

    #[test]
    fn typed_text_is_checked() {
        fn parse(document: &str) -> Reader<'_> {
            Reader::open(document.as_bytes(), "R").unwrap()
        }
        assert_eq!(parse("<R> 42\n</R>").number::<u64>().unwrap(), 42);
        assert!(parse("<R>-1</R>").number::<u64>().is_err());
        assert!(parse("<R></R>").number::<u64>().is_err());
        assert!(parse("<R>True</R>").boolean().unwrap());
        assert!(!parse("<R>FALSE</R>").boolean().unwrap());
        assert!(parse("<R>1</R>").boolean().is_err());
        assert!(parse("<R>yesterday</R>").time().is_err());
        assert_eq!(parse("<R></R>").non_empty().unwrap(), None);
    }

    #[test]
    fn a_written_document_escapes_and_refuses() {
        let document =
            Writer::document("R", |xml| xml.nested("O", |xml| xml.element("K", "a&<\r\n\"b"))).unwrap();
        assert_eq!(
            document,
            "<R xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><O><K>a&amp;&lt;&#xD;&#xA;&quot;b</K></O></R>"
        );
        for text in ["\u{0}", "\u{1}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
            let error = Writer::document("R", |xml| xml.element("K", text)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_a_round_trip(value in "\\PC*|[\\t\\r\\n <>&\"'\\]a]*") {
            prop_assume!(carries(&value));
            let document = Writer::document("R", |xml| xml.element("A", &value)).unwrap();
            prop_assert_eq!(text(std::str::from_utf8(&document).unwrap()), value);
        }

        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Reader::open(&bytes, "R").and_then(|mut xml| xml.children(|_, xml| xml.text().map(drop)));
        }

        #[test]
        fn any_tags_are_an_answer_or_an_error(document in "(<R>|</R>|<A>|</A>|<A/>|&#x1;|&amp;|&x;|<!\\[CDATA\\[|\\]\\]>|<!--|-->|t| ){0,20}") {
            let document = format!("<R>{document}");
            let _ = Reader::open(document.as_bytes(), "R")
                .and_then(|mut xml| xml.children(|_, xml| xml.text().map(drop)));
        }
    }
}
