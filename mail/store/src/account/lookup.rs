//! Lookups for serving: one statement each, by canonical address.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::account::domain::strings;
use crate::account::{AccountId, Login, Recipient, Senders, address, alias, sql};
use crate::commit::{Tx, Verb};
use crate::error::Result;
use crate::message::{MAX_ACCOUNT_MESSAGES, MAX_FOLDER_MESSAGES};
use crate::options::UnixTime;
use crate::store::Store;

/// Addresses that are followed to find the members of an alias: beyond this an alias is a mailing list.
const MEMBERS_MAX: i64 = 10_000;
/// Last login is a fact for people who clean up, not an access log.
const LOGIN_STEP: UnixTime = 3600;

pub(super) async fn recipient(store: &Store, address: &str) -> Result<Recipient> {
    let address = address::lower(address);
    let domain = address.rsplit_once('@').map_or(address.as_str(), |(_, domain)| domain).to_owned();
    let query = sqlx::query(sql::RECIPIENT)
        .bind(address.clone())
        .bind(domain)
        .bind(MAX_ACCOUNT_MESSAGES)
        .bind(MAX_FOLDER_MESSAGES);
    let rows = query.fetch_all(&store.readers).await?;
    let mut found = Found::default();
    for row in &rows {
        match row.try_get::<&str, _>(0)? {
            "mailbox" => found.mailbox = Some(mailbox(row)?),
            "alias" => found.alias = Some(row),
            "alias domain" => found.alias_of = Some(row),
            _ => found.domain = Some(row),
        }
    }
    found.decide(store, address).await
}

#[derive(Default)]
struct Found<'r> {
    mailbox: Option<Recipient>,
    alias: Option<&'r SqliteRow>,
    alias_of: Option<&'r SqliteRow>,
    domain: Option<&'r SqliteRow>,
}

impl Found<'_> {
    async fn decide(self, store: &Store, address: String) -> Result<Recipient> {
        if let Some(row) = self.alias_of {
            let served = row.try_get(2)?;
            return Ok(if served {
                Recipient::DomainAlias { domain: row.try_get(5)? }
            } else {
                Recipient::NoSuchDomain
            });
        }
        let Some(domain) = self.domain else { return Ok(Recipient::NoSuchDomain) };
        if domain.try_get(4)? {
            return Ok(Recipient::ParkedDomain);
        }
        // A mailbox of a domain that is not served any more answers as disabled: its mail is still kept.
        // An alias beside it has the address of an account that is merely kept.
        let served: bool = domain.try_get(2)?;
        if let Some(mailbox) = self.mailbox.filter(|_| !served || self.alias.is_none()) {
            return Ok(mailbox);
        }
        if !served {
            return Ok(Recipient::NoSuchDomain);
        }
        if let Some(row) = self.alias {
            return alias_of(store, row, address).await;
        }
        match domain.try_get::<Option<String>, _>(5)? {
            Some(target) if address.starts_with('@') => Ok(Recipient::Alias {
                enabled: true,
                targets: vec![target],
                senders: Senders::Anyone,
                member_addresses: Vec::new(),
            }),
            _ => Ok(Recipient::NoSuchAddress),
        }
    }
}

fn mailbox(row: &SqliteRow) -> Result<Recipient> {
    Ok(Recipient::Mailbox {
        account: AccountId(row.try_get(1)?),
        active: row.try_get(2)?,
        quota: row.try_get::<Option<i64>, _>(3)?.map(i64::unsigned_abs),
        used: row.try_get::<i64, _>(4)?.unsigned_abs(),
        forward: strings(row, 7)?,
        keep_copy: row.try_get(8)?,
    })
}

async fn alias_of(store: &Store, row: &SqliteRow, address: String) -> Result<Recipient> {
    let senders = alias::senders(row.try_get(6)?)?;
    let mut member_addresses = Vec::new();
    if senders == Senders::Members {
        let query = sqlx::query(sql::MEMBERS).bind(address).bind(MEMBERS_MAX);
        for row in query.fetch_all(&store.readers).await? {
            member_addresses.push(row.try_get(0)?);
        }
    }
    Ok(Recipient::Alias { enabled: row.try_get(2)?, targets: strings(row, 5)?, senders, member_addresses })
}

pub(super) async fn login(store: &Store, address: &str) -> Result<Option<Login>> {
    let address = address::lower(address);
    let Some((local, domain)) = address.rsplit_once('@') else { return Ok(None) };
    let query = sqlx::query(sql::LOGIN).bind(format!("{local}@")).bind(domain.to_owned());
    let Some(row) = query.fetch_optional(&store.readers).await? else { return Ok(None) };
    Ok(Some(Login {
        account: AccountId(row.try_get(0)?),
        address: row.try_get(1)?,
        hash: row.try_get(2)?,
        active: row.try_get(3)?,
        scram: row.try_get(4)?,
        version: row.try_get(5)?,
        last_login: row.try_get(6)?,
    }))
}

pub(super) async fn record_login(store: &Store, account: AccountId) -> Result<()> {
    let query = sqlx::query(sql::LAST_LOGIN).bind(account.0);
    let Some(row) = query.fetch_optional(&store.readers).await? else { return Ok(()) };
    let last: Option<UnixTime> = row.try_get(0)?;
    let now = (store.shared.clock)();
    if last.is_some_and(|last| (last..last + LOGIN_STEP).contains(&now)) {
        return Ok(());
    }
    store.write(RecordLogin { account, now }).await
}

struct RecordLogin {
    account: AccountId,
    now: UnixTime,
}

impl Verb for RecordLogin {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        tx.run(sqlx::query(sql::RECORD_LOGIN).bind(self.account.0).bind(self.now)).await?;
        Ok(())
    }
}
