//! From what is declared and what runs to a plan: checks, operations, order, effects, guards, digest.

use crate::catalog::Catalog;
use crate::draft::Draft;
use crate::effect::{self, Views};
use crate::observed::Observed;
use crate::operation::{Operation, Plan};
use crate::problem::{Problem, ProblemCode};
use crate::routes::Routes;
use crate::settings::Settings;
use crate::universe::Universe;
use crate::{alias, check, digest, domain, guard, mailbox, order, server, simulate};

/// What would make the running state the declared one. Depends on nothing but its arguments; the order in which the
/// catalog was filled does not matter.
pub fn plan(catalog: &Catalog, observed: &Observed, settings: &Settings) -> Plan {
    let mut draft = Draft::new(catalog, observed, settings);
    check::check(&mut draft);
    let (mut operations, mut kept, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let universe = Universe::new(&draft);
    server::operate(&draft, &mut operations, &mut kept);
    domain::operate(&draft, &mut operations, &mut kept, &mut problems);
    mailbox::operate(&draft, &universe, &mut operations, &mut kept);
    alias::operate(&draft, &mut operations, &mut kept);
    let mut operations = order::arrange(observed, operations);
    let (whole, _) =
        simulate::apply_operations(observed, &settings.source_id, operations.iter(), settings.now);
    let views = Views {
        source_id: &settings.source_id,
        observed,
        whole: &whole,
        before: Routes::new(observed),
        after: Routes::new(&whole),
    };
    effect::explain(&views, &mut operations);
    let digest = digest::digest(&operations);
    guard::apply(&draft, &views, &mut operations, &digest);
    problems.extend(no_postmaster(&draft, &operations));
    problems.extend(std::mem::take(&mut draft.problems));
    problems.extend(catalog.problems().iter().cloned());
    problems.sort();
    problems.dedup();
    kept.sort();
    Plan { source_id: settings.source_id.clone(), operations, problems, kept, digest }
}

/// What is wrong with the declarations by themselves: no state, no operations.
pub fn validate(catalog: &Catalog, settings: &Settings) -> Vec<Problem> {
    plan(catalog, &Observed::default(), settings).problems
}

/// Served domains in which nobody will get mail for postmaster.
fn no_postmaster(draft: &Draft<'_>, operations: &[Operation]) -> Vec<Problem> {
    let applied = operations.iter().filter(|operation| operation.held.is_none());
    let settings = draft.settings;
    let (after, _) = simulate::apply_operations(draft.observed, &settings.source_id, applied, settings.now);
    let routes = Routes::new(&after);
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
