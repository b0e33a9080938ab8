//! The Secrets that resources refer to: which there are ([`References`]), when they are read, what a planner may know of
//! them, and the making of passwords that are asked for.
//!
//! A watch sees metadata only and tells the [`Vault`], which reads the values of those that somebody refers
//! to. What cannot be read keeps what was known of it; what is missing is told as missing, and a planner then leaves the
//! password as it is. Values go as soon as nobody needs them ([`Vault::forget_values`]); fingerprints stay.

mod found;
mod generate;
mod reading;
mod references;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube_client::Client;
use mailwright_crds::{ObjectRef, Resource};
use mailwright_plan::SecretId;
use mailwright_plan::catalog::SecretState;

pub use found::Found;
pub(crate) use found::{apply, create, delete, get, list};
pub use generate::password;
pub use references::{References, SecretName, Want, issued_secret, wants};

use crate::feed::Feed;
use crate::secrets;
use crate::source::Secret;

/// Secrets that are never looked at: the many that Helm and service accounts keep.
pub const NOT_OURS: &str =
    "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token,type!=bootstrap.kubernetes.io/token";

/// The Secrets that resources refer to, of all installations of one operator.
pub struct Vault {
    client: Client,
    fingerprint_key: [u8; 32],
    state: Mutex<State>,
    /// One reading at a time: two would read the same Secrets twice.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    references: References,
    known: BTreeMap<SecretName, Known>,
    due: BTreeSet<SecretName>,
}

/// What is known of a Secret.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    /// It does not exist.
    Absent,
    /// It was read.
    Present(Held),
    /// It could not be read, or not be made.
    Troubled { why: String, not_ours: bool },
}

/// A Secret that was read.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    version: String,
    keys: BTreeMap<String, SecretState>,
    values: Option<Secret>,
}

/// What a reading found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// The objects whose Secrets are not what they were.
    pub changed: BTreeSet<ObjectRef>,
    /// How many Secrets are to be tried again; the next call does.
    pub again: usize,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault that knows nothing yet.
    pub fn new(client: Client, fingerprint_key: [u8; 32]) -> Self {
        Self { client, fingerprint_key, state: Mutex::default(), reading: tokio::sync::Mutex::new(()) }
    }

    /// Takes in what an object refers to. Answers whether a Secret has to be read for it: call [`Vault::refresh`].
    pub fn declare(&self, resource: &Resource) -> bool {
        let mut state = self.state();
        let fresh = state.references.set(&resource.object_ref(), wants(resource));
        state.due.extend(fresh.iter().cloned());
        !fresh.is_empty()
    }

    /// Forgets an object, and the Secrets that only it referred to.
    pub fn forget(&self, object: &ObjectRef) {
        let mut state = self.state();
        let State { references, known, due } = &mut *state;
        references.remove(object);
        known.retain(|name, _| references.is_wanted(name));
        due.retain(|name| references.is_wanted(name));
    }

    /// The watch saw this version of a Secret, or that it is gone. Answers whom that touches; when anybody, call
    /// [`Vault::refresh`].
    pub fn seen(&self, name: &SecretName, version: Option<&str>) -> BTreeSet<ObjectRef> {
        let mut state = self.state();
        match state.known.get(name) {
            Some(Known::Absent) if version.is_none() => BTreeSet::new(),
            Some(Known::Present(held)) if Some(held.version.as_str()) == version => BTreeSet::new(),
            _ => state.due_now(name),
        }
    }

    /// The watch began anew and saw all these Secrets: those of one namespace, or of all where `namespace` is `None`.
    pub fn relisted(
        &self,
        namespace: Option<&str>,
        listed: &BTreeMap<SecretName, Option<String>>,
    ) -> BTreeSet<ObjectRef> {
        let names: Vec<SecretName> = self
            .state()
            .known
            .keys()
            .filter(|name| namespace.is_none_or(|namespace| name.namespace == namespace))
            .cloned()
            .collect();
        let version = |name: &SecretName| listed.get(name).and_then(|version| version.as_deref());
        names.iter().flat_map(|name| self.seen(name, version(name))).collect()
    }

    /// Whether a Secret was there when it was last read.
    pub fn is_there(&self, namespace: &str, name: &str) -> bool {
        let name = SecretName::new(namespace, name);
        matches!(self.state().known.get(&name), Some(Known::Present(_)))
    }

    /// Tells a feed what is known of the Secrets that these objects refer to: fingerprints to the catalog, and the values of
    /// certificates and logins, at which every pass looks. Passwords are asked for when they are needed
    /// ([`Vault::recall`]).
    pub fn tell<'a>(&self, feed: &mut Feed, objects: impl IntoIterator<Item = &'a ObjectRef>) {
        let state = self.state();
        let mut told = BTreeSet::new();
        for object in objects {
            for (name, _) in state.references.of(object) {
                if told.insert(name) {
                    state.tell(feed, name);
                }
            }
        }
    }

    /// Forgets values that were read for Mailboxes: what they were read for is done. Certificates and logins stay.
    pub fn forget_values(&self) {
        let mut state = self.state();
        let State { references, known, .. } = &mut *state;
        for (name, known) in known {
            if let (false, Some(held)) = (references.is_wanted_by_server(name), known.held_mut()) {
                held.values = None;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due_now(&mut self, name: &SecretName) -> BTreeSet<ObjectRef> {
        let users: BTreeSet<ObjectRef> = self.references.users(name).cloned().collect();
        if !users.is_empty() {
            self.due.insert(name.clone());
        }
        users
    }

    fn tell(&self, feed: &mut Feed, name: &SecretName) {
        let (namespace, secret) = (name.namespace.as_str(), name.name.as_str());
        feed.catalog.remove_secret(namespace, secret);
        feed.secrets.remove(namespace, secret);
        let known = self.known.get(name);
        if let Some(held) = known.and_then(Known::held) {
            for (key, state) in &held.keys {
                feed.catalog.set_secret(SecretId::new(namespace, secret, key), state.clone());
            }
            if let (true, Some(values)) = (self.references.is_wanted_by_server(name), &held.values) {
                feed.secrets.insert(namespace, secret, values.clone());
            }
        }
        if let Some(Known::Troubled { why, not_ours }) = known {
            for key in self.references.keys(name) {
                let state = match not_ours {
                    true => SecretState::NotOurs,
                    false => SecretState::Unusable { why: why.clone() },
                };
                feed.catalog.set_secret(SecretId::new(namespace, secret, key), state);
            }
        }
    }
}

impl Known {
    fn held(&self) -> Option<&Held> {
        match self {
            Known::Present(held) => Some(held),
            Known::Absent | Known::Troubled { .. } => None,
        }
    }

    fn held_mut(&mut self) -> Option<&mut Held> {
        match self {
            Known::Present(held) => Some(held),
            Known::Absent | Known::Troubled { .. } => None,
        }
    }
}

impl Held {
    fn of(found: Found, fingerprint_key: &[u8; 32]) -> Self {
        let states = found.secret.values.iter();
        let keys = states.map(|(key, value)| (key.clone(), secrets::state(key, value, fingerprint_key)));
        Self { version: found.version, keys: keys.collect(), values: Some(found.secret) }
    }
}
