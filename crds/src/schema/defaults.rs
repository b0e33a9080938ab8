//! Defaulting as an API server does it (apiextensions `schema/defaulting`): first nulls go, then what is missing is filled
//! in, from the outside to the inside, so that defaults inside a default apply too.

use serde_json::Value;

/// Applies the defaults of a schema to a value.
pub(super) fn apply(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(object) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
            for (name, property) in properties {
                if object.get(name).is_some_and(Value::is_null) {
                    object.shift_remove(name);
                }
                match (object.get_mut(name), property.get("default")) {
                    (Some(inner), _) => apply(property, inner),
                    (None, Some(default)) => {
                        let mut default = default.clone();
                        apply(property, &mut default);
                        object.insert(name.clone(), default);
                    }
                    (None, None) => {}
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| apply(schema, item));
            }
        }
        _ => {}
    }
}
