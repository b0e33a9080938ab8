//! The schema's versions (DESIGN §1.10: expand/contract, N and N-1 open the same database).
//!
//! A migration that only adds leaves `meta.needs_schema` alone, so that the release before still opens the database;
//! one that removes something raises it.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;

use crate::error::OpenError;

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "start", include_str!("../migrations/0001_start.sql")),
    (2, "counts", include_str!("../migrations/0002_counts.sql")),
    (3, "queue", include_str!("../migrations/0003_queue.sql")),
    (5, "annotations", include_str!("../migrations/0005_annotations.sql")),
    (6, "identity", include_str!("../migrations/0006_identity.sql")),
    (7, "history", include_str!("../migrations/0007_history.sql")),
    (8, "ownership", include_str!("../migrations/0008_ownership.sql")),
    (9, "offboarding", include_str!("../migrations/0009_offboarding.sql")),
];

/// The schema that this program makes.
pub(crate) fn known() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.0).max().unwrap_or_default()
}

const NEEDS_SCHEMA: &str = "SELECT value FROM meta WHERE key = 'needs_schema'";

/// Brings the database to this program's schema, or says that it is too new for it.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let migrations = MIGRATIONS
        .iter()
        .map(|&(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.set_ignore_missing(true);
    migrator.run(&mut *connection).await?;
    let needs: i64 = sqlx::query_scalar(NEEDS_SCHEMA).fetch_one(connection).await?;
    let known = known();
    if needs > known { Err(OpenError::TooNew { needs, known }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;

    #[tokio::test]
    async fn messages_of_an_older_database_are_counted() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let filled = "INSERT INTO account (id, created_at) VALUES (1, 0);
            INSERT INTO folder (id, account_id, name, uid_validity) VALUES (1, 1, 'INBOX', 1), (2, 1, 'Sent', 2), (3, NULL, 'x', 3);
            INSERT INTO blob (id, hash, size, place, idx) VALUES (1, x'00', 1, 0, x'');
            INSERT INTO message SELECT f.id, u.value, 1, 0, 0, 0, 1, 1 FROM folder f, json_each('[1,2,3]') u
                WHERE f.id <> 2 OR u.value = 1";
        let goes = "DELETE FROM message WHERE uid = 3";
        for sql in [MIGRATIONS[0].2, filled, MIGRATIONS[1].2, goes] {
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        let counts = "SELECT group_concat(messages) || '/' || (SELECT messages FROM account) FROM folder";
        let counts: String = sqlx::query_scalar(counts).fetch_one(&mut connection).await.unwrap();
        assert_eq!(counts, "2,1,2/3");
    }

    /// What the release before does, on a database of this one.
    #[tokio::test]
    async fn the_release_before_may_set_passwords_and_drop_blobs() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut connection).await.unwrap();
        let filled = "INSERT INTO account (id, created_at) VALUES (1, 0);
            INSERT INTO credential (account_id, hash, set_by, changed_at) VALUES (1, 'one', 'owner', 0);
            UPDATE credential SET scram = 'record' WHERE account_id = 1;
            INSERT INTO blob (id, hash, size, place, idx) VALUES (1, x'00', 1, 2, x''), (2, x'01', 1, 2, x'');
            INSERT INTO queue_message (trace, sender, ret, smtputf8, eight_bit, blob_id, size, queued_at, expires)
                VALUES ('t', '', 0, 0, 0, 1, 1, 0, 0)";
        let older =
            "INSERT INTO credential (account_id, hash, set_by, changed_at) VALUES (1, 'two', 'owner', 0)
                ON CONFLICT (account_id) DO UPDATE SET hash = 'two', set_by = 'owner', changed_at = 0;
            DELETE FROM blob WHERE id IN (1, 2) AND place = 2
                AND NOT EXISTS (SELECT 1 FROM message WHERE blob_id = blob.id)";
        for sql in [filled, older] {
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        let facts = "SELECT hash || version || coalesce(scram, '-') || (SELECT group_concat(id) FROM blob)
            FROM credential";
        let facts: String = sqlx::query_scalar(facts).fetch_one(&mut connection).await.unwrap();
        assert_eq!(facts, "two1-1", "another version, no stale record; the queued blob stays");
    }

    /// An older database gets its identity once; the release before goes on with terms as it always did.
    #[tokio::test]
    async fn an_older_database_gets_an_identity_and_keeps_its_term() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for &(_, _, sql) in MIGRATIONS.iter().filter(|migration| migration.0 < 6) {
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        let older = "UPDATE meta SET value = max(value, 5) WHERE key = 'fence_epoch' RETURNING value";
        sqlx::raw_sql(older).execute(&mut connection).await.unwrap();
        for &(_, _, sql) in MIGRATIONS.iter().filter(|migration| migration.0 >= 6) {
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        let seen: i64 = sqlx::query_scalar(older).fetch_one(&mut connection).await.unwrap();
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM identity").fetch_one(&mut connection).await.unwrap();
        let needs: i64 = sqlx::query_scalar(NEEDS_SCHEMA).fetch_one(&mut connection).await.unwrap();
        assert_eq!((seen, count), (5, 1));
        assert!(needs <= 5, "the release before opens it: {needs}");
    }

    #[tokio::test]
    async fn twice_is_once_and_a_newer_schema_is_refused() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut connection).await.unwrap();
        migrate(&mut connection).await.unwrap();
        sqlx::query("UPDATE meta SET value = 99 WHERE key = 'needs_schema'")
            .execute(&mut connection)
            .await
            .unwrap();
        let error = migrate(&mut connection).await.unwrap_err();
        assert!(
            matches!(error, OpenError::TooNew { needs: 99, known } if MIGRATIONS.last().is_some_and(|newest| known == newest.0)),
            "{error}"
        );
    }
}
