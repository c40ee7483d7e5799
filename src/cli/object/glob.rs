//! Globs over the names of keys and files, as shells and the AWS tools write them. Pure.
//!
//! `*` stands for any characters, slashes too, `?` for one, `[abc]`, `[a-z]` for one of them and `[!abc]` for another
//! one. Everything else stands for itself; `[*]` is a star. A character is one of Unicode, not a byte.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    AnyOne,
    AnyMany,
    OneOf { ranges: Vec<(char, char)>, negated: bool },
}

impl Glob {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            match char {
                '?' => tokens.push(Token::AnyOne),
                '*' if tokens.last() == Some(&Token::AnyMany) => {}
                '*' => tokens.push(Token::AnyMany),
                '[' => {
                    let (class, after) = parse_class(rest.as_str())
                        .ok_or("its `[` has no `]`: write `[[]` for the character itself")?;
                    tokens.push(class);
                    rest = after.chars();
                }
                char => tokens.push(Token::Char(char)),
            }
        }
        Ok(Self(tokens))
    }

    /// The whole name. Takes time in proportion to both lengths multiplied, at worst.
    pub(super) fn matches(&self, name: &str) -> bool {
        let (tokens, mut at, mut rest) = (&self.0, 0, name.chars());
        // Where the latest star stands, and what of the name was left when it had taken all it has so far.
        let mut star = None;
        loop {
            match (tokens.get(at), rest.clone().next()) {
                (Some(Token::AnyMany), _) => {
                    star = Some((at, rest.clone()));
                    at += 1;
                }
                (None, None) => return true,
                (Some(token), Some(char)) if token.takes(char) => {
                    rest.next();
                    at += 1;
                }
                _ => {
                    let Some((place, left)) = &mut star else { return false };
                    if left.next().is_none() {
                        return false;
                    }
                    at = *place + 1;
                    rest = left.clone();
                }
            }
        }
    }
}

impl Token {
    fn takes(&self, char: char) -> bool {
        match self {
            Self::Char(own) => *own == char,
            Self::AnyOne => true,
            Self::AnyMany => false,
            Self::OneOf { ranges, negated } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&char)) != *negated
            }
        }
    }
}

/// What follows `[`: the class, and what follows its `]`. A `]` at the beginning is a member.
fn parse_class(text: &str) -> Option<(Token, &str)> {
    let (negated, inside) = match text.strip_prefix(['!', '^']) {
        Some(inside) => (true, inside),
        None => (false, text),
    };
    let end = inside.char_indices().skip(1).find(|(_, char)| *char == ']')?.0;
    let members: Vec<char> = inside.get(..end)?.chars().collect();
    let mut ranges = Vec::new();
    let mut left = members.as_slice();
    while let Some((first, others)) = left.split_first() {
        match others {
            ['-', last, after @ ..] => {
                ranges.push((*first, *last));
                left = after;
            }
            after => {
                ranges.push((*first, *first));
                left = after;
            }
        }
    }
    Some((Token::OneOf { ranges, negated }, inside.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(glob: &str, name: &str) -> bool {
        Glob::parse(glob).unwrap().matches(name)
    }

    #[test]
    fn names_that_match_and_names_that_do_not() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("", &[""], &["a"]),
            ("*", &["", "a", "a/b", "\n"], &[]),
            ("*.jpg", &[".jpg", "a.jpg", "a/b.jpg", "a.jpg.jpg"], &["a.jpg.txt", "ajpg", "a.JPG"]),
            ("a/*/c", &["a/b/c", "a//c", "a/b/b/c"], &["a/c", "a/b/c/d"]),
            ("**/*", &["/", "a/b"], &["a"]),
            ("?", &["a", "ü", "😀", "/"], &["", "ab"]),
            ("[a-cx]z", &["az", "cz", "xz"], &["dz", "z", "-z"]),
            ("[!a-c]", &["d", "ü"], &["a", "b", ""]),
            ("[^a]", &["b"], &["a"]),
            ("[]a]", &["]", "a"], &["b"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[*][?][[]", &["*?["], &["abc"]),
            ("[ü]", &["ü"], &["u"]),
            ("a*b*c", &["abc", "aXbYc", "abbcc", "abcbc"], &["acb", "ab"]),
        ];
        for (glob, yes, no) in table {
            assert!(yes.iter().all(|name| matches(glob, name)), "{glob} matches {yes:?}");
            assert!(!no.iter().any(|name| matches(glob, name)), "{glob} does not match {no:?}");
        }
        assert!(Glob::parse("a[b").is_err() && Glob::parse("[]").is_err() && Glob::parse("[!]").is_err());
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        assert!(!matches(&format!("{}c", "a*".repeat(50)), &"a".repeat(5_000)));
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_in_brackets(name in "[^\\]\\[!^-]{0,20}") {
            let quoted: String = name.chars().map(|char| format!("[{char}]")).collect();
            prop_assert!(matches(&quoted, &name));
            let (wider, longer) = (format!("*{quoted}*"), format!("x{name}y"));
            prop_assert!(matches(&wider, &longer));
        }
    }
}
