//! Which object provides which name, and who needs it: so that a change answers whom it touches without a scan.

use std::collections::{BTreeMap, BTreeSet};

use mailwright_crds::Resource;

use super::{Entry, SecretId};
use crate::reference::ObjectRef;

/// A name that one object provides and others may need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Server { namespace: String, name: String },
    Domain(String),
    Address(String),
    Secret(SecretId),
}

/// Both directions, by object.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    provides: BTreeMap<Name, BTreeSet<ObjectRef>>,
    needs: BTreeMap<Name, BTreeSet<ObjectRef>>,
}

impl Index {
    /// Adds an object; answers it, who provides the same names, and who needs them.
    pub(super) fn insert(&mut self, entry: &Entry) -> BTreeSet<ObjectRef> {
        let object = entry.object();
        for name in provided(&entry.resource) {
            self.provides.entry(name).or_default().insert(object.clone());
        }
        for name in needed(&entry.resource) {
            self.needs.entry(name).or_default().insert(object.clone());
        }
        self.touched(entry)
    }

    /// Removes an object; answers it, who provides the same names, and who needs them.
    pub(super) fn remove(&mut self, entry: &Entry) -> BTreeSet<ObjectRef> {
        let touched = self.touched(entry);
        let object = entry.object();
        for name in provided(&entry.resource) {
            forget(&mut self.provides, &name, &object);
        }
        for name in needed(&entry.resource) {
            forget(&mut self.needs, &name, &object);
        }
        touched
    }

    /// Who refers to a key of a Secret.
    pub(super) fn users_of_secret(&self, id: &SecretId) -> BTreeSet<ObjectRef> {
        self.needs.get(&Name::Secret(id.clone())).cloned().unwrap_or_default()
    }

    fn touched(&self, entry: &Entry) -> BTreeSet<ObjectRef> {
        let mut touched = BTreeSet::from([entry.object()]);
        for name in provided(&entry.resource) {
            touched.extend(self.provides.get(&name).into_iter().flatten().cloned());
            touched.extend(self.needs.get(&name).into_iter().flatten().cloned());
        }
        touched
    }
}

fn forget(map: &mut BTreeMap<Name, BTreeSet<ObjectRef>>, name: &Name, object: &ObjectRef) {
    if let Some(objects) = map.get_mut(name) {
        objects.remove(object);
        if objects.is_empty() {
            map.remove(name);
        }
    }
}

fn provided(resource: &Resource) -> Vec<Name> {
    match resource {
        Resource::MailServer(_) => vec![server(resource.namespace(), resource.name())],
        Resource::MailDomain(domain) => {
            let names = std::iter::once(&domain.spec.domain).chain(&domain.spec.aliases);
            names.map(|name| Name::Domain(name.as_str().to_owned())).collect()
        }
        Resource::Mailbox(mailbox) => vec![address(mailbox.spec.address.as_str())],
        Resource::Alias(alias) => vec![address(alias.spec.address.as_str())],
    }
}

fn needed(resource: &Resource) -> Vec<Name> {
    let namespace = resource.namespace();
    let secret = |name: &str, key: &str| Name::Secret(SecretId::new(namespace, name, key));
    match resource {
        Resource::MailServer(server) => {
            let names = server.spec.tls.secret_name.iter();
            names.flat_map(|name| ["tls.crt", "tls.key"].map(|key| secret(name.as_str(), key))).collect()
        }
        Resource::MailDomain(domain) => {
            let catch_all = domain.spec.catch_all.iter().map(|target| address(target.as_str()));
            let reference = &domain.spec.server_ref;
            catch_all.chain([server(reference.namespace(namespace), reference.name.as_str())]).collect()
        }
        Resource::Mailbox(mailbox) => {
            let credentials = mailbox.spec.credentials.as_ref();
            let secrets = credentials.and_then(mailwright_crds::mailbox::Credentials::secret).into_iter();
            let secrets = secrets.map(|(name, key)| secret(name.as_str(), key.as_str()));
            secrets.chain([Name::Domain(mailbox.spec.address.domain().to_owned())]).collect()
        }
        Resource::Alias(alias) => {
            let targets = alias.spec.targets.iter().map(|target| address(target.as_str()));
            targets.chain([Name::Domain(alias.spec.address.domain().to_owned())]).collect()
        }
    }
}

fn server(namespace: &str, name: &str) -> Name {
    Name::Server { namespace: namespace.to_owned(), name: name.to_owned() }
}

fn address(text: &str) -> Name {
    Name::Address(text.to_owned())
}
