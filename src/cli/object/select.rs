//! `holdfs object select`: SQL over one object.

use clap::{Args, ValueEnum};

use super::keys::OwnKey;
use super::{Format, Target, reach};
use crate::cli::Outcome;
use crate::cli::terminal::{self, Reader};
use crate::s3::Client;
use crate::s3::document::Empty;
use crate::s3::ops::{
    Compression, CsvHeader, CsvInput, CsvOutput, JsonInput, JsonOutput, JsonShape, SelectEvent, SelectInput,
    SelectObjectContent, SelectOutput,
};

/// Run an SQL expression over an object.
#[derive(Args, Debug)]
#[command(after_help = "\
With --json the records are JSON, one a line.\n\n\
Example: holdfs object select logs/a.csv.gz \"select s.path from s3object s where s.status = '500'\" --compression gzip")]
pub struct SelectArgs {
    /// The object, in CSV, JSON or Parquet.
    #[arg(value_name = "BUCKET/KEY")]
    target: String,
    /// Such as "select s.name from s3object s where s.age > '30'".
    #[arg(value_name = "EXPRESSION")]
    expression: String,
    /// What the object is.
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    input: InputFormat,
    /// What stands between the fields of CSV, in and out [default: a comma].
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<String>,
    /// The first line of CSV is a record, not names.
    #[arg(long)]
    no_header: bool,
    /// How the object is packed.
    #[arg(long, value_name = "METHOD", default_value = "none")]
    compression: InputCompression,
    /// What the records shall be [default: csv; json with --json].
    #[arg(long, value_name = "FORMAT")]
    output: Option<OutputFormat>,
    #[command(flatten)]
    key: OwnKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    Csv,
    /// One value that may take several lines.
    Json,
    /// One value a line.
    Jsonl,
    Parquet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputCompression {
    None,
    Gzip,
    Bzip2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Csv,
    Json,
}

impl SelectArgs {
    fn operation(&self, target: &Target, format: Format) -> SelectObjectContent {
        let usual = if format == Format::Json { OutputFormat::Json } else { OutputFormat::Csv };
        SelectObjectContent {
            bucket: target.bucket.clone(),
            key: target.key.clone(),
            expression: self.expression.clone(),
            input: self.input(),
            output: match self.output.unwrap_or(usual) {
                OutputFormat::Csv => {
                    let field_delimiter = self.delimiter.clone();
                    let csv = CsvOutput { field_delimiter, ..CsvOutput::default() };
                    SelectOutput { csv: Some(csv), json: None }
                }
                OutputFormat::Json => SelectOutput { csv: None, json: Some(JsonOutput::default()) },
            },
            progress: false,
            scan_range: None,
        }
    }

    fn input(&self) -> SelectInput {
        let header = if self.no_header { CsvHeader::None } else { CsvHeader::Use };
        let json = |shape| Some(JsonInput { shape });
        let mut input = SelectInput {
            compression: Some(match self.compression {
                InputCompression::None => Compression::None,
                InputCompression::Gzip => Compression::Gzip,
                InputCompression::Bzip2 => Compression::Bzip2,
            }),
            ..SelectInput::default()
        };
        match self.input {
            InputFormat::Csv => {
                let field_delimiter = self.delimiter.clone();
                input.csv = Some(CsvInput { header: Some(header), field_delimiter, ..CsvInput::default() });
            }
            InputFormat::Json => input.json = json(JsonShape::Document),
            InputFormat::Jsonl => input.json = json(JsonShape::Lines),
            InputFormat::Parquet => input.parquet = Some(Empty {}),
        }
        input
    }
}

pub(super) async fn run(client: &Client, args: &SelectArgs, format: Format) -> Outcome {
    let target = reach::reached(client, Target::object(&args.target, None)?).await?;
    let mut selected = args.key.given_to(client)?.send(&args.operation(&target, format)).await?;
    while let Some(event) = selected.next().await? {
        if let SelectEvent::Records(records) = event
            && terminal::stream(&records)? == Reader::Left
        {
            break;
        }
    }
    Ok(())
}
