//! What is wrong with a declaration, said once, where it stands, with what would be right.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::reference::{ObjectRef, Origin};

/// Whether a problem stops its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The object stays as it is until this is mended.
    Error,
    /// Nothing stops; the user should know.
    Warning,
}

/// What kind of problem it is; stable, for tests, statuses and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProblemCode {
    /// The object itself is not well-formed; reported by the source.
    Invalid,
    /// Its file is encrypted and does not open; reported by the source.
    DecryptionFailed,
    /// The same kind, namespace and name twice.
    DuplicateObject,
    /// The same address, domain or alias domain twice.
    Duplicate,
    /// Another source owns the address.
    Conflict,
    /// A field that cannot be changed was changed.
    Immutable,
    /// `serverRef` names no MailServer.
    UnknownServer,
    /// The address is in no domain that is served.
    UnknownDomain,
    /// The domain accepts no mail.
    ParkedDomain,
    /// A target is an address nobody has.
    UnknownTarget,
    /// A target is in a domain served elsewhere.
    ForeignTarget,
    /// Aliases lead back to themselves.
    AliasLoop,
    /// More bytes than the domain allows.
    QuotaAboveLimit,
    /// More mailboxes or aliases than the domain allows.
    TooMany,
    /// The domain's `catchAll` and an Alias both catch everything.
    CatchAllTwice,
    /// A domain is no longer declared but its addresses are.
    DeletionBlocked,
    /// The MailDomain does not allow addresses from this namespace.
    AddressNotAllowed,
    /// The MailServer does not allow domains from this namespace.
    DomainNotAllowed,
    /// A Secret is missing.
    SecretNotFound,
    /// A Secret has no such key.
    SecretKeyNotFound,
    /// A Secret's value cannot be a password.
    SecretInvalid,
    /// A Secret that was to be made belongs to somebody else.
    SecretNotOurs,
    /// A policy does not allow it.
    PolicyViolation,
    /// A policy that is for it cannot be judged with.
    PolicyInvalid,
    /// Nobody gets the mail that RFC 5321 §4.5.1 wants accepted.
    NoPostmaster,
}

/// The remedy of a problem that only follows from another one.
pub const MEND_FIRST: &str = "mend that first";

/// One thing that is wrong. Shown as `file:line: field: message; remedy`, and where there is no file, with the object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where it stands; `None` when the object is only in the database.
    pub origin: Option<Origin>,
    /// The object it stops.
    pub object: Option<ObjectRef>,
    /// Path of the field (`spec.targets[2]`), empty for the whole object.
    pub field: String,
    /// What kind of problem.
    pub code: ProblemCode,
    /// Whether the object is stopped.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub remedy: Option<String>,
}

impl Problem {
    /// Whether it stops its object.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// What it follows from, when it goes away by itself once that is mended.
    pub fn cause(&self) -> Option<&str> {
        self.remedy.as_deref().filter(|remedy| *remedy == MEND_FIRST).map(|_| self.message.as_str())
    }
}

impl Problem {
    /// The same beside its object, as in a status: with its place, but not with the object's name.
    pub fn of_its_object(&self) -> String {
        match self.origin {
            Some(_) => self.to_string(),
            None => Self { object: None, ..self.clone() }.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, &self.object) {
            (Some(origin), _) => write!(f, "{origin}: ")?,
            (None, Some(object)) => write!(f, "{object}: ")?,
            (None, None) => {}
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}
