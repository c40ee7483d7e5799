//! How the object is written, and how the result shall be.

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Csv(CsvInput),
    Json(JsonShape),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvInput {
    pub header: HeaderUse,
    pub field: u8,
    pub record: u8,
    pub quote: Option<u8>,
    pub escape: Option<u8>,
    pub comment: Option<u8>,
}

impl Default for CsvInput {
    fn default() -> Self {
        Self {
            header: HeaderUse::None,
            field: b',',
            record: b'\n',
            quote: Some(b'"'),
            escape: None,
            comment: None,
        }
    }
}

/// What the first line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderUse {
    /// A record.
    None,
    /// Names that nobody asks for.
    Ignore,
    /// Names of columns.
    Use,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonShape {
    Document,
    Lines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Bzip2,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Csv(CsvOutput),
    /// With what stands behind each record.
    Json(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOutput {
    pub always_quoted: bool,
    pub field: String,
    pub record: String,
    pub quote: String,
    pub escape: String,
}

impl Default for CsvOutput {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            always_quoted: false,
            field: text(","),
            record: text("\n"),
            quote: text("\""),
            escape: text("\""),
        }
    }
}

impl CsvOutput {
    pub fn write<'f>(&self, fields: impl Iterator<Item = std::borrow::Cow<'f, str>>, line: &mut String) {
        for (at, field) in fields.enumerate() {
            line.push_str(if at > 0 { &self.field } else { "" });
            let special = |special: &String| !special.is_empty() && field.contains(special.as_str());
            let needs = [&self.field, &self.record, &self.quote].into_iter().any(special)
                || field.contains(['\r', '\n'])
                || field.starts_with(' ')
                || field.ends_with(' ');
            if !self.always_quoted && !needs || self.quote.is_empty() {
                line.push_str(&field);
                continue;
            }
            line.push_str(&self.quote);
            line.push_str(&field.replace(&self.quote, &format!("{}{}", self.escape, self.quote)));
            line.push_str(&self.quote);
        }
        line.push_str(&self.record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must() {
        let line = |output: &CsvOutput, fields: &[&str]| {
            let mut line = String::new();
            output.write(fields.iter().map(|field| (*field).into()), &mut line);
            line
        };
        let usual = CsvOutput::default();
        assert_eq!(line(&usual, &["a", "b,c", "d\"e", "", " f"]), "a,\"b,c\",\"d\"\"e\",,\" f\"\n");
        let other = CsvOutput {
            always_quoted: true,
            field: ";".into(),
            record: "\r\n".into(),
            quote: "'".into(),
            escape: "\\".into(),
        };
        assert_eq!(line(&other, &["a", "b'c"]), "'a';'b\\'c'\r\n");
    }
}
