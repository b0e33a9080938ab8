//! New rows that are made together are the rows that would have been made one by one, and each wrong one is told apart.

use mailwright_store::{Cause, Change, ChangeError, DeletionPolicy, Management, Note, Store};
use serde_json::json;

use crate::history::note;
use crate::support::*;

type Batch = Vec<(Change, Note)>;

fn create(change: Change) -> (Change, Note) {
    let (kind, key) = match &change {
        Change::PutDomain(row) => ("MailDomain", row.name.clone()),
        Change::PutMailbox { row, .. } => ("Mailbox", row.address.clone()),
        Change::PutAlias(row) => ("Alias", row.address.clone()),
        other => panic!("{other:?}"),
    };
    let note = Note { changes: json!([key.len()]), ..note("create", kind, &key) };
    (change, note)
}

/// No two rows are alike, and every column has a value somewhere.
fn mailbox(number: u64) -> Change {
    let mut row = mailbox_row(&format!("p{number}@example.test"));
    row.display_name = format!("Person {number}");
    row.quota = number.is_multiple_of(3).then_some(number << 30);
    row.enabled = !number.is_multiple_of(5);
    row.send_as = vec![format!("as{number}@example.test")];
    row.forward = (0..number % 3).map(|n| format!("f{n}@elsewhere.test")).collect();
    row.keep_copy = number.is_multiple_of(2);
    row.deletion_policy =
        if number.is_multiple_of(7) { DeletionPolicy::Retain } else { DeletionPolicy::Delete };
    row.legal_hold = number.is_multiple_of(11);
    row.owner = if number.is_multiple_of(13) { None } else { owner(&format!("git{}", number % 2)) };
    let management = if number.is_multiple_of(2) { Management::Initial } else { Management::Enforced };
    let secret = format!("secret {number}");
    let credential = credential(&secret, management).filter(|_| !number.is_multiple_of(4));
    Change::PutMailbox { row, credential }
}

fn alias(number: u64) -> Change {
    let mut row = alias_row(&format!("a{number}@example.test"), &["p1@example.test"]);
    row.targets.extend((0..number % 3).map(|n| format!("p{n}@elsewhere.test")));
    row.enabled = !number.is_multiple_of(5);
    Change::PutAlias(row)
}

fn everything() -> Batch {
    let domain = std::iter::once(Change::PutDomain(domain_row("example.test")));
    domain.chain((0..130).map(mailbox)).chain((0..110).map(alias)).map(create).collect()
}

async fn apply(store: &Store, batch: Batch) -> Vec<Result<(), ChangeError>> {
    let cause = Cause { actor: "up".into(), ..Cause::default() };
    let results = store.accounts().apply_noted(batch, Vec::new(), cause, None).await.unwrap();
    results.into_iter().map(|made| made.map(drop)).collect()
}

async fn apply_one_by_one(store: &Store, batch: Batch) -> Vec<Result<(), ChangeError>> {
    let mut results = Vec::new();
    for one in batch {
        results.extend(apply(store, vec![one]).await);
    }
    results
}

/// Every table that a new row touches, row by row; which batch a row of the history was in is left out.
async fn dump(home: Home) -> Vec<String> {
    home.sound().await;
    home.store.close().await;
    let path = home.dir.path().join("mailwright.db");
    let database = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let mut rows = Vec::new();
    for table in ["meta", "account", "mailbox", "folder", "subscription", "credential", "alias", "history"] {
        let columns = format!(
            "SELECT group_concat(name) FROM pragma_table_info('{table}') WHERE name NOT IN ('cause', 'decoy_secret')"
        );
        let columns: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(columns)).fetch_one(&database).await.unwrap();
        let but = if table == "meta" { "WHERE key <> 'decoy_secret'" } else { "" };
        let text =
            format!("SELECT '{table} ' || json_array({columns}) AS text FROM {table} {but} ORDER BY text");
        rows.extend(
            sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(text)).fetch_all(&database).await.unwrap(),
        );
    }
    rows
}

#[tokio::test]
async fn many_are_made_as_one_is() {
    let (together, alone) = (Home::new().await, Home::new().await);
    let results = apply(&together.store, everything()).await;
    assert_eq!(results, apply_one_by_one(&alone.store, everything()).await);
    assert!(results.iter().all(Result::is_ok));
    let (together, alone) = (dump(together).await, dump(alone).await);
    assert!(together.iter().any(|row| row.starts_with("credential")) && together.len() > 2000);
    assert_eq!(together, alone);
}

#[tokio::test]
async fn a_wrong_one_among_many_is_the_only_one_that_fails() {
    let there = [
        Change::PutDomain(domain_row("example.test")),
        put_mailbox(mailbox_row("there@example.test")),
        Change::PutAlias(alias_row("list@example.test", &["there@example.test"])),
    ];
    for wrong in [
        put_mailbox(mailbox_row("list@example.test")),
        put_mailbox(mailbox_row("somebody@nowhere.test")),
        put_mailbox(mailbox_row("nobody")),
        Change::PutAlias(alias_row("there@example.test", &["p1@example.test"])),
        Change::PutAlias(alias_row("list@nowhere.test", &["p1@example.test"])),
        Change::PutAlias(alias_row("list2@example.test", &["nobody"])),
    ] {
        let is_alias = matches!(wrong, Change::PutAlias(_));
        for at in [0, 49, 50, 77] {
            let of: fn(u64) -> Change = if is_alias { alias } else { mailbox };
            let mut batch: Batch = (0..120).map(of).map(create).collect();
            batch.insert(at, create(wrong.clone()));
            let (together, alone) = (Home::new().await, Home::new().await);
            for home in [&together, &alone] {
                let made = apply(&home.store, there.iter().cloned().map(create).collect()).await;
                assert!(made.iter().all(Result::is_ok));
            }
            let results = apply(&together.store, batch.clone()).await;
            assert_eq!(results.iter().position(Result::is_err), Some(at), "{wrong:?}");
            assert_eq!(results.iter().filter(|made| made.is_err()).count(), 1, "{wrong:?}");
            assert_eq!(results, apply_one_by_one(&alone.store, batch).await);
            assert_eq!(dump(together).await, dump(alone).await, "{wrong:?} at {at}");
        }
    }
}

#[tokio::test]
async fn what_is_there_or_comes_twice_is_told_as_always() {
    let (together, alone) = (Home::new().await, Home::new().await);
    for home in [&together, &alone] {
        apply(&home.store, vec![create(Change::PutDomain(domain_row("example.test"))), create(mailbox(3))])
            .await;
    }
    let mut batch: Batch = (0..60).map(mailbox).map(create).collect();
    batch.insert(9, create(mailbox(7)));
    let results = apply(&together.store, batch.clone()).await;
    assert_eq!(results, apply_one_by_one(&alone.store, batch).await);
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(dump(together).await, dump(alone).await);
}
