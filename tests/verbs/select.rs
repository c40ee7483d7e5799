//! SelectObjectContent, from the expression to the bytes of the result.

use holdfs::s3::ErrorKind;
use holdfs::s3::ops::{
    Compression, CsvHeader, CsvInput, CsvOutput, JsonInput, JsonOutput, JsonShape, QuoteFields, ScanRange,
    SelectEvent, SelectInput, SelectObjectContent, SelectOutput,
};

use super::kind;
use crate::mounted::harness::{Bucket, Store, block_on};

const PEOPLE: &str = "name,age,city\nAnn,31,Oslo\nBob,27,\"Rome, Italy\"\nCid,45,Oslo\n";

fn csv(header: CsvHeader) -> SelectInput {
    SelectInput {
        csv: Some(CsvInput { header: Some(header), ..CsvInput::default() }),
        ..SelectInput::default()
    }
}

fn json(shape: JsonShape) -> SelectInput {
    SelectInput { json: Some(JsonInput { shape }), ..SelectInput::default() }
}

fn to_csv() -> SelectOutput {
    SelectOutput { csv: Some(CsvOutput::default()), json: None }
}

fn to_json() -> SelectOutput {
    SelectOutput { json: Some(JsonOutput::default()), csv: None }
}

fn select(bucket: &Bucket<'_>, key: &str, expression: &str) -> SelectObjectContent {
    SelectObjectContent {
        bucket: bucket.name.clone(),
        key: key.into(),
        expression: expression.into(),
        input: csv(CsvHeader::Use),
        output: to_csv(),
        progress: false,
        scan_range: None,
    }
}

fn records(bucket: &Bucket<'_>, select: &SelectObjectContent) -> holdfs::s3::Result<String> {
    block_on(async {
        let records = bucket.client.send(select).await?.records(1 << 30).await?;
        Ok(String::from_utf8(records.to_vec()).expect("records are text"))
    })
}

/// Stores that cannot select have no such tests: the table of operations says which.
fn embedded() -> Option<&'static Store> {
    Some(Store::shared()).filter(|store| store.server.is_some())
}

#[test]
fn rows_are_chosen_and_columns_named() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("people.csv", PEOPLE);
    let cases = [
        ("SELECT * FROM S3Object s WHERE s.age > 30 AND s.city = 'Oslo'", "Ann,31,Oslo\nCid,45,Oslo\n"),
        ("select name, upper(city) as place from s3object where city like '%It%'", "Bob,\"ROME, ITALY\"\n"),
        ("SELECT s._1 FROM S3Object s WHERE s.age BETWEEN 27 AND 31 LIMIT 1", "Ann\n"),
        ("SELECT COUNT(*), AVG(CAST(s.age AS INT)), MAX(s.age) FROM S3Object s", "3,34.333333333333336,45\n"),
        ("SELECT name FROM S3Object WHERE nothing IS NULL AND age IN (45, 46)", "Cid\n"),
    ];
    for (expression, expected) in cases {
        assert_eq!(
            records(&bucket, &select(&bucket, "people.csv", expression)).unwrap(),
            expected,
            "{expression}"
        );
    }
    let as_json = SelectObjectContent {
        output: to_json(),
        ..select(&bucket, "people.csv", "SELECT s.name, s.age * 2 AS twice FROM S3Object s LIMIT 1")
    };
    assert_eq!(records(&bucket, &as_json).unwrap(), "{\"name\":\"Ann\",\"twice\":62}\n");
}

#[test]
fn lines_and_documents_of_json() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("lines.json", "{\"id\":1,\"deep\":{\"x\":[5,6]}}\n{\"id\":2}\n");
    bucket.put("document.json", "{\"items\": [{\"id\": \"a\"},\n {\"id\": \"b\"}]}");
    let ask = |key: &str, shape, expression: &str| {
        let ask =
            SelectObjectContent { input: json(shape), output: to_json(), ..select(&bucket, key, expression) };
        records(&bucket, &ask).unwrap()
    };
    assert_eq!(
        ask("lines.json", JsonShape::Lines, "SELECT s.deep.x[1] AS six FROM S3Object s LIMIT 1"),
        "{\"six\":6}\n"
    );
    assert_eq!(
        ask("lines.json", JsonShape::Lines, "SELECT * FROM S3Object s WHERE s.deep IS MISSING"),
        "{\"id\":2}\n"
    );
    assert_eq!(
        ask("document.json", JsonShape::Document, "SELECT i.id FROM S3Object[*].items[*] i"),
        "{\"id\":\"a\"}\n{\"id\":\"b\"}\n"
    );
}

#[test]
fn what_is_read_and_written_can_be_said() {
    use std::io::Write;

    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("odd", "a;'x;y'|b;z|");
    let odd = SelectObjectContent {
        input: SelectInput {
            csv: Some(CsvInput {
                header: Some(CsvHeader::None),
                field_delimiter: Some(";".into()),
                record_delimiter: Some("|".into()),
                quote: Some("'".into()),
                ..CsvInput::default()
            }),
            ..SelectInput::default()
        },
        output: SelectOutput {
            csv: Some(CsvOutput {
                quotes: Some(QuoteFields::Always),
                field_delimiter: Some("\t".into()),
                record_delimiter: Some("\r\n".into()),
                ..CsvOutput::default()
            }),
            json: None,
        },
        ..select(&bucket, "odd", "SELECT s._2, s._1 FROM S3Object s")
    };
    assert_eq!(records(&bucket, &odd).unwrap(), "\"x;y\"\t\"a\"\r\n\"z\"\t\"b\"\r\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(PEOPLE.as_bytes()).unwrap();
    bucket.put("people.csv.gz", packed.finish().unwrap());
    let mut unpacked = select(&bucket, "people.csv.gz", "SELECT COUNT(*) FROM S3Object");
    unpacked.input.compression = Some(Compression::Gzip);
    assert_eq!(records(&bucket, &unpacked).unwrap(), "3\n");
}

#[test]
fn a_large_object_streams_with_figures() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let lines: String = (0..600_000).map(|n| format!("{n},some text that makes lines longer\n")).collect();
    bucket.put("large.csv", &lines);
    let ask = SelectObjectContent {
        input: csv(CsvHeader::None),
        progress: true,
        ..select(&bucket, "large.csv", "SELECT * FROM S3Object")
    };
    let (mut seen, mut reports, mut stats) = (0, 0, None);
    block_on(async {
        let mut selected = bucket.client.send(&ask).await.unwrap();
        while let Some(event) = selected.next().await.unwrap() {
            match event {
                SelectEvent::Records(bytes) => seen += bytes.len(),
                SelectEvent::Progress(_) => reports += 1,
                SelectEvent::Stats(figures) => stats = Some(figures),
            }
        }
    });
    let stats = stats.unwrap();
    assert_eq!(seen, lines.len());
    let size = Some(lines.len() as u64);
    assert_eq!((stats.scanned, stats.processed, stats.returned), (size, size, size));
    assert!(reports > 1, "{reports}");
    let early = SelectObjectContent { expression: "SELECT * FROM S3Object LIMIT 1".into(), ..ask };
    assert_eq!(records(&bucket, &early).unwrap().lines().count(), 1);
}

#[test]
fn ranges_share_the_records_out() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("people.csv", PEOPLE);
    let range = |start, end| {
        let ask = SelectObjectContent {
            scan_range: Some(ScanRange { start, end }),
            ..select(&bucket, "people.csv", "SELECT name FROM S3Object")
        };
        records(&bucket, &ask).unwrap()
    };
    for cut in 0..PEOPLE.len() as u64 {
        let both = [
            range(Some(0), Some(cut)),
            if cut + 1 > PEOPLE.len() as u64 { String::new() } else { range(Some(cut + 1), None) },
        ];
        assert_eq!(both.concat(), "Ann\nBob\nCid\n", "{cut}");
    }
}

#[test]
fn refusals_have_the_codes_of_s3() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("people.csv", PEOPLE);
    let code = |select: &SelectObjectContent| {
        records(&bucket, select).map_or_else(|error| error.code().to_owned(), |_| "OK".to_owned())
    };
    let sql = |expression: &str| code(&select(&bucket, "people.csv", expression));
    assert_eq!(sql("SELECT"), "ParseExpectedExpression");
    assert_eq!(sql("SELECT * FROM S3Object WHERE (age > 1"), "ParseExpectedTokenType");
    assert_eq!(sql("SELECT * FROM S3Object ORDER BY age"), "UnsupportedSqlStructure");
    // Known only when the first row is read: an event of the stream.
    assert_eq!(sql("SELECT CAST(name AS INT) FROM S3Object"), "CastFailed");
    let none = SelectObjectContent {
        output: SelectOutput::default(),
        ..select(&bucket, "people.csv", "SELECT * FROM S3Object")
    };
    assert_eq!(code(&none), "ObjectSerializationConflict");
    let mut parquet = select(&bucket, "people.csv", "SELECT * FROM S3Object");
    parquet.input = SelectInput { parquet: Some(Default::default()), ..SelectInput::default() };
    let refused = records(&bucket, &parquet).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.to_string().contains("CSV or JSON"), "{refused}");
    let missing = select(&bucket, "none", "SELECT * FROM S3Object");
    assert_eq!(kind(records(&bucket, &missing)), ErrorKind::NoSuchKey);
}

#[test]
fn bzip2_is_read_like_gzip() {
    use std::io::Write;
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    packer.write_all(PEOPLE.as_bytes()).unwrap();
    bucket.put("people.csv.bz2", packer.finish().unwrap());
    bucket.put("people.csv", PEOPLE);
    let ask = |key: &str| {
        let mut ask = select(&bucket, key, "SELECT name FROM S3Object WHERE age > 30");
        ask.input.compression = Some(Compression::Bzip2);
        records(&bucket, &ask).map_err(|error| error.code().to_owned())
    };
    assert_eq!(ask("people.csv.bz2").unwrap(), "Ann\nCid\n");
    assert_eq!(ask("people.csv").unwrap_err(), "InvalidCompressionFormat");
}

#[test]
fn moments_are_reckoned_with() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("log.csv", "what,at\nbegin,2024-02-28T23:30:00Z\nend,2024-03-01T00:15:30.250Z\n");
    let cases = [
        ("SELECT what FROM S3Object WHERE TO_TIMESTAMP(at) > `2024-02-29T`", "end\n"),
        (
            "SELECT DATE_ADD(day, 1, TO_TIMESTAMP(at)), EXTRACT(HOUR FROM TO_TIMESTAMP(at)) FROM S3Object LIMIT 1",
            "2024-02-29T23:30:00Z,23\n",
        ),
        (
            "SELECT TO_STRING(TO_TIMESTAMP(at), 'MMMM d, y h:mm a') FROM S3Object WHERE what = 'end'",
            "\"March 1, 2024 12:15 AM\"\n",
        ),
        (
            "SELECT COUNT(*) FROM S3Object WHERE DATE_DIFF(hour, CAST(at AS TIMESTAMP), UTCNOW()) > 1000",
            "2\n",
        ),
        ("SELECT MAX(CAST(at AS TIMESTAMP)) FROM S3Object", "2024-03-01T00:15:30.250Z\n"),
    ];
    for (expression, expected) in cases {
        assert_eq!(
            records(&bucket, &select(&bucket, "log.csv", expression)).unwrap(),
            expected,
            "{expression}"
        );
    }
    let code = |expression: &str| {
        records(&bucket, &select(&bucket, "log.csv", expression)).unwrap_err().code().to_owned()
    };
    assert_eq!(code("SELECT DATE_ADD(week, 1, at) FROM S3Object"), "ParseExpectedDatePart");
    assert_eq!(code("SELECT EXTRACT(YEAR at) FROM S3Object"), "ParseExpectedKeyword");
    assert_eq!(code("SELECT TO_TIMESTAMP(what) FROM S3Object"), "CastFailed");
    assert_eq!(
        code("SELECT TO_STRING(UTCNOW(), 'Q') FROM S3Object"),
        "EvaluatorInvalidTimestampFormatPatternToken"
    );
    assert_eq!(code("SELECT * FROM S3Object WHERE at > `soon`"), "IonInvalidLiteral");
}
