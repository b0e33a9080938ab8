//! Who can be reached, against a plain walk over every state.

use serde_json::{Value, json};

use super::*;
use crate::observed::Observed;
use crate::operation::{Action, Risk};
use crate::reference::ObjectRef;

/// A state in short: `a@x` a mailbox, `!a@x` one out of service, `a@x>b@x,c@x` an alias, `x` a domain, `x>y@z` one with
/// a catch-all.
fn state(rows: &str) -> Observed {
    let mut observed = Observed::default();
    for row in rows.split_whitespace() {
        let (key, targets) = row.split_once('>').unwrap_or((row, ""));
        let (enabled, key) = (!key.starts_with('!'), key.trim_start_matches('!'));
        let targets: Vec<&str> = targets.split(',').filter(|target| !target.is_empty()).collect();
        match (key.contains('@'), targets.is_empty()) {
            (false, _) => observed.domains.push(read(
                json!({"domain": key, "server": "d/s", "aliases": [],
                "parked": !enabled, "catchAll": targets.first(), "limits": {}, "dns": {}}),
                json!({"removedAt": null}),
            )),
            (true, true) => observed.mailboxes.push(read(
                json!({"address": key, "displayName": null, "quota": null, "sendAs": [], "enabled": enabled,
                    "deletionPolicy": "Disable", "retainFor": 1}),
                json!({"accountId": 1, "removedAt": null, "credential": null, "usedBytes": 0}),
            )),
            (true, false) => observed.aliases.push(read(
                json!({"address": key, "targets": targets, "senders": "Anyone", "enabled": enabled}),
                json!({}),
            )),
        }
    }
    observed
}

fn read<T: serde::de::DeserializeOwned>(declared: Value, mut row: Value) -> T {
    row["declared"] = declared;
    row["owner"] = Value::Null;
    serde_json::from_value(row).unwrap()
}

/// Whether `p@x` can reach somebody while the first state becomes the second, and which of the rows that exist in
/// either decide about it.
fn check(before: &str, after: &str, expected: Option<&[&str]>) {
    let (before_state, after_state) = (state(before), state(after));
    let (one, other) = (Routes::new(&before_state), Routes::new(&after_state));
    let rows = Reach { before: &one, after: &other }.rows("p@x");
    let exists = |key: &str| {
        [&one, &other].iter().any(|routes| routes.mailbox(key).is_some() || routes.alias(key).is_some())
    };
    let mut found: Option<Vec<String>> =
        rows.map(|rows| rows.into_iter().map(|(_, key)| key).filter(|key| exists(key)).collect());
    if let Some(found) = &mut found {
        found.sort();
        found.dedup();
    }
    assert_eq!(
        found.as_deref(),
        expected.map(|keys| keys.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref(),
        "{before} → {after}"
    );
}

#[test]
fn either_version_of_each_row_counts() {
    check("x", "x", None);
    check("x p@x", "x p@x", Some(&["p@x"]));
    check("x p@x", "x", Some(&["p@x"]));
    check("x", "x p@x", Some(&["p@x"]));
    check("x !p@x", "x !p@x", None);
    check("x p@x>a@x a@x", "x p@x>a@x", Some(&["a@x", "p@x"]));
    // The alias goes while its target comes back: in between it reaches somebody.
    check("x p@x>a@x !a@x", "x a@x", Some(&["a@x", "p@x"]));
    check("x p@x>a@x !a@x", "x !a@x", None);
    check("x !p@x>a@x a@x", "x !p@x>a@x a@x", None);
    check("x p@x>q@x q@x>p@x", "x p@x>q@x q@x>p@x", None);
}

#[test]
fn a_catch_all_counts_only_where_nothing_may_stand_before_it() {
    check("x @x>a@x a@x", "x @x>a@x a@x", Some(&["@x", "a@x"]));
    check("x>a@x a@x", "x>a@x a@x", Some(&["a@x"]));
    check("x>a@x a@x", "x a@x", Some(&["a@x"]));
    check("x @x>a@x a@x !p@x", "x @x>a@x a@x !p@x", None);
    check("x @x>a@x a@x", "x @x>a@x a@x !p@x", Some(&["@x", "a@x", "p@x"]));
    check("x>a@x @x>b@x a@x", "x>a@x @x>b@x a@x", None);
    check("x>a@x @x>b@x a@x", "x>a@x a@x", Some(&["@x", "a@x"]));
}

#[test]
fn harm_is_what_a_row_loses() {
    let before = state("x>a@x a@x !b@x p@x>a@x,b@x !q@x>a@x");
    let routes = Routes::new(&before);
    let reach = Reach { before: &routes, after: &routes };
    let harmful = |change: Value| {
        let operation = Operation {
            action: Action::Update,
            object: ObjectRef { kind: Kind::Alias, namespace: "d".into(), name: "n".into() },
            subject: String::new(),
            changes: Vec::new(),
            risk: Risk::None,
            effect: Vec::new(),
            origin: None,
            change: serde_json::from_value(change).unwrap(),
            held: None,
            drift: false,
        };
        reach.is_harmful(&operation)
    };
    let owner = json!({"managedBy": "git", "object": {"kind": "Alias", "namespace": "d", "name": "n"},
        "origin": {"file": "f", "line": 1}});
    let put = |kind: &str, rows: &str| {
        let state = state(rows);
        let declared = match kind {
            "PutMailbox" => json!(state.mailboxes[0].declared),
            "PutAlias" => json!(state.aliases[0].declared),
            _ => json!(state.domains[0].declared),
        };
        json!({"type": kind, "declared": declared, "owner": owner, "credential": null})
    };
    for (change, expected) in [
        (put("PutMailbox", "a@x"), false),
        (put("PutMailbox", "!a@x"), true),
        (put("PutMailbox", "b@x"), false),
        (put("PutMailbox", "!b@x"), false),
        (put("PutMailbox", "new@x"), true),
        (put("PutAlias", "p@x>a@x,b@x,c@x"), false),
        (put("PutAlias", "p@x>a@x"), true),
        (put("PutAlias", "!p@x>a@x,b@x"), true),
        (put("PutAlias", "q@x>b@x"), false),
        (put("PutAlias", "new@x>a@x"), true),
        (put("PutDomain", "x>a@x"), false),
        (put("PutDomain", "x>b@x"), true),
        (put("PutDomain", "x"), true),
        (put("PutDomain", "!x>a@x"), true),
        (put("PutDomain", "new>a@x"), false),
        (json!({"type": "DisableMailbox", "address": "a@x"}), true),
        (json!({"type": "DeleteAlias", "address": "p@x"}), true),
        (json!({"type": "DisableDomain", "domain": "x"}), true),
        (json!({"type": "Release", "kind": "Mailbox", "key": "a@x"}), false),
        (json!({"type": "DeleteServer", "name": "d/s"}), false),
    ] {
        assert_eq!(harmful(change.clone()), expected, "{change}");
    }
}
