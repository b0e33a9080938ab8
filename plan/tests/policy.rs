//! Policies in a plan: what they deny stays as it is, everything else goes on; what cannot be judged with holds back changes and
//! nothing that is in force; and the same documents are judged the same whatever came before.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::BTreeMap;

use mailwright_crds::Text;
use mailwright_crds::{Kind, Policy};
use mailwright_plan::policy::{Broken, Declared, Place, Policies};
use mailwright_plan::{
    Catalog, Entry, Observed, Origin, Plan, ProblemCode, Settings, plan, simulate, validate,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{BASE, brief, catalog, object, running, settings, start, with};

const EXTERNAL: &str = "(object.kind == 'Mailbox' ? (has(object.spec.forward) ? object.spec.forward.targets : []) \
    : object.spec.targets).all(target, !external(target)) || label('approved') != ''";
const QUOTA: &str = "has(object.spec.quota) && quantity(object.spec.quota) <= quantity('10Gi')";

fn policy(name: &str, kinds: &[&str], expression: &str, more: Value) -> Policy {
    let mut value = json!({"name": name, "kinds": kinds, "expression": expression});
    more.as_object().unwrap().iter().for_each(|(key, more)| value[key] = more.clone());
    serde_json::from_value(value).unwrap()
}

fn no_external_forward() -> Policy {
    let message = "'mail would leave for ' + (object.kind == 'Mailbox' ? object.spec.forward.targets : object.spec.targets)\
        .filter(target, external(target)).join(', ')";
    policy("no-external-forward", &["Mailbox", "Alias"], EXTERNAL, json!({"messageExpression": message}))
}

fn quota() -> Policy {
    let more = json!({"matchLabels": {"team": "contractors"}, "message": "contractors have at most 10Gi"});
    policy("quota", &["Mailbox"], QUOTA, more)
}

/// Documents, a line for each in `policies.yaml`.
fn documents(policies: &[Policy]) -> Vec<Declared> {
    let place = |line: usize| {
        let origin = Some(Origin::new("policies.yaml", line as u32 + 1));
        Place { object: None, origin, field: "spec".to_owned() }
    };
    policies
        .iter()
        .enumerate()
        .map(|(line, it)| Declared { policy: it.clone(), place: place(line) })
        .collect()
}

fn declared(text: &str, policies: &[Policy]) -> Catalog {
    let mut catalog = catalog(text);
    catalog.set_policies(documents(policies), Vec::new());
    catalog
}

fn label(catalog: &mut Catalog, kind: &str, name: &str, labels: &[(&str, &str)]) {
    let mut entry = catalog.get(&object(kind, name)).unwrap().clone();
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    entry.resource.metadata_mut().labels = Some(labels.collect());
    catalog.apply(entry);
}

fn planned(catalog: &Catalog, observed: &Observed) -> Plan {
    plan(catalog, observed, &settings("git", start()))
}

/// What policies say in a plan.
fn said(plan: &Plan) -> Vec<String> {
    let codes = [ProblemCode::PolicyViolation, ProblemCode::PolicyInvalid];
    plan.problems.iter().filter(|it| codes.contains(&it.code)).map(ToString::to_string).collect()
}

#[test]
fn what_is_denied_stays_as_it_is_and_the_rest_goes_on() {
    let observed = running(&with("Alias team {address: team@one.test, targets: [bob@one.test]}"));
    let changed = with(
        "Alias team {address: team@one.test, targets: [bob@one.test, eve@elsewhere.test]}\n\
         Mailbox carol {address: carol@one.test, forward: {targets: [carol@elsewhere.test, alice@eins.test]}}\n\
         Mailbox dave {address: dave@one.test, forward: {targets: [alice@one.test]}}",
    );
    let plan = planned(&declared(&changed, &[no_external_forward()]), &observed);
    assert_eq!(brief(&plan), ["create dave@one.test"]);
    assert_eq!(
        said(&plan),
        [
            "more.yaml:1: mail would leave for eve@elsewhere.test (policy no-external-forward at policies.yaml:1)",
            "more.yaml:2: mail would leave for carol@elsewhere.test (policy no-external-forward at policies.yaml:1)",
        ]
    );
    let after = simulate::apply(&observed, &plan, start());
    let team = after.aliases.iter().find(|row| row.declared.address == "team@one.test").unwrap();
    assert_eq!(team.declared.targets, ["bob@one.test"]);
    // Whoever is sure labels it.
    let mut approved = declared(&changed, &[no_external_forward()]);
    label(&mut approved, "Alias", "team", &[("approved", "yes")]);
    label(&mut approved, "Mailbox", "carol", &[("approved", "2026")]);
    let plan = planned(&approved, &observed);
    assert_eq!(brief(&plan), ["create carol@one.test", "create dave@one.test", "update team@one.test"]);
    assert_eq!(said(&plan), Vec::<String>::new());
}

#[test]
fn what_depends_on_something_denied_is_told_in_the_same_plan() {
    let quota = policy("quota", &["Mailbox"], QUOTA, json!({"matchLabels": {"team": "contractors"}}));
    let mut catalog = declared(
        &with(
            "Mailbox carol {address: carol@one.test}\nAlias c {address: c@one.test, targets: [carol@one.test]}",
        ),
        &[quota],
    );
    label(&mut catalog, "Mailbox", "carol", &[("team", "contractors")]);
    let plan = planned(&catalog, &running(BASE));
    assert_eq!(brief(&plan), Vec::<String>::new());
    let codes: Vec<ProblemCode> = plan.problems.iter().filter(|it| it.is_error()).map(|it| it.code).collect();
    assert_eq!(codes, [ProblemCode::PolicyViolation, ProblemCode::UnknownTarget]);
    assert!(
        said(&plan)[0].contains("this does not hold: has(object.spec.quota) && quantity("),
        "{:?}",
        said(&plan)
    );
}

#[test]
fn a_domain_that_is_not_applied_makes_no_address_one_of_ours() {
    // A domain of somebody else, in the name of a server that does not let this namespace in.
    let text = with(
        "MailDomain evil/mine {serverRef: {name: main, namespace: default}, domain: elsewhere.test}\n\
         Mailbox carol {address: carol@one.test, forward: {targets: [carol@elsewhere.test]}}",
    );
    let plan = planned(&declared(&text, &[no_external_forward()]), &running(BASE));
    assert_eq!(brief(&plan), Vec::<String>::new());
    assert_eq!(said(&plan).len(), 1, "{:?}", plan.problems);
}

#[test]
fn warnings_tell_and_stop_nothing() {
    let names = policy(
        "names",
        &["Mailbox"],
        "has(object.spec.displayName)",
        json!({"action": "Warn", "message": "no name"}),
    );
    let plan = planned(&declared(BASE, &[names]), &Observed::default());
    assert_eq!(plan.operations.len(), 8);
    assert_eq!(
        said(&plan),
        [
            "base.yaml:5: warning: no name (policy names at policies.yaml:1)",
            "base.yaml:6: warning: no name (policy names at policies.yaml:1)",
        ]
    );
}

#[test]
fn removing_is_never_denied() {
    let nothing = policy("nothing", &["Mailbox", "Alias", "MailDomain"], "false", json!({"message": "no"}));
    let observed = running(BASE);
    let fewer = support::instead("Mailbox bob {address: bob@one.test}\n", "");
    let plan = planned(&declared(&fewer, &[nothing]), &observed);
    assert_eq!(brief(&plan), ["disable bob@one.test"]);
    assert_eq!(said(&plan).len(), 6);
}

#[test]
fn policies_of_a_server_are_for_what_is_on_it() {
    let server = |expression: &str| {
        format!(
            "MailServer main {{hostname: mail.example.test, policies: [{{name: p, kinds: [Mailbox], message: no, expression: \"{expression}\"}}]}}"
        )
    };
    let plain = "MailServer main {hostname: mail.example.test}";
    let with_policy = BASE.replace(plain, &server("localPart(object.spec.address) != 'bob'"));
    let plan = planned(&catalog(&with_policy), &Observed::default());
    assert_eq!(said(&plan), ["base.yaml:6: no (policy p at base.yaml:1)"]);
    // What does not compile is the server's error: it stays as it is, its policies with it.
    let observed = running(&with_policy);
    let broken = catalog(&BASE.replace(plain, &server("object.spec.adress != ''")));
    let told = planned(&broken, &observed);
    assert_eq!(
        said(&told),
        [
            "base.yaml:1: spec.policies[0].expression: policy p: at character 13: object.spec has no field adress; write address",
            "base.yaml:6: no (policy p)",
        ]
    );
    assert_eq!(brief(&told), Vec::<String>::new());
    // A server whose manifest cannot be understood keeps its policies in force, too.
    let plan = planned(&catalog(&BASE.replace(plain, "wrong MailServer main")), &observed);
    assert_eq!(said(&plan), ["base.yaml:6: no (policy p)"]);
    // A change of a policy is shown as a change of the server.
    let plan = planned(&catalog(&BASE.replace(plain, &server("true"))), &observed);
    assert_eq!(brief(&plan), ["update mail.example.test", "create bob@one.test"]);
    let changes: Vec<&str> = plan.operations[0].changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(changes, ["spec.policies.p.expression"]);
}

#[test]
fn another_servers_policies_are_not_ours() {
    let text = "MailServer main {hostname: mail.example.test, policies: [{name: p, expression: 'false'}]}\n\
        MailDomain one {serverRef: {name: main}, domain: one.test}\n\
        MailDomain two {serverRef: {name: other}, domain: two.test}";
    let plan = planned(&catalog(text), &Observed::default());
    assert_eq!(said(&plan), ["mail.yaml:2: this does not hold: false (policy p at mail.yaml:1)"]);
}

#[test]
fn what_cannot_be_judged_with_holds_back_changes_and_nothing_in_force() {
    let observed = running(BASE);
    let changed = with(
        "Mailbox carol {address: carol@one.test}\nAlias c {address: c@one.test, targets: [carol@one.test]}",
    )
    .replace("Mailbox bob {address: bob@one.test}", "Mailbox bob {address: bob@one.test, quota: 1Gi}");
    let wrong = policy("wrong", &["Mailbox"], "object.spec.qouta != ''", json!({}));
    let plan = planned(&declared(&changed, std::slice::from_ref(&wrong)), &observed);
    assert_eq!(brief(&plan), Vec::<String>::new(), "the alias waits for its target");
    let why = "policy wrong cannot be judged with: at character 13: object.spec has no field qouta; write quota; \
        mend the policy; until then what it is for stays as it is";
    assert_eq!(
        said(&plan),
        [
            format!("base.yaml:6: {why}"),
            format!("more.yaml:1: {why}"),
            "policies.yaml:1: spec.expression: policy wrong: at character 13: object.spec has no field qouta; write quota".to_owned(),
        ]
    );
    // Nothing changes, nothing is held back, and nobody is told but the policy's author.
    let plan = planned(&declared(BASE, &[wrong]), &observed);
    assert_eq!((brief(&plan).len(), said(&plan).len()), (0, 1));
    // Of a document nobody understands, nobody knows what it is for.
    let mut catalog = catalog(&changed);
    let broken = Broken {
        name: "quota".to_owned(),
        origin: Some(Origin::new("p.yaml", 3)),
        kinds: mailwright_crds::PolicyKind::ALL.to_vec(),
    };
    catalog.set_policies(Vec::new(), vec![broken]);
    let plan = planned(&catalog, &observed);
    assert_eq!(brief(&plan), Vec::<String>::new());
    assert!(said(&plan)[0].contains("the MailPolicy at p.yaml:3 cannot be understood"), "{:?}", said(&plan));
}

#[test]
fn what_fails_on_an_object_denies_it() {
    let careless =
        policy("careless", &["Mailbox"], "quantity(object.spec.quota) <= quantity('10Gi')", json!({}));
    let text = BASE.replace("bob@one.test}", "bob@one.test, quota: 5Gi}");
    let plan = planned(&declared(&text, &[careless]), &Observed::default());
    assert!(brief(&plan).contains(&"create bob@one.test".to_owned()));
    assert_eq!(
        said(&plan),
        [
            "base.yaml:5: policy careless at policies.yaml:1 fails here, at character 22: object.spec.quota is not there; \
          ask has(object.spec.quota) first; the policy is to allow for what an object may leave out; until it does, nothing is changed here"
        ]
    );
}

#[test]
fn what_runs_and_what_is_around_can_be_asked_about() {
    let observed = running(BASE);
    for (expression, expected) in [
        // The quota may not be lowered; of a new one nothing runs.
        ("oldObject == null || has(object.spec.displayName) || oldObject.spec.enabled", 0),
        ("oldObject != null", 1),
        (
            "oldObject == null || oldObject.spec.address == object.spec.address && oldObject.metadata.name == object.metadata.name",
            0,
        ),
        ("oldObject == null || oldObject.spec.retainFor == '720h' && !has(oldObject.spec.quota)", 0),
        ("domain.spec.domain == domainOf(object.spec.address)", 0),
        ("domain.metadata.name == 'one' && has(domain.spec.limits.defaultQuota)", 3),
        ("server.spec.hostname == 'mail.example.test'", 0),
        ("now > timestamp('2026-11-20') && now < timestamp('2026-11-21')", 0),
        ("label('x') == '' && annotation('y') == ''", 0),
        ("external('a@elsewhere.test') && !external('a@eins.test')", 0),
        ("external('nobody')", 3),
        ("object.metadata.namespace == 'default' && object.apiVersion == 'mailwright.dev/v1alpha1'", 0),
        ("object.spec.sendAs == [] && object.spec.deletionPolicy == 'Disable'", 0),
        ("'secret' in object.metadata.labels || localPart(object.spec.address) in ['alice', 'bob']", 1),
    ] {
        let it = policy("p", &["Mailbox"], expression, json!({}));
        let plan = planned(&declared(&with("Mailbox carol {address: carol@one.test}"), &[it]), &observed);
        assert_eq!(said(&plan).len(), expected, "{expression} {:?}", said(&plan));
    }
}

#[test]
fn a_password_hash_is_seen_by_its_scheme_only() {
    let leak = policy(
        "argon2id",
        &["Mailbox"],
        "!has(object.spec.credentials.passwordHash) || object.spec.credentials.passwordHash.startsWith('$argon2id$')",
        json!({"messageExpression": "'the scheme is ' + object.spec.credentials.passwordHash"}),
    );
    let text =
        with("Mailbox carol {address: carol@one.test, credentials: {passwordHash: '$6$saltsalt$hashhash'}}");
    let plan = planned(&declared(&text, &[leak]), &Observed::default());
    // alice and bob have no credentials at all, and has(object.spec.credentials.…) needs them.
    let said = said(&plan);
    assert_eq!(said[2], "more.yaml:1: the scheme is $6$… (policy argon2id at policies.yaml:1)");
    assert!(said[0].contains("object.spec.credentials is not there"), "{said:?}");
    assert!(!serde_json::to_string(&plan).unwrap().contains("saltsalt"));
}

#[test]
fn too_much_work_is_refused_with_the_same_verdict_every_time() {
    let all = "[0,1,2,3,4,5,6,7,8,9]";
    let nested = (0..5).fold("false".to_owned(), |inner, level| format!("{all}.exists(x{level}, {inner})"));
    let it = policy("slow", &["Alias"], &nested, json!({}));
    let settings = settings("git", start());
    let catalog = declared(BASE, &[it]);
    let plans: Vec<Plan> = (0..3).map(|_| plan(&catalog, &Observed::default(), &settings)).collect();
    assert_eq!(said(&plans[0]).len(), 2);
    assert!(
        said(&plans[0])[0].contains("this takes more than 100000 steps for one object"),
        "{:?}",
        said(&plans[0])
    );
    assert!(plans.iter().all(|plan| plan == &plans[0]));
}

#[test]
fn only_what_changed_is_judged_again() {
    let policies = Policies::new(documents(&[no_external_forward(), quota()]));
    let settings = Settings { policies: policies.clone(), ..settings("git", start()) };
    let mut declared = catalog(&with(
        "Mailbox carol {address: carol@one.test, forward: {targets: [x@two.test]}}\nMailbox x {address: x@two.test}",
    ));
    label(&mut declared, "Mailbox", "alice", &[("team", "contractors")]);
    let entry = declared.get(&object("Mailbox", "alice")).unwrap().clone();
    let round = |catalog: &Catalog| {
        let before = policies.evaluations();
        let plan = plan(catalog, &Observed::default(), &settings);
        (policies.evaluations() - before, said(&plan).len())
    };
    // 4 mailboxes and 2 aliases by the one policy, alice by the other; she is denied and looked at again in the round after.
    let (first, denied) = round(&declared);
    assert_eq!(denied, 1);
    assert!(first >= 7, "{first}");
    assert_eq!(round(&declared), (2, 1), "only who was denied");
    // A copy shares its objects.
    assert_eq!(round(&declared.clone()).0, 2);
    let mut changed = entry;
    changed.resource =
        support::resource(Kind::Mailbox, "alice", json!({"address": "alice@one.test", "quota": "1Gi"}));
    declared.apply(changed);
    assert_eq!(round(&declared), (1, 0));
    assert_eq!(round(&declared), (0, 0));
    // A domain that goes away makes an address a foreign one, although nobody touched whoever forwards there.
    declared.delete(&object("MailDomain", "two"));
    assert_eq!(round(&declared).1, 1);
    // Other policies have seen nothing yet.
    let other = Settings { policies: Policies::new(documents(&[quota()])), ..settings.clone() };
    assert_eq!(said(&plan(&declared, &Observed::default(), &other)).len(), 0);
}

#[test]
fn numbers_of_documents_are_bounded() {
    let many: Vec<Policy> =
        (0..51).map(|number| policy(&format!("p{number}"), &["Alias"], "true", json!({}))).collect();
    let plan = planned(&declared(BASE, &many), &Observed::default());
    assert!(said(&plan).iter().any(|it| it.contains("there are more than 50 MailPolicy documents")));
    assert!(!brief(&plan).iter().any(|it| it.contains("postmaster")), "what the last one says nobody knows");
}

/// Objects of which some are denied, with the policies that do it.
fn some() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    (
        Just((0..14).collect::<Vec<usize>>()).prop_shuffle(),
        Just((0..5).collect::<Vec<usize>>()).prop_shuffle(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_order_of_documents_and_what_came_before_change_no_verdict((objects, order) in some()) {
        let lines: Vec<String> = (0..14).map(|number| {
            let forward = match number % 4 {
                0 => "forward: {targets: [someone@elsewhere.test]}",
                1 => "quota: 20Gi",
                2 => "forward: {targets: [alice@eins.test]}, quota: 1Gi",
                _ => "displayName: Somebody",
            };
            format!("Mailbox m{number} {{address: m{number}@one.test, {forward}}}")
        }).collect();
        let policies = [
            no_external_forward(),
            policy("quota", &["Mailbox"], &format!("!has(object.spec.quota) || {QUOTA}"), json!({})),
            policy("named", &["Mailbox"], "has(object.spec.displayName)", json!({"action": "Warn"})),
            policy("careless", &["Mailbox"], "object.spec.quota != '3Gi'", json!({"action": "Warn"})),
            policy("broken", &["Alias"], "nothing", json!({})),
        ];
        let base = declared(&with(&lines.join("\n")), &policies);
        let expected = plan(&base, &Observed::default(), &settings("git", start()));
        let mut shuffled = Catalog::new();
        for entry in base.entries().filter(|entry| !entry.object().name.starts_with('m') || entry.object().name == "main") {
            shuffled.apply(entry.clone());
        }
        let all: BTreeMap<Text, Entry> = base.entries().map(|it| (it.object().name, it.clone())).collect();
        let mut documents = documents(&policies);
        documents.sort_by_key(|it| order.iter().position(|at| policies[*at].name == it.policy.name));
        shuffled.set_policies(documents, Vec::new());
        let remembering = settings("git", start());
        for number in objects {
            shuffled.apply(all[format!("m{number}").as_str()].clone());
            let _ = validate(&shuffled, &remembering);
        }
        let found = plan(&shuffled, &Observed::default(), &remembering);
        prop_assert_eq!(&found.problems, &expected.problems);
        prop_assert_eq!(&found.digest, &expected.digest);
        prop_assert_eq!(plan(&shuffled, &Observed::default(), &remembering), found);
    }
}
