//! Alias: its row, its checks, its operations and what they mean for mail.

mod cycle;

use std::collections::BTreeMap;

use mailwright_crds::AliasSpec;

use crate::domain::domain_of;
use crate::draft::{Candidate, Draft, Standing};
use crate::effect::{Effect, Views, Way, list};
use crate::observed::{AliasDeclared, AliasRow, Senders};
use crate::operate::{self, Running, Wish};
use crate::operation::{Action, Change, Kept, Operation};
use crate::problem::{MEND_FIRST, Problem, ProblemCode};
use crate::reference::Kind;
use crate::universe::Universe;

/// The row that an Alias asks for.
pub(crate) fn declare(spec: &AliasSpec) -> AliasDeclared {
    AliasDeclared {
        address: spec.address.as_str().to_owned(),
        targets: spec.targets.iter().map(|target| target.as_str().to_owned()).collect(),
        senders: spec.senders,
        enabled: spec.enabled,
    }
}

pub(crate) fn check(draft: &Draft<'_>, universe: &Universe<'_>, problems: &mut Vec<Problem>) {
    for candidate in &draft.aliases {
        problems.extend(check_domain(candidate, "spec.address", &candidate.declared.address, universe));
        for (index, target) in candidate.declared.targets.iter().enumerate() {
            problems.extend(check_target(candidate, &format!("spec.targets[{index}]"), target, universe));
        }
    }
    let ways_on = universe.ways_on();
    let cycles = cycle::find(&ways_on, |target| {
        universe.resolve(target).map(|(_, key)| key).filter(|key| ways_on.contains_key(key))
    });
    for candidate in &draft.aliases {
        if let Some(cycle) = cycles.get(candidate.declared.address.as_str()) {
            problems.push(in_loop(candidate, "spec.targets", "alias", cycle));
        }
    }
    for candidate in &draft.mailboxes {
        if let Some(cycle) = cycles.get(candidate.declared.address.as_str()) {
            problems.push(in_loop(candidate, "spec.forward.targets", "forward", cycle));
        }
    }
}

fn in_loop<T>(candidate: &Candidate<'_, T>, field: &str, what: &str, cycle: &[String]) -> Problem {
    candidate.error(
        field,
        ProblemCode::AliasLoop,
        format!("{what} loop {}", cycle.join("→")),
        "take one of these out of the targets of the one before it".to_owned(),
    )
}

/// The domain of an address must be served, under its own name, and take mail.
pub(crate) fn check_domain<T>(
    candidate: &Candidate<'_, T>,
    field: &str,
    address: &str,
    universe: &Universe<'_>,
) -> Option<Problem> {
    let name = domain_of(address);
    if let Some(real) = universe.real_domain(name) {
        let local = address.strip_suffix(name).unwrap_or_default();
        return Some(candidate.error(
            field,
            ProblemCode::UnknownDomain,
            format!("{name} is another name of {real}, not a domain of its own"),
            format!("write {local}{real}: it answers for {address} too"),
        ));
    }
    match universe.domains.get(name) {
        None => {
            let wrong = universe.declared_wrongly(&[Kind::MailDomain], name);
            let (message, remedy) = match (wrong, universe.similar_domain(name)) {
                (Some(wrong), _) => (wrong, MEND_FIRST.to_owned()),
                (None, Some(similar)) => (no_domain(name), format!("did you mean {similar}?")),
                (None, None) => (no_domain(name), "declare one".to_owned()),
            };
            Some(candidate.error(field, ProblemCode::UnknownDomain, message, remedy))
        }
        Some(domain) if domain.parked => Some(candidate.error(
            field,
            ProblemCode::ParkedDomain,
            format!("{name} is parked and takes no mail"),
            "remove parked from the MailDomain, or this object".to_owned(),
        )),
        Some(_) => None,
    }
}

pub(crate) fn no_domain(name: &str) -> String {
    format!("there is no MailDomain for {name}")
}

/// A target at a domain that is served here must be a mailbox or an alias; one at another domain is told when it looks like
/// a slip.
pub(crate) fn check_target<T>(
    candidate: &Candidate<'_, T>,
    field: &str,
    target: &str,
    universe: &Universe<'_>,
) -> Option<Problem> {
    let name = domain_of(target);
    // A domain that serves on with the last good state is not what is missing.
    let unserved = universe.domain(name).is_none();
    let domain = || universe.declared_wrongly(&[Kind::MailDomain], name).filter(|_| unserved);
    let wrong = || domain().or_else(|| universe.declared_wrongly(&[Kind::Mailbox, Kind::Alias], target));
    let unknown = |message: String, remedy: String| {
        Some(candidate.error(field, ProblemCode::UnknownTarget, message, remedy))
    };
    if universe.resolve(target).is_some() {
        return None;
    }
    if let Some(wrong) = wrong() {
        return unknown(wrong, MEND_FIRST.to_owned());
    }
    match universe.domain(name) {
        Some(_) => unknown(
            format!("there is no mailbox and no alias {target}"),
            match universe.similar_address(target) {
                Some(similar) => format!("did you mean {similar}?"),
                None => "declare it, or take it out".to_owned(),
            },
        ),
        None => {
            let (message, remedy) = if universe.is_given_up(name) {
                let message =
                    format!("{name} is served here no more: mail for {target} leaves for another server");
                (message, "take it out, unless another server has the domain now".to_owned())
            } else {
                let similar = universe.similar_domain(name)?;
                let message = format!("{target} is not at a domain that is served here: mail for it leaves");
                (message, format!("did you mean an address at {similar}?"))
            };
            Some(candidate.warning(field, ProblemCode::ForeignTarget, message, remedy))
        }
    }
}

/// Creates, updates and deletes aliases.
pub(crate) fn operate(draft: &Draft<'_>, operations: &mut Vec<Operation>, kept: &mut Vec<Kept>) {
    let rows: BTreeMap<&str, &AliasRow> =
        draft.observed.aliases.iter().map(|row| (row.declared.address.as_str(), row)).collect();
    for candidate in &draft.aliases {
        operations.extend(put(draft, candidate, rows.get(candidate.declared.address.as_str()).copied()));
    }
    for (address, row) in rows {
        let Some(owner) = &row.owner else { continue };
        match draft.standing(Kind::Alias, address, Some(owner)) {
            Standing::Kept(reason) => {
                kept.push(Kept { object: owner.object.clone(), subject: address.to_owned(), reason });
            }
            Standing::Removed => {
                let change = Change::DeleteAlias { address: address.to_owned() };
                operations.push(operate::unwanted(owner, address, Action::Delete, change));
            }
            _ => {}
        }
    }
}

fn put(
    draft: &Draft<'_>,
    candidate: &Candidate<'_, AliasDeclared>,
    row: Option<&AliasRow>,
) -> Vec<Operation> {
    let declared = &candidate.declared;
    let running = row.map(|row| Running {
        declared: &row.declared,
        owner: row.owner.as_ref(),
        enabled: row.declared.enabled,
        removed: false,
    });
    let blank = || AliasDeclared {
        address: String::new(),
        targets: Vec::new(),
        senders: Senders::Anyone,
        enabled: true,
    };
    let wish = Wish { declared: declared.clone(), enabled: declared.enabled, beside: Vec::new() };
    let subject = &declared.address;
    operate::put(candidate, draft.settings, subject, running.as_ref(), wish, blank, |declared, owner, _| {
        Change::PutAlias { declared, owner }
    })
}

/// What an operation on an alias means.
pub(crate) fn effect(views: &Views<'_>, operation: &Operation) -> Effect {
    let mut effect = Effect::default();
    match &operation.change {
        Change::PutAlias { declared, .. } => {
            match views.before.alias(&declared.address) {
                None if !declared.enabled => effect.says(format!("mail for {} is refused", who(declared))),
                None => created(views, declared, &mut effect),
                Some(row) => updated(views, &row.declared, declared, &mut effect),
            }
            if operation.action == Action::Adopt {
                effect.says(format!("{} is managed by {} from now on", declared.address, views.source_id));
            }
        }
        Change::DeleteAlias { address } if address.starts_with('@') => {
            let domain = domain_of(address);
            effect.takes(match views.after.catch_all(domain) {
                Some(other) => format!("mail for unknown addresses of {domain} goes to {other}"),
                None => format!("mail for unknown addresses of {domain} is refused (550 5.1.1)"),
            });
        }
        Change::DeleteAlias { address } => {
            let taken_over = views.after.mailbox(address).is_some_and(|row| row.is_active());
            match views.after.catch_all(domain_of(address)) {
                _ if taken_over => {
                    effect.takes(format!("mail for {address} goes to its own mailbox instead"))
                }
                Some(other) => effect.takes(format!("mail for {address} goes to the catch-all, {other}")),
                None => effect.takes(format!("{address} stops accepting mail (550 5.1.1)")),
            }
            crate::mailbox::lost_targets(views, address, &mut effect);
        }
        _ => {}
    }
    effect
}

fn created(views: &Views<'_>, declared: &AliasDeclared, effect: &mut Effect) {
    let way = Way::of(&views.after, &declared.targets);
    way.say(format!("mail for {}", who(declared)), "", effect);
    let catch_all = views.before.catch_all(domain_of(&declared.address));
    if let Some(other) = catch_all.filter(|_| !declared.address.starts_with('@')) {
        effect.takes(format!("the catch-all, {other}, no longer gets mail for {}", declared.address));
    }
}

fn updated(views: &Views<'_>, before: &AliasDeclared, after: &AliasDeclared, effect: &mut Effect) {
    let who = who(after);
    match (before.enabled, after.enabled) {
        (true, false) => effect.takes(format!("mail for {who} is refused (550 5.1.1)")),
        (false, true) => Way::of(&views.after, &after.targets).say(format!("mail for {who}"), "", effect),
        _ => {}
    }
    let new: Vec<&String> = after.targets.iter().filter(|target| !before.targets.contains(target)).collect();
    let gone: Vec<&String> = before.targets.iter().filter(|target| !after.targets.contains(target)).collect();
    if !new.is_empty() {
        Way::of(&views.after, new).say(format!("mail for {who}"), "also ", effect);
    }
    if !gone.is_empty() {
        effect.takes(format!("mail for {who} no longer goes to {}", list(&gone)));
    }
    match (before.senders, after.senders) {
        (old, new) if old == new => {}
        (_, Senders::Anyone) => effect.says(format!("everybody may send to {who}")),
        (_, Senders::Members) => effect.takes(format!("only its members may send to {who} (550 5.7.2)")),
        (_, Senders::Domain) => {
            effect.takes(format!(
                "only senders at {} may send to {who} (550 5.7.2)",
                domain_of(&after.address)
            ));
        }
    }
}

/// The address, or in words whose mail a catch-all gets.
fn who(declared: &AliasDeclared) -> String {
    match declared.address.strip_prefix('@') {
        Some(domain) => format!("unknown addresses of {domain}"),
        None => declared.address.clone(),
    }
}
