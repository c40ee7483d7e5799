//! Expressions over one row. What is absent stays absent through operators, and a comparison with it is neither
//! true nor false.

use std::cmp::Ordering;

use super::Fault;
use super::functions::apply;
use super::like::{matches, parts};
use super::row::Row;
use super::syntax::{Expr, Function, Operator};
use super::value::Value;

/// What an expression may look at.
pub struct Scope<'a> {
    pub row: &'a Row<'a>,
    /// What the aggregates came to, at the end.
    pub aggregates: &'a [Value],
}

fn truth(known: Option<bool>) -> Value {
    known.map_or(Value::Null, Value::Bool)
}

impl Scope<'_> {
    pub fn eval(&self, expression: &Expr) -> Result<Value, Fault> {
        Ok(match expression {
            Expr::Literal(value) => value.clone(),
            Expr::Path(steps) => self.row.get(steps),
            Expr::Aggregate(at) => self.aggregates.get(*at).cloned().unwrap_or(Value::Null),
            Expr::Not(one) => truth(self.eval(one)?.truth()?.map(|truth| !truth)),
            Expr::Negative(one) => arithmetic(Operator::Subtract, &Value::Integer(0), &self.eval(one)?)?,
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right)?,
            Expr::Like { text, pattern, escape } => self.like(text, pattern, escape.as_deref())?,
            Expr::Between(one, low, high) => {
                let (one, low, high) = (self.eval(one)?, self.eval(low)?, self.eval(high)?);
                let above = one.compare(&low).map(Ordering::is_ge);
                let below = one.compare(&high).map(Ordering::is_le);
                truth(both(above, below))
            }
            Expr::In(one, list) => self.is_in(one, list)?,
            Expr::IsNull(one) => Value::Bool(self.eval(one)?.is_absent()),
            Expr::IsMissing(one) => Value::Bool(self.eval(one)? == Value::Missing),
            Expr::Cast(one, kind) => self.eval(one)?.cast(*kind)?,
            Expr::Call(function, arguments) => self.call(*function, arguments)?,
            Expr::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())?
            }
        })
    }

    fn binary(&self, operator: Operator, left: &Expr, right: &Expr) -> Result<Value, Fault> {
        let left = self.eval(left)?;
        // The right side of a decided AND or OR is not looked at.
        match (operator, if matches!(operator, Operator::And | Operator::Or) { left.truth()? } else { None })
        {
            (Operator::And, Some(false)) => return Ok(Value::Bool(false)),
            (Operator::Or, Some(true)) => return Ok(Value::Bool(true)),
            _ => {}
        }
        let right = self.eval(right)?;
        let compared = |holds: fn(Ordering) -> bool| truth(left.compare(&right).map(holds));
        Ok(match operator {
            Operator::And => truth(both(left.truth()?, right.truth()?)),
            Operator::Or => {
                let neither = both(left.truth()?.map(|it| !it), right.truth()?.map(|it| !it));
                truth(neither.map(|neither| !neither))
            }
            Operator::Equal => truth(equal(&left, &right)),
            Operator::NotEqual => truth(equal(&left, &right).map(|equal| !equal)),
            Operator::Less => compared(Ordering::is_lt),
            Operator::LessOrEqual => compared(Ordering::is_le),
            Operator::Greater => compared(Ordering::is_gt),
            Operator::GreaterOrEqual => compared(Ordering::is_ge),
            Operator::Join if left.is_absent() || right.is_absent() => Value::Null,
            Operator::Join => Value::Text(left.to_text() + &right.to_text()),
            _ => arithmetic(operator, &left, &right)?,
        })
    }

    fn is_in(&self, one: &Expr, list: &[Expr]) -> Result<Value, Fault> {
        let one = self.eval(one)?;
        let mut unknown = one.is_absent();
        for candidate in list {
            match equal(&one, &self.eval(candidate)?) {
                Some(true) => return Ok(Value::Bool(true)),
                Some(false) => {}
                None => unknown = true,
            }
        }
        Ok(truth((!unknown).then_some(false)))
    }

    fn like(&self, text: &Expr, pattern: &Expr, escape: Option<&Expr>) -> Result<Value, Fault> {
        let (text, pattern) = (self.eval(text)?, self.eval(pattern)?);
        if text.is_absent() || pattern.is_absent() {
            return Ok(Value::Null);
        }
        let wrong = |what: &str| Fault::new("LikeInvalidInputs", format!("{what} of LIKE is no string"));
        let Value::Text(pattern) = &pattern else { return Err(wrong("the pattern")) };
        let escape = match escape.map(|escape| self.eval(escape)).transpose()? {
            None => None,
            Some(Value::Text(text)) if text.chars().count() == 1 => text.chars().next(),
            Some(_) => return Err(wrong("the escape character")),
        };
        Ok(Value::Bool(matches(&text.to_text(), &parts(pattern, escape))))
    }

    fn case(
        &self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Value, Fault> {
        let operand = operand.map(|operand| self.eval(operand)).transpose()?;
        for (when, then) in branches {
            let when = self.eval(when)?;
            let taken = match &operand {
                Some(operand) => equal(operand, &when),
                None => when.truth()?,
            };
            if taken == Some(true) {
                return self.eval(then);
            }
        }
        otherwise.map_or(Ok(Value::Null), |otherwise| self.eval(otherwise))
    }

    fn call(&self, function: Function, arguments: &[Expr]) -> Result<Value, Fault> {
        if function == Function::Coalesce {
            for argument in arguments {
                let value = self.eval(argument)?;
                if !value.is_absent() {
                    return Ok(value);
                }
            }
            return Ok(Value::Null);
        }
        let values = arguments.iter().map(|argument| self.eval(argument)).collect::<Result<Vec<_>, _>>()?;
        if function == Function::NullIf {
            let same = equal(&values[0], &values[1]) == Some(true);
            return Ok(if same { Value::Null } else { values[0].clone() });
        }
        apply(function, &values)
    }
}

fn equal(left: &Value, right: &Value) -> Option<bool> {
    if left.is_absent() || right.is_absent() {
        return None;
    }
    // What cannot be compared is not the same.
    Some(left.compare(right) == Some(Ordering::Equal))
}

fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

pub fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, Fault> {
    if left.is_absent() || right.is_absent() {
        return Ok(Value::Null);
    }
    let (Some(one), Some(other)) = (left.number(), right.number()) else {
        let message = format!("{} and {} are not both numbers", left.to_json(), right.to_json());
        return Err(Fault::new("InvalidDataType", message));
    };
    let by_nothing = matches!(operator, Operator::Divide | Operator::Remainder) && other.float() == Some(0.0);
    if by_nothing {
        return Err(Fault::new("EvaluatorInvalidArguments", "division by zero"));
    }
    if let (Value::Integer(one), Value::Integer(other)) = (&one, &other) {
        let exact = match operator {
            Operator::Add => one.checked_add(*other),
            Operator::Subtract => one.checked_sub(*other),
            Operator::Multiply => one.checked_mul(*other),
            Operator::Divide => one.checked_div(*other),
            _ => one.checked_rem(*other),
        };
        // Beyond 64 bits it goes on in floating point.
        if let Some(exact) = exact {
            return Ok(Value::Integer(exact));
        }
    }
    let (one, other) = (one.float().unwrap_or_default(), other.float().unwrap_or_default());
    Ok(Value::Float(match operator {
        Operator::Add => one + other,
        Operator::Subtract => one - other,
        Operator::Multiply => one * other,
        Operator::Divide => one / other,
        _ => one % other,
    }))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::embedded::select::parser::parse;
    use crate::embedded::select::syntax::Projection;

    const ROW: &str =
        r#"{"n": 5, "t": " Tea ", "z": null, "o": {"k": [1, {"x": "deep"}]}, "b": true, "d": "2.5"}"#;

    fn eval(expression: &str) -> String {
        let value: Value = serde_json::from_str(ROW).unwrap();
        let query = parse(&format!("SELECT {expression} FROM S3Object s"), SystemTime::UNIX_EPOCH).unwrap();
        let Projection::Columns(columns) = query.projection else { panic!("{expression}") };
        let scope = Scope { row: &Row::Json(&value), aggregates: &[] };
        match scope.eval(&columns[0].expression) {
            Ok(Value::Missing) => "missing".to_owned(),
            Ok(value) => value.to_json(),
            Err(fault) => fault.code.to_owned(),
        }
    }

    #[test]
    fn expressions_have_values() {
        let cases = [
            ("n + 1", "6"),
            ("n / 2", "2"),
            ("n / 2.0", "2.5"),
            ("-n % 3", "-2"),
            ("d * 2", "5"),
            ("n / 0", "EvaluatorInvalidArguments"),
            ("t + 1", "InvalidDataType"),
            ("z + 1", "null"),
            ("9223372036854775807 + 1", "9223372036854776000"),
            ("s.o.k[1].x", "\"deep\""),
            ("s.o['k'][0]", "1"),
            ("s.O.K[0]", "1"),
            ("s.\"O\".k", "missing"),
            ("nothing", "missing"),
            ("n > 4 AND d < 3", "true"),
            ("z = 1", "null"),
            ("z = 1 OR b", "true"),
            ("z = 1 AND NOT b", "false"),
            ("z IS NULL", "true"),
            ("nothing IS MISSING", "true"),
            ("z IS MISSING", "false"),
            ("n IS NOT NULL", "true"),
            ("n BETWEEN 5 AND 6", "true"),
            ("n NOT BETWEEN 6 AND 7", "true"),
            ("n IN (1, 5)", "true"),
            ("n IN (1, 'x')", "false"),
            ("n IN (1, NULL)", "null"),
            ("n NOT IN (1, 2)", "true"),
            ("LOWER(t) || '!'", "\" tea !\""),
            ("TRIM(t)", "\"Tea\""),
            ("TRIM(LEADING FROM t)", "\"Tea \""),
            ("TRIM(TRAILING 'a ' FROM t)", "\" Te\""),
            ("CHAR_LENGTH('söß')", "3"),
            ("CHAR_LENGTH(n)", "IncorrectSqlFunctionArgumentType"),
            ("SUBSTRING('abcdef', 2, 3)", "\"bcd\""),
            ("SUBSTRING('abcdef' FROM 3)", "\"cdef\""),
            ("SUBSTRING('abcdef' FROM -1 FOR 4)", "\"ab\""),
            ("SUBSTRING('abc' FROM 9)", "\"\""),
            ("SUBSTRING('abc', 1, -1)", "EvaluatorInvalidArguments"),
            ("COALESCE(z, nothing, 7)", "7"),
            ("NULLIF(n, 5)", "null"),
            ("NULLIF(n, 6)", "5"),
            ("CAST('12' AS INT) + CAST(d AS FLOAT)", "14.5"),
            ("CAST('x' AS INT)", "CastFailed"),
            ("CASE WHEN n > 9 THEN 'big' WHEN n > 3 THEN 'some' ELSE 'few' END", "\"some\""),
            ("CASE n WHEN 4 THEN 'four' END", "null"),
            ("n = 'x'", "false"),
            ("NOT n", "InvalidDataType"),
            ("UTCNOW()", "\"1970-01-01T00:00:00.000Z\""),
            ("DATE_ADD(month, n, `2010T`)", "\"2010-06T\""),
            ("DATE_ADD(day, 1, '2010-01-31')", "\"2010-02-01\""),
            ("DATE_ADD(day, 1.5, `2010T`)", "IncorrectSqlFunctionArgumentType"),
            ("DATE_ADD(day, 1, t)", "IncorrectSqlFunctionArgumentType"),
            ("DATE_ADD(day, 1, z)", "null"),
            ("DATE_DIFF(year, `2010T`, `2013-05T`)", "3"),
            ("EXTRACT(TIMEZONE_HOUR FROM `2017-01-02T03:04:05+07:08`)", "7"),
            ("EXTRACT(YEAR FROM UTCNOW())", "1970"),
            ("TO_STRING(`1969-07-20T20:18Z`, 'y-MM-dd''T''H:m:ssX')", "\"1969-07-20T20:18:00Z\""),
            ("TO_TIMESTAMP('2007-02T')", "\"2007-02T\""),
            ("TO_TIMESTAMP('soon')", "CastFailed"),
            ("CAST('2007T' AS TIMESTAMP) < `2007-02T`", "true"),
            ("CAST(`2007-02T` AS STRING)", "\"2007-02T\""),
            ("`2010-01-01T01:00+01:00` = `2010T`", "true"),
            ("'2010-01-02' > `2010T`", "true"),
            ("`2010T` + 1", "InvalidDataType"),
        ];
        for (expression, expected) in cases {
            assert_eq!(eval(expression), expected, "{expression}");
        }
    }

    #[test]
    fn patterns_match_whole_texts() {
        let cases = [
            ("'abc' LIKE 'a%'", "true"),
            ("'abc' LIKE '%b%'", "true"),
            ("'abc' LIKE '_b_'", "true"),
            ("'abc' LIKE 'b'", "false"),
            ("'abc' LIKE '%'", "true"),
            ("'' LIKE '%'", "true"),
            ("'' LIKE '_'", "false"),
            ("'a%c' LIKE 'a\\%c' ESCAPE '\\'", "true"),
            ("'abc' LIKE 'a\\%c' ESCAPE '\\'", "false"),
            ("'aXbXc' LIKE 'a%X_'", "true"),
            ("'abc' NOT LIKE 'x%'", "true"),
            ("z LIKE 'x'", "null"),
            ("'a' LIKE 5", "LikeInvalidInputs"),
            ("'a' LIKE 'a' ESCAPE 'ab'", "LikeInvalidInputs"),
        ];
        for (expression, expected) in cases {
            assert_eq!(eval(expression), expected, "{expression}");
        }
    }
}
