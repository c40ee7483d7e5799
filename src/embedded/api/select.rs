//! SelectObjectContent: what of the request is asked for, and the stream of events that answers it. The query
//! itself is in [`select`](crate::embedded::select).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use s3s::dto::{
    CSVInput, CSVOutput, CompressionType, ContinuationEvent, EndEvent, ExpressionType, FileHeaderInfo,
    JSONType, Progress, ProgressEvent, QuoteFields, RecordsEvent, SelectObjectContentEvent,
    SelectObjectContentEventStream, SelectObjectContentInput, SelectObjectContentOutput,
    SelectObjectContentRequest, Stats, StatsEvent,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::Api;
use super::encryption::refuse_customer_key;
use super::restore::check_readable;
use crate::base::ranges::ByteRange;
use crate::embedded::blob::ContentStream;
use crate::embedded::select::format::{
    Compression, CsvInput, CsvOutput, HeaderUse, Input, JsonShape, Output,
};
use crate::embedded::select::range::Scan;
use crate::embedded::select::{Fault, Plan, Selection};
use crate::embedded::storage::refusal::Refusal;

/// Records go out when so many bytes have come together.
const EVENT_BYTES: usize = 128 << 10;
/// So much of the object is looked at before others get their turn.
const TURN_BYTES: usize = 64 << 10;
/// A header is looked for in so many bytes.
const HEADER_BYTES: u64 = 1 << 20;
/// Between two reports of progress.
const PROGRESS_BYTES: u64 = 4 << 20;

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::new(400, fault.code, fault.message)
    }
}

/// In the middle of the stream, the status has been sent.
fn event_error(fault: Fault) -> S3Error {
    S3Error::with_message(S3ErrorCode::Custom(fault.code.into()), fault.message)
}

impl Api {
    pub(super) async fn select_object_content(
        &self,
        request: S3Request<SelectObjectContentInput>,
    ) -> S3Result<S3Response<SelectObjectContentOutput>> {
        let SelectObjectContentInput { bucket, key, request: asked, sse_customer_algorithm, .. } =
            request.input;
        refuse_customer_key(sse_customer_algorithm.as_deref())?;
        let content = self.store.read(&bucket, |bucket| {
            let version = bucket.find(&key, None)?;
            let object = version.object.as_ref().ok_or_else(Refusal::no_such_key)?;
            check_readable(object, self.store.now())?;
            Ok(object.content.clone())
        })?;
        let (input, compression) = input(&asked)?;
        let scan = scan(&asked, &input, compression, content.len())?;
        let plan = Plan::new(&asked.expression, self.store.now(), input, compression, output(&asked)?)
            .map_err(Refusal::from)?;
        let mut selection = Selection::new(plan);
        let from = scan.as_ref().map_or(0, |scan| scan.from);
        if scan.as_ref().is_some_and(Scan::begins_later) {
            let head = content.slice(ByteRange::new(0, HEADER_BYTES.min(content.len())));
            let head = head.collect().await.map_err(Refusal::internal)?;
            selection = selection.with_header(&head).map_err(Refusal::from)?;
        }
        let events = Events {
            object: content.slice(ByteRange::new(from, content.len())).stream(),
            rest: Bytes::new(),
            scan,
            selection,
            scanned: 0,
            returned: 0,
            progress: asked.request_progress.is_some_and(|it| it.enabled == Some(true)).then_some(0),
            waiting: VecDeque::new(),
            stage: Stage::Reading,
        };
        let payload = Some(SelectObjectContentEventStream::new(events));
        Ok(S3Response::new(SelectObjectContentOutput { payload }))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Reading,
    Ended,
}

/// The object goes in, events come out.
struct Events {
    object: ContentStream,
    /// Of the last chunk, not looked at yet.
    rest: Bytes,
    scan: Option<Scan>,
    selection: Selection,
    scanned: u64,
    returned: u64,
    /// Where the last report stood, if reports are wanted.
    progress: Option<u64>,
    waiting: VecDeque<SelectObjectContentEvent>,
    stage: Stage,
}

impl Events {
    /// Looks at a little of the object.
    fn turn(&mut self) -> Result<(), Fault> {
        let bytes = self.rest.split_to(TURN_BYTES.min(self.rest.len()));
        self.scanned += bytes.len() as u64;
        let (used, in_range) = match &mut self.scan {
            Some(scan) => scan.cut(&bytes),
            None => (&bytes[..], true),
        };
        let wants_more = self.selection.push(used)?;
        if !wants_more {
            self.end();
        } else if !in_range {
            self.finish()?;
        } else {
            self.report();
            self.send(EVENT_BYTES);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.selection.finish()?;
        self.end();
        Ok(())
    }

    fn end(&mut self) {
        self.send(1);
        let (processed, scanned, returned) = self.figures();
        let details = Stats { bytes_processed: processed, bytes_scanned: scanned, bytes_returned: returned };
        self.waiting.push_back(SelectObjectContentEvent::Stats(StatsEvent { details: Some(details) }));
        self.waiting.push_back(SelectObjectContentEvent::End(EndEvent {}));
        self.stage = Stage::Ended;
    }

    fn figures(&self) -> (Option<i64>, Option<i64>, Option<i64>) {
        let figure = |bytes: u64| i64::try_from(bytes).ok();
        (figure(self.selection.processed()), figure(self.scanned), figure(self.returned))
    }

    fn report(&mut self) {
        let Some(last) = self.progress.filter(|last| self.scanned - last >= PROGRESS_BYTES || *last == 0)
        else {
            return;
        };
        self.progress = Some(self.scanned.max(last));
        let (processed, scanned, returned) = self.figures();
        let details =
            Progress { bytes_processed: processed, bytes_scanned: scanned, bytes_returned: returned };
        self.waiting.push_back(SelectObjectContentEvent::Progress(ProgressEvent { details: Some(details) }));
        // Keeps a connection alive that waits for the first record.
        self.waiting.push_back(SelectObjectContentEvent::Cont(ContinuationEvent {}));
    }

    /// What has come together goes out, if it is enough.
    fn send(&mut self, enough: usize) {
        if self.selection.waiting_bytes() < enough {
            return;
        }
        let mut records = Bytes::from(self.selection.take());
        self.returned += records.len() as u64;
        while !records.is_empty() {
            let payload = Some(records.split_to(EVENT_BYTES.min(records.len())));
            self.waiting.push_back(SelectObjectContentEvent::Records(RecordsEvent { payload }));
        }
    }
}

impl Stream for Events {
    type Item = S3Result<SelectObjectContentEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(event) = this.waiting.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        if this.stage == Stage::Ended {
            return Poll::Ready(None);
        }
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.object).poll_next(cx)) {
                Some(Ok(bytes)) => this.rest = bytes,
                Some(Err(error)) => return this.fail(S3Error::from(Refusal::internal(error))),
                None => {
                    return match this.finish() {
                        Ok(()) => this.next(cx),
                        Err(fault) => this.fail(event_error(fault)),
                    };
                }
            }
        }
        match this.turn() {
            Ok(()) => this.next(cx),
            Err(fault) => this.fail(event_error(fault)),
        }
    }
}

impl Events {
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<S3Result<SelectObjectContentEvent>>> {
        if let Some(event) = self.waiting.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn fail(&mut self, error: S3Error) -> Poll<Option<S3Result<SelectObjectContentEvent>>> {
        self.stage = Stage::Ended;
        Poll::Ready(Some(Err(error)))
    }
}

fn wrong(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(400, code, message)
}

fn input(asked: &SelectObjectContentRequest) -> Result<(Input, Compression), Refusal> {
    if asked.expression_type.as_str() != ExpressionType::SQL {
        return Err(wrong(
            "InvalidExpressionType",
            "The ExpressionType is invalid. Only SQL expressions are supported.",
        ));
    }
    let serialization = &asked.input_serialization;
    let compression = match serialization.compression_type.as_ref().map(CompressionType::as_str) {
        None | Some(CompressionType::NONE) => Compression::None,
        Some(CompressionType::GZIP) => Compression::Gzip,
        Some(CompressionType::BZIP2) => Compression::Bzip2,
        Some(other) => {
            return Err(wrong("InvalidCompressionFormat", format!("{other} is no compression of S3 Select")));
        }
    };
    let input = match (&serialization.csv, &serialization.json, &serialization.parquet) {
        (Some(csv), None, None) => Input::Csv(csv_input(csv)?),
        (None, Some(json), None) => Input::Json(match json.type_.as_ref().map(JSONType::as_str) {
            Some(JSONType::DOCUMENT) => JsonShape::Document,
            Some(JSONType::LINES) => JsonShape::Lines,
            _ => {
                return Err(wrong(
                    "InvalidJsonType",
                    "The JsonType is invalid. Only DOCUMENT and LINES are supported.",
                ));
            }
        }),
        (None, None, Some(_)) => {
            return Err(Refusal::not_implemented(
                "Objects in Parquet cannot be selected from on this server: store them as CSV or JSON",
            ));
        }
        _ => {
            let message = "InputSerialization needs one of CSV, JSON and Parquet";
            return Err(wrong("InvalidDataSource", message));
        }
    };
    Ok((input, compression))
}

/// One byte, or the given one where nothing is said.
fn byte(said: Option<&str>, usual: Option<u8>, what: &str) -> Result<Option<u8>, Refusal> {
    match said.map(str::as_bytes) {
        None => Ok(usual),
        Some([]) => Ok(None),
        Some([byte]) if byte.is_ascii() => Ok(Some(*byte)),
        Some(_) => Err(wrong(
            "InvalidRequestParameter",
            format!("{what} must be one ASCII character on this server"),
        )),
    }
}

fn csv_input(csv: &CSVInput) -> Result<CsvInput, Refusal> {
    let header = match csv.file_header_info.as_ref().map(FileHeaderInfo::as_str) {
        None | Some(FileHeaderInfo::NONE) => HeaderUse::None,
        Some(FileHeaderInfo::IGNORE) => HeaderUse::Ignore,
        Some(FileHeaderInfo::USE) => HeaderUse::Use,
        Some(_) => {
            let message = "The FileHeaderInfo is invalid. Only NONE, USE, and IGNORE are supported.";
            return Err(wrong("InvalidFileHeaderInfo", message));
        }
    };
    // A `\r` at the end of a line is no part of it anyway.
    let record =
        csv.record_delimiter.as_deref().map(|delimiter| if delimiter == "\r\n" { "\n" } else { delimiter });
    Ok(CsvInput {
        header,
        field: byte(csv.field_delimiter.as_deref(), Some(b','), "FieldDelimiter")?.unwrap_or(b','),
        record: byte(record, Some(b'\n'), "RecordDelimiter")?.unwrap_or(b'\n'),
        quote: byte(csv.quote_character.as_deref(), Some(b'"'), "QuoteCharacter")?,
        escape: byte(csv.quote_escape_character.as_deref(), None, "QuoteEscapeCharacter")?,
        comment: byte(csv.comments.as_deref(), None, "Comments")?,
    })
}

fn output(asked: &SelectObjectContentRequest) -> Result<Output, Refusal> {
    match (&asked.output_serialization.csv, &asked.output_serialization.json) {
        (Some(csv), None) => csv_output(csv).map(Output::Csv),
        (None, Some(json)) => {
            Ok(Output::Json(json.record_delimiter.clone().unwrap_or_else(|| "\n".to_owned())))
        }
        _ => Err(wrong("ObjectSerializationConflict", "OutputSerialization needs one of CSV and JSON")),
    }
}

fn csv_output(csv: &CSVOutput) -> Result<CsvOutput, Refusal> {
    let always_quoted = match csv.quote_fields.as_ref().map(QuoteFields::as_str) {
        None | Some(QuoteFields::ASNEEDED) => false,
        Some(QuoteFields::ALWAYS) => true,
        Some(_) => {
            let message = "The QuoteFields is invalid. Only ALWAYS and ASNEEDED are supported.";
            return Err(wrong("InvalidQuoteFields", message));
        }
    };
    let usual = CsvOutput::default();
    let or = |said: &Option<String>, usual: String| said.clone().unwrap_or(usual);
    Ok(CsvOutput {
        always_quoted,
        field: or(&csv.field_delimiter, usual.field),
        record: or(&csv.record_delimiter, usual.record),
        escape: or(&csv.quote_escape_character, or(&csv.quote_character, usual.escape)),
        quote: or(&csv.quote_character, usual.quote),
    })
}

fn scan(
    asked: &SelectObjectContentRequest,
    input: &Input,
    compression: Compression,
    len: u64,
) -> Result<Option<Scan>, Refusal> {
    let Some(range) = &asked.scan_range else { return Ok(None) };
    let quoted = asked.input_serialization.csv.as_ref().and_then(|csv| csv.allow_quoted_record_delimiter);
    let delimiter = match input {
        Input::Csv(csv) if quoted != Some(true) => Some(csv.record),
        Input::Json(JsonShape::Lines) => Some(b'\n'),
        _ => None,
    };
    let delimiter = delimiter.filter(|_| compression == Compression::None).ok_or_else(|| {
        let message = "A scan range needs uncompressed CSV without quoted record delimiters, or uncompressed JSON lines";
        wrong("UnsupportedScanRangeInput", message)
    })?;
    Ok(Some(Scan::new(range.start, range.end, len, delimiter)?))
}
