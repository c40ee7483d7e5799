//! SQL over one object: CSV, JSON or Parquet in, CSV or JSON out, as a stream.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_SelectObjectContent.html>

use bytes::Bytes;
use http::Method;

use super::on_object;
use crate::s3::document::{self, Empty, document, words};
use crate::s3::error::kind_of_code;
use crate::s3::event_stream::{Decoder, Frame};
use crate::s3::operation::{Reply, ReplyBody, Request};
use crate::s3::xml::Reader;
use crate::s3::{ByteStream, Error, ErrorKind, Operation, Result};

/// Output: [`Selected`].
///
/// ```
/// use holdfs::s3::ops::{
///     CreateBucket, CsvHeader, CsvInput, JsonOutput, PutObject, SelectEvent, SelectInput, SelectObjectContent,
///     SelectOutput,
/// };
/// # use holdfs::s3::{Client, Config, Credentials, Provider};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
/// # let pair = server.key_pair();
/// # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
/// # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
/// # let client = Client::new(config)?;
/// # client.send(&CreateBucket { bucket: "data".into(), ..CreateBucket::default() }).await?;
/// let people = "name,age\nAda,36\nAlan,41\nGrace,85\n";
/// client.send(&PutObject::new("data", "people.csv", people)).await?;
/// let select = SelectObjectContent {
///     bucket: "data".into(),
///     key: "people.csv".into(),
///     expression: "select s.name from s3object s where cast(s.age as int) > 40".into(),
///     input: SelectInput {
///         csv: Some(CsvInput { header: Some(CsvHeader::Use), ..CsvInput::default() }),
///         ..SelectInput::default()
///     },
///     output: SelectOutput { json: Some(JsonOutput::default()), ..SelectOutput::default() },
///     progress: false,
///     scan_range: None,
/// };
/// // Records come while the store still reads; it ends well only when the store says so.
/// let mut selected = client.send(&select).await?;
/// let mut records = Vec::new();
/// while let Some(event) = selected.next().await? {
///     match event {
///         SelectEvent::Records(bytes) => records.extend_from_slice(&bytes),
///         SelectEvent::Progress(stats) | SelectEvent::Stats(stats) => println!("{stats:?}"),
///     }
/// }
/// let records = String::from_utf8(records)?;
/// assert_eq!(records, "{\"name\":\"Alan\"}\n{\"name\":\"Grace\"}\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SelectObjectContent {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// At most 256 KB.
    pub expression: String,
    /// What the object is.
    pub input: SelectInput,
    /// What the records are to be.
    pub output: SelectOutput,
    /// Ask for [`SelectEvent::Progress`].
    pub progress: bool,
    /// Only records that begin in it are read.
    pub scan_range: Option<ScanRange>,
}

document! {
    pub struct SelectRequest {
        expression: String = "Expression",
        expression_type: String = "ExpressionType",
        progress: Option<SelectProgress> = "RequestProgress",
        input: SelectInput = "InputSerialization",
        output: SelectOutput = "OutputSerialization",
        scan_range: Option<ScanRange> = "ScanRange",
    }

    pub struct SelectProgress {
        enabled: bool = "Enabled",
    }

    /// One of the formats.
    #[derive(Default, Eq)]
    pub struct SelectInput {
        csv: Option<CsvInput> = "CSV",
        compression: Option<Compression> = "CompressionType",
        json: Option<JsonInput> = "JSON",
        parquet: Option<Empty> = "Parquet",
    }

    #[derive(Default, Eq)]
    pub struct CsvInput {
        header: Option<CsvHeader> = "FileHeaderInfo",
        /// Lines that begin so are passed over.
        comments: Option<String> = "Comments",
        quote_escape: Option<String> = "QuoteEscapeCharacter",
        record_delimiter: Option<String> = "RecordDelimiter",
        field_delimiter: Option<String> = "FieldDelimiter",
        quote: Option<String> = "QuoteCharacter",
        /// Quoted fields may hold record delimiters.
        quoted_delimiters: Option<bool> = "AllowQuotedRecordDelimiter",
    }

    #[derive(Eq)]
    pub struct JsonInput {
        shape: JsonShape = "Type",
    }

    /// One of the two.
    #[derive(Default, Eq)]
    pub struct SelectOutput {
        csv: Option<CsvOutput> = "CSV",
        json: Option<JsonOutput> = "JSON",
    }

    #[derive(Default, Eq)]
    pub struct CsvOutput {
        quotes: Option<QuoteFields> = "QuoteFields",
        quote_escape: Option<String> = "QuoteEscapeCharacter",
        record_delimiter: Option<String> = "RecordDelimiter",
        field_delimiter: Option<String> = "FieldDelimiter",
        quote: Option<String> = "QuoteCharacter",
    }

    #[derive(Default, Eq)]
    pub struct JsonOutput {
        record_delimiter: Option<String> = "RecordDelimiter",
    }

    /// Bytes, both inclusive; without a start, the last `end` bytes.
    #[derive(Default, Eq)]
    pub struct ScanRange {
        start: Option<u64> = "Start",
        end: Option<u64> = "End",
    }

    /// Bytes so far.
    #[derive(Copy, Default, Eq)]
    pub struct ScanStats {
        /// Read from the object.
        scanned: Option<u64> = "BytesScanned",
        /// After decompression.
        processed: Option<u64> = "BytesProcessed",
        returned: Option<u64> = "BytesReturned",
    }
}

words! {
    pub enum Compression {
        None = "NONE",
        Gzip = "GZIP",
        Bzip2 = "BZIP2",
    }

    /// What the first line is.
    pub enum CsvHeader {
        /// Names, for the expression to use.
        Use = "USE",
        /// Names, passed over.
        Ignore = "IGNORE",
        /// A record.
        None = "NONE",
    }

    pub enum JsonShape {
        /// One value may take several lines.
        Document = "DOCUMENT",
        /// One value a line.
        Lines = "LINES",
    }

    pub enum QuoteFields {
        Always = "ALWAYS",
        AsNeeded = "ASNEEDED",
    }
}

impl Operation for SelectObjectContent {
    type Output = Selected;
    const NAME: &'static str = "SelectObjectContent";
    const STREAMED: bool = true;

    fn encode(&self) -> Result<Request> {
        let request = SelectRequest {
            expression: self.expression.clone(),
            expression_type: "SQL".to_owned(),
            progress: self.progress.then_some(SelectProgress { enabled: true }),
            input: self.input.clone(),
            output: self.output.clone(),
            scan_range: self.scan_range.clone(),
        };
        let document = document::encode("SelectObjectContentRequest", &request)?;
        let request = on_object(Method::POST, &self.bucket, &self.key)?;
        Ok(request.with("select", "").with("select-type", "2").with_document(document))
    }

    fn decode(&self, reply: Reply) -> Result<Selected> {
        match reply.body {
            ReplyBody::Stream(body) => Ok(Selected { body, decoder: Decoder::default(), ended: false }),
            ReplyBody::Collected(_) => {
                Err(Error::new(ErrorKind::Bug, "The reply was collected, not streamed."))
            }
        }
    }
}

/// What a selection says on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectEvent {
    /// Bytes of the result; a record may begin in one event and end in the next.
    Records(Bytes),
    /// How far the store is.
    Progress(ScanStats),
    /// Once, near the end.
    Stats(ScanStats),
}

/// The result of a selection. It ends well only when the store says that it has ended.
pub struct Selected {
    body: ByteStream,
    decoder: Decoder,
    ended: bool,
}

impl Selected {
    /// The next event; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<SelectEvent>> {
        while !self.ended {
            match self.decoder.frame()? {
                Some(frame) => match self.event(frame)? {
                    None => {}
                    event => return Ok(event),
                },
                None => match self.body.next().await.transpose()? {
                    Some(piece) => self.decoder.push(&piece),
                    None => return Err(Error::decode("The selection was cut off before its end.")),
                },
            }
        }
        Ok(None)
    }

    /// All records as one, at most `limit_bytes` of them.
    pub async fn records(mut self, limit_bytes: usize) -> Result<Bytes> {
        let mut records = Vec::new();
        while let Some(event) = self.next().await? {
            let SelectEvent::Records(bytes) = event else { continue };
            if records.len() + bytes.len() > limit_bytes {
                return Err(Error::new(
                    ErrorKind::TooLarge,
                    "The selection has more bytes than were expected.",
                ));
            }
            records.extend_from_slice(&bytes);
        }
        Ok(records.into())
    }

    /// `None` for what only keeps the connection alive.
    fn event(&mut self, frame: Frame) -> Result<Option<SelectEvent>> {
        if frame.header(":message-type") == Some("error") {
            return Err(failure(&frame));
        }
        match frame.header(":event-type") {
            Some("Records") => Ok(Some(SelectEvent::Records(frame.payload))),
            Some("Progress") => stats(&frame.payload).map(SelectEvent::Progress).map(Some),
            Some("Stats") => stats(&frame.payload).map(SelectEvent::Stats).map(Some),
            Some("End") => {
                self.ended = true;
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

/// Their root is named after the event.
fn stats(payload: &[u8]) -> Result<ScanStats> {
    document::Element::read(&mut Reader::open_any(payload)?)
}

fn failure(frame: &Frame) -> Error {
    let code = frame.header(":error-code").unwrap_or_default();
    let message = frame.header(":error-message").unwrap_or("The selection failed.");
    Error::new(kind_of_code(code).unwrap_or(ErrorKind::Invalid), message).with_code(code)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{streamed_bytes, wire};
    use super::*;
    use crate::s3::event_stream::fixture::frame;

    fn select() -> SelectObjectContent {
        let csv = Some(CsvInput { header: Some(CsvHeader::Use), ..CsvInput::default() });
        SelectObjectContent {
            bucket: "b".into(),
            key: "exampleobject.csv".into(),
            expression: "Select * from S3Object".into(),
            input: SelectInput { csv, compression: Some(Compression::Gzip), ..SelectInput::default() },
            output: SelectOutput { csv: Some(CsvOutput::default()), json: None },
            progress: true,
            scan_range: Some(ScanRange { start: Some(0), end: Some(9) }),
        }
    }

    async fn events(body: Vec<u8>) -> Result<Vec<SelectEvent>> {
        let mut selected = select().decode(streamed_bytes(200, &[], body))?;
        let mut events = Vec::new();
        while let Some(event) = selected.next().await? {
            events.push(event);
        }
        Ok(events)
    }

    fn event(kind: &str, payload: &str) -> Vec<u8> {
        frame(&[(":message-type", "event"), (":event-type", kind)], payload.as_bytes())
    }

    #[test]
    fn select_as_in_the_reference() {
        assert_eq!(
            wire(&select()),
            "POST /b/exampleobject.csv?select=&select-type=2\n<SelectObjectContentRequest \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Expression>Select * from S3Object</Expression>\
             <ExpressionType>SQL</ExpressionType><RequestProgress><Enabled>true</Enabled></RequestProgress>\
             <InputSerialization><CSV><FileHeaderInfo>USE</FileHeaderInfo></CSV>\
             <CompressionType>GZIP</CompressionType></InputSerialization><OutputSerialization><CSV></CSV>\
             </OutputSerialization><ScanRange><Start>0</Start><End>9</End></ScanRange></SelectObjectContentRequest>"
        );
    }

    #[tokio::test]
    async fn records_and_figures_come_in_order() {
        let figures = "<Stats><BytesScanned>512</BytesScanned><BytesProcessed>1024</BytesProcessed>\
                       <BytesReturned>9</BytesReturned></Stats>";
        let body = [
            event("Records", "1,2\n3"),
            event("Cont", ""),
            event("Progress", "<Progress><BytesScanned>256</BytesScanned></Progress>"),
            event("Records", ",4\n"),
            event("Stats", figures),
            event("End", ""),
        ]
        .concat();
        let seen = events(body.clone()).await.unwrap();
        let stats = ScanStats { scanned: Some(512), processed: Some(1024), returned: Some(9) };
        assert_eq!(seen[0], SelectEvent::Records("1,2\n3".into()));
        assert_eq!(seen[1], SelectEvent::Progress(ScanStats { scanned: Some(256), ..ScanStats::default() }));
        assert_eq!(seen[3], SelectEvent::Stats(stats));
        let selected = select().decode(streamed_bytes(200, &[], body.clone())).unwrap();
        assert_eq!(&selected.records(100).await.unwrap()[..], b"1,2\n3,4\n");
        let selected = select().decode(streamed_bytes(200, &[], body)).unwrap();
        assert_eq!(selected.records(7).await.unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[tokio::test]
    async fn a_stream_that_does_not_say_it_ended_has_failed() {
        assert_eq!(events(event("Records", "1\n")).await.unwrap_err().kind(), ErrorKind::Corrupt);
        let headers =
            [(":message-type", "error"), (":error-code", "SlowDown"), (":error-message", "not so fast")];
        let error = events(frame(&headers, b"")).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Throttled, "SlowDown"));
    }
}
