//! Where the TLS certificate of a MailServer comes from.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::domain::DomainName;
use crate::name::ObjectName;
use crate::pod::KindName;

/// Where the TLS certificate comes from: at most one of the fields; without any the certificate is self-signed.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new(
        "(has(self.selfSigned) ? 1 : 0) + (has(self.secretName) ? 1 : 0) + (has(self.certManager) ? 1 : 0) <= 1")
    .message("takes at most one of selfSigned, secretName and certManager"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// The server makes its own certificate and renews it, as it does where nothing is said. For trying out: mail clients will
    /// warn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_signed: Option<SelfSigned>,
    /// A Secret in the same namespace with the keys tls.crt (the chain, PEM) and tls.key (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<ObjectName>,
    /// cert-manager gets the certificate and renews it. It must be installed in the cluster; without a cluster the server makes
    /// its own certificate instead, and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_manager: Option<CertManager>,
}

impl Tls {
    /// Whether nothing is said. No default is filled in for it: that would stay beside what is declared later, as a second
    /// answer that nobody gave.
    pub(super) fn is_unsaid(&self) -> bool {
        *self == Tls::default()
    }
}

/// A certificate that the server signs itself.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfSigned {}

/// A certificate that cert-manager takes care of.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertManager {
    /// Who issues it.
    pub issuer_ref: IssuerRef,
}

/// An issuer of cert-manager.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("self.group != 'cert-manager.io' || self.kind in ['Issuer', 'ClusterIssuer']")
    .message("the kinds of cert-manager.io are Issuer and ClusterIssuer; another kind needs its group"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerRef {
    /// Its name.
    pub name: ObjectName,
    /// Its kind: Issuer (in the same namespace) or ClusterIssuer, or that of another issuer's group.
    #[serde(default = "issuer")]
    pub kind: KindName,
    /// The API group of its kind.
    #[serde(default = "cert_manager")]
    pub group: DomainName,
}

fn issuer() -> KindName {
    KindName::of("Issuer")
}

fn cert_manager() -> DomainName {
    DomainName::of("cert-manager.io")
}
