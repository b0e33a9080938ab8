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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: Value, mut value: Value, expected: Value) {
        apply(&schema, &mut value);
        assert_eq!(value, expected);
    }

    #[test]
    fn missing_fields_get_their_default() {
        let schema = json!({"properties": {"a": {"default": 1}, "b": {"default": "x"}, "c": {}}});
        check(schema.clone(), json!({}), json!({"a": 1, "b": "x"}));
        check(schema.clone(), json!({"a": 5, "c": true}), json!({"a": 5, "c": true, "b": "x"}));
        check(schema.clone(), json!({"a": false}), json!({"a": false, "b": "x"}));
        check(schema, json!({"unknown": 1}), json!({"unknown": 1, "a": 1, "b": "x"}));
    }

    #[test]
    fn nulls_are_dropped_before_defaults_apply() {
        let schema = json!({"properties": {"a": {"default": 1}, "c": {}}});
        check(schema.clone(), json!({"a": null, "c": null}), json!({"a": 1}));
        check(schema, json!({"unknown": null}), json!({"unknown": null, "a": 1}));
    }

    #[test]
    fn defaults_inside_a_default_apply_too() {
        let inner = json!({"properties": {"port": {"default": 25}, "on": {"default": true}}, "default": {"on": false}});
        let schema = json!({"properties": {"smtp": inner}});
        check(schema.clone(), json!({}), json!({"smtp": {"on": false, "port": 25}}));
        check(schema.clone(), json!({"smtp": {}}), json!({"smtp": {"port": 25, "on": true}}));
        check(schema, json!({"smtp": "text"}), json!({"smtp": "text"}));
    }

    #[test]
    fn entries_of_lists_get_defaults() {
        let schema = json!({"properties": {"list": {"items": {"properties": {"ttl": {"default": 3600}}}}}});
        check(
            schema.clone(),
            json!({"list": [{}, {"ttl": 60}, {"ttl": null}, 5]}),
            json!({"list": [{"ttl": 3600}, {"ttl": 60}, {"ttl": 3600}, 5]}),
        );
        check(schema, json!({"list": []}), json!({"list": []}));
    }

    #[test]
    fn a_field_without_properties_is_left_alone() {
        check(json!({}), json!({"a": null}), json!({"a": null}));
        check(json!({"properties": {"a": {"default": 1}}}), json!([1, 2]), json!([1, 2]));
        check(json!({"properties": {"a": {"default": 1}}}), json!("text"), json!("text"));
    }
}
