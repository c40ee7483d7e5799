//! From words to a [`Query`]: one SELECT with WHERE and LIMIT, as S3 Select has it. The parser walks over the words
//! (`cursor`); this file reads the statement, the others what stands in it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-select-sql-reference-select.html>

mod calls;
mod cursor;
mod expression;
mod names;

use std::time::SystemTime;

use self::cursor::{Parser, describe, is_reserved};
use self::names::{Names, has_path, own_name};
use super::Fault;
use super::lexer::{Token, tokens};
use super::syntax::{Aggregate, Column, Expr, Projection, Query, Step};

const EXPRESSION_BYTES_MAX: usize = 256 << 10;

/// `now` is what UTCNOW() says.
pub fn parse(expression: &str, now: SystemTime) -> Result<Query, Fault> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        let message = format!("The SQL expression is longer than {EXPRESSION_BYTES_MAX} bytes");
        return Err(Fault::new("ExpressionTooLong", message));
    }
    let mut parser = Parser {
        tokens: tokens(expression)?,
        at: 0,
        operators: 0,
        aggregates: Vec::new(),
        nested: false,
        now,
    };
    parser.query()
}

impl Parser {
    fn query(&mut self) -> Result<Query, Fault> {
        if !self.take_word("SELECT") {
            let message = "The SQL expression must be a SELECT";
            return Err(Fault::new("ParseUnsupportedSelect", message));
        }
        if self.is_word("DISTINCT") {
            return Err(Fault::new("UnsupportedSqlStructure", "DISTINCT is not supported"));
        }
        let mut columns = self.projection()?;
        if !self.take_word("FROM") {
            let found = self.expected("ParseSelectMissingFrom", "FROM");
            return Err(if *self.peek() == Token::End {
                found
            } else {
                Fault { code: "ParseUnexpectedToken", ..found }
            });
        }
        let (from, alias) = self.from()?;
        let outside = self.aggregates.len();
        let mut condition = if self.take_word("WHERE") { Some(self.expression(0)?) } else { None };
        if self.aggregates.len() > outside {
            return Err(Fault::new("UnsupportedSqlStructure", "WHERE holds no aggregates"));
        }
        let limit = if self.take_word("LIMIT") { Some(self.limit()?) } else { None };
        self.take(";");
        for word in ["GROUP", "ORDER", "HAVING", "JOIN", "UNION", "OFFSET"] {
            if self.is_word(word) {
                return Err(Fault::new("UnsupportedSqlStructure", format!("{word} is not supported")));
            }
        }
        if *self.peek() != Token::End {
            return Err(self.expected("ParseUnexpectedToken", "the end of the expression"));
        }
        let mut aggregates = std::mem::take(&mut self.aggregates);
        let names = Names { alias: alias.as_deref() };
        if let Some(columns) = &mut columns {
            columns.iter_mut().try_for_each(|column| names.settle(&mut column.expression))?;
        }
        aggregates.iter_mut().filter_map(|it| it.argument.as_mut()).try_for_each(|it| names.settle(it))?;
        condition.iter_mut().try_for_each(|condition| names.settle(condition))?;
        let projection = self.checked(columns, &aggregates, &names)?;
        Ok(Query { projection, from, condition, limit, aggregates })
    }

    /// `None` is `*`.
    fn projection(&mut self) -> Result<Option<Vec<Column>>, Fault> {
        if self.is_word("FROM") {
            return Err(Fault::new("ParseEmptySelect", "The SELECT list is empty"));
        }
        if self.take("*") {
            return Ok(None);
        }
        let mut columns = Vec::new();
        loop {
            let expression = self.expression(0)?;
            let alias = self.alias()?;
            let name = alias.unwrap_or_else(|| own_name(&expression, columns.len() + 1));
            columns.push(Column { expression, name });
            if !self.take(",") {
                return Ok(Some(columns));
            }
        }
    }

    fn alias(&mut self) -> Result<Option<String>, Fault> {
        let explicit = self.take_word("AS");
        match self.peek().clone() {
            Token::Word(word) if explicit || !is_reserved(&word) => {
                self.at += 1;
                Ok(Some(word))
            }
            Token::Quoted(word) => {
                self.at += 1;
                Ok(Some(word))
            }
            _ if explicit => Err(self.expected("ParseExpectedIdentForAlias", "a name")),
            _ => Ok(None),
        }
    }

    /// `S3Object`, with a path behind it, and what its rows are called.
    fn from(&mut self) -> Result<(Vec<Step>, Option<String>), Fault> {
        match self.next() {
            Token::Word(word) | Token::Quoted(word) if word.eq_ignore_ascii_case("S3Object") => {}
            other => {
                let message = format!("FROM must name S3Object, not {}", describe(&other));
                return Err(Fault::new("EvaluatorBindingDoesNotExist", message));
            }
        }
        let mut steps = self.steps()?;
        // The records are the elements of the object.
        if steps.first() == Some(&Step::Each) {
            steps.remove(0);
        }
        if let Token::Symbol(",") = self.peek() {
            return Err(Fault::new("UnsupportedSqlStructure", "FROM names one object only"));
        }
        Ok((steps, self.alias()?))
    }

    pub(super) fn steps(&mut self) -> Result<Vec<Step>, Fault> {
        let mut steps = Vec::new();
        loop {
            if self.take(".") {
                steps.push(match self.next() {
                    Token::Word(name) => Step::Name { name, exact: false },
                    Token::Quoted(name) => Step::Name { name, exact: true },
                    Token::Symbol("*") => Step::Each,
                    other => {
                        let message =
                            format!("expected a name behind the dot and found {}", describe(&other));
                        return Err(Fault::new("ParseInvalidPathComponent", message));
                    }
                });
            } else if self.take("[") {
                steps.push(match self.next() {
                    Token::Symbol("*") => Step::Each,
                    Token::Text(name) => Step::Name { name, exact: true },
                    Token::Integer(index) => {
                        let wrong = |_| Fault::new("ParseInvalidPathComponent", "an index is 0 or more");
                        Step::Index(usize::try_from(index).map_err(wrong)?)
                    }
                    other => {
                        let message = format!("expected an index and found {}", describe(&other));
                        return Err(Fault::new("ParseInvalidPathComponent", message));
                    }
                });
                self.need("]")?;
            } else {
                return Ok(steps);
            }
        }
    }

    fn limit(&mut self) -> Result<u64, Fault> {
        match self.next() {
            Token::Integer(limit) if limit >= 0 => Ok(limit.cast_unsigned()),
            other => {
                let message = format!("LIMIT needs a number, not {}", describe(&other));
                Err(Fault::new("ParseExpectedNumber", message))
            }
        }
    }

    /// `s.*` is all, and what is beside an aggregate must be of aggregates too.
    fn checked(
        &self,
        columns: Option<Vec<Column>>,
        aggregates: &[Aggregate],
        names: &Names<'_>,
    ) -> Result<Projection, Fault> {
        let Some(columns) = columns else { return Ok(Projection::All) };
        if let [Column { expression: Expr::Path(steps), .. }] = &columns[..]
            && names.is_all(steps)
        {
            return Ok(Projection::All);
        }
        if !aggregates.is_empty() && columns.iter().any(|column| has_path(&column.expression)) {
            let message = "A column beside an aggregate would need GROUP BY, which is not supported";
            return Err(Fault::new("UnsupportedSqlStructure", message));
        }
        Ok(Projection::Columns(columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(expression: &str) -> Result<Query, Fault> {
        parse(expression, SystemTime::UNIX_EPOCH)
    }

    fn code(expression: &str) -> &'static str {
        query(expression).map_or_else(|fault| fault.code, |_| "OK")
    }

    fn condition(expression: &str) -> String {
        let query = query(&format!("SELECT * FROM S3Object WHERE {expression}")).unwrap();
        shown(&query.condition.unwrap())
    }

    fn shown(expression: &Expr) -> String {
        match expression {
            Expr::Literal(value) => value.to_json(),
            Expr::Path(steps) => own_name(&Expr::Path(steps.clone()), 1),
            Expr::Not(one) => format!("!{}", shown(one)),
            Expr::Negative(one) => format!("-{}", shown(one)),
            Expr::Binary(operator, left, right) => format!("({} {operator:?} {})", shown(left), shown(right)),
            Expr::Between(one, low, high) => format!("({} {} {})", shown(one), shown(low), shown(high)),
            Expr::In(one, list) => format!("({} in {})", shown(one), list.len()),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn operators_bind_as_in_sql() {
        let cases = [
            ("a = 1 OR b = 2 AND c = 3", "((a Equal 1) Or ((b Equal 2) And (c Equal 3)))"),
            ("NOT a = 1 AND b", "(!(a Equal 1) And b)"),
            ("a + b * c - d = -1", "(((a Add (b Multiply c)) Subtract d) Equal -1)"),
            ("(a OR b) AND c", "((a Or b) And c)"),
            ("a BETWEEN 1 AND 2 AND b", "((a 1 2) And b)"),
            ("a NOT IN (1, 2, 3) OR b", "(!(a in 3) Or b)"),
            ("a || b = 'x'", "((a Join b) Equal \"x\")"),
        ];
        for (expression, expected) in cases {
            assert_eq!(condition(expression), expected, "{expression}");
        }
    }

    #[test]
    fn rows_may_have_a_name() {
        let path = |expression: &str| match query(expression).unwrap().projection {
            Projection::Columns(columns) => format!("{:?}", columns[0].expression),
            Projection::All => "all".to_owned(),
        };
        let bare = path("SELECT a.b FROM S3Object");
        assert_eq!(path("select S.a.b from s3object AS s"), bare);
        assert_eq!(path("select s3object.a.b from s3object s"), bare);
        assert_eq!(path("SELECT s.* FROM S3Object s"), "all");
        assert_eq!(path("SELECT * FROM S3Object[*] LIMIT 3"), "all");
        let nested = query("SELECT x.id FROM S3Object[*].items[*] x").unwrap();
        assert_eq!(nested.from, [Step::Name { name: "items".into(), exact: false }, Step::Each]);
    }

    #[test]
    fn wrong_sql_has_the_codes_of_s3() {
        let cases = [
            ("", "ParseUnsupportedSelect"),
            ("DELETE FROM S3Object", "ParseUnsupportedSelect"),
            ("SELECT FROM S3Object", "ParseEmptySelect"),
            ("SELECT *", "ParseSelectMissingFrom"),
            ("SELECT a b c FROM S3Object", "ParseUnexpectedToken"),
            ("SELECT * FROM other", "EvaluatorBindingDoesNotExist"),
            ("SELECT * FROM S3Object WHERE", "ParseExpectedExpression"),
            ("SELECT * FROM S3Object WHERE a =", "ParseExpectedExpression"),
            ("SELECT * FROM S3Object WHERE a = 1)", "ParseUnexpectedToken"),
            ("SELECT * FROM S3Object WHERE (a = 1", "ParseExpectedTokenType"),
            ("SELECT * FROM S3Object LIMIT x", "ParseExpectedNumber"),
            ("SELECT * FROM S3Object ORDER BY a", "UnsupportedSqlStructure"),
            ("SELECT a FROM S3Object GROUP BY a", "UnsupportedSqlStructure"),
            ("SELECT a, COUNT(*) FROM S3Object", "UnsupportedSqlStructure"),
            ("SELECT SUM(COUNT(*)) FROM S3Object", "UnsupportedSqlStructure"),
            ("SELECT * FROM S3Object WHERE COUNT(*) > 1", "UnsupportedSqlStructure"),
            ("SELECT NOW() FROM S3Object", "UnsupportedFunction"),
            ("SELECT LOWER() FROM S3Object", "EvaluatorInvalidArguments"),
            ("SELECT CAST(a AS HAMSTER) FROM S3Object", "ParseExpectedTypeName"),
            ("SELECT CASE END FROM S3Object", "ParseUnExpectedKeyword"),
            ("SELECT CASE a END FROM S3Object", "ParseExpectedWhenClause"),
            ("SELECT a[*] FROM S3Object", "UnsupportedSyntax"),
            ("SELECT a.+ FROM S3Object", "ParseInvalidPathComponent"),
            ("SELECT CAST(a AS INT), TRIM(LEADING '0' FROM b), SUBSTRING(c, 1, 2) FROM S3Object;", "OK"),
        ];
        for (expression, expected) in cases {
            assert_eq!(code(expression), expected, "{expression}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let brackets = format!("SELECT * FROM S3Object WHERE {}1{}", "(".repeat(1000), ")".repeat(1000));
        assert_eq!(code(&brackets), "ExpressionTooLong");
        let sums = format!("SELECT * FROM S3Object WHERE 1{}", "+1".repeat(1000));
        assert_eq!(code(&sums), "ExpressionTooLong");
        let many = format!("SELECT * FROM S3Object WHERE a IN (1{})", ",1".repeat(10_000));
        assert_eq!(code(&many), "OK");
        assert_eq!(code(&" ".repeat(EXPRESSION_BYTES_MAX + 1)), "ExpressionTooLong");
    }
}
