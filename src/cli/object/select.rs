//! `holdfs object select`: SQL over one object.

use clap::{Args, ValueEnum};

use super::Target;
use crate::cli::Outcome;
use crate::cli::terminal::{self, Reader};
use crate::s3::Client;
use crate::s3::document::Empty;
use crate::s3::ops::{
    Compression, CsvHeader, CsvInput, CsvOutput, JsonInput, JsonOutput, JsonShape, SelectEvent, SelectInput,
    SelectObjectContent, SelectOutput,
};

#[derive(Args, Debug)]
pub struct SelectArgs {
    #[arg(value_name = "BUCKET/KEY")]
    target: String,
    /// Such as "select s.name from s3object s where s.age > '30'".
    #[arg(value_name = "EXPRESSION")]
    expression: String,
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    input: InputFormat,
    /// The first line of CSV is a record, not names.
    #[arg(long)]
    no_header: bool,
    #[arg(long, value_name = "METHOD", default_value = "none")]
    compression: InputCompression,
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    output: OutputFormat,
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
    pub(super) fn target(&self) -> Outcome<Target> {
        Target::object(&self.target, None)
    }

    fn operation(&self, target: &Target) -> SelectObjectContent {
        SelectObjectContent {
            bucket: target.bucket.clone(),
            key: target.key.clone(),
            expression: self.expression.clone(),
            input: self.input(),
            output: match self.output {
                OutputFormat::Csv => SelectOutput { csv: Some(CsvOutput::default()), json: None },
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
            InputFormat::Csv => input.csv = Some(CsvInput { header: Some(header), ..CsvInput::default() }),
            InputFormat::Json => input.json = json(JsonShape::Document),
            InputFormat::Jsonl => input.json = json(JsonShape::Lines),
            InputFormat::Parquet => input.parquet = Some(Empty {}),
        }
        input
    }
}

pub(super) async fn run(client: &Client, target: &Target, args: &SelectArgs) -> Outcome {
    let mut selected = client.send(&args.operation(target)).await?;
    while let Some(event) = selected.next().await? {
        if let SelectEvent::Records(records) = event
            && terminal::stream(&records)? == Reader::Left
        {
            break;
        }
    }
    Ok(())
}
