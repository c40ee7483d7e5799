//! Expressions: operators by how strongly they bind, predicates, values and paths.

use super::super::Fault;
use super::super::lexer::Token;
use super::super::syntax::{Expr, Operator, Step};
use super::super::timestamp::Timestamp;
use super::super::value::Value;
use super::cursor::{Parser, is_reserved};

const COMPARISON: u8 = 4;

impl Parser {
    /// Operators that bind at least as strongly as `least`.
    pub(super) fn expression(&mut self, least: u8) -> Result<Expr, Fault> {
        let mut left = self.prefix()?;
        loop {
            if let Some((operator, strength)) = self.operator() {
                if strength < least {
                    return Ok(left);
                }
                self.deeper()?;
                self.at += 1;
                let right = self.expression(strength + 1)?;
                left = Expr::Binary(operator, Box::new(left), Box::new(right));
            } else if least <= COMPARISON && self.is_predicate() {
                self.deeper()?;
                left = self.predicate(left)?;
            } else {
                return Ok(left);
            }
        }
    }

    fn operator(&self) -> Option<(Operator, u8)> {
        Some(match self.peek() {
            Token::Word(word) if word.eq_ignore_ascii_case("OR") => (Operator::Or, 1),
            Token::Word(word) if word.eq_ignore_ascii_case("AND") => (Operator::And, 2),
            Token::Symbol(symbol) => match *symbol {
                "=" => (Operator::Equal, COMPARISON),
                "<>" | "!=" => (Operator::NotEqual, COMPARISON),
                "<" => (Operator::Less, COMPARISON),
                "<=" => (Operator::LessOrEqual, COMPARISON),
                ">" => (Operator::Greater, COMPARISON),
                ">=" => (Operator::GreaterOrEqual, COMPARISON),
                "||" => (Operator::Join, 5),
                "+" => (Operator::Add, 6),
                "-" => (Operator::Subtract, 6),
                "*" => (Operator::Multiply, 7),
                "/" => (Operator::Divide, 7),
                "%" => (Operator::Remainder, 7),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn is_predicate(&self) -> bool {
        ["IS", "LIKE", "BETWEEN", "IN"].iter().any(|word| self.is_word(word))
            || self.is_word("NOT")
                && matches!(self.tokens.get(self.at + 1), Some(Token::Word(word))
                    if ["LIKE", "BETWEEN", "IN"].iter().any(|known| word.eq_ignore_ascii_case(known)))
    }

    fn predicate(&mut self, left: Expr) -> Result<Expr, Fault> {
        let left = Box::new(left);
        if self.take_word("IS") {
            let not = self.take_word("NOT");
            let test = if self.take_word("MISSING") {
                Expr::IsMissing(left)
            } else {
                self.need_word("NULL")?;
                Expr::IsNull(left)
            };
            return Ok(negated(test, not));
        }
        let not = self.take_word("NOT");
        let test = if self.take_word("LIKE") {
            let pattern = Box::new(self.expression(COMPARISON + 1)?);
            let escape = match self.take_word("ESCAPE") {
                true => Some(Box::new(self.expression(COMPARISON + 1)?)),
                false => None,
            };
            Expr::Like { text: left, pattern, escape }
        } else if self.take_word("BETWEEN") {
            let low = Box::new(self.expression(COMPARISON + 1)?);
            self.need_word("AND")?;
            Expr::Between(left, low, Box::new(self.expression(COMPARISON + 1)?))
        } else {
            self.need_word("IN")?;
            self.need("(")?;
            Expr::In(left, self.list(")")?)
        };
        Ok(negated(test, not))
    }

    /// Expressions up to the bracket, which is taken too.
    pub(super) fn list(&mut self, end: &str) -> Result<Vec<Expr>, Fault> {
        let mut list = Vec::new();
        if self.take(end) {
            return Ok(list);
        }
        loop {
            list.push(self.expression(0)?);
            if self.take(end) {
                return Ok(list);
            }
            if !self.take(",") {
                return Err(self.expected("ParseExpectedArgumentDelimiter", ","));
            }
        }
    }

    fn prefix(&mut self) -> Result<Expr, Fault> {
        match self.peek().clone() {
            Token::Symbol("(") => {
                self.deeper()?;
                self.at += 1;
                let inner = self.expression(0)?;
                self.need(")")?;
                Ok(inner)
            }
            Token::Symbol(sign @ ("-" | "+")) => {
                self.deeper()?;
                self.at += 1;
                let operand = self.expression(8)?;
                Ok(if sign == "-" { Expr::Negative(Box::new(operand)) } else { operand })
            }
            Token::Word(word) if word.eq_ignore_ascii_case("NOT") => {
                self.deeper()?;
                self.at += 1;
                Ok(Expr::Not(Box::new(self.expression(3)?)))
            }
            Token::Text(text) => self.literal(Value::Text(text)),
            Token::Ion(text) => match Timestamp::parse(&text) {
                Some(moment) => self.literal(Value::Timestamp(moment)),
                None => {
                    let message =
                        format!("`{text}` is no timestamp, and nothing else stands between backquotes");
                    Err(Fault::new("IonInvalidLiteral", message))
                }
            },
            Token::Integer(number) => self.literal(Value::Integer(number)),
            Token::Float(number) => self.literal(Value::Float(number)),
            Token::Quoted(name) => {
                self.at += 1;
                self.path(Step::Name { name, exact: true })
            }
            Token::Word(word) => self.word(&word),
            Token::Symbol(_) | Token::End => Err(self.expected("ParseExpectedExpression", "an expression")),
        }
    }

    fn literal(&mut self, value: Value) -> Result<Expr, Fault> {
        self.at += 1;
        Ok(Expr::Literal(value))
    }

    fn path(&mut self, first: Step) -> Result<Expr, Fault> {
        let mut steps = vec![first];
        steps.extend(self.steps()?);
        Ok(Expr::Path(steps))
    }

    fn word(&mut self, word: &str) -> Result<Expr, Fault> {
        match word.to_ascii_uppercase().as_str() {
            "NULL" => return self.literal(Value::Null),
            "MISSING" => return self.literal(Value::Missing),
            "TRUE" => return self.literal(Value::Bool(true)),
            "FALSE" => return self.literal(Value::Bool(false)),
            "CASE" => return self.case(),
            upper if is_reserved(upper) => {
                return Err(self.expected("ParseUnExpectedKeyword", "an expression"));
            }
            _ => {}
        }
        self.at += 1;
        if self.take("(") {
            self.deeper()?;
            return self.call(word);
        }
        self.path(Step::Name { name: word.to_owned(), exact: false })
    }
}

fn negated(test: Expr, not: bool) -> Expr {
    if not { Expr::Not(Box::new(test)) } else { test }
}
