//! Everything that one operator process knows of Secrets and of what it publishes, for all installations: the vault of
//! referenced Secrets, its own keys, the APIs that may be there. The watch of Secrets' metadata speaks to it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1 as core;
use kube_client::Client;
use mailwright_crds::{ObjectMeta, ObjectRef};
use tokio::runtime::Handle;

use super::api::{ApiError, ApiErrorKind};
use super::apis::Apis;
use super::dkim::DkimKeys;
use super::kept::{self, Kept};
use super::names;
use super::published::Published;
use super::secret::{self, Found, SecretName, Vault};
use crate::accounts::ClientIdentity;
use crate::platform::PlatformError;
use crate::platform::kubernetes::{Kubernetes, ServerObject};

/// The Secret, in the operator's namespace, with the key of credential fingerprints.
pub const FINGERPRINT_SECRET: &str = "mailwright-fingerprint-key";
/// Its key in that Secret.
const FINGERPRINT_KEY: &str = "key";
/// The field manager of what belongs to no resource.
pub(super) const MANAGER: &str = "mailwright-operator";

/// Keys and Secrets of one operator process.
pub struct Keyring {
    pub(crate) client: Client,
    pub(crate) handle: Handle,
    pub(crate) kept: Kept,
    pub(crate) dkim: DkimKeys,
    pub(crate) published: Published,
    /// The operator's own namespace.
    pub(crate) namespace: String,
    pub(crate) identity: Mutex<Option<Arc<ClientIdentity>>>,
    /// When the operator's own Secrets were last forgotten, to be read again.
    pub(crate) own_read: Mutex<Option<std::time::Instant>>,
    fingerprint_key: [u8; 32],
    vault: Vault,
    apis: Apis,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    /// Reads or makes the fingerprint key. `namespace` is the operator's own. Must be called on a tokio runtime.
    pub async fn open(client: Client, namespace: &str) -> Result<Arc<Self>, PlatformError> {
        let fingerprint_key = fingerprint_key(&client, namespace).await?;
        Ok(Arc::new(Self {
            vault: Vault::new(client.clone(), fingerprint_key),
            apis: Apis::new(client.clone()),
            handle: Handle::current(),
            kept: Kept::default(),
            dkim: DkimKeys::default(),
            published: Published::default(),
            namespace: namespace.to_owned(),
            identity: Mutex::default(),
            own_read: Mutex::default(),
            fingerprint_key,
            client,
        }))
    }

    /// The key of credential fingerprints.
    pub fn fingerprint_key(&self) -> &[u8; 32] {
        &self.fingerprint_key
    }

    /// The Secrets that resources refer to.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The kinds that may be there.
    pub fn apis(&self) -> &Apis {
        &self.apis
    }

    /// The platform of one installation.
    pub fn platform(self: &Arc<Self>, server: ServerObject) -> Kubernetes {
        Kubernetes::new(Arc::clone(self), server)
    }

    /// The watch saw a Secret. Answers the objects that are to be looked at again.
    pub fn seen(&self, metadata: &ObjectMeta) -> BTreeSet<ObjectRef> {
        let (name, version) = kept::identity(metadata);
        self.is_now(&name, version.as_deref(), is_dkim(metadata))
    }

    /// The watch saw that a Secret is gone. Answers the objects that are to be looked at again.
    pub fn gone(&self, metadata: &ObjectMeta) -> BTreeSet<ObjectRef> {
        let (name, _) = kept::identity(metadata);
        self.is_now(&name, None, is_dkim(metadata))
    }

    fn is_now(&self, name: &SecretName, version: Option<&str>, is_dkim: bool) -> BTreeSet<ObjectRef> {
        let mut touched = self.vault.seen(name, version);
        touched.extend(self.kept.seen(name, version));
        touched.extend(self.dkim.seen(name, version, is_dkim));
        touched
    }

    /// The watch began anew and saw all these Secrets: those of one namespace, or of all where `namespace` is `None`.
    pub fn relisted<'a>(
        &self,
        namespace: Option<&str>,
        listed: impl IntoIterator<Item = &'a ObjectMeta>,
    ) -> BTreeSet<ObjectRef> {
        let mut versions = BTreeMap::new();
        let mut dkim = BTreeSet::new();
        for metadata in listed {
            let (name, version) = kept::identity(metadata);
            if is_dkim(metadata) {
                dkim.insert(name.clone());
            }
            versions.insert(name, version);
        }
        let mut touched = self.vault.relisted(namespace, &versions);
        touched.extend(self.kept.relisted(namespace, &versions));
        touched.extend(self.dkim.relisted(namespace, &versions, &dkim));
        touched
    }
}

fn is_dkim(metadata: &ObjectMeta) -> bool {
    metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(names::DKIM))
}

/// The key of credential fingerprints: made once, by whoever is first, and never changed.
async fn fingerprint_key(client: &Client, namespace: &str) -> Result<[u8; 32], PlatformError> {
    let name = SecretName::new(namespace, FINGERPRINT_SECRET);
    if let Some(found) = secret::get(client, &name).await? {
        return read_key(&found);
    }
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| PlatformError::Damaged {
        path: name.to_string(),
        reason: "the system has no entropy for a key".into(),
    })?;
    let object = core::Secret {
        metadata: ObjectMeta {
            namespace: Some(name.namespace.clone()),
            name: Some(name.name.clone()),
            labels: Some(names::labels([])),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(BTreeMap::from([(FINGERPRINT_KEY.to_owned(), ByteString(key.to_vec()))])),
        type_: Some("Opaque".to_owned()),
        ..core::Secret::default()
    };
    match secret::create(client, &object, MANAGER).await {
        Ok(found) => read_key(&found),
        Err(ApiError { kind: ApiErrorKind::Exists, .. }) => match secret::get(client, &name).await? {
            Some(found) => read_key(&found),
            None => Err(ApiError::vanished(name.to_string()).into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn read_key(found: &Found) -> Result<[u8; 32], PlatformError> {
    let value = found.secret.values.get(FINGERPRINT_KEY).map(|value| value.expose());
    value.and_then(|value| value.try_into().ok()).ok_or_else(|| PlatformError::Damaged {
        path: found.name.to_string(),
        reason: format!(
            "its {FINGERPRINT_KEY} must hold 32 octets; restore it from a backup, or delete it: passwords from \
             Secrets are then applied once more"
        ),
    })
}
