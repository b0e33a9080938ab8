//! Who may use whose objects across namespaces: a MailDomain the server of another namespace, an address the domain of
//! another namespace. The owner of what is used decides, and what it allowed once and allows no more stays as it is.
//!
//! Decided before anything else is compared: what is not allowed claims no name, or anybody could take a domain or an
//! address from its owner by declaring it first.

use std::collections::BTreeMap;

use mailwright_crds::{AllowedNamespaces, Resource};

use crate::domain::domain_of;
use crate::draft::{Candidate, Draft};
use crate::observed::DomainDeclared;
use crate::problem::{Problem, ProblemCode};
use crate::reference::{Kind, ObjectRef};

/// What may be used, and by whom.
#[derive(Clone, Copy)]
struct Offer<'a> {
    object: &'a ObjectRef,
    allowed: Option<&'a AllowedNamespaces>,
}

impl Offer<'_> {
    /// Whether an object of a namespace may use it. What is declared no more has nobody to allow anything.
    fn is_open_to(&self, draft: &Draft<'_>, namespace: &str) -> bool {
        let own = &self.object.namespace;
        let labels = draft.catalog.namespaces().get(namespace);
        self.allowed.map_or(own == namespace, |allowed| allowed.allows(own, namespace, labels))
    }
}

/// MailDomains that their server does not allow.
pub(crate) fn domains(draft: &Draft<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for candidate in &draft.domains {
        let Some((namespace, name)) = candidate.declared.server.split_once('/') else { continue };
        let server = ObjectRef { kind: Kind::MailServer, namespace: namespace.into(), name: name.into() };
        let allowed = draft.catalog.known(&server).and_then(|resource| match resource {
            Resource::MailServer(server) => Some(&server.spec.allowed_domains),
            _ => None,
        });
        let offer = Offer { object: &server, allowed };
        // A server that nothing is known of is missing, which is said elsewhere.
        if allowed.is_some() && !offer.is_open_to(draft, &candidate.object.namespace) {
            problems.push(refused(
                candidate,
                "spec.serverRef",
                ProblemCode::DomainNotAllowed,
                &offer,
                "Domains",
            ));
        }
    }
    problems
}

/// Mailboxes and Aliases that their domain does not allow.
pub(crate) fn addresses(draft: &Draft<'_>) -> Vec<Problem> {
    let offers = offers(draft);
    let mut problems = Vec::new();
    let mailboxes = draft.mailboxes.iter().filter_map(|it| address(draft, &offers, it, &it.declared.address));
    problems.extend(mailboxes);
    let aliases = draft.aliases.iter().filter_map(|it| address(draft, &offers, it, &it.declared.address));
    problems.extend(aliases);
    problems
}

fn address<T>(
    draft: &Draft<'_>,
    offers: &BTreeMap<&str, Offer<'_>>,
    candidate: &Candidate<'_, T>,
    address: &str,
) -> Option<Problem> {
    let offer = offers.get(domain_of(address))?;
    let open = offer.is_open_to(draft, &candidate.object.namespace);
    (!open).then(|| refused(candidate, "spec.address", ProblemCode::AddressNotAllowed, offer, "Mailboxes"))
}

fn refused<T>(
    candidate: &Candidate<'_, T>,
    field: &str,
    code: ProblemCode,
    offer: &Offer<'_>,
    what: &str,
) -> Problem {
    let (namespace, owner) = (&candidate.object.namespace, offer.object);
    let kinds = match candidate.object.kind {
        Kind::Mailbox => "Mailboxes".to_owned(),
        Kind::Alias => "Aliases".to_owned(),
        kind => format!("{kind}s"),
    };
    let message = format!("{owner} does not allow {kinds} from the namespace {namespace}");
    let remedy = format!("its owner can allow them with spec.allowed{what}; until then nothing changes");
    candidate.error(field, code, message, remedy)
}

/// The domains that stand, by name, with who may have addresses in them.
fn offers<'a>(draft: &'a Draft<'_>) -> BTreeMap<&'a str, Offer<'a>> {
    let mut offers: BTreeMap<&str, Offer<'_>> = BTreeMap::new();
    for row in draft.observed.domains.iter().filter(|row| row.removed_at.is_none()) {
        let Some(owner) = &row.owner else { continue };
        let offer = Offer { object: &owner.object, allowed: declared_by(draft, &owner.object) };
        offers.extend(names(&row.declared).map(|name| (name, offer)));
    }
    // What is declared counts before what runs, and a domain of its own before an alias domain.
    let (mut own, mut aliases) = (Vec::new(), Vec::new());
    for candidate in &draft.domains {
        let object = &candidate.object;
        let offer = || Offer { object, allowed: declared_by(draft, object) };
        own.push((candidate.declared.domain.as_str(), offer()));
        aliases.extend(candidate.declared.aliases.iter().map(|alias| (alias.as_str(), offer())));
    }
    offers.extend(aliases);
    offers.extend(own);
    offers
}

fn names(declared: &DomainDeclared) -> impl Iterator<Item = &str> {
    declared.aliases.iter().chain([&declared.domain]).map(String::as_str)
}

fn declared_by<'a>(draft: &'a Draft<'_>, object: &ObjectRef) -> Option<&'a AllowedNamespaces> {
    match draft.catalog.known(object)? {
        Resource::MailDomain(domain) => Some(&domain.spec.allowed_mailboxes),
        _ => None,
    }
}
