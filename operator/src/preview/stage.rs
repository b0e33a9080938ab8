//! The plan of a stranger's commit against the live state, by the rules of the followed branch.
//!
//! What the planner sees of passwords is that there is one ([`blinded`]): a pull request that declares a guess would else be told
//! whether it is right. Nothing is approved here, so what a guard would hold back is shown as held.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mailwright_crds::namespaces::Labels;
use mailwright_crds::policy::Policy;
use mailwright_crds::{ObjectRef, Resource};
use mailwright_plan::policy::{Broken, Declared};
use mailwright_plan::state::blinded;
use mailwright_plan::{Catalog, Observed, Plan, Settings, plan};

use crate::feed::Feed;
use crate::source::{Content, Object, Snapshot};

/// Objects of a preview: as many as the largest installation that is known to run, and a stranger gets no further.
const MAX_OBJECTS: usize = 250_000;

/// What a preview is planned with: what the followed branch is, without its approvals and without the installation's key.
#[derive(Debug, Clone)]
pub struct Stage {
    settings: Settings,
    /// The MailPolicy documents of the followed branch.
    policies: (Vec<Declared>, Vec<Broken>),
    /// The policies of its MailServers.
    of_servers: BTreeMap<ObjectRef, Vec<Policy>>,
    /// What others declare around it.
    neighbours: Vec<Resource>,
    /// The labels of namespaces, where the cluster says them.
    namespaces: BTreeMap<String, Labels>,
}

impl Stage {
    /// The stage of an installation that is planned with these settings, and where this is declared.
    pub fn new(settings: &Settings, followed: &Catalog) -> Self {
        let mut settings = Settings { fingerprint_key: [0; 32], ..settings.clone() };
        settings.guards.approved.clear();
        let policies =
            (followed.policies().cloned().collect(), followed.broken_policies().cloned().collect());
        let servers = followed.entries().filter_map(|entry| match &entry.resource {
            Resource::MailServer(server) => Some((entry.object(), server.spec.policies.clone())),
            _ => None,
        });
        let (neighbours, namespaces) = (Vec::new(), BTreeMap::new());
        Self { settings, policies, of_servers: servers.collect(), neighbours, namespaces }
    }

    /// The same among what the cluster declares.
    pub fn among(self, neighbours: Vec<Resource>, namespaces: BTreeMap<String, Labels>) -> Self {
        Self { neighbours, namespaces, ..self }
    }

    /// What the commit would change. An error is a sentence for its author.
    pub fn plan(&self, head: &Snapshot, observed: &Observed, now: DateTime<Utc>) -> Result<Plan, String> {
        too_many(head)?;
        let observed = blinded(observed.clone());
        let settings = Settings { now, ..self.settings.clone() };
        let mut head = head.clone();
        head.objects.iter_mut().for_each(|object| keep_policies(&self.of_servers, object));
        let mut feed = Feed::default();
        feed.take(&head, &settings.fingerprint_key);
        let (policies, broken) = self.policies.clone();
        feed.catalog.set_policies(policies, broken);
        feed.catalog.set_neighbours(self.neighbours.clone());
        for (name, labels) in &self.namespaces {
            feed.catalog.set_namespace(name, Some(labels.clone()));
        }
        Ok(plan(&feed.catalog, &observed, &settings))
    }
}

/// Says so when it is more than a preview plans.
pub(crate) fn too_many(head: &Snapshot) -> Result<(), String> {
    match head.objects.len() {
        count if count > MAX_OBJECTS => {
            Err(format!("it declares {count} objects, and a preview plans {MAX_OBJECTS} at most"))
        }
        _ => Ok(()),
    }
}

/// A MailServer keeps the policies that it has where it is followed: a change may not take away what it is judged by.
pub(crate) fn keep_policies(of_servers: &BTreeMap<ObjectRef, Vec<Policy>>, object: &mut Arc<Object>) {
    let Content::Resource(resource) = &object.content else { return };
    let Resource::MailServer(server) = resource.as_ref() else { return };
    let Some(policies) = of_servers.get(&resource.object_ref()) else { return };
    if server.spec.policies != *policies {
        let mut server = Arc::clone(server);
        Arc::make_mut(&mut server).spec.policies.clone_from(policies);
        Arc::make_mut(object).content = Content::Resource(Box::new(Resource::MailServer(server)));
    }
}

#[cfg(test)]
mod tests {
    use mailwright_plan::ProblemCode;

    use super::*;
    use crate::source::{Options, Source};

    const RULE: &str = "{name: small, expression: \"quantity(object.spec.quota) <= quantity('1Mi')\", message: too large, kinds: [Mailbox]}";

    fn snapshot(text: &str) -> Snapshot {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("mail.yaml"), text).unwrap();
        let mut source = Source::open(directory.path().to_str().unwrap(), Options::default()).unwrap();
        source.load().unwrap().unwrap()
    }

    fn manifests(policies: &str, quota: &str, password: &str) -> String {
        format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: MailServer\nmetadata: {{name: main}}\nspec: {{hostname: mail.example.test, policies: [{policies}]}}\n---\n\
             apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {{name: one}}\nspec: {{serverRef: {{name: main}}, domain: example.test}}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {{name: p}}\nstringData: {{password: {password}}}\n---\n\
             apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: alice}}\n\
             spec: {{address: alice@example.test, quota: {quota}, credentials: {{secretRef: {{name: p}}}}}}\n"
        )
    }

    fn stage(text: &str) -> Stage {
        let mut feed = Feed::default();
        feed.take(&snapshot(text), &[7; 32]);
        let mut settings = Settings { fingerprint_key: [7; 32], ..Settings::new("standalone", now()) };
        settings.guards.approved = vec!["0123456789abcdef".to_owned()];
        Stage::new(&settings, &feed.catalog)
    }

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn planned(base: &str, head: &str, observed: &Observed) -> Plan {
        stage(base).plan(&snapshot(head), observed, now()).unwrap()
    }

    /// A pull request that takes away the rule it breaks is judged by that rule.
    #[test]
    fn a_change_is_judged_by_the_policies_that_are_in_force() {
        for (base, head, denied) in [("", "", false), (RULE, RULE, true), (RULE, "", true), ("", RULE, false)]
        {
            let plan =
                planned(&manifests(base, "1Mi", "one"), &manifests(head, "5Gi", "one"), &Observed::default());
            let found = plan.problems.iter().any(|problem| problem.message.contains("too large"));
            assert_eq!(found, denied, "{base} {head}: {:?}", plan.problems);
            assert!(
                plan.problems.iter().all(|problem| problem.code != ProblemCode::Invalid),
                "{:?}",
                plan.problems
            );
        }
    }

    /// The live state knows the right password by the installation's key; a guess reads like any other.
    #[test]
    fn a_guess_is_not_answered() {
        let base = manifests("", "1Mi", "the-right-one");
        let settings = Settings { fingerprint_key: [7; 32], ..Settings::new("standalone", now()) };
        let mut feed = Feed::default();
        feed.take(&snapshot(&base), &settings.fingerprint_key);
        let first = plan(&feed.catalog, &Observed::default(), &settings);
        let live = mailwright_plan::simulate::apply(&Observed::default(), &first, now());
        let right = planned(&base, &base, &live);
        let wrong = planned(&base, &manifests("", "1Mi", "a-wrong-one"), &live);
        assert_eq!((right.operations.len(), &right.digest), (0, &wrong.digest));
        assert_eq!(right, wrong);
    }

    #[test]
    fn approvals_and_keys_stay_behind() {
        let stage = stage(&manifests("", "1Mi", "one"));
        assert!(stage.settings.guards.approved.is_empty());
        assert_eq!(stage.settings.fingerprint_key, [0; 32]);
    }
}
