//! The fields of a schema as flat rows, for tables.

use serde_json::Value;

use crate::schema::{SCALARS, ScalarInfo};

/// One field of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// The way to it: `credentials.secretRef.name`, `targets[]`.
    pub(super) path: String,
    /// What it holds, in words.
    pub(super) type_: String,
    /// `required`, the default, or nothing.
    pub(super) default: String,
    /// Its description.
    pub(super) meaning: String,
}

/// A CEL rule of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// The way to the value it looks at.
    pub(super) path: String,
    /// What it says when it does not hold.
    pub(super) message: String,
    /// Whether it looks at the old value too.
    pub(super) transition: bool,
}

/// The fields of a schema, each mapping before its own fields, required ones first.
pub(super) fn fields(schema: &Value) -> Vec<Field> {
    let mut rows = Vec::new();
    collect(schema, "", &mut rows);
    rows
}

fn collect(schema: &Value, prefix: &str, rows: &mut Vec<Field>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required = |key: &str| {
        let keys = schema.get("required").and_then(Value::as_array);
        keys.is_some_and(|keys| keys.iter().any(|other| other == key))
    };
    let (first, then): (Vec<_>, Vec<_>) = properties.iter().partition(|(key, _)| required(key));
    for (key, property) in first.into_iter().chain(then) {
        let path = format!("{prefix}{key}");
        rows.push(Field {
            type_: type_of(property),
            default: if required(key) { "required".to_owned() } else { default_of(property) },
            meaning: property.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
            path: path.clone(),
        });
        collect(property, &format!("{path}."), rows);
        if let Some(items) = property.get("items") {
            collect(items, &format!("{path}[]."), rows);
        }
    }
}

/// A default of a mapping is not shown: it is the defaults of its fields.
fn default_of(schema: &Value) -> String {
    match schema.get("default") {
        None | Some(Value::Object(_)) => String::new(),
        Some(Value::String(text)) if text.is_empty() => String::new(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(Value::Array(items)) if items.is_empty() => String::new(),
        Some(other) => format!("`{other}`"),
    }
}

fn type_of(schema: &Value) -> String {
    let number = |key: &str| schema.get(key).and_then(Value::as_i64);
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => {
            let items = schema.get("items").map(type_of).unwrap_or_default();
            let bounds = match (number("minItems"), number("maxItems")) {
                (Some(least), Some(most)) => format!(", {least} to {most}"),
                (None, Some(most)) => format!(", at most {most}"),
                _ => String::new(),
            };
            format!("list of: {items}{bounds}")
        }
        Some("integer") => match (number("minimum"), number("maximum")) {
            (Some(least), Some(most)) => format!("integer, {least} to {most}"),
            _ => "integer".to_owned(),
        },
        Some("string") => text_type(schema),
        Some("object") => match schema.get("additionalProperties") {
            Some(values) => format!("mapping of: {}", type_of(values)),
            None => "mapping".to_owned(),
        },
        // A number or a text.
        None => text_type(schema),
        other => other.unwrap_or_default().to_owned(),
    }
}

fn text_type(schema: &Value) -> String {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let scalar = SCALARS.iter().find(|info: &&ScalarInfo| Some(info.pattern) == pattern);
    match (scalar, schema.get("format").and_then(Value::as_str)) {
        (Some(scalar), _) => scalar.name.to_owned(),
        (None, Some("date-time")) => "time".to_owned(),
        _ => "text".to_owned(),
    }
}

/// The CEL rules of a schema, but for those of scalar types, which their type's name stands for.
pub(super) fn rules(schema: &Value) -> Vec<Rule> {
    let mut rules = Vec::new();
    collect_rules(schema, "", &mut rules);
    rules
}

fn collect_rules(schema: &Value, path: &str, rules: &mut Vec<Rule>) {
    let declared = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    for rule in declared.into_iter().flatten() {
        let text = |key: &str| rule.get(key).and_then(Value::as_str).unwrap_or_default();
        if !SCALARS.iter().any(|scalar| scalar.rules.iter().any(|(known, _)| *known == text("rule"))) {
            let transition = text("rule").contains("oldSelf");
            rules.push(Rule { path: path.to_owned(), message: text("message").to_owned(), transition });
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (key, property) in properties.into_iter().flatten() {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        collect_rules(property, &inner, rules);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scalar::Scalar;

    #[track_caller]
    fn check(schema: Value, expected: &[[&str; 4]]) {
        let rows = fields(&schema);
        let rows: Vec<[&str; 4]> = rows
            .iter()
            .map(|row| [row.path.as_str(), row.type_.as_str(), row.default.as_str(), row.meaning.as_str()])
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn required_fields_come_first_and_inner_fields_after_their_mapping() {
        let inner = json!({"type": "object", "description": "Inner.", "default": {"x": 1}, "required": ["y"], "properties": {
            "x": {"type": "integer", "default": 1, "minimum": 0, "maximum": 9}, "y": {"type": "boolean"}}});
        let schema = json!({"required": ["z"], "properties": {"a": inner, "z": {"type": "string"}}});
        check(
            schema,
            &[
                ["z", "text", "required", ""],
                ["a", "mapping", "", "Inner."],
                ["a.y", "boolean", "required", ""],
                ["a.x", "integer, 0 to 9", "`1`", ""],
            ],
        );
    }

    #[test]
    fn lists_tell_what_they_hold_and_how_many() {
        let items =
            json!({"type": "object", "properties": {"name": {"type": "string", "format": "date-time"}}});
        let schema = json!({"properties": {
            "a": {"type": "array", "items": items, "maxItems": 5, "default": []},
            "b": {"type": "array", "items": {"type": "string", "enum": ["A", "B"]}, "minItems": 1, "maxItems": 2, "default": ["A"]},
        }});
        check(
            schema,
            &[
                ["a", "list of: mapping, at most 5", "", ""],
                ["a[].name", "time", "", ""],
                ["b", "list of: `A`, `B`, 1 to 2", "`[\"A\"]`", ""],
            ],
        );
    }

    #[test]
    fn scalar_types_are_called_by_their_names() {
        let schema = json!({"properties": {
            "a": {"type": "string", "pattern": crate::Address::PATTERN, "default": "a@example.test"},
            "b": {"type": "string", "default": ""},
            "c": {"type": "boolean", "default": false},
            "d": {"type": "integer"},
        }});
        check(
            schema,
            &[
                ["a", "Address", "`a@example.test`", ""],
                ["b", "text", "", ""],
                ["c", "boolean", "`false`", ""],
                ["d", "integer", "", ""],
            ],
        );
    }

    #[test]
    fn rules_of_scalar_types_are_left_to_the_types() {
        let (scalar, message) = crate::Quantity::RULES[0];
        let schema = json!({
            "x-kubernetes-validations": [{"rule": "self.a > 1", "message": "too small"}],
            "properties": {"q": {"x-kubernetes-validations": [
                {"rule": scalar, "message": message}, {"rule": "self == oldSelf", "message": "cannot be changed"}]}},
        });
        assert_eq!(
            rules(&schema),
            [
                Rule { path: String::new(), message: "too small".to_owned(), transition: false },
                Rule { path: "q".to_owned(), message: "cannot be changed".to_owned(), transition: true },
            ]
        );
    }
}
