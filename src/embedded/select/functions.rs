//! Functions of SQL over values that are there.

use super::Fault;
use super::pattern::written;
use super::syntax::{Function, Side};
use super::timestamp::Timestamp;
use super::value::{Type, Value};

/// As many values as the parser lets through; of what is absent nothing is known.
pub fn apply(function: Function, values: &[Value]) -> Result<Value, Fault> {
    if values.iter().any(Value::is_absent) {
        return Ok(Value::Null);
    }
    Ok(match function {
        Function::Lower => Value::Text(values[0].text("LOWER")?.to_lowercase()),
        Function::Upper => Value::Text(values[0].text("UPPER")?.to_uppercase()),
        Function::CharLength => {
            let count = values[0].text("CHAR_LENGTH")?.chars().count();
            Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
        }
        Function::Substring => substring(values)?,
        Function::Trim(side) => trim(side, values)?,
        Function::DateAdd(part) => match values[0].number() {
            Some(Value::Integer(quantity)) => Value::Timestamp(moment(&values[1])?.add(part, quantity)?),
            _ => return Err(wrong_argument("DATE_ADD adds whole numbers")),
        },
        Function::DateDiff(part) => Value::Integer(moment(&values[0])?.until(moment(&values[1])?, part)),
        Function::Extract(part) => Value::Integer(moment(&values[0])?.part(part)),
        Function::ToString => Value::Text(written(moment(&values[0])?, values[1].text("TO_STRING")?)?),
        Function::ToTimestamp => values[0].clone().cast(Type::Timestamp)?,
        Function::Coalesce | Function::NullIf => Value::Null,
    })
}

fn wrong_argument(message: impl Into<String>) -> Fault {
    Fault::new("IncorrectSqlFunctionArgumentType", message)
}

fn moment(value: &Value) -> Result<Timestamp, Fault> {
    value.moment().ok_or_else(|| wrong_argument(format!("{} is no TIMESTAMP", value.to_json())))
}

/// From the place `start`, which counts from 1 and may lie before the text.
fn substring(values: &[Value]) -> Result<Value, Fault> {
    let text = values[0].text("SUBSTRING")?;
    let number = |at: usize| {
        values.get(at).map(|value| match value.number() {
            Some(Value::Integer(number)) => Ok(number),
            _ => Err(wrong_argument("SUBSTRING counts in whole numbers")),
        })
    };
    let start = number(1).transpose()?.unwrap_or(1);
    let end = match number(2).transpose()? {
        Some(length) if length < 0 => {
            return Err(Fault::new("EvaluatorInvalidArguments", "the length of SUBSTRING is negative"));
        }
        Some(length) => start.saturating_add(length),
        None => i64::MAX,
    };
    let place = |at: i64| usize::try_from(at.max(1) - 1).unwrap_or(usize::MAX);
    let kept = text.chars().skip(place(start)).take(place(end).saturating_sub(place(start)));
    Ok(Value::Text(kept.collect()))
}

fn trim(side: Side, values: &[Value]) -> Result<Value, Fault> {
    let text = values[0].text("TRIM")?;
    let letters = values.get(1).map(|letters| letters.text("TRIM")).transpose()?.unwrap_or(" ");
    let off = |c: char| letters.contains(c);
    let text = if side == Side::Trailing { text } else { text.trim_start_matches(off) };
    let text = if side == Side::Leading { text } else { text.trim_end_matches(off) };
    Ok(Value::Text(text.to_owned()))
}
