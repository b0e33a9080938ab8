//! Rows of other sources and of nobody: who takes what over on which proof, and that two sources never take turns.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::settings::Adoption;
use mailwright_plan::{Action, Observed, Plan, Settings, adopt, plan, simulate};
use support::{BASE, brief, catalog, instead, running, start};

const CAROL: &str = "Mailbox carol {address: carol@one.test, quota: 1Gi}\n";

/// What the other source finds: a domain that everybody may use, and carol.
fn theirs() -> Observed {
    running(&support::with(CAROL))
}

fn settings(adoption: Adoption) -> Settings {
    Settings { adoption, ..support::settings("other", start()) }
}

fn planned(observed: &Observed, text: &str, settings: &Settings) -> Plan {
    plan(&catalog(text), observed, settings)
}

fn token_of(source: &str) -> String {
    adopt::token(&support::KEY, source)
}

fn annotated(text: &str, address: &str, token: &str) -> mailwright_plan::Catalog {
    let mut catalog = catalog(text);
    let found =
        catalog.entries().find(|entry| entry.resource.to_value().unwrap()["spec"]["address"] == address);
    let mut entry = found.unwrap().clone();
    let annotations = entry.resource.metadata_mut().annotations.get_or_insert_default();
    annotations.insert("mailwright.dev/adopt".into(), token.into());
    catalog.apply(entry);
    catalog
}

#[test]
fn what_each_setting_takes_over() {
    use Adoption::{Force, IfIdentical, Never, Unmanaged};
    let same = "Mailbox c {address: carol@one.test, quota: 1Gi}";
    let other = "Mailbox c {address: carol@one.test, quota: 2Gi}";
    let adopts: &[&str] = &["adopt carol@one.test"];
    let table: [(Adoption, bool, &str, &[&str]); 12] = [
        (Unmanaged, true, same, &[]),
        (Never, true, same, &[]),
        (IfIdentical, true, same, adopts),
        (IfIdentical, true, other, &[]),
        (Force, true, same, adopts),
        (Force, true, other, adopts),
        (Unmanaged, false, same, adopts),
        (Unmanaged, false, other, adopts),
        (Never, false, same, &[]),
        (IfIdentical, false, same, adopts),
        (IfIdentical, false, other, &[]),
        (Force, false, other, adopts),
    ];
    for (adoption, owned, text, expected) in table {
        let mut observed = theirs();
        if !owned {
            observed.mailboxes.iter_mut().for_each(|row| row.owner = None);
        }
        let planned = planned(&observed, text, &settings(adoption));
        assert_eq!(brief(&planned), expected, "{adoption:?} owned {owned} {text}: {:?}", planned.problems);
        assert_eq!(planned.errors().count(), 1 - expected.len(), "{adoption:?} owned {owned} {text}");
        let after = simulate::apply(&observed, &planned, start());
        let carol = |state: &Observed| {
            state.mailboxes.iter().find(|row| row.declared.address == "carol@one.test").cloned().unwrap()
        };
        assert_eq!(carol(&after).account_id, carol(&observed).account_id, "the account stays the same");
        let manager = carol(&after).owner.map(|owner| owner.managed_by.clone());
        let before = owned.then(|| "git".to_owned());
        assert_eq!(manager, if expected.is_empty() { before } else { Some("other".to_owned()) });
    }
}

#[test]
fn a_quota_of_the_domain_is_the_same_as_one_that_is_written_out() {
    let domain = "MailDomain one {allowedMailboxes: {from: All}, serverRef: {name: main}, domain: one.test, \
                  limits: {defaultQuota: 1Gi}}";
    let mut observed = running(&instead(
        "MailDomain one {allowedMailboxes: {from: All}, serverRef: {name: main}, domain: one.test, aliases: [eins.test]}",
        domain,
    ));
    observed.change_counter = 0;
    let planned = planned(&observed, "Mailbox b {address: bob@one.test}", &settings(Adoption::IfIdentical));
    assert_eq!(brief(&planned), ["adopt bob@one.test"], "{:?}", planned.problems);
}

#[test]
fn a_token_of_the_manager_is_proof_and_nothing_else_is() {
    let text = "Mailbox c {address: carol@one.test, quota: 2Gi}";
    let observed = theirs();
    for (token, takes) in [
        (token_of("git"), true),
        (format!(" {}\n", token_of("git")), true),
        (token_of("other"), false),
        (token_of("git")[..16].to_owned(), false),
        (String::new(), false),
        (adopt::token(&[0; 32], "git"), false),
    ] {
        for adoption in [Adoption::Unmanaged, Adoption::Never] {
            let on_object = plan(&annotated(text, "carol@one.test", &token), &observed, &settings(adoption));
            assert_eq!(on_object.operations.len(), usize::from(takes), "{token:?} {:?}", on_object.problems);
            let in_settings = Settings { adoption_tokens: vec![token.clone()], ..settings(adoption) };
            let planned = planned(&observed, text, &in_settings);
            assert_eq!(planned.operations.len(), usize::from(takes), "{token:?}");
            assert!(planned.problems.iter().all(|it| !it.to_string().contains(&token_of("git"))));
        }
    }
}

#[test]
fn an_adoption_shows_both_owners_and_what_changes() {
    let planned =
        planned(&theirs(), "Mailbox c {address: carol@one.test, quota: 2Gi}", &settings(Adoption::Force));
    let operation = &planned.operations[0];
    let lines: Vec<String> = operation
        .changes
        .iter()
        .map(|it| {
            format!("{} {} {}", it.field, it.from.as_deref().unwrap_or("-"), it.to.as_deref().unwrap_or("-"))
        })
        .collect();
    assert_eq!(
        lines,
        [
            "spec.quota 1Gi 2Gi",
            "managedBy git other",
            "metadata.name default/carol default/c",
            "file more.yaml mail.yaml"
        ]
    );
    assert_eq!(operation.effect, ["carol@one.test is managed by other from now on"]);
}

#[test]
fn a_conflict_names_both_sources_and_the_way_out() {
    let planned = planned(&theirs(), CAROL, &settings(Adoption::Unmanaged));
    let problems: Vec<String> = planned.errors().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "mail.yaml:1: spec.address: carol@one.test is managed by git (Mailbox default/carol at more.yaml:1), \
          not by other; remove one of the two; to take it over, give the token of git, or set adoption"
        ]
    );
}

/// Both force: the first that asked has it, and the other is told.
#[test]
fn two_sources_that_both_force_do_not_take_turns() {
    for adoption in [Adoption::Force, Adoption::IfIdentical] {
        let mut observed = theirs();
        let taken = planned(&observed, CAROL, &settings(adoption));
        observed = simulate::apply(&observed, &taken, start());
        for round in 0..4 {
            let text = support::with(CAROL);
            let first = Settings { adoption, ..support::settings("git", start()) };
            let back = planned(&observed, &text, &first);
            assert_eq!(brief(&back), Vec::<String>::new(), "{adoption:?} round {round}");
            assert_eq!(back.errors().count(), 1, "told that it was taken");
            observed = simulate::apply(&observed, &back, start());
            let again = planned(&observed, CAROL, &settings(adoption));
            assert_eq!(brief(&again), Vec::<String>::new(), "{adoption:?} round {round}");
            observed = simulate::apply(&observed, &again, start());
        }
        // Whoever names the token of the one that has it may take it back.
        let proof =
            Settings { adoption_tokens: vec![token_of("other")], ..support::settings("git", start()) };
        assert_eq!(brief(&planned(&observed, &support::with(CAROL), &proof)), ["adopt carol@one.test"]);
    }
}

#[test]
fn another_kind_is_never_adopted() {
    let text = "Alias carol {address: carol@one.test, targets: [alice@one.test]}";
    let planned = planned(&theirs(), text, &settings(Adoption::Force));
    assert!(planned.operations.is_empty());
    let message = planned.errors().next().unwrap().to_string();
    assert!(
        message.ends_with("not by other; remove it there first; until then that source keeps it"),
        "{message}"
    );
}

#[test]
fn the_database_refuses_when_somebody_was_faster() {
    let observed = theirs();
    let planned = planned(&observed, CAROL, &settings(Adoption::Force));
    let mut faster = observed.clone();
    let owner = faster.mailboxes.iter_mut().find(|row| row.declared.address == "carol@one.test").unwrap();
    owner.owner.as_mut().unwrap().managed_by = "third".to_owned();
    let (after, outcomes) = simulate::apply_operations(&faster, "other", planned.applicable(), start());
    assert_ne!(outcomes[0].verdict, mailwright_plan::Verdict::Applied);
    assert_eq!(after, faster);
}

/// A whole installation changes its source: one by one nothing is created, disabled or deleted, and ids and passwords stay.
#[test]
fn a_whole_repository_moves_to_another_source() {
    let before = theirs();
    let text = support::with(CAROL).replace("# base.yaml", "# moved/base.yaml");
    let proof = Settings { adoption_tokens: vec![token_of("git")], ..settings(Adoption::Never) };
    let planned = planned(&before, &text, &proof);
    assert!(planned.operations.iter().all(|it| it.action == Action::Adopt), "{:?}", brief(&planned));
    assert_eq!(planned.operations.len(), BASE.lines().count());
    let after = simulate::apply(&before, &planned, start());
    let people = |state: &Observed| -> Vec<_> {
        let rows = state.mailboxes.iter();
        rows.map(|row| (row.account_id, row.declared.clone(), row.credential.clone(), row.removed_at))
            .collect()
    };
    assert_eq!(people(&after), people(&before));
    assert!(planned_again(&after, &text, &proof).operations.is_empty(), "applying twice writes once");
}

fn planned_again(observed: &Observed, text: &str, settings: &Settings) -> Plan {
    planned(observed, text, settings)
}
