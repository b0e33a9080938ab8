//! What is wrong with the objects of a revision before anybody sends them: what its files say wrongly, addresses declared
//! twice, policies that are not kept. Looked at once per revision, spec and what stands around.

use std::collections::BTreeSet;
use std::sync::Arc;

use mailwright_crds::{Kind, MailRepository, ObjectRef};
use mailwright_plan::policy::Policies;
use mailwright_plan::{Problem, ProblemCode, Settings, Severity, validate};

use super::decide::source_id;
use super::desired::{Claim, Desired};
use crate::feed::Feed;
use crate::kubernetes::repository::sink::Task;
use crate::kubernetes::shared::Shared;
use crate::kubernetes::world::Seen;

/// What is wrong with a revision, as it was last looked at.
#[derive(Debug, Default)]
pub struct Checked {
    of: Option<(String, Option<i64>)>,
    among: Vec<Arc<Seen>>,
    problems: Vec<Problem>,
}

impl Checked {
    /// What is wrong.
    pub fn problems(&mut self, task: &Task<'_>, shared: &Shared, desired: &[Desired]) -> Vec<Problem> {
        let of = (task.revision.snapshot.revision.clone(), task.repository.metadata.generation);
        let among = among(shared, desired);
        let same = |(one, other): (&Arc<Seen>, &Arc<Seen>)| one.declares_the_same(other);
        if self.of.as_ref() != Some(&of)
            || self.among.len() != among.len()
            || !self.among.iter().zip(&among).all(same)
        {
            self.problems = check(task, shared, desired, &among);
            (self.of, self.among) = (Some(of), among);
        }
        self.problems.clone()
    }
}

/// Servers and domains that stand elsewhere: policies may ask about them.
fn among(shared: &Shared, desired: &[Desired]) -> Vec<Arc<Seen>> {
    let is_around = |object: &ObjectRef| matches!(object.kind, Kind::MailServer | Kind::MailDomain);
    let declared: BTreeSet<&ObjectRef> =
        desired.iter().map(|desired| &desired.object).filter(|object| is_around(object)).collect();
    let world = shared.world();
    let around = world.objects().iter().filter(|(object, _)| is_around(object) && !declared.contains(object));
    around.map(|(_, seen)| Arc::clone(seen)).collect()
}

fn check(task: &Task<'_>, shared: &Shared, desired: &[Desired], among: &[Arc<Seen>]) -> Vec<Problem> {
    let mut feed = Feed::default();
    feed.take(&task.revision.snapshot, &[0; 32]);
    let declared: BTreeSet<&ObjectRef> = desired.iter().map(|desired| &desired.object).collect();
    for entry in among.iter().filter_map(|seen| seen.entry.as_ref().ok()) {
        feed.apply(entry.resource.clone());
    }
    let settings = Settings {
        policies: Policies::of_spec(&task.rules.policies),
        ..Settings::new(source_id(&Claim::of(task.object)), task.now)
    };
    let mut problems: Vec<Problem> = validate(&feed.catalog, &settings)
        .into_iter()
        .filter(|problem| counts(problem.code))
        .filter(|problem| problem.object.as_ref().is_none_or(|object| is_of(object, &declared, problem)))
        .collect();
    problems.extend(desired.iter().filter_map(|desired| unwatched(desired, shared, task.repository)));
    problems
}

/// What only the installation can judge, with everything that belongs to it, is judged there.
fn counts(code: ProblemCode) -> bool {
    matches!(
        code,
        ProblemCode::Invalid
            | ProblemCode::DuplicateObject
            | ProblemCode::Duplicate
            | ProblemCode::PolicyViolation
            | ProblemCode::PolicyInvalid
    )
}

/// What is wrong with the context is not this repository's.
fn is_of(object: &ObjectRef, declared: &BTreeSet<&ObjectRef>, problem: &Problem) -> bool {
    declared.contains(object) || problem.code == ProblemCode::Invalid
}

/// An object where the operator does not look.
fn unwatched(desired: &Desired, shared: &Shared, repository: &MailRepository) -> Option<Problem> {
    let watched = &shared.options.watch_namespaces;
    if watched.is_empty() || watched.contains(desired.object.namespace.as_str()) {
        return None;
    }
    let own = repository.metadata.namespace.as_deref().unwrap_or_default();
    Some(Problem {
        origin: Some(desired.origin.clone()),
        object: Some(desired.object.clone()),
        field: "metadata.namespace".to_owned(),
        code: ProblemCode::Invalid,
        severity: Severity::Error,
        message: format!("this operator does not watch namespace {}", desired.object.namespace),
        remedy: Some(format!("declare it in {own}, or add the namespace to watch.namespaces of the chart")),
    })
}
