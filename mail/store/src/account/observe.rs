//! Everything about accounts in one snapshot, row by row: the rows of a hundred thousand accounts as SQLite gives them would take
//! more memory than all that is made of them.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::account::{Accounts, alias, domain, mailbox, server, sql};
use crate::error::Result;
use crate::store::Store;

pub(super) async fn observe(store: &Store) -> Result<Accounts> {
    let mut snapshot = store.readers.begin().await?;
    let accounts = Accounts {
        servers: all(&mut snapshot, sql::SERVERS, server::read).await?,
        domains: all(&mut snapshot, sql::DOMAINS, domain::read).await?,
        mailboxes: all(&mut snapshot, sql::MAILBOXES, mailbox::read).await?,
        aliases: all(&mut snapshot, sql::ALIASES, alias::read).await?,
        change_counter: sqlx::query(sql::CHANGE_COUNTER).fetch_one(&mut *snapshot).await?.try_get(0)?,
    };
    snapshot.commit().await?;
    Ok(accounts)
}

/// The same of the mailboxes and aliases of some addresses alone.
pub(super) async fn addresses(store: &Store, addresses: &BTreeSet<String>) -> Result<Accounts> {
    let mut snapshot = store.readers.begin().await?;
    let mut accounts = Accounts {
        change_counter: sqlx::query(sql::CHANGE_COUNTER).fetch_one(&mut *snapshot).await?.try_get(0)?,
        ..Accounts::default()
    };
    for address in addresses {
        let row = sqlx::query(sql::MAILBOX).bind(address).fetch_optional(&mut *snapshot).await?;
        accounts.mailboxes.extend(row.as_ref().map(mailbox::read).transpose()?);
        let row = sqlx::query(sql::ALIAS).bind(address).fetch_optional(&mut *snapshot).await?;
        accounts.aliases.extend(row.as_ref().map(alias::read).transpose()?);
    }
    snapshot.commit().await?;
    Ok(accounts)
}

async fn all<T>(
    snapshot: &mut SqliteConnection,
    query: &'static str,
    read: fn(&SqliteRow) -> Result<T>,
) -> Result<Vec<T>> {
    let mut found = Vec::new();
    let mut rows = sqlx::query(query).fetch(snapshot);
    while let Some(row) = rows.try_next().await? {
        found.push(read(&row)?);
    }
    Ok(found)
}
