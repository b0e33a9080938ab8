//! Which object asks for which Secret, in both directions. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mailwright_crds::well_known::ROTATE_ANNOTATION;
use mailwright_crds::{ObjectRef, Resource};

use crate::kubernetes::names;

/// A Secret by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl SecretName {
    /// Names a Secret.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret {}/{}", self.namespace, self.name)
    }
}

/// What an object wants of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// To read these keys.
    Read {
        /// The keys in its data.
        keys: Vec<String>,
    },
    /// To have a password in it, made up when there is none.
    Generate {
        /// The key in its data.
        key: String,
        /// The value of the annotation that asks for a new one; any other value than last time does.
        token: Option<String>,
    },
}

impl Want {
    fn of(keys: &[&str]) -> Self {
        Self::Read { keys: keys.iter().map(|key| (*key).to_owned()).collect() }
    }

    /// The keys that are looked at.
    pub fn keys(&self) -> &[String] {
        match self {
            Want::Read { keys } => keys,
            Want::Generate { key, .. } => std::slice::from_ref(key),
        }
    }
}

/// The keys of a Secret with a certificate, as `kubectl create secret tls` writes them.
const TLS: [&str; 2] = ["tls.crt", "tls.key"];
/// The keys of a Secret with a login at a smarthost.
const LOGIN: [&str; 2] = ["username", "password"];

/// The Secret that cert-manager is asked to write for a MailServer.
pub fn issued_secret(server: &str) -> String {
    names::name(server, "-cert-manager-tls")
}

/// The Secrets that an object refers to. They are always in its own namespace: Secrets never cross namespaces.
pub fn wants(resource: &Resource) -> BTreeMap<SecretName, Want> {
    let mut wants = BTreeMap::new();
    let mut add = |name: &str, want| wants.insert(SecretName::new(resource.namespace(), name), want);
    match resource {
        Resource::MailServer(server) => {
            if let Some(name) = &server.spec.tls.secret_name {
                add(name.as_str(), Want::of(&TLS));
            }
            if server.spec.tls.cert_manager.is_some() {
                add(&issued_secret(resource.name()), Want::of(&TLS));
            }
            let login = server.spec.relay.as_ref().and_then(|relay| relay.credentials.as_ref());
            if let Some(login) = login {
                add(login.secret_ref.name.as_str(), Want::of(&LOGIN));
            }
        }
        Resource::Mailbox(mailbox) => {
            let credentials = mailbox.spec.credentials.as_ref();
            if let Some(reference) = credentials.and_then(|it| it.secret_ref.as_ref()) {
                add(reference.name.as_str(), Want::of(&[reference.key.as_str()]));
            }
            if let Some(generate) = credentials.and_then(|it| it.generate.as_ref()) {
                // What is suspended or on its way out gets no new password; one that is there stays in use.
                let quiet = resource.is_suspended() || resource.metadata().deletion_timestamp.is_some();
                let token = resource.annotation(ROTATE_ANNOTATION).filter(|token| !token.is_empty());
                let key = generate.key.as_str();
                let asked = Want::Generate { key: key.to_owned(), token: token.map(str::to_owned) };
                add(generate.secret_name.as_str(), if quiet { Want::of(&[key]) } else { asked });
            }
        }
        Resource::MailDomain(_) | Resource::Alias(_) => {}
    }
    wants
}

/// Who refers to what.
#[derive(Debug, Default)]
pub struct References {
    wants: BTreeMap<ObjectRef, BTreeMap<SecretName, Want>>,
    users: BTreeMap<SecretName, BTreeSet<ObjectRef>>,
}

impl References {
    /// What an object refers to now. Answers the Secrets for which that is new, or asks for something else than before.
    pub fn set(&mut self, object: &ObjectRef, wants: BTreeMap<SecretName, Want>) -> BTreeSet<SecretName> {
        let before = self.wants.remove(object).unwrap_or_default();
        for name in before.keys().filter(|name| !wants.contains_key(*name)) {
            self.unlink(name, object);
        }
        for name in wants.keys() {
            self.users.entry(name.clone()).or_default().insert(object.clone());
        }
        let fresh = wants.iter().filter(|(name, want)| before.get(*name) != Some(*want));
        let fresh = fresh.map(|(name, _)| name.clone()).collect();
        if !wants.is_empty() {
            self.wants.insert(object.clone(), wants);
        }
        fresh
    }

    /// The object is gone.
    pub fn remove(&mut self, object: &ObjectRef) {
        self.set(object, BTreeMap::new());
    }

    /// What an object refers to.
    pub fn of(&self, object: &ObjectRef) -> impl Iterator<Item = (&SecretName, &Want)> {
        self.wants.get(object).into_iter().flatten()
    }

    /// Who refers to a Secret.
    pub fn users(&self, name: &SecretName) -> impl Iterator<Item = &ObjectRef> {
        self.users.get(name).into_iter().flatten()
    }

    /// Whether anybody refers to it.
    pub fn is_wanted(&self, name: &SecretName) -> bool {
        self.users.contains_key(name)
    }

    /// Every Secret that somebody refers to.
    pub fn wanted(&self) -> impl Iterator<Item = &SecretName> {
        self.users.keys()
    }

    /// The keys that somebody looks at in a Secret.
    pub fn keys<'a>(&'a self, name: &'a SecretName) -> impl Iterator<Item = &'a str> {
        let wants = self.users(name).filter_map(|object| self.wants.get(object)?.get(name));
        wants.flat_map(Want::keys).map(String::as_str)
    }

    /// Who asks for a password in a Secret: the Mailbox, the key and the token.
    pub fn generating<'a>(
        &'a self,
        name: &'a SecretName,
    ) -> impl Iterator<Item = (&'a ObjectRef, &'a str, Option<&'a str>)> {
        self.users(name).filter_map(move |object| match self.wants.get(object)?.get(name)? {
            Want::Generate { key, token } => Some((object, key.as_str(), token.as_deref())),
            Want::Read { .. } => None,
        })
    }

    fn unlink(&mut self, name: &SecretName, object: &ObjectRef) {
        if let Some(users) = self.users.get_mut(name) {
            users.remove(object);
            if users.is_empty() {
                self.users.remove(name);
            }
        }
    }
}
