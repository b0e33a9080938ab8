//! The walk through a value along its schema. It reports everything it meets and stops only where a value's own type is
//! wrong, because nothing below it can be judged.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::MAX_VIOLATIONS;
use super::scalars::{by_pattern, matches};
use super::words::{conversion, enumeration, found, nearest, pattern, wanted};
use crate::scalar::quote;
use crate::violation::{Segment, Violation};

/// Where the walk is and what it has found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    path: Vec<Segment>,
    found: Vec<Violation>,
    beyond: usize,
}

impl Walk {
    /// Reports something wrong with the value at hand.
    pub(super) fn report(&mut self, message: impl Into<String>, remedy: Option<String>) {
        if self.found.len() == MAX_VIOLATIONS {
            self.beyond += 1;
            return;
        }
        self.found.push(Violation { path: self.path.clone(), message: message.into(), remedy });
    }

    /// Does something one key further in.
    pub(super) fn within(&mut self, key: &str, f: impl FnOnce(&mut Walk)) {
        self.path.push(Segment::Key(key.to_owned()));
        f(self);
        self.path.pop();
    }

    /// Everything that was found.
    pub(super) fn finish(mut self) -> Vec<Violation> {
        if self.beyond > 0 {
            let message = format!("{} more things are wrong with this manifest", self.beyond);
            self.found.push(Violation {
                path: Vec::new(),
                message,
                remedy: Some("correct the others first".to_owned()),
            });
        }
        self.found
    }

    /// A field that may be missing; `null` is missing.
    pub(super) fn field(&mut self, key: &str, value: Option<&Value>, schema: &Value, required: bool) {
        self.within(key, |walk| match value.filter(|value| !value.is_null()) {
            Some(value) => walk.value(value, schema),
            None if required => walk.report("is missing", Some(format!("add {key} with {}", wanted(schema)))),
            None => {}
        });
    }

    /// A value and what is inside.
    pub(super) fn value(&mut self, value: &Value, schema: &Value) {
        match (schema.get("type").and_then(Value::as_str), value) {
            (Some("object"), Value::Object(object)) => self.object(object, schema),
            (Some("array"), Value::Array(items)) => self.array(items, schema),
            (Some("string"), Value::String(text)) => self.string(text, schema),
            (Some("integer"), Value::Number(number)) if !number.is_f64() => self.integer(number, schema),
            (Some("boolean"), Value::Bool(_)) => {}
            (None, Value::Number(number)) if is_int_or_string(schema) && !number.is_f64() => {
                self.integer(number, schema);
            }
            (None, Value::String(text)) if is_int_or_string(schema) => self.string(text, schema),
            (None, _) if !is_int_or_string(schema) => {}
            _ => {
                let message = format!("must be {}, not {}", wanted(schema), found(value));
                self.report(message, conversion(schema, value));
            }
        }
    }

    fn object(&mut self, object: &Map<String, Value>, schema: &Value) {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        for (key, property) in properties {
            let required = schema.get("required").and_then(Value::as_array);
            let required = required.is_some_and(|keys| keys.iter().any(|other| other == key));
            self.field(key, object.get(key), property, required);
        }
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64).map(|bound| bound as usize);
        if let Some(most) = bound("maxProperties").filter(|most| object.len() > *most) {
            self.report(format!("has {} entries, at most {most} are allowed", object.len()), None);
        }
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)) {
            return;
        }
        let Some(additional) = schema.get("additionalProperties") else {
            let unknown: Vec<&String> = object.keys().filter(|key| !properties.contains_key(*key)).collect();
            for key in unknown {
                self.unknown(key, object, properties);
            }
            return;
        };
        for (key, value) in object.iter().filter(|(key, _)| !properties.contains_key(*key)) {
            self.within(key, |walk| walk.value(value, additional));
        }
    }

    fn unknown(&mut self, key: &str, object: &Map<String, Value>, properties: &Map<String, Value>) {
        let free = properties.keys().map(String::as_str).filter(|name| !object.contains_key(*name));
        let remedy = match (nearest(key, free), holder(key, properties)) {
            (_, Some(holder)) => format!("{key} belongs into {holder}"),
            (Some(name), None) => format!("did you mean {name}?"),
            (None, None) if properties.is_empty() => "write {}: it has no fields".to_owned(),
            (None, None) => {
                let names: Vec<&str> = properties.keys().map(String::as_str).collect();
                format!("the fields here are {}", names.join(", "))
            }
        };
        self.within(key, |walk| walk.report("unknown field", Some(remedy)));
    }

    fn array(&mut self, items: &[Value], schema: &Value) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64).map(|bound| bound as usize);
        if let Some(least) = bound("minItems").filter(|least| items.len() < *least) {
            self.report(format!("needs at least {least} {}, has {}", entries(least), items.len()), None);
        }
        if let Some(most) = bound("maxItems").filter(|most| items.len() > *most) {
            self.report(format!("has {} entries, at most {most} are allowed", items.len()), None);
        }
        let Some(inner) = schema.get("items") else { return };
        let is_set = schema.get("x-kubernetes-list-type").is_some_and(|kind| kind == "set");
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            self.path.push(Segment::Index(index));
            self.value(item, inner);
            if let Some(text) = item.as_str().filter(|_| is_set) {
                match seen.get(text) {
                    Some(first) => self.report(
                        format!("{} is there already, as entry {first} (counted from 0)", quote(text)),
                        Some("remove one of the two".to_owned()),
                    ),
                    None => {
                        seen.insert(text, index);
                    }
                }
            }
            self.path.pop();
        }
    }

    fn string(&mut self, text: &str, schema: &Value) {
        if let Some(words) = enumeration(schema) {
            if !words.contains(&text) {
                let remedy = nearest(text, words.iter().copied()).map(|word| format!("write {word}"));
                self.report(format!("must be one of {}", words.join(", ")), remedy);
            }
            return;
        }
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64).map(|bound| bound as usize);
        let length = text.chars().count();
        let scalar = pattern(schema).and_then(by_pattern);
        let refusal = scalar.and_then(|info| (info.explain)(text));
        if let Some(refusal) = refusal {
            self.report(refusal.message, refusal.remedy);
        } else if bound("minLength").is_some_and(|least| length < least) {
            self.report(too_short(schema), None);
        } else if let Some(most) = bound("maxLength").filter(|most| length > *most) {
            self.report(format!("has {length} characters, at most {most} are allowed"), None);
        } else if let Some(pattern) = pattern(schema).filter(|pattern| !matches(pattern, text)) {
            let what = scalar.map_or_else(|| format!("a text like {pattern}"), |info| info.what.to_owned());
            self.report(format!("must be {what}"), None);
        }
    }

    fn integer(&mut self, number: &serde_json::Number, schema: &Value) {
        let bound = |name: &str, other: i64| schema.get(name).and_then(Value::as_i64).unwrap_or(other);
        let wide = schema.get("format").is_some_and(|format| format == "int64");
        let (least, most) = match wide {
            true => (bound("minimum", i64::MIN), bound("maximum", i64::MAX)),
            false => (bound("minimum", i32::MIN.into()), bound("maximum", i32::MAX.into())),
        };
        if !number.as_i64().is_some_and(|number| (least..=most).contains(&number)) {
            self.report(format!("must be a whole number from {least} to {most}, not {number}"), None);
        }
    }
}

/// A number or a text, like `cpu: 2` and `cpu: 500m`.
fn is_int_or_string(schema: &Value) -> bool {
    schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true))
}

fn too_short(schema: &Value) -> String {
    match schema.get("minLength").and_then(Value::as_u64) {
        Some(least) if least > 1 => format!("needs at least {least} characters"),
        _ => "cannot be empty".to_owned(),
    }
}

fn entries(number: usize) -> &'static str {
    if number == 1 { "entry" } else { "entries" }
}

/// The mapping beside an unknown key that has a field of this name.
fn holder<'a>(key: &str, properties: &'a Map<String, Value>) -> Option<&'a str> {
    let holds = |schema: &Value| {
        schema.pointer("/properties").and_then(Value::as_object).is_some_and(|p| p.contains_key(key))
    };
    let mut holders = properties.iter().filter(|(_, schema)| holds(schema)).map(|(name, _)| name.as_str());
    let holder = holders.next()?;
    holders.next().is_none().then_some(holder)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Schemas beside those of our kinds, so that each keyword is seen on its own.
    #[track_caller]
    fn check(schema: Value, value: Value, expected: &[&str]) {
        let mut walk = Walk::default();
        walk.value(&value, &schema);
        let found: Vec<String> = walk.finish().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn mappings_of_any_key_check_their_values() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "string"}});
        check(schema.clone(), json!({"a": 1, "b": "x", "c": "y"}), &[]);
        check(
            schema,
            json!({"a": "x", "b": 2}),
            &["a: must be a whole number, not a text", "b: must be a text, not a number; put it in quotes"],
        );
    }

    #[test]
    fn wide_and_narrow_integers_have_their_own_ends() {
        for (format, value, taken) in [
            ("int64", json!(i64::MAX), true),
            ("int64", json!(i64::MIN), true),
            ("int64", json!(u64::MAX), false),
            ("int32", json!(i32::MAX), true),
            ("int32", json!(i64::from(i32::MAX) + 1), false),
            ("int32", json!(i64::from(i32::MIN) - 1), false),
        ] {
            let mut walk = Walk::default();
            walk.value(&value, &json!({"type": "integer", "format": format}));
            assert_eq!(walk.finish().is_empty(), taken, "{format} {value}");
        }
    }

    #[test]
    fn a_wrong_mapping_hides_what_is_below_it_and_nothing_else() {
        let inner = json!({"type": "object", "required": ["x"], "properties": {"x": {"type": "boolean"}}});
        let schema = json!({"type": "object", "properties": {"a": inner, "b": inner, "c": inner}});
        check(
            schema,
            json!({"a": [], "b": {}, "c": {"x": 5}}),
            &[
                "a: must be a mapping, not a list",
                "b.x: is missing; add x with true or false",
                "c.x: must be true or false, not a number",
            ],
        );
    }

    #[test]
    fn lists_of_mappings_name_the_entry() {
        let item =
            json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}});
        check(
            json!({"type": "array", "items": item}),
            json!([{"name": "a"}, {}, 5, {"name": "b", "nmae": "c"}]),
            &[
                "[1].name: is missing; add name with a text",
                "[2]: must be a mapping, not a number",
                "[3].nmae: unknown field; the fields here are name",
            ],
        );
    }

    #[test]
    fn a_field_that_two_neighbours_have_is_not_assigned_to_one() {
        let part = json!({"type": "object", "properties": {"enabled": {"type": "boolean"}}});
        let schema = json!({"type": "object", "properties": {"smtp": part, "imap": part}});
        check(schema, json!({"enabled": true}), &["enabled: unknown field; the fields here are smtp, imap"]);
    }

    #[test]
    fn patterns_without_a_type_of_their_own_are_shown() {
        let schema = json!({"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 3});
        check(schema.clone(), json!("abc"), &[]);
        check(schema.clone(), json!("ab1"), &["manifest: must be a text like ^[a-z]+$"]);
        check(schema.clone(), json!("a"), &["manifest: needs at least 2 characters"]);
        check(schema, json!("abcd"), &["manifest: has 4 characters, at most 3 are allowed"]);
    }
}
