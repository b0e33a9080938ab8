//! The planner's working state: who asks for which row, which rows stay whatever happens, and why.
//!
//! "Absent is not empty" is decided here and nowhere else: a row that nothing declares stays when its object is
//! declared wrongly, suspended or declared twice, when its file is broken, or when a broken text mentions it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mailwright_crds::Resource;

use crate::adopt::{self, Adoptions};
use crate::catalog::{Catalog, Entry};
use crate::mention::Mentions;
use crate::observed::{
    AliasDeclared, DeletionPolicy, DomainDeclared, MailboxDeclared, MailboxRow, Observed, Owner,
    ServerDeclared,
};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::reference::{Kind, ObjectRef, Origin};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::{alias, domain, mailbox, server};

/// An object that asks for a row.
pub(crate) struct Candidate<'a, T> {
    pub(crate) entry: &'a Entry,
    pub(crate) object: ObjectRef,
    pub(crate) declared: Shared<T>,
}

impl<T> Candidate<'_, T> {
    /// The owner of the row once it is applied.
    pub(crate) fn owner(&self, settings: &Settings) -> Owner {
        Owner {
            managed_by: settings.source_id.clone(),
            object: self.object.clone(),
            origin: self.entry.origin.clone(),
            applied: None,
            former: None,
        }
    }

    /// An error in one of its fields.
    pub(crate) fn error(
        &self,
        field: &str,
        code: ProblemCode,
        message: String,
        remedy: impl Into<Option<String>>,
    ) -> Problem {
        problem(self.entry, field, Severity::Error, code, message, remedy.into())
    }

    /// A warning about one of its fields.
    pub(crate) fn warning(&self, field: &str, code: ProblemCode, message: String, remedy: String) -> Problem {
        problem(self.entry, field, Severity::Warning, code, message, Some(remedy))
    }
}

fn problem(
    entry: &Entry,
    field: &str,
    severity: Severity,
    code: ProblemCode,
    message: String,
    remedy: Option<String>,
) -> Problem {
    let (origin, object) = (entry.place(field).known(), Some(entry.object()));
    Problem { origin, object, field: field.to_owned(), code, severity, message, remedy }
}

/// Why a row is where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Another source owns it.
    Foreign,
    /// Nobody owns it.
    Unmanaged,
    /// A valid object declares it.
    Declared,
    /// Its object is declared, but wrong or suspended.
    Frozen,
    /// Its file is broken, or a broken text mentions it; with the reason in words.
    Kept(String),
    /// Nothing declares it any more.
    Removed,
}

impl Standing {
    /// Whether the row stays as it is, whoever asks for it.
    pub(crate) fn stays(&self) -> bool {
        !matches!(self, Self::Declared | Self::Removed)
    }
}

/// Everything that the checks and the operations look at.
pub(crate) struct Draft<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) observed: &'a Observed,
    pub(crate) settings: &'a Settings,
    pub(crate) servers: Vec<Candidate<'a, ServerDeclared>>,
    pub(crate) domains: Vec<Candidate<'a, DomainDeclared>>,
    pub(crate) mailboxes: Vec<Candidate<'a, MailboxDeclared>>,
    pub(crate) aliases: Vec<Candidate<'a, AliasDeclared>>,
    pub(crate) problems: Vec<Problem>,
    /// Objects that are declared but must not be applied, and the keys that they ask for.
    frozen: HashSet<ObjectRef>,
    frozen_keys: HashMap<(Kind, String), Origin>,
    declared_keys: HashSet<(Kind, String)>,
    mentions: Mentions<'a>,
    adoptions: Adoptions,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(catalog: &'a Catalog, observed: &'a Observed, settings: &'a Settings) -> Self {
        let mut draft = Self {
            catalog,
            observed,
            settings,
            servers: Vec::new(),
            domains: Vec::new(),
            mailboxes: Vec::new(),
            aliases: Vec::new(),
            problems: Vec::new(),
            frozen: catalog.broken_objects().keys().cloned().collect(),
            frozen_keys: HashMap::new(),
            declared_keys: HashSet::new(),
            mentions: Mentions::new(catalog),
            adoptions: Adoptions::default(),
        };
        let twice = draft.declared_twice();
        for entry in catalog.entries() {
            if twice.contains(&entry.object()) || entry.resource.is_suspended() {
                draft.frozen.insert(entry.object());
                let key = (entry.resource.kind(), key_of(&entry.resource));
                draft.frozen_keys.insert(key, entry.origin.clone());
            } else {
                draft.add(entry);
            }
        }
        draft.adoptions = draft.adoptions();
        draft
    }

    fn adoptions(&self) -> Adoptions {
        let Self { observed, settings, .. } = *self;
        let mut adoptions = Adoptions::default();
        let rows = observed.servers.iter();
        let rows = rows.map(|row| (row.declared.name.as_str(), row.owner.as_deref(), &*row.declared));
        adoptions.decide(settings, &self.servers, rows, |it| &it.name, adopt::identical);
        let rows = observed.domains.iter();
        let rows = rows.map(|row| (row.declared.domain.as_str(), row.owner.as_deref(), &*row.declared));
        adoptions.decide(settings, &self.domains, rows, |it| &it.domain, adopt::identical);
        let quotas = adopt::quotas(observed, self.domains.iter().map(|it| &*it.declared));
        let identical =
            |one: &MailboxDeclared, other: &MailboxDeclared| adopt::identical_mailbox(&quotas, one, other);
        let rows = observed.mailboxes.iter();
        let rows = rows.map(|row| (row.declared.address.as_str(), row.owner.as_deref(), &*row.declared));
        adoptions.decide(settings, &self.mailboxes, rows, |it| &it.address, identical);
        let rows = observed.aliases.iter();
        let rows = rows.map(|row| (row.declared.address.as_str(), row.owner.as_deref(), &*row.declared));
        adoptions.decide(settings, &self.aliases, rows, |it| &it.address, adopt::identical);
        adoptions
    }

    fn add(&mut self, entry: &'a Entry) {
        let object = entry.object();
        self.declared_keys.insert((object.kind, key_of(&entry.resource)));
        match &entry.resource {
            Resource::MailServer(resource) => {
                let declared = server::declare(key_of(&entry.resource), &resource.spec).into();
                self.servers.push(Candidate { entry, object, declared });
            }
            Resource::MailDomain(resource) => {
                let declared = domain::declare(entry.resource.namespace(), &resource.spec).into();
                self.domains.push(Candidate { entry, object, declared });
            }
            Resource::Mailbox(resource) => {
                let declared = mailbox::declare(resource).into();
                self.mailboxes.push(Candidate { entry, object, declared });
            }
            Resource::Alias(resource) => {
                let declared = alias::declare(&resource.spec).into();
                self.aliases.push(Candidate { entry, object, declared });
            }
        }
    }

    /// Objects that stand in two places: which one is meant nobody knows, so neither is applied.
    fn declared_twice(&mut self) -> HashSet<ObjectRef> {
        let mut places: BTreeMap<ObjectRef, BTreeSet<&Origin>> = BTreeMap::new();
        for entry in self.catalog.entries() {
            places.entry(entry.object()).or_default().insert(&entry.origin);
        }
        for (object, origins) in self.catalog.broken_objects() {
            if let Some(places) = places.get_mut(object) {
                places.extend(origins);
            }
        }
        places.retain(|_, places| places.len() > 1);
        for (object, places) in &places {
            for place in places {
                let others: Vec<String> =
                    places.iter().filter(|other| *other != place).map(ToString::to_string).collect();
                self.problems.push(Problem {
                    origin: Some((*place).clone()),
                    object: Some(object.clone()),
                    field: "metadata.name".to_owned(),
                    code: ProblemCode::DuplicateObject,
                    severity: Severity::Error,
                    message: format!("{object} is declared again at {}", others.join(", ")),
                    remedy: Some(
                        "rename or remove all but one; until then none of them is applied".to_owned(),
                    ),
                });
            }
        }
        places.into_keys().collect()
    }

    /// Takes objects with errors out of the candidates; their rows stay as they are.
    pub(crate) fn freeze(&mut self, wrong: &BTreeSet<ObjectRef>) {
        let Self { frozen, frozen_keys, .. } = self;
        let mut keep = |object: &ObjectRef, key: &str, origin: &Origin| {
            let good = !wrong.contains(object);
            if !good {
                frozen.insert(object.clone());
                frozen_keys.insert((object.kind, key.to_owned()), origin.clone());
            }
            good
        };
        self.servers.retain(|it| keep(&it.object, &it.declared.name, &it.entry.origin));
        self.domains.retain(|it| keep(&it.object, &it.declared.domain, &it.entry.origin));
        self.mailboxes.retain(|it| keep(&it.object, &it.declared.address, &it.entry.origin));
        self.aliases.retain(|it| keep(&it.object, &it.declared.address, &it.entry.origin));
        // Two objects may have asked for the same key, and only one of them was wrong.
        let left = self.servers.iter().map(|it| (Kind::MailServer, it.declared.name.clone()));
        let left = left.chain(self.domains.iter().map(|it| (Kind::MailDomain, it.declared.domain.clone())));
        let left = left.chain(self.mailboxes.iter().map(|it| (Kind::Mailbox, it.declared.address.clone())));
        let left = left.chain(self.aliases.iter().map(|it| (Kind::Alias, it.declared.address.clone())));
        self.declared_keys = left.collect();
    }

    /// Whether an object is declared but not applied.
    pub(crate) fn is_frozen(&self, object: &ObjectRef) -> bool {
        self.frozen.contains(object)
    }

    /// Where a key is declared by an object that is not applied.
    pub(crate) fn frozen_at(&self, kind: Kind, key: &str) -> Option<&Origin> {
        self.frozen_keys.get(&(kind, key.to_owned()))
    }

    /// Why the row of a key is where it is.
    pub(crate) fn standing(&self, kind: Kind, key: &str, owner: Option<&Owner>) -> Standing {
        let Some(owner) = owner else { return self.standing_of_unmanaged(kind, key) };
        let place = (kind, key.to_owned());
        let foreign = owner.managed_by != self.settings.source_id;
        if foreign && !(self.adoptions.takes(kind, key) && self.declared_keys.contains(&place)) {
            Standing::Foreign
        } else if self.declared_keys.contains(&place) {
            Standing::Declared
        } else if self.frozen.contains(&owner.object) || self.frozen_keys.contains_key(&place) {
            Standing::Frozen
        } else {
            self.mentions.why_kept(owner, key).map_or(Standing::Removed, Standing::Kept)
        }
    }

    fn standing_of_unmanaged(&self, kind: Kind, key: &str) -> Standing {
        match self.declared_keys.contains(&(kind, key.to_owned())) {
            true => Standing::Declared,
            false => Standing::Unmanaged,
        }
    }

    /// Whether a row that nobody manages must stay so although it is declared.
    pub(crate) fn stays_unmanaged(&self, kind: Kind, key: &str) -> bool {
        self.adoptions.refuses(kind, key)
    }

    /// Whether a row of another source may be taken over.
    pub(crate) fn takes_over(&self, kind: Kind, key: &str) -> bool {
        self.adoptions.takes(kind, key)
    }

    /// Whether a mailbox that is in service stays in service without being declared.
    pub(crate) fn stays_in_service(&self, row: &MailboxRow) -> bool {
        let standing = self.standing(Kind::Mailbox, &row.declared.address, row.owner.as_deref());
        let released = row.declared.deletion_policy == DeletionPolicy::Retain;
        row.removed_at.is_none() && (standing.stays() || (standing == Standing::Removed && released))
    }

    /// Whether a removed mailbox is deleted with its mail by this plan.
    pub(crate) fn is_due(&self, row: &MailboxRow) -> bool {
        row.declared.deletion_policy == DeletionPolicy::Delete
            && !row.declared.legal_hold
            && row.retain_until().is_some_and(|until| self.settings.now >= until)
    }
}

/// The key of the row that a resource asks for.
pub(crate) fn key_of(resource: &Resource) -> String {
    match resource {
        Resource::MailServer(_) => format!("{}/{}", resource.namespace(), resource.name()),
        Resource::MailDomain(domain) => domain.spec.domain.as_str().to_owned(),
        Resource::Mailbox(mailbox) => mailbox.spec.address.as_str().to_owned(),
        Resource::Alias(alias) => alias.spec.address.as_str().to_owned(),
    }
}
