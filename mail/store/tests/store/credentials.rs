//! Passwords through the whole store: declared, owned, enforced.

use mailwright_store::{Change, Credential, Effect, Error, Login, Management, NewPassword, SetBy};

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

async fn login(home: &Home) -> Login {
    home.store.accounts().lookup_login(ALICE).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_same_password_in_another_form_is_no_change() {
    let home = Home::new().await;
    let alice = home.account(ALICE).await;
    declare(&home, "one", Management::Initial).await;
    let (before, version) = (home.store.accounts().observe().await.unwrap(), login(&home).await.version);
    let mut watch = home.store.watch_accounts();
    watch.mark_unchanged();
    home.pass(1000);
    let new =
        |hash: &str, scram: Option<&str>| NewPassword { hash: hash.into(), scram: scram.map(Into::into) };
    let accounts = home.store.accounts();
    let rehash = |old: &str, new| accounts.set_hash_keeping_owner(alice, old.to_owned(), new);
    assert!(!rehash("hash of two", new("better", None)).await.unwrap(), "compare and set");
    assert!(rehash("hash of one", new("better", Some("record"))).await.unwrap());
    let now = login(&home).await;
    assert_eq!(
        (now.hash.as_deref(), now.scram.as_deref(), now.version),
        (Some("better"), Some("record"), version)
    );
    assert!(rehash("better", new("best", None)).await.unwrap());
    assert_eq!(login(&home).await.scram.as_deref(), Some("record"), "kept");
    assert_eq!(home.store.accounts().observe().await.unwrap(), before);
    assert!(!watch.has_changed().unwrap(), "no session ends");
    assert_eq!(declare(&home, "one", Management::Initial).await, Effect::Unchanged, "no drift");
    assert_eq!(declare(&home, "one", Management::Enforced).await, Effect::Written, "noted");
    assert_eq!(hash(&home).await, "best");
    assert_eq!(declare(&home, "two", Management::Initial).await, Effect::Written);
    let now = login(&home).await;
    assert_eq!((now.hash.as_deref(), now.scram), (Some("hash of two"), None), "a record is of one password");
    assert!(now.version > version);
}

#[tokio::test]
async fn scram_records_come_and_go_with_their_password() {
    let home = Home::new().await;
    home.account(ALICE).await;
    let mut versions = vec![login(&home).await.version];
    for (hash, scram) in [("a", Some("ra")), ("b", None), ("c", Some("rc")), ("d", Some("rd"))] {
        let new = NewPassword { hash: hash.into(), scram: scram.map(Into::into) };
        home.store.accounts().set_password(ALICE, new, SetBy::Owner).await.unwrap();
        let now = login(&home).await;
        assert_eq!((now.hash.as_deref(), now.scram.as_deref()), (Some(hash), scram));
        versions.push(now.version);
    }
    assert!(versions[1..].is_sorted_by(|a, b| a < b), "{versions:?}");
    let mut declared = credential("one", Management::Enforced).unwrap();
    declared.scram = Some("record of one".into());
    let change = Change::PutMailbox { row: mailbox_row(ALICE), credential: Some(declared) };
    home.apply(change).await.unwrap();
    assert_eq!(login(&home).await.scram.as_deref(), Some("record of one"));
}

#[tokio::test]
async fn every_installation_has_its_own_decoys() {
    let (one, two) = (Home::new().await, Home::new().await);
    let secret = one.store.accounts().decoy_secret().await.unwrap();
    assert_ne!(secret, two.store.accounts().decoy_secret().await.unwrap());
    let one = one.reopened().await;
    assert_eq!(one.store.accounts().decoy_secret().await.unwrap(), secret);
}
