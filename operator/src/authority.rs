//! The authority of the management connections: which certificates there should be, decided from the time and from what
//! there is, and the making of them. Leaves out where they are kept ([`crate::kubernetes::management`]) and who shows
//! them to whom.
//!
//! An authority lives two years. At two thirds of that its successor is made and joins the bundles that both sides trust;
//! a day later, when every side has read them, it signs; the old one stays trusted until it ends. So no connection is ever
//! refused for a rotation. RFC 5280 §4.2.1.9 (an authority that signs leaves only), §4.2.1.12 (a server's certificate
//! cannot be a client's).

mod issue;

use chrono::{DateTime, Duration, Utc};

pub use issue::{issue, make_authority};

use crate::workload::names;

/// The common name of the operator's certificate; pods let nobody else in.
pub const CLIENT_NAME: &str = "mailwright-operator";

/// Two years: renewing is automatic, so longer would only keep a stolen key useful.
pub const AUTHORITY_LIFE: Duration = Duration::days(730);
/// Ninety days, renewed after sixty: an operator that is away for a month harms nothing.
pub const LEAF_LIFE: Duration = Duration::days(90);
/// How long a new authority is trusted before it signs. A kubelet brings a changed Secret into a pod within two minutes;
/// a day leaves room for nodes that are away.
pub const OVERLAP: Duration = Duration::days(1);
/// Certificates begin this long before they are made, because clocks differ.
pub const CLOCK_SKEW: Duration = Duration::hours(1);

/// When a certificate is valid, and the name by which others refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Its subject.
    pub subject: String,
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it ends.
    pub to: DateTime<Utc>,
}

impl Validity {
    fn ended(&self, now: DateTime<Utc>) -> bool {
        self.to <= now
    }

    /// Two thirds of its life are over.
    fn due(&self, now: DateTime<Utc>) -> bool {
        now >= self.from + (self.to - self.from) * 2 / 3
    }

    /// Trusted long enough to sign.
    fn settled(&self, now: DateTime<Utc>) -> bool {
        now >= self.from + CLOCK_SKEW + OVERLAP
    }
}

/// The authorities there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorities {
    /// The one that signs.
    pub signing: Option<Validity>,
    /// The one that is trusted already and will sign.
    pub next: Option<Validity>,
    /// Those that signed once and are still trusted.
    pub previous: Vec<Validity>,
}

impl Authorities {
    /// Whether certificates of this issuer are trusted now.
    fn trusts(&self, issuer: &str, now: DateTime<Utc>) -> bool {
        let all = self.signing.iter().chain(&self.next).chain(&self.previous);
        all.into_iter().any(|authority| authority.subject == issuer && !authority.ended(now))
    }
}

/// One step of the authorities. They are taken in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Authorities that have ended are trusted no more.
    DropEnded,
    /// There is none that can sign: make one that signs at once.
    MakeFirst,
    /// Make the successor; it is trusted, and does not sign yet.
    MakeNext,
    /// The successor signs from now on; the one that signed stays trusted.
    Promote,
}

/// What to do about the authorities.
pub fn decide(now: DateTime<Utc>, there: &Authorities) -> Vec<Step> {
    let mut steps = Vec::new();
    if there.previous.iter().any(|previous| previous.ended(now)) {
        steps.push(Step::DropEnded);
    }
    let next = there.next.as_ref().filter(|next| !next.ended(now));
    let signing = there.signing.as_ref().filter(|signing| !signing.ended(now));
    steps.extend(match (signing, next) {
        (None, None) => Some(Step::MakeFirst),
        // Nothing that the old one signed is valid any more, so there is nothing to wait for.
        (None, Some(_)) => Some(Step::Promote),
        (Some(signing), None) => signing.due(now).then_some(Step::MakeNext),
        (Some(_), Some(next)) => next.settled(now).then_some(Step::Promote),
    });
    steps
}

/// Whose certificate it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// The operator's, which asks.
    Operator,
    /// The pod of a MailServer, which answers.
    Server {
        /// The namespace of the MailServer.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Leaf {
    /// The common name.
    pub fn common_name(&self) -> String {
        match self {
            Leaf::Operator => CLIENT_NAME.to_owned(),
            // 64 characters are the most (RFC 5280 appendix A.1); nobody looks at this one.
            Leaf::Server { name, .. } => name.chars().take(64).collect(),
        }
    }

    /// The DNS names.
    pub fn names(&self) -> Vec<String> {
        match self {
            Leaf::Operator => vec![CLIENT_NAME.to_owned()],
            Leaf::Server { namespace, name } => {
                let pod = names::management_host(namespace, name);
                vec![format!("{pod}.cluster.local"), pod, "localhost".to_owned()]
            }
        }
    }
}

/// A leaf as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafFacts {
    /// When it is valid.
    pub validity: Validity,
    /// Who signed it.
    pub issuer: String,
    /// The names it is for.
    pub names: Vec<String>,
    /// Whether the authorities kept beside it are those trusted now.
    pub bundle_current: bool,
}

/// What to do about a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafStep {
    /// It is as it should be.
    Keep,
    /// Only the authorities beside it are written anew.
    Trust,
    /// A new one is made.
    Issue,
}

/// What to do about a leaf; `None` when there is none, or one that cannot be read. It waits for an authority that signs.
pub fn decide_leaf(
    now: DateTime<Utc>,
    authorities: &Authorities,
    leaf: &Leaf,
    there: Option<&LeafFacts>,
) -> LeafStep {
    let Some(there) = there else { return LeafStep::Issue };
    let named = leaf.names().iter().all(|name| there.names.contains(name));
    if !named || there.validity.due(now) || !authorities.trusts(&there.issuer, now) {
        LeafStep::Issue
    } else if !there.bundle_current {
        LeafStep::Trust
    } else {
        LeafStep::Keep
    }
}

#[cfg(test)]
mod tests;
