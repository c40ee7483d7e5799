//! What has brackets or words of its own: functions, CAST, CASE, aggregates.

use super::super::Fault;
use super::super::lexer::Token;
use super::super::syntax::{Aggregate, AggregateKind, Expr, Function, Side};
use super::super::timestamp::{Part, Timestamp};
use super::super::value::{Type, Value};
use super::cursor::Parser;

impl Parser {
    pub(super) fn case(&mut self) -> Result<Expr, Fault> {
        self.deeper()?;
        self.at += 1;
        let operand = if self.is_word("WHEN") { None } else { Some(Box::new(self.expression(0)?)) };
        let mut branches = Vec::new();
        while self.take_word("WHEN") {
            let when = self.expression(0)?;
            self.need_word("THEN")?;
            branches.push((when, self.expression(0)?));
        }
        if branches.is_empty() {
            return Err(self.expected("ParseExpectedWhenClause", "WHEN"));
        }
        let otherwise = if self.take_word("ELSE") { Some(Box::new(self.expression(0)?)) } else { None };
        self.need_word("END")?;
        Ok(Expr::Case { operand, branches, otherwise })
    }

    /// Behind the opening bracket.
    pub(super) fn call(&mut self, name: &str) -> Result<Expr, Fault> {
        let upper = name.to_ascii_uppercase();
        match upper.as_str() {
            "CAST" => return self.cast(),
            "TRIM" => return self.trim(),
            "SUBSTRING" => return self.substring(),
            "DATE_ADD" => return self.of_part(Function::DateAdd, 2),
            "DATE_DIFF" => return self.of_part(Function::DateDiff, 2),
            "EXTRACT" => return self.extract(),
            "UTCNOW" => {
                self.close()?;
                return Ok(Expr::Literal(Value::Timestamp(Timestamp::of(self.now))));
            }
            _ => {}
        }
        if let Some(kind) = aggregate(&upper) {
            return self.aggregate(kind);
        }
        let (function, arguments) = match upper.as_str() {
            "LOWER" => (Function::Lower, 1..=1),
            "UPPER" => (Function::Upper, 1..=1),
            "CHAR_LENGTH" | "CHARACTER_LENGTH" => (Function::CharLength, 1..=1),
            "COALESCE" => (Function::Coalesce, 1..=usize::MAX),
            "NULLIF" => (Function::NullIf, 2..=2),
            "TO_STRING" => (Function::ToString, 2..=2),
            "TO_TIMESTAMP" => (Function::ToTimestamp, 1..=1),
            _ => return Err(Fault::new("UnsupportedFunction", format!("There is no function {name}"))),
        };
        let list = self.list(")")?;
        if !arguments.contains(&list.len()) {
            let message = format!("{name} takes {} arguments, not {}", arguments.start(), list.len());
            return Err(Fault::new("EvaluatorInvalidArguments", message));
        }
        Ok(Expr::Call(function, list))
    }

    fn part(&mut self, of_offset: bool) -> Result<Part, Fault> {
        let part = match self.next() {
            Token::Word(word) => Part::parse(&word),
            _ => None,
        };
        part.filter(|part| of_offset || !part.is_of_offset()).ok_or_else(|| {
            self.at -= 1;
            self.expected("ParseExpectedDatePart", "a part: YEAR, MONTH, DAY, HOUR, MINUTE or SECOND")
        })
    }

    /// `DATE_ADD(part, quantity, timestamp)`, `DATE_DIFF(part, timestamp, timestamp)`
    fn of_part(&mut self, function: fn(Part) -> Function, arguments: usize) -> Result<Expr, Fault> {
        let part = self.part(false)?;
        if !self.take(",") {
            return Err(self.expected("ParseExpectedArgumentDelimiter", ","));
        }
        let list = self.list(")")?;
        if list.len() != arguments {
            let message =
                format!("behind its part, the function takes {arguments} arguments, not {}", list.len());
            return Err(Fault::new("EvaluatorInvalidArguments", message));
        }
        Ok(Expr::Call(function(part), list))
    }

    /// `EXTRACT(part FROM timestamp)`
    fn extract(&mut self) -> Result<Expr, Fault> {
        let part = self.part(true)?;
        self.need_word("FROM")?;
        let moment = self.expression(0)?;
        self.close()?;
        Ok(Expr::Call(Function::Extract(part), vec![moment]))
    }

    fn cast(&mut self) -> Result<Expr, Fault> {
        let value = self.expression(0)?;
        self.need_word("AS")?;
        let kind = match self.next() {
            Token::Word(word) => Type::parse(&word),
            _ => None,
        };
        let kind = kind.ok_or_else(|| {
            self.at -= 1;
            self.expected("ParseExpectedTypeName", "a type: INT, FLOAT, DECIMAL, STRING, BOOL or TIMESTAMP")
        })?;
        // DECIMAL(10, 2): the parameters change nothing here.
        if self.take("(") {
            self.list(")")?;
        }
        self.close()?;
        Ok(Expr::Cast(Box::new(value), kind))
    }

    fn close(&mut self) -> Result<(), Fault> {
        match self.take(")") {
            true => Ok(()),
            false => Err(self.expected("ParseExpectedRightParenBuiltinFunctionCall", ")")),
        }
    }

    /// `TRIM([[LEADING | TRAILING | BOTH] characters FROM] text)`
    fn trim(&mut self) -> Result<Expr, Fault> {
        let side = match () {
            () if self.take_word("LEADING") => Side::Leading,
            () if self.take_word("TRAILING") => Side::Trailing,
            () => {
                self.take_word("BOTH");
                Side::Both
            }
        };
        let mut arguments = Vec::new();
        if !self.take_word("FROM") {
            let first = self.expression(0)?;
            if !self.take_word("FROM") {
                self.close()?;
                return Ok(Expr::Call(Function::Trim(side), vec![first]));
            }
            arguments.push(first);
        }
        arguments.insert(0, self.expression(0)?);
        self.close()?;
        Ok(Expr::Call(Function::Trim(side), arguments))
    }

    /// `SUBSTRING(text FROM start [FOR length])`, or with commas.
    fn substring(&mut self) -> Result<Expr, Fault> {
        let mut arguments = vec![self.expression(0)?];
        if self.take_word("FROM") || self.take(",") {
            arguments.push(self.expression(0)?);
            if self.take_word("FOR") || self.take(",") {
                arguments.push(self.expression(0)?);
            }
        } else {
            return Err(self.expected("ParseExpectedArgumentDelimiter", "FROM or ,"));
        }
        self.close()?;
        Ok(Expr::Call(Function::Substring, arguments))
    }

    fn aggregate(&mut self, kind: AggregateKind) -> Result<Expr, Fault> {
        if self.nested {
            return Err(Fault::new("UnsupportedSqlStructure", "An aggregate cannot stand in another one"));
        }
        let argument = if kind == AggregateKind::Count && self.take("*") {
            self.close()?;
            None
        } else {
            self.nested = true;
            let argument = self.expression(0)?;
            self.nested = false;
            self.close()?;
            Some(argument)
        };
        self.aggregates.push(Aggregate { kind, argument });
        Ok(Expr::Aggregate(self.aggregates.len() - 1))
    }
}

fn aggregate(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "COUNT" => AggregateKind::Count,
        "SUM" => AggregateKind::Sum,
        "AVG" => AggregateKind::Average,
        "MIN" => AggregateKind::Least,
        "MAX" => AggregateKind::Greatest,
        _ => return None,
    })
}
