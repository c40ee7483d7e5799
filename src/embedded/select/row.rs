//! Rows: fields of CSV by name or place, or a value of JSON.

use std::collections::HashMap;

use super::syntax::Step;
use super::value::Value;

/// The names in the first line of a CSV, and where they are.
#[derive(Debug, Default)]
pub struct Header {
    pub names: Vec<String>,
    exact: HashMap<String, usize>,
    folded: HashMap<String, usize>,
}

impl Header {
    /// Of columns with the same name the first counts.
    pub fn new(names: Vec<String>) -> Self {
        let (mut exact, mut folded) = (HashMap::new(), HashMap::new());
        for (at, name) in names.iter().enumerate() {
            exact.entry(name.clone()).or_insert(at);
            folded.entry(name.to_lowercase()).or_insert(at);
        }
        Self { names, exact, folded }
    }

    fn place(&self, name: &str, exact: bool) -> Option<usize> {
        if exact { self.exact.get(name).copied() } else { self.folded.get(&name.to_lowercase()).copied() }
    }
}

pub enum Row<'a> {
    Csv { fields: &'a [String], header: Option<&'a Header> },
    Json(&'a Value),
}

/// `_3` is the third.
fn by_place(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('_').filter(|digits| !digits.starts_with(['0', '+']))?;
    digits.parse::<usize>().ok()?.checked_sub(1)
}

impl Row<'_> {
    pub fn get(&self, steps: &[Step]) -> Value {
        match self {
            Self::Json(value) => below(value, steps).cloned().unwrap_or(Value::Missing),
            Self::Csv { fields, header } => {
                let [Step::Name { name, exact }] = steps else { return Value::Missing };
                let named = header.and_then(|header| header.place(name, *exact));
                let place = named.or_else(|| by_place(name));
                place.and_then(|at| fields.get(at)).map_or(Value::Missing, |field| Value::Text(field.clone()))
            }
        }
    }

    /// Names and values of all columns.
    pub fn columns(&self) -> Vec<(String, Value)> {
        match self {
            Self::Json(Value::Tuple(pairs)) => pairs.clone(),
            Self::Json(value) => vec![("_1".to_owned(), (*value).clone())],
            Self::Csv { fields, header } => {
                let name = |at: usize| header.and_then(|header| header.names.get(at)).cloned();
                let named = |(at, field): (usize, &String)| {
                    (name(at).unwrap_or_else(|| format!("_{}", at + 1)), Value::Text(field.clone()))
                };
                fields.iter().enumerate().map(named).collect()
            }
        }
    }
}

fn below<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    let Some((first, rest)) = steps.split_first() else { return Some(value) };
    let inner = match (first, value) {
        (Step::Name { name, exact }, Value::Tuple(pairs)) => {
            let found = pairs.iter().find(|(key, _)| key == name);
            let folded = || pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).filter(|_| !exact);
            &found.or_else(folded)?.1
        }
        // A row that is no object is its own only column.
        (Step::Name { name, .. }, value) if name == "_1" => value,
        (Step::Index(at), Value::List(list)) => list.get(*at)?,
        _ => return None,
    };
    below(inner, rest)
}

/// The rows of one record: what lies where FROM points to.
pub fn rows_of<'v>(record: &'v Value, from: &[Step], visit: &mut dyn FnMut(&'v Value) -> bool) -> bool {
    let Some((first, rest)) = from.split_first() else { return visit(record) };
    match (first, record) {
        (Step::Each, Value::List(list)) => list.iter().all(|element| rows_of(element, rest, visit)),
        (Step::Each, value) => rows_of(value, rest, visit),
        (step, value) => match below(value, std::slice::from_ref(step)) {
            Some(inner) => rows_of(inner, rest, visit),
            None => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_and_by_place() {
        let header = Header::new(["id", "Name", "id"].map(str::to_owned).to_vec());
        let fields = ["1", "x", "2", "more"].map(str::to_owned);
        let row = Row::Csv { fields: &fields, header: Some(&header) };
        let get = |name: &str, exact| row.get(&[Step::Name { name: name.into(), exact }]).to_text();
        assert_eq!(
            (get("NAME", false), get("id", true), get("name", true)),
            ("x".into(), "1".into(), String::new())
        );
        assert_eq!(
            (get("_4", false), get("_5", false), get("_0", false)),
            ("more".into(), String::new(), String::new())
        );
        let names: Vec<String> = row.columns().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["id", "Name", "id", "_4"]);
    }

    #[test]
    fn from_points_below_a_record() {
        let record: Value = serde_json::from_str(r#"{"a": [{"b": [1, 2]}, {"b": [3]}, {}]}"#).unwrap();
        let name = |name: &str| Step::Name { name: name.into(), exact: false };
        let rows = |from: &[Step]| {
            let mut found = Vec::new();
            rows_of(&record, from, &mut |row| {
                found.push(row.to_json());
                true
            });
            found
        };
        assert_eq!(rows(&[name("a"), Step::Each, name("b"), Step::Each]), ["1", "2", "3"]);
        assert_eq!(rows(&[name("a"), Step::Index(0)]), [r#"{"b":[1,2]}"#]);
        assert_eq!(rows(&[name("x")]), [""; 0]);
    }
}
