//! From words to a [`Query`]: one SELECT with WHERE and LIMIT, as S3 Select has it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-select-sql-reference-select.html>

use super::Fault;
use super::lexer::{Token, tokens};
use super::syntax::{
    Aggregate, AggregateKind, Column, Expr, Function, Operator, Projection, Query, Side, Step,
};
use super::value::{Type, Value};

/// Operators and brackets of one expression: they bound its depth, and with it the stack.
const OPERATORS_MAX: usize = 250;

const EXPRESSION_BYTES_MAX: usize = 256 << 10;

pub fn parse(expression: &str) -> Result<Query, Fault> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        let message = format!("The SQL expression is longer than {EXPRESSION_BYTES_MAX} bytes");
        return Err(Fault::new("ExpressionTooLong", message));
    }
    let mut parser =
        Parser { tokens: tokens(expression)?, at: 0, operators: 0, aggregates: Vec::new(), nested: false };
    parser.query()
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    operators: usize,
    aggregates: Vec<Aggregate>,
    /// Inside the argument of an aggregate.
    nested: bool,
}

/// Words that name no column.
const RESERVED: [&str; 14] = [
    "SELECT", "FROM", "WHERE", "LIMIT", "AND", "OR", "NOT", "AS", "WHEN", "THEN", "ELSE", "END", "GROUP",
    "ORDER",
];

fn describe(token: &Token) -> String {
    match token {
        Token::Word(word) | Token::Quoted(word) => word.clone(),
        Token::Text(text) => format!("'{text}'"),
        Token::Integer(number) => number.to_string(),
        Token::Float(number) => number.to_string(),
        Token::Symbol(symbol) => (*symbol).to_owned(),
        Token::End => "the end".to_owned(),
    }
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(wanted))
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let found = self.is_word(wanted);
        self.at += usize::from(found);
        found
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(symbol) if *symbol == wanted);
        self.at += usize::from(found);
        found
    }

    fn expected(&self, code: &'static str, wanted: &str) -> Fault {
        Fault::new(code, format!("expected {wanted} and found {}", describe(self.peek())))
    }

    fn need(&mut self, symbol: &str) -> Result<(), Fault> {
        if self.take(symbol) { Ok(()) } else { Err(self.expected("ParseExpectedTokenType", symbol)) }
    }

    fn need_word(&mut self, word: &str) -> Result<(), Fault> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected("ParseExpectedKeyword", word)) }
    }

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

    fn steps(&mut self) -> Result<Vec<Step>, Fault> {
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

    fn deeper(&mut self) -> Result<(), Fault> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            let message = format!("The expression has more than {OPERATORS_MAX} operators and brackets");
            return Err(Fault::new("ExpressionTooLong", message));
        }
        Ok(())
    }

    /// Operators that bind at least as strongly as `least`.
    fn expression(&mut self, least: u8) -> Result<Expr, Fault> {
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
    fn list(&mut self, end: &str) -> Result<Vec<Expr>, Fault> {
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

    fn case(&mut self) -> Result<Expr, Fault> {
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
    fn call(&mut self, name: &str) -> Result<Expr, Fault> {
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

const COMPARISON: u8 = 4;

fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
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

fn negated(test: Expr, not: bool) -> Expr {
    if not { Expr::Not(Box::new(test)) } else { test }
}

/// The last name of a path, or `_1`, `_2` … by its place.
fn own_name(expression: &Expr, place: usize) -> String {
    match expression {
        Expr::Path(steps) => match steps.last() {
            Some(Step::Name { name, .. }) => name.clone(),
            _ => format!("_{place}"),
        },
        _ => format!("_{place}"),
    }
}

/// What the rows are called, to be taken off the front of every path.
struct Names<'a> {
    alias: Option<&'a str>,
}

impl Names<'_> {
    fn is_row(&self, step: &Step) -> bool {
        let Step::Name { name, .. } = step else { return false };
        self.alias.unwrap_or("S3Object").eq_ignore_ascii_case(name) || name.eq_ignore_ascii_case("S3Object")
    }

    /// What is left of `s.*`.
    fn is_all(&self, steps: &[Step]) -> bool {
        steps == [Step::Each]
    }

    fn settle(&self, expression: &mut Expr) -> Result<(), Fault> {
        if let Expr::Path(steps) = expression {
            if self.is_row(&steps[0]) {
                steps.remove(0);
            }
            if steps.contains(&Step::Each) && !self.is_all(steps) {
                let message = "[*] stands behind S3Object only";
                return Err(Fault::new("UnsupportedSyntax", message));
            }
        }
        children(expression).try_for_each(|child| self.settle(child))
    }
}

fn has_path(expression: &Expr) -> bool {
    let mut expression = expression.clone();
    matches!(expression, Expr::Path(_)) || children(&mut expression).any(|child| has_path(child))
}

fn children(expression: &mut Expr) -> Box<dyn Iterator<Item = &mut Expr> + '_> {
    match expression {
        Expr::Literal(_) | Expr::Path(_) | Expr::Aggregate(_) => Box::new(std::iter::empty()),
        Expr::Not(one)
        | Expr::Negative(one)
        | Expr::IsNull(one)
        | Expr::IsMissing(one)
        | Expr::Cast(one, _) => Box::new(std::iter::once(&mut **one)),
        Expr::Binary(_, left, right) => Box::new([&mut **left, &mut **right].into_iter()),
        Expr::Like { text, pattern, escape } => {
            Box::new([&mut **text, &mut **pattern].into_iter().chain(escape.as_deref_mut()))
        }
        Expr::Between(one, low, high) => Box::new([&mut **one, &mut **low, &mut **high].into_iter()),
        Expr::In(one, list) => Box::new(std::iter::once(&mut **one).chain(list)),
        Expr::Call(_, list) => Box::new(list.iter_mut()),
        Expr::Case { operand, branches, otherwise } => Box::new(
            operand
                .as_deref_mut()
                .into_iter()
                .chain(branches.iter_mut().flat_map(|(when, then)| [when, then]))
                .chain(otherwise.as_deref_mut()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(expression: &str) -> &'static str {
        parse(expression).map_or_else(|fault| fault.code, |_| "OK")
    }

    fn condition(expression: &str) -> String {
        let query = parse(&format!("SELECT * FROM S3Object WHERE {expression}")).unwrap();
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
        let path = |expression: &str| match parse(expression).unwrap().projection {
            Projection::Columns(columns) => format!("{:?}", columns[0].expression),
            Projection::All => "all".to_owned(),
        };
        let bare = path("SELECT a.b FROM S3Object");
        assert_eq!(path("select S.a.b from s3object AS s"), bare);
        assert_eq!(path("select s3object.a.b from s3object s"), bare);
        assert_eq!(path("SELECT s.* FROM S3Object s"), "all");
        assert_eq!(path("SELECT * FROM S3Object[*] LIMIT 3"), "all");
        let nested = parse("SELECT x.id FROM S3Object[*].items[*] x").unwrap();
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
