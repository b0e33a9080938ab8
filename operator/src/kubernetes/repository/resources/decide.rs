//! What is to be done at the API server: desired objects, the live ones and the rules make a plan and its steps. Pure.
//!
//! Only what carries this repository's labels is removed, and only when nothing that is broken could have declared it. An object
//! that another repository claims is not touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mailwright_crds::well_known::SOURCE_DIGEST_ANNOTATION;
use mailwright_crds::{Kind, ObjectMeta, ObjectRef, Resource, Text};
use mailwright_plan::approval::{self, Approval, Standing};
use mailwright_plan::settings::DriftPolicy;
use mailwright_plan::{
    Action, Change, FieldChange, Guard, Kept, Operation, Plan, Problem, ProblemCode, Risk, Severity,
    digest_of, field_changes,
};
use serde_json::Value;

use super::desired::{Claim, Desired, spec, subject};
use crate::kubernetes::world::Seen;
use crate::repository::PlanRules;
use crate::source::{self, Snapshot};

/// What is decided on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Whose objects they are.
    pub claim: &'a Claim,
    /// What the revision declares.
    pub desired: &'a [Desired],
    /// What is wrong with it; an object with an error stays as it is.
    pub problems: &'a [Problem],
    /// What the revision may declare without being readable.
    pub unread: &'a Unread,
    /// The objects of the cluster.
    pub live: &'a BTreeMap<ObjectRef, Arc<Seen>>,
    /// How the plan is made.
    pub rules: &'a PlanRules,
    /// Digests that somebody approved.
    pub approved: &'a [String],
}

/// What is done for the operation of the same place in the plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Writes what is declared at this place.
    Write {
        /// The place in the desired objects.
        desired: usize,
        /// The UID of the object that is changed; `None` when it is made.
        uid: Option<String>,
    },
    /// Removes the object of this UID.
    Delete {
        /// Its UID.
        uid: String,
        /// The object of another name that declares the same address now: it is one account, and the old object goes only when
        /// the new one is there.
        heir: Option<ObjectRef>,
    },
}

/// A plan, and a step for each of its operations.
#[derive(Debug, Default)]
pub struct Decision {
    /// The plan, in the order of applying.
    pub plan: Plan,
    /// The steps.
    pub steps: Vec<Step>,
    /// How many live objects belong to the repository.
    pub owned: usize,
    /// Objects that are to be removed, and of which it is not known whether they may be.
    pub unsure: BTreeSet<ObjectRef>,
}

/// What the API server says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The UID of the one that carries this repository's labels; `None` when there is none.
    pub uid: Option<String>,
}

impl Decision {
    /// The objects that have to be asked about before something is removed: those that are removed, and those that their addresses go
    /// on as without being written now.
    pub fn questions(&self) -> BTreeSet<ObjectRef> {
        let free = || self.plan.operations.iter().zip(&self.steps).filter(|(it, _)| it.held.is_none());
        let writes = free().filter(|(_, step)| matches!(step, Step::Write { .. }));
        let written: BTreeSet<&ObjectRef> = writes.map(|(operation, _)| &operation.object).collect();
        let mut questions = BTreeSet::new();
        for (operation, step) in free() {
            let Step::Delete { heir, .. } = step else { continue };
            questions.insert(operation.object.clone());
            questions.extend(heir.clone().filter(|heir| !written.contains(heir)));
        }
        questions
    }

    /// Leaves out the removals that the answers do not allow. Not knowing is no, but is told; what is known to be gone belongs to nobody.
    pub fn believe(&mut self, answers: &BTreeMap<ObjectRef, Option<Owned>>) {
        let uid = |object: &ObjectRef| answers.get(object)?.as_ref()?.uid.as_deref();
        let is_gone = |object: &ObjectRef| matches!(answers.get(object), Some(Some(Owned { uid: None })));
        let removed = self.plan.operations.iter().zip(&self.steps);
        let removed = removed.filter(|(it, step)| it.held.is_none() && matches!(step, Step::Delete { .. }));
        let gone = removed.filter(|(operation, _)| is_gone(&operation.object)).count();
        self.owned = self.owned.saturating_sub(gone);
        let is_unsure = |object: &ObjectRef| matches!(answers.get(object), Some(None));
        let mut unsure = BTreeSet::new();
        let mut stands = |operation: &Operation, step: &Step| match step {
            Step::Write { .. } => true,
            Step::Delete { .. } if operation.held.is_some() => true,
            Step::Delete { uid: seen, heir } => {
                let heir_stands =
                    heir.as_ref().is_none_or(|heir| !answers.contains_key(heir) || uid(heir).is_some());
                if is_unsure(&operation.object) || heir.as_ref().is_some_and(is_unsure) {
                    return unsure.insert(operation.object.clone());
                }
                uid(&operation.object) == Some(seen.as_str()) && heir_stands
            }
        };
        let operations = std::mem::take(&mut self.plan.operations);
        let both = operations.into_iter().zip(std::mem::take(&mut self.steps));
        (self.plan.operations, self.steps) = both.filter(|(operation, step)| stands(operation, step)).unzip();
        self.unsure = unsure;
    }
}

/// What the revision may declare without being readable: absent is not gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// Objects that are declared but wrong.
    objects: BTreeSet<ObjectRef>,
    /// The texts of files with documents of unknown identity.
    texts: Vec<String>,
    /// Such a file could not even be read as text.
    everything: bool,
    /// Nothing at all is declared.
    empty: bool,
}

impl Unread {
    /// What of a revision cannot be read.
    pub fn of(snapshot: &Snapshot) -> Unread {
        let broken = snapshot.broken_objects.iter().filter_map(|broken| broken.reference.resource());
        let is_resource = |object: &Arc<source::Object>| object.reference.resource().is_some();
        Unread {
            objects: broken.collect(),
            texts: snapshot.broken_files.iter().filter_map(|file| file.text.clone()).collect(),
            everything: snapshot.broken_files.iter().any(|file| file.text.is_none()),
            empty: !snapshot.objects.iter().any(is_resource),
        }
    }

    /// Whether it may declare this object.
    fn may_declare(&self, object: &ObjectRef, subject: &str) -> bool {
        let named = |text: &String| text.contains(object.name.as_str()) || text.contains(subject);
        self.everything || self.objects.contains(object) || self.texts.iter().any(named)
    }
}

/// Plans.
pub fn decide(facts: Facts<'_>) -> Decision {
    let mut draft = Draft::default();
    let wrong: BTreeSet<&ObjectRef> =
        facts.problems.iter().filter(|it| it.is_error()).filter_map(|it| it.object.as_ref()).collect();
    let mut declared = BTreeSet::new();
    for (place, desired) in facts.desired.iter().enumerate() {
        declared.insert(&desired.object);
        let wanted = !wrong.contains(&desired.object)
            && draft.want(facts.claim, place, desired, facts.live.get(&desired.object));
        let known = draft.heirs.entry((desired.object.kind, desired.subject.as_str()));
        let heir = known.or_insert(Heir { object: &desired.object, wanted });
        if wanted && !heir.wanted {
            *heir = Heir { object: &desired.object, wanted };
        }
    }
    let mut owned = 0;
    for (object, seen) in facts.live {
        if claim_of(seen.metadata()).as_ref() != Some(facts.claim) || seen.is_terminating() {
            continue;
        }
        owned += 1;
        if !declared.contains(object) {
            draft.unwanted(object, seen, facts);
        }
    }
    draft.problems.extend(facts.problems.iter().cloned());
    draft.finish(facts, owned)
}

/// Who declares an address now.
struct Heir<'a> {
    object: &'a ObjectRef,
    /// It is there as declared, or is written.
    wanted: bool,
}

#[derive(Default)]
struct Draft<'a> {
    ordered: Vec<(Operation, Step)>,
    problems: Vec<Problem>,
    kept: Vec<Kept>,
    /// By kind and address.
    heirs: BTreeMap<(Kind, &'a str), Heir<'a>>,
}

impl Draft<'_> {
    /// What is declared, and is to be there. Whether it is, or will be.
    fn want(&mut self, claim: &Claim, place: usize, desired: &Desired, live: Option<&Arc<Seen>>) -> bool {
        let write = |uid: Option<&str>| Step::Write { desired: place, uid: uid.map(str::to_owned) };
        let Some(seen) = live else {
            let operation = operation(Action::Create, desired, Vec::new(), false);
            self.ordered.push((operation, write(None)));
            return true;
        };
        if seen.is_terminating() {
            let message = "it is being deleted, and is made anew when it is gone";
            self.problems.push(problem(desired, Severity::Warning, message, None));
            return false;
        }
        let owner = claim_of(seen.metadata());
        if let Some(other) = owner.as_ref().filter(|owner| *owner != claim) {
            let message = format!("it belongs to MailRepository {}/{}", other.namespace, other.name);
            let remedy = "declare it in one repository only; to take it over, remove the labels mailwright.dev/repository and \
                          mailwright.dev/repository-namespace from the object";
            self.problems.push(problem(desired, Severity::Error, &message, Some(remedy)));
            return false;
        }
        let kept = annotation(seen.metadata(), SOURCE_DIGEST_ANNOTATION);
        let same_declaration = kept == Some(desired.digest.as_str());
        let changes = differences(desired, seen);
        if owner.is_some() && same_declaration && changes.is_empty() {
            return true;
        }
        let action = if owner.is_some() { Action::Update } else { Action::Adopt };
        let drift = owner.is_some() && same_declaration;
        self.ordered.push((operation(action, desired, changes, drift), write(Some(seen.uid()))));
        true
    }

    /// What carries the labels and is not declared.
    fn unwanted(&mut self, object: &ObjectRef, seen: &Seen, facts: Facts<'_>) {
        let resource = seen.entry.as_ref().ok().map(|entry| &entry.resource);
        let subject = resource.map(subject).unwrap_or_else(|| object.name.to_string());
        let heir = self.heirs.get(&(object.kind, subject.as_str()));
        let reason = match heir {
            _ if facts.unread.may_declare(object, &subject) => "it may be declared where something is broken",
            Some(heir) if !heir.wanted => {
                "its address is declared by an object of another name that cannot be written"
            }
            _ if !facts.rules.prune => "prune is false",
            heir => {
                let effect = match heir {
                    Some(heir) => format!("its address goes on as {}", heir.object),
                    None => effect_of_removal(object.kind).to_owned(),
                };
                let risk = if heir.is_some() { Risk::None } else { Risk::Access };
                let heir = heir.map(|heir| heir.object.clone());
                let change = Change::Object {
                    kind: object.kind,
                    key: format!("{}/{}", object.namespace, object.name),
                    digest: None,
                };
                let operation = Operation {
                    action: Action::Delete,
                    object: object.clone(),
                    subject,
                    changes: Vec::new(),
                    risk,
                    effect: vec![effect],
                    origin: None,
                    change,
                    held: None,
                    drift: false,
                };
                return self.ordered.push((operation, Step::Delete { uid: seen.uid().to_owned(), heir }));
            }
        };
        self.kept.push(Kept { object: object.clone(), subject, reason: reason.to_owned() });
    }

    fn finish(mut self, facts: Facts<'_>, owned: usize) -> Decision {
        self.ordered.sort_by_key(|(operation, _)| rank(operation));
        let (mut operations, steps): (Vec<Operation>, Vec<Step>) = self.ordered.into_iter().unzip();
        let digest = digest_of(&operations);
        let created = operations.iter().filter(|it| it.action == Action::Create).count();
        let approval = hold(&mut operations, &steps, facts, owned + created, &digest);
        self.problems.sort();
        self.problems.dedup();
        self.kept.sort();
        let plan = Plan {
            source_id: source_id(facts.claim),
            operations,
            problems: self.problems,
            kept: self.kept,
            digest,
            approval,
        };
        Decision { plan, steps, owned, unsure: BTreeSet::new() }
    }
}

/// Marks the operations that are not applied; what approvals came to.
fn hold(
    operations: &mut [Operation],
    steps: &[Step],
    facts: Facts<'_>,
    managed: usize,
    digest: &str,
) -> Standing {
    let (rules, approved) = (facts.rules, facts.approved);
    let accepted = approval::accepted(rules.approval, approved, digest).map(str::to_owned);
    let removes = |step: &Step| matches!(step, Step::Delete { heir: None, .. });
    let removals = steps.iter().filter(|step| removes(step)).count();
    let mut mark = |which: &dyn Fn(&Operation, &Step) -> bool, guard: &Guard| {
        let both = operations.iter_mut().zip(steps);
        let free = both.filter(|(operation, step)| operation.held.is_none() && which(operation, step));
        free.for_each(|(operation, _)| operation.held = Some(Box::new(guard.clone())));
    };
    if facts.unread.empty {
        mark(&|_, step| removes(step), &Guard::EmptySource);
    }
    if accepted.is_none() {
        if rules.drift == DriftPolicy::Report {
            mark(&|operation, _| operation.drift, &Guard::Drift);
        }
        if let Some(guard) = too_many(rules, removals, managed) {
            mark(&|_, step| removes(step), &guard);
        }
        if rules.approval == Approval::Always {
            mark(&|_, _| true, &Guard::Approval { digest: digest.to_owned() });
        }
    }
    let waits = operations.iter().filter_map(|it| it.held.as_deref()).any(Guard::can_be_approved);
    let stale = if waits { approval::readable(approved) } else { Vec::new() };
    Standing { mode: rules.approval, accepted, stale }
}

fn is_removal(operation: &Operation) -> bool {
    operation.action == Action::Delete
}

/// The guard that so many removals trip, among so many objects that the repository has or would have.
fn too_many(rules: &PlanRules, removed: usize, managed: usize) -> Option<Guard> {
    let guards = &rules.guards;
    let share = guards.max_percent as usize;
    match removed {
        0 => None,
        _ if removed > guards.max_removed => {
            Some(Guard::Count { removed, recent: 0, limit: guards.max_removed })
        }
        _ if removed > 1 && removed * 100 > managed * share => {
            Some(Guard::Share { removed, recent: 0, managed, limit: guards.max_percent })
        }
        _ => None,
    }
}

/// The source id of a repository, as rows and histories name it.
pub fn source_id(claim: &Claim) -> String {
    format!("repository/{}/{}", claim.namespace, claim.name)
}

fn operation(action: Action, desired: &Desired, changes: Vec<FieldChange>, drift: bool) -> Operation {
    let object = &desired.object;
    Operation {
        action,
        object: object.clone(),
        subject: desired.subject.clone(),
        changes,
        risk: Risk::None,
        effect: Vec::new(),
        origin: Some(desired.origin.clone()),
        change: Change::Object {
            kind: object.kind,
            key: format!("{}/{}", object.namespace, object.name),
            digest: Some(desired.digest.clone()),
        },
        held: None,
        drift,
    }
}

fn problem(desired: &Desired, severity: Severity, message: &str, remedy: Option<&str>) -> Problem {
    Problem {
        origin: Some(desired.origin.clone()),
        object: Some(desired.object.clone()),
        field: String::new(),
        code: ProblemCode::Conflict,
        severity,
        message: message.to_owned(),
        remedy: remedy.map(str::to_owned),
    }
}

/// What the removal of an object means for mail, as far as it is known here.
fn effect_of_removal(kind: Kind) -> &'static str {
    match kind {
        Kind::MailServer => "its pod goes; its volume stays",
        Kind::MailDomain => "its mail is refused once no address of it is left",
        Kind::Mailbox => "its deletionPolicy says what becomes of the account",
        Kind::Alias => "its address stops accepting mail",
        Kind::MailRepository => "what it declares stays",
    }
}

/// What others depend on is written first, and removed last.
fn rank(operation: &Operation) -> (u8, ObjectRef) {
    let place = match operation.object.kind {
        Kind::MailServer => 0,
        Kind::MailDomain => 1,
        Kind::Mailbox => 2,
        Kind::Alias | Kind::MailRepository => 3,
    };
    let place = if is_removal(operation) { 7 - place } else { place };
    (place, operation.object.clone())
}

/// What is declared and is otherwise at the API server: of the spec everything counts, of labels and annotations what is declared.
pub fn differences(desired: &Desired, seen: &Seen) -> Vec<FieldChange> {
    let Ok(entry) = &seen.entry else {
        let field = "spec".into();
        return vec![FieldChange { field, from: None, to: Some("as it is declared".into()) }];
    };
    let mut changes: Vec<FieldChange> = match same_spec(&entry.resource, &desired.resource) {
        true => Vec::new(),
        false => {
            let changes = field_changes(&spec(&entry.resource), &spec(&desired.resource));
            let changes: Vec<FieldChange> = changes.into_iter().map(redacted).collect();
            match changes.is_empty() {
                true => vec![FieldChange { field: "spec".into(), from: None, to: None }],
                false => changes,
            }
        }
    };
    let metadata = seen.metadata();
    for (what, declared, live) in [
        ("labels", &desired.labels, &metadata.labels),
        ("annotations", &desired.annotations, &metadata.annotations),
    ] {
        for (key, value) in declared {
            let found = live.as_ref().and_then(|live| live.get(key));
            if found != Some(value) {
                let field = format!("metadata.{what}[{key}]").into();
                changes.push(FieldChange { field, from: found.map(Text::from), to: Some(value.into()) });
            }
        }
    }
    changes
}

/// Compared as they are sent: what was read from a manifest and what an API server gives differ in how numbers are kept.
fn same_spec(one: &Resource, other: &Resource) -> bool {
    spec(one) == spec(other)
}

fn redacted(change: FieldChange) -> FieldChange {
    match change.field.contains("passwordHash") {
        true => {
            let hidden = |value: Option<Text>| value.map(|_| "(a hash)".into());
            FieldChange { from: hidden(change.from), to: hidden(change.to), ..change }
        }
        false => change,
    }
}

fn claim_of(metadata: &ObjectMeta) -> Option<Claim> {
    metadata.labels.as_ref().and_then(Claim::in_labels)
}

fn annotation<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// What has to be sent beside the declaration so that fields are gone that somebody else set: a JSON merge patch (RFC 7396) from
/// one spec to the other; `None` when they are the same.
pub fn merge_patch(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(before), Value::Object(after)) = (from, to) else { return Some(to.clone()) };
    let mut patch = serde_json::Map::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in after {
        match before.get(key) {
            None => drop(patch.insert(key.clone(), value.clone())),
            Some(known) => {
                if let Some(part) = merge_patch(known, value) {
                    patch.insert(key.clone(), part);
                }
            }
        }
    }
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests;
