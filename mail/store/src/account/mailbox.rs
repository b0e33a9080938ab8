//! Mailbox rows: the declared side, and making, disabling and purging the account behind it.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::account::apply::{Attempt, Refusal, named};
use crate::account::domain::{list, strings};
use crate::account::{
    AccountId, ChangeError, Credential, DeletionPolicy, Effect, Mailbox, MailboxRow, NewCredential, Target,
    address, credential, new, owner, sql,
};
use crate::commit::{Query, Tx};
use crate::error::{Error, Result};
use crate::mailbox::FolderId;
use crate::watch::REMOVED;

pub(super) fn read(row: &SqliteRow) -> Result<Mailbox> {
    let retain_for_seconds: i64 = row.try_get(7)?;
    let disabled_at: Option<i64> = row.try_get(8)?;
    Ok(Mailbox {
        id: AccountId(row.try_get(0)?),
        row: MailboxRow {
            address: row.try_get(1)?,
            display_name: row.try_get(2)?,
            quota: row.try_get::<Option<i64>, _>(3)?.map(i64::unsigned_abs),
            enabled: row.try_get(4)?,
            send_as: strings(row, 5)?,
            forward: strings(row, 16)?,
            keep_copy: row.try_get(17)?,
            deletion_policy: policy(row.try_get(6)?)?,
            retain_for_seconds,
            legal_hold: row.try_get(24)?,
            owner: owner::read(row, 18)?,
        },
        credential: read_credential(row)?,
        disabled_at,
        retain_until: disabled_at.map(|at| at.saturating_add(retain_for_seconds)),
        used_bytes: row.try_get::<i64, _>(9)?.unsigned_abs(),
        last_login: row.try_get(10)?,
        created_at: row.try_get(11)?,
    })
}

fn read_credential(row: &SqliteRow) -> Result<Option<Credential>> {
    let Some(set_by) = row.try_get::<Option<&str>, _>(12)? else { return Ok(None) };
    Ok(Some(Credential {
        set_by: credential::set_by(set_by)?,
        fingerprint: row.try_get(13)?,
        management: row.try_get::<Option<&str>, _>(14)?.map(credential::management).transpose()?,
        changed_at: row.try_get(15)?,
    }))
}

const POLICIES: [(DeletionPolicy, &str); 3] = [
    (DeletionPolicy::Disable, "disable"),
    (DeletionPolicy::Retain, "retain"),
    (DeletionPolicy::Delete, "delete"),
];

fn policy(text: &str) -> Result<DeletionPolicy> {
    let found = POLICIES.iter().find(|(_, name)| *name == text);
    found
        .map(|(policy, _)| *policy)
        .ok_or_else(|| Error::Damaged(format!("unknown deletion policy {text:?}")))
}

fn policy_name(policy: DeletionPolicy) -> Option<&'static str> {
    POLICIES.iter().find(|(known, _)| *known == policy).map(|(_, name)| *name)
}

pub(super) async fn find(tx: &mut Tx, address: &str) -> Result<Option<Mailbox>> {
    tx.row(sqlx::query(sql::MAILBOX).bind(address.to_owned())).await?.as_ref().map(read).transpose()
}

/// The address has a domain and is nothing yet. A mailbox that is merely kept leaves its address to an alias.
pub(super) async fn free_address(
    tx: &mut Tx,
    address: &str,
    domain: &str,
    beside_kept: bool,
) -> Result<(), Refusal> {
    let query = sqlx::query(sql::ADDRESS_FACTS).bind(address.to_owned()).bind(domain.to_owned());
    let mut has_domain = false;
    for row in tx.rows(query).await? {
        match row.try_get::<&str, _>(0).map_err(Error::from)? {
            "domain" => has_domain = true,
            "kept mailbox" if beside_kept => {}
            "mailbox" | "kept mailbox" => {
                return Err(ChangeError::Taken { name: address.into(), by: "a mailbox".into() }.into());
            }
            _ => return Err(ChangeError::Taken { name: address.into(), by: "an alias".into() }.into()),
        }
    }
    if has_domain { Ok(()) } else { Err(ChangeError::NoSuchDomain { domain: domain.into() }.into()) }
}

/// The same as an answer.
async fn is_free(tx: &mut Tx, address: &str, domain: &str) -> Result<bool, Refusal> {
    match free_address(tx, address, domain, false).await {
        Ok(()) => Ok(true),
        Err(Refusal::Change(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The row in canonical form, and its domain.
pub(super) fn canonical(given: &MailboxRow) -> Result<(MailboxRow, String), ChangeError> {
    let (address, domain) = address::address(&given.address)?;
    let send_as = given.send_as.iter().map(|a| address::address_or_catch_all(a).map(|(address, _)| address));
    let forward = given.forward.iter().map(|a| address::address(a).map(|(address, _)| address));
    let row = MailboxRow {
        address,
        send_as: send_as.collect::<Result<_, _>>()?,
        forward: forward.collect::<Result<_, _>>()?,
        ..given.clone()
    };
    Ok((row, domain))
}

pub(super) async fn put(
    tx: &mut Tx,
    given: &MailboxRow,
    password: Option<&NewCredential>,
    likely_new: bool,
) -> Attempt {
    let (row, domain) = canonical(given)?;
    // What is said to be new is only asked for when it is not.
    let is_free = likely_new && is_free(tx, &row.address, &domain).await?;
    let now = if is_free { None } else { find(tx, &row.address).await? };
    let Some(now) = now else {
        if !is_free {
            free_address(tx, &row.address, &domain, false).await?;
        }
        if !new::mailbox(tx, (row, domain, password)).await? {
            return Err(ChangeError::Taken { name: given.address.clone(), by: "an alias".into() }.into());
        }
        return Ok(Effect::Written);
    };
    owner::may_put(&row.address, now.row.owner.as_ref(), row.owner.as_ref())?;
    if now.disabled_at.is_some() {
        not_an_alias(tx, &row.address).await?;
    }
    let mut effect = credential::declare(tx, now.id, now.credential.as_ref(), password).await?;
    if !owner::same(&now.row, &row) || now.disabled_at.is_some() {
        update(tx, now.id, row).await?;
        effect = Effect::Written;
    }
    Ok(effect)
}

/// A kept mailbox comes back to its address only once no alias has it.
async fn not_an_alias(tx: &mut Tx, address: &str) -> Result<(), Refusal> {
    match tx.row(sqlx::query(sql::IS_ALIAS).bind(address.to_owned())).await? {
        Some(_) => Err(ChangeError::Taken { name: address.into(), by: "an alias".into() }.into()),
        None => Ok(()),
    }
}

async fn update(tx: &mut Tx, account: AccountId, row: MailboxRow) -> Result<()> {
    tx.run(bind(sqlx::query(sql::UPDATE_MAILBOX).bind(account.0), row)).await?;
    // Mail that waited for the account is due.
    tx.effects.queue = true;
    Ok(())
}

/// Binds what a row declares beside its address, and its owner.
pub(super) fn bind(query: Query, row: MailboxRow) -> Query {
    let query = query
        .bind(row.display_name)
        .bind(row.quota.map(signed))
        .bind(row.enabled)
        .bind(list(&row.send_as))
        .bind(policy_name(row.deletion_policy))
        .bind(row.retain_for_seconds)
        .bind(list(&row.forward))
        .bind(row.keep_copy)
        .bind(row.legal_hold);
    owner::bind(query, row.owner.as_ref())
}

/// A quota above 8 EiB is no limit in practice.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(super) async fn disable(tx: &mut Tx, target: &Target) -> Attempt {
    let now = changeable(tx, target).await?;
    if now.disabled_at.is_some() {
        return Ok(Effect::Unchanged);
    }
    let at = tx.now();
    tx.run(sqlx::query(sql::DISABLE_ACCOUNT).bind(now.id.0).bind(at)).await?;
    Ok(Effect::Written)
}

pub(super) async fn enable(tx: &mut Tx, target: &Target) -> Attempt {
    let now = changeable(tx, target).await?;
    if now.disabled_at.is_none() {
        return Ok(Effect::Unchanged);
    }
    not_an_alias(tx, &now.row.address).await?;
    tx.run(sqlx::query(sql::DISABLE_ACCOUNT).bind(now.id.0).bind(None::<i64>)).await?;
    tx.effects.queue = true;
    Ok(Effect::Written)
}

pub(super) async fn release(tx: &mut Tx, target: &Target) -> Attempt {
    let now = changeable(tx, target).await?;
    if now.row.owner.is_none() {
        return Ok(Effect::Unchanged);
    }
    tx.run(sqlx::query(sql::RELEASE_MAILBOX).bind(now.id.0)).await?;
    Ok(Effect::Written)
}

/// Deleting mail is the second act: the first one is disabling (DESIGN §1.3).
pub(super) async fn delete(tx: &mut Tx, target: &Target, ignore_retention: bool) -> Attempt {
    let address = address::lower(&target.name);
    let Some(now) = find(tx, &address).await? else { return Ok(Effect::Unchanged) };
    owner::may_change(&address, now.row.owner.as_ref(), target.managed_by.as_deref())?;
    if now.row.legal_hold {
        return Err(ChangeError::Held { address }.into());
    }
    match now.retain_until {
        None => return Err(ChangeError::NotDisabled { address }.into()),
        Some(until) if until > tx.now() && !ignore_retention => {
            return Err(ChangeError::Retained { address, until }.into());
        }
        Some(_) => {}
    }
    for folder in tx.rows(sqlx::query(sql::DELETE_MAILBOX).bind(now.id.0)).await? {
        let folder = FolderId(folder.try_get(0).map_err(Error::from)?);
        tx.effects.touched.push((folder, REMOVED));
    }
    tx.effects.doomed = true;
    Ok(Effect::Written)
}

async fn changeable(tx: &mut Tx, target: &Target) -> Result<Mailbox, Refusal> {
    let address = address::lower(&target.name);
    let now = named(find(tx, &address).await?, &address)?;
    owner::may_change(&address, now.row.owner.as_ref(), target.managed_by.as_deref())?;
    Ok(now)
}
