//! The types that an expression is checked with before any object is there: from the schemas of the kinds.

use std::sync::Arc;

use serde_json::Value as Json;

use super::value::Value;

/// What a value is known to be.
#[derive(Debug, Clone)]
pub(crate) enum Type {
    /// Nothing is known.
    Any,
    Null,
    Bool,
    Int,
    Double,
    Text,
    Quantity,
    Time,
    Span,
    /// A list, whatever is in it; only of parameters.
    AnyList,
    /// A mapping, whatever is in it; only of parameters.
    AnyMap,
    /// A list of texts; only of functions.
    TextList,
    List(Arc<Type>),
    Map(Arc<Type>),
    /// One of these schemas with `properties`: a policy may be for several kinds.
    Object(Arc<[&'static Json]>),
}

impl Type {
    /// The type of a schema.
    pub(crate) fn of(schema: &'static Json) -> Type {
        match schema.get("type").and_then(Json::as_str) {
            Some("boolean") => Type::Bool,
            Some("integer") => Type::Int,
            Some("number") => Type::Double,
            Some("string") => Type::Text,
            Some("array") => Type::List(Arc::new(schema.get("items").map_or(Type::Any, Type::of))),
            Some("object") => match (schema.get("additionalProperties"), schema.get("properties")) {
                (Some(values), _) => Type::Map(Arc::new(Type::of(values))),
                (None, Some(_)) => Type::Object([schema].into()),
                (None, None) => Type::Map(Arc::new(Type::Any)),
            },
            _ => Type::Any,
        }
    }

    /// The type of something that is one of several.
    pub(crate) fn one_of(types: Vec<Type>) -> Type {
        let mut schemas: Vec<&'static Json> = Vec::new();
        let mut rest = types.into_iter();
        let Some(mut merged) = rest.next() else { return Type::Any };
        if let Type::Object(of) = &merged {
            schemas.extend(of.iter());
        }
        for other in rest {
            match (&merged, &other) {
                (Type::Object(_), Type::Object(of)) => {
                    schemas.extend(of.iter());
                    merged = Type::Object(schemas.clone().into());
                }
                (one, other) if one.same(other) => {}
                _ => return Type::Any,
            }
        }
        merged
    }

    /// A field of an object; `Err` has the names that there are.
    pub(crate) fn field(&self, name: &str) -> Result<Type, Vec<&'static str>> {
        match self {
            Type::Any => Ok(Type::Any),
            Type::Map(values) => Ok(Type::clone(values)),
            Type::Object(schemas) => {
                let properties = schemas.iter().filter_map(|schema| schema.get("properties")?.as_object());
                let found: Vec<Type> =
                    properties.clone().filter_map(|fields| fields.get(name)).map(Type::of).collect();
                match found.is_empty() {
                    true => Err(properties.flat_map(|fields| fields.keys().map(String::as_str)).collect()),
                    false => Ok(Type::one_of(found)),
                }
            }
            _ => Err(Vec::new()),
        }
    }

    /// What the elements of it are, when it has some.
    pub(crate) fn element(&self) -> Option<Type> {
        match self {
            Type::Any | Type::AnyList => Some(Type::Any),
            Type::TextList | Type::AnyMap | Type::Map(_) | Type::Object(_) => Some(Type::Text),
            Type::List(items) => Some(Type::clone(items)),
            _ => None,
        }
    }

    /// Whether nothing speaks against a value of the one type where the other is wanted.
    pub(crate) fn fits(&self, wanted: &Type) -> bool {
        match (self, wanted) {
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::List(_) | Type::TextList | Type::AnyList, Type::AnyList) => true,
            (Type::Map(_) | Type::Object(_) | Type::AnyMap, Type::AnyMap) => true,
            (Type::List(items), Type::TextList) => items.fits(&Type::Text),
            _ => self.same(wanted),
        }
    }

    /// Whether two values may be equal.
    pub(crate) fn same(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::List(a), Type::List(b)) | (Type::Map(a), Type::Map(b)) => a.same(b),
            (Type::TextList, Type::List(items)) | (Type::List(items), Type::TextList) => {
                items.same(&Type::Text)
            }
            (Type::Map(_), Type::Object(_)) | (Type::Object(_), Type::Map(_)) => true,
            (Type::Int | Type::Double, Type::Int | Type::Double) => true,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// Whether a value is of the type, as far as functions ask.
    pub(crate) fn takes(&self, value: &Value<'_>) -> bool {
        match self {
            Type::Any => true,
            Type::Null => matches!(value, Value::Null),
            Type::Bool => matches!(value, Value::Bool(_)),
            Type::Int => matches!(value, Value::Int(_)),
            Type::Double => matches!(value, Value::Double(_)),
            Type::Text => matches!(value, Value::Text(_)),
            Type::Quantity => matches!(value, Value::Quantity(_)),
            Type::Time => matches!(value, Value::Time(_)),
            Type::Span => matches!(value, Value::Span(_)),
            Type::AnyList | Type::TextList | Type::List(_) => matches!(value, Value::List(_)),
            Type::AnyMap | Type::Map(_) | Type::Object(_) => matches!(value, Value::Map(_)),
        }
    }

    /// What it is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Type::Any => "a value",
            Type::Null => "null",
            Type::Bool => "true or false",
            Type::Int | Type::Double => "a number",
            Type::Text => "a text",
            Type::Quantity => "a quantity",
            Type::Time => "a time",
            Type::Span => "a duration",
            Type::AnyList | Type::TextList | Type::List(_) => "a list",
            Type::AnyMap | Type::Map(_) | Type::Object(_) => "a mapping",
        }
    }
}
