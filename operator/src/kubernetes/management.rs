//! Where the certificates of the management connections are kept, and the carrying out of what [`crate::authority`] decides.
//!
//! ```text
//! in the namespace of the operator      Secret mailwright-management-ca       tls.crt tls.key of the authority that signs,
//!                                                                             next.crt next.key of its successor,
//!                                                                             previous.crt of those still trusted,
//!                                                                             ca.crt of all that are trusted
//!                                       Secret mailwright-management-client   tls.crt tls.key ca.crt: who the operator is
//! in the namespace of a MailServer      Secret <name>-management              tls.crt tls.key ca.crt: who its pod is
//! ```
//!
//! Every write carries the version that was read, so that two who renew at once end up with the same authority.

mod bundle;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1 as core;
use mailwright_crds::{ObjectMeta, ObjectRef};

use super::api::{ApiError, ApiErrorKind};
use super::keyring::{Keyring, MANAGER};
use super::names;
use super::secret::{self, Found, SecretName};
use crate::accounts::ClientIdentity;
use crate::authority::{self, Leaf, LeafFacts, LeafStep, Validity};
use crate::certificate::{self, CertificateError, PemPair};
use crate::platform::PlatformError;
use crate::platform::kubernetes::ServerObject;
use bundle::Bundle;

/// The Secret with the authority.
pub const AUTHORITY_SECRET: &str = "mailwright-management-ca";
/// The Secret with the operator's own certificate.
pub const CLIENT_SECRET: &str = "mailwright-management-client";
/// Somebody else may be first this often; more is not a race but a quarrel.
const ATTEMPTS: usize = 5;

/// How long the operator's own Secrets are believed without a look. No watch tells of them where the operator may look into
/// chosen namespaces alone; whoever deletes the authority to have another one must not have to restart it.
const BELIEVED: Duration = Duration::from_secs(10);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// The API server refused, or what is kept there cannot be used.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl From<ApiError> for ManagementError {
    fn from(error: ApiError) -> Self {
        Self::Platform(error.into())
    }
}

impl Keyring {
    /// Who the operator is towards pods. Makes and renews the authority and the certificate when that is due; otherwise
    /// costs no request.
    pub async fn identity(&self, now: DateTime<Utc>) -> Result<Arc<ClientIdentity>, ManagementError> {
        let bundle = self.authority(now).await?;
        let name = SecretName::new(&self.namespace, CLIENT_SECRET);
        let pair = self.leaf(&bundle, &Leaf::Operator, &name, None, now).await?;
        let identity = ClientIdentity {
            ca_pem: bundle.trusted(now),
            certificate_pem: pair.certificate,
            key_pem: pair.key,
        };
        let mut known = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        match known.as_ref() {
            Some(known) if **known == identity => Ok(Arc::clone(known)),
            _ => {
                let identity = Arc::new(identity);
                *known = Some(Arc::clone(&identity));
                Ok(identity)
            }
        }
    }

    /// Makes sure that the pod of a MailServer has a certificate, and trusts who it should.
    pub async fn ensure_server_identity(
        &self,
        server: &ServerObject,
        now: DateTime<Utc>,
    ) -> Result<(), ManagementError> {
        let bundle = self.authority(now).await?;
        let leaf = Leaf::Server { namespace: server.namespace.clone(), name: server.name.clone() };
        let name = SecretName::new(&server.namespace, names::name(&server.name, "-management"));
        self.leaf(&bundle, &leaf, &name, Some(server), now).await.map(|_| ())
    }

    /// The authorities, brought up to date.
    async fn authority(&self, now: DateTime<Utc>) -> Result<Bundle, ManagementError> {
        self.doubt();
        let name = SecretName::new(&self.namespace, AUTHORITY_SECRET);
        for _ in 0..ATTEMPTS {
            let found = self.kept.get(&self.client, &name, None).await?;
            let bundle = found.as_deref().map_or_else(|| Ok(Bundle::default()), Bundle::read)?;
            let steps = authority::decide(now, &bundle.facts()?);
            if steps.is_empty() {
                return Ok(bundle);
            }
            let bundle = bundle.step(&steps, now)?;
            tracing::info!(?steps, "the authority of management connections is renewed");
            let object = secret_of(&name, None, "Opaque", bundle.data(now), found.as_deref());
            self.write(&name, found.as_deref(), &object, None).await?;
        }
        Err(quarrel(&name))
    }

    /// Forgets what was read of the operator's own Secrets when that is a while ago.
    fn doubt(&self) {
        let mut last = self.own_read.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= BELIEVED) {
            *last = Some(Instant::now());
            for name in [AUTHORITY_SECRET, CLIENT_SECRET] {
                self.kept.drop(&SecretName::new(&self.namespace, name));
            }
        }
    }

    /// A leaf in its Secret, issued anew when that is due.
    async fn leaf(
        &self,
        bundle: &Bundle,
        leaf: &Leaf,
        name: &SecretName,
        server: Option<&ServerObject>,
        now: DateTime<Utc>,
    ) -> Result<PemPair, ManagementError> {
        let user = server.map(ServerObject::object);
        let trusted = bundle.trusted(now);
        for _ in 0..ATTEMPTS {
            let found = self.kept.get(&self.client, name, user.as_ref()).await?;
            if found.as_deref().is_some_and(|found| !names::is_ours(&found.labels)) {
                return Err(PlatformError::NotOurs { object: name.to_string() }.into());
            }
            let pair = found.as_deref().and_then(pair_in);
            let facts =
                pair.as_ref().and_then(|pair| certificate::inspect(pair).ok()).map(|facts| LeafFacts {
                    validity: Validity {
                        subject: facts.subject,
                        from: facts.not_before,
                        to: facts.not_after,
                    },
                    issuer: facts.issuer,
                    names: facts.names,
                    bundle_current: found.as_deref().and_then(|found| found.text("ca.crt"))
                        == Some(&*trusted),
                });
            let step = authority::decide_leaf(now, &bundle.facts()?, leaf, facts.as_ref());
            let pair = match (step, pair) {
                (LeafStep::Keep, Some(pair)) => return Ok(pair),
                (LeafStep::Trust, Some(pair)) => pair,
                _ => authority::issue(bundle.signing()?, leaf, now)?,
            };
            let data = [("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", &trusted)];
            let data = data.map(|(key, text)| (key.to_owned(), ByteString(text.clone().into_bytes()))).into();
            let object = secret_of(name, server, "kubernetes.io/tls", data, found.as_deref());
            self.write(name, found.as_deref(), &object, user.as_ref()).await?;
        }
        Err(quarrel(name))
    }

    /// Writes a Secret on top of what was read. When somebody else was faster it is read again.
    async fn write(
        &self,
        name: &SecretName,
        found: Option<&Found>,
        object: &core::Secret,
        user: Option<&ObjectRef>,
    ) -> Result<(), ManagementError> {
        self.kept.drop(name);
        let written = match found {
            None => secret::create(&self.client, object, MANAGER).await,
            Some(_) => secret::apply(&self.client, object, MANAGER).await,
        };
        match written {
            Ok(written) => {
                self.kept.put(name, Some(written), user);
                Ok(())
            }
            Err(ApiError { kind: ApiErrorKind::Exists | ApiErrorKind::Conflict, .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn quarrel(name: &SecretName) -> ManagementError {
    let mut error = ApiError::vanished(name.to_string());
    error.why = "somebody else writes it again and again; look for a second operator".to_owned();
    error.into()
}

fn pair_in(found: &Found) -> Option<PemPair> {
    let text = |key| found.text(key).map(str::to_owned);
    Some(PemPair { certificate: text("tls.crt")?, key: text("tls.key")? })
}

/// The Secret as it is to be. With what was read it is refused when somebody else was faster.
fn secret_of(
    name: &SecretName,
    server: Option<&ServerObject>,
    type_: &str,
    data: BTreeMap<String, ByteString>,
    found: Option<&Found>,
) -> core::Secret {
    core::Secret {
        metadata: ObjectMeta {
            namespace: Some(name.namespace.clone()),
            name: Some(name.name.clone()),
            resource_version: found.map(|found| found.version.clone()),
            labels: Some(server.map_or_else(|| names::labels([]), |server| names::of_server(&server.name))),
            owner_references: server.map(|server| vec![server.as_owner()]),
            ..ObjectMeta::default()
        },
        data: Some(data),
        type_: Some(type_.to_owned()),
        ..core::Secret::default()
    }
}
