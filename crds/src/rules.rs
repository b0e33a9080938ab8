//! The CEL rules of the schemas, run here as an API server runs them: compiled once per kind, on values with their defaults.

use std::borrow::Cow;
use std::sync::LazyLock;

use kube::core::cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::Value;

use crate::kind::Kind;
use crate::schema::schema;
use crate::violation::{Segment, Violation};

static COMPILED: LazyLock<[CompiledSchema; Kind::ALL.len()]> =
    LazyLock::new(|| Kind::ALL.map(|kind| compile_schema(schema(kind))));

thread_local! {
    /// Its functions are not shareable between threads; registering them takes longer than a check.
    static VALIDATOR: Validator = Validator::new();
}

/// Runs the rules on a manifest, and the transition rules too when there is an old one. `wrong` is what the schema says is
/// wrong already: a rule that could not be evaluated because of it, or would only repeat it, says nothing.
pub(crate) fn check(
    kind: Kind,
    manifest: &Value,
    old: Option<&Value>,
    wrong: &[Violation],
) -> Vec<Violation> {
    let schema = &COMPILED[kind as usize];
    let manifest = without_wrong_texts(manifest, wrong);
    let result = VALIDATOR.with(|validator| validator.validate_compiled(schema, &manifest, old));
    let Err(errors) = result else { return Vec::new() };
    let mut found = Vec::new();
    for error in errors {
        let path = segments(&error.field_path);
        if !follows(&error, &path, wrong) {
            let violation = Violation { path, message: error.message, remedy: None };
            if !found.contains(&violation) {
                found.push(violation);
            }
        }
    }
    found.sort_by(|a, b| (&a.path, &a.message).cmp(&(&b.path, &b.message)));
    found
}

/// Empties the texts that the schema refused: the evaluator is made for what a pattern let through, and `1e2000000000` as a
/// quantity is more than it counts with.
fn without_wrong_texts<'a>(manifest: &'a Value, wrong: &[Violation]) -> Cow<'a, Value> {
    let mut manifest = Cow::Borrowed(manifest);
    for violation in wrong {
        let found = violation.path.iter().try_fold(manifest.as_ref(), |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
        });
        if found.is_none_or(|value| !value.is_string()) {
            continue;
        }
        let found = violation.path.iter().try_fold(manifest.to_mut(), |value, segment| match segment {
            Segment::Key(key) => value.get_mut(key),
            Segment::Index(index) => value.get_mut(index),
        });
        if let Some(value) = found {
            *value = Value::from("");
        }
    }
    manifest
}

/// Whether a failure only follows from what is wrong already: with the same value, or with one below that the rule reads
/// (asking whether it is there is not reading it).
fn follows(error: &ValidationError, path: &[Segment], wrong: &[Violation]) -> bool {
    wrong.iter().any(|violation| match violation.path.strip_prefix(path) {
        Some([]) => true,
        Some([Segment::Key(key), ..]) => {
            error.kind != ErrorKind::ValidationFailure || reads(&error.rule, key)
        }
        Some(_) => true,
        None => false,
    })
}

/// Whether a rule reads a field of `self`, beside asking whether it is there.
fn reads(rule: &str, key: &str) -> bool {
    let field = format!("self.{key}");
    rule.match_indices(&field).any(|(at, _)| {
        let whole_word =
            !rule[at + field.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        whole_word && !rule[..at].ends_with("has(")
    })
}

/// Reads `spec.targets[3]`. Keys with dots occur in metadata only, where there are no rules.
fn segments(path: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        segments.extend(pieces.next().map(|key| Segment::Key(key.to_owned())));
        let indices = pieces.filter_map(|piece| piece.trim_end_matches(']').parse().ok());
        segments.extend(indices.map(Segment::Index));
    }
    segments
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_rule_compiles_and_has_a_message() {
        fn walk(schema: &CompiledSchema, count: &mut usize) {
            assert!(!schema.has_errors(), "{:?}", schema.compilation_errors());
            for rule in schema.validations.iter().flatten() {
                assert!(rule.rule.message.is_some(), "{} has no message", rule.rule.rule);
                *count += 1;
            }
            schema.properties.values().for_each(|inner| walk(inner, count));
            schema.items.iter().for_each(|inner| walk(inner, count));
        }
        let mut count = 0;
        COMPILED.iter().for_each(|schema| walk(schema, &mut count));
        assert!(count > 20, "only {count} rules");
    }

    #[test]
    fn reading_a_field_is_more_than_asking_for_it() {
        for (rule, key, expected) in [
            ("self.a <= self.b", "a", true),
            ("self.a <= self.b", "b", true),
            ("self.ab <= self.b", "a", false),
            ("has(self.a) != has(self.b)", "a", false),
            ("!has(self.a) || self.a == 1", "a", true),
        ] {
            assert_eq!(reads(rule, key), expected, "{rule} {key}");
        }
    }

    fn wrong(path: &str) -> Violation {
        Violation { path: segments(path), message: "is wrong".to_owned(), remedy: None }
    }

    #[test]
    fn failures_that_only_follow_are_not_repeated() {
        let mailbox = json!({"spec": {"address": "alice@example.test", "sendAs": ["alice@example.test"],
            "credentials": {"secretRef": {"name": "Alice"}, "passwordHash": "x"}}});
        let own = "spec: sendAs need not name the mailbox's own address";
        let one = "spec.credentials: needs exactly one of secretRef, passwordHash and generate";
        for (already, expected) in [
            (vec![], vec![own, one]),
            (vec!["spec.credentials.secretRef.name", "spec.credentials.passwordHash"], vec![own, one]),
            (vec!["spec.quota"], vec![own, one]),
            (vec!["spec.sendAs[0]"], vec![one]),
            (vec!["spec.address"], vec![one]),
            (vec!["spec.credentials"], vec![own]),
            (vec!["spec"], vec![one]),
        ] {
            let already: Vec<Violation> = already.into_iter().map(wrong).collect();
            let found = check(Kind::Mailbox, &mailbox, None, &already);
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{already:?}");
        }
    }

    #[test]
    fn only_refused_texts_are_emptied() {
        let object = json!({"spec": {"quota": "1e9", "list": ["a", "b"], "number": 5}});
        let already =
            ["spec.quota", "spec.list[1]", "spec.number", "spec.missing", "spec.list[7]", ""].map(wrong);
        let emptied = without_wrong_texts(&object, &already);
        assert_eq!(*emptied, json!({"spec": {"quota": "", "list": ["a", ""], "number": 5}}));
        assert!(matches!(without_wrong_texts(&object, &already[2..]), Cow::Borrowed(_)));
    }

    #[test]
    fn paths_of_errors_are_read_back() {
        let key = |key: &str| Segment::Key(key.to_owned());
        for (path, expected) in [
            ("", vec![]),
            ("spec", vec![key("spec")]),
            ("spec.targets[3]", vec![key("spec"), key("targets"), Segment::Index(3)]),
            ("spec.a[0][1].b", vec![key("spec"), key("a"), Segment::Index(0), Segment::Index(1), key("b")]),
        ] {
            assert_eq!(segments(path), expected, "{path}");
        }
    }
}
