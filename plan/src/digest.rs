//! What identifies a plan: a digest over what its operations do. Words, places in files and the time do not count, so a
//! plan made again from the same declarations and the same state has the same digest. Nor does the fingerprint of a first
//! password count: the key that fingerprints are made with is made with the installation.

use serde_json::{Value, json};

use crate::operation::Operation;

/// Characters of the digest that are printed and must be given to approve it: 64 bits, which nobody meets by chance.
pub const SHORT: usize = 16;

/// The digest of operations in their order, held ones included, in 64 hexadecimal digits.
pub fn digest(operations: &[Operation]) -> String {
    let mut hasher = blake3::Hasher::new();
    for operation in operations {
        let mut essence = json!({
            "action": operation.action,
            "object": operation.object,
            "subject": operation.subject,
            "change": operation.change,
        });
        if let Some(origin) = essence.pointer_mut("/change/owner/origin").and_then(Value::as_object_mut) {
            origin.remove("line");
        }
        if let Some(owner) = essence.pointer_mut("/change/owner").and_then(Value::as_object_mut) {
            // Follows from what is declared.
            owner.remove("applied");
        }
        if sets_first_password(operation)
            && let Some(credential) = essence.pointer_mut("/change/credential").and_then(Value::as_object_mut)
        {
            credential.remove("fingerprint");
        }
        hasher.update(canonical(&essence).as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// Whether there was no password before, so that the fingerprint tells nothing that its source does not.
fn sets_first_password(operation: &Operation) -> bool {
    let mut credentials =
        operation.changes.iter().filter(|change| change.field.starts_with("spec.credentials"));
    credentials.any(|change| change.from.is_none())
}

/// The part of a digest that is printed.
pub fn short(digest: &str) -> &str {
    digest.get(..SHORT).unwrap_or(digest)
}

/// Whether an approval names this plan: its whole digest, or its beginning in at least [`SHORT`] characters.
pub(crate) fn approves(approval: &str, digest: &str) -> bool {
    approval.len() >= SHORT && digest.starts_with(&approval.to_ascii_lowercase())
}

/// JSON with sorted keys and no spaces, so that equal values have equal texts.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            let fields = entries.iter().map(|(key, value)| format!("{}:{}", json!(key), canonical(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_texts() {
        let one: Value = serde_json::from_str(r#"{"b": [1, {"y": null, "x": "é\""}], "a": true}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"a":true,"b":[1,{"x":"é\"","y":null}]}"#).unwrap();
        assert_eq!(canonical(&one), canonical(&other));
        assert_eq!(canonical(&one), r#"{"a":true,"b":[1,{"x":"é\"","y":null}]}"#);
    }

    #[test]
    fn approvals_are_long_enough_and_exact() {
        let digest = digest(&[]);
        assert_eq!(digest.len(), 64);
        for (approval, expected) in [
            (digest.as_str(), true),
            (short(&digest), true),
            (&digest[..15], false),
            ("", false),
            ("0000000000000000", false),
            (&digest.to_uppercase()[..20], true),
        ] {
            assert_eq!(approves(approval, &digest), expected, "{approval}");
        }
    }
}
