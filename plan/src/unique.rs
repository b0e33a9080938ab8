//! One name, one holder: addresses, domains, alias domains, catch-alls and the installation itself.
//!
//! Of several objects that claim a name, the one whose row already holds it keeps it; where no row does, a mailbox
//! before an alias, the MailServer that most domains name, then the one that was made first, and then the one that stands first
//! in the files. The others get a problem that names both places. A row of another source always keeps its name.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::draft::{Draft, Standing};
use crate::observed::Owner;
use crate::problem::{Problem, ProblemCode, Severity};
use crate::reference::{Kind, ObjectRef};

/// What must be unique, and among what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// One MailServer for each installation.
    Installation,
    /// Domains and alias domains.
    Domain(String),
    /// Mailboxes and aliases.
    Address(String),
    /// `catchAll` and `@domain`.
    CatchAll(String),
}

struct Claim<'a> {
    object: &'a ObjectRef,
    entry: &'a crate::catalog::Entry,
    key: &'a str,
    field: String,
}

/// A row that holds a name.
struct Holder<'a> {
    kind: Kind,
    key: &'a str,
    owner: Option<&'a Owner>,
    standing: Standing,
    /// The row goes out of service but keeps its name.
    lingers: bool,
}

/// Domains and servers alone: who may have addresses is asked of those that are there.
pub(crate) fn domains(draft: &Draft<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    problems.retain(|problem| {
        let kind = problem.object.as_ref().map(|object| object.kind);
        matches!(kind, Some(Kind::MailServer | Kind::MailDomain)) && problem.field != "spec.catchAll"
    });
    problems
}

pub(crate) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    let holders = holders(draft);
    for (name, claims) in claims(draft) {
        let held: &[Holder<'_>] = holders.get(&name).map_or(&[], Vec::as_slice);
        let winner = winner(draft, &claims, held);
        for claim in &claims {
            if claim.object != winner.object {
                problems.push(claim.twice(&name, winner));
            } else if let Some(holder) = held.iter().find(|holder| in_the_way(draft, claim, holder)) {
                problems.push(claim.taken(&name, holder, &draft.settings.source_id));
            }
        }
    }
}

/// The claim of the object that owns a row with the name, else (of servers) the one that most domains name, else the oldest,
/// else the first one in the files.
fn winner<'c, 'a>(draft: &Draft<'_>, claims: &'c [Claim<'a>], held: &[Holder<'_>]) -> &'c Claim<'a> {
    let owns = |claim: &&Claim<'_>| {
        held.iter().any(|holder| holder.owner.is_some_and(|owner| owner.object == *claim.object))
    };
    let named = |claim: &Claim<'a>| match claim.object.kind {
        Kind::MailServer => draft.domains.iter().filter(|it| it.declared.server == claim.key).count(),
        _ => 0,
    };
    let first = |claim: &&Claim<'a>| {
        let (created, place) = (claim.entry.resource.created(), claim.entry.origin.clone());
        (claim.object.kind, Reverse(named(claim)), created, place, claim.object.clone())
    };
    let owner = claims.iter().filter(owns).min_by_key(first);
    // A name is in the map because something claims it.
    owner.or_else(|| claims.iter().min_by_key(first)).unwrap_or(&claims[0])
}

fn in_the_way(draft: &Draft<'_>, claim: &Claim<'_>, holder: &Holder<'_>) -> bool {
    let same_row = holder.kind == claim.object.kind && holder.key == claim.key;
    if !same_row {
        // Mail for somebody who left may go elsewhere while the account is kept.
        let left = holder.kind == Kind::Mailbox && claim.object.kind == Kind::Alias;
        return holder.standing.stays() || (holder.lingers && !left);
    }
    match holder.owner {
        Some(owner) if owner.managed_by != draft.settings.source_id => {
            !draft.takes_over(holder.kind, holder.key)
        }
        // The owner of the row is declared, but wrong or suspended: taking its row would be taking its mail.
        Some(owner) => owner.object != *claim.object && draft.is_frozen(&owner.object),
        None => draft.stays_unmanaged(holder.kind, holder.key),
    }
}

impl Claim<'_> {
    fn twice(&self, name: &Name, winner: &Claim<'_>) -> Problem {
        let other = format!("{}{}", winner.object, winner.entry.place(&winner.field).at());
        let (code, message, remedy) = match name {
            Name::Installation => (
                ProblemCode::Duplicate,
                format!("an installation has one MailServer, and {other} is it"),
                "remove one of the two".to_owned(),
            ),
            Name::CatchAll(domain) => (
                ProblemCode::CatchAllTwice,
                format!("unknown addresses of {domain} already go where {other} says"),
                format!("use either catchAll of the MailDomain or an Alias for @{domain}"),
            ),
            Name::Domain(name) | Name::Address(name) => (
                ProblemCode::Duplicate,
                format!("{name} is already declared by {other}"),
                "remove one of the two".to_owned(),
            ),
        };
        self.problem(code, message, remedy)
    }

    fn taken(&self, name: &Name, holder: &Holder<'_>, source: &str) -> Problem {
        let text = name.text();
        let same_row = holder.kind == self.object.kind && holder.key == self.key;
        match (&holder.standing, holder.owner) {
            (Standing::Foreign, Some(owner)) => self.problem(
                ProblemCode::Conflict,
                format!(
                    "{text} is managed by {} ({}{}), not by {source}",
                    owner.managed_by,
                    owner.object,
                    owner.origin.at()
                ),
                match same_row {
                    true => format!(
                        "remove one of the two; to take it over, give the token of {}, or set adoption",
                        owner.managed_by
                    ),
                    false => "remove it there first; until then that source keeps it".to_owned(),
                },
            ),
            (Standing::Unmanaged | Standing::Declared, None) if same_row => self.problem(
                ProblemCode::Conflict,
                format!("{text} already exists, managed by nobody and not by {source}"),
                "set adoption: IfIdentical where it is declared as it is, or Force to take it over"
                    .to_owned(),
            ),
            (Standing::Unmanaged, _) | (_, None) => self.problem(
                ProblemCode::Conflict,
                format!(
                    "{text} already exists as {} {} that nobody manages",
                    article(holder.kind),
                    holder.kind
                ),
                format!("declare it as {} {} to take it over", article(holder.kind), holder.kind),
            ),
            (Standing::Removed, _) if holder.kind == Kind::Mailbox => self.problem(
                ProblemCode::Duplicate,
                format!("{text} is the address of a removed mailbox whose mail is kept"),
                format!("declare the Mailbox again, or delete its mail: mailwright purge {text}"),
            ),
            (Standing::Removed, _) => self.problem(
                ProblemCode::Duplicate,
                format!(
                    "{text} belongs to the removed domain {}, which still has addresses or kept mail",
                    holder.key
                ),
                "declare that MailDomain again, or remove its addresses and delete their mail".to_owned(),
            ),
            (_, Some(owner)) => self.problem(
                ProblemCode::Duplicate,
                format!("{text} belongs to {}{}, which stays as it is", owner.object, owner.origin.at()),
                "mend that object, or remove it".to_owned(),
            ),
        }
    }

    fn problem(&self, code: ProblemCode, message: String, remedy: String) -> Problem {
        Problem {
            origin: self.entry.place(&self.field).known(),
            object: Some(self.object.clone()),
            field: self.field.clone(),
            code,
            severity: Severity::Error,
            message,
            remedy: Some(remedy),
        }
    }
}

impl Name {
    fn text(&self) -> String {
        match self {
            Name::Installation => "the installation".to_owned(),
            Name::Domain(name) | Name::Address(name) => name.clone(),
            Name::CatchAll(domain) => format!("the catch-all of {domain}"),
        }
    }
}

fn article(kind: Kind) -> &'static str {
    if kind == Kind::Alias { "an" } else { "a" }
}

fn claims<'a>(draft: &'a Draft<'_>) -> BTreeMap<Name, Vec<Claim<'a>>> {
    let mut claims: BTreeMap<Name, Vec<Claim<'a>>> = BTreeMap::new();
    let mut add = |name, object, entry, key, field: String| {
        claims.entry(name).or_default().push(Claim { object, entry, key, field });
    };
    for it in &draft.servers {
        add(Name::Installation, &it.object, it.entry, it.declared.name.as_str(), "metadata.name".to_owned());
    }
    for it in &draft.domains {
        let (key, declared) = (it.declared.domain.as_str(), &it.declared);
        add(Name::Domain(declared.domain.clone()), &it.object, it.entry, key, "spec.domain".to_owned());
        for (index, alias) in declared.aliases.iter().enumerate() {
            add(Name::Domain(alias.clone()), &it.object, it.entry, key, format!("spec.aliases[{index}]"));
        }
        if declared.catch_all.is_some() {
            add(
                Name::CatchAll(declared.domain.clone()),
                &it.object,
                it.entry,
                key,
                "spec.catchAll".to_owned(),
            );
        }
    }
    for it in &draft.mailboxes {
        let address = &it.declared.address;
        add(Name::Address(address.clone()), &it.object, it.entry, address, "spec.address".to_owned());
    }
    for it in &draft.aliases {
        let address = &it.declared.address;
        let name = match address.strip_prefix('@') {
            Some(domain) => Name::CatchAll(domain.to_owned()),
            None => Name::Address(address.clone()),
        };
        add(name, &it.object, it.entry, address, "spec.address".to_owned());
    }
    claims
}

fn holders<'a>(draft: &Draft<'a>) -> BTreeMap<Name, Vec<Holder<'a>>> {
    let observed = draft.observed;
    let mut holders: BTreeMap<Name, Vec<Holder<'a>>> = BTreeMap::new();
    // Mailboxes that this plan may release: they stay in service, managed by nobody.
    let released = observed.mailboxes.iter().filter(|row| draft.stays_in_service(row));
    let released: BTreeSet<&str> = released.map(|row| row.declared.address.as_str()).collect();
    let mut add = |name, kind, key: &'a str, owner: Option<&'a Owner>, lingers| {
        let mut standing = draft.standing(kind, key, owner);
        let lingers = lingers && standing == Standing::Removed;
        if lingers && released.contains(key) {
            standing = Standing::Unmanaged;
        }
        holders.entry(name).or_default().push(Holder { kind, key, owner, standing, lingers });
    };
    for row in &observed.servers {
        add(Name::Installation, Kind::MailServer, row.declared.name.as_str(), row.owner.as_deref(), false);
    }
    let keeping: BTreeSet<&str> = observed
        .mailboxes
        .iter()
        .filter(|row| !draft.is_due(row))
        .filter_map(|row| row.declared.address.rsplit_once('@').map(|(_, domain)| domain))
        .collect();
    let blocked = crate::domain::blocked(draft);
    for row in &observed.domains {
        let (key, owner) = (row.declared.domain.as_str(), row.owner.as_deref());
        let lingers = keeping.contains(key) || blocked.contains_key(key);
        for name in std::iter::once(&row.declared.domain).chain(&row.declared.aliases) {
            add(Name::Domain(name.clone()), Kind::MailDomain, key, owner, lingers);
        }
        if row.declared.catch_all.is_some() {
            add(Name::CatchAll(key.to_owned()), Kind::MailDomain, key, owner, false);
        }
    }
    for row in &observed.mailboxes {
        let key = row.declared.address.as_str();
        add(Name::Address(key.to_owned()), Kind::Mailbox, key, row.owner.as_deref(), !draft.is_due(row));
    }
    for row in &observed.aliases {
        let key = row.declared.address.as_str();
        let name = match key.strip_prefix('@') {
            Some(domain) => Name::CatchAll(domain.to_owned()),
            None => Name::Address(key.to_owned()),
        };
        add(name, Kind::Alias, key, row.owner.as_deref(), false);
    }
    holders
}
