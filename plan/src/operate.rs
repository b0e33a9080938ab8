//! What all kinds have in common when a declared row meets the row that runs.

use serde::Serialize;

use crate::draft::Candidate;
use crate::field;
use crate::observed::Owner;
use crate::operation::{Action, Change, FieldChange, Operation, Risk};
use crate::reference::{ObjectRef, Text};
use crate::settings::{DriftPolicy, Settings};
use crate::shared::Shared;

/// What is known of the row that runs, whatever its kind.
pub(crate) struct Running<'a, T> {
    pub(crate) declared: &'a Shared<T>,
    pub(crate) owner: Option<&'a Shared<Owner>>,
    pub(crate) enabled: bool,
    pub(crate) removed: bool,
}

/// What a valid object asks for.
pub(crate) struct Wish<T> {
    pub(crate) declared: Shared<T>,
    pub(crate) enabled: bool,
    /// Changes beside the row itself: a password.
    pub(crate) beside: Vec<FieldChange>,
}

/// What a declared row does to the one that runs; `None` when there is nothing to do.
fn put_action<T>(running: Option<&Running<'_, T>>, source: &str, enabled: bool, any: bool) -> Option<Action> {
    let Some(running) = running else { return Some(Action::Create) };
    let active = running.enabled && !running.removed;
    let own = running.owner.is_some_and(|owner| owner.managed_by == source);
    match (own, active, enabled) {
        (false, ..) => Some(Action::Adopt),
        (_, false, true) => Some(Action::Enable),
        (_, true, false) => Some(Action::Disable),
        _ => (running.removed || any).then_some(Action::Update),
    }
}

/// The field that says that another object declares the row now.
pub(crate) const MOVED: &str = "metadata.name";

/// A change of ownership as fields.
fn owner_changes(before: Option<&Owner>, owner: &Owner) -> Vec<FieldChange> {
    let change = |field: &str, from: Option<String>, to: String| FieldChange {
        field: field.into(),
        from: from.map(Text::from),
        to: Some(to.into()),
    };
    let Some(before) = before else {
        return vec![change("managedBy", None, owner.managed_by.clone())];
    };
    let mut changes = Vec::new();
    if before.managed_by != owner.managed_by {
        changes.push(change("managedBy", Some(before.managed_by.clone()), owner.managed_by.clone()));
    }
    if before.object != owner.object {
        let name = |object: &ObjectRef| format!("{}/{}", object.namespace, object.name);
        changes.push(change(MOVED, Some(name(&before.object)), name(&owner.object)));
    }
    if before.origin.file != owner.origin.file {
        changes.push(change("file", Some(before.origin.file.to_string()), owner.origin.file.to_string()));
    }
    changes
}

/// An operation on behalf of a declared object; risk and effect follow once the whole plan is known.
fn wanted<T>(
    candidate: &Candidate<'_, T>,
    subject: &str,
    action: Action,
    changes: Vec<FieldChange>,
    change: Change,
) -> Operation {
    Operation {
        action,
        object: candidate.object.clone(),
        subject: subject.to_owned(),
        changes,
        risk: Risk::None,
        effect: Vec::new(),
        origin: candidate.entry.origin.clone().known(),
        change,
        held: None,
        drift: false,
    }
}

/// An operation on a row that nothing declares any more.
pub(crate) fn unwanted(owner: &Owner, subject: &str, action: Action, change: Change) -> Operation {
    Operation {
        action,
        object: owner.object.clone(),
        subject: subject.to_owned(),
        changes: Vec::new(),
        risk: Risk::None,
        effect: Vec::new(),
        origin: owner.origin.clone().known(),
        change,
        held: None,
        drift: false,
    }
}

/// The whole of a `Put`: action, changed fields and owner, or nothing to do. What only puts back a change behind the manifests'
/// back is an operation of its own where that is not to be repaired, so that everything else goes on.
pub(crate) fn put<T: Serialize + Clone + PartialEq>(
    candidate: &Candidate<'_, T>,
    settings: &Settings,
    subject: &str,
    running: Option<&Running<'_, T>>,
    wish: Wish<T>,
    blank: impl FnOnce() -> T,
    make: impl Fn(Shared<T>, Shared<Owner>, bool) -> Change,
) -> Vec<Operation> {
    let Some(running) = running else {
        // Compared with a blank row, whose values were nobody's.
        let mut changes = field::diff(&blank(), &*wish.declared);
        changes.retain(|change| change.to.is_some());
        changes.iter_mut().for_each(|change| change.from = None);
        changes.extend(wish.beside);
        let owner = owner(candidate, settings, None, &wish.declared);
        return vec![wanted(candidate, subject, Action::Create, changes, make(wish.declared, owner, true))];
    };
    let same = *running.declared == wish.declared;
    let fields = if same { Vec::new() } else { field::diff(&**running.declared, &*wish.declared) };
    let place = candidate.owner(settings);
    let mut others = wish.beside;
    others.extend(owner_changes(running.owner.map(|owner| &**owner), &place));
    let any = !(fields.is_empty() && others.is_empty());
    let Some(action) = put_action(Some(running), &settings.source_id, wish.enabled, any) else {
        return Vec::new();
    };
    let owner = owner(candidate, settings, running.owner.map(|owner| &**owner), &wish.declared);
    let drift = has_drifted(running, &owner, !fields.is_empty());
    let operation = |action, changes, declared, owner: &Shared<Owner>, drift, all| Operation {
        drift,
        ..wanted(candidate, subject, action, changes, make(declared, owner.clone(), all))
    };
    if !drift || settings.drift == DriftPolicy::Repair || others.is_empty() {
        let mut changes = fields;
        changes.extend(others);
        return vec![operation(action, changes, wish.declared, &owner, drift, true)];
    }
    let back = operation(action, fields, wish.declared, &owner, true, false);
    if running.removed {
        return vec![back];
    }
    let rest = operation(Action::Update, others, running.declared.clone(), &owner, false, true);
    vec![rest, back]
}

/// The owner of the row from now on.
fn owner<T: Serialize>(
    candidate: &Candidate<'_, T>,
    settings: &Settings,
    before: Option<&Owner>,
    declared: &T,
) -> Shared<Owner> {
    let former = before.and_then(|before| match before.managed_by == settings.source_id {
        true => before.former.clone(),
        false => Some(before.managed_by.clone()),
    });
    Owner { applied: Some(field::digest(declared)), former, ..candidate.owner(settings) }.into()
}

/// Whether the object asks for what it asked for when it was last applied, and the row is different.
fn has_drifted<T>(running: &Running<'_, T>, owner: &Owner, differs: bool) -> bool {
    let before = running.owner.filter(|before| before.managed_by == owner.managed_by);
    (differs || running.removed) && before.is_some_and(|before| before.applied == owner.applied)
}
