//! Server rows.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::account::apply::{Attempt, Refusal, named};
use crate::account::{ChangeError, Effect, Server, ServerRow, Target, owner, sql};
use crate::commit::Tx;
use crate::error::{Error, Result};

pub(super) fn read(row: &SqliteRow) -> Result<Server> {
    Ok(Server {
        row: ServerRow { name: row.try_get(0)?, settings: json(row, 1)?, owner: owner::read(row, 2)? },
    })
}

/// A JSON column; what is in the database was written by us.
pub(super) fn json(row: &SqliteRow, column: usize) -> Result<serde_json::Value> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| Error::Damaged(format!("settings are not JSON: {error}")))
}

pub(super) async fn find(tx: &mut Tx, name: &str) -> Result<Option<Server>> {
    tx.row(sqlx::query(sql::SERVER).bind(name.to_owned())).await?.as_ref().map(read).transpose()
}

pub(super) async fn put(tx: &mut Tx, row: &ServerRow) -> Attempt {
    if let Some(now) = find(tx, &row.name).await? {
        owner::may_put(&row.name, now.row.owner.as_ref(), row.owner.as_ref())?;
        if owner::same(&now.row, row) {
            return Ok(Effect::Unchanged);
        }
    }
    let query = sqlx::query(sql::PUT_SERVER).bind(row.name.clone()).bind(row.settings.to_string());
    tx.run(owner::bind(query, row.owner.as_ref())).await?;
    Ok(Effect::Written)
}

pub(super) async fn delete(tx: &mut Tx, target: &Target) -> Attempt {
    let Some(now) = find(tx, &target.name).await? else { return Ok(Effect::Unchanged) };
    owner::may_change(&target.name, now.row.owner.as_ref(), target.managed_by.as_deref())?;
    in_use(tx, sql::SERVER_USES, &target.name).await?;
    tx.run(sqlx::query(sql::DELETE_SERVER).bind(target.name.clone())).await?;
    Ok(Effect::Written)
}

pub(super) async fn release(tx: &mut Tx, target: &Target) -> Attempt {
    let now = named(find(tx, &target.name).await?, &target.name)?;
    owner::may_change(&target.name, now.row.owner.as_ref(), target.managed_by.as_deref())?;
    if now.row.owner.is_none() {
        return Ok(Effect::Unchanged);
    }
    tx.run(sqlx::query(sql::RELEASE_SERVER).bind(target.name.clone())).await?;
    Ok(Effect::Written)
}

/// Refuses when `uses` counts more than nothing.
pub(super) async fn in_use(tx: &mut Tx, uses: &'static str, name: &str) -> Result<(), Refusal> {
    let row = tx.row(sqlx::query(uses).bind(name.to_owned())).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get(0)).map_err(Error::from)?;
    match u64::try_from(count).unwrap_or_default() {
        0 => Ok(()),
        count => Err(ChangeError::InUse { name: name.into(), count }.into()),
    }
}
