//! The columns that `kubectl get` prints for a kind, without kubectl: the printer columns of the definition, a small JSONPath
//! evaluator ([`jsonpath`]) and the formatting of cells as the API server's table convertor does it.

pub mod jsonpath;

mod age;

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use age::age;

use crate::kind::Kind;
use crate::schema::crd;

/// One printer column of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The heading as declared.
    pub name: &'static str,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub type_: &'static str,
    /// Where the value is.
    pub json_path: &'static str,
    /// Columns above 0 are for `-o wide` only.
    pub priority: i64,
}

/// The printer columns of a kind in the order of the definition.
pub fn columns(kind: Kind) -> impl Iterator<Item = Column> {
    let declared = &crd(kind)["spec"]["versions"][0]["additionalPrinterColumns"];
    let text =
        |column: &'static Value, key: &str| column.get(key).and_then(Value::as_str).unwrap_or_default();
    declared.as_array().into_iter().flatten().map(move |column| Column {
        name: text(column, "name"),
        type_: text(column, "type"),
        json_path: text(column, "jsonPath"),
        priority: column.get("priority").and_then(Value::as_i64).unwrap_or(0),
    })
}

/// The headings: NAME first, AGE last; columns of lower priority only with `wide`.
pub fn header(kind: Kind, wide: bool) -> Vec<String> {
    let mut header = vec!["NAME".to_owned()];
    header.extend(visible(kind, wide).map(|column| column.name.to_uppercase()));
    header
}

/// The cells of one object, in the order of [`header`]. Dates are ages at `now`; what is missing is empty.
pub fn row(kind: Kind, object: &Value, wide: bool, now: DateTime<Utc>) -> Vec<String> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let mut row = vec![name.to_owned()];
    row.extend(visible(kind, wide).map(|column| cell(&column, object, now)));
    row
}

fn visible(kind: Kind, wide: bool) -> impl Iterator<Item = Column> {
    columns(kind).filter(move |column| wide || column.priority == 0)
}

/// As in apiextensions `tableconvertor`: the first result counts; a value that is not of the column's type is left empty.
fn cell(column: &Column, object: &Value, now: DateTime<Utc>) -> String {
    // The paths are constants of this crate; a test holds that they all parse.
    let found = jsonpath::parse(column.json_path).map(|path| path.find(object)).unwrap_or_default();
    let Some(value) = found.first() else { return String::new() };
    match (column.type_, value) {
        (_, Value::Null) => String::new(),
        ("date", Value::String(text)) => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => age(time.to_utc(), now),
            Err(_) => "<invalid>".to_owned(),
        },
        ("integer", Value::Number(number)) => {
            number.as_i64().map(|number| number.to_string()).unwrap_or_default()
        }
        ("number", Value::Number(number)) => number.to_string(),
        ("boolean", Value::Bool(value)) => value.to_string(),
        ("string", Value::String(text)) => text.clone(),
        ("string", other) => other.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
