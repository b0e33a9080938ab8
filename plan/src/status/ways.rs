//! Where an alias or a forward leads, as conditions: `TargetsResolved` and `LoopFree`.

use mailwright_crds::{Address, ConditionType, Reason};

use super::Aspect;
use super::judge::{self, Judge};
use crate::domain::domain_of;
use crate::effect::list;
use crate::problem::{Problem, ProblemCode};
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

/// Whether a problem has a condition here, so that `Accepted` need not speak of it.
pub(super) fn are_about(problem: &Problem) -> bool {
    TARGETS.contains(&problem.code) || LOOPS.contains(&problem.code)
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
