//! The platform of one installation in a cluster.
//!
//! ```text
//! in the namespace of the operator      Secret mailwright-fingerprint-key    32 octets, immutable
//! in the namespace of the MailServer    Secret <name>-tls                    the pair in force
//!                                       Secret <name>-relay-login            the last good login at the smarthost
//!                                       Certificate <name>                   for cert-manager, where it is asked for
//! in the namespace of a MailDomain      Secret <domain>-dkim-<selector>      immutable, owned by nobody
//!                                       ConfigMap <name>-dns                 suggested records, a zone file per domain
//!                                       DNSEndpoint <name>                   the same for external-dns, where it is
//! ```
//!
//! The trait is synchronous and its methods run on threads that may block; each waits for the API server there. What is
//! known costs no request: [`Keyring`] is told by a watch what changed.

mod certificate;
mod issuance;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use mailwright_crds::{API_VERSION, Kind, ObjectRef};
use mailwright_plan::observed::{Issuer, ServerDeclared};
use mailwright_plan::{Catalog, Observed};

use super::{Issuance, Platform, PlatformError};
use crate::certificate::PemPair;
use crate::dkim::DkimKey;
use crate::kubernetes::database::SOURCE_PREFIX;
use crate::kubernetes::keyring::Keyring;
use crate::relay::RelayLogin;
use crate::secrets::Secrets;
use crate::zones::Zone;

/// The MailServer of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerObject {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl ServerObject {
    /// The object.
    pub fn object(&self) -> ObjectRef {
        ObjectRef {
            kind: Kind::MailServer,
            namespace: self.namespace.as_str().into(),
            name: self.name.as_str().into(),
        }
    }

    /// What makes a Secret go with the MailServer.
    pub fn as_owner(&self) -> OwnerReference {
        owner(Kind::MailServer, &self.name, &self.uid)
    }
}

/// The MailDomain of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainObject {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID; `None` when it is declared no more and only its rows and keys are left.
    pub uid: Option<String>,
    /// A repository declares it, without an object in the cluster: its keys are beside the server.
    pub of_repository: bool,
}

/// Where keys, certificates and published records of one installation live.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    keyring: Arc<Keyring>,
    server: ServerObject,
    domains: Arc<RwLock<BTreeMap<String, DomainObject>>>,
    /// Whether it is known that no Certificate of ours is left.
    released: Arc<AtomicBool>,
}

impl Kubernetes {
    /// The platform of an installation that serves no domain yet.
    pub fn new(keyring: Arc<Keyring>, server: ServerObject) -> Self {
        Self { keyring, server, domains: Arc::default(), released: Arc::default() }
    }

    /// The MailServer.
    pub fn server(&self) -> &ServerObject {
        &self.server
    }

    /// Which MailDomain a domain, or an alias domain, is declared by: [`domains`], before each pass.
    pub fn set_domains(&self, domains: BTreeMap<String, DomainObject>) {
        *self.domains.write().unwrap_or_else(PoisonError::into_inner) = domains;
    }

    fn domain(&self, domain: &str) -> Option<DomainObject> {
        self.domains.read().unwrap_or_else(PoisonError::into_inner).get(domain).cloned()
    }

    /// The namespace of a domain's keys. Those of a domain that nobody declares any more are looked for beside the server.
    fn namespace_of(&self, domain: &str) -> String {
        let object = self.domain(domain).filter(|object| !object.of_repository);
        object.map_or_else(|| self.server.namespace.clone(), |object| object.namespace)
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.keyring.handle.block_on(future)
    }
}

/// The MailDomains of an installation by the domains and alias domains that they declare, or that rows of theirs serve.
pub fn domains(catalog: &Catalog, observed: &Observed) -> BTreeMap<String, DomainObject> {
    let mut domains = BTreeMap::new();
    for row in &observed.domains {
        let Some(owner) = &row.owner else { continue };
        let uid = catalog.get(&owner.object).and_then(|entry| entry.resource.metadata().uid.clone());
        let object = DomainObject {
            namespace: owner.object.namespace.to_string(),
            name: owner.object.name.to_string(),
            uid,
            of_repository: owner.managed_by.starts_with(SOURCE_PREFIX),
        };
        for domain in std::iter::once(&row.declared.domain).chain(&row.declared.aliases) {
            domains.insert(domain.clone(), object.clone());
        }
    }
    domains
}

fn owner(kind: Kind, name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: kind.as_str().to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(false),
    }
}

impl Platform for Kubernetes {
    fn fingerprint_key(&self) -> Result<[u8; 32], PlatformError> {
        Ok(*self.keyring.fingerprint_key())
    }

    fn recall(&self, wanted: &BTreeSet<(String, String)>) -> Result<Secrets, PlatformError> {
        Ok(self.wait(self.keyring.vault().recall(wanted)))
    }

    fn dkim_keys(&self, domain: &str) -> Result<Vec<DkimKey>, PlatformError> {
        let namespace = self.namespace_of(domain);
        let keyring = &self.keyring;
        self.wait(keyring.dkim.of(&keyring.client, &namespace, domain, &self.server.object()))
    }

    fn put_dkim_key(&self, domain: &str, key: &DkimKey) -> Result<DkimKey, PlatformError> {
        let declared = self.domain(domain).filter(|object| object.uid.is_some() || object.of_repository);
        if declared.is_none() {
            return Err(PlatformError::Undeclared { domain: domain.to_owned() });
        }
        let namespace = self.namespace_of(domain);
        self.wait(self.keyring.dkim.put(&self.keyring.client, &namespace, domain, key))
    }

    fn certificate(&self, _server: &str) -> Result<Option<PemPair>, PlatformError> {
        self.wait(certificate::read(&self.keyring, &self.server))
    }

    fn put_certificate(&self, _server: &str, pair: &PemPair) -> Result<(), PlatformError> {
        self.wait(certificate::write(&self.keyring, &self.server, pair))
    }

    fn request_certificate(
        &self,
        server: &ServerDeclared,
        issuer: &Issuer,
    ) -> Result<Issuance, PlatformError> {
        self.released.store(false, Ordering::Relaxed);
        self.wait(issuance::request(&self.keyring, &self.server, &server.hostname, issuer))
    }

    fn release_certificate(&self, _server: &str) -> Result<(), PlatformError> {
        if self.released.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let released = self.wait(issuance::release(&self.keyring, &self.server));
        self.released.store(released.is_ok(), Ordering::Relaxed);
        released
    }

    fn relay_login(&self, _server: &str) -> Result<Option<RelayLogin>, PlatformError> {
        self.wait(certificate::read_login(&self.keyring, &self.server))
    }

    fn put_relay_login(&self, _server: &str, login: &RelayLogin) -> Result<(), PlatformError> {
        self.wait(certificate::write_login(&self.keyring, &self.server, login))
    }

    fn forget_relay_login(&self, _server: &str) -> Result<(), PlatformError> {
        self.wait(certificate::forget_login(&self.keyring, &self.server))
    }

    fn publish_zones(&self, domain: &str, zones: &[Zone]) -> Result<(), PlatformError> {
        match self.domain(domain) {
            Some(DomainObject { namespace, name, uid: Some(uid), .. }) => {
                self.wait(zones::publish(&self.keyring, &namespace, &name, &uid, zones))
            }
            // The ConfigMap went with the MailDomain.
            _ => Ok(()),
        }
    }

    /// None: what is published belongs to the MailDomain and goes with it.
    fn published_zones(&self) -> Result<Vec<String>, PlatformError> {
        Ok(Vec::new())
    }

    fn withdraw_zones(&self, _domain: &str) -> Result<(), PlatformError> {
        Ok(())
    }
}
