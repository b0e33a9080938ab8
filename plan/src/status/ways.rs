//! Where an alias or a forward leads, as conditions: `TargetsResolved` and `LoopFree`.

use mailwright_crds::{Address, ConditionType, Reason};

use super::Aspect;
use super::judge::{self, Judge};
use crate::domain::domain_of;
use crate::effect::list;
use crate::problem::ProblemCode;
use crate::reference::ObjectRef;

const TARGETS: [ProblemCode; 2] = [ProblemCode::UnknownTarget, ProblemCode::ForeignTarget];
const LOOPS: [ProblemCode; 1] = [ProblemCode::AliasLoop];

/// Both conditions of an object with these targets.
pub(super) fn conditions(
    judge: &Judge<'_>,
    object: &ObjectRef,
    targets: &[Address],
) -> [(ConditionType, Aspect); 2] {
    let resolved = wrong(judge, object, &TARGETS).unwrap_or_else(|| found(judge, targets));
    let loop_free = wrong(judge, object, &LOOPS).unwrap_or_else(|| Aspect::new(true, Reason::NoLoop, ""));
    [(ConditionType::TargetsResolved, resolved), (ConditionType::LoopFree, loop_free)]
}

/// `Accepted` of an object that has them: everything else that is wrong with it.
pub(super) fn accepted(judge: &Judge<'_>, object: &ObjectRef) -> Aspect {
    if let Some(message) = judge.refused(object) {
        return Aspect::new(false, Reason::OwnedByAnother, message);
    }
    let mut errors = judge.errors(object);
    errors.retain(|problem| !TARGETS.contains(&problem.code) && !LOOPS.contains(&problem.code));
    match errors.first() {
        Some(first) => Aspect::new(false, judge::reason(first), judge::messages(&errors)),
        None => Aspect::new(true, Reason::Reconciled, ""),
    }
}

fn wrong(judge: &Judge<'_>, object: &ObjectRef, codes: &[ProblemCode]) -> Option<Aspect> {
    let mut errors = judge.errors(object);
    errors.retain(|problem| codes.contains(&problem.code));
    let first = errors.first()?;
    Some(Aspect::new(false, judge::reason(first), judge::messages(&errors)))
}

fn found(judge: &Judge<'_>, targets: &[Address]) -> Aspect {
    let domains = &judge.observed().domains;
    let served = |name: &str| {
        domains
            .iter()
            .any(|row| row.declared.domain == name || row.declared.aliases.iter().any(|it| it == name))
    };
    let away = targets.iter().map(Address::as_str).filter(|target| !served(domain_of(target)));
    let away: Vec<&str> = away.collect();
    if away.is_empty() {
        return Aspect::new(true, Reason::TargetsFound, "");
    }
    Aspect::new(true, Reason::TargetForeign, format!("mail for {} leaves for another server", list(&away)))
}
