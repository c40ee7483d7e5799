//! What has brackets or words of its own: functions, CAST, CASE, aggregates.

use super::super::Fault;
use super::super::lexer::Token;
use super::super::syntax::{Aggregate, AggregateKind, Expr, Function, Side};
use super::super::value::Type;
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
            _ => return Err(Fault::new("UnsupportedFunction", format!("There is no function {name}"))),
        };
        let list = self.list(")")?;
        if !arguments.contains(&list.len()) {
            let message = format!("{name} takes {} arguments, not {}", arguments.start(), list.len());
            return Err(Fault::new("EvaluatorInvalidArguments", message));
        }
        Ok(Expr::Call(function, list))
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
            self.expected("ParseExpectedTypeName", "a type: INT, FLOAT, DECIMAL, STRING or BOOL")
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
