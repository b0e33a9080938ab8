//! Rows that nobody of ours wrote are errors that say so, never a panic and never a guess.

use mailwright_store::{Error, Need};

use crate::support::*;

/// Damage to what `observe` reads.
const ACCOUNTS: &[(&str, &str)] = &[
    ("UPDATE domain SET settings = '{'", "settings are not JSON"),
    ("UPDATE server SET settings = 'x'", "settings are not JSON"),
    ("UPDATE mailbox SET send_as = '[1]'", "a list is not JSON"),
    ("UPDATE mailbox SET deletion_policy = 'shred'", "unknown deletion policy"),
    ("UPDATE credential SET set_by = 'nobody'", "password set by"),
    ("UPDATE credential SET management = 'chaos'", "management"),
    ("UPDATE alias SET targets = ''", "a list is not JSON"),
    ("UPDATE alias SET senders = 'martians'", "unknown posting policy"),
];

/// Damage to what a session reads.
const MAIL: &[(&str, &str)] = &[
    ("UPDATE folder SET keywords = '{}'", "keywords are not JSON"),
    ("UPDATE folder SET uid_validity = -1", "not a 32 bit number"),
    ("UPDATE message SET flags = -1", "a list of numbers cannot be read"),
    ("UPDATE message SET uid = 4294967296", "is not a UID"),
    ("UPDATE message SET size = -1", "a blob has 61 bytes instead of -1"),
    ("UPDATE blob SET place = 7", "unknown place 7"),
    ("UPDATE folder SET special_use = 'attic' WHERE name = 'Sent'", "unknown special use"),
];

async fn damaged(home: &Home, damage: &'static str) {
    let path = home.dir.path().join("mailwright.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(false);
    let database = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(damage).execute(&database).await.unwrap();
}

#[tokio::test]
async fn damaged_account_rows() {
    for (damage, expected) in ACCOUNTS {
        let home = Home::new().await;
        home.account("alice@example.test").await;
        let first = mailwright_store::Management::Initial;
        let batch = vec![
            mailwright_store::Change::PutServer(server_row("mail/main")),
            mailwright_store::Change::PutAlias(alias_row("sales@example.test", &["alice@example.test"])),
            mailwright_store::Change::PutMailbox {
                row: mailbox_row("alice@example.test"),
                credential: credential("one", first),
            },
        ];
        assert!(home.store.accounts().apply(batch, None).await.unwrap().iter().all(Result::is_ok));
        damaged(&home, damage).await;
        let result = home.store.accounts().observe().await;
        assert!(
            matches!(&result, Err(Error::Damaged(what)) if what.contains(expected)),
            "{damage}: {result:?}"
        );
    }
}

#[tokio::test]
async fn damaged_mail_rows() {
    for (damage, expected) in MAIL {
        let home = Home::new().await;
        let alice = home.account("alice@example.test").await;
        home.deliver(alice, message(1)).await;
        let inbox = home.folder(alice, "INBOX").await;
        damaged(&home, damage).await;
        let mail = home.store.mail();
        let results = [
            mail.select(alice, "INBOX", false).await.map(drop),
            mail.changes(inbox, 0).await.map(drop),
            mail.fetch(inbox, &[1], Need { index: true, raw: true }).await.map(drop),
            mail.list(alice).await.map(drop),
        ];
        let said = results
            .iter()
            .any(|result| matches!(result, Err(Error::Damaged(what)) if what.contains(expected)));
        assert!(said, "{damage}: {results:?}");
    }
}
