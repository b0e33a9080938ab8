//! The row that a change is about, as it is before the change, for the history.

use crate::account::{Change, address, alias, domain, mailbox, server};
use crate::commit::Tx;
use crate::error::Result;
use crate::history::Before;

/// Reads it; None when there is none yet.
pub(super) async fn read(tx: &mut Tx, change: &Change) -> Result<Option<Before>> {
    Ok(match change {
        Change::PutServer(row) => of_server(tx, &row.name).await?,
        Change::DeleteServer(target) | Change::ReleaseServer(target) => of_server(tx, &target.name).await?,
        Change::PutDomain(row) => of_domain(tx, &row.name).await?,
        Change::DisableDomain(target) | Change::DeleteDomain(target) | Change::ReleaseDomain(target) => {
            of_domain(tx, &target.name).await?
        }
        Change::PutMailbox { row, .. } => of_mailbox(tx, &row.address).await?,
        Change::DisableMailbox(target)
        | Change::EnableMailbox(target)
        | Change::DeleteMailbox { target, .. }
        | Change::ReleaseMailbox(target) => of_mailbox(tx, &target.name).await?,
        Change::PutAlias(row) => of_alias(tx, &row.address).await?,
        Change::DeleteAlias(target) | Change::ReleaseAlias(target) => of_alias(tx, &target.name).await?,
    })
}

async fn of_server(tx: &mut Tx, name: &str) -> Result<Option<Before>> {
    Ok(server::find(tx, name).await?.map(|server| Before::Server { row: server.row }))
}

async fn of_domain(tx: &mut Tx, name: &str) -> Result<Option<Before>> {
    let found = domain::find(tx, &address::lower(name)).await?;
    Ok(found.map(|domain| Before::Domain { row: domain.row, disabled_at: domain.disabled_at }))
}

async fn of_mailbox(tx: &mut Tx, name: &str) -> Result<Option<Before>> {
    let found = mailbox::find(tx, &address::lower(name)).await?;
    Ok(found.map(|mailbox| Before::Mailbox { row: mailbox.row, disabled_at: mailbox.disabled_at }))
}

async fn of_alias(tx: &mut Tx, name: &str) -> Result<Option<Before>> {
    let found = alias::find(tx, &address::lower(name)).await?;
    Ok(found.map(|alias| Before::Alias { row: alias.row }))
}
