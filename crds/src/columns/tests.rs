//! The tables that `mailwright get` prints, against what kubectl prints for the same objects.

use super::*;
use serde_json::json;

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-20T12:00:00Z").unwrap().to_utc()
}

fn ready(status: &str, reason: &str) -> Value {
    json!([{"type": "Accepted", "status": "True", "reason": "Reconciled"},
           {"type": "Ready", "status": status, "reason": reason}])
}

#[track_caller]
fn check(kind: Kind, wide: bool, object: Value, header_text: &str, row_text: &str) {
    assert_eq!(header(kind, wide).join("|"), header_text);
    assert_eq!(row(kind, &object, wide, now()).join("|"), row_text);
}

#[test]
fn mailboxes() {
    let object = json!({
        "metadata": {"name": "alice", "creationTimestamp": "2026-11-20T11:55:00Z"},
        "spec": {"address": "alice@example.test", "quota": "5Gi", "enabled": true, "displayName": "Alice"},
        "status": {"conditions": ready("True", "Reconciled")},
    });
    let narrow = "NAME|ADDRESS|QUOTA|ENABLED|READY|REASON|AGE";
    check(
        Kind::Mailbox,
        false,
        object.clone(),
        narrow,
        "alice|alice@example.test|5Gi|true|True|Reconciled|5m",
    );
    let wide = "NAME|ADDRESS|QUOTA|ENABLED|READY|REASON|CREDENTIALS|DISPLAY NAME|AGE";
    check(Kind::Mailbox, true, object, wide, "alice|alice@example.test|5Gi|true|True|Reconciled||Alice|5m");
}

#[test]
fn domains_servers_and_aliases() {
    check(
        Kind::MailDomain,
        false,
        json!({"metadata": {"name": "example", "creationTimestamp": "2026-10-20T12:00:00Z"},
               "spec": {"domain": "example.test", "serverRef": {"name": "mail"}},
               "status": {"mailboxes": 12, "aliases": 0, "conditions": ready("False", "ServerNotFound")}}),
        "NAME|DOMAIN|SERVER|MAILBOXES|ALIASES|READY|REASON|AGE",
        "example|example.test|mail|12|0|False|ServerNotFound|31d",
    );
    check(
        Kind::MailServer,
        false,
        json!({"metadata": {"name": "mail"}, "spec": {"hostname": "mail.example.test"}}),
        "NAME|HOSTNAME|READY|REASON|ADDRESS|AGE",
        "mail|mail.example.test||||",
    );
    check(
        Kind::Alias,
        false,
        json!({"metadata": {"name": "info", "creationTimestamp": "yesterday"},
               "spec": {"address": "info@example.test", "targets": ["a@example.test", "b@example.test"], "senders": "Anyone"},
               "status": {"conditions": ready("Unknown", "Suspended")}}),
        "NAME|ADDRESS|TARGETS|SENDERS|READY|REASON|AGE",
        "info|info@example.test|[\"a@example.test\",\"b@example.test\"]|Anyone|Unknown|Suspended|<invalid>",
    );
}

#[test]
fn repositories() {
    let object = json!({
        "metadata": {"name": "company", "creationTimestamp": "2026-11-20T11:55:00Z"},
        "spec": {"url": "ssh://git@git.example.test/mail.git", "mode": "Plan"},
        "status": {"conditions": ready("True", "Planned"), "lastAppliedRevision": "main@sha1:0f", "inventory": 12,
            "plan": {"digest": "00ff"}},
    });
    check(
        Kind::MailRepository,
        false,
        object.clone(),
        "NAME|URL|READY|REASON|REVISION|AGE",
        "company|ssh://git@git.example.test/mail.git|True|Planned|main@sha1:0f|5m",
    );
    check(
        Kind::MailRepository,
        true,
        object,
        "NAME|URL|READY|REASON|REVISION|MODE|PLAN|OBJECTS|AGE",
        "company|ssh://git@git.example.test/mail.git|True|Planned|main@sha1:0f|Plan|00ff|12|5m",
    );
}

#[test]
fn values_of_another_type_are_left_empty() {
    check(
        Kind::MailDomain,
        false,
        json!({"metadata": {"name": "x", "creationTimestamp": 5}, "spec": null, "status": {"mailboxes": "12", "aliases": 1.5}}),
        "NAME|DOMAIN|SERVER|MAILBOXES|ALIASES|READY|REASON|AGE",
        "x|||||||",
    );
    assert_eq!(row(Kind::Alias, &json!([]), false, now()), ["", "", "", "", "", "", ""]);
}

#[test]
fn every_declared_column_has_a_path_that_parses_and_age_is_last() {
    for kind in Kind::ALL {
        for column in columns(kind) {
            assert!(jsonpath::parse(column.json_path).is_ok(), "{kind} {}", column.json_path);
            assert!(
                ["string", "integer", "boolean", "date"].contains(&column.type_),
                "{kind} {}",
                column.type_
            );
        }
        assert_eq!(header(kind, true).last().unwrap(), "AGE");
        assert_eq!(header(kind, true)[0], "NAME");
    }
}
