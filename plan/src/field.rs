//! Which fields differ between two declared rows, by their paths in the manifest and in the manifest's own writing.
//!
//! Rows are compared as JSON, so a field added to a row is never forgotten here. Lists are compared as sets: one
//! [`FieldChange`] of `field[]` for each element that comes or goes.

use std::collections::{BTreeMap, BTreeSet};

use mailwright_crds::Quantity;
use serde::Serialize;
use serde_json::Value;

use crate::operation::FieldChange;
use crate::reference::Text;

/// Keys of rows: what names the row is the subject of the operation, not a field of it.
const KEYS: [&str; 3] = ["address", "domain", "name"];
/// Fields that count bytes.
const BYTES: [&str; 4] = ["quota", "limits.defaultQuota", "limits.maxQuota", "limits.messageSize"];
/// Fields that count seconds.
const SECONDS: [&str; 3] = ["retainFor", "queue.lifetime", "queue.delayWarning"];

/// The legal hold is a label, since it is not for the manifest's author alone to say.
const HOLD_PATH: &str = "legal-hold";
const HOLD_FIELD: &str = "metadata.labels[mailwright.dev/legal-hold]";
/// Hexadecimal digits of a digest of a row: 64 bits, enough to tell that somebody changed it.
const DIGEST_DIGITS: usize = 16;

/// What a declared row comes to, equal for rows between which there is no difference.
pub(crate) fn digest<T: Serialize>(row: &T) -> String {
    let mut hasher = blake3::Hasher::new();
    for (path, leaf) in fields(row) {
        let values: Vec<&String> = match &leaf {
            Leaf::Text(text) => vec![text],
            Leaf::List(elements) => elements.iter().collect(),
        };
        for part in std::iter::once(&path).chain(values) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(&u64::MAX.to_le_bytes());
    }
    hasher.finalize().to_hex()[..DIGEST_DIGITS].to_owned()
}

/// The differences from `before` to `after`, by path.
pub fn diff<T: Serialize>(before: &T, after: &T) -> Vec<FieldChange> {
    let (before, after) = (fields(before), fields(after));
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut changes = Vec::new();
    for path in paths {
        let (from, to) = (before.get(path), after.get(path));
        if from != to {
            differ(path, from, to, &mut changes);
        }
    }
    changes
}

fn differ(path: &str, from: Option<&Leaf>, to: Option<&Leaf>, changes: &mut Vec<FieldChange>) {
    let field = if path == HOLD_PATH { HOLD_FIELD.to_owned() } else { format!("spec.{path}") };
    let change = |field: &str, from: Option<&String>, to: Option<&String>| FieldChange {
        field: field.into(),
        from: from.map(Text::from),
        to: to.map(Text::from),
    };
    let empty = BTreeSet::new();
    match (from, to) {
        (Some(Leaf::List(_)), _) | (_, Some(Leaf::List(_))) => {
            let (from, to) = (elements(from, &empty), elements(to, &empty));
            let gone = from.difference(to).map(|gone| change(&format!("{field}[]"), Some(gone), None));
            let new = to.difference(from).map(|new| change(&format!("{field}[]"), None, Some(new)));
            changes.extend(gone.chain(new));
        }
        _ => changes.push(change(&field, text(from), text(to))),
    }
}

#[derive(PartialEq)]
enum Leaf {
    Text(String),
    List(BTreeSet<String>),
}

fn elements<'a>(leaf: Option<&'a Leaf>, empty: &'a BTreeSet<String>) -> &'a BTreeSet<String> {
    match leaf {
        Some(Leaf::List(elements)) => elements,
        _ => empty,
    }
}

fn text(leaf: Option<&Leaf>) -> Option<&String> {
    match leaf {
        Some(Leaf::Text(text)) => Some(text),
        _ => None,
    }
}

/// The leaves of a row by path; what is null or an empty list is not there.
fn fields<T: Serialize>(row: &T) -> BTreeMap<String, Leaf> {
    let mut leaves = BTreeMap::new();
    // A declared row is plain data: it always has a JSON form.
    let value = serde_json::to_value(row).unwrap_or_default();
    if let Value::Object(map) = &value {
        for (key, value) in map.iter().filter(|(key, _)| !KEYS.contains(&key.as_str())) {
            match key.as_str() {
                // Of a domain; a server's `dns` stands there as in the manifest.
                "dns" if map.contains_key("domain") => walk("", value, &mut leaves),
                "server" => walk("serverRef", value, &mut leaves),
                "legalHold" => walk(HOLD_PATH, value, &mut leaves),
                _ => walk(key, value, &mut leaves),
            }
        }
    }
    leaves
}

fn walk(path: &str, value: &Value, leaves: &mut BTreeMap<String, Leaf>) {
    match value {
        Value::Null => {}
        Value::Object(map) if map.is_empty() => {
            leaves.insert(path.to_owned(), Leaf::Text("{}".to_owned()));
        }
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(&path, value, leaves);
            }
        }
        Value::Array(elements) if elements.is_empty() => {}
        Value::Array(elements) => {
            let elements = elements.iter().map(|element| write(path, element)).collect();
            leaves.insert(path.to_owned(), Leaf::List(elements));
        }
        scalar => {
            leaves.insert(path.to_owned(), Leaf::Text(write(path, scalar)));
        }
    }
}

/// A value as the manifest would write it.
fn write(path: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if BYTES.contains(&path) => bytes(number.as_u64().unwrap_or_default()),
        Value::Number(number) if SECONDS.contains(&path) => duration(number.as_u64().unwrap_or_default()),
        other => other.to_string(),
    }
}

/// A number of bytes as a quantity: `5Gi`.
pub(crate) fn bytes(bytes: u64) -> String {
    Quantity::from_bytes(bytes).map_or_else(|_| bytes.to_string(), |quantity| quantity.as_str().to_owned())
}

/// A number of seconds as a duration: `720h`, `1h30m`.
pub(crate) fn duration(seconds: u64) -> String {
    let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let text: String = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(before: Value, after: Value, expected: &[&str]) {
        let lines: Vec<String> = diff(&before, &after)
            .into_iter()
            .map(|change| {
                let side = |side: Option<Text>| side.unwrap_or_else(|| "-".into());
                format!("{}: {} → {}", change.field, side(change.from), side(change.to))
            })
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn scalars_lists_and_nested_fields_are_written_as_in_the_manifest() {
        check(json!({"quota": 1024}), json!({"quota": 1_073_741_824}), &["spec.quota: 1Ki → 1Gi"]);
        check(json!({"quota": null}), json!({"quota": 1}), &["spec.quota: - → 1"]);
        check(
            json!({"retainFor": 2_592_000}),
            json!({"retainFor": 5430}),
            &["spec.retainFor: 720h → 1h30m30s"],
        );
        check(
            json!({"targets": ["a@x", "b@x"]}),
            json!({"targets": ["b@x", "c@x"]}),
            &["spec.targets[]: a@x → -", "spec.targets[]: - → c@x"],
        );
        check(json!({"targets": []}), json!({"targets": ["c@x"]}), &["spec.targets[]: - → c@x"]);
        check(
            json!({"domain": "x", "dns": {"dmarc": {"policy": "None"}}, "server": "default/a"}),
            json!({"domain": "x", "dns": {"dmarc": {"policy": "Reject"}}, "server": "default/b"}),
            &["spec.dmarc.policy: None → Reject", "spec.serverRef: default/a → default/b"],
        );
        check(
            json!({"listeners": {"smtp": {"enabled": true, "port": 25}}}),
            json!({"listeners": {"smtp": {"enabled": false, "port": 2525}}}),
            &["spec.listeners.smtp.enabled: true → false", "spec.listeners.smtp.port: 25 → 2525"],
        );
        check(
            json!({"hostname": "x", "dns": {"resolvers": []}, "queue": {"lifetime": 432_000}}),
            json!({"hostname": "x", "dns": {"resolvers": ["192.0.2.53"]}, "queue": {"lifetime": 3600}}),
            &["spec.dns.resolvers[]: - → 192.0.2.53", "spec.queue.lifetime: 120h → 1h"],
        );
        check(
            json!({"forward": null}),
            json!({"forward": {"targets": ["a@x"], "keepCopy": true}}),
            &["spec.forward.keepCopy: - → true", "spec.forward.targets[]: - → a@x"],
        );
        check(
            json!({"tls": "selfSigned"}),
            json!({"tls": {"secretName": "mail"}}),
            &["spec.tls: selfSigned → -", "spec.tls.secretName: - → mail"],
        );
    }

    #[test]
    fn keys_order_and_equal_values_are_no_difference() {
        check(json!({"address": "a@x", "quota": 1}), json!({"address": "b@x", "quota": 1}), &[]);
        check(json!({"dns": {"a": 1, "b": 2}}), json!({"dns": {"b": 2, "a": 1}}), &[]);
        check(json!({"sendAs": ["a", "b"]}), json!({"sendAs": ["b", "a"]}), &[]);
    }

    #[test]
    fn durations_are_whole() {
        for (seconds, text) in
            [(0, "0s"), (1, "1s"), (60, "1m"), (3600, "1h"), (3661, "1h1m1s"), (2_592_000, "720h")]
        {
            assert_eq!(duration(seconds), text);
        }
    }
}
