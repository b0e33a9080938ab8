//! MailDomain: its row, its checks, its operations and what they mean for mail.

use std::collections::{BTreeMap, BTreeSet};

use mailwright_crds::{MailDomainSpec, Resource};
use serde_json::{Value, json};

use crate::draft::{Candidate, Draft, Standing, key_of};
use crate::effect::{Effect, Views};
use crate::observed::{DomainDeclared, DomainLimits, DomainRow};
use crate::operate::{self, Running, Wish};
use crate::operation::{Action, Change, Kept, Operation};
use crate::problem::{MEND_FIRST, Problem, ProblemCode, Severity};
use crate::reference::Kind;
use crate::universe::Universe;

/// The row that a MailDomain asks for.
pub(crate) fn declare(namespace: &str, spec: &MailDomainSpec) -> DomainDeclared {
    let count = |limit: Option<i32>| limit.and_then(|limit| u32::try_from(limit).ok());
    DomainDeclared {
        domain: spec.domain.as_str().to_owned(),
        server: format!("{}/{}", spec.server_ref.namespace(namespace), spec.server_ref.name.as_str()),
        aliases: spec.aliases.iter().map(|alias| alias.as_str().to_owned()).collect(),
        parked: spec.parked,
        catch_all: spec.catch_all.as_ref().map(|target| target.as_str().to_owned()),
        limits: DomainLimits {
            mailboxes: count(spec.limits.mailboxes),
            aliases: count(spec.limits.aliases),
            default_quota: spec.limits.default_quota.as_ref().map(|quota| quota.bytes()),
            max_quota: spec.limits.max_quota.as_ref().map(|quota| quota.bytes()),
        },
        dns: dns(spec),
    }
}

/// The part of the spec that becomes DNS records, as it stands in the manifest.
fn dns(spec: &MailDomainSpec) -> Value {
    let mut dns = json!({
        "dkim": spec.dkim,
        "dmarc": spec.dmarc,
        "spf": spec.spf,
        "mtaSTS": spec.mta_sts,
    });
    if let Some(reporting) = &spec.tls_reporting {
        dns["tlsReporting"] = json!(reporting);
    }
    if let Some(caa) = &spec.caa {
        dns["caa"] = json!(caa);
    }
    dns
}

/// Domains that are declared no more although addresses in them are, with who they are: they stay served.
pub(crate) fn blocked<'a>(draft: &Draft<'a>) -> BTreeMap<&'a str, Vec<String>> {
    let mut blocked: BTreeMap<&str, Vec<String>> = draft
        .observed
        .domains
        .iter()
        .filter(|row| row.removed_at.is_none())
        .map(|row| (row.declared.domain.as_str(), row.owner.as_deref()))
        .filter(|(domain, owner)| draft.standing(Kind::MailDomain, domain, *owner) == Standing::Removed)
        .map(|(domain, _)| (domain, Vec::new()))
        .collect();
    if blocked.is_empty() {
        return blocked;
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for entry in draft.catalog.entries() {
        let key = match &entry.resource {
            Resource::Mailbox(_) | Resource::Alias(_) => key_of(&entry.resource),
            _ => continue,
        };
        if let Some(users) = blocked.get_mut(domain_of(&key)) {
            users.push(format!("{key}{}", entry.place("spec.address").at()));
            seen.insert(key);
        }
    }
    let observed = draft.observed;
    let mailboxes = observed.mailboxes.iter().filter(|row| draft.stays_in_service(row));
    let mailboxes = mailboxes.map(|row| &row.declared.address);
    let aliases = observed.aliases.iter().map(|row| (&row.declared.address, row.owner.as_deref()));
    let aliases = aliases.filter(|(key, owner)| draft.standing(Kind::Alias, key, *owner).stays());
    for address in mailboxes.chain(aliases.map(|(key, _)| key)).filter(|address| !seen.contains(*address)) {
        if let Some(users) = blocked.get_mut(domain_of(address)) {
            users.push(address.clone());
        }
    }
    blocked.retain(|_, users| !users.is_empty());
    blocked
}

/// What is after the `@`.
pub(crate) fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

pub(crate) fn check(draft: &Draft<'_>, universe: &Universe<'_>, problems: &mut Vec<Problem>) {
    let parked_before = taking_mail(draft);
    for candidate in &draft.domains {
        check_server(candidate, universe, problems);
        check_catch_all(candidate, universe, problems);
        let domain = &candidate.declared.domain;
        let users = parked_before.get(domain.as_str()).filter(|_| candidate.declared.parked);
        if let Some(address) = users {
            problems.push(candidate.error(
                "spec.parked",
                ProblemCode::ParkedDomain,
                format!("{domain} cannot be parked while {address} and others take mail in it"),
                "remove its addresses first".to_owned(),
            ));
        }
    }
}

/// Domains in service that are not parked and have an address that stays, with the first such address.
fn taking_mail<'a>(draft: &'a Draft<'_>) -> BTreeMap<&'a str, &'a str> {
    let rows = draft.observed.domains.iter().filter(|row| row.removed_at.is_none() && !row.declared.parked);
    let open: BTreeSet<&str> = rows.map(|row| row.declared.domain.as_str()).collect();
    let mailboxes = draft.observed.mailboxes.iter().filter(|row| row.removed_at.is_none());
    let mailboxes = mailboxes.map(|row| (Kind::Mailbox, row.declared.address.as_str(), row.owner.as_deref()));
    let aliases = draft.observed.aliases.iter();
    let aliases = aliases.map(|row| (Kind::Alias, row.declared.address.as_str(), row.owner.as_deref()));
    let staying = mailboxes
        .chain(aliases)
        .filter(|(kind, key, owner)| draft.standing(*kind, key, *owner) != Standing::Removed)
        .map(|(_, key, _)| key);
    let mut first = BTreeMap::new();
    for address in staying.filter(|address| open.contains(domain_of(address))) {
        first.entry(domain_of(address)).or_insert(address);
    }
    first
}

fn check_server(
    candidate: &Candidate<'_, DomainDeclared>,
    universe: &Universe<'_>,
    problems: &mut Vec<Problem>,
) {
    let server = &candidate.declared.server;
    if universe.servers.contains_key(server.as_str()) {
        return;
    }
    let known: Vec<&str> = universe.servers.keys().copied().collect();
    let (message, remedy) = match (universe.declared_wrongly(&[Kind::MailServer], server), known.as_slice()) {
        (Some(wrong), _) => (wrong, MEND_FIRST.to_owned()),
        (None, []) => (format!("there is no MailServer {server}"), "declare it".to_owned()),
        (None, known) => {
            (format!("there is no MailServer {server}"), format!("the MailServers are {}", known.join(", ")))
        }
    };
    problems.push(candidate.error("spec.serverRef.name", ProblemCode::UnknownServer, message, remedy));
}

fn check_catch_all(
    candidate: &Candidate<'_, DomainDeclared>,
    universe: &Universe<'_>,
    problems: &mut Vec<Problem>,
) {
    let Some(target) = &candidate.declared.catch_all else { return };
    if let Some(problem) = crate::alias::check_target(candidate, "spec.catchAll", target, universe) {
        problems.push(problem);
    }
}

/// Creates, updates and removes domains.
pub(crate) fn operate(
    draft: &Draft<'_>,
    operations: &mut Vec<Operation>,
    kept: &mut Vec<Kept>,
    problems: &mut Vec<Problem>,
) {
    let rows: BTreeMap<&str, &DomainRow> =
        draft.observed.domains.iter().map(|row| (row.declared.domain.as_str(), row)).collect();
    for candidate in &draft.domains {
        operations.extend(put(draft, candidate, rows.get(candidate.declared.domain.as_str()).copied()));
    }
    let blocked = blocked(draft);
    let addressed = addressed_after(draft);
    for (domain, row) in rows {
        let Some(owner) = &row.owner else { continue };
        match draft.standing(Kind::MailDomain, domain, Some(owner)) {
            Standing::Kept(reason) => {
                kept.push(Kept { object: owner.object.clone(), subject: domain.to_owned(), reason });
            }
            Standing::Removed => match blocked.get(domain) {
                Some(users) => problems.push(deletion_blocked(row, users)),
                None if !addressed.contains(domain) => {
                    let change = Change::DeleteDomain { domain: domain.to_owned() };
                    operations.push(operate::unwanted(owner, domain, Action::Delete, change));
                }
                None if row.removed_at.is_none() => {
                    let change = Change::DisableDomain { domain: domain.to_owned() };
                    operations.push(operate::unwanted(owner, domain, Action::Disable, change));
                }
                None => {}
            },
            _ => {}
        }
    }
}

/// The domains that still have rows of addresses once removals are applied: those rows keep mail.
fn addressed_after<'a>(draft: &Draft<'a>) -> BTreeSet<&'a str> {
    let mailboxes = draft.observed.mailboxes.iter().filter(|row| {
        let standing = draft.standing(Kind::Mailbox, &row.declared.address, row.owner.as_deref());
        standing != Standing::Removed || !draft.is_due(row)
    });
    let aliases = draft.observed.aliases.iter().filter(|row| {
        draft.standing(Kind::Alias, &row.declared.address, row.owner.as_deref()) != Standing::Removed
    });
    let keys = mailboxes.map(|row| row.declared.address.as_str());
    keys.chain(aliases.map(|row| row.declared.address.as_str())).map(domain_of).collect()
}

fn deletion_blocked(row: &DomainRow, users: &[String]) -> Problem {
    let domain = &row.declared.domain;
    Problem {
        origin: row.owner.as_deref().and_then(|owner| owner.origin.clone().known()),
        object: row.owner.as_deref().map(|owner| owner.object.clone()),
        field: String::new(),
        code: ProblemCode::DeletionBlocked,
        severity: Severity::Error,
        message: format!("{domain} is declared no more but has addresses: {}", crate::effect::list(users)),
        remedy: Some("it stays served; declare it again, or remove its addresses too".to_owned()),
    }
}

fn put(
    draft: &Draft<'_>,
    candidate: &Candidate<'_, DomainDeclared>,
    row: Option<&DomainRow>,
) -> Vec<Operation> {
    let declared = &candidate.declared;
    let running = row.map(|row| Running {
        declared: &row.declared,
        owner: row.owner.as_ref(),
        enabled: true,
        removed: row.removed_at.is_some(),
    });
    let wish = Wish { declared: declared.clone(), enabled: true, beside: Vec::new() };
    let (subject, blank) = (&declared.domain, || blank(declared));
    operate::put(candidate, draft.settings, subject, running.as_ref(), wish, blank, |declared, owner, _| {
        Change::PutDomain { declared, owner }
    })
}

/// A domain that declares nothing but its name: what a new one is compared with.
fn blank(declared: &DomainDeclared) -> DomainDeclared {
    let spec = json!({"serverRef": {"name": "blank"}, "domain": "blank.invalid"});
    serde_json::from_value::<MailDomainSpec>(spec).map_or_else(
        |_| declared.clone(),
        |spec| DomainDeclared { server: declared.server.clone(), ..declare("", &spec) },
    )
}

/// What an operation on a domain means.
pub(crate) fn effect(views: &Views<'_>, operation: &Operation) -> Effect {
    let mut effect = Effect::default();
    match &operation.change {
        Change::PutDomain { declared, .. } => {
            let domain = &declared.domain;
            let before = views.before.domain(domain).filter(|row| row.declared.domain == *domain);
            match before.filter(|row| row.removed_at.is_none()) {
                None if declared.parked => effect.says(format!("{domain} takes no mail, and its DNS records say so")),
                None => effect.says(format!("mail for addresses at {domain} is accepted")),
                Some(row) => updated(views, &row.declared, declared, operation, &mut effect),
            }
            if operation.action == Action::Adopt {
                effect.says(format!("{domain} is managed by {} from now on", views.source_id));
            }
        }
        Change::DisableDomain { domain } => effect.takes(format!(
            "{domain} is no longer served: all mail for it is refused (550 5.7.1); mail kept in its mailboxes stays"
        )),
        Change::DeleteDomain { domain } => {
            effect.takes(format!("{domain} is no longer served: all mail for it is refused (550 5.7.1)"));
        }
        _ => {}
    }
    effect
}

/// The alias domains that an operation gives up.
pub(crate) fn dropped_aliases(operation: &Operation) -> impl Iterator<Item = &str> {
    let dropped = operation.changes.iter().filter(|change| change.field == "spec.aliases[]");
    dropped.filter(|change| change.to.is_none()).filter_map(|change| change.from.as_deref())
}

fn updated(
    views: &Views<'_>,
    before: &DomainDeclared,
    after: &DomainDeclared,
    operation: &Operation,
    effect: &mut Effect,
) {
    let domain = &after.domain;
    match (before.parked, after.parked) {
        (false, true) => effect.takes(format!("{domain} takes no mail any more (556 5.1.10)")),
        (true, false) => effect.says(format!("mail for addresses at {domain} is accepted")),
        _ => {}
    }
    for alias in after.aliases.iter().filter(|alias| !before.aliases.contains(alias)) {
        effect.says(format!("addresses at {alias} mean the same as at {domain}"));
    }
    for alias in dropped_aliases(operation) {
        match views.after.domain(alias).filter(|other| other.declared.domain != *domain) {
            Some(other) => {
                let other = &other.declared.domain;
                effect
                    .takes(format!("addresses at {alias} no longer mean those at {domain}, but at {other}"));
            }
            None => effect.takes(format!("mail for addresses at {alias} is refused (550 5.7.1)")),
        }
    }
    match (&before.catch_all, &after.catch_all) {
        (old, new) if old == new => {}
        (Some(old), Some(new)) => {
            effect.takes(format!("mail for unknown addresses of {domain} goes to {new} instead of {old}"));
        }
        (None, Some(new)) => effect.says(format!("mail for unknown addresses of {domain} goes to {new}")),
        (Some(old), None) => {
            effect.takes(format!("mail for unknown addresses of {domain} is refused; {old} got it so far"));
        }
        (None, None) => {}
    }
    if before.dns != after.dns || before.parked != after.parked {
        effect.says(format!(
            "the DNS records of {domain} change: publish what `mailwright dns {domain}` prints"
        ));
    }
}
