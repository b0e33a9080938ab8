//! The state as a file: there and back, nothing secret in it, clear words for what is none, and the same plans with it as with
//! the state itself but for what only fingerprints tell.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::observed::{Observed, SetBy};
use mailwright_plan::state::{BLINDED, State};
use mailwright_plan::{Change, Operation, Plan, Settings, plan};
use proptest::prelude::*;
use proptest::sample::Index;
use support::random::{approving, cases, earlier, history, repository};
use support::{BASE, running, with};

const PASSWORDS: &str = "Mailbox carol {address: carol@two.test, credentials: {secretRef: {name: p}}}\n\
    Mailbox dave {address: dave@two.test, credentials: {secretRef: {name: p}, management: Enforced}}\nSecret p {password: one}";

fn state(observed: &Observed) -> State {
    State::of(observed, Some("1f2e".to_owned()), support::start())
}

fn there_and_back(observed: &Observed) -> Observed {
    State::read(&state(observed).write()).unwrap().observed
}

/// As in CI: other keys than the installation has, and the same everything else.
fn offline(settings: &Settings) -> Settings {
    Settings { fingerprint_key: [0; 32], ..settings.clone() }
}

#[test]
fn nothing_secret_is_in_the_file() {
    let observed = running(&with(PASSWORDS));
    let fingerprints: Vec<&String> =
        observed.mailboxes.iter().filter_map(|row| row.credential.as_ref()?.fingerprint.as_ref()).collect();
    assert_eq!(fingerprints.len(), 2);
    let text = state(&observed).write();
    assert!(fingerprints.iter().all(|fingerprint| !text.contains(*fingerprint)));
    assert_eq!(text.matches(BLINDED).count(), 2);
    assert_eq!(State::read(&text).unwrap(), state(&observed));
}

/// Whoever makes a state by hand, with another's fingerprints, is not told anything of passwords either.
#[test]
fn a_fingerprint_that_came_along_is_not_believed() {
    let observed = running(&with(PASSWORDS));
    let mut value = serde_json::to_value(state(&Observed::default())).unwrap();
    value["observed"] = serde_json::to_value(&observed).unwrap();
    assert!(State::read(&value.to_string()).unwrap_err().to_string().contains("checksum"));
}

#[test]
fn what_is_no_state_is_told_with_what_to_do() {
    let text = state(&running(BASE)).write();
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    for (file, expected) in [
        (String::new(), "is no state of an installation; make one with `mailwright snapshot"),
        ("kind: Mailbox".to_owned(), "is no state"),
        ("{\"format\": \"other\", \"version\": 1}".to_owned(), "is no state"),
        ("[]".to_owned(), "is no state"),
        (text[..text.len() / 2].to_owned(), "is damaged (EOF"),
        (changed("alice@one.test", "alicia@one.test"), "checksum is of another content"),
        (changed("\"mailboxes\": [", "\"letterboxes\": ["), "is damaged (missing field `mailboxes`"),
        (changed("\"version\": 1", "\"version\": 7"), "of version 7, written by mailwright"),
        (changed("\"version\": 1", "\"version\": \"1\""), "is no state"),
    ] {
        let error = State::read(&file).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let strange = changed("\"version\": 1", "\"version\": 2").replacen(
        &format!("\"program\": \"{}\"", env!("CARGO_PKG_VERSION")),
        "\"program\": \"9\\u001b[31m\"",
        1,
    );
    let error = State::read(&strange).unwrap_err().to_string();
    assert!(error.contains("mailwright 9[31m,") && error.contains("same release"), "{error:?}");
}

#[test]
fn passwords_are_what_it_cannot_tell() {
    let observed = running(&with(PASSWORDS));
    let live =
        |text: &str| plan(&support::catalog(text), &observed, &support::settings("git", support::start()));
    let file = |text: &str| {
        let settings = offline(&support::settings("git", support::start()));
        plan(&support::catalog(text), &there_and_back(&observed), &settings)
    };
    let rotated = with(PASSWORDS).replace("password: one", "password: two");
    assert_eq!(support::brief(&live(&rotated)), ["update carol@two.test", "update dave@two.test"]);
    assert_eq!(support::brief(&file(&rotated)), Vec::<String>::new(), "a rotation is not seen");

    let new = with(PASSWORDS) + "Mailbox erin {address: erin@two.test, credentials: {secretRef: {name: p}}}";
    assert_eq!(live(&new).digest, file(&new).digest, "a first password is not secret in a digest");

    let mut owned = observed.clone();
    owned
        .mailboxes
        .iter_mut()
        .filter_map(|row| row.credential.as_mut())
        .for_each(|it| it.set_by = SetBy::Owner);
    let settings = offline(&support::settings("git", support::start()));
    let enforced = plan(&support::catalog(&with(PASSWORDS)), &there_and_back(&owned), &settings);
    assert_eq!(support::brief(&enforced), ["update dave@two.test"], "that an owner changed it is no secret");
}

/// Operations without what they say of passwords; those that were about nothing else are gone.
fn without_passwords(plan: &Plan) -> Vec<Operation> {
    let strip = |operation: &Operation| {
        let mut operation = operation.clone();
        let mut sets = false;
        if let Change::PutMailbox { credential, .. } = &mut operation.change {
            sets = credential.take().is_some();
        }
        operation.changes.retain(|change| !change.field.starts_with("spec.credentials"));
        operation.effect.retain(|line| !line.contains("password"));
        let left = !operation.changes.is_empty() || !operation.effect.is_empty() || operation.held.is_some();
        (!sets || left).then_some(operation)
    };
    plan.operations.iter().filter_map(strip).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// The same operations, and the same digest where no password but a first one is set.
    #[test]
    fn plans_agree_apart_from_passwords(past in history(), text in repository(), pick: Index, approve: bool) {
        let (catalog, observed) = (support::catalog(&text), earlier(&past, &pick));
        let mut settings = support::settings("git", support::start() + chrono::Duration::hours(12));
        if approve {
            settings = approving(&catalog, &observed, settings).1;
        }
        let live = plan(&catalog, &observed, &settings);
        let file = plan(&catalog, &there_and_back(&observed), &offline(&settings));
        prop_assert_eq!(without_passwords(&live), without_passwords(&file));
        prop_assert_eq!(&live.problems, &file.problems);
        prop_assert_eq!(&live.kept, &file.kept);
        let sets = |plan: &Plan| plan.operations.iter().any(|operation| {
            matches!(&operation.change, Change::PutMailbox { credential: Some(_), .. })
        });
        if !sets(&live) {
            prop_assert_eq!(&live.digest, &file.digest);
        }
    }
}
