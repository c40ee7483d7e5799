//! Pure: text beyond ASCII in headers, as RFC 2047 has it: `=?charset?B?base64?=` and `=?charset?Q?quoted?=`.
//!
//! A word is whole between blanks. Blanks between two encoded words are not part of the text; all others are. What is
//! malformed, in a charset that is not known, or ASCII that no header could carry again stays as it is.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEFORE: &str = "=?UTF-8?B?";
const AFTER: &str = "?=";
/// A word has at most 75 characters.
const BYTES_MAX: usize = (75 - BEFORE.len() - AFTER.len()) / 4 * 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    Utf8,
    Latin1,
}

/// One word, or several of one charset that may share a character.
struct Run {
    charset: Charset,
    bytes: Vec<u8>,
}

/// ASCII as it is, unless it reads as such words; other text in words of whole characters.
pub(super) fn encode(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && decode(text) == text {
        return Cow::Borrowed(text);
    }
    let (mut words, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(BYTES_MAX));
        words.push(format!("{BEFORE}{}{AFTER}", STANDARD.encode(word)));
        rest = after;
    }
    Cow::Owned(words.join(" "))
}

/// The text that a header stands for.
pub(crate) fn decode(header: &str) -> Cow<'_, str> {
    if !header.contains("=?") {
        return Cow::Borrowed(header);
    }
    let (mut text, mut rest, mut after_word) = (String::with_capacity(header.len()), header, false);
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        match run(&rest[blanks..]) {
            Some((decoded, len)) => {
                text.push_str(if after_word { "" } else { &rest[..blanks] });
                text.push_str(&decoded);
                rest = &rest[blanks + len..];
                after_word = true;
            }
            None => {
                let len = blanks + word(&rest[blanks..]).len();
                text.push_str(&rest[..len]);
                rest = &rest[len..];
                after_word = false;
            }
        }
    }
    Cow::Owned(text)
}

/// The encoded words at the start: their text, and how many bytes they take.
fn run(text: &str) -> Option<(String, usize)> {
    let mut first = parse(word(text))?;
    let mut len = word(text).len();
    loop {
        let blanks = text[len..].len() - text[len..].trim_start_matches([' ', '\t']).len();
        let next = word(&text[len + blanks..]);
        match parse(next).filter(|next| next.charset == first.charset) {
            Some(more) => first.bytes.extend(more.bytes),
            None => break,
        }
        len += blanks + next.len();
    }
    let text = match first.charset {
        Charset::Utf8 => String::from_utf8(first.bytes).ok()?,
        Charset::Latin1 => first.bytes.into_iter().map(char::from).collect(),
    };
    let can_travel = !text.is_ascii() || !text.contains(|char: char| char.is_ascii_control() && char != '\t');
    can_travel.then_some((text, len))
}

/// Up to the next blank.
fn word(text: &str) -> &str {
    text.split([' ', '\t']).next().unwrap_or_default()
}

fn parse(word: &str) -> Option<Run> {
    let mut fields = word.strip_prefix("=?")?.strip_suffix(AFTER)?.split('?');
    let (charset, encoding, text) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() {
        return None;
    }
    // RFC 2231 lets a language follow.
    let charset = match charset.split('*').next()?.to_ascii_lowercase().as_str() {
        "utf-8" | "us-ascii" => Charset::Utf8,
        "iso-8859-1" => Charset::Latin1,
        _ => return None,
    };
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(text).ok()?,
        "Q" | "q" => unquoted(text.as_bytes())?,
        _ => return None,
    };
    Some(Run { charset, bytes })
}

fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = text.iter().copied();
    let mut found = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        found.push(match byte {
            b'_' => b' ',
            b'=' => u8::try_from(digit(bytes.next()?)? << 4 | digit(bytes.next()?)?).ok()?,
            b'!'..=b'~' => byte,
            _ => return None,
        });
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_decoded_and_what_is_none_stays() {
        for (header, text) in [
            ("", ""),
            ("plain", "plain"),
            ("=?UTF-8?B?w6Q=?=", "ä"),
            ("=?utf-8?q?=C3=A4_b?=", "ä b"),
            ("=?UTF-8*de?Q?=c3=a4?=", "ä"),
            ("=?ISO-8859-1?Q?=E4?=", "ä"),
            ("=?US-ASCII?Q?a=3Fb?=", "a?b"),
            // RFC 2047, section 8.
            ("=?ISO-8859-1?Q?a?=", "a"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=\t =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?_b?=", "a b"),
            // Both encodings, both charsets, among other text.
            ("=?UTF-8?Q?a?= =?UTF-8?B?Yg==?=", "ab"),
            ("=?UTF-8?B?w6Q=?= =?ISO-8859-1?Q?=F6?=", "äö"),
            (
                "  to =?UTF-8?Q?J=C3=BCrgen?= =?UTF-8?Q?_M=2E?=,  =?UTF-8?Q?=C3=A4?= ",
                "  to Jürgen =?UTF-8?Q?_M=2E?=,  ä ",
            ),
            // A character that was cut between two words.
            ("=?UTF-8?Q?=C3?= =?UTF-8?B?pA==?=", "ä"),
            // Malformed ones.
            ("=?UTF-8?B?w?= =?UTF-8?B?w6Q=?=", "=?UTF-8?B?w?= ä"),
            ("=?UTF-8?Q?=C3?= =?UTF-8?Q?a?= b", "=?UTF-8?Q?=C3?= a b"),
            ("=?broken?=", "=?broken?="),
            ("=?UTF-8?B?w6Q=", "=?UTF-8?B?w6Q="),
            ("=?UTF-8?B?w6Q?=", "=?UTF-8?B?w6Q?="),
            ("=?UTF-8?B?w6Q=?=x", "=?UTF-8?B?w6Q=?=x"),
            ("x=?UTF-8?B?w6Q=?=", "x=?UTF-8?B?w6Q=?="),
            ("=?UTF-8?X?w6Q=?=", "=?UTF-8?X?w6Q=?="),
            ("=?UTF-8?Q?a?b?=", "=?UTF-8?Q?a?b?="),
            ("=?KOI8-R?Q?a?=", "=?KOI8-R?Q?a?="),
            ("=?UTF-8?Q?=C3?=", "=?UTF-8?Q?=C3?="),
            ("=?UTF-8?Q?=C?= b", "=?UTF-8?Q?=C?= b"),
            ("=?UTF-8?Q?=+A?=", "=?UTF-8?Q?=+A?="),
            ("=?UTF-8?Q?ä?=", "=?UTF-8?Q?ä?="),
            ("=?=", "=?="),
            // No header could carry it again.
            ("=?UTF-8?Q?a=0Ab?=", "=?UTF-8?Q?a=0Ab?="),
            ("=?UTF-8?Q?a=0Ab=C3=A4?=", "a\nbä"),
        ] {
            assert_eq!(decode(header), text, "{header:?}");
        }
    }

    #[test]
    fn words_are_no_longer_than_the_rfc_allows_and_hold_whole_characters() {
        assert_eq!(encode("plain"), "plain");
        assert_eq!(encode("Jürgen"), "=?UTF-8?B?SsO8cmdlbg==?=");
        assert_eq!(decode(&encode("is =?UTF-8?Q?a?=")), "is =?UTF-8?Q?a?=");
        let text = "日本語 ".repeat(40);
        let header = encode(&text);
        let words: Vec<&str> = header.split(' ').collect();
        assert!(words.len() > 2 && words.iter().all(|word| word.len() <= 75), "{header}");
        assert!(words.iter().all(|word| !decode(word).starts_with("=?")), "{header}");
        assert_eq!(decode(&header), text);
    }

    proptest! {
        #[test]
        fn any_text_beyond_ascii_comes_back(text in "\\PC*é\\PC*") {
            let header = encode(&text);
            prop_assert_eq!(decode(&header), &*text);
        }

        #[test]
        fn whatever_comes_is_read(header in "([ \t]|=\\?|\\?=|UTF-8|\\?[BQbq]\\?|=C3|=A4|w6Q=|[a-z?=_ä]){0,24}") {
            let text = decode(&header).into_owned();
            prop_assert!(text.len() <= 2 * header.len());
            prop_assert!(text.is_ascii() || decode(&encode(&text)) == text, "what was read can be sent again");
        }
    }
}
