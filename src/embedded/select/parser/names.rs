//! What the rows and columns are called.

use super::super::Fault;
use super::super::syntax::{Expr, Step};

/// The last name of a path, or `_1`, `_2` … by its place.
pub fn own_name(expression: &Expr, place: usize) -> String {
    match expression {
        Expr::Path(steps) => match steps.last() {
            Some(Step::Name { name, .. }) => name.clone(),
            _ => format!("_{place}"),
        },
        _ => format!("_{place}"),
    }
}

/// What the rows are called, to be taken off the front of every path.
pub struct Names<'a> {
    pub alias: Option<&'a str>,
}

impl Names<'_> {
    fn is_row(&self, step: &Step) -> bool {
        let Step::Name { name, .. } = step else { return false };
        self.alias.unwrap_or("S3Object").eq_ignore_ascii_case(name) || name.eq_ignore_ascii_case("S3Object")
    }

    /// What is left of `s.*`.
    pub fn is_all(&self, steps: &[Step]) -> bool {
        steps == [Step::Each]
    }

    pub fn settle(&self, expression: &mut Expr) -> Result<(), Fault> {
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

pub fn has_path(expression: &Expr) -> bool {
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
