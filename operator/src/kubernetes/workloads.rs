//! The children of one MailServer within its installation: asks for what they should be, has them made so, and remembers how
//! they are. What they should be is [`crate::workload`]'s, making them so is [`super::children`]'s.

use chrono::{DateTime, Utc};
use mailwright_crds::MailServer;
use mailwright_plan::observed::ServerDeclared;
use mailwright_plan::partition::ServerKey;

use super::children::awaited::Awaited;
use super::children::facts::{self, WorkloadFacts};
use super::children::failure;
use super::children::look::{self, Seen};
use super::children::{Children, Live, Owner, Problem};
use super::shared::Shared;
use crate::workload::{self, Child, ChildKind, WorkloadInput, config_map, names};

/// The children of a MailServer.
pub struct Workloads {
    owner: Owner,
    children: Children,
    facts: Option<WorkloadFacts>,
    /// The digest of the settings that the pod is to load; `None` while nothing is written for it.
    configuration: Option<String>,
    awaited: Awaited,
    is_settled: bool,
    requested_at: Option<String>,
    generation: Option<i64>,
}

impl Workloads {
    /// Of a MailServer of which nothing is known yet.
    pub fn new(shared: &Shared, key: &ServerKey, uid: &str) -> Workloads {
        let owner = Owner { namespace: key.namespace.clone(), name: key.name.clone(), uid: uid.to_owned() };
        Workloads {
            children: Children::new(shared.client.clone(), owner.clone()),
            owner,
            facts: None,
            configuration: None,
            awaited: Awaited::default(),
            is_settled: false,
            requested_at: None,
            generation: None,
        }
    }

    /// Makes them what they should be, unless they are to be left alone, and looks how they are.
    pub async fn tend(
        &mut self,
        shared: &Shared,
        server: &MailServer,
        declared: &ServerDeclared,
        is_suspended: bool,
        now: DateTime<Utc>,
    ) {
        let desired = self.desired(shared, server, declared);
        let is_public = desired.as_ref().is_ok_and(|desired| {
            let public = names::public_service(&self.owner.name);
            desired.iter().any(|child| child.kind == ChildKind::Service && child.name == public)
        });
        let mut live = self.live(shared);
        let (mut problems, mut again) = (Vec::<Problem>::new(), false);
        self.configuration = None;
        if !is_suspended && shared.is_leading() {
            self.forget_refusals(server);
            match desired {
                Err(impossible) => problems = vec![impossible],
                Ok(desired) => {
                    self.configuration = Some(config_map::digest(declared));
                    let mut report = self.children.apply(&desired, &live).await;
                    again = report.transient() || report.refused() || report.written > 0;
                    again |= !report.found.is_empty();
                    problems = std::mem::take(&mut report.problems);
                    live = report.over(self.live(shared));
                }
            }
        }
        let seen = match look::look(&shared.client, &self.owner, &live, &mut self.awaited, now).await {
            Ok(seen) => Seen { is_public, ..seen },
            Err(error) => {
                tracing::debug!(server = %server_name(&self.owner), %error, "the children cannot be looked at now");
                self.is_settled = false;
                if self.facts.is_none() {
                    self.facts = Some(facts::facts(&Seen::default(), &problems));
                }
                return;
            }
        };
        let facts = facts::facts(&seen, &problems);
        self.is_settled = !again && facts.workloads.ready;
        self.facts = Some(facts);
    }

    /// What they should be, or why they cannot be.
    fn desired(
        &self,
        shared: &Shared,
        server: &MailServer,
        declared: &ServerDeclared,
    ) -> Result<Vec<Child>, Problem> {
        let input = WorkloadInput {
            namespace: &self.owner.namespace,
            name: &self.owner.name,
            uid: &self.owner.uid,
            spec: &server.spec,
            declared,
            operator: &shared.place,
        };
        match workload::refusal(&input) {
            None => Ok(workload::children(&input)),
            Some(why) => Err(failure::impossible(&self.owner.name, why)),
        }
    }

    /// How they were when they were last looked at.
    pub fn facts(&self) -> Option<&WorkloadFacts> {
        self.facts.as_ref()
    }

    /// The digest of the settings that the pod is to load; `None` while its children are left alone.
    pub fn configuration(&self) -> Option<&str> {
        self.configuration.as_deref()
    }

    /// Whether nothing of them waits for anything that no watch tells, and that is to be asked about now.
    pub fn is_settled(&self, now: DateTime<Utc>) -> bool {
        let addressed = self.facts.as_ref().is_some_and(|facts| facts.address.ready);
        self.is_settled && (addressed || self.awaited.is_patient(now))
    }

    fn live(&self, shared: &Shared) -> Vec<Live> {
        let children = shared.world().children_of(&server_name(&self.owner));
        let live = |number: usize| ChildKind::ALL.get(number).copied();
        children.iter().filter_map(|(number, object)| Some(Live::of(live(*number)?, object))).collect()
    }

    /// Somebody changed the MailServer or asks for another try.
    fn forget_refusals(&mut self, server: &MailServer) {
        let annotations = server.metadata.annotations.as_ref();
        let requested = annotations
            .and_then(|all| all.get(mailwright_crds::well_known::REQUESTED_AT_ANNOTATION))
            .cloned();
        if self.requested_at != requested || self.generation != server.metadata.generation {
            self.children.try_anew();
            self.requested_at = requested;
            self.generation = server.metadata.generation;
        }
    }
}

fn server_name(owner: &Owner) -> String {
    format!("{}/{}", owner.namespace, owner.name)
}
