//! What an expression means, as a tree.

use super::timestamp::Part;
use super::value::{Type, Value};

#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub projection: Projection,
    /// Where the rows are, below each record of the object.
    pub from: Vec<Step>,
    pub condition: Option<Expr>,
    /// Of the rows that come out.
    pub limit: Option<u64>,
    pub aggregates: Vec<Aggregate>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Projection {
    All,
    Columns(Vec<Column>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub expression: Expr,
    /// What JSON calls it.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Name {
        name: String,
        /// In double quotes: its case counts.
        exact: bool,
    },
    Index(usize),
    /// Every element of a list.
    Each,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Join,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Literal(Value),
    Path(Vec<Step>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Like {
        text: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
    },
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    In(Box<Expr>, Vec<Expr>),
    IsNull(Box<Expr>),
    IsMissing(Box<Expr>),
    Cast(Box<Expr>, Type),
    Call(Function, Vec<Expr>),
    /// With or without a value that each branch is compared with.
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// An index into [`Query::aggregates`].
    Aggregate(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Lower,
    Upper,
    CharLength,
    Substring,
    /// The characters to take away are the second argument, where they are not blanks.
    Trim(Side),
    Coalesce,
    NullIf,
    DateAdd(Part),
    DateDiff(Part),
    Extract(Part),
    ToString,
    ToTimestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Both,
    Leading,
    Trailing,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub kind: AggregateKind,
    /// `None`: COUNT(*).
    pub argument: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateKind {
    Count,
    Sum,
    Average,
    Least,
    Greatest,
}
