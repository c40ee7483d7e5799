//! Values of rows and expressions: those of JSON, in the order in which they were written, and what is missing.

use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Fault;
use super::timestamp::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The row has no such column.
    Missing,
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Timestamp(Timestamp),
    List(Vec<Value>),
    Tuple(Vec<(String, Value)>),
}

/// What CAST makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Integer,
    Float,
    Text,
    Bool,
    Timestamp,
}

impl Type {
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "INT" | "INTEGER" => Self::Integer,
            "FLOAT" | "DECIMAL" | "NUMERIC" | "REAL" | "DOUBLE" => Self::Float,
            "STRING" | "CHAR" | "VARCHAR" => Self::Text,
            "BOOL" | "BOOLEAN" => Self::Bool,
            "TIMESTAMP" => Self::Timestamp,
            _ => return None,
        })
    }
}

impl Value {
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Missing | Self::Null)
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Null => "NULL",
            Self::Bool(_) => "BOOL",
            Self::Integer(_) => "INT",
            Self::Float(_) => "FLOAT",
            Self::Text(_) => "STRING",
            Self::Timestamp(_) => "TIMESTAMP",
            Self::List(_) => "LIST",
            Self::Tuple(_) => "STRUCT",
        }
    }

    /// As a number, if it is one or is written like one: all fields of CSV are texts.
    pub fn number(&self) -> Option<Value> {
        match self {
            Self::Integer(_) | Self::Float(_) => Some(self.clone()),
            Self::Text(text) => {
                let text = text.trim();
                let integer = text.parse().ok().map(Self::Integer);
                integer.or_else(|| text.parse().ok().filter(|float: &f64| float.is_finite()).map(Self::Float))
            }
            _ => None,
        }
    }

    pub fn float(&self) -> Option<f64> {
        match self.number()? {
            Self::Integer(integer) => Some(integer as f64),
            Self::Float(float) => Some(float),
            _ => None,
        }
    }

    /// As a moment, if it is one or is written like one.
    pub fn moment(&self) -> Option<Timestamp> {
        match self {
            Self::Timestamp(moment) => Some(*moment),
            Self::Text(text) => Timestamp::parse(text.trim()),
            _ => None,
        }
    }

    /// How two values compare; `None` where they do not, and where one is absent. A number and a text compare as
    /// numbers if the text is one, and so do moments.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (Self::Bool(one), Self::Bool(other)) => Some(one.cmp(other)),
            (Self::Bool(one), Self::Text(text)) => text.parse().ok().map(|other| one.cmp(&other)),
            (Self::Timestamp(one), _) => one.partial_cmp(&other.moment()?),
            (Self::Text(_), Self::Bool(_) | Self::Timestamp(_)) => other.compare(self).map(Ordering::reverse),
            (Self::List(_), Self::List(_)) | (Self::Tuple(_), Self::Tuple(_)) => {
                (self == other).then_some(Ordering::Equal)
            }
            _ => match (self.number()?, other.number()?) {
                (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(&other)),
                (one, other) => one.float()?.partial_cmp(&other.float()?),
            },
        }
    }

    /// As a condition sees it.
    pub fn truth(&self) -> Result<Option<bool>, Fault> {
        match self {
            Self::Missing | Self::Null => Ok(None),
            Self::Bool(truth) => Ok(Some(*truth)),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            other => Err(Fault::new("InvalidDataType", format!("{} is no condition", other.kind()))),
        }
    }

    /// The text of a text, or the fault of a function that wants one.
    pub fn text(&self, function: &str) -> Result<&str, Fault> {
        match self {
            Self::Text(text) => Ok(text),
            other => {
                let message = format!("{function} takes a STRING, not {}", other.kind());
                Err(Fault::new("IncorrectSqlFunctionArgumentType", message))
            }
        }
    }

    pub fn cast(self, kind: Type) -> Result<Self, Fault> {
        if self.is_absent() {
            return Ok(self);
        }
        let cast = match (kind, &self) {
            (Type::Integer, Self::Bool(truth)) => Some(Self::Integer(i64::from(*truth))),
            (Type::Integer, _) => self.number().map(|number| match number {
                Self::Float(float) => Self::Integer(float as i64),
                integer => integer,
            }),
            (Type::Float, _) => self.float().map(Self::Float),
            (Type::Text, _) => Some(Self::Text(self.to_text())),
            (Type::Bool, Self::Bool(_)) => Some(self.clone()),
            (Type::Bool, Self::Text(text)) if text.eq_ignore_ascii_case("true") => Some(Self::Bool(true)),
            (Type::Bool, Self::Text(text)) if text.eq_ignore_ascii_case("false") => Some(Self::Bool(false)),
            (Type::Bool, Self::Integer(number)) => Some(Self::Bool(*number != 0)),
            (Type::Timestamp, _) => self.moment().map(Self::Timestamp),
            (Type::Bool, _) => None,
        };
        cast.ok_or_else(|| {
            let message = format!("{} cannot be cast to {kind:?}", self.to_json());
            Fault::new("CastFailed", message)
        })
    }

    /// As a field of CSV.
    pub fn to_text(&self) -> String {
        match self {
            Self::Missing | Self::Null => String::new(),
            Self::Text(text) => text.clone(),
            Self::Timestamp(moment) => moment.to_string(),
            other => other.to_json(),
        }
    }

    pub fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    pub fn write_json(&self, json: &mut String) {
        match self {
            Self::Missing | Self::Null => json.push_str("null"),
            Self::Bool(truth) => json.push_str(if *truth { "true" } else { "false" }),
            Self::Integer(integer) => json.push_str(&integer.to_string()),
            Self::Float(float) if float.is_finite() => json.push_str(&float.to_string()),
            Self::Float(_) => json.push_str("null"),
            Self::Text(text) => write_text(text, json),
            Self::Timestamp(moment) => write_text(&moment.to_string(), json),
            Self::List(list) => {
                json.push('[');
                for (at, value) in list.iter().enumerate() {
                    json.push_str(if at > 0 { "," } else { "" });
                    value.write_json(json);
                }
                json.push(']');
            }
            Self::Tuple(pairs) => write_tuple(pairs.iter().map(|(name, value)| (name.as_str(), value)), json),
        }
    }
}

/// Without what is missing.
pub fn write_tuple<'v>(pairs: impl Iterator<Item = (&'v str, &'v Value)>, json: &mut String) {
    json.push('{');
    let mut first = true;
    for (name, value) in pairs.filter(|(_, value)| **value != Value::Missing) {
        json.push_str(if std::mem::take(&mut first) { "" } else { "," });
        write_text(name, json);
        json.push(':');
        value.write_json(json);
    }
    json.push('}');
}

fn write_text(text: &str, json: &mut String) {
    // Texts can always be written.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Json)
    }
}

struct Json;

impl<'de> Visitor<'de> for Json {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or(Value::Float(number as f64), Value::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Value::Tuple(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn json_comes_back_as_it_was() {
        for json in [r#"{"b":1,"a":[true,null,-2.5,"x\"\u0001"],"c":{}}"#, "[]", "18446744073709552000", "3"]
        {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(value.to_json(), json);
        }
    }

    #[test]
    fn numbers_compare_with_texts_that_are_numbers() {
        use Ordering::{Equal, Greater, Less};
        let cases = [
            (Value::Integer(2), text("10"), Some(Less)),
            (text("10"), Value::Float(2.5), Some(Greater)),
            (text("10"), text("2"), Some(Less)),
            (text("x"), Value::Integer(1), None),
            (Value::Integer(1), Value::Float(1.0), Some(Equal)),
            (Value::Null, Value::Null, None),
            (Value::Bool(true), text("true"), Some(Equal)),
            (text("false"), Value::Bool(true), Some(Less)),
        ];
        for (one, other, expected) in cases {
            assert_eq!(one.compare(&other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn casts_that_cannot_be_have_failed() {
        assert_eq!(text(" 12 ").cast(Type::Integer), Ok(Value::Integer(12)));
        assert_eq!(text("1.9").cast(Type::Integer), Ok(Value::Integer(1)));
        assert_eq!(Value::Integer(3).cast(Type::Float), Ok(Value::Float(3.0)));
        assert_eq!(Value::Float(3.0).cast(Type::Text), Ok(text("3")));
        assert_eq!(text("TRUE").cast(Type::Bool), Ok(Value::Bool(true)));
        assert_eq!(Value::Null.cast(Type::Integer), Ok(Value::Null));
        assert_eq!(text("abc").cast(Type::Integer).unwrap_err().code, "CastFailed");
        assert_eq!(text("maybe").cast(Type::Bool).unwrap_err().code, "CastFailed");
    }
}
