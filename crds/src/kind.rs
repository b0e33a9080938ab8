//! The kinds, their names, and the one type that is a resource of any kind.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alias::Alias;
use crate::mail_domain::MailDomain;
use crate::mail_server::MailServer;
use crate::mailbox::Mailbox;

/// The API group of all kinds.
pub const GROUP: &str = "mailwright.dev";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// What `apiVersion` says.
pub const API_VERSION: &str = "mailwright.dev/v1alpha1";
/// The namespace of an object that names none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The annotation that suspends reconciling when its value is `disabled`.
pub const RECONCILE_ANNOTATION: &str = "mailwright.dev/reconcile";
/// The annotation whose change asks for reconciling at once; its value comes back in `status.lastHandledReconcileAt`.
pub const REQUESTED_AT_ANNOTATION: &str = "mailwright.dev/requestedAt";

/// `observedGeneration` before anything was observed, so that no client takes an empty status for a current one.
pub(crate) fn never_observed() -> i64 {
    -1
}

/// A kind of mailwright.dev.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// One mail installation.
    MailServer,
    /// One mail domain.
    MailDomain,
    /// One account.
    Mailbox,
    /// An address that leads to others.
    Alias,
}

impl Kind {
    /// Every kind, what others depend on first.
    pub const ALL: [Kind; 4] = [Kind::MailServer, Kind::MailDomain, Kind::Mailbox, Kind::Alias];

    /// The name in `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::MailServer => "MailServer",
            Kind::MailDomain => "MailDomain",
            Kind::Mailbox => "Mailbox",
            Kind::Alias => "Alias",
        }
    }

    /// The name in paths and in `kubectl get`.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::MailServer => "mailservers",
            Kind::MailDomain => "maildomains",
            Kind::Mailbox => "mailboxes",
            Kind::Alias => "aliases",
        }
    }

    /// The name of one.
    pub fn singular(self) -> &'static str {
        match self {
            Kind::MailServer => "mailserver",
            Kind::MailDomain => "maildomain",
            Kind::Mailbox => "mailbox",
            Kind::Alias => "alias",
        }
    }

    /// The abbreviation.
    pub fn short_name(self) -> &'static str {
        match self {
            Kind::MailServer => "msrv",
            Kind::MailDomain => "mdom",
            Kind::Mailbox => "mbx",
            Kind::Alias => "malias",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown kind {0:?}; the kinds are MailServer (msrv), MailDomain (mdom), Mailbox (mbx) and Alias (malias)"
)]
pub struct UnknownKind(pub String);

/// Any of the names, in any case, with or without the group: `mbx`, `Mailbox`, `mailboxes.mailwright.dev`.
impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Kind, UnknownKind> {
        let word = text.to_ascii_lowercase();
        let word = word.strip_suffix(".mailwright.dev").unwrap_or(&word);
        let names = |kind: &Kind| [kind.singular(), kind.plural(), kind.short_name()].contains(&word);
        Kind::ALL.into_iter().find(names).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// Which object: kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// A resource of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Resource {
    /// A MailServer.
    MailServer(Box<MailServer>),
    /// A MailDomain.
    MailDomain(Box<MailDomain>),
    /// A Mailbox.
    Mailbox(Box<Mailbox>),
    /// An Alias.
    Alias(Box<Alias>),
}

impl Resource {
    /// Reads a resource from a value that has passed [`check_manifest`](crate::check_manifest) or comes from an API server.
    pub fn from_value(kind: Kind, value: Value) -> serde_json::Result<Resource> {
        Ok(match kind {
            Kind::MailServer => Resource::MailServer(serde_json::from_value(value)?),
            Kind::MailDomain => Resource::MailDomain(serde_json::from_value(value)?),
            Kind::Mailbox => Resource::Mailbox(serde_json::from_value(value)?),
            Kind::Alias => Resource::Alias(serde_json::from_value(value)?),
        })
    }

    /// The whole object as it would be sent to an API server.
    pub fn to_value(&self) -> serde_json::Result<Value> {
        match self {
            Resource::MailServer(object) => serde_json::to_value(object),
            Resource::MailDomain(object) => serde_json::to_value(object),
            Resource::Mailbox(object) => serde_json::to_value(object),
            Resource::Alias(object) => serde_json::to_value(object),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Resource::MailServer(_) => Kind::MailServer,
            Resource::MailDomain(_) => Kind::MailDomain,
            Resource::Mailbox(_) => Kind::Mailbox,
            Resource::Alias(_) => Kind::Alias,
        }
    }

    /// Its metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Resource::MailServer(object) => &object.metadata,
            Resource::MailDomain(object) => &object.metadata,
            Resource::Mailbox(object) => &object.metadata,
            Resource::Alias(object) => &object.metadata,
        }
    }

    /// Its metadata, to change.
    pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Resource::MailServer(object) => &mut object.metadata,
            Resource::MailDomain(object) => &mut object.metadata,
            Resource::Mailbox(object) => &mut object.metadata,
            Resource::Alias(object) => &mut object.metadata,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Its namespace; `default` when it names none.
    pub fn namespace(&self) -> &str {
        self.metadata().namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// Kind, namespace and name.
    pub fn object_ref(&self) -> ObjectRef {
        ObjectRef { kind: self.kind(), namespace: self.namespace().to_owned(), name: self.name().to_owned() }
    }

    /// The generation of its spec, where something counts it.
    pub fn generation(&self) -> Option<i64> {
        self.metadata().generation
    }

    /// The value of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata().annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// True when the annotation `mailwright.dev/reconcile: disabled` asks to leave it alone.
    pub fn is_suspended(&self) -> bool {
        self.annotation(RECONCILE_ANNOTATION) == Some("disabled")
    }

    /// The value of the annotation `mailwright.dev/requestedAt`.
    pub fn requested_at(&self) -> Option<&str> {
        self.annotation(REQUESTED_AT_ANNOTATION)
    }
}

#[cfg(test)]
mod tests;
