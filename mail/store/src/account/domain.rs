//! Domain rows and alias domains.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::account::apply::{Attempt, Refusal, named};
use crate::account::server::{in_use, json};
use crate::account::{ChangeError, Domain, DomainRow, Effect, Target, address, owner, sql};
use crate::commit::Tx;
use crate::error::{Error, Result};

pub(super) fn read(row: &SqliteRow) -> Result<Domain> {
    Ok(Domain {
        row: DomainRow {
            name: row.try_get(0)?,
            server: row.try_get(1)?,
            parked: row.try_get(2)?,
            catch_all: row.try_get(3)?,
            settings: json(row, 4)?,
            aliases: strings(row, 6)?,
            owner: owner::read(row, 7)?,
        },
        disabled_at: row.try_get(5)?,
    })
}

/// A JSON array of strings.
pub(super) fn strings(row: &SqliteRow, column: usize) -> Result<Vec<String>> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| Error::Damaged(format!("a list is not JSON: {error}")))
}

/// The column of [`strings`].
pub(super) fn list(strings: &[String]) -> String {
    serde_json::Value::from(strings).to_string()
}

pub(super) async fn find(tx: &mut Tx, name: &str) -> Result<Option<Domain>> {
    tx.row(sqlx::query(sql::DOMAIN).bind(name.to_owned())).await?.as_ref().map(read).transpose()
}

pub(super) async fn put(tx: &mut Tx, given: &DomainRow) -> Attempt {
    let row = canonical(given)?;
    if let Some(now) = find(tx, &row.name).await? {
        owner::may_put(&row.name, now.row.owner.as_ref(), row.owner.as_ref())?;
        if owner::same(&now.row, &row) && now.disabled_at.is_none() {
            return Ok(Effect::Unchanged);
        }
    }
    let aliases = list(&row.aliases);
    let taken = tx.row(sqlx::query(sql::DOMAIN_TAKEN).bind(row.name.clone()).bind(aliases.clone())).await?;
    if let Some(taken) = taken {
        let name = taken.try_get(0).map_err(Error::from)?;
        let by = match taken.try_get::<Option<String>, _>(1).map_err(Error::from)? {
            Some(domain) => format!("an alias domain of {domain}"),
            None => "a domain".into(),
        };
        return Err(ChangeError::Taken { name, by }.into());
    }
    let query = sqlx::query(sql::PUT_DOMAIN)
        .bind(row.name)
        .bind(row.server)
        .bind(row.parked)
        .bind(row.catch_all)
        .bind(row.settings.to_string())
        .bind(aliases);
    tx.run(owner::bind(query, row.owner.as_ref())).await?;
    Ok(Effect::Written)
}

fn canonical(given: &DomainRow) -> Result<DomainRow, Refusal> {
    let name = address::domain(&given.name)?;
    let aliases: Vec<String> = given.aliases.iter().map(|a| address::domain(a)).collect::<Result<_, _>>()?;
    for (i, alias) in aliases.iter().enumerate() {
        if *alias == name || aliases[..i].contains(alias) {
            let by = format!("an alias domain of {name}");
            return Err(ChangeError::Taken { name: alias.clone(), by }.into());
        }
    }
    let catch_all = given.catch_all.as_deref().map(address::address).transpose()?.map(|(address, _)| address);
    Ok(DomainRow { name, aliases, catch_all, ..given.clone() })
}

pub(super) async fn disable(tx: &mut Tx, target: &Target) -> Attempt {
    let (name, now) = changeable(tx, target).await?;
    if now.disabled_at.is_some() {
        return Ok(Effect::Unchanged);
    }
    let at = tx.now();
    tx.run(sqlx::query(sql::DISABLE_DOMAIN).bind(name).bind(at)).await?;
    Ok(Effect::Written)
}

pub(super) async fn delete(tx: &mut Tx, target: &Target) -> Attempt {
    let name = address::lower(&target.name);
    let Some(now) = find(tx, &name).await? else { return Ok(Effect::Unchanged) };
    owner::may_change(&name, now.row.owner.as_ref(), target.managed_by.as_deref())?;
    in_use(tx, sql::DOMAIN_USES, &name).await?;
    tx.run(sqlx::query(sql::DELETE_DOMAIN).bind(name)).await?;
    Ok(Effect::Written)
}

pub(super) async fn release(tx: &mut Tx, target: &Target) -> Attempt {
    let (name, now) = changeable(tx, target).await?;
    if now.row.owner.is_none() {
        return Ok(Effect::Unchanged);
    }
    tx.run(sqlx::query(sql::RELEASE_DOMAIN).bind(name)).await?;
    Ok(Effect::Written)
}

async fn changeable(tx: &mut Tx, target: &Target) -> Result<(String, Domain), Refusal> {
    let name = address::lower(&target.name);
    let now = named(find(tx, &name).await?, &name)?;
    owner::may_change(&name, now.row.owner.as_ref(), target.managed_by.as_deref())?;
    Ok((name, now))
}
