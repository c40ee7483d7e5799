//! stdout for data, stderr for people. The only place of the command line that writes to either.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{Failure, Outcome};

/// With `--json`, what goes to stderr is JSON too, a document a line.
static SPEAKS_JSON: AtomicBool = AtomicBool::new(false);

pub fn speak_json() {
    SPEAKS_JSON.store(true, Ordering::Relaxed);
}

fn speaks_json() -> bool {
    SPEAKS_JSON.load(Ordering::Relaxed)
}

/// Whether somebody looks at stderr who would like to see how far long work is.
pub fn shows_progress() -> bool {
    io::stderr().is_terminal() && !speaks_json()
}

/// One line of the answer. A reader that went away (`holdfs … | head`) is no failure.
pub fn data(line: impl Display) -> Outcome {
    bytes(format!("{line}\n").as_bytes())
}

/// Bytes of the answer as they are.
pub fn bytes(bytes: &[u8]) -> Outcome {
    stream(bytes).map(drop)
}

/// One line for people. Nothing is left to tell them when stderr is gone.
pub fn note(line: impl Display) {
    if speaks_json() {
        return told(json!({ "note": line.to_string() }));
    }
    told(line);
}

/// Why a command failed, or of a command about many keys the one that it is `about`.
pub fn failure(failure: &Failure, about: Option<&str>) {
    match (about, &failure.error) {
        _ if speaks_json() => told(failure.to_json(about)),
        // What the store said names its object already.
        (None, _) | (_, Some(_)) => told(format_args!("holdfs: {}", failure.message)),
        (Some(about), None) => told(format_args!("holdfs: {}: {}", printable(about), failure.message)),
    }
}

fn told(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Asks a person, who must type `word`. `None` where nobody could be asked.
pub fn confirmed(question: impl Display, word: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let _ = write!(io::stderr().lock(), "{question} ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).ok()?;
    Some(answer.trim() == word)
}

/// Many lines of an answer, written together. [`Answer::line`] says whether somebody still reads them.
pub struct Answer {
    lines: String,
    escape: Escape,
}

/// Lines are held back up to this many bytes.
const ANSWER_BYTES: usize = 64 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Reads,
    /// `holdfs … | head` has enough: nothing more needs to be found out.
    Left,
}

impl Answer {
    pub fn to_stdout() -> Self {
        Self { lines: String::new(), escape: Escape::for_stdout() }
    }
    /// Text from the store as it may be shown here.
    pub fn name<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.escape.apply(text)
    }
    pub fn line(&mut self, line: impl Display) -> Outcome<Reader> {
        self.lines.push_str(&line.to_string());
        self.lines.push('\n');
        if self.lines.len() < ANSWER_BYTES { Ok(Reader::Reads) } else { self.write() }
    }
    pub fn finish(mut self) -> Outcome {
        self.write().map(drop)
    }
    fn write(&mut self) -> Outcome<Reader> {
        let lines = std::mem::take(&mut self.lines);
        stream(lines.as_bytes())
    }
}

/// Bytes of a long answer as they are.
pub fn stream(bytes: &[u8]) -> Outcome<Reader> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Left),
        written => Ok(written.map(|()| Reader::Reads)?),
    }
}

/// Text from the store as it may be shown to people, on stderr.
pub fn printable(text: &str) -> Cow<'_, str> {
    Escape::Controls.apply(text)
}

/// What text from the store may do to the place where it is shown: on a terminal nothing but be read, in a file or a
/// pipe it is kept byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    Controls,
    Nothing,
}

impl Escape {
    fn for_stdout() -> Self {
        if io::stdout().is_terminal() { Self::Controls } else { Self::Nothing }
    }
    fn apply(self, text: &str) -> Cow<'_, str> {
        if self == Self::Nothing || !text.contains(moves_the_cursor) {
            return Cow::Borrowed(text);
        }
        let escape =
            |char: char| if moves_the_cursor(char) { char.escape_default().to_string() } else { char.into() };
        Cow::Owned(text.chars().map(escape).collect())
    }
}

/// Control characters, and those that turn the direction of writing.
fn moves_the_cursor(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_move_the_cursor_of_a_terminal() {
        let key = "a\n\u{1b}[2Jü 😀\u{202e}\u{7f}";
        assert_eq!(Escape::Controls.apply(key), "a\\n\\u{1b}[2Jü 😀\\u{202e}\\u{7f}");
        assert_eq!(Escape::Nothing.apply(key), key);
    }
}
