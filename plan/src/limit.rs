//! How many addresses a domain may have. What exists already stays within the limit; of what is new, the first in the
//! files get the places that are left.

use std::collections::{BTreeMap, HashSet};

use crate::domain::domain_of;
use crate::draft::{Candidate, Draft};
use crate::observed::DomainLimits;
use crate::problem::{Problem, ProblemCode};
use crate::universe::Universe;

pub(crate) fn check(draft: &Draft<'_>, universe: &Universe<'_>, problems: &mut Vec<Problem>) {
    check_mailboxes(draft, universe, problems);
    check_aliases(draft, universe, problems);
}

fn check_mailboxes(draft: &Draft<'_>, universe: &Universe<'_>, problems: &mut Vec<Problem>) {
    let rows = draft.observed.mailboxes.iter().filter(|row| row.removed_at.is_none());
    let existing = rows.map(|row| row.declared.address.as_str()).collect();
    let asking = draft.mailboxes.iter().map(|it| (it, it.declared.address.as_str())).collect();
    let limit = |limits: &DomainLimits| limits.mailboxes;
    check_each("mailboxes", asking, &existing, &count(universe.mailboxes.keys()), universe, limit, problems);
}

fn check_aliases(draft: &Draft<'_>, universe: &Universe<'_>, problems: &mut Vec<Problem>) {
    let existing = draft.observed.aliases.iter().map(|row| row.declared.address.as_str()).collect();
    let asking = draft.aliases.iter().map(|it| (it, it.declared.address.as_str())).collect();
    let limit = |limits: &DomainLimits| limits.aliases;
    check_each("aliases", asking, &existing, &count(universe.aliases.keys()), universe, limit, problems);
}

fn count<'a>(addresses: impl Iterator<Item = &'a &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    addresses.for_each(|address| *counts.entry(domain_of(address)).or_default() += 1);
    counts
}

fn check_each<T>(
    what: &str,
    mut asking: Vec<(&Candidate<'_, T>, &str)>,
    existing: &HashSet<&str>,
    counts: &BTreeMap<&str, usize>,
    universe: &Universe<'_>,
    limit: impl Fn(&DomainLimits) -> Option<u32>,
    problems: &mut Vec<Problem>,
) {
    // The youngest, or the last in the files, give up their places first.
    asking.sort_by_key(|(candidate, _)| {
        let created = candidate.entry.resource.created();
        std::cmp::Reverse((created, &candidate.entry.origin, &candidate.object))
    });
    let mut counts = counts.clone();
    for (candidate, address) in asking {
        let name = domain_of(address);
        let Some(limit) = universe.domains.get(name).and_then(|domain| limit(&domain.limits)) else {
            continue;
        };
        let Some(count) = counts.get_mut(name) else { continue };
        if *count <= limit as usize || existing.contains(address) {
            continue;
        }
        problems.push(candidate.error(
            "spec.address",
            ProblemCode::TooMany,
            format!("{name} may have {limit} {what} and would have {count}"),
            format!("remove one, or raise spec.limits.{what} of the MailDomain"),
        ));
        *count -= 1;
    }
}
