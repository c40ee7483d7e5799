//! Entry points for fuzzing: whatever bytes come, an answer or an error comes out, and what was understood says the
//! same when it is written and read again.
//!
//! The targets in `fuzz/` call these with what an engine makes up; the tests call them with the inputs kept in
//! `fuzz/corpus/`, one folder for each target. An input begins with a line that says what the rest is.

mod documents;
mod frames;
mod replies;
mod texts;

pub use documents::documents;
pub use frames::frames;
pub use replies::replies;
pub use texts::texts;

/// The first line as text, and what follows it.
fn split_line(input: &[u8]) -> Option<(&str, &[u8])> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&input[..end]).ok()?, &input[end + 1..]))
}

/// The entry of that name, or, for a word that is none, one that the word leads to: few made-up words are names.
fn named<'t, T>(table: &'t [(&'static str, T)], word: &str) -> &'t (&'static str, T) {
    let sum = word.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    table.iter().find(|(name, _)| *name == word).unwrap_or(&table[sum % table.len()])
}

#[cfg(test)]
mod tests {
    use crate::base::corpus::replay;

    #[test]
    fn the_corpus_of_replies_finds_nothing() {
        replay("replies", super::replies);
    }

    #[test]
    fn the_corpus_of_documents_finds_nothing() {
        replay("documents", super::documents);
    }

    #[test]
    fn the_corpus_of_texts_finds_nothing() {
        replay("texts", super::texts);
    }

    #[test]
    fn the_corpus_of_frames_finds_nothing() {
        replay("frames", super::frames);
    }
}
