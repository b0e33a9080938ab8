//! Manifests laid over the resources of a cluster, for one MailServer, as the planner takes them. Pure.
//!
//! Passwords are compared without the operator's key: the rows' fingerprints are replaced by what a key of zeros makes of
//! the live manifest, so that exactly those differ whose manifest would change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Result, bail};
use mailwright_crds::namespaces::Labels;
use mailwright_crds::{DEFAULT_NAMESPACE, Mailbox, ObjectRef, Resource};
use mailwright_operator::feed::Feed;
use mailwright_operator::source::{Content, Object, Origin, Secret, Snapshot};
use mailwright_plan::catalog::SecretState;
use mailwright_plan::observed::Owner;
use mailwright_plan::partition::{self, Assignment, ServerKey};
use mailwright_plan::{Entry, Observed, SecretId, Shared, fingerprint};

/// The key that stands in for the operator's.
const KEY: [u8; 32] = [0; 32];

/// What is known beside the resources.
pub struct Known {
    /// The labels of namespaces.
    pub namespaces: BTreeMap<String, Labels>,
    /// The Secrets that exist; `None` when that may not be read.
    pub secrets: Option<BTreeSet<(String, String)>>,
    /// What those Secrets hold that the manifests declare anew.
    pub values: BTreeMap<(String, String), Secret>,
}

/// Everything that is laid over each other.
pub struct Overlay {
    /// The manifests.
    pub snapshot: Snapshot,
    /// The resources of the cluster.
    pub live: Vec<Resource>,
    /// Whose plan it is.
    pub server: ServerKey,
    /// What else is known.
    pub known: Known,
}

/// As `kubectl apply -n` does: what names no namespace goes into this one. `default` counts as none.
pub fn put_into(snapshot: &mut Snapshot, namespace: &str) {
    for object in &mut snapshot.objects {
        if object.reference.namespace != DEFAULT_NAMESPACE {
            continue;
        }
        let object = Arc::make_mut(object);
        object.reference.namespace = namespace.into();
        if let Content::Resource(resource) = &mut object.content {
            resource.metadata_mut().namespace = Some(namespace.to_owned());
        }
    }
}

/// The MailServer that is meant: of this name, or the only one of the namespace, or the only one there is.
pub fn server<'a>(
    resources: impl Iterator<Item = &'a Resource>,
    namespace: &str,
    name: Option<&str>,
) -> Result<ServerKey> {
    let servers: BTreeSet<(&str, &str)> = resources
        .filter(|resource| matches!(resource, Resource::MailServer(_)))
        .map(|resource| (resource.namespace(), resource.name()))
        .collect();
    let named: Vec<_> = servers.iter().filter(|(_, found)| name.is_none_or(|name| name == *found)).collect();
    let here: Vec<_> = named.iter().filter(|(found, _)| *found == namespace).collect();
    let chosen = match (here.as_slice(), named.as_slice()) {
        ([one], _) => **one,
        ([], [one]) => *one,
        _ => {
            let names: Vec<String> =
                servers.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            bail!("choose a MailServer with -n and --server; there is {names}");
        }
    };
    Ok(ServerKey::new(chosen.0, chosen.1))
}

impl Overlay {
    /// The catalog that there would be, and the rows to compare it with.
    pub fn lay(mut self, mut observed: Observed) -> (Feed, Observed) {
        self.neutralise(&mut observed);
        let overlaid: BTreeMap<ObjectRef, Origin> = self
            .snapshot
            .objects
            .iter()
            .filter_map(|object| Some((object.reference.resource()?, object.origin.clone())))
            .collect();
        for owner in owners_mut(&mut observed) {
            // A file is where this program found the manifest; the operator finds it in the API server, as before.
            if let Some(origin) = overlaid.get(&owner.object) {
                owner.origin = origin.clone();
            }
        }
        let kept =
            self.live.iter().filter(|resource| !overlaid.contains_key(&resource.object_ref())).cloned();
        let mut kept: Vec<Resource> = kept.collect();
        self.label_namespaces();
        let mut assignment = self.assign(&kept, &observed);
        let members = assignment.members.remove(&self.server).unwrap_or_default();
        self.snapshot
            .objects
            .retain(|object| object.reference.resource().is_none_or(|object| members.contains(&object)));
        kept.retain(|resource| members.contains(&resource.object_ref()));

        let mut feed = Feed::default();
        feed.take(&self.snapshot, &KEY);
        for resource in kept {
            feed.apply(resource);
        }
        for (name, labels) in std::mem::take(&mut self.known.namespaces) {
            feed.catalog.set_namespace(&name, Some(labels));
        }
        // What belongs nowhere would be left alone; say so when it is of the manifests.
        let told = |object: &ObjectRef| members.contains(object) || overlaid.contains_key(object);
        for problem in assignment.problems {
            if problem.object.as_ref().is_some_and(told) {
                feed.catalog.add_problem(problem);
            }
        }
        self.stand_in(&mut feed);
        (feed, observed)
    }

    /// Labels of the manifests' Namespaces over those of the cluster, as applying them would leave them.
    fn label_namespaces(&mut self) {
        for object in &self.snapshot.objects {
            if let Content::Namespace(labels) = &object.content {
                let known = self.known.namespaces.entry(object.reference.name.to_string()).or_default();
                known.extend(labels.clone());
            }
        }
    }

    /// Who belongs to which server, by the rule that the operator goes by.
    fn assign(&self, kept: &[Resource], observed: &Observed) -> Assignment {
        let declared =
            self.snapshot.objects.iter().filter_map(|object| Some((resource(object)?, &object.origin)));
        let here = Origin::default();
        let all = kept.iter().map(|resource| (resource, &here)).chain(declared);
        let entries: Vec<Entry> =
            all.map(|(resource, origin)| Entry::new(resource.clone(), origin.clone())).collect();
        let owners: BTreeMap<ObjectRef, ServerKey> =
            owners(observed).map(|object| (object, self.server.clone())).collect();
        partition::assign(&entries, &self.known.namespaces, &owners)
    }

    /// Makes each row's fingerprint what this program makes of the live manifest.
    fn neutralise(&self, observed: &mut Observed) {
        let live: BTreeMap<ObjectRef, &Mailbox> = self
            .live
            .iter()
            .filter_map(|resource| match resource {
                Resource::Mailbox(mailbox) => Some((resource.object_ref(), mailbox.as_ref())),
                _ => None,
            })
            .collect();
        for row in &mut observed.mailboxes {
            let (Some(owner), Some(credential)) = (&row.owner, &mut row.credential) else { continue };
            let Some(mailbox) = live.get(&owner.object) else { continue };
            if credential.fingerprint.is_some()
                && let Some(value) = self.live_value(&owner.object.namespace, mailbox)
            {
                credential.fingerprint = Some(fingerprint(&KEY, &value));
            }
        }
    }

    /// What the live manifest declares as the password, or what stands in for it.
    fn live_value(&self, namespace: &str, mailbox: &Mailbox) -> Option<Vec<u8>> {
        let credentials = mailbox.spec.credentials.as_ref()?;
        if let Some(hash) = &credentials.password_hash {
            return Some(hash.expose().as_bytes().to_vec());
        }
        let (name, key) = secret_of(mailbox)?;
        match self.known.values.get(&(namespace.to_owned(), name.clone())) {
            Some(secret) => secret.values.get(&key).map(|value| value.expose().to_vec()),
            // Declared anew and not readable: taken to change. Else nobody changes it.
            None if self.declares_secret(namespace, &name) => Some(Vec::new()),
            None => Some(stand_in(namespace, &name, &key)),
        }
    }

    fn declares_secret(&self, namespace: &str, name: &str) -> bool {
        let is = |object: &Arc<Object>| {
            matches!(object.content, Content::Secret(_))
                && (object.reference.namespace.as_str(), object.reference.name.as_str()) == (namespace, name)
        };
        self.snapshot.objects.iter().any(is)
    }

    /// Secrets that exist and are not declared anew hold what stands in for them.
    fn stand_in(&self, feed: &mut Feed) {
        let referred: BTreeSet<SecretId> =
            feed.catalog.entries().flat_map(|entry| secrets_of(&entry.resource)).collect();
        for id in referred {
            let name = (id.namespace.clone(), id.name.clone());
            let exists = self.known.secrets.as_ref().is_none_or(|names| names.contains(&name));
            if exists && !self.declares_secret(&id.namespace, &id.name) {
                let fingerprint = fingerprint(&KEY, &stand_in(&id.namespace, &id.name, &id.key));
                feed.catalog.set_secret(id, SecretState::Present { fingerprint });
            }
        }
    }
}

fn resource(object: &Arc<Object>) -> Option<&Resource> {
    match &object.content {
        Content::Resource(resource) => Some(resource),
        Content::Secret(_) | Content::Namespace(_) | Content::Policy(_) | Content::PolicyTest(_) => None,
    }
}

/// Who declared the rows.
fn owners_mut(observed: &mut Observed) -> impl Iterator<Item = &mut Shared<Owner>> {
    let servers = observed.servers.iter_mut().map(|row| &mut row.owner);
    let domains = observed.domains.iter_mut().map(|row| &mut row.owner);
    let mailboxes = observed.mailboxes.iter_mut().map(|row| &mut row.owner);
    let aliases = observed.aliases.iter_mut().map(|row| &mut row.owner);
    servers.chain(domains).chain(mailboxes).chain(aliases).flatten()
}

/// The objects that have a row.
fn owners(observed: &Observed) -> impl Iterator<Item = ObjectRef> {
    let mailboxes = observed.mailboxes.iter().map(|row| &row.owner);
    let aliases = observed.aliases.iter().map(|row| &row.owner);
    let domains = observed.domains.iter().map(|row| &row.owner);
    mailboxes.chain(aliases).chain(domains).flatten().map(|owner| owner.object.clone())
}

fn stand_in(namespace: &str, name: &str, key: &str) -> Vec<u8> {
    format!("{namespace}/{name}/{key}").into_bytes()
}

fn secret_of(mailbox: &Mailbox) -> Option<(String, String)> {
    let (name, key) = mailbox.spec.credentials.as_ref()?.secret()?;
    Some((name.as_str().to_owned(), key.as_str().to_owned()))
}

/// The values of Secrets that a resource needs.
fn secrets_of(resource: &Resource) -> Vec<SecretId> {
    let namespace = resource.namespace();
    let id = |name: &str, key: &str| SecretId::new(namespace, name, key);
    match resource {
        Resource::Mailbox(mailbox) => {
            secret_of(mailbox).map(|(name, key)| id(&name, &key)).into_iter().collect()
        }
        Resource::MailServer(server) => {
            let name = server.spec.tls.secret_name.as_ref();
            name.into_iter()
                .flat_map(|name| ["tls.crt", "tls.key"].map(|key| id(name.as_str(), key)))
                .collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
