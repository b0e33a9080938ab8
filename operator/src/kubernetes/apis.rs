//! Kinds of other projects that may be installed: cert-manager's Certificate and external-dns' DNSEndpoint. They are used
//! when the API server serves them, and looked for again from time to time, so that installing one later needs no restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube_client::Client;
use kube_client::core::discovery::ApiResource;
use kube_client::core::gvk::GroupVersionKind;
use tokio::sync::watch;

use super::api::{self, ApiError};

/// Installing something takes a person longer than this; asking costs one small read.
pub const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A kind that may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// `cert-manager.io/v1` Certificate.
    Certificate,
    /// `externaldns.k8s.io/v1alpha1` DNSEndpoint.
    DnsEndpoint,
}

impl Foreign {
    /// Every one.
    pub const ALL: [Foreign; 2] = [Foreign::Certificate, Foreign::DnsEndpoint];

    /// Its API.
    pub fn resource(self) -> ApiResource {
        match self {
            Foreign::Certificate => {
                let gvk = GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate");
                ApiResource::from_gvk_with_plural(&gvk, "certificates")
            }
            Foreign::DnsEndpoint => {
                let gvk = GroupVersionKind::gvk("externaldns.k8s.io", "v1alpha1", "DNSEndpoint");
                ApiResource::from_gvk_with_plural(&gvk, "dnsendpoints")
            }
        }
    }
}

/// Which of them the API server serves.
pub struct Apis {
    client: Client,
    served: watch::Sender<BTreeSet<Foreign>>,
    known: Mutex<BTreeMap<Foreign, (bool, Instant)>>,
}

impl std::fmt::Debug for Apis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Apis").finish_non_exhaustive()
    }
}

impl Apis {
    /// Nothing was looked for yet.
    pub fn new(client: Client) -> Self {
        Self { client, served: watch::Sender::default(), known: Mutex::default() }
    }

    /// Whether a kind is served, as of the last half minute.
    pub async fn serves(&self, foreign: Foreign) -> Result<bool, ApiError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&foreign).copied();
        match known {
            Some((served, looked)) if looked.elapsed() < LOOK_AGAIN => Ok(served),
            _ => self.look(foreign).await,
        }
    }

    /// Those that are served, as far as somebody has asked, now and later.
    pub fn served(&self) -> watch::Receiver<BTreeSet<Foreign>> {
        self.served.subscribe()
    }

    /// Waits until a kind appears that was not there, or goes. An answer that does not come changes nothing.
    pub async fn changed(&self) {
        loop {
            let before = self.snapshot();
            tokio::time::sleep(LOOK_AGAIN).await;
            for foreign in Foreign::ALL {
                if before.contains_key(&foreign) && self.look(foreign).await.is_err() {
                    tracing::debug!(?foreign, "the API server did not say whether it serves this kind");
                }
            }
            if self.snapshot() != before {
                return;
            }
        }
    }

    fn snapshot(&self) -> BTreeMap<Foreign, bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(foreign, (served, _))| (*foreign, *served)).collect()
    }

    async fn look(&self, foreign: Foreign) -> Result<bool, ApiError> {
        let resource = foreign.resource();
        let object = format!("the kinds of {}", resource.api_version);
        let list = api::absent(self.client.list_api_group_resources(&resource.api_version));
        let list = api::ask("list", object, list).await?;
        let served = list.is_some_and(|list| list.resources.iter().any(|it| it.kind == resource.kind));
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(foreign, (served, Instant::now()));
        self.served.send_if_modified(|all| match served {
            true => all.insert(foreign),
            false => all.remove(&foreign),
        });
        Ok(served)
    }
}
