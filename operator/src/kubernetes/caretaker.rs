//! Puts finalizers on MailDomains and takes them off, as [`super::finalizer`] decides.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use mailwright_crds::{Kind, ObjectMeta, ObjectRef, Resource};
use mailwright_plan::partition::Assignment;

use super::absence;
use super::finalizer::{self, Facts, Step};
use super::shared::Shared;
use super::world::World;
use crate::backoff::{self, Backoff};

/// A look without a call: a definition that is being deleted tells nobody.
const LOOK: Duration = Duration::from_secs(10);

/// The shortest wait for what failed: time for the watch to tell of the change that made it fail.
const SHORTEST: Duration = Duration::from_millis(100);

/// A finalizer that must come or go.
#[derive(Debug, Clone, PartialEq)]
struct Task {
    object: ObjectRef,
    metadata: ObjectMeta,
    step: Step,
}

/// Looks after finalizers for as long as it is not aborted.
pub async fn run(shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    loop {
        let until_due = backoff.next_due().map(|due| (due - Utc::now()).to_std().unwrap_or_default());
        tokio::select! {
            () = shared.caretaker.notified() => (),
            () = tokio::time::sleep(until_due.unwrap_or(LOOK).clamp(SHORTEST, LOOK)) => (),
        }
        if !shared.is_leading() || !shared.world().is_complete() {
            continue;
        }
        let going = definition_is_going(&shared).await;
        let tasks = tasks(&shared.world(), shared.assignment().as_deref(), going);
        let now = Utc::now();
        backoff.retain(|object| tasks.iter().any(|task| task.object == *object));
        for task in tasks.into_iter().filter(|task| backoff.is_due(&task.object, now)).collect::<Vec<_>>() {
            match finalizer::take(&shared.client, &task.object, &task.metadata, task.step).await {
                Ok(object) => {
                    shared.answered(Kind::MailDomain, object);
                    backoff.forget(&task.object);
                }
                Err(error) => {
                    tracing::debug!(object = %task.object, %error, "the finalizer could not be changed and will be");
                    backoff.failed(task.object, now, backoff::chance());
                }
            }
        }
    }
}

/// Asked only while a domain waits for its addresses.
async fn definition_is_going(shared: &Shared) -> bool {
    let waits = {
        let world = shared.world();
        let domains = world.objects().iter().filter(|(object, _)| object.kind == Kind::MailDomain);
        domains.into_iter().any(|(_, seen)| seen.is_terminating() && finalizer::is_held(seen.metadata()))
    };
    waits && absence::definition_is_going(&shared.client, Kind::MailDomain).await
}

/// What must come and go in this world. Only a domain that some installation serves is held for its addresses; as long as
/// nobody has decided who serves what, nothing is let go.
fn tasks(world: &World, assignment: Option<&Assignment>, definition_is_going: bool) -> Vec<Task> {
    let Some(assignment) = assignment else { return Vec::new() };
    let mut used = BTreeSet::new();
    for seen in world.objects().values().filter(|seen| !seen.is_terminating()) {
        let Ok(entry) = &seen.entry else { continue };
        let address = match &entry.resource {
            Resource::Mailbox(mailbox) => mailbox.spec.address.domain(),
            Resource::Alias(alias) => alias.spec.address.domain(),
            _ => continue,
        };
        used.insert(address.to_owned());
    }
    let mut tasks = Vec::new();
    for (object, seen) in world.objects() {
        let Some(Resource::MailDomain(domain)) = seen.entry.as_ref().ok().map(|entry| &entry.resource) else {
            continue;
        };
        let names = std::iter::once(&domain.spec.domain).chain(&domain.spec.aliases);
        let has_addresses = names.into_iter().any(|name| used.contains(name.as_str()));
        let terminating = world.namespaces().get(object.namespace.as_str()).is_some_and(|it| it.terminating);
        let facts = Facts {
            has_addresses: has_addresses
                && assignment.members.values().any(|members| members.contains(object)),
            must_go: terminating || definition_is_going,
            is_terminating: seen.is_terminating(),
            is_held: finalizer::is_held(seen.metadata()),
        };
        if let Some(step) = finalizer::decide(facts) {
            tasks.push(Task { object: object.clone(), metadata: seen.metadata().clone(), step });
        }
    }
    tasks
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mailwright_crds::well_known::ADDRESSES_FINALIZER;
    use mailwright_plan::partition::ServerKey;
    use serde_json::{Value, json};

    use super::*;
    use crate::kubernetes::watch::Told;
    use crate::kubernetes::world::Topic;

    fn add(world: &mut World, kind: Kind, name: &str, spec: Value, metadata: Value) -> ObjectRef {
        let mut value = json!({
            "apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(),
            "metadata": {"name": name, "namespace": "a", "uid": name}, "spec": spec,
        });
        for (field, extra) in metadata.as_object().unwrap() {
            value["metadata"][field] = extra.clone();
        }
        world.take((Topic::Resource(kind), 0), Told::Changed(serde_json::from_value(value).unwrap()));
        ObjectRef { kind, namespace: "a".into(), name: name.into() }
    }

    fn domain(world: &mut World, metadata: Value) -> ObjectRef {
        let spec =
            json!({"serverRef": {"name": "mail"}, "domain": "example.test", "aliases": ["example.org"]});
        add(world, Kind::MailDomain, "example", spec, metadata)
    }

    fn alias(world: &mut World, address: &str) {
        add(world, Kind::Alias, "x", json!({"address": address, "targets": ["b@example.test"]}), json!({}));
    }

    /// One server with this member, or none.
    fn serves(member: Option<ObjectRef>) -> Assignment {
        let members = BTreeMap::from([(ServerKey::new("a", "mail"), member.into_iter().collect())]);
        Assignment { members, ..Assignment::default() }
    }

    #[test]
    fn held_while_addresses_are_declared() {
        let held = json!({"finalizers": [ADDRESSES_FINALIZER]});
        let going = json!({"finalizers": [ADDRESSES_FINALIZER], "deletionTimestamp": "2026-11-20T12:00:00Z"});
        for (metadata, address, is_member, definition_goes, expected, what) in [
            (json!({}), Some("a@example.test"), true, false, Some(Step::Add), "an address"),
            (json!({}), Some("a@example.org"), true, false, Some(Step::Add), "an address of an alias domain"),
            (json!({}), Some("a@example.net"), true, false, None, "another domain's"),
            (json!({}), None, true, false, None, "no address"),
            (json!({}), Some("a@example.test"), false, false, None, "nobody serves it"),
            (held.clone(), Some("a@example.test"), true, false, None, "it is held"),
            (held, None, true, false, Some(Step::Remove), "the last address went"),
            (going.clone(), Some("a@example.test"), true, false, None, "deletion waits"),
            (going.clone(), None, true, false, Some(Step::Remove), "deletion goes on"),
            (going, Some("a@example.test"), true, true, Some(Step::Remove), "the definition goes"),
        ] {
            let mut world = World::default();
            let object = domain(&mut world, metadata);
            if let Some(address) = address {
                alias(&mut world, address);
            }
            let members = is_member.then_some(object);
            let steps: Vec<Step> =
                tasks(&world, Some(&serves(members)), definition_goes).iter().map(|it| it.step).collect();
            assert_eq!(steps, expected.into_iter().collect::<Vec<_>>(), "{what}");
            assert_eq!(tasks(&world, None, definition_goes), [], "{what}: nobody has decided yet");
        }
    }

    #[test]
    fn a_namespace_that_goes_is_not_held_up() {
        let mut world = World::default();
        let object = domain(&mut world, json!({"finalizers": [ADDRESSES_FINALIZER]}));
        alias(&mut world, "a@example.test");
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "a", "deletionTimestamp": "2026-11-20T12:00:00Z"},
        });
        world.take((Topic::Namespace, 0), Told::Changed(serde_json::from_value(namespace).unwrap()));
        let tasks = tasks(&world, Some(&serves(Some(object))), false);
        assert_eq!(tasks.iter().map(|task| task.step).collect::<Vec<_>>(), [Step::Remove]);
    }
}
