//! Asks SQLite how it would run every statement of the store: none of those that serve mail may walk through a table.
//!
//! The statements are taken from the source, so that a new one is looked at, too.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use crate::migrate::migrate;
use crate::store::WORK_TABLES;

const SOURCES: &[&str] = &[
    include_str!("account/sql.rs"),
    include_str!("mailbox/sql.rs"),
    include_str!("message/sql.rs"),
    include_str!("queue/sql.rs"),
    include_str!("resource.rs"),
    include_str!("commit.rs"),
    include_str!("store/open.rs"),
];

/// Statements that are there to read a whole table.
const WHOLE: &[&str] = &[
    "SERVERS",
    "DOMAINS",
    "MAILBOXES",
    "ALIASES",
    "COLUMNS_OF_ALL",
    "KEYS",
    "MATCHING",
    "COUNT_RECIPIENTS",
    "COUNT_MESSAGES",
];
/// Those that walk along a partial index of few rows, or to its first one.
const ALONG: &[&str] = &["NEXT_DUE", "NEXT_EXPIRED", "VOID_LEASES"];
/// What is walked through by design: the recipients of one delivery, the members of one alias, JSON, subqueries that
/// were searched already, the alias domains of one domain, and the one row that says which database it is.
const SMALL: &[&str] =
    &["identity", "delivered", "d", "member", "m", "j", "json_each", "CONSTANT", "VIRTUAL"];

/// Name and text of the `const NAME: &str = "…"` of a source.
fn constants(source: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    for piece in source.split("const ").skip(1) {
        let Some((name, rest)) = piece.split_once(": &str =") else { continue };
        let rest = rest.trim_start().strip_prefix('"').unwrap_or_default();
        let Some((text, _)) = rest.split_once("\";") else { continue };
        found.push((name, text.replace("\\\"", "\"")));
    }
    found
}

fn statements(text: &str) -> impl Iterator<Item = &str> {
    let starts = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    text.split(';')
        .map(str::trim)
        .filter(move |statement| starts.iter().any(|start| statement.starts_with(start)))
}

async fn database() -> SqliteConnection {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    migrate(&mut connection).await.unwrap();
    connection.execute(WORK_TABLES).await.unwrap();
    connection
}

#[tokio::test]
async fn no_statement_walks_through_a_table() {
    let mut connection = database().await;
    let (mut looked_at, mut walks) = (0, Vec::new());
    for (name, text) in SOURCES.iter().flat_map(|source| constants(source)) {
        for statement in statements(&text) {
            looked_at += 1;
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            for row in sqlx::query(explain).fetch_all(&mut connection).await.unwrap() {
                let step: &str = row.get(3);
                let Some(table) = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()) else {
                    continue;
                };
                let expected = WHOLE.contains(&name) || SMALL.contains(&table) || table.starts_with('(');
                let alias_domains = matches!(name, "DOMAIN") && table == "a";
                let along = ALONG.contains(&name) && step.contains(" USING INDEX ");
                if !expected && !alias_domains && !along {
                    walks.push(format!("{name}: {step}"));
                }
            }
        }
    }
    assert!(walks.is_empty(), "{walks:#?}");
    assert!(looked_at > 90, "only {looked_at} statements were found");
}

#[tokio::test]
async fn the_test_would_notice() {
    let mut connection = database().await;
    let plan = "EXPLAIN QUERY PLAN SELECT uid FROM message WHERE internal_date = 1";
    let row = sqlx::query(plan).fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<&str, _>(3), "SCAN message");
    let found = constants(
        "const A: &str = \"SELECT 1; DELETE FROM x\";\nconst B: u8 = 1;\nconst C: &str =\n    \"BEGIN\";",
    );
    assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["A", "C"]);
    assert_eq!(statements(&found[0].1).collect::<Vec<_>>(), ["SELECT 1", "DELETE FROM x"]);
    assert_eq!(statements(&found[1].1).count(), 0);
}
