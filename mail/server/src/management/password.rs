//! What an owner or an administrator does to one mailbox by hand: a new password, and deleting what was kept.

use chrono::{DateTime, SecondsFormat, Utc};
use mailwright_store::{Change, ChangeError, SetBy, Target};
use zeroize::Zeroizing;

use super::wire::{ErrorCode, Purged};
use super::{Management, ManagementError};
use crate::auth::canonical;

impl Management {
    /// Sets a password as its owner: no `management: Initial` manifest overwrites it afterwards.
    pub async fn set_password(&self, address: &str, password: &str) -> Result<(), ManagementError> {
        let address = canonical(address).ok_or_else(|| not_found(address))?;
        let hash = self.hasher.hash(Zeroizing::new(password.to_owned())).await;
        let hash = hash.map_err(|error| ManagementError::new(ErrorCode::Invalid, error.to_string()))?;
        match self.store.accounts().set_password(&address, hash, SetBy::Owner).await {
            Ok(()) => {
                tracing::info!(address, "password set");
                Ok(())
            }
            Err(mailwright_store::Error::NoSuchAccount) => Err(not_found(&address)),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a removed mailbox with its mail; refused before `retainFor` has passed unless forced, and always for a
    /// mailbox that is still declared.
    pub async fn purge(
        &self,
        address: &str,
        force: bool,
        now: DateTime<Utc>,
    ) -> Result<Purged, ManagementError> {
        let refused = |message: String| Err(ManagementError::new(ErrorCode::Refused, message));
        let address = canonical(address).ok_or_else(|| not_found(address))?;
        let accounts = self.store.accounts().observe().await?;
        let mailbox = accounts.mailboxes.into_iter().find(|mailbox| mailbox.row.address == address);
        let mailbox = mailbox.ok_or_else(|| not_found(&address))?;
        if mailbox.disabled_at.is_none() {
            return refused(format!("{address} is in use; remove it from the manifests first"));
        }
        match mailbox.retain_until.and_then(|until| DateTime::from_timestamp(until, 0)) {
            Some(until) if now < until && !force => {
                let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
                return refused(format!("{address} keeps its mail until {until}; --force deletes it now"));
            }
            _ => {}
        }
        let target = Target { name: address.clone(), managed_by: None };
        // The retention was judged by the caller's clock just now; the store need not judge it by its own.
        let change = Change::DeleteMailbox { target, ignore_retention: true };
        match self.store.accounts().apply(vec![change], None).await?.pop() {
            Some(Ok(_)) => {
                tracing::info!(address, bytes = mailbox.used_bytes, force, "mailbox purged");
                Ok(Purged { address, bytes: mailbox.used_bytes })
            }
            Some(Err(ChangeError::NotFound { .. })) => Err(not_found(&address)),
            Some(Err(error @ ChangeError::NotDisabled { .. })) => refused(error.to_string()),
            Some(Err(error)) => Err(ManagementError::internal(error.to_string())),
            None => Err(ManagementError::internal("the database did not answer")),
        }
    }
}

fn not_found(address: &str) -> ManagementError {
    ManagementError::new(ErrorCode::NotFound, format!("there is no mailbox {address}"))
}
