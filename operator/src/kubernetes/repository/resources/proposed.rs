//! The plan of a proposed change against the objects of the cluster: the decision that would be made of it, by the rules and policies
//! of what is followed. Nothing is sent, nothing is approved.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mailwright_crds::policy::Policy;
use mailwright_crds::{MailRepository, ObjectRef, Resource};
use mailwright_plan::Plan;

use super::Resources;
use super::desired::Claim;
use crate::kubernetes::repository::sink::Task;
use crate::kubernetes::shared::Shared;
use crate::preview::Base;
use crate::preview::stage::{keep_policies, too_many};
use crate::repository::{PlanRules, Revision};
use crate::source::{Content, Object, Snapshot};

/// The objects of the cluster, and what is followed to them.
pub struct Objects {
    shared: Arc<Shared>,
    object: ObjectRef,
    repository: MailRepository,
    rules: PlanRules,
    followed: String,
    /// The MailPolicy documents of what is followed.
    policies: Vec<Arc<Object>>,
    /// The policies of its MailServers.
    of_servers: BTreeMap<ObjectRef, Vec<Policy>>,
}

impl Objects {
    /// What is in force after this task.
    pub fn new(shared: &Arc<Shared>, task: &Task<'_>) -> Objects {
        let objects = &task.revision.snapshot.objects;
        let servers = objects.iter().filter_map(|object| match &object.content {
            Content::Resource(resource) => match &**resource {
                Resource::MailServer(server) => Some((resource.object_ref(), server.spec.policies.clone())),
                _ => None,
            },
            _ => None,
        });
        Objects {
            shared: Arc::clone(shared),
            object: task.object.clone(),
            repository: task.repository.clone(),
            rules: task.rules.clone(),
            followed: task.revision.snapshot.revision.clone(),
            policies: objects.iter().filter(|object| is_policy(object)).cloned().collect(),
            of_servers: servers.collect(),
        }
    }
}

/// A change may not take away what it is judged by, nor bring its own.
fn judged(
    head: &Snapshot,
    policies: &[Arc<Object>],
    of_servers: &BTreeMap<ObjectRef, Vec<Policy>>,
) -> Snapshot {
    let mut head = head.clone();
    head.objects.retain(|object| !is_policy(object));
    head.objects.iter_mut().for_each(|object| keep_policies(of_servers, object));
    head.objects.extend(policies.iter().cloned());
    head
}

fn is_policy(object: &Object) -> bool {
    matches!(object.content, Content::Policy(_))
}

impl Base for Objects {
    fn plan(&self, head: &Snapshot, now: DateTime<Utc>) -> Result<Plan, String> {
        too_many(head)?;
        let snapshot = judged(head, &self.policies, &self.of_servers);
        let revision = Revision { snapshot, taken: None, verified: false };
        let task = Task {
            object: &self.object,
            repository: &self.repository,
            revision: &revision,
            rules: &self.rules,
            approvals: &[],
            now,
        };
        let decided = Resources::new(Arc::clone(&self.shared)).decide(&task, &Claim::of(&self.object));
        Ok(decided.map_err(|trouble| trouble.message)?.1.plan)
    }

    fn followed(&self) -> &str {
        &self.followed
    }

    fn name(&self) -> String {
        format!("{} {}", *self.shared.objects_changed().borrow(), self.followed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Options, Source};

    fn snapshot(policies: &[&str]) -> Snapshot {
        let directory = tempfile::tempdir().unwrap();
        let mailbox = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: bob}\nspec: {address: bob@example.test}\n";
        std::fs::write(directory.path().join("bob.yaml"), mailbox).unwrap();
        for name in policies {
            let policy = format!(
                "apiVersion: mailwright.dev/v1alpha1\nkind: MailPolicy\nmetadata: {{name: {name}}}\nspec: {{kinds: [Mailbox], \
                 expression: 'true', message: never}}\n"
            );
            std::fs::write(directory.path().join(format!("{name}.yaml")), policy).unwrap();
        }
        let mut source = Source::open(directory.path().to_str().unwrap(), Options::default()).unwrap();
        let snapshot = source.load().unwrap().unwrap();
        assert_eq!(snapshot.errors().count(), 0, "{:?}", snapshot.problems);
        snapshot
    }

    fn names(snapshot: &Snapshot) -> Vec<String> {
        snapshot.objects.iter().map(|object| object.reference.to_string()).collect()
    }

    #[test]
    fn a_change_is_judged_by_the_policies_of_what_is_followed() {
        let followed = snapshot(&["ours"]);
        let policies: Vec<Arc<Object>> =
            followed.objects.iter().filter(|object| is_policy(object)).cloned().collect();
        assert_eq!(policies.len(), 1);
        for theirs in [&[][..], &["ours"], &["theirs"]] {
            let judged = judged(&snapshot(theirs), &policies, &BTreeMap::new());
            let (mut found, mut expected) = (names(&judged), names(&followed));
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{theirs:?}");
        }
    }
}
