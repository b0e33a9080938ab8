//! Where encrypted values may stand: where they stay secret. A name, an address or a quota is shown in plans, statuses and
//! messages; whoever encrypted it did not mean that, so the file is refused and the message says how to encrypt it.

use super::fault;
use super::value::is_sealed;
use crate::source::yaml::{Document, Fault, Node, Step, Value};

/// The fields of the kinds that stay secret.
const SECRET_FIELDS: &[(&str, &[&str])] = &[
    ("Secret", &["data"]),
    ("Secret", &["stringData"]),
    ("Mailbox", &["spec", "credentials", "passwordHash"]),
];

/// The first encrypted value that stands where it would be shown.
pub(crate) fn misplaced(documents: &[Document]) -> Option<Fault> {
    documents.iter().filter_map(|document| document.root.as_ref()).find_map(|root| {
        let items = match root.get("items").map(|items| &items.value) {
            Some(Value::Sequence(items)) if kind(root).ends_with("List") => items.as_slice(),
            _ => &[],
        };
        let mut items = items.iter().enumerate().filter_map(|(index, item)| {
            let found = object(item)?;
            let mut path = vec![Step::Key("items".into()), Step::Index(index)];
            path.extend(found.path.iter().cloned());
            Some(Fault { path, ..found })
        });
        items.next().or_else(|| object(root))
    })
}

/// The same of one object.
fn object(object: &Node) -> Option<Fault> {
    search(object, kind(object), &mut Vec::new())
}

fn kind(object: &Node) -> &str {
    object.get("kind").and_then(Node::as_str).unwrap_or_default()
}

fn search(node: &Node, kind: &str, path: &mut Vec<Step>) -> Option<Fault> {
    if is_secret(kind, path) {
        return None;
    }
    match &node.value {
        Value::Mapping(entries) => entries.iter().find_map(|entry| {
            let skipped = path.is_empty() && (&*entry.key == super::KEY || is_items(kind, &entry.key));
            if skipped {
                return None;
            }
            path.push(Step::Key(entry.key.clone()));
            let found = search(&entry.node, kind, path);
            path.pop();
            found
        }),
        Value::Sequence(items) => items.iter().enumerate().find_map(|(index, item)| {
            path.push(Step::Index(index));
            let found = search(item, kind, path);
            path.pop();
            found
        }),
        Value::String(text) if is_sealed(text) => Some(told(node, path)),
        _ => None,
    }
}

fn is_items(kind: &str, key: &str) -> bool {
    kind.ends_with("List") && key == "items"
}

fn is_secret(kind: &str, path: &[Step]) -> bool {
    SECRET_FIELDS.iter().any(|(of, field)| {
        *of == kind
            && field.len() <= path.len()
            && field.iter().zip(path).all(|(name, step)| matches!(step, Step::Key(key) if &**key == *name))
    })
}

fn told(node: &Node, path: &[Step]) -> Fault {
    let message = "is encrypted, and only data and stringData of a Secret and passwordHash of a Mailbox may be: the rest is \
                   shown in plans and messages";
    let remedy = "encrypt with: sops encrypt --encrypted-regex '^(data|stringData|passwordHash)$'";
    Fault { path: path.to_vec(), ..fault(node.mark, &[], message, remedy) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::yaml::{parse, show_path};

    const ENC: &str = "ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]";

    fn check(text: &str, expected: Option<&str>) {
        let text = text.replace("ENC", ENC);
        let documents = parse(text.as_bytes()).unwrap();
        let found = misplaced(&documents).map(|found| {
            assert!(!found.message.contains(ENC) && found.mark.line > 0);
            format!("{}:{}", found.mark.line, show_path(&found.path))
        });
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn encrypted_values_stand_where_they_stay_secret() {
        for (text, expected) in [
            ("kind: Secret\ndata: {a: \"ENC\"}\nstringData: {b: \"ENC\"}\nsops: {mac: \"ENC\"}\n", None),
            ("kind: Mailbox\nspec:\n  credentials: {passwordHash: \"ENC\"}\n", None),
            ("kind: Secret\nmetadata: {name: \"ENC\"}\n", Some("2:metadata.name")),
            ("kind: \"ENC\"\ndata: {a: \"ENC\"}\n", Some("1:kind")),
            ("kind: Secret\ntype: \"ENC\"\n", Some("2:type")),
            ("kind: Mailbox\nspec:\n  displayName: \"ENC\"\n", Some("3:spec.displayName")),
            ("kind: Alias\nspec:\n  targets:\n    - \"ENC\"\n", Some("4:spec.targets[0]")),
            ("kind: Mailbox\ndata: {a: \"ENC\"}\n", Some("2:data.a")),
            ("kind: List\nitems:\n  - kind: Secret\n    data: {a: \"ENC\"}\n", None),
            ("kind: List\nitems:\n  - kind: Secret\n    x: \"ENC\"\n", Some("4:items[0].x")),
            ("kind: Secret\nstringData: {a: b}\n---\nkind: Alias\nx: \"ENC\"\n", Some("5:x")),
            ("a: 1\n", None),
        ] {
            check(text, expected);
        }
    }
}
