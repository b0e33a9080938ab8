//! The cross-object checks, run until nothing more is wrong: an object with an error keeps its row as it is, and what
//! depended on its change is checked again.
//!
//! Each round reports all errors of the objects that are still good, so a person sees them all at once; objects only
//! ever leave, so the rounds end, and their order does not depend on the order of the files.

use std::collections::BTreeSet;

use crate::draft::Draft;
use crate::policy::{self, Rules};
use crate::problem::Problem;
use crate::reference::ObjectRef;
use crate::universe::Universe;
use crate::{alias, allow, domain, immutable, limit, mailbox, server, unique};

/// Leaves only good objects among the candidates.
pub(crate) fn check(draft: &mut Draft<'_>) -> Rules {
    // First of all: what is wrong from outside, or what an object asks for under the name of what it has, is not there for
    // anybody to refer to.
    let outside: Vec<Problem> = draft.catalog.problems().iter().cloned().collect();
    draft.freeze(&wrong(&outside));
    for of_its_own in [immutable::check, allow::domains, unique::domains, allow::addresses] {
        let problems = of_its_own(draft);
        draft.freeze(&wrong(&problems));
        draft.problems.extend(problems);
    }
    let (mut rules, problems) = Rules::new(draft);
    draft.freeze(&wrong(&problems));
    draft.problems.extend(problems);
    rules.of_servers(draft);
    rounds(draft, &rules);
    rules
}

/// Rounds until nothing more is wrong.
pub(crate) fn rounds(draft: &mut Draft<'_>, rules: &Rules) {
    loop {
        let problems = round(draft, rules);
        let wrong = wrong(&problems);
        if wrong.is_empty() {
            draft.problems.extend(problems);
            return;
        }
        draft.problems.extend(problems.into_iter().filter(Problem::is_error));
        draft.freeze(&wrong);
    }
}

/// The objects that have errors.
pub(crate) fn wrong(problems: &[Problem]) -> BTreeSet<ObjectRef> {
    let errors = problems.iter().filter(|problem| problem.is_error());
    errors.filter_map(|problem| problem.object.clone()).collect()
}

fn round(draft: &Draft<'_>, rules: &Rules) -> Vec<Problem> {
    let universe = Universe::new(draft);
    let mut problems = Vec::new();
    unique::check(draft, &mut problems);
    server::check(draft, &mut problems);
    domain::check(draft, &universe, &mut problems);
    mailbox::check(draft, &universe, &mut problems);
    alias::check(draft, &universe, &mut problems);
    policy::check(draft, &universe, rules, &mut problems);
    if !problems.iter().any(Problem::is_error) {
        // Only now is it known who will take a place at all.
        limit::check(draft, &universe, &mut problems);
    }
    problems
}
