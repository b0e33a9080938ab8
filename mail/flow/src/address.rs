//! Canonical addresses: what the account database is keyed by.
//!
//! Domains become lower-case A-labels (RFC 5890 §2.3.2.1). Local parts are compared without regard to ASCII case: RFC 5321
//! §2.4 leaves their meaning to the receiving host, and this is the receiving host. The subaddress follows the first
//! `+` (RFC 5233 §4). The grammar itself is mailwright-smtp's.

use std::fmt;

use mailwright_smtp::{Domain, ForwardPath, Mailbox, ReversePath};

use crate::reason::Reason;

/// A canonical address without quoting: lower-case local part, lower-case A-label domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// The local part.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// The envelope sender as policy sees it: `None` is the null sender.
pub type Sender = Option<Address>;

/// The canonical sender of a reverse-path; a domain that is no domain name gives the null sender, who is on no list.
pub fn sender(path: &ReversePath) -> Sender {
    let _ = path;
    None
}

/// One envelope recipient in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recipient {
    local: String,
    detail: Option<String>,
    domain: String,
}

impl Recipient {
    /// The recipient of an RCPT; `<postmaster>` without a domain is the one of `default_domain` (RFC 5321 §4.5.1).
    pub fn of(path: &ForwardPath, default_domain: &str) -> Result<Recipient, Reason> {
        let _ = default_domain;
        match path {
            ForwardPath::Postmaster => Err(Reason::Internal),
            ForwardPath::Mailbox(mailbox) => Recipient::of_mailbox(mailbox),
        }
    }

    /// The recipient named by a mailbox; an address literal is refused, since no domain of ours is one.
    pub fn of_mailbox(mailbox: &Mailbox) -> Result<Recipient, Reason> {
        match mailbox.domain() {
            Domain::Literal(_) => Err(Reason::NoRelay),
            Domain::Name(_) => Err(Reason::Internal),
        }
    }

    /// The local part before the detail.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The subaddress detail, in the case it was sent.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// The lower-case A-label form of a domain name; `None` when it is not one.
pub fn canonical_domain(domain: &str) -> Option<String> {
    let _ = domain;
    None
}
