//! Which object of a cluster belongs to which mail installation: one catalog for all of them becomes one for each.
//!
//! A MailDomain belongs to the server that it names, a Mailbox or an Alias to the server of its domain. Objects whose rows
//! are in an installation stay with it, whatever they say now: there their mail is, and there it is told what is wrong
//! with them. The result depends on the set of objects alone, not on the order in which they were seen.

mod domains;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mailwright_crds::Resource;
use mailwright_crds::namespaces::Labels;

use crate::catalog::Entry;
use crate::domain::domain_of;
use crate::draft::key_of;
use crate::problem::{Problem, ProblemCode, Severity};
use crate::reference::{Kind, ObjectRef};
use domains::Domains;

/// A MailServer: one installation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ServerKey {
    /// Names a MailServer.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The MailServer as an object.
    pub fn object(&self) -> ObjectRef {
        ObjectRef {
            kind: Kind::MailServer,
            namespace: self.namespace.as_str().into(),
            name: self.name.as_str().into(),
        }
    }
}

/// As the row of the server is called.
impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Who belongs where.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Assignment {
    /// The objects of each declared MailServer, itself among them.
    pub members: BTreeMap<ServerKey, BTreeSet<ObjectRef>>,
    /// The objects that belong to none, each with an error among the problems.
    pub unassigned: BTreeSet<ObjectRef>,
    /// What no single installation can see. Those of members go into its catalog ([`Catalog::add_problem`]): an object with
    /// an error from outside is not applied, and its row stays.
    ///
    /// [`Catalog::add_problem`]: crate::Catalog::add_problem
    pub problems: Vec<Problem>,
}

/// Assigns every object. `owners` says which installation has the row of an object, from what each of them last observed.
pub fn assign<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    namespaces: &BTreeMap<String, Labels>,
    owners: &BTreeMap<ObjectRef, ServerKey>,
) -> Assignment {
    let entries: BTreeMap<ObjectRef, &Entry> =
        entries.into_iter().map(|entry| (entry.object(), entry)).collect();
    let mut assignment = Assignment::default();
    for (object, entry) in &entries {
        if let Resource::MailServer(_) = entry.resource {
            let key = ServerKey::new(&object.namespace, &object.name);
            assignment.members.insert(key, BTreeSet::from([object.clone()]));
        }
    }
    let at = |object: &ObjectRef| owners.get(object).filter(|key| entries.contains_key(&key.object()));
    let domains = Domains::new(&entries, namespaces, at);
    for (object, entry) in &entries {
        let (server, problem) = match &entry.resource {
            Resource::MailServer(_) => continue,
            Resource::MailDomain(_) => domains.of_domain(object, entry),
            Resource::Mailbox(_) | Resource::Alias(_) => of_address(&domains, entry, at(object)),
        };
        assignment.problems.extend(problem);
        match server.and_then(|key| assignment.members.get_mut(key)) {
            Some(members) => members.insert(object.clone()),
            None => assignment.unassigned.insert(object.clone()),
        };
    }
    assignment
}

/// The server of the domain, unless the row is elsewhere.
fn of_address<'a>(
    domains: &'a Domains<'_>,
    entry: &Entry,
    row: Option<&'a ServerKey>,
) -> (Option<&'a ServerKey>, Option<Problem>) {
    let address = key_of(&entry.resource);
    let name = domain_of(&address);
    match (row, domains.server_of(name)) {
        (Some(row), Some(server)) if row != server => {
            let message =
                format!("{address} is kept on the MailServer {row}, and {name} is served by {server} now");
            let remedy =
                format!("remove this object and declare it anew to begin on {server} without its mail");
            (Some(row), Some(error(entry, "spec.address", ProblemCode::Immutable, message, remedy)))
        }
        (Some(row), _) => (Some(row), None),
        (None, Some(server)) => (Some(server), None),
        (None, None) => {
            let (message, remedy) = (crate::alias::no_domain(name), "declare one".to_owned());
            (None, Some(error(entry, "spec.address", ProblemCode::UnknownDomain, message, remedy)))
        }
    }
}

fn error(entry: &Entry, field: &str, code: ProblemCode, message: String, remedy: String) -> Problem {
    Problem {
        origin: entry.place(field).known(),
        object: Some(entry.object()),
        field: field.to_owned(),
        code,
        severity: Severity::Error,
        message,
        remedy: Some(remedy),
    }
}
