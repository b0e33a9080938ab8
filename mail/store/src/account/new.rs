//! Rows that were not there: one, or many at a time, since a first plan consists of nothing else.
//!
//! `false` means that an address is taken by a row of the other kind, and an error that one of the rows cannot be made. Either way the
//! savepoint around them is to be rolled back, and whoever asks which one it was makes them one by one.

use std::sync::LazyLock;

use sqlx::Row;

use crate::account::{AliasRow, Change, MailboxRow, NewCredential, alias, credential, mailbox};
use crate::commit::{Query, Tx};
use crate::error::{Error, Result};
use crate::mailbox::first_folders;
use crate::many::{MANY, parameters, tuples};

static NEW_MAILBOX: LazyLock<String> = LazyLock::new(|| new_mailboxes(1));
static NEW_MAILBOXES: LazyLock<String> = LazyLock::new(|| new_mailboxes(MANY));
static NEW_ALIASES: LazyLock<String> = LazyLock::new(|| new_aliases(MANY));

/// A mailbox, its domain and its password.
pub(super) type NewMailbox<'a> = (MailboxRow, String, Option<&'a NewCredential>);

/// Whether these are changes that [`make`] makes.
pub(super) fn are_alike(changes: &[Change]) -> bool {
    changes.iter().all(|change| matches!(change, Change::PutMailbox { .. }))
        || changes.iter().all(|change| matches!(change, Change::PutAlias(_)))
}

/// Makes [`MANY`] rows, all mailboxes or all aliases, without a look at what is there.
pub(super) async fn make(tx: &mut Tx, changes: &[Change]) -> Result<bool> {
    let (mut mailboxes, mut aliases) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::PutMailbox { row, credential } => {
                let Ok((row, domain)) = mailbox::canonical(row) else { return Ok(false) };
                mailboxes.push((row, domain, credential.as_ref()));
            }
            Change::PutAlias(row) => {
                let Ok(row) = alias::canonical(row) else { return Ok(false) };
                aliases.push(row);
            }
            _ => return Ok(false),
        }
    }
    match (mailboxes.len(), aliases.len()) {
        (MANY, 0) => run(tx, bind_mailboxes(tx.now(), &NEW_MAILBOXES, mailboxes)).await,
        (0, MANY) => run(tx, bind_aliases(&NEW_ALIASES, aliases)).await,
        _ => Ok(false),
    }
}

/// Makes one mailbox.
pub(super) async fn mailbox(tx: &mut Tx, new: NewMailbox<'_>) -> Result<bool> {
    run(tx, bind_mailboxes(tx.now(), &NEW_MAILBOX, vec![new])).await
}

/// The last statement counts addresses that are taken.
async fn run(tx: &mut Tx, script: Query) -> Result<bool> {
    let taken = tx.row(script).await?.ok_or_else(|| Error::Damaged("a count has no row".into()))?;
    Ok(taken.try_get::<i64, _>(0)? == 0)
}

/// Columns of a mailbox from `address` on.
const OF_MAILBOX: usize = 17;
/// The hash, the fingerprint, the management and the SCRAM record.
const OF_PASSWORD: usize = 4;

/// New accounts: their rows, their first folders from a JSON [[name, use], …], all subscribed, and the passwords of those that have one.
/// Ids are given out in order and never again, so that the new ones are the last ones.
fn new_mailboxes(rows: usize) -> String {
    let of_rows = rows * (OF_MAILBOX + OF_PASSWORD + 1);
    let id = |row: usize| format!("(SELECT max(id) FROM account) - {}", rows - 1 - row);
    format!(
        "INSERT INTO account (created_at) VALUES {accounts};
        INSERT INTO mailbox (account_id, address, domain, display_name, quota, enabled, send_as, deletion_policy,
                             retain_for, forward, keep_copy, legal_hold, managed_by, object, origin_file, origin_line,
                             applied, former)
            VALUES {mailboxes};
        UPDATE meta SET value = max(value, {now}) + {rows} * json_array_length({folders}) WHERE key = 'uid_validity';
        INSERT INTO folder (account_id, name, special_use, uid_validity)
            SELECT a.id, j.value ->> 0, j.value ->> 1,
                   v.value - (newest.id - a.id) * json_array_length({folders}) - j.key
            FROM (SELECT max(id) AS id FROM account) newest CROSS JOIN account a CROSS JOIN json_each({folders}) j
                CROSS JOIN meta v
            WHERE a.id > newest.id - {rows} AND v.key = 'uid_validity';
        INSERT INTO subscription (account_id, name)
            SELECT a.id, j.value ->> 0 FROM (SELECT max(id) AS id FROM account) newest CROSS JOIN account a
                CROSS JOIN json_each({folders}) j WHERE a.id > newest.id - {rows};
        INSERT INTO credential (account_id, hash, set_by, fingerprint, management, changed_at, scram)
            SELECT column1, column2, 'declared', column3, column4, {now}, column5 FROM (VALUES {passwords})
            WHERE column2 IS NOT NULL;
        SELECT count(*) FROM alias WHERE address IN ({addresses})",
        now = format_args!("${}", of_rows + 1),
        folders = format_args!("${}", of_rows + 2),
        accounts = tuples(rows, |_| format!("${}", of_rows + 1)),
        mailboxes = tuples(rows, |row| format!("{}, {}", id(row), parameters(OF_MAILBOX))),
        passwords = tuples(rows, |row| format!("{}, {}", id(row), parameters(OF_PASSWORD))),
        addresses = parameters(rows),
    )
}

fn bind_mailboxes(now: i64, script: &'static str, rows: Vec<NewMailbox<'_>>) -> Query {
    let addresses: Vec<String> = rows.iter().map(|(row, ..)| row.address.clone()).collect();
    let passwords: Vec<Option<&NewCredential>> = rows.iter().map(|(.., password)| *password).collect();
    let query = rows.into_iter().fold(sqlx::query(script), |query, (row, domain, _)| {
        mailbox::bind(query.bind(row.address.clone()).bind(domain), row)
    });
    let query = passwords.into_iter().fold(query, credential::bind_new);
    addresses.into_iter().fold(query, Query::bind).bind(now).bind(first_folders())
}

/// Columns of an alias.
const OF_ALIAS: usize = 11;

/// New aliases. A mailbox that is merely kept leaves its address to one.
fn new_aliases(rows: usize) -> String {
    format!(
        "INSERT INTO alias (address, domain, targets, senders, enabled, managed_by, object, origin_file, origin_line,
                            applied, former)
            VALUES {};
        SELECT count(*) FROM mailbox m JOIN account a ON a.id = m.account_id
            WHERE a.disabled_at IS NULL AND m.address IN ({})",
        tuples(rows, |_| parameters(OF_ALIAS)),
        parameters(rows)
    )
}

fn bind_aliases(script: &'static str, rows: Vec<(AliasRow, String)>) -> Query {
    let addresses: Vec<String> = rows.iter().map(|(row, _)| row.address.clone()).collect();
    let bind = |query, (row, domain)| alias::bind(query, row, domain);
    let query = rows.into_iter().fold(sqlx::query(script), bind);
    addresses.into_iter().fold(query, Query::bind)
}
