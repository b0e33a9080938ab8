//! Why an operation is held back, in words and with the remedy. Leaves out deciding it, which is `guard`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::settings::RECENT;

/// Why an operation is held back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "guard", rename_all = "camelCase")]
pub enum Guard {
    /// Too large a share of what this source manages would be removed.
    Share {
        /// Objects removed or disabled, recent ones included.
        removed: usize,
        /// Those of them that earlier plans removed, within [`RECENT`].
        #[serde(default)]
        recent: usize,
        /// Objects managed by this source.
        managed: usize,
        /// The limit in per cent.
        limit: u32,
    },
    /// Too many objects would be removed.
    Count {
        /// Objects removed or disabled, recent ones included.
        removed: usize,
        /// Those of them that earlier plans removed, within [`RECENT`].
        #[serde(default)]
        recent: usize,
        /// The limit.
        limit: usize,
    },
    /// An address would lose the last recipient it hands mail to.
    LastTarget {
        /// The alias.
        alias: String,
    },
    /// The source holds no object at all.
    EmptySource,
    /// An address that must exist would no longer accept mail.
    Protected {
        /// `postmaster@` or `abuse@` of a served domain.
        address: String,
    },
    /// The row was changed behind the manifests' back, and that is only to be reported.
    Drift,
    /// Whoever it is applied for lacks a right.
    Forbidden {
        /// Who.
        who: String,
        /// What they may not do: `create mailboxes in the namespace sales`.
        right: String,
        /// What gives them the right.
        remedy: String,
    },
    /// It only makes sense after another operation that is held.
    After {
        /// The subject of that operation.
        subject: String,
    },
    /// Nothing of this source is applied before its plan is approved.
    Approval {
        /// The digest of the plan that waits.
        digest: String,
    },
}

impl Guard {
    /// Whether `--approve <digest>` lets the operation through.
    pub fn can_be_approved(&self) -> bool {
        matches!(
            self,
            Self::Share { .. }
                | Self::Count { .. }
                | Self::LastTarget { .. }
                | Self::Approval { .. }
                | Self::Drift
        )
    }

    /// What lets the operation through, or what to do instead.
    pub fn remedy(&self, digest: &str) -> String {
        match self {
            Self::Share { .. } | Self::Count { .. } | Self::LastTarget { .. } | Self::Approval { .. } => {
                format!("if that is meant: --approve {}", crate::digest::short(digest))
            }
            Self::Drift => {
                format!("declare it as it is, or put it back with --approve {}", crate::digest::short(digest))
            }
            Self::EmptySource => {
                "check branch and path; to remove everything, leave the MailServer declared".to_owned()
            }
            Self::Protected { address } => {
                format!(
                    "no approval lifts this: declare another way for {address} to reach an enabled mailbox"
                )
            }
            Self::Forbidden { remedy, .. } => remedy.clone(),
            Self::After { .. } => "it is applied together with that".to_owned(),
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share { removed, recent, managed, limit } => {
                let recent = with_recent(*recent);
                write!(
                    f,
                    "{removed} of {managed} objects would be removed or disabled{recent}, more than {limit} %"
                )
            }
            Self::Count { removed, recent, limit } => {
                let recent = with_recent(*recent);
                write!(f, "{removed} objects would be removed or disabled{recent}, more than {limit}")
            }
            Self::LastTarget { alias } => write!(f, "{alias} would lose its last target"),
            Self::Drift => f.write_str("changed behind the manifests' back; driftPolicy Report leaves it so"),
            Self::EmptySource => {
                f.write_str("the source declares nothing at all; an empty source removes nothing")
            }
            Self::Forbidden { who, right, .. } => write!(f, "{who} may not {right}"),
            Self::Protected { address } => write!(f, "{address} must keep accepting mail"),
            Self::Approval { digest } => {
                write!(f, "every plan has to be approved, and {}… is not", crate::digest::short(digest))
            }
            Self::After { subject } => write!(f, "it depends on {subject}, which is held back"),
        }
    }
}

/// What a guard says of removals before this plan.
fn with_recent(recent: usize) -> String {
    match recent {
        0 => String::new(),
        recent => format!(", with {recent} of the last {} minutes", RECENT.num_minutes()),
    }
}
