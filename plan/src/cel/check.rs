//! Checking an expression before any object is there: names, fields and functions that do not exist, values of types that
//! cannot go together. What only an object can tell stays open.

use super::call::FUNCTIONS;
use super::types::Type;
use super::{At, Expr, Fault, Fold, FoldKind, Node, Op};
use crate::universe::nearest;

/// What a function takes and gives. Of a method the first parameter is what it is called on.
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) method: bool,
    pub(crate) takes: &'static [Type],
    pub(crate) gives: Type,
}

/// The variables and functions beside those of the language.
pub(crate) struct World<'w> {
    pub(crate) variables: &'w [(&'static str, Type)],
    pub(crate) functions: &'w [Signature],
}

/// The type of an expression, or the first thing that is wrong with it.
pub(crate) fn check(expression: &Expr, world: &World<'_>) -> Result<Type, Fault> {
    Checker { world, scope: Vec::new() }.type_of(expression)
}

struct Checker<'e, 'w> {
    world: &'w World<'w>,
    scope: Vec<(&'e str, Type)>,
}

type Found = Result<Type, Fault>;

impl<'e> Checker<'e, '_> {
    fn type_of(&mut self, it: &'e Expr) -> Found {
        match &it.node {
            Node::Null => Ok(Type::Null),
            Node::Bool(_) => Ok(Type::Bool),
            Node::Int(_) => Ok(Type::Int),
            Node::Double(_) => Ok(Type::Double),
            Node::Text(_) => Ok(Type::Text),
            Node::Name(name) => self.name(it.at, name),
            Node::Select { of, field } => self.field(it.at, of, field),
            Node::Has { of, field } => self.field(it.at, of, field).map(|_| Type::Bool),
            Node::Index { of, index } => self.index(it.at, of, index),
            Node::Call { name, of, args } => self.call(it.at, name, of.as_deref(), args),
            Node::Matches { of, .. } => {
                self.wants(of, &Type::Text, "matches looks at a text").map(|()| Type::Bool)
            }
            Node::Not(of) => self.truth(of),
            Node::Minus(of) => match self.type_of(of)? {
                kind @ (Type::Int | Type::Double | Type::Any) => Ok(kind),
                other => Err(Fault::new(it.at, format!("{} has no negative", other.what()))),
            },
            Node::Binary { op, left, right } => self.binary(it.at, *op, left, right),
            Node::Every(parts) | Node::Any(parts) => {
                parts.iter().try_for_each(|part| self.truth(part).map(drop)).map(|()| Type::Bool)
            }
            Node::If { condition, then, otherwise } => {
                self.truth(condition)?;
                let (then, otherwise) = (self.type_of(then)?, self.type_of(otherwise)?);
                Ok(if then.same(&otherwise) { Type::one_of(vec![then, otherwise]) } else { Type::Any })
            }
            Node::List(parts) => {
                let items: Result<Vec<Type>, Fault> = parts.iter().map(|part| self.type_of(part)).collect();
                Ok(Type::List(Type::one_of(items?).into()))
            }
            Node::Map(entries) => {
                let mut values = Vec::new();
                for (key, value) in entries {
                    self.type_of(key)?;
                    values.push(self.type_of(value)?);
                }
                Ok(Type::Map(Type::one_of(values).into()))
            }
            Node::Fold(fold) => self.fold(it.at, fold),
        }
    }

    fn truth(&mut self, it: &'e Expr) -> Found {
        match self.type_of(it)? {
            Type::Bool | Type::Any => Ok(Type::Bool),
            other => Err(Fault::new(it.at, format!("this is {}, and not true or false", other.what()))),
        }
    }

    fn wants(&mut self, it: &'e Expr, wanted: &Type, why: &str) -> Result<(), Fault> {
        let found = self.type_of(it)?;
        match found.fits(wanted) {
            true => Ok(()),
            false => Err(Fault::new(it.at, format!("{why}, and this is {}", found.what()))),
        }
    }

    fn name(&self, at: At, name: &str) -> Found {
        let local = self.scope.iter().rev().find(|(other, _)| *other == name).map(|(_, kind)| kind);
        let all = self.world.variables;
        let found = local.or_else(|| all.iter().find(|(other, _)| *other == name).map(|(_, kind)| kind));
        found.cloned().ok_or_else(|| {
            let message = match nearest(name, all.iter().map(|(name, _)| *name)) {
                Some(meant) => format!("there is no variable {name}; write {meant}"),
                None => {
                    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
                    format!("there is no variable {name}; there are {}", names.join(", "))
                }
            };
            Fault::new(at, message)
        })
    }

    fn field(&mut self, at: At, of: &'e Expr, field: &str) -> Found {
        let kind = self.type_of(of)?;
        kind.field(field).map_err(|names| {
            let path = of.path().unwrap_or_else(|| format!("this ({})", kind.what()));
            let message = match nearest(field, names.iter().copied()) {
                Some(meant) => format!("{path} has no field {field}; write {meant}"),
                None if names.is_empty() => format!("{path} is {} and has no field {field}", kind.what()),
                None => format!("{path} has no field {field}; it has {}", names.join(", ")),
            };
            Fault::new(at, message)
        })
    }

    fn index(&mut self, at: At, of: &'e Expr, index: &'e Expr) -> Found {
        let (kind, key) = (self.type_of(of)?, self.type_of(index)?);
        match (&kind, &index.node) {
            (Type::Object(_), Node::Text(field)) => self.field(at, of, field),
            _ => match (&kind, &key) {
                (Type::Any, _) | (Type::AnyMap, _) | (Type::Object(_), Type::Text | Type::Any) => {
                    Ok(Type::Any)
                }
                (Type::Map(values), Type::Text | Type::Any | Type::Int | Type::Bool) => {
                    Ok(Type::clone(values))
                }
                (Type::List(_) | Type::TextList, Type::Int | Type::Any) => {
                    Ok(kind.element().unwrap_or(Type::Any))
                }
                _ => Err(Fault::new(at, format!("{} has no element by {}", kind.what(), key.what()))),
            },
        }
    }

    fn call(&mut self, at: At, name: &str, of: Option<&'e Expr>, args: &'e [Expr]) -> Found {
        let mut given = Vec::new();
        for part in of.into_iter().chain(args) {
            given.push(self.type_of(part)?);
        }
        let method = of.is_some();
        let all = || FUNCTIONS.iter().map(|it| &it.signature).chain(self.world.functions);
        let named: Vec<&Signature> = all().filter(|it| it.name == name && it.method == method).collect();
        let fits = |it: &&&Signature| {
            it.takes.len() == given.len()
                && given.iter().zip(it.takes).all(|(given, wanted)| given.fits(wanted))
        };
        if let Some(found) = named.iter().find(fits) {
            return Ok(found.gives.clone());
        }
        let message = match named.first() {
            Some(_) => {
                let ways: Vec<String> = named.iter().map(|it| usage(it)).collect();
                let given: Vec<&str> = given.iter().map(Type::what).collect();
                format!("{name} does not take {}; write {}", listed(&given), ways.join(" or "))
            }
            None => match all().find(|it| it.name == name) {
                Some(other) => format!("{name} is written {}", usage(other)),
                None => match nearest(name, all().map(|it| it.name)) {
                    Some(meant) => format!("there is no function {name}; write {meant}"),
                    None => format!("there is no function {name}"),
                },
            },
        };
        Err(Fault::new(at, message))
    }

    fn binary(&mut self, at: At, op: Op, left: &'e Expr, right: &'e Expr) -> Found {
        let (left, right) = (self.type_of(left)?, self.type_of(right)?);
        let wrong = |remedy: &str| {
            let (left, right) = (left.what(), right.what());
            Err(Fault::new(at, format!("{left} {} {right} has no meaning{remedy}", op.as_str())))
        };
        match op {
            Op::Equal | Op::NotEqual => match (&left, &right) {
                (Type::Null, _) | (_, Type::Null) => Ok(Type::Bool),
                _ if left.same(&right) => Ok(Type::Bool),
                _ => wrong(": they are never equal"),
            },
            Op::In => match right.element() {
                Some(element) if element.same(&left) => Ok(Type::Bool),
                Some(element) => wrong(&format!(": what is in it is {}", element.what())),
                None => wrong(": in looks into a list or a mapping"),
            },
            Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => match (&left, &right) {
                (Type::Text, Type::Quantity) | (Type::Quantity, Type::Text) => {
                    wrong(": write quantity(…) around the text too")
                }
                (Type::Text, Type::Time) | (Type::Time, Type::Text) => {
                    wrong(": write timestamp(…) around the text")
                }
                _ if left.same(&right) && ordered(&left) && ordered(&right) => Ok(Type::Bool),
                _ => wrong(""),
            },
            _ => arithmetic(op, &left, &right).map_or_else(|| wrong(""), Ok),
        }
    }

    fn fold(&mut self, at: At, fold: &'e Fold) -> Found {
        let range = self.type_of(&fold.range)?;
        let element = range.element().ok_or_else(|| {
            Fault::new(at, format!("only a list or a mapping has elements, and this is {}", range.what()))
        })?;
        self.scope.push((&fold.variable, element.clone()));
        let body = match &fold.filter {
            Some(filter) => self.truth(filter).and_then(|_| self.type_of(&fold.body)),
            None if fold.kind == FoldKind::Map => self.type_of(&fold.body),
            None => self.truth(&fold.body),
        };
        self.scope.pop();
        Ok(match fold.kind {
            FoldKind::Map => Type::List(body?.into()),
            FoldKind::Filter => body.map(|_| Type::List(element.into()))?,
            FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne => body?,
        })
    }
}

fn ordered(kind: &Type) -> bool {
    matches!(
        kind,
        Type::Any
            | Type::Bool
            | Type::Int
            | Type::Double
            | Type::Text
            | Type::Quantity
            | Type::Time
            | Type::Span
    )
}

fn arithmetic(op: Op, left: &Type, right: &Type) -> Option<Type> {
    match (op, left, right) {
        (_, Type::Any, _) | (_, _, Type::Any) => Some(Type::Any),
        (_, Type::Int, Type::Int) => Some(Type::Int),
        (Op::Add | Op::Subtract | Op::Multiply | Op::Divide, Type::Double, Type::Double) => {
            Some(Type::Double)
        }
        (Op::Add, Type::Text, Type::Text) => Some(Type::Text),
        (Op::Add, left, right) if left.fits(&Type::AnyList) && right.fits(&Type::AnyList) => {
            Some(if left.same(right) { left.clone() } else { Type::List(Type::Any.into()) })
        }
        (Op::Add | Op::Subtract, Type::Span, Type::Span) => Some(Type::Span),
        (Op::Add | Op::Subtract, Type::Time, Type::Span) | (Op::Add, Type::Span, Type::Time) => {
            Some(Type::Time)
        }
        (Op::Subtract, Type::Time, Type::Time) => Some(Type::Span),
        _ => None,
    }
}

/// `text.split(text)`, `quantity(text)`.
fn usage(signature: &Signature) -> String {
    let short = |kind: &Type| kind.what().trim_start_matches("a ").replace(' ', "-");
    let takes: Vec<String> = signature.takes.iter().map(short).collect();
    match takes.split_first() {
        Some((of, args)) if signature.method => format!("{of}.{}({})", signature.name, args.join(", ")),
        _ => format!("{}({})", signature.name, takes.join(", ")),
    }
}

fn listed(given: &[&str]) -> String {
    if given.is_empty() { "nothing".to_owned() } else { given.join(" and ") }
}
