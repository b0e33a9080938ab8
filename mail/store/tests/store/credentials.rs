//! Passwords through the whole store: declared, owned, enforced.

use mailwright_store::{Change, Credential, Effect, Error, Management, NewPassword, SetBy};

use crate::support::*;

const ALICE: &str = "alice@example.test";

async fn declare(home: &Home, secret: &str, management: Management) -> Effect {
    let change = Change::PutMailbox { row: mailbox_row(ALICE), credential: credential(secret, management) };
    home.apply(change).await.unwrap()
}

fn password(hash: &str) -> NewPassword {
    NewPassword { hash: hash.into(), scram: None }
}

async fn hash(home: &Home) -> String {
    home.store.accounts().lookup_login(ALICE).await.unwrap().unwrap().hash.unwrap_or_default()
}

#[tokio::test]
async fn a_declared_password_is_set_once() {
    let home = Home::new().await;
    home.account(ALICE).await;
    assert_eq!(hash(&home).await, "");
    assert_eq!(home.mailbox(ALICE).await.credential, None);
    assert_eq!(declare(&home, "one", Management::Initial).await, Effect::Written);
    assert_eq!(declare(&home, "one", Management::Initial).await, Effect::Unchanged);
    assert_eq!(hash(&home).await, "hash of one");
    let expected = Credential {
        set_by: SetBy::Declared,
        fingerprint: Some("one".into()),
        management: Some(Management::Initial),
        changed_at: START,
    };
    assert_eq!(home.mailbox(ALICE).await.credential, Some(expected));
    assert_eq!(declare(&home, "two", Management::Initial).await, Effect::Written);
    assert_eq!(hash(&home).await, "hash of two");
    // A missing Secret changes nothing.
    assert_eq!(home.apply(put_mailbox(mailbox_row(ALICE))).await, Ok(Effect::Unchanged));
    assert_eq!(hash(&home).await, "hash of two");
}

#[tokio::test]
async fn the_owners_password_survives_initial_and_not_enforced() {
    let home = Home::new().await;
    home.account(ALICE).await;
    declare(&home, "one", Management::Initial).await;
    let counter = home.store.accounts().change_counter().await.unwrap();
    home.store.accounts().set_password("Alice@Example.Test", password("mine"), SetBy::Owner).await.unwrap();
    assert_eq!(home.store.accounts().change_counter().await.unwrap(), counter + 1);
    assert_eq!(declare(&home, "one", Management::Initial).await, Effect::Unchanged);
    assert_eq!(declare(&home, "two", Management::Initial).await, Effect::Written);
    assert_eq!(declare(&home, "two", Management::Initial).await, Effect::Unchanged);
    assert_eq!(hash(&home).await, "mine");
    assert_eq!(home.mailbox(ALICE).await.credential.unwrap().fingerprint.as_deref(), Some("two"));
    let home = home.reopened().await;
    assert_eq!(declare(&home, "two", Management::Enforced).await, Effect::Written);
    assert_eq!(declare(&home, "two", Management::Enforced).await, Effect::Unchanged);
    assert_eq!(hash(&home).await, "hash of two");
    assert_eq!(home.mailbox(ALICE).await.credential.unwrap().set_by, SetBy::Declared);
}

#[tokio::test]
async fn nobody_has_no_password() {
    let home = Home::new().await;
    let result = home.store.accounts().set_password(ALICE, password("x"), SetBy::Owner).await;
    assert!(matches!(result, Err(Error::NoSuchAccount)));
}

#[tokio::test]
async fn hashes_are_not_printed() {
    let new = credential("one", Management::Initial).unwrap();
    let home = Home::new().await;
    home.account(ALICE).await;
    declare(&home, "one", Management::Initial).await;
    let login = home.store.accounts().lookup_login(ALICE).await.unwrap().unwrap();
    let printed = format!("{new:?} {login:?}");
    assert!(!printed.contains("hash of") && printed.contains(ALICE), "{printed}");
}
