//! Properties of everything around the plan: statuses are quiet, exports declare what runs, the wire loses nothing, a
//! catalog that changed file by file is the catalog of the result, and records always load.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use mailwright_crds::condition::conditions_of;
use mailwright_crds::mail_domain::DkimAlgorithm;
use mailwright_crds::{Kind, Timestamp};
use mailwright_plan::dns::{self, DkimKey, Input, Services};
use mailwright_plan::status::{self, Facts};
use mailwright_plan::{
    Batch, Catalog, Entry, ObjectRef, Observed, Origin, Outcome, Plan, Verdict, export, plan, render,
    simulate,
};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use support::random::{approving, cases, earlier, history, repository};
use support::read;

/// The statuses after applying a plan, beside those kept before.
fn statuses(
    catalog: &Catalog,
    planned: &Plan,
    outcomes: &[Outcome],
    observed: &Observed,
    kept: &BTreeMap<ObjectRef, Value>,
    now: DateTime<Utc>,
) -> BTreeMap<ObjectRef, Value> {
    let facts = Facts::default();
    let input = status::Input { catalog, plan: planned, outcomes, observed, facts: &facts, now };
    status::compute(&input, kept).into_iter().collect()
}

/// Every condition is promised for its kind with its reason, each type stands once, and none is younger than now.
fn sound(object: &ObjectRef, status: &Value, now: DateTime<Utc>) -> Result<(), TestCaseError> {
    let mut types = BTreeSet::new();
    for condition in status["conditions"].as_array().unwrap() {
        let info = conditions_of(object.kind).iter().find(|info| condition["type"] == info.type_.as_str());
        let reason = condition["reason"].as_str().unwrap();
        let promised = info.is_some_and(|info| info.reasons.iter().any(|known| known.as_str() == reason));
        prop_assert!(promised, "{} {}", object, condition);
        prop_assert!(types.insert(condition["type"].to_string()), "{} {}", object, status);
        prop_assert!(
            condition["lastTransitionTime"].as_str().unwrap() <= Timestamp::from(now).to_string().as_str()
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn statuses_are_quiet(history in history(), repository in repository(), pick in any::<Index>()) {
        let observed = earlier(&history, &pick);
        let now = support::start() + Duration::days(1);
        let catalog = support::catalog(&repository);
        let (planned, settings) = approving(&catalog, &observed, support::settings("git", now));
        let (observed, outcomes) = simulate::apply_operations(&observed, "git", planned.applicable(), now);
        let first = statuses(&catalog, &planned, &outcomes, &observed, &BTreeMap::new(), now);
        for (object, status) in &first {
            sound(object, status, now)?;
        }
        let declared: BTreeSet<ObjectRef> = catalog.entries().map(Entry::object).collect();
        prop_assert!(declared.iter().all(|object| first.contains_key(object)), "every declared object has a status");
        // An hour later nothing happened: a plan without applicable operations, and no status to write.
        let later = now + Duration::minutes(30);
        let again = plan(&catalog, &observed, &support::settings("git", later));
        let again = if again.held().next().is_some() { plan(&catalog, &observed, &settings) } else { again };
        prop_assume!(again.applicable().next().is_none() && again.held().count() == planned.held().count());
        let second = statuses(&catalog, &again, &[], &observed, &first, later);
        if again.problems == planned.problems && again.digest == planned.digest {
            prop_assert_eq!(&second, &first);
        }
        let third = statuses(&catalog, &again, &[], &observed, &second, later + Duration::minutes(5));
        prop_assert_eq!(third, second);
    }

    #[test]
    fn exports_declare_what_runs(history in history(), pick in any::<Index>()) {
        let mut observed = earlier(&history, &pick);
        // One source owns everything, so that one repository may declare everything.
        let owners = observed.mailboxes.iter_mut().map(|row| &mut row.owner);
        let owners = owners.chain(observed.aliases.iter_mut().map(|row| &mut row.owner));
        let owners = owners.chain(observed.domains.iter_mut().map(|row| &mut row.owner));
        owners.chain(observed.servers.iter_mut().map(|row| &mut row.owner)).for_each(|owner| *owner = None);
        let text = export::manifests(&observed);
        let catalog = read(&text);
        let planned = plan(&catalog, &observed, &support::settings("git", support::start()));
        for operation in planned.applicable() {
            // A row without a quota under a default one is what no manifest can say.
            let can_be_said = operation.changes.iter().filter(|it| !(it.field == "spec.quota" && it.from.is_none()));
            let changed: Vec<&str> = can_be_said.map(|change| change.field.as_str()).collect();
            prop_assert_eq!(changed, ["managedBy"], "{:?} {}\n{}", operation.action, operation.subject, text);
        }
        let rows = observed.mailboxes.iter().filter(|row| row.removed_at.is_none()).count() + observed.aliases.len();
        let exported = catalog.entries().filter(|entry| matches!(entry.resource.kind(), Kind::Mailbox | Kind::Alias));
        prop_assert_eq!(exported.count(), rows);
    }

    #[test]
    fn the_wire_loses_nothing(history in history(), repository in repository(), pick in any::<Index>()) {
        let observed = earlier(&history, &pick);
        let text = serde_json::to_string(&observed).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Observed>(&text).unwrap(), &observed);
        let planned = plan(&support::catalog(&repository), &observed, &support::settings("git", support::start()));
        let text = serde_json::to_string(&planned).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Plan>(&text).unwrap(), &planned);
        let batch = Batch {
            source_id: "git".into(),
            operations: planned.applicable().cloned().collect(),
            credentials: BTreeMap::new(),
            fence: None,
        provenance: None,
        whole: false,
        };
        let text = serde_json::to_string(&batch).unwrap();
        let batch_again: Batch = serde_json::from_str(&text).unwrap();
        let (mut one, mut other) = (observed.clone(), observed);
        let now = support::start() + Duration::days(1);
        let reply = simulate::apply_batch(&mut one, &batch, now);
        prop_assert_eq!(&reply, &simulate::apply_batch(&mut other, &batch_again, now));
        prop_assert_eq!(one, other);
        prop_assert_eq!(reply.outcomes.len(), batch.operations.len());
    }

    #[test]
    fn texts_tell_every_operation_and_problem_once(history in history(), repository in repository(), pick in any::<Index>()) {
        let observed = earlier(&history, &pick);
        let planned = plan(&support::catalog(&repository), &observed, &support::settings("git", support::start()));
        let text = render::text(&planned, false);
        // What follows from another problem is told once for all that do, with their number.
        let mut lines = 0;
        let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
        for problem in &planned.problems {
            match problem.cause() {
                Some(cause) => *causes.entry(cause).or_default() += 1,
                None => {
                    prop_assert_eq!(text.matches(&format!("\n  {problem}\n")).count(), 1, "{}\n{}", problem, text);
                    lines += 1;
                }
            }
        }
        lines += causes.len();
        for (cause, count) in causes {
            let more = if count > 1 { format!(" (and {} more for the same reason)", count - 1) } else { String::new() };
            prop_assert_eq!(text.matches(&format!(": {cause}; mend that first{more}\n")).count(), 1, "{}\n{}", cause, text);
        }
        let heads = text.lines().filter(|line| {
            let line = line.trim_start();
            ["+ ", "~ ", "- ", "! "].iter().any(|symbol| line.starts_with(symbol))
        });
        prop_assert_eq!(heads.count(), planned.operations.len(), "{}", text);
        for operation in planned.held() {
            let guard = operation.held.as_ref().unwrap();
            let line = format!("  {guard}; {}\n", guard.remedy(&planned.digest));
            prop_assert!(text.contains(&line), "{}", text);
        }
        let end = format!("Digest {}\n", &planned.digest[..16]);
        prop_assert!(text.ends_with(&end), "{}", text);
        prop_assert_eq!(render::problems(&planned.problems, false).lines().count(), lines);
    }

    #[test]
    fn a_catalog_that_changed_is_the_catalog_of_the_result(first in repository(), second in repository(), pick in any::<Index>(), history in history()) {
        let observed = earlier(&history, &pick);
        let (target, mut catalog) = (support::catalog(&second), support::catalog(&first));
        let files: BTreeSet<String> = catalog.entries().chain(target.entries()).map(|entry| entry.origin.file.to_string()).collect();
        let files = files.into_iter().chain((0..3).map(|file| format!("file{file}.yaml"))).chain(["sound.yaml".to_owned()]);
        for file in files {
            catalog.replace_file(&file, target.entries().filter(|entry| entry.origin.file == file).cloned().collect());
        }
        for (file, broken) in target.broken_files() {
            catalog.set_broken_file(file.clone(), broken.text.clone());
        }
        for (object, origins) in target.broken_objects() {
            origins.iter().for_each(|origin| catalog.set_broken_object(object.clone(), origin.clone()));
        }
        target.problems().iter().for_each(|problem| catalog.add_problem(problem.clone()));
        catalog.remove_secret("default", "s");
        let id = mailwright_plan::SecretId::new("default", "s", "p");
        catalog.set_secret(id.clone(), target.secret(&id).clone());
        let settings = support::settings("git", support::start());
        prop_assert_eq!(plan(&catalog, &observed, &settings), plan(&target, &observed, &settings));
    }

    #[test]
    fn failures_hold_nothing_else_up(history in history(), repository in repository(), unlucky in any::<Index>(), pick in any::<Index>()) {
        let observed = earlier(&history, &pick);
        let now = support::start() + Duration::days(1);
        let catalog = support::catalog(&repository);
        let (planned, settings) = approving(&catalog, &observed, support::settings("git", now));
        let operations: Vec<_> = planned.applicable().collect();
        prop_assume!(!operations.is_empty());
        let skipped = unlucky.get(&operations).subject.clone();
        let good = operations.iter().copied().filter(|operation| operation.subject != skipped);
        let (after, outcomes) = simulate::apply_operations(&observed, "git", good, now);
        // What fails besides is what needed the unlucky one: a name, or its domain.
        for outcome in outcomes.iter().filter(|outcome| outcome.verdict != Verdict::Applied) {
            let domain = outcome.subject.rsplit_once('@').map_or("", |(_, domain)| domain);
            let needed = domain == skipped || outcome.subject.contains(&*skipped) || skipped.ends_with(&outcome.subject)
                || outcome.object.kind == Kind::MailDomain || outcome.object.kind == Kind::MailServer;
            prop_assert!(needed, "{} failed for want of {}", outcome.subject, skipped);
        }
        let (rest, _) = approving(&catalog, &after, settings);
        let end = simulate::apply(&after, &rest, now);
        let straight = simulate::apply(&observed, &planned, now);
        prop_assert_eq!(support::random::state(&end), support::random::state(&straight));
    }
}

/// Random declarations of what becomes DNS records.
fn declared() -> impl Strategy<Value = (Value, bool)> {
    let address = "[a-z][a-z0-9!#$%&'*+/=?^_`{|}~-]{0,30}@[a-z]{1,10}\\.(test|example)";
    let rua = prop::collection::btree_set(address, 0..4);
    let networks = prop::collection::btree_set(any::<[u8; 4]>(), 0..50);
    let includes = prop::collection::btree_set("(_[a-z]{1,8}\\.)?[a-z]{1,20}\\.test", 0..9);
    let words = (
        prop::sample::select(vec!["None", "Quarantine", "Reject"]),
        prop::sample::select(vec!["SoftFail", "Fail", "Neutral"]),
        prop::sample::select(vec!["None", "Testing", "Enforce"]),
    );
    let issuers = prop::collection::btree_set("[a-z]{1,10}\\.example", 1..4);
    (rua, networks, includes, words, issuers, any::<bool>()).prop_map(
        |(rua, networks, includes, (policy, all, mode), issuers, parked)| {
            let ip4: Vec<String> =
                networks.iter().map(|ip| std::net::Ipv4Addr::from(*ip).to_string()).collect();
            let mut dns = serde_json::json!({
                "dmarc": {"policy": policy, "rua": rua},
                "spf": {"ip4": ip4, "include": includes, "all": all},
                "mtaSTS": {"mode": if parked { "None" } else { mode }, "maxAge": "24h"},
                "caa": {"issuers": issuers},
            });
            if !rua.is_empty() {
                dns["tlsReporting"] = serde_json::json!({"rua": rua});
            }
            (dns, parked)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn records_are_well_formed((dns, parked) in declared(), rsa in prop::collection::vec(any::<u8>(), 290..300)) {
        let spec = serde_json::json!({"serverRef": {"name": "main"}, "domain": "example.test", "parked": parked});
        let mut spec = spec.as_object().unwrap().clone();
        spec.extend(dns.as_object().unwrap().clone());
        let resource = support::resource(Kind::MailDomain, "d", Value::Object(spec));
        let mut catalog = support::catalog("MailServer main {hostname: mail.example.test}");
        catalog.apply(Entry::new(resource, Origin::new("d.yaml", 1)));
        let settings = support::settings("git", support::start());
        let observed = simulate::apply(&Observed::default(), &plan(&catalog, &Observed::default(), &settings), settings.now);
        let domain = &observed.domains[0].declared;
        let dkim = [DkimKey { selector: "s".into(), algorithm: DkimAlgorithm::Rsa2048, public: rsa }];
        let services = Services { imap: Some(143), ..Services::default() };
        let input = Input { name: "example.test", domain, hostname: "mail.example.test", dkim: &dkim, services, addresses: &[] };
        let records = dns::records(&input);
        prop_assert!(records.len() <= 256, "the schema of the status has no room for more");
        let mut seen = BTreeSet::new();
        for record in &records {
            prop_assert!(seen.insert((&record.name, &record.type_, &record.value)), "twice: {:?}", record);
            prop_assert!(record.value.is_ascii() && !record.value.contains(['\n', '\r']), "{:?}", record);
            if record.type_ == "TXT" {
                let strings = record.value.trim_matches('"').split("\" \"");
                prop_assert!(strings.clone().all(|string| string.len() <= 255), "{:?}", record);
                let text: String = strings.collect();
                let known = ["v=spf1 ", "v=DKIM1; ", "v=DMARC1; p=", "v=DMARC1;", "v=STSv1; id=", "v=TLSRPTv1; rua=mailto:"];
                prop_assert!(known.iter().any(|start| text.starts_with(start)), "{}", text);
            }
        }
        let mx: Vec<&str> = records.iter().filter(|record| record.type_ == "MX").map(|it| it.value.as_str()).collect();
        prop_assert_eq!(mx, [if parked { "0 ." } else { "10 mail.example.test." }]);
        let policies = records.iter().filter(|record| record.name == "example.test" && record.type_ == "TXT");
        prop_assert_eq!(policies.count(), 1, "one SPF record and no more (RFC 7208 §3.2)");
        let zone = dns::zone("example.test", &records);
        prop_assert_eq!(zone.lines().filter(|line| line.contains(" IN ")).count(), records.len() + 2);
        prop_assert_eq!(dns::table(&records).lines().count(), records.len() + 1);
    }
}
