//! Changes behind the manifests' back: found, shown field by field, put back or only told; and what is no drift.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::observed::{CredentialRow, DeletionPolicy, MailboxRow, Senders, SetBy};
use mailwright_plan::{
    DriftPolicy, Guard, Observed, Operation, Plan, Settings, Text, plan, render, simulate,
};
use support::{brief, catalog, running, start, with};

const MORE: &str = "Mailbox carol {address: carol@one.test, quota: 1Gi, sendAs: [team@one.test], \
                    credentials: {secretRef: {name: pw}}}\n\
                    Alias team {address: team@one.test, targets: [alice@one.test, carol@one.test]}\n\
                    Secret pw {password: one}";

type Tamper = fn(&mut Observed);

fn settings(drift: DriftPolicy) -> Settings {
    Settings { drift, ..support::settings("git", start()) }
}

fn planned(observed: &Observed, text: &str, drift: DriftPolicy) -> Plan {
    plan(&catalog(text), observed, &settings(drift))
}

fn carol(observed: &mut Observed) -> &mut MailboxRow {
    observed.mailboxes.iter_mut().find(|row| row.declared.address == "carol@one.test").unwrap()
}

fn fields(operation: &Operation) -> Vec<String> {
    let side = |side: &Option<Text>| side.clone().unwrap_or_else(|| "-".into());
    operation.changes.iter().map(|it| format!("{} {} {}", it.field, side(&it.from), side(&it.to))).collect()
}

/// What somebody changed in the database, and the fields that say so.
const DRIFT: [(&str, Tamper, &[&str]); 9] = [
    ("carol@one.test", |it| carol(it).declared.quota = Some(5 << 30), &["spec.quota 5Gi 1Gi"]),
    ("carol@one.test", |it| carol(it).declared.quota = None, &["spec.quota - 1Gi"]),
    (
        "carol@one.test",
        |it| carol(it).declared.display_name = Some("Mallory".into()),
        &["spec.displayName Mallory -"],
    ),
    (
        "carol@one.test",
        |it| carol(it).declared.send_as.push("alice@one.test".into()),
        &["spec.sendAs[] alice@one.test -"],
    ),
    (
        "carol@one.test",
        |it| carol(it).declared.deletion_policy = DeletionPolicy::Delete,
        &["spec.deletionPolicy Delete Disable"],
    ),
    ("carol@one.test", |it| carol(it).removed_at = Some(start()), &[]),
    (
        "team@one.test",
        |it| {
            let team = it.aliases.iter_mut().find(|row| row.declared.address == "team@one.test").unwrap();
            team.declared.targets.push("mallory@elsewhere.example".into());
            team.declared.senders = Senders::Members;
        },
        &["spec.senders Members Anyone", "spec.targets[] mallory@elsewhere.example -"],
    ),
    (
        "two.test",
        |it| {
            it.domains
                .iter_mut()
                .find(|row| row.declared.domain == "two.test")
                .unwrap()
                .declared
                .limits
                .mailboxes = Some(1)
        },
        &["spec.limits.mailboxes 1 -"],
    ),
    (
        "mail.example.test",
        |it| it.servers[0].declared.limits.connections = 7,
        &["spec.limits.connections 7 2000"],
    ),
];

#[test]
fn drift_is_found_shown_and_repaired() {
    let text = with(MORE);
    let good = running(&text);
    for (subject, tamper, expected) in DRIFT {
        let mut observed = good.clone();
        tamper(&mut observed);
        let planned = planned(&observed, &text, DriftPolicy::Repair);
        assert_eq!(planned.operations.len(), 1, "{subject} {expected:?}: {:?}", brief(&planned));
        let operation = &planned.operations[0];
        assert!(operation.drift && operation.held.is_none(), "{operation:?}");
        assert_eq!((operation.subject.as_str(), fields(operation)), (subject, strings(expected)));
        let after = simulate::apply(&observed, &planned, start());
        assert_eq!(Observed { change_counter: 0, ..after }, Observed { change_counter: 0, ..good.clone() });
    }
}

#[test]
fn reported_drift_stays_until_it_is_approved_or_declared() {
    let text = with(MORE);
    for (subject, tamper, expected) in DRIFT {
        let mut observed = running(&text);
        tamper(&mut observed);
        let told = planned(&observed, &text, DriftPolicy::Report);
        let operation = &told.operations[0];
        assert_eq!((told.operations.len(), told.applicable().count()), (1, 0), "{subject}");
        assert_eq!((operation.held.as_deref(), fields(operation)), (Some(&Guard::Drift), strings(expected)));
        let mut approving = settings(DriftPolicy::Report);
        approving.guards.approved = vec![told.digest.clone()];
        assert_eq!(plan(&catalog(&text), &observed, &approving).applicable().count(), 1, "{subject}");
    }
}

#[test]
fn what_a_manifest_changes_is_applied_beside_reported_drift() {
    let text = with(MORE);
    let mut observed = running(&text);
    carol(&mut observed).declared.quota = Some(5 << 30);
    let moved = text.replace("# more.yaml", "# people.yaml").replace("{password: one}", "{password: two}");
    let told = planned(&observed, &moved, DriftPolicy::Report);
    let lines: Vec<(bool, Vec<String>)> = told
        .operations
        .iter()
        .filter(|it| it.subject == "carol@one.test")
        .map(|it| (it.held.is_some(), fields(it)))
        .collect();
    assert_eq!(
        lines,
        [
            (
                false,
                strings(&["spec.credentials.secretRef [redacted] [redacted]", "file more.yaml people.yaml"])
            ),
            (true, strings(&["spec.quota 5Gi 1Gi"])),
        ]
    );
    let mut after = simulate::apply(&observed, &told, start());
    assert_eq!(carol(&mut after).declared.quota, Some(5 << 30), "the row is left as it is");
    let again = planned(&after, &moved, DriftPolicy::Report);
    assert_eq!((again.applicable().count(), again.drift().count()), (0, 1), "and still known as drift");
    let edited = moved.replace("quota: 1Gi", "quota: 2Gi");
    let edited = planned(&after, &edited, DriftPolicy::Report);
    assert_eq!(
        (brief(&edited), edited.drift().count()),
        (vec!["update carol@one.test".to_owned()], 0),
        "a new commit decides"
    );
}

/// What people and the server do by themselves is theirs.
#[test]
fn runtime_state_is_no_drift() {
    let text = with(MORE);
    let table: [(&str, Tamper); 5] = [
        ("a password that its owner set", |it| {
            let set_by = SetBy::Owner;
            let fingerprint = carol(it).credential.clone().unwrap().fingerprint;
            carol(it).credential = Some(CredentialRow { fingerprint, set_by });
        }),
        ("mail", |it| carol(it).used_bytes = 1 << 20),
        ("the change counter", |it| it.change_counter += 7),
        ("the order of a list", |it| {
            it.aliases.iter_mut().for_each(|row| row.declared.targets.reverse());
        }),
        ("the line of a declaration", |it| carol(it).owner.as_mut().unwrap().origin.line = 99),
    ];
    for (what, change) in table {
        for drift in [DriftPolicy::Repair, DriftPolicy::Report] {
            let mut observed = running(&text);
            change(&mut observed);
            assert_eq!(brief(&planned(&observed, &text, drift)), Vec::<String>::new(), "{what}");
        }
    }
}

#[test]
fn what_a_plan_did_itself_is_no_drift() {
    let text = with(MORE);
    let without: String =
        text.lines().filter(|line| !line.contains("carol@one.test")).collect::<Vec<_>>().join("\n");
    let removed = support::after(&running(&text), &without, "git", start());
    let back = planned(&removed, &text, DriftPolicy::Report);
    assert!(brief(&back).contains(&"enable carol@one.test".to_owned()), "{:?}", brief(&back));
    assert_eq!(back.drift().count(), 0, "a revert is not a change behind anybody's back");
    let mut older = running(&text);
    carol(&mut older).owner.as_mut().unwrap().applied = None;
    carol(&mut older).declared.quota = None;
    let repaired = planned(&older, &text, DriftPolicy::Report);
    assert_eq!((brief(&repaired), repaired.drift().count()), (vec!["update carol@one.test".to_owned()], 0));
}

#[test]
fn drift_is_said_in_text_and_json() {
    let text = with(MORE);
    let mut observed = running(&text);
    carol(&mut observed).declared.quota = Some(5 << 30);
    let repaired = planned(&observed, &text, DriftPolicy::Repair);
    let shown = render::text(&repaired, false);
    let head = "~ update Mailbox default/carol  carol@one.test  (drift: changed behind the manifests' back)";
    assert!(shown.contains(head) && shown.contains("spec.quota: 5Gi → 1Gi"), "{shown}");
    assert!(shown.contains("1 operation, 1 of them drift. Digest"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&render::json(&repaired)).unwrap();
    assert_eq!((&json["summary"]["drift"], &json["operations"][0]["drift"]), (&1.into(), &true.into()));
    let told = render::text(&planned(&observed, &text, DriftPolicy::Report), false);
    assert!(told.contains("changed behind the manifests' back; driftPolicy Report leaves it so; declare it as it is, or put it back with --approve"), "{told}");
}

fn strings(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
