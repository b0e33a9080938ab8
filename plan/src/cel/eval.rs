//! Evaluating: one walk over the expression that counts its steps and stops when they are used up.
//!
//! As CEL has it, `&&`, `||`, `all` and `exists` are decided by a value that decides them, whatever went wrong beside it
//! (langdef.md §Logical Operators).

use std::cmp::Ordering;

use super::call;
use super::number;
use super::value::{List, Mapping, Value};
use super::{At, Expr, Fault, Fold, FoldKind, MAX_STEPS, Node, Op};

/// What an expression is evaluated with: variables and functions of whoever asks.
pub(crate) trait Host<'a> {
    /// A variable; `None` when there is none of the name.
    fn variable(&self, name: &str) -> Option<Value<'a>>;
    /// A function; `None` when there is none of the name.
    fn call(&self, name: &str, args: &[Value<'a>]) -> Option<Result<Value<'a>, String>>;
}

/// What came of an expression, and what it cost.
pub(crate) struct Evaluation<'a> {
    pub(crate) value: Result<Value<'a>, Fault>,
    pub(crate) steps: u64,
}

/// Evaluates an expression.
pub(crate) fn evaluate<'a>(expression: &'a Expr, host: &dyn Host<'a>) -> Evaluation<'a> {
    let mut machine = Machine { host, scope: Vec::new(), steps: 0 };
    let value = machine.eval(expression);
    Evaluation { value, steps: machine.steps }
}

type Found<'a> = Result<Value<'a>, Fault>;

struct Machine<'a, 'h> {
    host: &'h dyn Host<'a>,
    scope: Vec<(&'a str, Value<'a>)>,
    steps: u64,
}

impl<'a> Machine<'a, '_> {
    fn spend(&mut self, at: At, steps: u64) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            let message =
                format!("this takes more than {MAX_STEPS} steps for one object; ask less of long lists");
            return Err(Fault { fatal: true, ..Fault::new(at, message) });
        }
        Ok(())
    }

    fn eval(&mut self, it: &'a Expr) -> Found<'a> {
        self.spend(it.at, 1)?;
        match &it.node {
            Node::Null => Ok(Value::Null),
            Node::Bool(value) => Ok(Value::Bool(*value)),
            Node::Int(number) => Ok(Value::Int(*number)),
            Node::Double(number) => Ok(Value::Double(*number)),
            Node::Text(text) => Ok(Value::text(text)),
            Node::Name(name) => self.name(it.at, name),
            Node::Select { of, field } => self.select(it.at, of, field),
            Node::Has { of, field } => self.has(it.at, of, field),
            Node::Index { of, index } => self.index(it.at, of, index),
            Node::Call { name, of, args } => self.call(it.at, name, of.as_deref(), args),
            Node::Matches { of, pattern } => self.matches(it.at, of, pattern),
            Node::Not(of) => Ok(Value::Bool(!self.truth(of)?)),
            Node::Minus(of) => self.minus(it.at, of),
            Node::Binary { op, left, right } => self.binary(it.at, *op, left, right),
            Node::Every(parts) => self.decide(parts, false),
            Node::Any(parts) => self.decide(parts, true),
            Node::If { condition, then, otherwise } => match self.truth(condition)? {
                true => self.eval(then),
                false => self.eval(otherwise),
            },
            Node::List(parts) => self.list(parts),
            Node::Map(entries) => self.map(entries),
            Node::Fold(fold) => self.fold(it.at, fold),
        }
    }

    fn truth(&mut self, it: &'a Expr) -> Result<bool, Fault> {
        match self.eval(it)? {
            Value::Bool(value) => Ok(value),
            other => Err(Fault::new(it.at, format!("this is {}, and not true or false", other.what()))),
        }
    }

    /// `decisive` decides, whatever the others say or fail with.
    fn decide(&mut self, parts: &'a [Expr], decisive: bool) -> Found<'a> {
        let mut failed = None;
        for part in parts {
            match self.truth(part) {
                Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(fault) if fault.fatal => return Err(fault),
                Err(fault) => failed = failed.or(Some(fault)),
            }
        }
        failed.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn name(&mut self, at: At, name: &str) -> Found<'a> {
        let local = self.scope.iter().rev().find(|(other, _)| *other == name);
        let value = local.map(|(_, value)| value.clone()).or_else(|| self.host.variable(name));
        value.ok_or_else(|| Fault::new(at, format!("there is no variable {name}")))
    }

    fn select(&mut self, at: At, of: &'a Expr, field: &'a str) -> Found<'a> {
        let found = match self.eval(of)? {
            Value::Map(map) => map.get(&Value::text(field)),
            other => return Err(no_field(at, of, field, other.what())),
        };
        found.ok_or_else(|| {
            let path = of.path().map_or_else(|| field.to_owned(), |path| format!("{path}.{field}"));
            Fault::new(at, format!("{path} is not there; ask has({path}) first"))
        })
    }

    fn has(&mut self, at: At, of: &'a Expr, field: &'a str) -> Found<'a> {
        match self.eval(of)? {
            Value::Map(map) => Ok(Value::Bool(map.get(&Value::text(field)).is_some())),
            other => Err(no_field(at, of, field, other.what())),
        }
    }

    fn index(&mut self, at: At, of: &'a Expr, index: &'a Expr) -> Found<'a> {
        let (value, key) = (self.eval(of)?, self.eval(index)?);
        match (&value, &key) {
            (Value::List(list), Value::Int(number)) => {
                let found = usize::try_from(*number).ok().and_then(|number| list.get(number));
                found.ok_or_else(|| {
                    Fault::new(at, format!("there is no element {number} in a list of {}", list.len()))
                })
            }
            (Value::Map(map), key) => {
                self.spend(at, if matches!(map, Mapping::Made(_)) { map.len() as u64 } else { 0 })?;
                map.get(key).ok_or_else(|| {
                    let key = key.as_text().map_or_else(|| key.what().to_owned(), |text| format!("{text:?}"));
                    Fault::new(at, format!("there is no key {key} in the mapping; ask for it with in first"))
                })
            }
            _ => Err(Fault::new(at, format!("{} has no element by {}", value.what(), key.what()))),
        }
    }

    fn call(&mut self, at: At, name: &'a str, of: Option<&'a Expr>, args: &'a [Expr]) -> Found<'a> {
        let mut values = Vec::with_capacity(args.len() + 1);
        for part in of.into_iter().chain(args) {
            values.push(self.eval(part)?);
        }
        self.spend(at, values.iter().map(Value::weight).sum())?;
        let result = match call::find(name, of.is_some(), &values) {
            Some(function) => function(&values),
            None => {
                let hosts = if of.is_none() { self.host.call(name, &values) } else { None };
                hosts.unwrap_or_else(|| Err(call::unknown(name, of.is_some(), &values)))
            }
        };
        let result = result.map_err(|message| Fault::new(at, message))?;
        self.spend(at, result.weight())?;
        Ok(result)
    }

    fn matches(&mut self, at: At, of: &'a Expr, pattern: &'a super::regex::Pattern) -> Found<'a> {
        let value = self.eval(of)?;
        let text = value.as_text().ok_or_else(|| {
            Fault::new(at, format!("matches looks at a text, and this is {}", value.what()))
        })?;
        self.spend(at, pattern.steps(text.len()))?;
        Ok(Value::Bool(pattern.matches(text)))
    }

    fn minus(&mut self, at: At, of: &'a Expr) -> Found<'a> {
        match self.eval(of)? {
            Value::Int(number) => {
                let result = number.checked_neg().map(Value::Int);
                result.ok_or_else(|| Fault::new(at, "the result of - is no number of 64 bits"))
            }
            Value::Double(number) => Ok(Value::Double(-number)),
            other => Err(Fault::new(at, format!("{} has no negative", other.what()))),
        }
    }

    fn binary(&mut self, at: At, op: Op, left: &'a Expr, right: &'a Expr) -> Found<'a> {
        let (left, right) = (self.eval(left)?, self.eval(right)?);
        let value = match op {
            Op::Equal => Value::Bool(self.equal(at, &left, &right)?),
            Op::NotEqual => Value::Bool(!self.equal(at, &left, &right)?),
            Op::In => Value::Bool(self.within(at, &left, &right)?),
            Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => {
                self.spend(at, left.weight().min(right.weight()))?;
                let order = left.order(&right).ok_or_else(|| {
                    let (left, right) = (left.what(), right.what());
                    Fault::new(at, format!("{left} and {right} cannot be compared with {}", op.as_str()))
                })?;
                Value::Bool(match op {
                    Op::Less => order == Ordering::Less,
                    Op::LessEqual => order != Ordering::Greater,
                    Op::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                })
            }
            _ => {
                self.spend(at, left.weight() + right.weight())?;
                number::arithmetic(op, &left, &right).map_err(|message| Fault::new(at, message))?
            }
        };
        Ok(value)
    }

    /// Values of different types are different. Made lists may hold one another many times over, so every element counts.
    fn equal(&mut self, at: At, left: &Value<'a>, right: &Value<'a>) -> Result<bool, Fault> {
        self.spend(at, 1 + left.weight().min(right.weight()))?;
        match (left, right) {
            (Value::Null, Value::Null) => Ok(true),
            (Value::List(a), Value::List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !self.equal(at, &a, &b)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Map(a), Value::Map(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for key in a.keys() {
                    self.spend(at, 1 + b.len() as u64)?;
                    let same = match (a.get(&key), b.get(&key)) {
                        (Some(a), Some(b)) => self.equal(at, &a, &b)?,
                        (None, None) => true,
                        _ => false,
                    };
                    if !same {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (left, right) => Ok(left.order(right) == Some(Ordering::Equal)),
        }
    }

    fn within(&mut self, at: At, value: &Value<'a>, range: &Value<'a>) -> Result<bool, Fault> {
        match range {
            Value::List(list) => {
                for item in list.iter() {
                    if self.equal(at, value, &item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Value::Map(map) => {
                self.spend(at, 1 + if matches!(map, Mapping::Made(_)) { map.len() as u64 } else { 0 })?;
                Ok(map.get(value).is_some())
            }
            other => Err(Fault::new(
                at,
                format!("in looks into a list or a mapping, and this is {}", other.what()),
            )),
        }
    }

    fn list(&mut self, parts: &'a [Expr]) -> Found<'a> {
        let mut items = Vec::with_capacity(parts.len());
        for part in parts {
            items.push(self.eval(part)?);
        }
        Ok(Value::list(items))
    }

    fn map(&mut self, entries: &'a [(Expr, Expr)]) -> Found<'a> {
        let mut made: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let at = key.at;
            let key = self.eval(key)?;
            if !matches!(key, Value::Text(_) | Value::Int(_) | Value::Bool(_)) {
                return Err(Fault::new(at, format!("{} is no key of a mapping", key.what())));
            }
            self.spend(at, made.len() as u64)?;
            if made.iter().any(|(other, _)| other.order(&key) == Some(Ordering::Equal)) {
                return Err(Fault::new(at, "this key is in the mapping already"));
            }
            made.push((key, self.eval(value)?));
        }
        Ok(Value::Map(Mapping::Made(made.into())))
    }

    fn fold(&mut self, at: At, fold: &'a Fold) -> Found<'a> {
        let range = match self.eval(&fold.range)? {
            Value::List(list) => list,
            Value::Map(map) => List::Made(map.keys().into()),
            other => {
                return Err(Fault::new(
                    at,
                    format!("only a list or a mapping has elements, and this is {}", other.what()),
                ));
            }
        };
        let depth = self.scope.len();
        self.scope.push((&fold.variable, Value::Null));
        let result = self.elements(fold, &range, depth);
        self.scope.truncate(depth);
        result
    }

    fn elements(&mut self, fold: &'a Fold, range: &List<'a>, place: usize) -> Found<'a> {
        let (mut taken, mut count, mut failed) = (Vec::new(), 0_u64, None);
        for item in range.iter() {
            if let Some(variable) = self.scope.get_mut(place) {
                variable.1 = item.clone();
            }
            if fold.kind == FoldKind::Map {
                if let Some(filter) = &fold.filter
                    && !self.truth(filter)?
                {
                    continue;
                }
                taken.push(self.eval(&fold.body)?);
                continue;
            }
            match (self.truth(&fold.body), fold.kind) {
                (Ok(true), FoldKind::Exists) => return Ok(Value::Bool(true)),
                (Ok(false), FoldKind::All) => return Ok(Value::Bool(false)),
                (Ok(true), FoldKind::ExistsOne) => count += 1,
                (Ok(true), FoldKind::Filter) => taken.push(item),
                (Ok(_), _) => {}
                (Err(fault), FoldKind::All | FoldKind::Exists) if !fault.fatal => {
                    failed = failed.or(Some(fault));
                }
                (Err(fault), _) => return Err(fault),
            }
        }
        match (fold.kind, failed) {
            (_, Some(fault)) => Err(fault),
            (FoldKind::All, None) => Ok(Value::Bool(true)),
            (FoldKind::Exists, None) => Ok(Value::Bool(false)),
            (FoldKind::ExistsOne, None) => Ok(Value::Bool(count == 1)),
            (FoldKind::Map | FoldKind::Filter, None) => Ok(Value::list(taken)),
        }
    }
}

fn no_field(at: At, of: &Expr, field: &str, what: &str) -> Fault {
    let path = of.path().unwrap_or_else(|| "this".to_owned());
    match what {
        "null" => Fault::new(at, format!("{path} is null and has no {field}; ask {path} != null first")),
        what => Fault::new(at, format!("{path} is {what} and has no {field}")),
    }
}
