//! What an owner or an administrator does to one mailbox by hand: a new password, and deleting what was kept.

use chrono::{DateTime, SecondsFormat, Utc};
use mailwright_store::{Cause, Change, ChangeError, Mailbox, Management as Declared, SetBy, Target};
use zeroize::Zeroizing;

use super::history;
use super::wire::{ErrorCode, Purged};
use super::{Management, ManagementError};
use crate::auth::canonical;

impl Management {
    /// Sets a password as its owner: no `management: Initial` manifest overwrites it afterwards. Refused for a password
    /// that a manifest enforces: the next reconciliation would only take it back.
    pub async fn set_password(&self, address: &str, password: &str) -> Result<(), ManagementError> {
        let address = canonical(address).ok_or_else(|| not_found(address))?;
        if is_enforced(&self.mailbox(&address).await?) {
            let message = format!(
                "the password of {address} is set by its manifest (management: Enforced); change it there"
            );
            return Err(ManagementError::new(ErrorCode::Refused, message));
        }
        let password = self.hasher.hash(Zeroizing::new(password.to_owned())).await;
        let password =
            password.map_err(|error| ManagementError::new(ErrorCode::Invalid, error.to_string()))?;
        match self.store.accounts().set_password(&address, password, SetBy::Owner).await {
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
        let mailbox = self.mailbox(&address).await?;
        if mailbox.disabled_at.is_none() {
            return refused(in_use(&mailbox));
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
        let noted = vec![(change, history::purge_note(&mailbox))];
        let cause = Cause { actor: "purge".to_owned(), ..Cause::default() };
        match self.store.accounts().apply_noted(noted, Vec::new(), cause, None).await?.pop() {
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

    async fn mailbox(&self, address: &str) -> Result<Mailbox, ManagementError> {
        let accounts = self.store.accounts().observe().await?;
        let mailbox = accounts.mailboxes.into_iter().find(|mailbox| mailbox.row.address == address);
        mailbox.ok_or_else(|| not_found(address))
    }
}

/// Whether a manifest that is still followed sets the password whatever anybody else does.
fn is_enforced(mailbox: &Mailbox) -> bool {
    let enforced = mailbox.credential.as_ref().is_some_and(|it| it.management == Some(Declared::Enforced));
    enforced && mailbox.row.owner.is_some() && mailbox.disabled_at.is_none()
}

/// Why a mailbox in use is not purged, and what takes it out of use.
fn in_use(mailbox: &Mailbox) -> String {
    let address = &mailbox.row.address;
    match mailbox.row.owner {
        Some(_) => format!("{address} is in use; remove it from the manifests first"),
        // Released by `deletionPolicy: Retain`: there is nothing to remove it from.
        None => format!(
            "{address} is in use and no manifest declares it; declare it again with deletionPolicy: Disable \
             (or Delete), apply that, and then remove it from the manifests"
        ),
    }
}

fn not_found(address: &str) -> ManagementError {
    ManagementError::new(ErrorCode::NotFound, format!("there is no mailbox {address}"))
}
