//! What is special about mail of our own users: the sender must be theirs, the header is completed, the message signed.
//!
//! RFC 6409 §6.1 (enforce rights), §8 (modifications); RFC 6376 §5.4 (what is signed).

use bytes::Bytes;
use chrono::{DateTime, FixedOffset};
use mailwright_flow::address::sender;
use mailwright_flow::submission::{self, HeaderFacts, Identity};
use mailwright_flow::{Address, Reason};
use mailwright_smtp::ReversePath;

use super::Driver;

/// A message as it goes on, without trace fields.
pub(super) struct Submitted {
    /// DKIM-Signature fields, for the front.
    pub(super) signatures: Vec<u8>,
    /// The message, completed.
    pub(super) message: Bytes,
}

impl Driver {
    /// MAIL of somebody who logged in (RFC 6409 §6.1): 553 5.7.1 for an address that is not theirs.
    pub(super) async fn may_send(&self, reverse_path: &ReversePath) -> Result<(), Reason> {
        let Some(account) = &self.account else { return Ok(()) };
        let from = sender(reverse_path);
        let claimed = from.iter().map(ToString::to_string).collect();
        submission::may_send(&from, &self.identity(account.id, claimed).await?)
    }

    /// What the account may use, of the addresses that are claimed.
    async fn identity(
        &self,
        account: mailwright_store::AccountId,
        claimed: Vec<String>,
    ) -> Result<Identity, Reason> {
        match self.context.store.accounts().identity(account, &claimed).await {
            Ok(Some(found)) => Ok(Identity::new(found.addresses, found.alias_domains)),
            Ok(None) => Err(Reason::DisabledMailbox),
            Err(error) => {
                tracing::error!(%error, "sender lookup failed");
                Err(Reason::Internal)
            }
        }
    }

    /// The end of a message of somebody who logged in, or of a host that is trusted: its authors are checked (those of a
    /// trusted host are not), missing fields added, Bcc removed, and signed by the keys of the author's domain. A trusted
    /// host's message that none of our keys signs is not its own: it stays as it is.
    pub(super) async fn submit(
        &self,
        message: Bytes,
        id: &str,
        now: DateTime<FixedOffset>,
    ) -> Result<Submitted, Reason> {
        let facts = HeaderFacts::of(&message);
        let identity = match &self.account {
            None => None,
            Some(account) => {
                let identity = self.identity(account.id, claimed(&facts)).await?;
                submission::may_sign(&facts, &identity)?;
                Some(identity)
            }
        };
        let domain = submission::signing_domain(&facts, identity.as_ref()).map(str::to_owned);
        let signers = &self.settings.signers;
        let signs = domain.as_ref().is_some_and(|domain| !signers.selectors(domain).is_empty());
        if identity.is_none() && !signs {
            return Ok(Submitted { signatures: Vec::new(), message });
        }
        let hostname = &self.settings.config.hostname;
        let completion = submission::complete(&message, &facts, now, id, hostname);
        let message = match completion.is_empty() {
            true => message,
            false => completion.apply(&message).into(),
        };
        let signatures = match domain.filter(|_| signs) {
            Some(domain) => crate::dkim::sign(signers, &domain, message.clone(), now.timestamp()).await,
            None => Vec::new(),
        };
        Ok(Submitted { signatures, message })
    }
}

/// The addresses that the header names as its authors and senders.
fn claimed(facts: &HeaderFacts) -> Vec<String> {
    let named = [&facts.from, &facts.sender, &facts.resent_from, &facts.resent_sender];
    named.into_iter().flatten().filter_map(|author| author.as_ref().map(Address::to_string)).collect()
}
