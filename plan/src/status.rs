//! The statuses of all declared objects, from what was planned, what came of it and what runs.
//!
//! Pure and quiet: a status depends on nothing that ticks, and `lastTransitionTime` changes only with the status of its
//! condition, so what comes out equals what is kept unless something really changed.

mod alias;
mod domain;
mod judge;
mod mailbox;
mod progress;
mod server;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mailwright_crds::condition;
use mailwright_crds::mail_domain::{DkimStatus, DnsRecord};
use mailwright_crds::mail_server::{CertificateStatus, Endpoint};
use mailwright_crds::{Condition, ConditionStatus, ConditionType, Reason, Resource};
use serde::Deserialize;
use serde_json::Value;

use crate::catalog::{Catalog, Entry};
use crate::observed::Observed;
use crate::operation::{Outcome, Plan};
use crate::problem::Problem;
use crate::reference::{Kind, ObjectRef};
use judge::Judge;

/// What a status is made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What is declared.
    pub catalog: &'a Catalog,
    /// What was planned.
    pub plan: &'a Plan,
    /// What came of it; empty when nothing was applied.
    pub outcomes: &'a [Outcome],
    /// What runs, read after applying.
    pub observed: &'a Observed,
    /// What only the running installation knows.
    pub facts: &'a Facts,
    /// The time of new transitions.
    pub now: DateTime<Utc>,
}

/// What only the running installation knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Why the account database does not work; `None` when it does.
    pub database_problem: Option<DatabaseProblem>,
    /// The identity of the account database that the server is bound to, in a cluster.
    pub database_id: Option<String>,
    /// The certificate in use, or why there is none.
    pub certificate: CertificateFacts,
    /// The listeners in use.
    pub endpoints: Vec<Endpoint>,
    /// Why a listener could not be opened; `None` when all are open.
    pub listener_error: Option<String>,
    /// Why the running server does not have the declared settings yet; `None` when it has, or nobody can tell.
    pub configuration_pending: Option<String>,
    /// Records and keys by domain.
    pub domains: BTreeMap<String, DomainFacts>,
    /// Whether the pod runs; `None` without a cluster.
    pub workloads: Option<AspectFacts>,
    /// Whether the Service has an address; `None` without a cluster.
    pub address: Option<AspectFacts>,
    /// The addresses and host names of the Service.
    pub addresses: Vec<String>,
}

impl Facts {
    /// Whether the installation runs in a cluster: there it has a pod.
    pub fn in_cluster(&self) -> bool {
        self.workloads.is_some()
    }

    /// Why nothing can be said of the rows, if that is so.
    fn blind(&self) -> Option<&DatabaseProblem> {
        self.database_problem.as_ref().filter(|problem| !matches!(problem, DatabaseProblem::StorageFull(_)))
    }
}

/// What is known of one aspect of a server, as the condition will say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AspectFacts {
    /// Whether it is as it should be.
    pub ready: bool,
    /// Why.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
}

impl AspectFacts {
    fn aspect(&self) -> Aspect {
        Aspect::new(self.ready, self.reason, self.message.clone())
    }
}

/// Why an account database does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseProblem {
    /// It cannot be opened or migrated.
    Failed(String),
    /// It does not answer; it is asked again.
    Unreachable(String),
    /// It is another one than the one that the server is bound to.
    Replaced(String),
    /// Its volume is full.
    StorageFull(String),
}

impl DatabaseProblem {
    fn why(&self) -> &str {
        match self {
            Self::Failed(why) | Self::Unreachable(why) | Self::Replaced(why) | Self::StorageFull(why) => why,
        }
    }
}

/// What is known of a server's certificate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CertificateFacts {
    /// The certificate in use.
    pub certificate: Option<CertificateStatus>,
    /// Whether the server made it itself.
    pub self_signed: bool,
    /// Why the declared certificate is not in use.
    pub problem: Option<CertificateProblem>,
}

/// Why a declared certificate is not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateProblem {
    /// Its Secret, or a key in it, is missing.
    SecretMissing(String),
    /// It cannot be read, or key and certificate do not belong together.
    Unusable(String),
    /// cert-manager has not issued it yet.
    Pending(String),
    /// cert-manager is not installed.
    CertManagerMissing(String),
}

/// The records that a domain should have and the keys it has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DomainFacts {
    /// The records.
    pub records: Vec<DnsRecord>,
    /// The keys.
    pub dkim: Vec<DkimStatus>,
    /// Why the keys cannot be had, or the records are not where people look for them.
    pub problem: Option<String>,
}

/// The status of every declared object, and of removed ones whose removal is blocked, by kind and name.
///
/// `previous` are the statuses as they are kept.
pub fn compute(input: &Input<'_>, previous: &BTreeMap<ObjectRef, Value>) -> Vec<(ObjectRef, Value)> {
    let mut statuses: BTreeMap<ObjectRef, Value> = BTreeMap::new();
    each(
        input,
        |object| previous.get(object).cloned(),
        |object, _, status| drop(statuses.insert(object, status)),
    );
    statuses.into_iter().collect()
}

/// The same one by one, for those who could not hold all of them: each is told with the status that is kept, for which
/// `previous` is asked.
pub fn each(
    input: &Input<'_>,
    previous: impl Fn(&ObjectRef) -> Option<Value>,
    mut tell: impl FnMut(ObjectRef, Option<Value>, Value),
) {
    let statuses = Statuses::new(input);
    statuses.subjects(None, |subject| {
        let kept = previous(&subject.object);
        let status = statuses.of(&subject, kept.as_ref());
        tell(subject.object, kept, status);
    });
}

/// Tells the status of any object that has one.
pub struct Statuses<'a> {
    judge: Judge<'a>,
}

/// An object that has a status, and why.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// Which.
    pub object: ObjectRef,
    /// Where it is declared, if it is and can be understood.
    pub entry: Option<&'a Entry>,
    state: State<'a>,
}

#[derive(Debug, Clone)]
enum State<'a> {
    Declared,
    Blocked(&'a Problem),
    Broken,
    Kept(&'a str),
}

impl<'a> Statuses<'a> {
    /// Of this input.
    pub fn new(input: &'a Input<'a>) -> Self {
        Self { judge: Judge::new(input) }
    }

    /// Every object that has a status, once: what is declared, removed ones whose removal is blocked, and what cannot be understood. With
    /// a `scope` only those in it.
    pub fn subjects(&self, scope: Option<&BTreeSet<ObjectRef>>, mut tell: impl FnMut(Subject<'a>)) {
        let input = self.judge.input;
        let mut told = BTreeSet::new();
        let mut one = |object: &ObjectRef, entry: Option<&'a Entry>, state: State<'a>| {
            if scope.is_none_or(|scope| scope.contains(object)) && told.insert(object.clone()) {
                tell(Subject { object: object.clone(), entry, state });
            }
        };
        input.catalog.scoped(scope, |entry| one(&entry.object(), Some(entry), State::Declared));
        for (object, problem) in self.judge.blocked() {
            one(object, None, State::Blocked(problem));
        }
        for object in input.catalog.broken_objects().keys() {
            one(object, None, State::Broken);
        }
        for kept in &input.plan.kept {
            one(&kept.object, None, State::Kept(&kept.reason));
        }
    }

    /// The status of one of them, given the one that is kept.
    pub fn of(&self, subject: &Subject<'_>, previous: Option<&Value>) -> Value {
        let now = self.judge.input.now;
        match (&subject.state, subject.entry) {
            (State::Declared, Some(entry)) => of_entry(&self.judge, entry, previous),
            (State::Blocked(problem), _) => domain::blocked(problem, previous, now),
            (State::Kept(reason), _) => {
                let message = format!("{reason}; the last good state stays in force");
                not_understood(Aspect::new(false, Reason::SourceBroken, message), previous, now)
            }
            (State::Broken | State::Declared, _) => {
                not_understood(self.judge.broken(&subject.object), previous, now)
            }
        }
    }
}

/// The statuses of objects that belong to no installation, by what `assign` says of them ([`crate::partition`]).
pub fn unassigned(
    catalog: &Catalog,
    problems: &[Problem],
    previous: &BTreeMap<ObjectRef, Value>,
    now: DateTime<Utc>,
) -> Vec<(ObjectRef, Value)> {
    let plan = Plan { problems: problems.to_vec(), ..Plan::default() };
    let (observed, facts) = (Observed::default(), Facts::default());
    compute(&Input { catalog, plan: &plan, outcomes: &[], observed: &observed, facts: &facts, now }, previous)
}

fn of_entry(judge: &Judge<'_>, entry: &Entry, previous: Option<&Value>) -> Value {
    // Rows that cannot be read say nothing, least of all that they are gone.
    let blind = judge.input.facts.blind().filter(|_| entry.resource.kind() != Kind::MailServer);
    if let Some(problem) = blind {
        return unseen(problem, entry, previous, judge.input.now);
    }
    match &entry.resource {
        Resource::MailServer(server) => server::status(judge, entry, server, previous),
        Resource::MailDomain(resource) => domain::status(judge, entry, resource, previous),
        Resource::Mailbox(mailbox) => mailbox::status(judge, entry, mailbox, previous),
        Resource::Alias(resource) => alias::status(judge, entry, resource, previous),
    }
}

/// An object whose row cannot be seen keeps its status; one that changed meanwhile waits.
fn unseen(problem: &DatabaseProblem, entry: &Entry, previous: Option<&Value>, now: DateTime<Utc>) -> Value {
    let generation = entry.generation();
    let observed = previous.and_then(|status| status.get("observedGeneration")?.as_i64());
    match previous {
        Some(status) if observed.is_some() && observed == generation => status.clone(),
        _ => {
            let message = format!("it is applied when the account database is back: {}", problem.why());
            not_understood(Aspect::new(false, Reason::DatabaseUnreachable, message), previous, now)
        }
    }
}

/// An object whose declaration cannot be understood keeps its status; only `Ready` says so.
fn not_understood(ready: Aspect, previous: Option<&Value>, now: DateTime<Utc>) -> Value {
    let mut status = previous.cloned().unwrap_or_else(|| serde_json::json!({"observedGeneration": -1}));
    let mut conditions = conditions_of(Some(&status));
    let generation = condition::find(&conditions, ConditionType::Ready).and_then(|it| it.observed_generation);
    conditions.retain(|it| it.type_ != ConditionType::Reconciling && it.type_ != ConditionType::Stalled);
    let kept = conditions_of(Some(&status));
    let progress = progress::of(&ready);
    for (type_, aspect) in [(ConditionType::Ready, ready)].into_iter().chain(progress) {
        conditions.extend(condition::find(&kept, type_).filter(|_| type_ != ConditionType::Ready).cloned());
        let condition = Condition::new(type_, aspect.status, aspect.reason, aspect.message, now);
        condition::set(&mut conditions, condition.observed(generation));
    }
    status["conditions"] = serde_json::json!(conditions);
    status
}

/// What an aspect of an object is like.
#[derive(Debug, Clone)]
pub(crate) struct Aspect {
    pub(crate) status: ConditionStatus,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

impl Aspect {
    pub(crate) fn new(
        status: impl Into<ConditionStatus>,
        reason: Reason,
        message: impl Into<String>,
    ) -> Self {
        Self { status: status.into(), reason, message: message.into() }
    }

    pub(crate) fn holds(&self) -> bool {
        self.status == ConditionStatus::True
    }
}

/// What every status carries.
struct Common {
    observed_generation: i64,
    conditions: Vec<Condition>,
    last_handled_reconcile_at: Option<String>,
}

/// Brings the conditions up to date: those given replace those of their type, all others go.
fn common(
    judge: &Judge<'_>,
    entry: &Entry,
    previous: Option<&Value>,
    aspects: Vec<(ConditionType, Aspect)>,
) -> Common {
    let generation = entry.generation();
    let kept = conditions_of(previous);
    let mut conditions = Vec::new();
    let ready = aspects.iter().find(|(type_, _)| *type_ == ConditionType::Ready);
    let progress = ready.and_then(|(_, ready)| progress::of(ready));
    for (type_, aspect) in aspects.into_iter().chain(progress) {
        conditions.extend(condition::find(&kept, type_).cloned());
        let condition = Condition::new(type_, aspect.status, aspect.reason, aspect.message, judge.input.now);
        condition::set(&mut conditions, condition.observed(generation));
    }
    Common {
        observed_generation: generation.unwrap_or(1),
        conditions,
        last_handled_reconcile_at: entry.resource.requested_at().map(str::to_owned),
    }
}

/// The conditions of a kept status; what cannot be read is observed anew.
fn conditions_of(status: Option<&Value>) -> Vec<Condition> {
    let list = status.and_then(|status| status.get("conditions")?.as_array());
    list.into_iter().flatten().filter_map(|value| Condition::deserialize(value).ok()).collect()
}
