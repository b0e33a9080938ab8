//! DKIM keys as Secrets: one for each key, immutable, in the namespace of the MailDomain, owned by nobody, so that a domain
//! which is declared again signs with the keys that are published. Found by label; made by whoever is first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1 as core;
use kube_client::Client;
use kube_client::core::params::ListParams;
use mailwright_crds::mail_domain::DkimAlgorithm;
use mailwright_crds::{Kind, ObjectMeta, ObjectRef};

use super::api::{ApiError, ApiErrorKind};
use super::names;
use super::secret::{self, Found, SecretName};
use super::status::manager;
use crate::dkim::{self, DkimKey};
use crate::platform::PlatformError;

/// The type of a Secret with a DKIM key.
const TYPE: &str = "mailwright.dev/dkim";
/// The key in its data: PKCS #8 in PEM.
const PRIVATE: &str = "private.pem";
/// Annotations that say what the key is.
const SELECTOR: &str = "mailwright.dev/selector";
const ALGORITHM: &str = "mailwright.dev/algorithm";
/// The field manager.
const MANAGER: &str = manager(Kind::MailDomain);

/// The DKIM keys of all namespaces that were asked for.
#[derive(Debug, Default)]
pub struct DkimKeys {
    namespaces: Mutex<BTreeMap<String, Namespace>>,
}

#[derive(Debug, Default)]
struct Namespace {
    secrets: BTreeMap<SecretName, Held>,
    /// Those that the watch saw and that are to be read.
    due: BTreeSet<SecretName>,
    /// Who is to look again when a key changes.
    users: BTreeSet<ObjectRef>,
}

#[derive(Debug, Clone)]
struct Held {
    version: String,
    domain: String,
    /// The key, or why it cannot be read.
    key: Result<DkimKey, String>,
}

impl DkimKeys {
    /// The keys of a domain in the order of their selectors. Reads the keys of a namespace once, then what changed.
    pub async fn of(
        &self,
        client: &Client,
        namespace: &str,
        domain: &str,
        user: &ObjectRef,
    ) -> Result<Vec<DkimKey>, PlatformError> {
        self.bring_up_to_date(client, namespace, user).await?;
        let namespaces = self.namespaces();
        let Some(known) = namespaces.get(namespace) else { return Ok(Vec::new()) };
        let mut keys = Vec::new();
        for (name, held) in known.secrets.iter().filter(|(_, held)| held.domain == domain) {
            match &held.key {
                Ok(key) => keys.push(key.clone()),
                Err(reason) => {
                    let (path, reason) = (name.to_string(), reason.clone());
                    return Err(PlatformError::Damaged { path, reason });
                }
            }
        }
        keys.sort_by(|a, b| a.selector.cmp(&b.selector));
        Ok(keys)
    }

    /// Keeps a new key, unless the API server has one of its algorithm already: what a cache says is not enough to make
    /// one. Answers the key that is kept.
    pub async fn put(
        &self,
        client: &Client,
        namespace: &str,
        domain: &str,
        key: &DkimKey,
    ) -> Result<DkimKey, PlatformError> {
        let selector = format!("{}={}", names::DOMAIN, names::label(domain));
        let listed = secret::list(client, namespace, &ListParams::default().labels(&selector)).await?;
        for found in listed {
            let held = self.keep(namespace, found);
            if held.domain != domain {
                continue;
            }
            match held.key {
                Ok(other) if other.algorithm == key.algorithm => return Ok(other),
                _ => {}
            }
        }
        let object = object(namespace, domain, key);
        match secret::create(client, &object, MANAGER).await {
            Ok(found) => {
                self.keep(namespace, found);
                Ok(key.clone())
            }
            Err(ApiError { kind: ApiErrorKind::Exists, .. }) => {
                self.taken(client, &SecretName::new(namespace, secret_name(domain, key)), domain).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Somebody made a Secret of this name a moment ago: when it is a key of the domain, it is the key.
    async fn taken(
        &self,
        client: &Client,
        name: &SecretName,
        domain: &str,
    ) -> Result<DkimKey, PlatformError> {
        let found = secret::get(client, name).await?.ok_or_else(|| ApiError::vanished(name.to_string()))?;
        if found.type_ != TYPE {
            return Err(PlatformError::NotOurs { object: name.to_string() });
        }
        let held = self.keep(&name.namespace, found);
        match held.key {
            Ok(key) if held.domain == domain => Ok(key),
            Ok(_) => Err(PlatformError::NotOurs { object: name.to_string() }),
            Err(reason) => Err(PlatformError::Damaged { path: name.to_string(), reason }),
        }
    }

    /// The watch saw this version of a Secret, or that it is gone. Answers who is to look again.
    pub fn seen(&self, name: &SecretName, version: Option<&str>, is_key: bool) -> BTreeSet<ObjectRef> {
        let mut namespaces = self.namespaces();
        let Some(known) = namespaces.get_mut(&name.namespace) else { return BTreeSet::new() };
        let held = known.secrets.get(name).map(|held| held.version.as_str());
        if held == version || (held.is_none() && !is_key) {
            return BTreeSet::new();
        }
        known.due.insert(name.clone());
        known.users.clone()
    }

    /// The watch began anew and saw all of these, and among them these keys.
    pub fn relisted(
        &self,
        namespace: Option<&str>,
        versions: &BTreeMap<SecretName, Option<String>>,
        keys: &BTreeSet<SecretName>,
    ) -> BTreeSet<ObjectRef> {
        let mut names = keys.clone();
        for (of, known) in self.namespaces().iter() {
            if namespace.is_none_or(|namespace| namespace == of) {
                names.extend(known.secrets.keys().cloned());
            }
        }
        let version = |name: &SecretName| versions.get(name).and_then(|version| version.as_deref());
        names.iter().flat_map(|name| self.seen(name, version(name), keys.contains(name))).collect()
    }

    async fn bring_up_to_date(
        &self,
        client: &Client,
        namespace: &str,
        user: &ObjectRef,
    ) -> Result<(), ApiError> {
        let due: Option<BTreeSet<SecretName>> = self.namespaces().get_mut(namespace).map(|known| {
            known.users.insert(user.clone());
            known.due.clone()
        });
        let Some(due) = due else {
            let selector = format!("{}=true", names::DKIM);
            let listed = secret::list(client, namespace, &ListParams::default().labels(&selector)).await?;
            let secrets = listed.into_iter().map(|found| (found.name.clone(), held(&found)));
            let known = Namespace {
                secrets: secrets.collect(),
                due: BTreeSet::new(),
                users: BTreeSet::from([user.clone()]),
            };
            self.namespaces().insert(namespace.to_owned(), known);
            return Ok(());
        };
        for name in due {
            let found = secret::get(client, &name).await?.filter(|found| found.type_ == TYPE);
            let mut namespaces = self.namespaces();
            let Some(known) = namespaces.get_mut(namespace) else { continue };
            known.due.remove(&name);
            match found {
                Some(found) => known.secrets.insert(name, held(&found)),
                None => known.secrets.remove(&name),
            };
        }
        Ok(())
    }

    fn keep(&self, namespace: &str, found: Found) -> Held {
        let held = held(&found);
        if let Some(known) = self.namespaces().get_mut(namespace) {
            known.due.remove(&found.name);
            known.secrets.insert(found.name, held.clone());
        }
        held
    }

    fn namespaces(&self) -> MutexGuard<'_, BTreeMap<String, Namespace>> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the Secret of a key.
fn secret_name(domain: &str, key: &DkimKey) -> String {
    names::name(domain, &format!("-dkim-{}", key.selector))
}

fn word(algorithm: DkimAlgorithm) -> &'static str {
    match algorithm {
        DkimAlgorithm::Rsa2048 => "rsa2048",
        DkimAlgorithm::Ed25519 => "ed25519",
    }
}

fn object(namespace: &str, domain: &str, key: &DkimKey) -> core::Secret {
    let annotations = [
        (names::DOMAIN, domain.to_owned()),
        (SELECTOR, key.selector.clone()),
        (ALGORITHM, word(key.algorithm).to_owned()),
    ];
    core::Secret {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(secret_name(domain, key)),
            labels: Some(names::labels([
                (names::DKIM, "true".to_owned()),
                (names::DOMAIN, names::label(domain)),
            ])),
            annotations: Some(annotations.map(|(name, value)| (name.to_owned(), value)).into()),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(BTreeMap::from([(PRIVATE.to_owned(), ByteString(key.private_pem.clone().into_bytes()))])),
        type_: Some(TYPE.to_owned()),
        ..core::Secret::default()
    }
}

/// Reads a Secret back. The domain is in an annotation, since a label is too short for a long one.
fn held(found: &Found) -> Held {
    let annotation = |name: &str| found.annotations.get(name).cloned();
    let domain = annotation(names::DOMAIN).or_else(|| found.labels.get(names::DOMAIN).cloned());
    Held { version: found.version.clone(), domain: domain.unwrap_or_default(), key: key(found) }
}

fn key(found: &Found) -> Result<DkimKey, String> {
    let annotation = |name: &str| found.annotations.get(name).map(String::as_str);
    let missing = |name: &str| format!("its annotation {name} is missing; restore it from a backup");
    let selector = annotation(SELECTOR).ok_or_else(|| missing(SELECTOR))?;
    let algorithm = match annotation(ALGORITHM) {
        Some("rsa2048") => DkimAlgorithm::Rsa2048,
        Some("ed25519") => DkimAlgorithm::Ed25519,
        _ => return Err(missing(ALGORITHM)),
    };
    let pem = found.text(PRIVATE).ok_or_else(|| format!("it has no {PRIVATE}; restore it from a backup"))?;
    dkim::parse(selector.to_owned(), algorithm, pem).map_err(|error| error.to_string())
}
