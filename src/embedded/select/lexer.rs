//! The words of an expression.

use super::Fault;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name or a keyword, as it was written.
    Word(String),
    /// A name in double quotes: its case counts.
    Quoted(String),
    Text(String),
    /// Between backquotes: a moment.
    Ion(String),
    Integer(i64),
    Float(f64),
    Symbol(&'static str),
    End,
}

/// The longer ones first.
const SYMBOLS: [&str; 20] =
    ["<>", "!=", "<=", ">=", "||", "<", ">", "=", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", ".", ";"];

pub fn tokens(expression: &str) -> Result<Vec<Token>, Fault> {
    let mut rest = expression.trim_start();
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        let (token, behind) = token(rest)?;
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens.push(Token::End);
    Ok(tokens)
}

fn token(rest: &str) -> Result<(Token, &str), Fault> {
    let first = rest.chars().next().unwrap_or(' ');
    if first == '\'' {
        let (text, behind) = quoted(rest, '\'')?;
        return Ok((Token::Text(text), behind));
    }
    if first == '"' {
        let (text, behind) = quoted(rest, first)?;
        return Ok((Token::Quoted(text), behind));
    }
    if first == '`' {
        let (text, behind) = quoted(rest, first)?;
        return Ok((Token::Ion(text), behind));
    }
    let digit_behind = || rest[1..].starts_with(|c: char| c.is_ascii_digit());
    if first.is_ascii_digit() || first == '.' && digit_behind() {
        return number(rest);
    }
    if first.is_alphabetic() || first == '_' {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
        return Ok((Token::Word(rest[..end].to_owned()), &rest[end..]));
    }
    match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
        Some(symbol) => Ok((Token::Symbol(symbol), &rest[symbol.len()..])),
        None if "!|&^~@#".contains(first) => {
            Err(Fault::new("LexerInvalidOperator", format!("{first} is no operator of S3 Select")))
        }
        None => Err(Fault::new("LexerInvalidChar", format!("the character {first:?} has no place in SQL"))),
    }
}

/// A quote in it is written twice.
fn quoted(rest: &str, quote: char) -> Result<(String, &str), Fault> {
    let mut text = String::new();
    let mut rest = &rest[1..];
    loop {
        let Some(end) = rest.find(quote) else {
            return Err(Fault::new("LexerInvalidLiteral", format!("a {quote} is never closed")));
        };
        text.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix(quote) {
            Some(behind) => {
                text.push(quote);
                rest = behind;
            }
            None => return Ok((text, rest)),
        }
    }
}

fn number(rest: &str) -> Result<(Token, &str), Fault> {
    let bytes = rest.as_bytes();
    let mut end = 0;
    let mut float = false;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'0'..=b'9' => {}
            b'.' if !float => float = true,
            b'e' | b'E' if end > 0 => {
                float = true;
                if matches!(bytes.get(end + 1), Some(b'+' | b'-')) {
                    end += 1;
                }
            }
            _ => break,
        }
        end += 1;
    }
    let (text, behind) = rest.split_at(end);
    let wrong = || Fault::new("LexerInvalidLiteral", format!("{text} is no number"));
    // Whole numbers beyond 64 bits are read as floating point.
    let token = match text.parse::<i64>() {
        Ok(integer) if !float => Token::Integer(integer),
        _ => Token::Float(text.parse().map_err(|_| wrong())?),
    };
    match behind.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        true => {
            Err(Fault::new("LexerInvalidLiteral", format!("{rest} does not begin with a number or a name")))
        }
        false => Ok((token, behind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(expression: &str) -> &'static str {
        tokens(expression).map_or_else(|fault| fault.code, |_| "OK")
    }

    #[test]
    fn words_numbers_texts_and_symbols() {
        let word = |text: &str| Token::Word(text.into());
        let found = tokens("SELECT s.\"A b\"[0], 'it''s' <> -1.5e3 .5 12 <=x_1").unwrap();
        let expected = [
            word("SELECT"),
            word("s"),
            Token::Symbol("."),
            Token::Quoted("A b".into()),
            Token::Symbol("["),
            Token::Integer(0),
            Token::Symbol("]"),
            Token::Symbol(","),
            Token::Text("it's".into()),
            Token::Symbol("<>"),
            Token::Symbol("-"),
            Token::Float(1500.0),
            Token::Float(0.5),
            Token::Integer(12),
            Token::Symbol("<="),
            word("x_1"),
            Token::End,
        ];
        assert_eq!(found, expected);
        assert_eq!(tokens("99999999999999999999").unwrap()[0], Token::Float(1e20));
    }

    #[test]
    fn what_is_no_word_has_a_code() {
        let cases = [
            ("'open", "LexerInvalidLiteral"),
            ("\"open", "LexerInvalidLiteral"),
            ("1x", "LexerInvalidLiteral"),
            ("1e", "LexerInvalidLiteral"),
            ("a ! b", "LexerInvalidOperator"),
            ("a { b", "LexerInvalidChar"),
            ("é = 'ü'", "OK"),
            ("", "OK"),
        ];
        for (expression, expected) in cases {
            assert_eq!(code(expression), expected, "{expression}");
        }
    }
}
