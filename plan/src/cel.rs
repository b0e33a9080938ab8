//! A small evaluator of the Common Expression Language (cel-spec, langdef.md) for policies: parsed once, checked against a schema,
//! evaluated on borrowed values with a count of steps.
//!
//! It is our own because an expression comes from a manifest: it must not be able to exhaust the stack, the memory or the
//! time of whoever plans, must say where it is wrong, and must give the same verdict everywhere. Nothing here knows mail. What of
//! CEL is left out: bytes, unsigned numbers, messages, optional values and types as values; a test holds the rest against
//! another implementation.

mod call;
mod check;
mod eval;
mod lex;
mod number;
mod parse;
mod regex;
mod types;
mod value;

pub(crate) use check::{Signature, World, check};
pub(crate) use eval::{Evaluation, Host, evaluate};
pub(crate) use parse::parse;
pub(crate) use types::Type;
pub(crate) use value::Value;

/// The deepest nesting of an expression: more than anybody reads, and little for a stack of one mebibyte.
pub(crate) const MAX_DEPTH: usize = 48;

/// The most steps of one evaluation, a tenth of a second at worst: a step is a node of the expression that is looked at, an
/// element that is compared, or [`TEXT_STEP`] bytes of text that are read or made.
pub(crate) const MAX_STEPS: u64 = 100_000;

/// Bytes of text that cost one step.
pub(crate) const TEXT_STEP: usize = 32;

/// The longest text that an expression may make: longer than any field of a manifest.
pub(crate) const MAX_TEXT: usize = 64 * 1024;

/// A place in an expression, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: At,
    pub(crate) message: String,
    /// Nothing makes up for it: the steps are used up.
    pub(crate) fatal: bool,
}

impl Fault {
    pub(crate) fn new(at: At, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), fatal: false }
    }
}

/// On one line it is told by its column alone.
impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at {
            At { line: 1, column } => write!(f, "at character {column}: {}", self.message),
            At { line, column } => write!(f, "at line {line}, character {column}: {}", self.message),
        }
    }
}

/// A parsed expression.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) at: At,
    pub(crate) node: Node,
    /// Its own and those of what is in it.
    depth: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Name(String),
    Select {
        of: Box<Expr>,
        field: String,
    },
    Has {
        of: Box<Expr>,
        field: String,
    },
    Index {
        of: Box<Expr>,
        index: Box<Expr>,
    },
    Call {
        name: String,
        of: Option<Box<Expr>>,
        args: Vec<Expr>,
    },
    Matches {
        of: Box<Expr>,
        pattern: regex::Pattern,
    },
    Not(Box<Expr>),
    Minus(Box<Expr>),
    Binary {
        op: Op,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// All of them, or any of them; flat, so that a long list of conditions is not deep.
    Every(Vec<Expr>),
    Any(Vec<Expr>),
    If {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Fold(Box<Fold>),
}

/// One of the macros that look at every element.
#[derive(Debug, Clone)]
pub(crate) struct Fold {
    pub(crate) kind: FoldKind,
    pub(crate) range: Expr,
    pub(crate) variable: String,
    /// Which elements `map` with three arguments takes.
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoldKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

impl Op {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Op::Add => "+",
            Op::Subtract => "-",
            Op::Multiply => "*",
            Op::Divide => "/",
            Op::Remainder => "%",
            Op::Equal => "==",
            Op::NotEqual => "!=",
            Op::Less => "<",
            Op::LessEqual => "<=",
            Op::Greater => ">",
            Op::GreaterEqual => ">=",
            Op::In => "in",
        }
    }
}

impl Expr {
    /// The way to a value as it is written, where it is nothing but names and fields: `object.spec.quota`.
    pub(crate) fn path(&self) -> Option<String> {
        match &self.node {
            Node::Name(name) => Some(name.clone()),
            Node::Select { of, field } => Some(format!("{}.{field}", of.path()?)),
            Node::Index { of, index } => match &index.node {
                Node::Text(key) => Some(format!("{}['{key}']", of.path()?)),
                Node::Int(number) => Some(format!("{}[{number}]", of.path()?)),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
