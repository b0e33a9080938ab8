//! How each keyword of a structural schema is broken.

use serde_json::{Map, Value, json};

/// One rule, and how a value at `path` (a JSON pointer below spec) is made to break it.
pub(super) struct Break {
    pub(super) path: String,
    pub(super) rule: &'static str,
    pub(super) with: Box<dyn Fn(&mut Value)>,
}

/// Every rule of a schema.
pub(super) fn breaks(schema: &Value) -> Vec<Break> {
    let mut found = Vec::new();
    walk(schema, "", &mut found);
    found
}

/// The JSON pointers of every value in a value but the root.
pub(super) fn paths(value: &Value, at: &str) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, value)| (format!("{at}/{key}"), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, value)| (format!("{at}/{index}"), value)).collect()
        }
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for (path, value) in inner {
        found.extend(paths(value, &path));
        found.push(path);
    }
    found
}

fn walk(schema: &Value, path: &str, found: &mut Vec<Break>) {
    let mut add = |rule: &'static str, with: Box<dyn Fn(&mut Value)>| {
        found.push(Break { path: path.to_owned(), rule, with })
    };
    let put = |wrong: Value| -> Box<dyn Fn(&mut Value)> { Box::new(move |value| *value = wrong.clone()) };
    let number = |key: &str| schema.get(key).and_then(Value::as_i64);
    let kind = match schema["x-kubernetes-int-or-string"].as_bool() {
        Some(true) => "integer or string",
        _ => schema["type"].as_str().unwrap(),
    };
    let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
    match kind {
        "object" => {
            add("type", put(json!("text")));
            match number("maxProperties") {
                Some(most) => add("maxProperties", Box::new(move |value| widen(value, most as usize + 1))),
                None if open => {}
                None => add(
                    "unknown field",
                    Box::new(|value| drop(object(value).insert("surprise".to_owned(), json!(1)))),
                ),
            }
            for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                let key = key.as_str().unwrap().to_owned();
                let null = key.clone();
                add("required", Box::new(move |value| drop(object(value).remove(&key))));
                add(
                    "required, null",
                    Box::new(move |value| drop(object(value).insert(null.clone(), Value::Null))),
                );
            }
        }
        "array" => {
            add("type", put(json!("text")));
            if number("minItems").is_some() {
                add("minItems", put(json!([])));
            }
            let most = number("maxItems").unwrap();
            add("maxItems", Box::new(move |value| lengthen(value, most as usize + 1)));
            if schema["x-kubernetes-list-type"] == "set" {
                add(
                    "set",
                    Box::new(|value| {
                        let first = value[0].clone();
                        value.as_array_mut().unwrap().push(first);
                    }),
                );
            }
        }
        "integer" => {
            for wrong in [json!("1"), json!(1.5), json!(true), json!([1]), json!(u64::MAX)] {
                add("type", put(wrong));
            }
            add("minimum", put(json!(number("minimum").unwrap() - 1)));
            add("maximum", put(json!(number("maximum").unwrap() + 1)));
        }
        "integer or string" => {
            for wrong in [json!(true), json!(1.5), json!([1]), json!(-1), json!("1x"), json!("")] {
                add("integer or string", put(wrong));
            }
            add("maximum", put(json!(number("maximum").unwrap() + 1)));
            add("maxLength", put(json!("1".repeat(number("maxLength").unwrap() as usize + 1))));
        }
        "boolean" => ["yes", "true"].into_iter().for_each(|wrong| add("type", put(json!(wrong)))),
        "string" => {
            for wrong in [json!(5), json!(true), json!({}), json!(["a"])] {
                add("type", put(wrong));
            }
            match schema.get("enum") {
                Some(_) => ["Nonsense", ""].into_iter().for_each(|wrong| add("enum", put(json!(wrong)))),
                None => {
                    if number("minLength") != Some(0) && schema.get("pattern").is_some() {
                        add("minLength", put(json!("")));
                    }
                    if let Some(most) = number("maxLength") {
                        add("maxLength", put(json!("a".repeat(most as usize + 1))));
                    }
                    if schema.get("pattern").is_some() {
                        add("pattern", put(json!("\u{1}")));
                    }
                }
            }
        }
        other => panic!("{path}: a schema of type {other}"),
    }
    for (key, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        walk(inner, &format!("{path}/{key}"), found);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{path}/0"), found);
    }
    // The full manifests have this key in every mapping of any key.
    if let Some(values) = schema.get("additionalProperties") {
        walk(values, &format!("{path}/team"), found);
    }
}

/// Gives a mapping more keys.
fn widen(value: &mut Value, length: usize) {
    let object = object(value);
    let first = object["team"].clone();
    (0..length).for_each(|number| drop(object.insert(format!("key{number}"), first.clone())));
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().unwrap()
}

/// Makes a list longer, with entries that differ where they are addresses.
fn lengthen(value: &mut Value, length: usize) {
    let items = value.as_array_mut().unwrap();
    let first = items[0].clone();
    while items.len() < length {
        let text = first.as_str().unwrap_or_default();
        items.push(json!(if text.contains(['@', '.']) && !text.starts_with(char::is_numeric) {
            format!("n{}{}", items.len(), text)
        } else {
            text.to_owned()
        }));
    }
}
