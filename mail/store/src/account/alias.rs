//! Alias rows.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::account::apply::{Attempt, Refusal, named};
use crate::account::domain::{list, strings};
use crate::account::mailbox::free_address;
use crate::account::{Alias, AliasRow, ChangeError, Effect, Senders, Target, address, owner, sql};
use crate::commit::{Query, Tx};
use crate::error::{Error, Result};

pub(super) fn read(row: &SqliteRow) -> Result<Alias> {
    Ok(Alias {
        row: AliasRow {
            address: row.try_get(0)?,
            targets: strings(row, 1)?,
            senders: senders(row.try_get(2)?)?,
            enabled: row.try_get(3)?,
            owner: owner::read(row, 4)?,
        },
    })
}

const SENDERS: [(Senders, &str); 3] =
    [(Senders::Anyone, "anyone"), (Senders::Members, "members"), (Senders::Domain, "domain")];

pub(super) fn senders(text: &str) -> Result<Senders> {
    let found = SENDERS.iter().find(|(_, name)| *name == text);
    found
        .map(|(senders, _)| *senders)
        .ok_or_else(|| Error::Damaged(format!("unknown posting policy {text:?}")))
}

pub(super) async fn find(tx: &mut Tx, address: &str) -> Result<Option<Alias>> {
    tx.row(sqlx::query(sql::ALIAS).bind(address.to_owned())).await?.as_ref().map(read).transpose()
}

/// The row in canonical form, and its domain.
pub(super) fn canonical(given: &AliasRow) -> Result<(AliasRow, String), ChangeError> {
    let (address, domain) = address::address_or_catch_all(&given.address)?;
    let targets = given.targets.iter().map(|t| address::address(t).map(|(address, _)| address));
    Ok((AliasRow { address, targets: targets.collect::<Result<_, _>>()?, ..given.clone() }, domain))
}

pub(super) async fn put(tx: &mut Tx, given: &AliasRow) -> Attempt {
    let (row, domain) = canonical(given)?;
    match find(tx, &row.address).await? {
        Some(now) => {
            owner::may_put(&row.address, now.row.owner.as_ref(), row.owner.as_ref())?;
            if owner::same(&now.row, &row) {
                return Ok(Effect::Unchanged);
            }
        }
        None => free_address(tx, &row.address, &domain, true).await?,
    }
    tx.run(bind(sqlx::query(sql::PUT_ALIAS), row, domain)).await?;
    Ok(Effect::Written)
}

/// Binds the columns of a row: its address, its domain, what it declares, its owner.
pub(super) fn bind(query: Query, row: AliasRow, domain: String) -> Query {
    let senders = SENDERS.iter().find(|(senders, _)| *senders == row.senders).map(|(_, name)| *name);
    let query = query.bind(row.address).bind(domain).bind(list(&row.targets)).bind(senders).bind(row.enabled);
    owner::bind(query, row.owner.as_ref())
}

pub(super) async fn delete(tx: &mut Tx, target: &Target) -> Attempt {
    let address = address::lower(&target.name);
    let Some(now) = find(tx, &address).await? else { return Ok(Effect::Unchanged) };
    owner::may_change(&address, now.row.owner.as_ref(), target.managed_by.as_deref())?;
    tx.run(sqlx::query(sql::DELETE_ALIAS).bind(address)).await?;
    Ok(Effect::Written)
}

pub(super) async fn release(tx: &mut Tx, target: &Target) -> Attempt {
    let (address, now) = changeable(tx, target).await?;
    if now.row.owner.is_none() {
        return Ok(Effect::Unchanged);
    }
    tx.run(sqlx::query(sql::RELEASE_ALIAS).bind(address)).await?;
    Ok(Effect::Written)
}

async fn changeable(tx: &mut Tx, target: &Target) -> Result<(String, Alias), Refusal> {
    let address = address::lower(&target.name);
    let now = named(find(tx, &address).await?, &address)?;
    owner::may_change(&address, now.row.owner.as_ref(), target.managed_by.as_deref())?;
    Ok((address, now))
}
