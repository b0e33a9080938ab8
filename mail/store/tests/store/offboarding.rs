//! Mail that waits when its sender goes out of service: held, never lost, and on its way again when they come back.

use mailwright_store::{Change, QueueChanged, QueueFilter, QueueState};

use crate::queue::outgoing;
use crate::support::*;

const LEAVER: &str = "bob@example.test";

/// One message of bob's to two recipients, one of alice's, one that nobody submitted.
async fn waiting() -> Home {
    let home = Home::new().await;
    let bob = account(&home.store, LEAVER).await;
    let alice = account(&home.store, "alice@example.test").await;
    for (submitted_by, to) in
        [(Some(bob), &["a@x.test", "b@y.test"][..]), (Some(alice), &["c@x.test"]), (None, &["d@x.test"])]
    {
        let given = mailwright_store::Outgoing { submitted_by, ..outgoing(to, message(1)) };
        home.store.queue().enqueue(given).await.unwrap();
    }
    home
}

async fn in_state(home: &Home, state: QueueState) -> Vec<String> {
    let filter = QueueFilter { state: Some(state), ..QueueFilter::default() };
    let found = home.store.queue().list(&filter).await.unwrap();
    found.iter().flat_map(|entry| entry.recipients.iter().map(|it| it.address.clone())).collect()
}

async fn enabled(home: &Home, enabled: bool) {
    let mut row = mailbox_row(LEAVER);
    row.enabled = enabled;
    home.apply(put_mailbox(row)).await.unwrap();
}

#[tokio::test]
async fn removed_and_switched_off_hold_and_coming_back_releases() {
    let home = waiting().await;
    let everybody = ["a@x.test", "b@y.test", "c@x.test", "d@x.test"];
    for (off, on) in [(true, true), (true, false), (false, true), (false, false)] {
        if off {
            home.apply(Change::DisableMailbox(target(LEAVER))).await.unwrap();
        } else {
            enabled(&home, false).await;
        }
        assert_eq!(in_state(&home, QueueState::Held).await, ["a@x.test", "b@y.test"]);
        assert_eq!(in_state(&home, QueueState::Queued).await, ["c@x.test", "d@x.test"]);
        assert_eq!(home.store.queue().stats().await.unwrap().held, 2);
        if on && off {
            home.apply(Change::EnableMailbox(target(LEAVER))).await.unwrap();
        } else {
            enabled(&home, true).await;
        }
        assert_eq!(in_state(&home, QueueState::Queued).await, everybody);
    }
}

#[tokio::test]
async fn what_a_postmaster_holds_or_lets_go_stays_so() {
    let home = waiting().await;
    let queue = home.store.queue();
    let to = |address: &str| QueueFilter { recipient: Some(address.into()), ..QueueFilter::default() };
    let one = QueueChanged { recipients: 1, messages: 1 };
    assert_eq!(queue.hold(&to("a@x.test")).await.unwrap(), one);
    home.apply(Change::DisableMailbox(target(LEAVER))).await.unwrap();
    assert_eq!(queue.release(&to("b@y.test")).await.unwrap(), one, "a postmaster may let it go");
    assert_eq!(in_state(&home, QueueState::Held).await, ["a@x.test"]);
    // Another change of a mailbox that is off already holds nothing again.
    enabled(&home, true).await;
    assert_eq!(in_state(&home, QueueState::Held).await, ["a@x.test"], "held by hand: released by hand");
    enabled(&home, false).await;
    assert_eq!(queue.release(&to("b@y.test")).await.unwrap(), one);
    let mut row = mailbox_row(LEAVER);
    (row.enabled, row.display_name) = (false, "Bob".into());
    home.apply(put_mailbox(row)).await.unwrap();
    assert_eq!(in_state(&home, QueueState::Held).await, ["a@x.test"]);
}

#[tokio::test]
async fn it_waits_on_when_the_account_is_deleted() {
    let home = waiting().await;
    home.apply(Change::DisableMailbox(target(LEAVER))).await.unwrap();
    home.pass(365 * 86_400);
    home.apply(Change::DeleteMailbox { target: target(LEAVER), ignore_retention: true }).await.unwrap();
    assert_eq!(in_state(&home, QueueState::Held).await, ["a@x.test", "b@y.test"]);
    let due = home.store.queue().due(START + 366 * 86_400, 100, START + 367 * 86_400, &[]).await.unwrap();
    let due: Vec<&str> =
        due.iter().flat_map(|it| it.recipients.iter().map(|to| to.address.as_str())).collect();
    assert_eq!(due, ["c@x.test", "d@x.test"]);
    home.sound().await;
}
