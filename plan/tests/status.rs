//! Statuses: which conditions an object has, and that nothing changes unless something really did.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use mailwright_crds::condition::conditions_of;
use mailwright_crds::mail_server::CertificateStatus;
use mailwright_crds::{ConditionType, Reason, Timestamp};
use mailwright_plan::observed::{CredentialRow, SetBy};
use mailwright_plan::status::{self, CertificateFacts, CertificateProblem, DatabaseProblem, Facts, Input};
use mailwright_plan::{
    Catalog, FailureReason, ObjectRef, Observed, Outcome, Settings, Verdict, plan, simulate,
};
use serde_json::Value;

/// An installation over time.
struct Installation {
    observed: Observed,
    kept: BTreeMap<ObjectRef, Value>,
    now: DateTime<Utc>,
    facts: Facts,
}

impl Installation {
    fn new() -> Self {
        let now = support::start();
        let certificate = CertificateStatus {
            issuer: "CN=mail.example.test".into(),
            not_before: Timestamp::from(now),
            not_after: Timestamp::from(now + Duration::days(365)),
            fingerprint: "00".into(),
        };
        let certificate =
            CertificateFacts { certificate: Some(certificate), self_signed: true, problem: None };
        let facts = Facts { certificate, ..Facts::default() };
        Self { observed: Observed::default(), kept: BTreeMap::new(), now, facts }
    }

    fn settings(&self) -> Settings {
        support::settings("git", self.now)
    }

    /// Plans, applies and writes statuses; answers how many statuses changed.
    fn pass(&mut self, text: &str) -> usize {
        let catalog = support::catalog(text);
        self.pass_with(&catalog, |_| None)
    }

    /// The same, with some operations failing.
    fn pass_with(&mut self, catalog: &Catalog, fails: impl Fn(&str) -> Option<FailureReason>) -> usize {
        let planned = plan(catalog, &self.observed, &self.settings());
        let good = planned.applicable().filter(|operation| fails(&operation.subject).is_none());
        let (after, mut outcomes) = simulate::apply_operations(&self.observed, "git", good, self.now);
        for operation in planned.applicable() {
            if let Some(reason) = fails(&operation.subject) {
                let verdict = Verdict::Failed { reason, message: "the database said no".into() };
                outcomes.push(Outcome::of(operation, verdict));
            }
        }
        self.observed = after;
        let input = Input {
            catalog,
            plan: &planned,
            outcomes: &outcomes,
            observed: &self.observed,
            facts: &self.facts,
            now: self.now,
        };
        let statuses = status::compute(&input, &self.kept);
        let changed =
            statuses.iter().filter(|(object, status)| self.kept.get(object) != Some(status)).count();
        statuses.iter().for_each(|(object, status)| documented(object, status));
        self.kept.extend(statuses);
        changed
    }

    /// `True Reconciled` of a condition; empty when there is none.
    fn condition(&self, kind: &str, name: &str, type_: &str) -> String {
        let status = &self.kept[&support::object(kind, name)];
        let conditions = status["conditions"].as_array().unwrap();
        let found = conditions.iter().find(|condition| condition["type"] == type_);
        found.map_or(String::new(), |it| {
            format!("{} {}", it["status"].as_str().unwrap(), it["reason"].as_str().unwrap())
        })
    }

    fn message(&self, kind: &str, name: &str, type_: &str) -> &str {
        let conditions = self.kept[&support::object(kind, name)]["conditions"].as_array().unwrap();
        conditions.iter().find(|condition| condition["type"] == type_).unwrap()["message"].as_str().unwrap()
    }
}

/// Every condition and reason is one that the reference promises for the kind.
fn documented(object: &ObjectRef, status: &Value) {
    for condition in status["conditions"].as_array().unwrap() {
        let info = conditions_of(object.kind).iter().find(|info| condition["type"] == info.type_.as_str());
        let info = info.unwrap_or_else(|| panic!("{object} has no condition {condition}"));
        let reason = info.reasons.iter().find(|reason: &&Reason| condition["reason"] == reason.as_str());
        assert!(reason.is_some(), "{object}: {condition} is not among {:?}", info.reasons);
    }
}

const SOUND: &str = "# base.yaml\n\
    MailServer main {hostname: mail.example.test}\n\
    MailDomain example-test {serverRef: {name: main}, domain: example.test, limits: {mailboxes: 3, aliases: 3, maxQuota: 1Gi}}\n\
    MailDomain parked {serverRef: {name: main}, domain: parked.test, parked: true}\n\
    Mailbox alice {address: alice@example.test, credentials: {secretRef: {name: passwords, key: alice}}}\n\
    Alias postmaster {address: postmaster@example.test, targets: [alice@example.test]}\n\
    Secret passwords {alice: one}\n";

/// What a declaration beside a sound repository gets as its conditions.
fn check(line: &str, kind: &str, name: &str, expected: &[(&str, &str)]) {
    let mut installation = Installation::new();
    installation.pass(&format!("{SOUND}# more.yaml\n{line}\n"));
    for (type_, condition) in expected {
        assert_eq!(installation.condition(kind, name, type_), *condition, "{line}: {type_}");
    }
}

#[test]
fn mailboxes() {
    let ready = ("Ready", "True Reconciled");
    let accepted = ("Accepted", "True Reconciled");
    check(
        "",
        "Mailbox",
        "alice",
        &[ready, accepted, ("CredentialsReady", "True CredentialsApplied"), ("Conflict", "False NoConflict")],
    );
    let bob = |rest: &str| format!("Mailbox bob {{address: bob@example.test{rest}}}");
    check(&bob(""), "Mailbox", "bob", &[ready, ("CredentialsReady", "False NoCredentials")]);
    check(&bob(", enabled: false"), "Mailbox", "bob", &[("Ready", "True Disabled"), accepted]);
    check(
        &bob(", quota: 2Gi"),
        "Mailbox",
        "bob",
        &[("Ready", "False Invalid"), ("Accepted", "False QuotaAboveLimit")],
    );
    check(
        &bob("").replace("bob {", "suspended bob {").replace("Mailbox bob", "Mailbox"),
        "Mailbox",
        "alice",
        &[ready],
    );
    check(
        "Mailbox suspended bob {address: bob@example.test}",
        "Mailbox",
        "bob",
        &[("Ready", "Unknown Suspended")],
    );
    for (secret, reason) in
        [("name: none", "SecretNotFound"), ("name: passwords, key: bob", "SecretKeyNotFound")]
    {
        let line = bob(&format!(", credentials: {{secretRef: {{{secret}}}}}"));
        check(&line, "Mailbox", "bob", &[ready, ("CredentialsReady", &format!("False {reason}"))]);
    }
    let empty = bob(", credentials: {secretRef: {name: empty}}") + "\nSecret empty {password: ''}";
    check(&empty, "Mailbox", "bob", &[ready, ("CredentialsReady", "False SecretInvalid")]);
    for (address, ready, accepted) in [
        ("bob@nowhere.test", "False DependencyNotReady", "False DomainNotFound"),
        ("bob@parked.test", "False Invalid", "False DomainParked"),
    ] {
        let line = format!("Mailbox bob {{address: {address}}}");
        check(&line, "Mailbox", "bob", &[("Ready", ready), ("Accepted", accepted)]);
    }
    check(
        "Mailbox other {address: alice@example.test}",
        "Mailbox",
        "other",
        &[("Accepted", "False DuplicateAddress"), ("Conflict", "True DuplicateAddress")],
    );
    let many: String = (0..4).map(|i| format!("Mailbox m{i} {{address: m{i}@example.test}}\n")).collect();
    check(&many, "Mailbox", "m3", &[("Accepted", "False TooManyMailboxes")]);
    check(&many, "Mailbox", "m1", &[ready]);
    check("wrong Mailbox carol", "Mailbox", "carol", &[("Ready", "False Invalid"), ("Accepted", "")]);
}

#[test]
fn aliases() {
    let good = [
        ("Ready", "True Reconciled"),
        ("Accepted", "True Reconciled"),
        ("TargetsResolved", "True TargetsFound"),
        ("LoopFree", "True NoLoop"),
    ];
    check("", "Alias", "postmaster", &good);
    let team = |rest: &str| format!("Alias team {{address: team@example.test, {rest}}}");
    check(
        &team("targets: [alice@example.test], enabled: false"),
        "Alias",
        "team",
        &[("Ready", "True Disabled")],
    );
    check(
        &team("targets: [nobody@example.test]"),
        "Alias",
        "team",
        &[
            ("Ready", "False DependencyNotReady"),
            ("Accepted", "True Reconciled"),
            ("TargetsResolved", "False TargetNotFound"),
            ("LoopFree", "True NoLoop"),
        ],
    );
    check(
        &team("targets: [someone@elsewhere.test]"),
        "Alias",
        "team",
        &[("Ready", "True Reconciled"), ("TargetsResolved", "True TargetForeign")],
    );
    let round = team("targets: [pool@example.test]")
        + "\nAlias pool {address: pool@example.test, targets: [team@example.test]}";
    check(
        &round,
        "Alias",
        "team",
        &[
            ("Ready", "False Invalid"),
            ("TargetsResolved", "True TargetsFound"),
            ("LoopFree", "False AliasLoop"),
        ],
    );
    let many: String = (0..4)
        .map(|i| format!("Alias m{i} {{address: m{i}@example.test, targets: [alice@example.test]}}\n"))
        .collect();
    check(
        &many,
        "Alias",
        "m3",
        &[("Accepted", "False TooManyAliases"), ("TargetsResolved", "True TargetsFound")],
    );
}

#[test]
fn domains() {
    check("", "MailDomain", "example-test", &[("Ready", "True Reconciled"), ("DeletionBlocked", "")]);
    let two = |rest: &str| format!("MailDomain two {{domain: two.test, {rest}}}");
    check(&two("serverRef: {name: none}"), "MailDomain", "two", &[("Ready", "False ServerNotFound")]);
    check(
        &two("serverRef: {name: main}, aliases: [example.test]"),
        "MailDomain",
        "two",
        &[("Ready", "False DuplicateAddress")],
    );
    check(
        &two("serverRef: {name: main}, catchAll: nobody@two.test"),
        "MailDomain",
        "two",
        &[("Ready", "False DependencyNotReady")],
    );

    let mut installation = Installation::new();
    installation.pass(SOUND);
    let status = &installation.kept[&support::object("MailDomain", "example-test")];
    assert_eq!((status["mailboxes"].as_i64(), status["aliases"].as_i64()), (Some(1), Some(1)));
    let without: String =
        SOUND.lines().filter(|line| !line.contains("example-test")).map(|line| format!("{line}\n")).collect();
    installation.pass(&without);
    assert_eq!(
        installation.condition("MailDomain", "example-test", "DeletionBlocked"),
        "True AddressesExist"
    );
    assert_eq!(
        installation.condition("MailDomain", "example-test", "Ready"),
        "True Reconciled",
        "it is still served"
    );
    assert_eq!(installation.condition("Mailbox", "alice", "Ready"), "True Reconciled");
    installation.pass(SOUND);
    assert_eq!(installation.condition("MailDomain", "example-test", "DeletionBlocked"), "");
}

#[test]
fn servers() {
    let check = |change: &dyn Fn(&mut Facts), expected: &[(&str, &str)]| {
        let mut installation = Installation::new();
        change(&mut installation.facts);
        installation.pass(SOUND);
        for (type_, condition) in expected {
            assert_eq!(installation.condition("MailServer", "main", type_), *condition, "{type_}");
        }
    };
    check(
        &|_| {},
        &[
            ("Ready", "True Reconciled"),
            ("DatabaseReady", "True DatabaseOpen"),
            ("CertificateReady", "True SelfSigned"),
            ("ListenersReady", "True Listening"),
        ],
    );
    check(&|facts| facts.certificate.self_signed = false, &[("CertificateReady", "True CertificateLoaded")]);
    check(
        &|facts| facts.certificate.certificate = None,
        &[("Ready", "False DependencyNotReady"), ("CertificateReady", "False CertificateInvalid")],
    );
    let expired = |facts: &mut Facts| {
        facts.certificate.certificate.as_mut().unwrap().not_after = Timestamp::from(support::start());
    };
    check(&expired, &[("Ready", "True Reconciled"), ("CertificateReady", "False CertificateExpired")]);
    let missing = CertificateProblem::SecretMissing("no Secret".into());
    check(
        &|facts| facts.certificate.problem = Some(missing.clone()),
        &[("CertificateReady", "False SecretNotFound")],
    );
    check(
        &|facts| facts.listener_error = Some("port 1143 is taken".into()),
        &[("Ready", "False DependencyNotReady"), ("ListenersReady", "False ListenFailed")],
    );
    check(
        &|facts| facts.configuration_pending = Some("not loaded yet".into()),
        &[("Ready", "False ConfigurationPending"), ("ListenersReady", "False ConfigurationPending")],
    );
    let refused = |facts: &mut Facts| {
        facts.configuration_pending = Some("not loaded yet".into());
        facts.listener_error = Some("the configuration file is not usable".into());
    };
    check(&refused, &[("Ready", "False DependencyNotReady"), ("ListenersReady", "False ListenFailed")]);
    check(
        &|facts| facts.database_problem = Some(DatabaseProblem::Failed("disk full".into())),
        &[("Ready", "False DependencyNotReady"), ("DatabaseReady", "False DatabaseFailed")],
    );
}

#[test]
fn a_server_that_no_domain_names_is_not_ready() {
    let mut installation = Installation::new();
    installation.pass(SOUND);
    let second = SOUND.replace("MailServer main", "MailServer second");
    installation.pass(&second);
    assert_eq!(installation.condition("MailServer", "second", "Ready"), "False DependencyNotReady");
    let message = installation.message("MailServer", "second", "Ready").to_owned();
    assert!(message.starts_with("default/main serves every domain"), "{message}");
    installation.pass("MailServer main {hostname: mail.example.test}\n");
    assert_eq!(installation.condition("MailServer", "main", "Ready"), "True Reconciled");
}

#[test]
fn nothing_changes_unless_something_did() {
    let mut installation = Installation::new();
    assert_eq!(installation.pass(SOUND), 5);
    let before = installation.kept.clone();
    for hours in 1..4 {
        installation.now += Duration::hours(hours);
        assert_eq!(installation.pass(SOUND), 0);
    }
    let broken = SOUND.to_owned() + "# more.yaml\nMailbox alice2 {address: alice@example.test}\n";
    assert_eq!(installation.pass(&broken), 1);
    assert_eq!(
        before[&support::object("Mailbox", "alice")],
        installation.kept[&support::object("Mailbox", "alice")]
    );
    let first = installation.now;
    installation.now += Duration::hours(1);
    assert_eq!(installation.pass(&broken), 0, "a problem that stays is not written again");
    let ready = &installation.kept[&support::object("Mailbox", "alice2")]["conditions"][0];
    assert_eq!(ready["lastTransitionTime"], Timestamp::from(first).to_string());
}

#[test]
fn a_transition_time_moves_with_the_status_only() {
    let mut installation = Installation::new();
    let line = "Mailbox bob {address: bob@example.test, credentials: {secretRef: {name: more}}}\n";
    installation.pass(&format!("{SOUND}# more.yaml\n{line}"));
    let time = |installation: &Installation| {
        let status = &installation.kept[&support::object("Mailbox", "bob")];
        let credentials =
            status["conditions"].as_array().unwrap().iter().find(|it| it["type"] == "CredentialsReady");
        credentials.unwrap()["lastTransitionTime"].as_str().unwrap().to_owned()
    };
    let first = time(&installation);
    installation.now += Duration::hours(1);
    installation.pass(&format!("{SOUND}# more.yaml\n{line}Secret more {{other: x}}\n"));
    assert_eq!(installation.condition("Mailbox", "bob", "CredentialsReady"), "False SecretKeyNotFound");
    assert_eq!(time(&installation), first, "another reason, the same status");
    installation.now += Duration::hours(1);
    installation.pass(&format!("{SOUND}# more.yaml\n{line}Secret more {{password: x}}\n"));
    assert_eq!(installation.condition("Mailbox", "bob", "CredentialsReady"), "True CredentialsApplied");
    assert_eq!(time(&installation), Timestamp::from(installation.now).to_string());
}

#[test]
fn what_the_owner_the_database_and_guards_say() {
    let mut installation = Installation::new();
    installation.pass(SOUND);
    installation.observed.mailboxes[0].credential =
        Some(CredentialRow { fingerprint: None, set_by: SetBy::Owner });
    installation.pass(SOUND);
    assert_eq!(installation.condition("Mailbox", "alice", "CredentialsReady"), "True OwnerPassword");
    assert_eq!(installation.kept[&support::object("Mailbox", "alice")]["accountID"], 1);

    let more = format!("{SOUND}# more.yaml\nMailbox bob {{address: bob@example.test}}\n");
    let catalog = support::catalog(&more);
    installation
        .pass_with(&catalog, |subject| (subject == "bob@example.test").then_some(FailureReason::Database));
    assert_eq!(installation.condition("Mailbox", "bob", "Ready"), "False ApplyFailed");
    assert_eq!(installation.condition("Mailbox", "bob", "Accepted"), "True Reconciled");
    installation
        .pass_with(&catalog, |subject| (subject == "bob@example.test").then_some(FailureReason::Conflict));
    assert_eq!(installation.condition("Mailbox", "bob", "Ready"), "False OwnedByAnother");
    assert_eq!(installation.condition("Mailbox", "bob", "Conflict"), "True OwnedByAnother");

    let off = SOUND.replace("{address: alice@example.test,", "{address: alice@example.test, enabled: false,");
    installation.pass(&off);
    assert_eq!(installation.condition("Mailbox", "alice", "Ready"), "False HeldByGuard");
    assert!(installation.message("Mailbox", "alice", "Ready").contains("postmaster@example.test must keep"));
}

#[test]
fn a_password_that_could_not_be_set_is_not_ready() {
    let mut installation = Installation::new();
    installation.pass(SOUND);
    let changed = support::catalog(&SOUND.replace("{alice: one}", "{alice: two}"));
    let fails = |reason| move |subject: &str| (subject == "alice@example.test").then_some(reason);
    installation.pass_with(&changed, fails(FailureReason::Credential));
    assert_eq!(installation.condition("Mailbox", "alice", "CredentialsReady"), "False NoCredentials");
    let message = installation.message("Mailbox", "alice", "CredentialsReady");
    assert_eq!(message, "the declared password of alice@example.test is not in force: the database said no");
    installation.pass_with(&changed, |_| None);
    assert_eq!(installation.condition("Mailbox", "alice", "CredentialsReady"), "True CredentialsApplied");
    // Another change that fails says nothing of the password that is in force.
    let quota =
        SOUND.replace("{alice: one}", "{alice: two}").replace("key: alice}}}", "key: alice}}, quota: 1Mi}");
    installation.pass_with(&support::catalog(&quota), fails(FailureReason::Database));
    assert_eq!(installation.condition("Mailbox", "alice", "Ready"), "False ApplyFailed");
    assert_eq!(installation.condition("Mailbox", "alice", "CredentialsReady"), "True CredentialsApplied");
}

#[test]
fn without_a_certificate_imaps_is_missing() {
    let mut installation = Installation::new();
    installation.facts.certificate.certificate = None;
    installation.pass(SOUND);
    assert_eq!(installation.condition("MailServer", "main", "ListenersReady"), "False ListenFailed");
    let message = installation.message("MailServer", "main", "ListenersReady");
    assert_eq!(message, "imaps is not offered as long as there is no certificate");
    let off = "{hostname: mail.example.test, listeners: {imaps: {enabled: false}}}";
    installation.pass(&SOUND.replace("{hostname: mail.example.test}", off));
    assert_eq!(installation.condition("MailServer", "main", "ListenersReady"), "True Listening");
    let tls = SOUND
        .replace("{hostname: mail.example.test}", "{hostname: mail.example.test, tls: {secretName: tls}}");
    installation.pass(&format!("{tls}Secret tls {{tls.crt: x, tls.key: ''}}\n"));
    assert_eq!(installation.condition("MailServer", "main", "CertificateReady"), "False CertificateInvalid");
}

#[test]
fn a_broken_file_says_so_and_keeps_the_rest() {
    let mut installation = Installation::new();
    installation.pass(&format!("{SOUND}# more.yaml\nMailbox bob {{address: bob@example.test}}\n"));
    let before = installation.kept[&support::object("Mailbox", "bob")].clone();
    installation.pass(&format!("{SOUND}# more.yaml\nbroken bob: [\n"));
    assert_eq!(installation.condition("Mailbox", "bob", "Ready"), "False SourceBroken");
    assert_eq!(installation.condition("Mailbox", "bob", "Accepted"), "True Reconciled");
    assert_eq!(installation.kept[&support::object("Mailbox", "bob")]["accountID"], before["accountID"]);
    installation.pass(&format!("{SOUND}# more.yaml\nwrong Mailbox bob\n"));
    assert_eq!(installation.condition("Mailbox", "bob", "Ready"), "False Invalid");
    installation.pass(&format!("{SOUND}# more.yaml\nMailbox bob {{address: bob@example.test}}\n"));
    assert_eq!(installation.condition("Mailbox", "bob", "Ready"), "True Reconciled");
}

#[test]
fn requests_are_answered_and_generations_observed() {
    let mut catalog = support::catalog(SOUND);
    let mut entry = catalog.get(&support::object("Mailbox", "alice")).unwrap().clone();
    let metadata = entry.resource.metadata_mut();
    metadata.generation = Some(7);
    metadata.annotations = Some([("mailwright.dev/requestedAt".to_owned(), "now!".to_owned())].into());
    catalog.apply(entry);
    let mut installation = Installation::new();
    installation.pass_with(&catalog, |_| None);
    let status = &installation.kept[&support::object("Mailbox", "alice")];
    assert_eq!(
        (&status["observedGeneration"], &status["lastHandledReconcileAt"]),
        (&7.into(), &"now!".into())
    );
    assert_eq!(status["conditions"][0]["observedGeneration"], 7);
    assert_eq!(status["conditions"][0]["type"], ConditionType::Ready.as_str(), "Ready comes first");
}
