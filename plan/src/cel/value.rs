//! What an expression can be about: borrowed from manifests wherever it can be, so that looking at an object copies nothing.

use std::cmp::Ordering;
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value as Json};

/// A value. A copy is cheap: what was made is shared.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Text<'a>),
    List(List<'a>),
    Map(Mapping<'a>),
    /// Bytes, as in quotas.
    Quantity(i128),
    Time(DateTime<Utc>),
    Span(TimeDelta),
}

#[derive(Debug, Clone)]
pub(crate) enum Text<'a> {
    Of(&'a str),
    Made(Rc<str>),
}

#[derive(Debug, Clone)]
pub(crate) enum List<'a> {
    Of(&'a [Json]),
    Made(Rc<[Value<'a>]>),
}

#[derive(Debug, Clone)]
pub(crate) enum Mapping<'a> {
    Of(&'a Map<String, Json>),
    Made(Rc<[(Value<'a>, Value<'a>)]>),
}

impl<'a> Value<'a> {
    /// A part of a manifest.
    pub(crate) fn of(json: &'a Json) -> Self {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Value::Int(number),
                None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::Text(Text::Of(text)),
            Json::Array(items) => Value::List(List::Of(items)),
            Json::Object(entries) => Value::Map(Mapping::Of(entries)),
        }
    }

    pub(crate) fn text(text: &'a str) -> Self {
        Value::Text(Text::Of(text))
    }

    pub(crate) fn made(text: impl Into<Rc<str>>) -> Self {
        Value::Text(Text::Made(text.into()))
    }

    pub(crate) fn list(items: Vec<Value<'a>>) -> Self {
        Value::List(List::Made(items.into()))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Double(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Quantity(_) => "a quantity",
            Value::Time(_) => "a time",
            Value::Span(_) => "a duration",
        }
    }

    /// What looking at all of it costs at most.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            Value::Text(text) => (text.as_str().len() / super::TEXT_STEP) as u64,
            Value::List(list) => list.len() as u64,
            Value::Map(map) => map.len() as u64,
            _ => 0,
        }
    }

    /// Which comes first, where the two can be compared.
    pub(crate) fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b)) => Some(a.as_str().cmp(b.as_str())),
            (Value::Quantity(a), Value::Quantity(b)) => Some(a.cmp(b)),
            (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
            (Value::Span(a), Value::Span(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Double(b)) => (*a as f64).partial_cmp(b),
            (Value::Double(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
            (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
            _ => None,
        }
    }
}

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Text::Of(text) => text,
            Text::Made(text) => text,
        }
    }
}

impl<'a> List<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            List::Of(items) => items.len(),
            List::Made(items) => items.len(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            List::Of(items) => items.get(index).map(Value::of),
            List::Made(items) => items.get(index).cloned(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a> Mapping<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Mapping::Of(entries) => entries.len(),
            Mapping::Made(entries) => entries.len(),
        }
    }

    /// The value of a key; a `null` in a manifest is nothing.
    pub(crate) fn get(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match self {
            Mapping::Of(entries) => {
                entries.get(key.as_text()?).filter(|value| !value.is_null()).map(Value::of)
            }
            Mapping::Made(entries) => {
                let same = |other: &Value<'_>| other.order(key) == Some(Ordering::Equal);
                entries.iter().find(|(other, _)| same(other)).map(|(_, value)| value.clone())
            }
        }
    }

    /// The keys, in the order of the manifest.
    pub(crate) fn keys(&self) -> Vec<Value<'a>> {
        match self {
            Mapping::Of(entries) => entries.keys().map(|key| Value::text(key)).collect(),
            Mapping::Made(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
        }
    }
}
