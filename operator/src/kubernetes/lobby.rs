//! Where objects wait that belong to no installation: their server or domain is not declared, or does not allow them. They get
//! statuses that say so, and nothing else happens to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mailwright_crds::ObjectRef;
use mailwright_plan::status::{self, Facts};
use mailwright_plan::{Catalog, Observed, Settings};
use serde_json::Value;

use super::installation::Slot;
use super::shared::{Shared, View};
use crate::operator::KUBERNETES;

/// Until statuses that could not be written are tried again. Nobody is served less meanwhile.
const AGAIN: Duration = Duration::from_secs(2);

/// Tells those in the lobby what they wait for, whenever the slot is told another view.
pub async fn run(shared: Arc<Shared>, slot: Arc<Slot>) {
    loop {
        slot.wait().await;
        let view = slot.view();
        let previous: BTreeMap<ObjectRef, Value> =
            view.members.iter().map(|(object, seen)| (object.clone(), seen.status())).collect();
        let now = Utc::now();
        let round = shared.put_statuses(statuses(&view, &previous, now), now).await;
        if round.failed > 0 {
            let slot = Arc::clone(&slot);
            tokio::spawn(async move {
                tokio::time::sleep(AGAIN).await;
                slot.ring();
            });
        }
    }
}

/// The statuses of objects that no installation has: planned against nothing, so that everything that is wrong with them is
/// said, and what the whole cluster shows besides.
pub fn statuses(
    view: &View,
    previous: &BTreeMap<ObjectRef, Value>,
    now: DateTime<Utc>,
) -> Vec<(ObjectRef, Value)> {
    let mut catalog = Catalog::new();
    for seen in view.members.values() {
        if let Ok(entry) = &seen.entry {
            catalog.apply(entry.clone());
        }
    }
    catalog.set_problems(view.problems.iter().cloned());
    for (name, namespace) in &view.namespaces {
        catalog.set_namespace(name, Some(namespace.labels.clone()));
    }
    let observed = Observed::default();
    let plan = mailwright_plan::plan(&catalog, &observed, &Settings::new(KUBERNETES, now));
    let facts = Facts::default();
    let input = status::Input {
        catalog: &catalog,
        plan: &plan,
        outcomes: &[],
        observed: &observed,
        facts: &facts,
        now,
    };
    status::compute(&input, previous)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use mailwright_crds::Kind;
    use serde_json::json;

    use super::*;
    use crate::kubernetes::world::Seen;

    fn view(kind: Kind, spec: Value) -> View {
        let value = json!({
            "apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(),
            "metadata": {"name": "x", "namespace": "a", "uid": "u", "generation": 3}, "spec": spec,
        });
        let seen = Seen::new(kind, serde_json::from_value(value).unwrap());
        let object = ObjectRef { kind, namespace: "a".into(), name: "x".into() };
        View { members: [(object, Arc::new(seen))].into(), ..View::default() }
    }

    #[test]
    fn who_waits_is_told_for_what() {
        let now = Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap();
        for (kind, spec, reason) in [
            (
                Kind::MailDomain,
                json!({"serverRef": {"name": "mail"}, "domain": "example.test"}),
                "ServerNotFound",
            ),
            (Kind::Mailbox, json!({"address": "alice@example.test"}), "DependencyNotReady"),
            (
                Kind::Alias,
                json!({"address": "a@example.test", "targets": ["b@example.test"]}),
                "DependencyNotReady",
            ),
        ] {
            let view = view(kind, spec);
            let first = statuses(&view, &BTreeMap::new(), now);
            let [(object, status)] = first.as_slice() else { panic!("{first:?}") };
            assert_eq!((object.kind, &status["observedGeneration"]), (kind, &json!(3)));
            let conditions = status["conditions"].as_array().unwrap();
            let ready = conditions.iter().find(|it| it["type"] == "Ready").unwrap();
            assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!(reason)), "{kind}");
            let previous = BTreeMap::from([(object.clone(), status.clone())]);
            let later = now + chrono::Duration::hours(1);
            assert_eq!(statuses(&view, &previous, later), first, "it does not tick");
        }
    }
}
