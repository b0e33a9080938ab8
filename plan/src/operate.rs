//! What all kinds have in common when a declared row meets the row that runs.

use crate::draft::Candidate;
use crate::observed::Owner;
use crate::operation::{Action, Change, FieldChange, Operation, Risk};
use crate::reference::ObjectRef;
use crate::settings::Settings;

/// What is known of the row that runs, whatever its kind.
pub(crate) struct Running<'a> {
    pub(crate) owner: Option<&'a Owner>,
    pub(crate) enabled: bool,
    pub(crate) removed: bool,
}

/// What a declared row does to the one that runs; `None` when there is nothing to do.
fn put_action(running: Option<&Running<'_>>, enabled: bool, changes: &[FieldChange]) -> Option<Action> {
    let Some(running) = running else { return Some(Action::Create) };
    let active = running.enabled && !running.removed;
    match (running.owner, active, enabled) {
        (None, ..) => Some(Action::Adopt),
        (_, false, true) => Some(Action::Enable),
        (_, true, false) => Some(Action::Disable),
        _ => (running.removed || !changes.is_empty()).then_some(Action::Update),
    }
}

/// A change of ownership as fields.
pub(crate) fn owner_changes(running: Option<&Running<'_>>, owner: &Owner) -> Vec<FieldChange> {
    let change = |field: &str, from: Option<String>, to: String| FieldChange {
        field: field.to_owned(),
        from,
        to: Some(to),
    };
    let Some(running) = running else { return Vec::new() };
    let Some(before) = running.owner else {
        return vec![change("managedBy", None, owner.managed_by.clone())];
    };
    let mut changes = Vec::new();
    if before.object != owner.object {
        let name = |object: &ObjectRef| format!("{}/{}", object.namespace, object.name);
        changes.push(change("metadata.name", Some(name(&before.object)), name(&owner.object)));
    }
    if before.origin.file != owner.origin.file {
        changes.push(change("file", Some(before.origin.file.clone()), owner.origin.file.clone()));
    }
    changes
}

/// An operation on behalf of a declared object; risk and effect follow once the whole plan is known.
pub(crate) fn wanted<T>(
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
    }
}

/// The whole of a `Put`: action, changed fields and owner, or nothing to do.
pub(crate) fn put<T>(
    candidate: &Candidate<'_, T>,
    settings: &Settings,
    subject: &str,
    running: Option<&Running<'_>>,
    enabled: bool,
    mut changes: Vec<FieldChange>,
    change: impl FnOnce(Owner) -> Change,
) -> Option<Operation> {
    let owner = candidate.owner(settings);
    if running.is_none() {
        // Compared with a blank row, whose values were nobody's.
        changes.retain(|change| change.to.is_some());
        changes.iter_mut().for_each(|change| change.from = None);
    }
    changes.extend(owner_changes(running, &owner));
    let action = put_action(running, enabled, &changes)?;
    Some(wanted(candidate, subject, action, changes, change(owner)))
}
