//! S3 Select: SQL over one object, CSV or JSON in and out, in one pass and in bounded memory.
//!
//! Bytes are decompressed (`inflate`) and cut into records (`input`), a record is one row or, where FROM points below it,
//! several (`row`); the tree of the expression (`lexer`, `parser`, `syntax`) is evaluated over each (`eval`,
//! `aggregate`) and what it gives is written (`format`). Knows no HTTP: [`Selection`] turns bytes into bytes.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-select-sql-reference.html>

mod aggregate;
mod eval;
pub mod format;
mod functions;
mod inflate;
mod input;
mod lexer;
mod like;
mod parser;
mod pattern;
pub mod range;
mod row;
mod syntax;
mod timestamp;
mod value;

use std::borrow::Cow;
use std::time::SystemTime;

use self::aggregate::Tally;
use self::eval::Scope;
use self::format::{Compression, HeaderUse, Input, Output};
use self::inflate::Inflater;
use self::input::{Cutter, RECORD_BYTES_MAX, Record};
use self::row::{Header, Row, rows_of};
use self::syntax::{Projection, Query};
use self::value::{Value, write_tuple};

/// Why a selection ended, with the code of
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#SelectObjectContentErrorCodeList>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: &'static str,
    pub message: String,
}

impl Fault {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// What is asked for, understood.
pub struct Plan {
    query: Query,
    input: Input,
    compression: Compression,
    output: Output,
}

impl Plan {
    /// `now` is what UTCNOW() says.
    pub fn new(
        expression: &str,
        now: SystemTime,
        input: Input,
        compression: Compression,
        output: Output,
    ) -> Result<Self, Fault> {
        let query = parser::parse(expression, now)?;
        if matches!(input, Input::Csv(_)) && !query.from.is_empty() {
            return Err(Fault::new("EvaluatorBindingDoesNotExist", "A CSV has nothing below S3Object"));
        }
        Ok(Self { query, input, compression, output })
    }
}

/// A selection under way.
pub struct Selection {
    inflater: Option<Inflater>,
    cutter: Cutter,
    rows: Rows,
}

impl Selection {
    pub fn new(plan: Plan) -> Self {
        let cutter = match &plan.input {
            Input::Csv(csv) => Cutter::csv(csv),
            Input::Json(shape) => Cutter::json(*shape),
        };
        let inflater = Inflater::new(plan.compression);
        let header = match &plan.input {
            Input::Csv(csv) => csv.header,
            Input::Json(_) => HeaderUse::None,
        };
        let tallies = plan.query.aggregates.iter().map(Tally::new).collect();
        let rows = Rows {
            plan,
            awaited: header,
            header: None,
            tallies,
            given: 0,
            processed: 0,
            result: String::new(),
        };
        Self { inflater: Some(inflater), cutter, rows }
    }

    /// The names of the columns, where they do not stand at the beginning of what will be pushed.
    pub fn with_header(mut self, line: &[u8]) -> Result<Self, Fault> {
        if self.rows.awaited != HeaderUse::None {
            let Input::Csv(csv) = &self.rows.plan.input else { return Ok(self) };
            let mut cutter = Cutter::csv(csv);
            let rows = &mut self.rows;
            let mut first = |record: Record<'_>| {
                rows.record(record)?;
                Ok(false)
            };
            if cutter.push(line, &mut first)? {
                cutter.finish(&mut first)?;
            }
        }
        Ok(self)
    }

    /// Takes bytes of the object; says whether it wants more.
    pub fn push(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        let Some(inflater) = &mut self.inflater else { return Ok(false) };
        let (cutter, rows) = (&mut self.cutter, &mut self.rows);
        inflater.push(bytes, &mut |plain| {
            rows.processed += plain.len() as u64;
            cutter.push(plain, &mut |record| rows.record(record))
        })
    }

    /// The object has ended.
    pub fn finish(&mut self) -> Result<(), Fault> {
        let Some(inflater) = self.inflater.take() else { return Ok(()) };
        let (cutter, rows) = (&mut self.cutter, &mut self.rows);
        inflater.finish(&mut |plain| {
            rows.processed += plain.len() as u64;
            cutter.push(plain, &mut |record| rows.record(record))
        })?;
        if rows.wants_more() {
            cutter.finish(&mut |record| rows.record(record))?;
        }
        rows.conclude()
    }

    /// Bytes of the result so far, which are gone from here then.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.rows.result)
    }

    pub fn waiting_bytes(&self) -> usize {
        self.rows.result.len()
    }

    /// Plain bytes that were looked at.
    pub fn processed(&self) -> u64 {
        self.rows.processed
    }
}

struct Rows {
    plan: Plan,
    /// What the next line is.
    awaited: HeaderUse,
    header: Option<Header>,
    tallies: Vec<Tally>,
    given: u64,
    processed: u64,
    result: String,
}

impl Rows {
    fn wants_more(&self) -> bool {
        !self.tallies.is_empty() || self.plan.query.limit.is_none_or(|limit| self.given < limit)
    }

    fn record(&mut self, record: Record<'_>) -> Result<bool, Fault> {
        match record {
            Record::Csv(fields) => match std::mem::replace(&mut self.awaited, HeaderUse::None) {
                HeaderUse::None => {
                    // Taken out while the row looks at it.
                    let header = self.header.take();
                    let done = self.row(&Row::Csv { fields, header: header.as_ref() });
                    self.header = header;
                    done?;
                }
                HeaderUse::Ignore => {}
                HeaderUse::Use => self.header = Some(Header::new(fields.to_vec())),
            },
            Record::Json(bytes) => self.json(bytes)?,
        }
        Ok(self.wants_more())
    }

    fn json(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let record: Value = serde_json::from_slice(bytes)
            .map_err(|error| Fault::new("JSONParsingError", format!("A record is no JSON: {error}")))?;
        let from = std::mem::take(&mut self.plan.query.from);
        let mut done = Ok(());
        rows_of(&record, &from, &mut |row| {
            done = self.row(&Row::Json(row));
            done.is_ok() && self.wants_more()
        });
        self.plan.query.from = from;
        done
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Fault> {
        if !self.wants_more() {
            return Ok(());
        }
        let scope = Scope { row, aggregates: &[] };
        let query = &self.plan.query;
        let passes = match &query.condition {
            Some(condition) => scope.eval(condition)?.truth()? == Some(true),
            None => true,
        };
        if !passes {
            return Ok(());
        }
        if !self.tallies.is_empty() {
            let pairs = self.tallies.iter_mut().zip(&query.aggregates);
            return pairs.into_iter().try_for_each(|(tally, aggregate)| tally.add(aggregate, &scope));
        }
        let columns = projected(&query.projection, &scope)?;
        self.write(&columns)
    }

    /// Aggregates come out as one row at the end.
    fn conclude(&mut self) -> Result<(), Fault> {
        if self.tallies.is_empty() || self.plan.query.limit == Some(0) {
            return Ok(());
        }
        let results: Vec<Value> = self.tallies.iter().map(Tally::result).collect();
        let nothing = Value::Missing;
        let scope = Scope { row: &Row::Json(&nothing), aggregates: &results };
        let columns = projected(&self.plan.query.projection, &scope)?;
        self.write(&columns)
    }

    fn write(&mut self, columns: &[(String, Value)]) -> Result<(), Fault> {
        let before = self.result.len();
        match &self.plan.output {
            Output::Csv(csv) => {
                let fields = columns.iter().map(|(_, value)| Cow::Owned(value.to_text()));
                csv.write(fields, &mut self.result);
            }
            Output::Json(behind) => {
                write_tuple(columns.iter().map(|(name, value)| (name.as_str(), value)), &mut self.result);
                self.result.push_str(behind);
            }
        }
        if self.result.len() - before > RECORD_BYTES_MAX {
            let message = format!("A record of the result is larger than {RECORD_BYTES_MAX} bytes");
            return Err(Fault::new("OverMaxRecordSize", message));
        }
        self.given += 1;
        Ok(())
    }
}

fn projected(projection: &Projection, scope: &Scope<'_>) -> Result<Vec<(String, Value)>, Fault> {
    match projection {
        Projection::All => Ok(scope.row.columns()),
        Projection::Columns(columns) => {
            columns.iter().map(|column| Ok((column.name.clone(), scope.eval(&column.expression)?))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::format::{CsvInput, CsvOutput, JsonShape};
    use super::*;

    const PEOPLE: &str = "name,age,city\nAnn,31,Oslo\nBob,27,\"Rome, Italy\"\nCid,45,Oslo\n";

    fn run(
        expression: &str,
        input: Input,
        output: Output,
        bytes: &[u8],
        piece: usize,
    ) -> Result<String, Fault> {
        let plan = Plan::new(expression, SystemTime::UNIX_EPOCH, input, Compression::None, output)?;
        let mut selection = Selection::new(plan);
        for piece in bytes.chunks(piece) {
            if !selection.push(piece)? {
                break;
            }
        }
        selection.finish()?;
        Ok(selection.take())
    }

    fn people(expression: &str) -> String {
        let input = || Input::Csv(CsvInput { header: HeaderUse::Use, ..CsvInput::default() });
        let output = || Output::Csv(CsvOutput::default());
        let result = |piece| run(expression, input(), output(), PEOPLE.as_bytes(), piece);
        assert_eq!(result(3), result(1000), "{expression}");
        result(1000).unwrap_or_else(|fault| fault.code.to_owned())
    }

    #[test]
    fn rows_of_csv() {
        let cases = [
            ("SELECT * FROM S3Object", "Ann,31,Oslo\nBob,27,\"Rome, Italy\"\nCid,45,Oslo\n"),
            ("SELECT s.name, s._2 FROM S3Object s WHERE s.age > 30", "Ann,31\nCid,45\n"),
            ("SELECT name FROM S3Object WHERE city LIKE 'Rome%'", "Bob\n"),
            ("SELECT age * 2 AS twice FROM S3Object LIMIT 2", "62\n54\n"),
            ("SELECT * FROM S3Object LIMIT 0", ""),
            ("SELECT COUNT(*), SUM(age), MIN(age), MAX(name) FROM S3Object", "3,103,27,Cid\n"),
            ("SELECT AVG(CAST(age AS INT)) FROM S3Object WHERE city = 'Oslo'", "38\n"),
            ("SELECT MAX(age) - MIN(age) FROM S3Object LIMIT 1", "18\n"),
            ("SELECT COUNT(*) FROM S3Object WHERE age > 100", "0\n"),
            ("SELECT SUM(age) FROM S3Object WHERE age > 100", "\n"),
            ("SELECT nothing FROM S3Object LIMIT 1", "\n"),
            ("SELECT CAST(name AS INT) FROM S3Object", "CastFailed"),
            ("SELECT * FROM S3Object.x", "EvaluatorBindingDoesNotExist"),
        ];
        for (expression, expected) in cases {
            assert_eq!(people(expression), expected, "{expression}");
        }
    }

    #[test]
    fn rows_of_json() {
        let text = r#"{"id": 1, "tags": [{"k": "a"}, {"k": "b"}], "z": null} {"id": 2, "tags": []}"#;
        let select = |expression: &str| {
            let output = Output::Json("\n".to_owned());
            run(expression, Input::Json(JsonShape::Document), output, text.as_bytes(), 5)
        };
        let cases = [
            ("SELECT s.id FROM S3Object[*] s", "{\"id\":1}\n{\"id\":2}\n"),
            ("SELECT t.k AS tag FROM S3Object[*].tags[*] t", "{\"tag\":\"a\"}\n{\"tag\":\"b\"}\n"),
            ("SELECT s.z, s.id FROM S3Object s WHERE s.z IS NULL", "{\"z\":null,\"id\":1}\n{\"id\":2}\n"),
            ("SELECT s.tags[1].k FROM S3Object s LIMIT 1", "{\"k\":\"b\"}\n"),
            ("SELECT * FROM S3Object s WHERE s.id = 2", "{\"id\":2,\"tags\":[]}\n"),
            ("SELECT COUNT(*) FROM S3Object[*].tags[*]", "{\"_1\":2}\n"),
        ];
        for (expression, expected) in cases {
            assert_eq!(select(expression).as_deref(), Ok(expected), "{expression}");
        }
        let broken =
            run("SELECT * FROM S3Object", Input::Json(JsonShape::Lines), Output::Json("".into()), b"{", 9);
        assert_eq!(broken.unwrap_err().code, "JSONParsingError");
    }

    #[test]
    fn the_first_line_can_be_names_or_nothing() {
        let first = |header| {
            let input = Input::Csv(CsvInput { header, ..CsvInput::default() });
            run(
                "SELECT _1 FROM S3Object LIMIT 1",
                input,
                Output::Csv(CsvOutput::default()),
                PEOPLE.as_bytes(),
                99,
            )
        };
        assert_eq!(first(HeaderUse::None).as_deref(), Ok("name\n"));
        assert_eq!(first(HeaderUse::Ignore).as_deref(), Ok("Ann\n"));
        assert_eq!(first(HeaderUse::Use).as_deref(), Ok("Ann\n"));
    }

    #[test]
    fn a_header_may_come_from_elsewhere() {
        let input = Input::Csv(CsvInput { header: HeaderUse::Use, ..CsvInput::default() });
        let plan = Plan::new(
            "SELECT age FROM S3Object",
            SystemTime::UNIX_EPOCH,
            input,
            Compression::None,
            Output::Json("\n".into()),
        );
        let mut selection = Selection::new(plan.unwrap()).with_header(b"name,age,city\nAnn").unwrap();
        selection.push(b"Cid,45,Oslo").unwrap();
        selection.finish().unwrap();
        assert_eq!(selection.take(), "{\"age\":\"45\"}\n");
    }
}
