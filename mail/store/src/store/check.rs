//! The integrity report: every rule that the code relies on, checked against everything that is stored.

use sqlx::{Row, SqliteConnection};

use crate::blob::{Hash, read, shards};
use crate::error::{Error, Result};
use crate::store::Store;

/// Each rule with a query for its violations: one text per row.
const RULES: &[(&str, &str)] = &[
    ("SQLite", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
    ("foreign keys", "SELECT \"table\" || ' ' || ifnull(rowid, '') || ' lacks its ' || parent FROM pragma_foreign_key_check"),
    (
        "a message has its blob, of its size",
        "SELECT m.folder_id || '/' || m.uid FROM message m LEFT JOIN blob b ON b.id = m.blob_id WHERE b.size IS NOT m.size",
    ),
    (
        "a blob has a message",
        "SELECT id FROM blob b WHERE NOT EXISTS (SELECT 1 FROM message WHERE blob_id = b.id)
            AND NOT EXISTS (SELECT 1 FROM queue_message WHERE blob_id = b.id)",
    ),
    (
        "a queued message has its blob, of its size, and a recipient",
        "SELECT m.id FROM queue_message m LEFT JOIN blob b ON b.id = m.blob_id
            WHERE b.size IS NOT m.size OR NOT EXISTS (SELECT 1 FROM queue_recipient WHERE message_id = m.id)",
    ),
    (
        "a stored message has an index",
        "SELECT m.folder_id || '/' || m.uid FROM message m JOIN blob b ON b.id = m.blob_id
            WHERE b.idx = x'' AND EXISTS (SELECT 1 FROM queue_message WHERE blob_id = b.id)",
    ),
    (
        "usage is the sum of message sizes",
        "SELECT a.id || ': ' || a.used_bytes FROM account a WHERE a.used_bytes <> (SELECT coalesce(sum(m.size), 0)
            FROM folder f JOIN message m ON m.folder_id = f.id WHERE f.account_id = a.id)",
    ),
    (
        "messages are counted",
        "SELECT f.id || ': ' || f.messages FROM folder f
            WHERE f.messages <> (SELECT count(*) FROM message WHERE folder_id = f.id)
            UNION ALL
            SELECT a.id || ': ' || a.messages FROM account a
            WHERE a.messages <> (SELECT coalesce(sum(f.messages), 0) FROM folder f WHERE f.account_id = a.id)",
    ),
    (
        "MODSEQ and UID are below those of the folder",
        "SELECT f.id || '/' || m.uid FROM folder f JOIN message m ON m.folder_id = f.id
            WHERE m.modseq > f.modseq OR m.modseq < 1 OR m.uid >= f.uid_next OR m.uid < 1",
    ),
    (
        "an expunged run is below the folder's MODSEQ and UID and names nothing that is there",
        "SELECT f.id || '/' || e.first_uid FROM folder f JOIN expunged e ON e.folder_id = f.id
            WHERE e.modseq > f.modseq OR e.last_uid >= f.uid_next OR e.first_uid > e.last_uid
               OR e.modseq <= f.expunged_from
               OR EXISTS (SELECT 1 FROM message WHERE folder_id = f.id AND uid BETWEEN e.first_uid AND e.last_uid)",
    ),
    (
        "flags are system flags and named keywords",
        "SELECT f.id || '/' || m.uid FROM folder f JOIN message m ON m.folder_id = f.id
            WHERE m.flags < 0 OR m.flags >> (5 + json_array_length(f.keywords)) <> 0",
    ),
    (
        "UIDVALIDITY is unique and was counted",
        "SELECT uid_validity FROM folder GROUP BY uid_validity HAVING count(*) > 1
            OR uid_validity > (SELECT value FROM meta WHERE key = 'uid_validity') OR uid_validity < 1",
    ),
    ("a folder without messages only is \\Noselect", "SELECT f.id FROM folder f JOIN message m ON m.folder_id = f.id WHERE f.noselect"),
    (
        "an account has its mailbox and INBOX",
        "SELECT a.id FROM account a WHERE NOT EXISTS (SELECT 1 FROM mailbox WHERE account_id = a.id)
            OR NOT EXISTS (SELECT 1 FROM folder WHERE account_id = a.id AND name = 'INBOX' AND NOT noselect)",
    ),
    (
        "superiors of a folder exist",
        "SELECT f.name FROM folder f WHERE f.account_id IS NOT NULL AND instr(f.name, '/') AND NOT EXISTS (
            SELECT 1 FROM folder s WHERE s.account_id = f.account_id
                AND s.name = rtrim(rtrim(f.name, replace(f.name, '/', '')), '/'))",
    ),
    (
        "an address is one thing",
        "SELECT address FROM mailbox WHERE address IN (SELECT address FROM alias)
            UNION ALL SELECT name FROM domain_alias WHERE name IN (SELECT name FROM domain)",
    ),
    ("addresses are canonical", "SELECT address FROM mailbox WHERE address <> lower(address)"),
];
const BLOBS: &str = "SELECT id, place, hash, size, data FROM blob WHERE id > $1 ORDER BY id LIMIT 200";
const SHARD: &str = "SELECT hash FROM blob WHERE place = 2 AND hash BETWEEN unhex($1) AND unhex($2)";

pub(super) async fn check(store: &Store) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut snapshot = store.readers.begin().await?;
    for (rule, query) in RULES {
        for row in sqlx::query(*query).fetch_all(&mut *snapshot).await? {
            let what: String = match row.try_get(0) {
                Ok(text) => text,
                Err(_) => row.try_get::<i64, _>(0)?.to_string(),
            };
            problems.push(format!("not so: {rule}: {what}"));
        }
    }
    blobs(store, &mut snapshot, &mut problems).await?;
    files(store, &mut snapshot, &mut problems).await?;
    snapshot.commit().await?;
    Ok(problems)
}

/// Every blob reads back as what its hash says.
async fn blobs(store: &Store, snapshot: &mut SqliteConnection, problems: &mut Vec<String>) -> Result<()> {
    let mut after = 0i64;
    loop {
        let rows = sqlx::query(BLOBS).bind(after).fetch_all(&mut *snapshot).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get(0)?;
        for row in &rows {
            let id: i64 = row.try_get(0)?;
            let hash: Vec<u8> = row.try_get(2)?;
            let data: Option<Vec<u8>> = row.try_get(4)?;
            let blobs = &store.shared.blobs;
            match read(blobs, row.try_get(1)?, &hash, row.try_get(3)?, data.unwrap_or_default()).await {
                Ok(Some(bytes)) if Hash::of(&bytes).as_bytes() == hash => {}
                Ok(Some(_)) => problems.push(format!("blob {id} is not what was stored")),
                Ok(None) => problems.push(format!("blob {id} lacks its file")),
                Err(Error::Damaged(what)) => problems.push(format!("blob {id}: {what}")),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Every blob file has a row, or a delivery that is about to write one.
async fn files(store: &Store, snapshot: &mut SqliteConnection, problems: &mut Vec<String>) -> Result<()> {
    for shard in shards() {
        let mut files = store.shared.blobs.list(&shard)?;
        if files.is_empty() {
            continue;
        }
        let query = sqlx::query(SHARD)
            .bind(format!("{shard}{}", "00".repeat(31)))
            .bind(format!("{shard}{}", "ff".repeat(31)));
        for row in query.fetch_all(&mut *snapshot).await? {
            files.remove(&Hash::from_row(&row)?);
        }
        for hash in files.into_iter().filter(|hash| !store.shared.blobs.is_pinned(*hash)) {
            problems.push(format!("blob file {} has no row", hash.to_hex()));
        }
    }
    Ok(())
}
