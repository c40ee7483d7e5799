//! Where the parser stands among the words.

use std::time::SystemTime;

use super::super::Fault;
use super::super::lexer::Token;
use super::super::syntax::Aggregate;

/// Operators and brackets of one expression: they bound its depth, and with it the stack.
const OPERATORS_MAX: usize = 250;

pub struct Parser {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) operators: usize,
    pub(super) aggregates: Vec<Aggregate>,
    /// Inside the argument of an aggregate.
    pub(super) nested: bool,
    /// What UTCNOW() says.
    pub(super) now: SystemTime,
}

/// Words that name no column.
const RESERVED: [&str; 14] = [
    "SELECT", "FROM", "WHERE", "LIMIT", "AND", "OR", "NOT", "AS", "WHEN", "THEN", "ELSE", "END", "GROUP",
    "ORDER",
];

pub fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

pub fn describe(token: &Token) -> String {
    match token {
        Token::Word(word) | Token::Quoted(word) => word.clone(),
        Token::Text(text) => format!("'{text}'"),
        Token::Ion(text) => format!("`{text}`"),
        Token::Integer(number) => number.to_string(),
        Token::Float(number) => number.to_string(),
        Token::Symbol(symbol) => (*symbol).to_owned(),
        Token::End => "the end".to_owned(),
    }
}

impl Parser {
    pub(super) fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub(super) fn is_word(&self, wanted: &str) -> bool {
        matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(wanted))
    }

    pub(super) fn take_word(&mut self, wanted: &str) -> bool {
        let found = self.is_word(wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(symbol) if *symbol == wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expected(&self, code: &'static str, wanted: &str) -> Fault {
        Fault::new(code, format!("expected {wanted} and found {}", describe(self.peek())))
    }

    pub(super) fn need(&mut self, symbol: &str) -> Result<(), Fault> {
        if self.take(symbol) { Ok(()) } else { Err(self.expected("ParseExpectedTokenType", symbol)) }
    }

    pub(super) fn need_word(&mut self, word: &str) -> Result<(), Fault> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected("ParseExpectedKeyword", word)) }
    }

    pub(super) fn deeper(&mut self) -> Result<(), Fault> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            let message = format!("The expression has more than {OPERATORS_MAX} operators and brackets");
            return Err(Fault::new("ExpressionTooLong", message));
        }
        Ok(())
    }
}
