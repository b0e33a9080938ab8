//! Random changes of accounts in random batches: any order ends in the same rows, and again writes nothing.

use std::collections::BTreeMap;

use mailwright_store::{Accounts, AliasRow, Change, DomainRow, Effect, MailboxRow, Management};
use proptest::prelude::*;

use crate::support::*;

const DOMAINS: [&str; 3] = ["a.test", "b.test", "c.test"];
const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn domain() -> impl Strategy<Value = DomainRow> {
    (0..DOMAINS.len(), any::<bool>(), proptest::option::of(0..PEOPLE.len())).prop_map(
        |(d, parked, catch_all)| {
            let name = DOMAINS[d];
            let catch_all = catch_all.map(|person| format!("{}@{name}", PEOPLE[person]));
            DomainRow { parked, catch_all, aliases: vec![format!("alias-of-{name}")], ..domain_row(name) }
        },
    )
}

fn mailbox() -> impl Strategy<Value = MailboxRow> {
    (0..DOMAINS.len(), 0..2usize, proptest::option::of(0..9u64), any::<bool>()).prop_map(
        |(d, p, quota, enabled)| MailboxRow {
            quota,
            enabled,
            ..mailbox_row(&format!("{}@{}", PEOPLE[p], DOMAINS[d]))
        },
    )
}

fn alias() -> impl Strategy<Value = AliasRow> {
    (0..DOMAINS.len(), 2..PEOPLE.len(), proptest::collection::vec(0..PEOPLE.len(), 1..4)).prop_map(
        |(d, p, targets)| {
            let targets: Vec<String> =
                targets.into_iter().map(|t| format!("{}@{}", PEOPLE[t], DOMAINS[d])).collect();
            AliasRow { targets, ..alias_row(&format!("{}@{}", PEOPLE[p], DOMAINS[d]), &[]) }
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => domain().prop_map(Change::PutDomain),
        4 => (mailbox(), any::<bool>()).prop_map(|(row, with)| {
            let credential = with.then(|| credential(&row.address, Management::Initial)).flatten();
            Change::PutMailbox { row, credential }
        }),
        3 => alias().prop_map(Change::PutAlias),
    ]
}

/// One change per subject, and every domain: a declared state.
fn declared(changes: Vec<Change>) -> Vec<Change> {
    let domains = DOMAINS.map(|name| Change::PutDomain(domain_row(name)));
    let subject = |change: &Change| match change {
        Change::PutDomain(row) => row.name.clone(),
        Change::PutMailbox { row, .. } => row.address.clone(),
        Change::PutAlias(row) => row.address.clone(),
        other => format!("{other:?}"),
    };
    let by_subject: BTreeMap<String, Change> =
        domains.into_iter().chain(changes).map(|change| (subject(&change), change)).collect();
    by_subject.into_values().collect()
}

/// What does not depend on the order in which rows were made.
fn rows(mut accounts: Accounts) -> Accounts {
    for mailbox in &mut accounts.mailboxes {
        mailbox.id = mailwright_store::AccountId(0);
    }
    accounts.change_counter = 0;
    accounts
}

async fn end_of(earlier: &[Change], batches: &[&[Change]]) -> Accounts {
    let home = Home::new().await;
    home.store.accounts().apply(earlier.to_vec(), None).await.unwrap();
    // A batch may need another one that comes later: apply until nothing changes, as a reconciler does.
    for round in 0.. {
        let before = home.store.accounts().change_counter().await.unwrap();
        for batch in batches {
            home.store.accounts().apply(batch.to_vec(), None).await.unwrap();
        }
        if home.store.accounts().change_counter().await.unwrap() == before {
            break;
        }
        assert!(round < 5, "it never settles");
    }
    let jobs = batches.concat();
    let again = home.store.accounts().apply(jobs, None).await.unwrap();
    assert!(again.iter().all(|result| *result == Ok(Effect::Unchanged)), "{again:?}");
    let end = home.store.accounts().observe().await.unwrap();
    home.sound().await;
    home.store.close().await;
    rows(end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_batches_end_the_same(
        earlier in proptest::collection::vec(change(), 0..8),
        changes in proptest::collection::vec(change(), 1..14),
        order in any::<proptest::sample::Index>(),
    ) {
        let (earlier, target) = (declared(earlier), declared(changes));
        // Rows that are declared nowhere any more would stay; this is about those that are.
        let earlier: Vec<Change> = earlier.into_iter().filter(|c| matches!(c, Change::PutDomain(_))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let straight = end_of(&[], &[&target]).await;
            let mut backwards = target.clone();
            backwards.reverse();
            assert_eq!(end_of(&earlier, &[&backwards]).await, straight);
            let (one, two) = target.split_at(order.index(target.len()));
            assert_eq!(end_of(&earlier, &[two, one]).await, straight);
        });
    }
}
