//! The words of the messages: what a schema asks for, what a value is, which name was probably meant.

use serde_json::Value;

use super::scalars::by_pattern;

/// What a schema asks for: `an e-mail address`, `a list`, `one of A, B`.
pub(super) fn wanted(schema: &Value) -> String {
    if let Some(info) = pattern(schema).and_then(by_pattern) {
        return info.what.to_owned();
    }
    if let Some(words) = enumeration(schema) {
        return format!("one of {}", words.join(", "));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => "a mapping",
        Some("array") => "a list",
        Some("integer") => "a whole number",
        Some("boolean") => "true or false",
        _ => "a text",
    }
    .to_owned()
}

/// What a value is.
pub(super) fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a fractional number",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// The pattern of a schema.
pub(super) fn pattern(schema: &Value) -> Option<&str> {
    schema.get("pattern")?.as_str()
}

/// The words of an enumeration.
pub(super) fn enumeration(schema: &Value) -> Option<Vec<&str>> {
    schema.get("enum")?.as_array().map(|words| words.iter().filter_map(Value::as_str).collect())
}

/// How a value of the wrong type could be written right; never shows the value, which may be a secret.
pub(super) fn conversion(schema: &Value, value: &Value) -> Option<String> {
    match (schema.get("type")?.as_str()?, value) {
        ("string", Value::Bool(_) | Value::Number(_)) => Some("put it in quotes".to_owned()),
        ("boolean", Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" | "y" => Some("write true, without quotes".to_owned()),
            "no" | "off" | "false" | "n" => Some("write false, without quotes".to_owned()),
            _ => None,
        },
        ("integer", Value::String(text)) if text.parse::<i64>().is_ok() => {
            Some("remove the quotes".to_owned())
        }
        ("array", Value::String(_)) => Some("write it as a list: a line with `- ` for each entry".to_owned()),
        ("object", Value::String(_)) => only_required(schema).map(|key| format!("write it as {{{key}: …}}")),
        ("string", Value::Array(items)) if items.len() == 1 => {
            Some("write the value without `- `".to_owned())
        }
        _ => None,
    }
}

/// The key of a mapping that needs exactly one.
fn only_required(schema: &Value) -> Option<&str> {
    match schema.get("required")?.as_array()?.as_slice() {
        [key] => key.as_str(),
        _ => None,
    }
}

/// The word that was probably meant: the same but for case, one with a few letters wrong, or one that begins alike.
pub(super) fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let lower = word.to_lowercase().replace(['-', '_'], "");
    let same = words.clone().find(|other| other.to_lowercase() == lower);
    let close = || {
        let distances = words.clone().map(|other| (distance(&lower, &other.to_lowercase()), other));
        let allowed = 1 + lower.chars().count() / 4;
        distances.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance)
    };
    let alike = || {
        let long = lower.len() >= 3;
        words
            .clone()
            .find(|other| long && (starts_with(other, &lower) || lower.starts_with(&other.to_lowercase())))
    };
    same.or_else(|| close().map(|(_, other)| other)).or_else(alike)
}

fn starts_with(word: &str, start: &str) -> bool {
    word.to_lowercase().starts_with(start)
}

/// The number of letters to insert, delete, replace or swap (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(MAX_WORD).collect(), b.chars().take(MAX_WORD).collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// No field name is longer; a longer word is compared by its beginning, so that it costs no more.
const MAX_WORD: usize = 64;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scalar::Scalar;

    #[test]
    fn names_what_was_probably_meant() {
        let words = [
            "address",
            "displayName",
            "credentials",
            "quota",
            "enabled",
            "sendAs",
            "passwordHash",
            "retainFor",
        ];
        for (word, expected) in [
            ("adress", Some("address")),
            ("addres", Some("address")),
            ("Address", Some("address")),
            ("display-name", Some("displayName")),
            ("display_name", Some("displayName")),
            ("quoat", Some("quota")),
            ("enable", Some("enabled")),
            ("password", Some("passwordHash")),
            ("retain", Some("retainFor")),
            ("forward", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words.into_iter()), expected, "{word}");
        }
    }

    #[test]
    fn schemas_and_values_have_names() {
        for (schema, expected) in [
            (json!({"type": "string", "pattern": crate::Address::PATTERN}), "an e-mail address"),
            (json!({"type": "string", "pattern": "^x$"}), "a text"),
            (json!({"type": "string", "enum": ["A", "B"]}), "one of A, B"),
            (json!({"type": "array"}), "a list"),
            (json!({"type": "object"}), "a mapping"),
            (json!({"type": "integer"}), "a whole number"),
            (json!({"type": "boolean"}), "true or false"),
        ] {
            assert_eq!(wanted(&schema), expected, "{schema}");
        }
        for (value, expected) in [
            (json!(null), "nothing"),
            (json!(true), "true or false"),
            (json!(1), "a number"),
            (json!(1.5), "a fractional number"),
            (json!("x"), "a text"),
            (json!([]), "a list"),
            (json!({}), "a mapping"),
        ] {
            assert_eq!(found(&value), expected, "{value}");
        }
    }

    #[test]
    fn values_of_the_wrong_type_get_a_remedy_where_there_is_one() {
        let reference = json!({"type": "object", "required": ["name"]});
        for (schema, value, expected) in [
            (json!({"type": "string"}), json!(5), Some("put it in quotes")),
            (json!({"type": "string"}), json!(false), Some("put it in quotes")),
            (json!({"type": "string"}), json!(["a"]), Some("write the value without `- `")),
            (json!({"type": "string"}), json!(["a", "b"]), None),
            (json!({"type": "string"}), json!({}), None),
            (json!({"type": "boolean"}), json!("Yes"), Some("write true, without quotes")),
            (json!({"type": "boolean"}), json!("n"), Some("write false, without quotes")),
            (json!({"type": "boolean"}), json!("1"), None),
            (json!({"type": "integer"}), json!("-5"), Some("remove the quotes")),
            (json!({"type": "integer"}), json!("5 MB"), None),
            (
                json!({"type": "array"}),
                json!("a"),
                Some("write it as a list: a line with `- ` for each entry"),
            ),
            (json!({"type": "array"}), json!(5), None),
            (reference.clone(), json!("mail"), Some("write it as {name: …}")),
            (reference, json!(5), None),
            (json!({"type": "object", "required": ["a", "b"]}), json!("x"), None),
            (json!({}), json!("x"), None),
        ] {
            assert_eq!(conversion(&schema, &value).as_deref(), expected, "{schema} {value}");
        }
    }

    #[test]
    fn distance_counts_letters() {
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("ab", "ba", 1),
            ("kitten", "sitting", 3),
            ("quota", "quota", 0),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
