//! Many keys, side by side: what went well is counted, what did not is told, and the rest goes on.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use serde_json::{Map, Value, json};

use super::Format;
use super::many::Many;
use super::progress::{Counted, Gauge};
use crate::cli::terminal::{self, Answer, Reader};
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::transfer::Tuning;

/// What a command has to say about one object: fields for JSON, lines for people.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) fields: Map<String, Value>,
    pub(super) lines: Vec<String>,
    /// Bytes that were moved, for the summary.
    pub(super) bytes: u64,
}

impl Said {
    /// `fields` is an object.
    pub(super) fn new(fields: Value, lines: Vec<String>) -> Self {
        let fields = if let Value::Object(fields) = fields { fields } else { Map::new() };
        Self { fields, lines, bytes: 0 }
    }

    /// With nothing for people: that it was done is what they asked for.
    pub(super) fn done(fields: Value) -> Self {
        Self::new(fields, Vec::new())
    }

    /// What would be done: one line, also as the field `would`.
    pub(super) fn would(fields: Value, line: String) -> Self {
        let mut said = Self::new(fields, vec![line]);
        said.fields.insert("dry_run".to_owned(), Value::Bool(true));
        said
    }

    pub(super) fn moving(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// The answer of a command about one object.
    pub(super) fn write(self, format: Format) -> Outcome {
        let mut answer = Answer::to_stdout();
        match format {
            Format::Json => {
                answer.line(Value::Object(self.fields))?;
            }
            Format::Text => {
                for line in self.lines {
                    let line = answer.name(&line).into_owned();
                    answer.line(line)?;
                }
            }
        }
        answer.finish()
    }
}

/// What became of one key.
pub(super) enum Done {
    Did(Said),
    /// Left as it was, and why.
    Skipped(String),
}

pub(super) struct Report {
    /// The key, or the file.
    pub(super) about: String,
    pub(super) outcome: Outcome<Done>,
}

/// What a command does to its keys, for the line of progress and the summary: `uploaded`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verb(pub(super) &'static str);

pub(super) struct Batch<'a> {
    pub(super) client: &'a Client,
    pub(super) many: &'a Many,
    pub(super) format: Format,
    pub(super) verb: Verb,
    moved: Gauge,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) done: u64,
    pub(super) skipped: u64,
    pub(super) failed: u64,
    pub(super) bytes: u64,
    /// Failures of the store since the last success.
    in_a_row: u64,
}

/// After so many keys one behind the other whose requests have all been tried for a minute, the others are left.
const IN_A_ROW_MAX: u64 = 16;

/// Why a batch ends before its items do.
enum End {
    Failed(Failure),
    /// `holdfs … | head` has enough.
    Unread,
}

impl<'a> Batch<'a> {
    pub(super) fn new(client: &'a Client, many: &'a Many, format: Format, verb: Verb) -> Self {
        Self { client, many, format, verb, moved: Gauge::default() }
    }

    /// How one of its objects is transferred, which the line of progress hears of.
    pub(super) fn tuning(&self) -> Tuning {
        self.moved.on(&self.many.tuning())
    }

    /// Works on all items, `many.jobs` at once. An item that is an error ends the walk, after what is under way.
    pub(super) async fn run<T>(
        &self,
        items: impl Stream<Item = Outcome<T>>,
        work: impl AsyncFn(T) -> Vec<Report>,
    ) -> Outcome {
        // Why nothing more is begun; what is under way goes on to its end.
        let ended: Cell<Option<End>> = Cell::new(None);
        let goes_on = || {
            let end = ended.take();
            let goes_on = end.is_none();
            ended.set(end);
            goes_on
        };
        let items = items
            .take_until(self.client.unless_stopped(std::future::pending::<crate::s3::Result<()>>()))
            .take_while(|_| std::future::ready(goes_on()))
            .filter_map(|item| {
                std::future::ready(item.map_err(|failure| ended.set(Some(End::Failed(failure)))).ok())
            });
        let mut reports = pin!(items.map(|item| work(item)).buffer_unordered(usize::from(self.many.jobs)));
        let (mut tally, mut answer) = (Tally::default(), Answer::to_stdout());
        let counted = Counted::begin(self.verb.0);
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        loop {
            let next = tokio::select! {
                next = reports.next() => next,
                _ = tick.tick() => {
                    counted.show(&tally, self.moved.moved());
                    continue;
                }
            };
            let Some(reports) = next else { break };
            for report in reports {
                if let Some(end) = self.take(report, &mut tally, &mut answer, &counted)? {
                    ended.set(Some(end));
                }
            }
        }
        counted.end();
        self.finish(&tally, answer, ended.take())
    }

    fn take(
        &self,
        report: Report,
        tally: &mut Tally,
        answer: &mut Answer,
        counted: &Counted,
    ) -> Outcome<Option<End>> {
        let Report { about, outcome } = report;
        match outcome {
            Ok(Done::Did(said)) => {
                tally.done += 1;
                tally.bytes += said.bytes;
                tally.in_a_row = 0;
                let read = self.say(&about, said, answer)?;
                return Ok((read == Reader::Left).then_some(End::Unread));
            }
            Ok(Done::Skipped(why)) => {
                tally.skipped += 1;
                counted.aside(|| terminal::note(format_args!("{}: {why}", terminal::printable(&about))));
            }
            Err(failure) => {
                tally.failed += 1;
                counted.aside(|| terminal::failure(&failure, Some(&about)));
                if failure.exit == crate::cli::Exit::Environment {
                    tally.in_a_row += 1;
                }
                if failure.is_hopeless() || tally.in_a_row == IN_A_ROW_MAX {
                    let failure = failure.said("The others would fail in the same way: they are left.");
                    return Ok(Some(End::Failed(failure)));
                }
            }
        }
        Ok(None)
    }

    fn say(&self, about: &str, said: Said, answer: &mut Answer) -> Outcome<Reader> {
        if self.format == Format::Json {
            return answer.line(Value::Object(said.fields));
        }
        let name = answer.name(about).into_owned();
        let mut read = Reader::Reads;
        for line in said.lines {
            // A line about what would be done names all there is to name.
            let line = answer.name(&line).into_owned();
            let line = if self.many.dry_run { line } else { format!("{name}: {line}") };
            read = answer.line(line)?;
        }
        Ok(read)
    }

    /// The summary: the last line of JSON, or a line for people. That something failed is the command's own failure.
    fn finish(&self, tally: &Tally, mut answer: Answer, ended: Option<End>) -> Outcome {
        let Tally { done, skipped, failed, bytes, .. } = *tally;
        if self.format == Format::Json {
            answer.line(json!({ "summary": {
                "verb": self.verb.0, "done": done, "skipped": skipped, "failed": failed, "bytes": bytes,
                "dry_run": self.many.dry_run,
            } }))?;
        }
        answer.finish()?;
        let summary = self.summary(tally);
        match ended {
            Some(End::Unread) => Ok(()),
            Some(End::Failed(failure)) => {
                let message = format!("{} {summary}", failure.message);
                Err(failure.said(message))
            }
            None if self.client.is_stopped() => Err(Failure::refused(format!("Interrupted. {summary}"))),
            None if failed > 0 => Err(Failure::refused(summary)),
            None => {
                if self.format == Format::Text {
                    terminal::note(summary);
                }
                Ok(())
            }
        }
    }

    fn summary(&self, tally: &Tally) -> String {
        let would = if self.many.dry_run { "would be " } else { "" };
        format!("{}.", tally.described(&format!("{would}{}", self.verb.0)))
    }
}

impl Tally {
    /// `412 uploaded (1.2 GiB), 3 skipped, 2 failed`.
    pub(super) fn described(&self, verb: &str) -> String {
        let mut text = format!("{} {verb}", self.done);
        if self.bytes > 0 {
            text.push_str(&format!(" ({})", indicatif::BinaryBytes(self.bytes)));
        }
        for (count, what) in [(self.skipped, "skipped"), (self.failed, "failed")] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_leaves_out_what_there_is_none_of() {
        let tally = Tally { done: 3, bytes: 3 << 20, ..Tally::default() };
        assert_eq!(tally.described("uploaded"), "3 uploaded (3.00 MiB)");
        let tally = Tally { done: 0, skipped: 1, failed: 2, ..Tally::default() };
        assert_eq!(tally.described("deleted"), "0 deleted, 1 skipped, 2 failed");
    }
}
