//! COUNT, SUM, AVG, MIN and MAX over all rows that pass the condition.

use std::cmp::Ordering;

use super::Fault;
use super::eval::{Scope, arithmetic};
use super::syntax::{Aggregate, AggregateKind, Operator};
use super::value::Value;

pub struct Tally {
    kind: AggregateKind,
    count: i64,
    value: Value,
}

impl Tally {
    pub fn new(aggregate: &Aggregate) -> Self {
        Self { kind: aggregate.kind, count: 0, value: Value::Null }
    }

    /// Rows without a value count for nothing but COUNT(*).
    pub fn add(&mut self, aggregate: &Aggregate, scope: &Scope<'_>) -> Result<(), Fault> {
        let Some(argument) = &aggregate.argument else {
            self.count += 1;
            return Ok(());
        };
        let value = scope.eval(argument)?;
        if value.is_absent() {
            return Ok(());
        }
        self.count += 1;
        let better = |wanted: Ordering, value: &Value, best: &Value| {
            best.is_absent() || value.compare(best) == Some(wanted)
        };
        match self.kind {
            AggregateKind::Count => {}
            AggregateKind::Sum | AggregateKind::Average => {
                let zero = Value::Integer(0);
                let sum = if self.value.is_absent() { &zero } else { &self.value };
                self.value = arithmetic(Operator::Add, sum, &value)?;
            }
            AggregateKind::Least if better(Ordering::Less, &value, &self.value) => self.value = plain(value),
            AggregateKind::Greatest if better(Ordering::Greater, &value, &self.value) => {
                self.value = plain(value)
            }
            AggregateKind::Least | AggregateKind::Greatest => {}
        }
        Ok(())
    }

    pub fn result(&self) -> Value {
        match self.kind {
            AggregateKind::Count => Value::Integer(self.count),
            AggregateKind::Average if self.count > 0 => {
                self.value.float().map_or(Value::Null, |sum| Value::Float(sum / self.count as f64))
            }
            _ => self.value.clone(),
        }
    }
}

/// A text that is a number counts as one.
fn plain(value: Value) -> Value {
    value.number().unwrap_or(value)
}
