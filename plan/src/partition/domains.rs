//! Which MailDomain of a cluster has which name. A name has one holder in the whole cluster: mail for it goes to one
//! server.

use std::collections::BTreeMap;

use mailwright_crds::namespaces::Labels;
use mailwright_crds::{MailDomain, Resource, Timestamp};

use super::{ServerKey, error};
use crate::catalog::Entry;
use crate::problem::{Problem, ProblemCode};
use crate::reference::ObjectRef;

/// Who claims a name. Ordered so that the one who has it comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    /// Whoever has the row has the name; then the older object, then the first by name.
    without_row: bool,
    created: Option<Timestamp>,
    object: ObjectRef,
    server: ServerKey,
}

/// The names and their holders.
pub(super) struct Domains<'a> {
    entries: &'a BTreeMap<ObjectRef, &'a Entry>,
    holders: BTreeMap<&'a str, Claim>,
    /// Where each domain belongs: to its row, or to the server it names.
    homes: BTreeMap<&'a ObjectRef, Option<ServerKey>>,
}

impl<'a> Domains<'a> {
    pub(super) fn new<'o>(
        entries: &'a BTreeMap<ObjectRef, &'a Entry>,
        namespaces: &BTreeMap<String, Labels>,
        row_at: impl Fn(&ObjectRef) -> Option<&'o ServerKey>,
    ) -> Self {
        let mut domains = Self { entries, holders: BTreeMap::new(), homes: BTreeMap::new() };
        for (object, entry) in entries {
            let Resource::MailDomain(resource) = &entry.resource else { continue };
            let row = row_at(object);
            let named = named(object, resource);
            let home = row.cloned().or_else(|| Some(named).filter(|it| entries.contains_key(&it.object())));
            domains.homes.insert(object, home.clone());
            let Some(server) = home else { continue };
            // Who is not allowed claims nothing, or a domain could be taken by declaring it first.
            if row.is_some() || domains.allows(&server, &object.namespace, namespaces) {
                let created = entry.resource.created();
                let claim = Claim { without_row: row.is_none(), created, object: object.clone(), server };
                domains.claim(resource, &claim);
            }
        }
        domains
    }

    fn allows(&self, server: &ServerKey, namespace: &str, namespaces: &BTreeMap<String, Labels>) -> bool {
        let Some(Resource::MailServer(it)) = self.entries.get(&server.object()).map(|entry| &entry.resource)
        else {
            return false;
        };
        it.spec.allowed_domains.allows(&server.namespace, namespace, namespaces.get(namespace))
    }

    fn claim(&mut self, resource: &'a MailDomain, claim: &Claim) {
        for name in names(resource) {
            match self.holders.get(name) {
                Some(holder) if holder <= claim => {}
                _ => drop(self.holders.insert(name, claim.clone())),
            }
        }
    }

    /// The server of a name.
    pub(super) fn server_of(&self, name: &str) -> Option<&ServerKey> {
        self.holders.get(name).map(|holder| &holder.server)
    }

    /// The server of a MailDomain, and what only a view over all of them can say of it.
    pub(super) fn of_domain(
        &self,
        object: &ObjectRef,
        entry: &Entry,
    ) -> (Option<&ServerKey>, Option<Problem>) {
        let Resource::MailDomain(resource) = &entry.resource else { return (None, None) };
        let Some(home) = self.homes.get(object).and_then(Option::as_ref) else {
            let named = named(object, resource);
            let (message, remedy) = (format!("there is no MailServer {named}"), "declare it".to_owned());
            let problem = error(entry, "spec.serverRef.name", ProblemCode::UnknownServer, message, remedy);
            return (None, Some(problem));
        };
        // Two of one installation are compared there, where rows are known too.
        let elsewhere = names(resource).filter_map(|name| Some((name, self.holders.get(name)?)));
        let taken = elsewhere.into_iter().find(|(_, holder)| holder.server != *home);
        let problem = taken.map(|(name, holder)| {
            let message = format!(
                "{name} is already declared by {} on the MailServer {}",
                holder.object, holder.server
            );
            error(
                entry,
                field(resource, name),
                ProblemCode::Duplicate,
                message,
                "remove one of the two".to_owned(),
            )
        });
        (Some(home), problem)
    }
}

fn named(object: &ObjectRef, resource: &MailDomain) -> ServerKey {
    let reference = &resource.spec.server_ref;
    ServerKey::new(reference.namespace(&object.namespace), reference.name.as_str())
}

fn names(resource: &MailDomain) -> impl Iterator<Item = &str> {
    std::iter::once(&resource.spec.domain).chain(&resource.spec.aliases).map(|name| name.as_str())
}

fn field(resource: &MailDomain, name: &str) -> &'static str {
    if resource.spec.domain.as_str() == name { "spec.domain" } else { "spec.aliases" }
}
