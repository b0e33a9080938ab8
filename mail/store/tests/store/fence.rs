//! Fences of remote writers: an older leader and a writer that means another database change nothing, whenever they come.

use mailwright_store::{Change, Effect, Error, Fence};

use crate::support::*;

/// What was written of a batch, or why it was refused.
fn verdict(answer: mailwright_store::Result<Vec<Result<Effect, mailwright_store::ChangeError>>>) -> String {
    match answer {
        Ok(results) => format!("{} written", results.iter().filter(|it| **it == Ok(Effect::Written)).count()),
        Err(Error::Fenced { seen }) => format!("fenced by {seen}"),
        Err(Error::WrongDatabase { .. }) => "wrong database".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn domains(name: &str) -> Vec<Change> {
    vec![Change::PutDomain(domain_row(name))]
}

#[tokio::test]
async fn an_older_leader_and_another_database_are_refused_whole() {
    let mut home = Home::new().await;
    let here = home.store.accounts().database_id().await.unwrap();
    let other = "00000000-0000-4000-8000-000000000000".to_owned();
    let of = |epoch, database: Option<&String>| Some(Fence { epoch, database: database.cloned() });
    for (name, fence, expected) in [
        ("a.test", of(0, None), "1 written"),
        ("b.test", of(5, None), "1 written"),
        ("c.test", of(4, None), "fenced by 5"),
        ("c.test", of(5, Some(&here)), "1 written"),
        ("c.test", of(5, Some(&here)), "0 written"),
        // A wrong database is told first: its term means nothing here, and is not noted either.
        ("d.test", of(9, Some(&other)), "wrong database"),
        ("d.test", of(1, Some(&other)), "wrong database"),
        ("d.test", of(6, Some(&here)), "1 written"),
        ("e.test", of(5, Some(&here)), "fenced by 6"),
        // Without a cluster there is one process and no term.
        ("e.test", None, "1 written"),
        ("f.test", of(u64::MAX, None), "1 written"),
        // The database's integers end earlier; nobody counts that far.
        ("g.test", of(u64::MAX - 1, None), "1 written"),
        ("h.test", of(6, Some(&here)), "fenced by 9223372036854775807"),
    ] {
        let before = home.store.accounts().change_counter().await.unwrap();
        let answer = verdict(home.store.accounts().apply(domains(name), fence.clone()).await);
        let after = home.store.accounts().change_counter().await.unwrap();
        assert_eq!(answer, expected, "{name} {fence:?}");
        assert_eq!(after > before, expected == "1 written", "{name} {fence:?}");
        home = home.reopened().await;
        assert_eq!(home.store.accounts().database_id().await.unwrap(), here, "it is the same for ever");
    }
}

#[tokio::test]
async fn a_fence_alone_notes_its_term() {
    let home = Home::new().await;
    let accounts = home.store.accounts();
    accounts.check_fence(fence(7)).await.unwrap();
    assert_eq!(verdict(accounts.apply(domains("a.test"), Some(fence(6))).await), "fenced by 7");
    assert!(matches!(accounts.check_fence(fence(6)).await, Err(Error::Fenced { seen: 7 })));
    assert_eq!(accounts.change_counter().await.unwrap(), 0, "a term is no change of an account");
}

#[tokio::test]
async fn every_database_has_an_identity_of_its_own() {
    let (one, other) = (Home::new().await, Home::new().await);
    let (one, other) = (one.store.accounts().database_id().await, other.store.accounts().database_id().await);
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one, other);
    for id in [one, other] {
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
        assert!(id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()) && id == id.to_lowercase());
        assert_eq!(id.as_bytes()[14], b'4', "RFC 9562 §5.4: {id}");
        assert!(b"89ab".contains(&id.as_bytes()[19]), "RFC 9562 §4.1: {id}");
    }
}

/// A paused leader wakes up in the middle of its successor's work: of all interleavings the later term wins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_leaders_at_once_cannot_both_write() {
    let home = Home::new().await;
    let store = &home.store;
    let leader = |term: u64, count: usize| async move {
        let mut written = Vec::new();
        for number in 0..count {
            let name = format!("t{term}-{number}.test");
            match store.accounts().apply(domains(&name), Some(fence(term))).await {
                Ok(_) => written.push(name),
                Err(Error::Fenced { seen: 2 }) => assert_eq!(term, 1, "only the older one"),
                Err(error) => panic!("{error}"),
            }
            tokio::task::yield_now().await;
        }
        written
    };
    let (mut old, new) = tokio::join!(leader(1, 200), async {
        while store.accounts().change_counter().await.unwrap() < 5 {
            tokio::task::yield_now().await;
        }
        leader(2, 50).await
    });
    assert!(old.len() >= 5 && old.len() < 200, "the older one was stopped: {}", old.len());
    assert_eq!(new.len(), 50);
    // What was answered with success is there, and nothing else.
    old.extend(new);
    old.sort();
    let observed = store.accounts().observe().await.unwrap().domains;
    assert_eq!(observed.into_iter().map(|domain| domain.row.name).collect::<Vec<_>>(), old);
    assert!(matches!(
        store.accounts().apply(Vec::new(), Some(fence(1))).await,
        Err(Error::Fenced { seen: 2 })
    ));
}
