//! The integrity report sees every kind of damage.

use mailwright_store::message::DELETED;

use crate::support::*;

/// Each damage as SQL, and what the report must say of it.
const DAMAGE: &[(&str, &str)] = &[
    ("DELETE FROM blob WHERE id = 1", "a message has its blob"),
    ("UPDATE blob SET size = size + 1 WHERE id = 1", "a message has its blob, of its size"),
    ("UPDATE blob SET hash = x'00' WHERE id = 1", "blob 1 is not what was stored"),
    ("UPDATE blob SET data = x'1234' WHERE id = 1", "blob 1"),
    ("UPDATE blob SET place = 9 WHERE id = 1", "unknown place 9"),
    ("INSERT INTO blob (hash, size, place, idx) VALUES (x'00', 0, 0, x'')", "a blob has a message"),
    ("UPDATE account SET used_bytes = used_bytes + 1", "usage is the sum of message sizes"),
    ("UPDATE account SET messages = messages + 1", "messages are counted"),
    ("UPDATE folder SET messages = messages + 1 WHERE name = 'Sent'", "messages are counted"),
    ("UPDATE message SET modseq = 99", "MODSEQ and UID are below those of the folder"),
    ("UPDATE folder SET uid_next = 1 WHERE name = 'INBOX'", "MODSEQ and UID are below those of the folder"),
    ("UPDATE expunged SET modseq = 99", "an expunged run is below"),
    ("UPDATE expunged SET first_uid = 1", "names nothing that is there"),
    ("UPDATE message SET flags = 1 << 40", "flags are system flags and named keywords"),
    ("UPDATE folder SET uid_validity = 5", "UIDVALIDITY is unique"),
    ("UPDATE meta SET value = 1 WHERE key = 'uid_validity'", "UIDVALIDITY is unique and was counted"),
    ("UPDATE folder SET noselect = 1 WHERE name = 'INBOX'", "\\Noselect"),
    ("UPDATE folder SET name = 'inbox' WHERE name = 'INBOX'", "an account has its mailbox and INBOX"),
    ("UPDATE folder SET name = 'a/b' WHERE name = 'Sent'", "superiors of a folder exist: a/b"),
    ("UPDATE folder SET name = 'Sent/b/c' WHERE name = 'Junk'", "superiors of a folder exist: Sent/b/c"),
    ("UPDATE mailbox SET address = 'Alice@example.test'", "addresses are canonical"),
    ("UPDATE alias SET address = 'alice@example.test'", "an address is one thing"),
    ("UPDATE domain_alias SET name = 'example.test'", "an address is one thing: example.test"),
    ("UPDATE mailbox SET domain = 'gone.test'", "foreign keys: mailbox"),
];

#[tokio::test]
async fn every_damage_is_reported() {
    for (damage, expected) in DAMAGE {
        let home = Home::new().await;
        let alice = home.account("alice@example.test").await;
        let mut domain = domain_row("example.test");
        domain.aliases = vec!["example.net".into()];
        home.apply(mailwright_store::Change::PutDomain(domain)).await.unwrap();
        let sales = alias_row("sales@example.test", &["alice@example.test"]);
        home.apply(mailwright_store::Change::PutAlias(sales)).await.unwrap();
        home.deliver(alice, message(1)).await;
        home.append(alice, "INBOX", DELETED, &["k"]).await;
        home.store.mail().expunge(home.folder(alice, "INBOX").await, None).await.unwrap();
        home.sound().await;
        let path = home.dir.path().join("mailwright.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(false);
        let database = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql(*damage).execute(&database).await.unwrap();
        let report = home.store.check().await.unwrap();
        assert!(report.iter().any(|line| line.contains(expected)), "{damage}: {report:?}");
    }
}
