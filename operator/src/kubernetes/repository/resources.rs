//! The sink that writes objects of the cluster: what a revision declares is compared with what the watches saw, and the difference
//! is applied in the name of the MailRepository's ServiceAccount. What is in the cluster as declared costs no request.

mod apply;
mod checked;
mod decide;
mod desired;
mod proposed;
mod tried;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use kube_client::Api;
use kube_core::DynamicObject;
use mailwright_crds::{ConditionType, ObjectRef, Reason};
use mailwright_plan::{Operation, Outcome, Problem, ProblemCode, Severity, Verdict};

use self::apply::{Hand, Refusal};
use self::checked::Checked;
use self::decide::{Decision, Facts, Owned, Step, Unread, decide};
use self::desired::{Claim, Desired};
use self::proposed::Objects;
use self::tried::Tried;
use super::previews::Ground;
use super::sink::{Sink, Task, Worked, account};
use crate::kubernetes::client::impersonating;
use crate::kubernetes::shared::Shared;
use crate::kubernetes::status::{CONCURRENCY, PATIENCE, api_resource};
use crate::kubernetes::world::Seen;
use crate::operator::Gate;
use crate::repository::Trouble;

pub use decide::source_id;

/// Writes the objects of one MailRepository.
pub struct Resources {
    shared: Arc<Shared>,
    checked: Checked,
    tried: Tried,
}

/// Steps that are sent before what came of them is looked at: a ServiceAccount without rights is not asked about 10,000 times.
const PART: usize = 64;

/// The objects that one pass is about, as the watches saw them.
type Live = BTreeMap<ObjectRef, Arc<Seen>>;

impl Resources {
    /// A sink that has written nothing yet.
    pub fn new(shared: Arc<Shared>) -> Resources {
        Resources { shared, checked: Checked::default(), tried: Tried::default() }
    }

    /// What the watches saw of the objects that are declared or claimed.
    fn live(&self, claim: &Claim, desired: &[Desired]) -> Result<Live, Trouble> {
        let world = self.shared.world();
        if !world.is_complete() || !world.knows_all_kinds() {
            let message = "the objects of the cluster are not all known at the moment; it is tried again";
            let trouble = Trouble::lasting(ConditionType::Ready, Reason::ApplyFailed, message);
            return Err(Trouble { temporary: true, ..trouble });
        }
        let claimed = |seen: &Seen| {
            let labels = seen.metadata().labels.as_ref();
            labels.and_then(Claim::in_labels).as_ref() == Some(claim)
        };
        let mut live: Live = world
            .objects()
            .iter()
            .filter(|(_, seen)| claimed(seen))
            .map(|(object, seen)| (object.clone(), Arc::clone(seen)))
            .collect();
        for desired in desired {
            if let Some(seen) = world.objects().get(&desired.object) {
                live.insert(desired.object.clone(), Arc::clone(seen));
            }
        }
        Ok(live)
    }

    /// What a revision declares, and what there is to do about it.
    fn decide(&mut self, task: &Task<'_>, claim: &Claim) -> Result<(Vec<Desired>, Decision), Trouble> {
        let desired = desired::desired(&task.revision.snapshot);
        let live = self.live(claim, &desired)?;
        let problems = self.checked.problems(task, &self.shared, &desired);
        let approved: Vec<String> = task.approvals.iter().map(|given| given.digest.clone()).collect();
        let unread = Unread::of(&task.revision.snapshot);
        let decision = decide(Facts {
            claim,
            desired: &desired,
            problems: &problems,
            unread: &unread,
            live: &live,
            rules: task.rules,
            approved: &approved,
        });
        Ok((desired, decision))
    }

    /// Leaves out removals of what turns out to be gone, or not to be this repository's any more, and of what goes on as an object that
    /// turns out not to be there: a cache is not believed.
    async fn verify(&self, decision: &mut Decision, claim: &Claim) {
        let questions = decision.questions();
        let answers = futures::stream::iter(questions).map(|object| async move {
            let answer = self.owned(&object, claim).await;
            (object, answer)
        });
        let answers: BTreeMap<ObjectRef, Option<Owned>> =
            answers.buffer_unordered(CONCURRENCY).collect().await;
        decision.believe(&answers);
    }

    /// Whether an object is there and this repository's, as the API server says; `None` when it does not say.
    async fn owned(&self, object: &ObjectRef, claim: &Claim) -> Option<Owned> {
        let client = self.shared.client.clone();
        let api: Api<DynamicObject> =
            Api::namespaced_with(client, &object.namespace, &api_resource(object.kind));
        let found = tokio::time::timeout(PATIENCE, api.get_opt(&object.name)).await.ok()?.ok()?;
        let ours = found.filter(|found| {
            let labels = found.metadata.labels.as_ref();
            labels.and_then(Claim::in_labels).as_ref() == Some(claim)
        });
        Some(Owned { uid: ours.and_then(|found| found.metadata.uid) })
    }

    /// Applies what is not held, what others depend on first.
    async fn apply(&mut self, pass: &Pass<'_>, decision: &Decision) -> Vec<(Outcome, Option<Refusal>)> {
        let mut done: Vec<(Outcome, Option<Refusal>)> = Vec::new();
        let operations = &decision.plan.operations;
        let free: Vec<usize> = (0..operations.len()).filter(|at| operations[*at].held.is_none()).collect();
        // Of one kind and direction at a time: a Mailbox may be judged by policies that look at its MailDomain.
        let stages = free.chunk_by(|one, two| stage(&operations[*one]) == stage(&operations[*two]));
        for part in stages.flat_map(|stage| stage.chunks(PART)) {
            let (shared, tried) = (&self.shared, &self.tried);
            let missing: BTreeSet<ObjectRef> = done
                .iter()
                .filter(|(_, refusal)| refusal.is_some())
                .map(|(outcome, _)| outcome.object.clone())
                .collect();
            let missing = &missing;
            let sent = futures::stream::iter(part.to_vec())
                .map(|at| async move { (at, pass.one(shared, tried, decision, missing, at).await) })
                .buffer_unordered(CONCURRENCY);
            let sent: Vec<(usize, Result<(), Refusal>)> = sent.collect().await;
            for (at, result) in sent {
                let operation = &operations[at];
                if !pass.hand.is_dry() {
                    self.tried.note(operation, result.as_ref().err(), pass.task.now);
                }
                let refusal = result.err();
                let verdict = refusal.as_ref().map_or(Verdict::Applied, |refusal| Verdict::Failed {
                    reason: refusal.reason,
                    message: refusal.message.clone(),
                });
                done.push((Outcome::of(operation, verdict), refusal));
            }
        }
        done
    }

    /// With `failurePolicy: Atomic` everything is tried first without being written; what is refused then is as good as broken.
    async fn rehearse(&mut self, pass: &Pass<'_>, decision: &mut Decision) -> bool {
        let rehearsal = Pass { hand: pass.hand.clone().dry(), ..*pass };
        let refused = self.apply(&rehearsal, decision).await;
        let mut again = false;
        for (outcome, refusal) in refused {
            let Some(refusal) = refusal else { continue };
            again |= refusal.temporary;
            let operation = decision.plan.operations.iter().find(|it| it.object == outcome.object);
            decision.plan.problems.push(Problem {
                origin: operation.and_then(|operation| operation.origin.clone()),
                object: Some(outcome.object),
                field: String::new(),
                code: ProblemCode::Invalid,
                severity: Severity::Error,
                message: refusal.message,
                remedy: None,
            });
        }
        decision.plan.problems.sort();
        again
    }
}

/// What the steps of one pass have in common.
struct Pass<'a> {
    task: Task<'a>,
    claim: &'a Claim,
    desired: &'a [Desired],
    hand: Hand,
}

impl Pass<'_> {
    async fn one(
        &self,
        shared: &Shared,
        tried: &Tried,
        decision: &Decision,
        missing: &BTreeSet<ObjectRef>,
        at: usize,
    ) -> Result<(), Refusal> {
        let (Some(operation), Some(step)) = (decision.plan.operations.get(at), decision.steps.get(at)) else {
            return Ok(());
        };
        if !shared.is_leading() {
            return Err(Refusal::deposed());
        }
        if let Some(before) = tried.refusal(operation, self.task.now) {
            return Err(before);
        }
        match step {
            Step::Delete { .. } if decision.unsure.contains(&operation.object) => Err(Refusal::unsure()),
            Step::Delete { heir: Some(heir), .. } if missing.contains(heir) => Err(Refusal::needed(heir)),
            Step::Delete { uid, .. } => self.hand.delete(&operation.object, uid).await,
            Step::Write { desired, uid } => {
                let Some(desired) = self.desired.get(*desired) else { return Ok(()) };
                let revision = &self.task.revision.snapshot.revision;
                let written = self.hand.write(desired, self.claim, revision, uid.as_deref()).await?;
                if self.hand.is_dry() {
                    return Ok(());
                }
                let seen = Seen::new(operation.object.kind, written.clone());
                shared.answered(operation.object.kind, written);
                match decide::differences(desired, &seen).first() {
                    None => Ok(()),
                    Some(change) => Err(Refusal::insisted(&change.field)),
                }
            }
        }
    }
}

impl Sink for Resources {
    async fn work(&mut self, task: Task<'_>) -> Worked {
        let claim = Claim::of(task.object);
        let account = match account(&self.shared, &task) {
            Ok(account) => account,
            Err(trouble) => return Worked::nothing(trouble),
        };
        let (desired, mut decision) = match self.decide(&task, &claim) {
            Ok(decided) => decided,
            Err(trouble) => return Worked::nothing(trouble),
        };
        let objects = decision.owned;
        self.tried.retain(&decision.plan, task.repository);
        let nothing =
            |decision: Decision, again| Worked { plan: decision.plan, objects, again, ..Worked::default() };
        if !task.rules.gate.lets_through(&decision.plan) {
            return nothing(decision, false);
        }
        self.verify(&mut decision, &claim).await;
        let namespace = &task.object.namespace;
        let Some(client) = impersonating(&self.shared.client, namespace, &account) else {
            let trouble = Trouble::lasting(
                ConditionType::Ready,
                Reason::AccessDenied,
                format!("{account:?} is no name of a ServiceAccount"),
            );
            return Worked::nothing(trouble);
        };
        let hand = Hand::new(client, format!("{namespace}/{account}"));
        let pass = Pass { task, claim: &claim, desired: &desired, hand };
        if task.rules.gate == Gate::Whole {
            let again = self.rehearse(&pass, &mut decision).await;
            if !task.rules.gate.lets_through(&decision.plan) {
                return nothing(decision, again);
            }
        }
        let done = self.apply(&pass, &decision).await;
        conclude(decision, done)
    }

    fn ground(&self, task: &Task<'_>) -> Option<Ground> {
        Some(Arc::new(Objects::new(&self.shared, task)))
    }
}

/// What came of a pass.
fn conclude(decision: Decision, done: Vec<(Outcome, Option<Refusal>)>) -> Worked {
    let refusals: Vec<&Refusal> = done.iter().filter_map(|(_, refusal)| refusal.as_ref()).collect();
    let again = refusals.iter().any(|refusal| refusal.temporary);
    if let Some(first) = refusals.first().filter(|_| refusals.len() == done.len())
        && refusals.iter().all(|refusal| refusal.forbidden)
    {
        return Worked::nothing(Trouble::lasting(ConditionType::Ready, Reason::AccessDenied, &first.message));
    }
    let count = |which: &dyn Fn(&Outcome) -> bool| {
        done.iter().filter(|(outcome, _)| outcome.verdict == Verdict::Applied && which(outcome)).count()
    };
    use mailwright_plan::Action::{Adopt, Create, Delete};
    let come = count(&|outcome| matches!(outcome.action, Create | Adopt));
    let objects = (decision.owned + come).saturating_sub(count(&|outcome| outcome.action == Delete));
    let outcomes = done.into_iter().map(|(outcome, _)| outcome).collect();
    Worked { plan: decision.plan, outcomes, objects, trouble: None, again }
}

/// Operations that may be sent side by side.
fn stage(operation: &Operation) -> (bool, mailwright_crds::Kind) {
    (operation.action == mailwright_plan::Action::Delete, operation.object.kind)
}
