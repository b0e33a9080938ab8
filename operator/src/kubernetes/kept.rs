//! Secrets of our own (keys, certificates, logins) as they were last read or written. The watch of Secrets' metadata says
//! which of them are to be read again, so that a pass that changes nothing reads nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube_client::Client;
use mailwright_crds::{ObjectMeta, ObjectRef};

use super::api::ApiError;
use super::secret::{self, Found, SecretName};

/// What is known of our own Secrets.
#[derive(Debug, Default)]
pub struct Kept {
    entries: Mutex<BTreeMap<SecretName, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    found: Option<Arc<Found>>,
    /// Who is to look again when it changes.
    user: Option<ObjectRef>,
}

impl Kept {
    /// A Secret, read only when it is not known.
    pub async fn get(
        &self,
        client: &Client,
        name: &SecretName,
        user: Option<&ObjectRef>,
    ) -> Result<Option<Arc<Found>>, ApiError> {
        let known = self.entries().get(name).map(|entry| entry.found.clone());
        match known {
            Some(found) => Ok(found),
            None => Ok(self.put(name, secret::get(client, name).await?, user)),
        }
    }

    /// Keeps what was just read or written.
    pub fn put(
        &self,
        name: &SecretName,
        found: Option<Found>,
        user: Option<&ObjectRef>,
    ) -> Option<Arc<Found>> {
        let found = found.map(Arc::new);
        let entry = Entry { found: found.clone(), user: user.cloned() };
        self.entries().insert(name.clone(), entry);
        found
    }

    /// Forgets what is known of a Secret.
    pub fn drop(&self, name: &SecretName) {
        self.entries().remove(name);
    }

    /// The watch saw this version of a Secret, or that it is gone. Answers who is to look again.
    pub fn seen(&self, name: &SecretName, version: Option<&str>) -> Option<ObjectRef> {
        let mut entries = self.entries();
        let entry = entries.get(name)?;
        if entry.found.as_ref().map(|found| found.version.as_str()) == version {
            return None;
        }
        entries.remove(name).and_then(|entry| entry.user)
    }

    /// The watch began anew and saw all of these. Answers who is to look again.
    pub fn relisted(
        &self,
        namespace: Option<&str>,
        listed: &BTreeMap<SecretName, Option<String>>,
    ) -> BTreeSet<ObjectRef> {
        let names: Vec<SecretName> = self
            .entries()
            .keys()
            .filter(|name| namespace.is_none_or(|namespace| name.namespace == namespace))
            .cloned()
            .collect();
        names
            .iter()
            .filter_map(|name| self.seen(name, listed.get(name).and_then(|version| version.as_deref())))
            .collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<SecretName, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name and the version that metadata speak of.
pub fn identity(metadata: &ObjectMeta) -> (SecretName, Option<String>) {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    (SecretName::new(text(&metadata.namespace), text(&metadata.name)), metadata.resource_version.clone())
}
