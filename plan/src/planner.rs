//! From what is declared and what runs to a plan: checks, operations, order, effects, guards, digest.

use crate::catalog::Catalog;
use crate::draft::Draft;
use crate::effect::{self, Views};
use crate::observed::Observed;
use crate::operation::{Change, CredentialSource, FieldChange, Kept, Operation, Plan};
use crate::problem::{Problem, ProblemCode};
use crate::reference::Texts;
use crate::routes::Routes;
use crate::settings::Settings;
use crate::simulate::After;
use crate::universe::Universe;
use crate::{alias, check, digest, domain, guard, mailbox, order, policy, server};

/// What would make the running state the declared one. Depends on nothing but its arguments; the order in which the
/// catalog was filled does not matter.
pub fn plan(catalog: &Catalog, observed: &Observed, settings: &Settings) -> Plan {
    let plan = make(catalog, observed, settings);
    settings.policies.judged();
    plan
}

/// The same without a word on what policies may forget.
pub(crate) fn make(catalog: &Catalog, observed: &Observed, settings: &Settings) -> Plan {
    let mut draft = Draft::new(catalog, observed, settings);
    let rules = check::check(&mut draft);
    let (operations, mut kept, mut problems) = loop {
        let (operations, kept, problems, stopped) = operate(&draft, &rules);
        if stopped.is_empty() {
            break (operations, kept, problems);
        }
        // What depended on a change that a broken policy holds back is checked again without it.
        draft.freeze(&check::wrong(&stopped));
        draft.problems.extend(stopped);
        check::rounds(&mut draft, &rules);
    };
    let mut operations = order::arrange(observed, operations);
    let digest = digest::digest(&operations);
    let approval = match operations.is_empty() {
        true => {
            problems.extend(no_postmaster(&draft, &Routes::new(observed)));
            guard::nothing_to_do(&draft, &digest)
        }
        false => {
            let whole = After::new(observed, &settings.source_id, &operations, |_| true, settings.now);
            let views = Views::new(&settings.source_id, observed, &whole);
            effect::explain(&views, &mut operations);
            let approval = guard::apply(&draft, &views, &mut operations, &digest);
            let held = operations.iter().any(|operation| operation.held.is_some());
            problems.extend(match held {
                true => no_postmaster(&draft, &Routes::new(&guard::after(&draft, &operations))),
                false => no_postmaster(&draft, &views.after),
            });
            approval
        }
    };
    problems.extend(std::mem::take(&mut draft.problems));
    problems.extend(catalog.problems().iter().cloned());
    problems.sort();
    problems.dedup();
    kept.sort();
    compact(&mut operations);
    Plan { source_id: settings.source_id.clone(), operations, problems, kept, digest, approval }
}

/// What is to be done about all that is good, what stays, and what a policy that cannot be judged with does not let through.
fn operate(
    draft: &Draft<'_>,
    rules: &policy::Rules,
) -> (Vec<Operation>, Vec<Kept>, Vec<Problem>, Vec<Problem>) {
    let (mut operations, mut kept, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let universe = Universe::new(draft);
    server::operate(draft, &mut operations, &mut kept);
    domain::operate(draft, &mut operations, &mut kept, &mut problems);
    mailbox::operate(draft, &universe, &mut operations, &mut kept);
    alias::operate(draft, &mut operations, &mut kept);
    let stopped = policy::hold(draft, &universe, rules, &operations);
    (operations, kept, problems, stopped)
}

/// A plan is kept as long as it is applied and told of: its operations share the names of fields and their values, and none keeps
/// room that it does not need.
fn compact(operations: &mut Vec<Operation>) {
    let mut texts = Texts::default();
    for operation in operations.iter_mut() {
        for FieldChange { field, from, to } in &mut operation.changes {
            for text in [Some(field), from.as_mut(), to.as_mut()].into_iter().flatten() {
                *text = texts.share(text);
            }
        }
        if let Change::PutMailbox { credential: Some(credential), .. } = &mut operation.change
            && let CredentialSource::Secret { name, key, .. } = &mut credential.source
        {
            (*name, *key) = (texts.share(name), texts.share(key));
        }
        operation.changes.shrink_to_fit();
        operation.effect.shrink_to_fit();
    }
    operations.shrink_to_fit();
}

/// What is wrong with the declarations by themselves: no state, no operations.
pub fn validate(catalog: &Catalog, settings: &Settings) -> Vec<Problem> {
    plan(catalog, &Observed::default(), settings).problems
}

/// Served domains in which nobody will get mail for postmaster.
fn no_postmaster(draft: &Draft<'_>, routes: &Routes<'_>) -> Vec<Problem> {
    let missing = draft.domains.iter().filter(|candidate| {
        let domain = &candidate.declared.domain;
        routes.takes_mail(domain) && !routes.reaches_somebody(&format!("postmaster@{domain}"))
    });
    let warning = |domain: &str| {
        (
            format!("nobody gets mail for postmaster@{domain} (RFC 5321 §4.5.1)"),
            format!("declare a Mailbox or an Alias postmaster@{domain}, or a catch-all"),
        )
    };
    missing
        .map(|candidate| {
            let (message, remedy) = warning(&candidate.declared.domain);
            candidate.warning("spec.domain", ProblemCode::NoPostmaster, message, remedy)
        })
        .collect()
}
