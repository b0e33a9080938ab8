//! A followed repository straight into the account database of a MailServer, without an object in the API server for each account:
//! the pass of `mailwright up` with the rows of a source of its own, in the name of a ServiceAccount.
//!
//! Rows belong to `repository/<namespace>/<name>`, so the cluster's own objects and other repositories never fight with it: who was
//! first keeps an address, the other gets a conflict. What the cluster says counts more than what the repository says of itself:
//! its MailServer and the labels of namespaces are the cluster's, and Secrets are those of the repository alone. Keys, certificates
//! and what is pushed to the pod are the business of the MailServer's own worker ([`super::installation`]), which sees the rows.
//!
//! Leaves out fetching and statuses ([`crate::repository`]) and how the database is reached.

mod apart;
mod rights;
mod sink;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mailwright_crds::namespaces::Labels;
use mailwright_crds::{Kind, ObjectRef, Resource};
use mailwright_plan::approval::Given;
use mailwright_plan::{Catalog, Fence, Observed, Plan};

pub use apart::Apart;
pub use rights::{Account, Reviewer};
pub use sink::DatabaseSink;

use crate::Operator;
use crate::accounts::Accounts;
use crate::operator::{Absence, PassError, Work};
use crate::preview::Stage;
use crate::repository::{PlanRules, Revision};
use crate::source::{Content, Object, ObjectKind, Problem, Severity, Snapshot};

/// What the rows of a repository are managed by begins with this.
pub const SOURCE_PREFIX: &str = "repository/";

/// The source id of a repository's rows.
pub fn source_id(namespace: &str, name: &str) -> String {
    format!("{SOURCE_PREFIX}{namespace}/{name}")
}

/// What the cluster says, whatever a repository says of itself.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// The MailServer of the database and the MailDomains of the cluster: they say whom they allow.
    pub neighbours: Vec<Resource>,
    /// The labels of namespaces.
    pub namespaces: BTreeMap<String, Labels>,
}

/// A repository on its way into one account database.
#[derive(Debug)]
pub struct Database<A> {
    operator: Operator<Option<A>, Apart>,
    around: Around,
}

impl<A: Accounts> Database<A> {
    /// The sink of the MailRepository of this namespace and name, which has no way to a database yet. `fingerprint_key` is the
    /// installation's, so that a password which another source declared is known again.
    pub fn new(namespace: &str, name: &str, fingerprint_key: [u8; 32]) -> Self {
        let source = source_id(namespace, name);
        let platform = Apart::new(fingerprint_key);
        let mut operator = Operator::of_source(&source, None, platform, fingerprint_key);
        operator.act_as(&format!("mailrepository {namespace}/{name}"));
        Self { operator, around: Around::default() }
    }

    /// The way to the account database, and what every write carries there.
    pub fn reach(&mut self, accounts: A, fence: Option<Fence>) {
        self.operator.reach(Some(accounts), fence);
    }

    /// How plans are made and applied from now on.
    pub fn obey(&mut self, rules: PlanRules) {
        self.operator.obey(rules);
    }

    /// Approves the plans of these digests and no others.
    pub fn approve(&mut self, given: impl IntoIterator<Item = Given>) {
        self.operator.approve(given);
    }

    /// Takes in a revision. Approvals in its commits count when they are told ([`Self::approve`]): who follows it knows whether they
    /// have to be signed.
    pub fn take(&mut self, revision: &Revision) {
        self.operator.take(&without_the_clusters(&revision.snapshot));
        self.operator.take_commits([], true);
    }

    /// Takes in what the cluster says.
    pub fn live_among(&mut self, around: Around) {
        let catalog = &mut self.operator.feed().catalog;
        catalog.set_neighbours(around.neighbours.iter().cloned());
        for gone in self.around.namespaces.keys().filter(|name| !around.namespaces.contains_key(*name)) {
            catalog.set_namespace(gone, None);
        }
        for (name, labels) in &around.namespaces {
            catalog.set_namespace(name, Some(labels.clone()));
        }
        self.around = around;
    }

    /// What is declared.
    pub fn catalog(&self) -> &Catalog {
        self.operator.catalog()
    }

    /// What proposed changes are planned with, and the rows as the last pass left them; `None` before the first.
    pub fn stage(&self) -> Option<(Stage, Arc<Observed>)> {
        let observed = Arc::clone(self.operator.last_observed()?);
        let Around { neighbours, namespaces } = self.around.clone();
        Some((self.operator.stage().among(neighbours, namespaces), observed))
    }

    /// The change counter of the rows as the last pass left them; `None` before the first.
    pub fn change_counter(&self) -> Option<u64> {
        self.operator.last_observed().map(|observed| observed.change_counter)
    }

    /// What a pass would do, as far as it is allowed, without doing it.
    pub async fn plan(&self, now: DateTime<Utc>) -> Result<Plan, PassError> {
        self.operator.plan(now).await
    }

    /// One pass: observes, plans, asks `reviewer` what is allowed, applies.
    pub async fn work(&mut self, now: DateTime<Utc>, reviewer: &impl Absence) -> Result<Work, PassError> {
        self.operator.work(now, reviewer).await
    }
}

/// A snapshot without what is the cluster's to say: MailServers, of which somebody is told, and labels of namespaces.
fn without_the_clusters(snapshot: &Snapshot) -> Snapshot {
    let (ours, others): (Vec<_>, Vec<_>) =
        snapshot.objects.iter().cloned().partition(|object| is_ours(object));
    let mut problems = snapshot.problems.clone();
    let servers = others.iter().filter(|it| it.reference.kind == ObjectKind::Resource(Kind::MailServer));
    problems.extend(servers.map(|server| not_taken(server)));
    problems.sort();
    Snapshot { objects: ours, problems, ..snapshot.clone() }
}

fn is_ours(object: &Object) -> bool {
    match &object.content {
        Content::Resource(resource) => !matches!(**resource, Resource::MailServer(_)),
        Content::Namespace(_) => false,
        Content::Secret(_) | Content::Policy(_) | Content::PolicyTest(_) => true,
    }
}

fn not_taken(server: &Object) -> Problem {
    Problem {
        file: server.origin.file.to_string(),
        line: server.origin.line,
        column: 1,
        severity: Severity::Warning,
        field: String::new(),
        message: format!(
            "{} is not taken: with sink: Database the MailServer is the one in the cluster",
            server.reference
        ),
        remedy: Some("change that one with kubectl, and leave this one out of spec.path".to_owned()),
        sealed: false,
        object: Some(server.reference.clone()),
    }
}

/// The MailServer and the MailDomains among what the cluster declares.
pub fn neighbours<'a>(
    resources: impl IntoIterator<Item = &'a Resource>,
    server: &ObjectRef,
) -> Vec<Resource> {
    let says_whom_it_allows = |resource: &&Resource| match resource {
        Resource::MailServer(_) => resource.object_ref() == *server,
        Resource::MailDomain(_) => true,
        Resource::Mailbox(_) | Resource::Alias(_) => false,
    };
    resources.into_iter().filter(says_whom_it_allows).cloned().collect()
}

#[cfg(test)]
mod tests;
