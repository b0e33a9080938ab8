//! What a client that logged in may send: its sender addresses, and what its header lacks.
//!
//! RFC 6409 §6.1 (enforce submission rights), §8 (message modifications); RFC 5322 §3.6 (which fields a message must have).

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, Sender, canonical_domain};
use crate::reason::Reason;

pub mod complete;
pub mod header;

pub use complete::{Completion, complete};
pub use header::HeaderFacts;

/// The addresses an account may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    addresses: BTreeSet<Address>,
    catch_alls: BTreeSet<String>,
    domains: BTreeMap<String, String>,
}

impl Identity {
    /// `addresses` are the account's own, its `sendAs`, and the enabled aliases that lead to it; `@domain` stands for every address
    /// of a domain, as a catch-all does. `alias_domains` are pairs of an alias domain and the domain that it is another name of.
    pub fn new<A: AsRef<str>, D: AsRef<str>>(
        addresses: impl IntoIterator<Item = A>,
        alias_domains: impl IntoIterator<Item = (D, D)>,
    ) -> Identity {
        let (mut own, mut catch_alls) = (BTreeSet::new(), BTreeSet::new());
        for text in addresses {
            match text.as_ref().strip_prefix('@') {
                Some(domain) => catch_alls.extend(canonical_domain(domain)),
                None => own.extend(Address::parse(text.as_ref())),
            }
        }
        Identity {
            addresses: own,
            catch_alls,
            domains: alias_domains
                .into_iter()
                .map(|(alias, real)| {
                    (alias.as_ref().to_ascii_lowercase(), real.as_ref().to_ascii_lowercase())
                })
                .collect(),
        }
    }

    /// Whether the address is one of the account's: as it is or without its detail, in its domain or in the one that its
    /// domain is another name of.
    pub fn owns(&self, address: &Address) -> bool {
        let real = self.domains.get(address.domain()).and_then(|domain| address.clone().in_domain(domain));
        let is_own = |address: &Address| {
            self.addresses.contains(address)
                || self.addresses.contains(&address.without_detail())
                || self.catch_alls.contains(address.domain())
        };
        is_own(address) || real.as_ref().is_some_and(is_own)
    }
}

/// The check at MAIL. The null sender passes: it is what notices about read mail are sent with (RFC 8098 §3.1), and the header
/// still has to name its author.
pub fn may_send(sender: &Sender, identity: &Identity) -> Result<(), Reason> {
    match sender {
        Some(address) if !identity.owns(address) => Err(Reason::SenderNotYours),
        _ => Ok(()),
    }
}

/// The check at the end of the message: whoever the header names as author or sender must be the account's.
///
/// In a message that was sent again (`Resent-From:`, RFC 5322 §3.6.6) that is who sends it again; its old author stays.
pub fn may_sign(facts: &HeaderFacts, identity: &Identity) -> Result<(), Reason> {
    if facts.is_ambiguous {
        return Err(Reason::HeaderAmbiguous);
    }
    let named = match facts.resent_from.is_empty() {
        true => facts.from.iter().chain(&facts.sender),
        false => facts.resent_from.iter().chain(&facts.resent_sender),
    };
    for author in named {
        match author {
            Some(address) if identity.owns(address) => {}
            _ => return Err(Reason::AuthorNotYours),
        }
    }
    Ok(())
}

/// The domain whose DKIM keys sign: that of the first address in From, if it is one that the account may use; `identity` is `None`
/// for a trusted network.
pub fn signing_domain<'a>(facts: &'a HeaderFacts, identity: Option<&Identity>) -> Option<&'a str> {
    let author = facts.from.first()?.as_ref()?;
    identity.is_none_or(|identity| identity.owns(author)).then_some(author.domain())
}

#[cfg(test)]
mod tests;
