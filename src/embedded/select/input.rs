//! From plain bytes to records: cut up in bounded memory.

use super::Fault;
use super::format::{CsvInput, JsonShape};

/// Of one record.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// Of one JSON value that may take several lines: the documents of a file are its records.
const DOCUMENT_BYTES_MAX: usize = 16 << 20;
const COLUMNS_MAX: usize = 10_000;

fn too_large(bytes: usize) -> Fault {
    Fault::new("OverMaxRecordSize", format!("A record is larger than {bytes} bytes"))
}

/// One record, for as long as the next one is not read.
pub enum Record<'a> {
    Csv(&'a [String]),
    /// Bytes of one JSON value.
    Json(&'a [u8]),
}

/// Gets the records; says whether it wants more.
pub type Sink<'s> = &'s mut dyn FnMut(Record<'_>) -> Result<bool, Fault>;

/// Cuts a stream of bytes into records.
pub enum Cutter {
    Csv(Box<Csv>),
    Lines(Lines),
    Document(Document),
}

impl Cutter {
    pub fn csv(input: &CsvInput) -> Self {
        Self::Csv(Box::new(Csv::new(input)))
    }

    pub fn json(shape: JsonShape) -> Self {
        match shape {
            JsonShape::Lines => Self::Lines(Lines::default()),
            JsonShape::Document => Self::Document(Document::default()),
        }
    }

    pub fn push(&mut self, bytes: &[u8], sink: Sink<'_>) -> Result<bool, Fault> {
        match self {
            Self::Csv(csv) => csv.push(bytes, sink),
            Self::Lines(lines) => lines.push(bytes, sink),
            Self::Document(document) => document.push(bytes, sink),
        }
    }

    /// The last record may lack its end.
    pub fn finish(&mut self, sink: Sink<'_>) -> Result<(), Fault> {
        match self {
            Self::Csv(csv) => csv.push(&[], sink).map(drop),
            Self::Lines(lines) => lines.flush(sink).map(drop),
            Self::Document(document) => document.finish(sink),
        }
    }
}

pub struct Csv {
    reader: csv_core::Reader,
    /// A `\r` before the end of a line is no part of its last field.
    trims_return: bool,
    field_bytes: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    ended: usize,
    fields: Vec<String>,
    first: bool,
    record: u8,
    /// Lines that begin with it are passed over.
    comment: Option<u8>,
    /// A record begins with the next byte.
    fresh: bool,
    in_comment: bool,
}

impl Csv {
    fn new(input: &CsvInput) -> Self {
        let mut builder = csv_core::ReaderBuilder::new();
        builder.delimiter(input.field).terminator(csv_core::Terminator::Any(input.record));
        match input.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        // A quote that escapes itself is a doubled quote.
        let escape = input.escape.filter(|escape| Some(*escape) != input.quote);
        builder.escape(escape).double_quote(escape.is_none());
        Self {
            reader: builder.build(),
            trims_return: input.record == b'\n',
            field_bytes: vec![0; 4096],
            filled: 0,
            ends: vec![0; 64],
            ended: 0,
            fields: Vec::new(),
            first: true,
            record: input.record,
            comment: input.comment,
            fresh: true,
            in_comment: false,
        }
    }

    /// No bytes are the end of the input.
    fn push(&mut self, mut bytes: &[u8], sink: Sink<'_>) -> Result<bool, Fault> {
        use csv_core::ReadRecordResult as Read;
        let at_end = bytes.is_empty();
        loop {
            bytes = self.behind_comments(bytes);
            if bytes.is_empty() && !at_end {
                return Ok(true);
            }
            self.fresh = false;
            let (read, taken, written, ends) = self.reader.read_record(
                bytes,
                &mut self.field_bytes[self.filled..],
                &mut self.ends[self.ended..],
            );
            bytes = &bytes[taken..];
            (self.filled, self.ended) = (self.filled + written, self.ended + ends);
            match read {
                Read::InputEmpty if !at_end => return Ok(true),
                Read::InputEmpty => {}
                Read::OutputFull if self.field_bytes.len() >= RECORD_BYTES_MAX => {
                    return Err(too_large(RECORD_BYTES_MAX));
                }
                Read::OutputFull => self.field_bytes.resize(self.field_bytes.len() * 2, 0),
                Read::OutputEndsFull if self.ends.len() >= COLUMNS_MAX => {
                    let message = format!("A record has more than {COLUMNS_MAX} columns");
                    return Err(Fault::new("OverMaxColumn", message));
                }
                Read::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                Read::Record => {
                    self.fresh = true;
                    if !self.record(sink)? {
                        return Ok(false);
                    }
                }
                Read::End => return Ok(true),
            }
        }
    }

    /// At the beginning of a record: without the comments and empty lines before it.
    fn behind_comments<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        while let (Some(first), true) = (bytes.first(), self.fresh && self.comment.is_some()) {
            if self.in_comment {
                let end = bytes.iter().position(|byte| *byte == self.record);
                self.in_comment = end.is_none();
                bytes = end.map_or(&[], |end| &bytes[end + 1..]);
            } else if Some(*first) == self.comment {
                self.in_comment = true;
            } else if *first == self.record {
                bytes = &bytes[1..];
            } else {
                break;
            }
        }
        bytes
    }

    fn record(&mut self, sink: Sink<'_>) -> Result<bool, Fault> {
        let mut start = 0;
        self.fields.resize(self.ended, String::new());
        for (field, end) in self.fields.iter_mut().zip(&self.ends[..self.ended]) {
            let text = std::str::from_utf8(&self.field_bytes[start..*end]);
            let text = text.map_err(|_| Fault::new("InvalidTextEncoding", "UTF-8 encoding is required"))?;
            field.clear();
            field.push_str(text);
            start = *end;
        }
        (self.filled, self.ended) = (0, 0);
        if let Some(last) = self.fields.last_mut().filter(|last| self.trims_return && last.ends_with('\r')) {
            last.pop();
        }
        if std::mem::take(&mut self.first)
            && let Some(field) = self.fields.first_mut()
            && let Some(bare) = field.strip_prefix('\u{feff}')
        {
            *field = bare.to_owned();
        }
        // A line that had nothing but its `\r`.
        if self.trims_return && self.fields.len() == 1 && self.fields[0].is_empty() {
            return Ok(true);
        }
        sink(Record::Csv(&self.fields))
    }
}

/// One value a line.
#[derive(Default)]
pub struct Lines {
    line: Vec<u8>,
}

impl Lines {
    fn push(&mut self, mut bytes: &[u8], sink: Sink<'_>) -> Result<bool, Fault> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(&bytes[..end])?;
            bytes = &bytes[end + 1..];
            if !self.flush(sink)? {
                return Ok(false);
            }
        }
        self.extend(bytes)?;
        Ok(true)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.line.len() + bytes.len() > RECORD_BYTES_MAX {
            return Err(too_large(RECORD_BYTES_MAX));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self, sink: Sink<'_>) -> Result<bool, Fault> {
        if self.line.iter().all(u8::is_ascii_whitespace) {
            self.line.clear();
            return Ok(true);
        }
        let wants_more = sink(Record::Json(&self.line))?;
        self.line.clear();
        Ok(wants_more)
    }
}

/// Values behind one another, with or without white space between them.
#[derive(Default)]
pub struct Document {
    value: Vec<u8>,
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Document {
    fn push(&mut self, bytes: &[u8], sink: Sink<'_>) -> Result<bool, Fault> {
        for &byte in bytes {
            if self.value.is_empty() && byte.is_ascii_whitespace() {
                continue;
            }
            // A number or a word ends before what is not of it.
            let bare = self.depth == 0 && !self.in_text && !self.value.is_empty();
            if bare && (byte.is_ascii_whitespace() || b"{[\"".contains(&byte)) && !self.flush(sink)? {
                return Ok(false);
            }
            if self.value.is_empty() && byte.is_ascii_whitespace() {
                continue;
            }
            if self.value.len() == DOCUMENT_BYTES_MAX {
                return Err(too_large(DOCUMENT_BYTES_MAX));
            }
            self.value.push(byte);
            if self.closes(byte) && !self.flush(sink)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an object, a list or a text at the top ends here.
    fn closes(&mut self, byte: u8) -> bool {
        if self.in_text {
            let ends = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            self.in_text = !ends;
            return ends && self.depth == 0;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    fn flush(&mut self, sink: Sink<'_>) -> Result<bool, Fault> {
        let wants_more = sink(Record::Json(&self.value))?;
        self.value.clear();
        Ok(wants_more)
    }

    fn finish(&mut self, sink: Sink<'_>) -> Result<(), Fault> {
        if self.value.is_empty() { Ok(()) } else { self.flush(sink).map(drop) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the pieces that the bytes come in, the records are the same.
    fn records(mut cutter: Cutter, bytes: &[u8], piece: usize) -> Result<Vec<String>, Fault> {
        let mut found = Vec::new();
        let mut sink = |record: Record<'_>| {
            found.push(match record {
                Record::Csv(fields) => fields.join("|"),
                Record::Json(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            });
            Ok(true)
        };
        for piece in bytes.chunks(piece) {
            cutter.push(piece, &mut sink)?;
        }
        cutter.finish(&mut sink)?;
        Ok(found)
    }

    fn csv(input: &CsvInput, text: &str) -> Vec<String> {
        let whole = records(Cutter::csv(input), text.as_bytes(), 1 << 20).unwrap();
        assert_eq!(records(Cutter::csv(input), text.as_bytes(), 1).unwrap(), whole);
        whole
    }

    #[test]
    fn lines_of_csv() {
        let usual = CsvInput::default();
        assert_eq!(
            csv(&usual, "a,b\r\n1,\"x,\"\"y\"\"\"\n\n\r\n2,\"two\nlines\"\n3"),
            ["a|b", "1|x,\"y\"", "2|two\nlines", "3"]
        );
        assert_eq!(csv(&usual, "\u{feff}a,b\n"), ["a|b"]);
        let other =
            CsvInput { field: b';', record: b'|', quote: Some(b'\''), comment: Some(b'#'), ..usual.clone() };
        assert_eq!(csv(&other, "a;'b;c'|#no|d;e|"), ["a|b;c", "d|e"]);
        let escaped = CsvInput { escape: Some(b'\\'), ..usual };
        assert_eq!(csv(&escaped, "\"a\\\"b\",c\n"), ["a\"b|c"]);
    }

    #[test]
    fn values_of_json() {
        let text = "{\"a\": \"}\\\"\"}\n[1,\n2]3 4\"x\"{} true";
        let expected = ["{\"a\": \"}\\\"\"}", "[1,\n2]", "3", "4", "\"x\"", "{}", "true"];
        for piece in [1, 2, 7, 100] {
            assert_eq!(records(Cutter::json(JsonShape::Document), text.as_bytes(), piece).unwrap(), expected);
        }
        let lines = records(Cutter::json(JsonShape::Lines), b"{\"a\":1}\n\n {} \n3", 4).unwrap();
        assert_eq!(lines, ["{\"a\":1}", " {} ", "3"]);
    }

    #[test]
    fn records_are_bounded() {
        let long = vec![b'x'; RECORD_BYTES_MAX + 1];
        for cutter in [Cutter::csv(&CsvInput::default()), Cutter::json(JsonShape::Lines)] {
            assert_eq!(records(cutter, &long, 1000).unwrap_err().code, "OverMaxRecordSize");
        }
        let wide = ",".repeat(20_000);
        let columns = records(Cutter::csv(&CsvInput::default()), wide.as_bytes(), 100);
        assert_eq!(columns.unwrap_err().code, "OverMaxColumn");
        let latin = records(Cutter::csv(&CsvInput::default()), b"a,\xfc\n", 100);
        assert_eq!(latin.unwrap_err().code, "InvalidTextEncoding");
    }
}
