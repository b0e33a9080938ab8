//! Everything about accounts in one snapshot.

use sqlx::Row;

use crate::account::{Accounts, alias, domain, mailbox, server, sql};
use crate::error::Result;
use crate::store::Store;

pub(super) async fn observe(store: &Store) -> Result<Accounts> {
    let mut snapshot = store.readers.begin().await?;
    let servers = sqlx::query(sql::SERVERS).fetch_all(&mut *snapshot).await?;
    let domains = sqlx::query(sql::DOMAINS).fetch_all(&mut *snapshot).await?;
    let mailboxes = sqlx::query(sql::MAILBOXES).fetch_all(&mut *snapshot).await?;
    let aliases = sqlx::query(sql::ALIASES).fetch_all(&mut *snapshot).await?;
    let counter = sqlx::query(sql::CHANGE_COUNTER).fetch_one(&mut *snapshot).await?;
    snapshot.commit().await?;
    Ok(Accounts {
        servers: servers.iter().map(server::read).collect::<Result<_>>()?,
        domains: domains.iter().map(domain::read).collect::<Result<_>>()?,
        mailboxes: mailboxes.iter().map(mailbox::read).collect::<Result<_>>()?,
        aliases: aliases.iter().map(alias::read).collect::<Result<_>>()?,
        change_counter: counter.try_get(0)?,
    })
}
