//! The queue: into it, leased, settled, filtered, and never lost or twice.

use mailwright_store::{
    Change, Delivery, Due, Error, Notify, Outcome, Outgoing, OutgoingRecipient, QueueChanged, QueueFilter,
    QueueState, QueueStats, RecipientId, Ret, SettleOutcome, Settled, Settlement,
};

use crate::support::*;

const SENDER: &str = "alice@example.test";

pub fn recipient(address: &str) -> OutgoingRecipient {
    OutgoingRecipient { address: address.into(), ..OutgoingRecipient::default() }
}

pub fn outgoing(addresses: &[&str], raw: impl Into<bytes::Bytes>) -> Outgoing {
    Outgoing {
        id: "trace".into(),
        reverse_path: SENDER.into(),
        recipients: addresses.iter().map(|address| recipient(address)).collect(),
        ret: None,
        envelope_id: None,
        smtputf8: false,
        eight_bit: false,
        submitted_by: None,
        raw: raw.into(),
        next_attempt: START,
        expires: START + 5 * 86_400,
    }
}

async fn due(home: &Home, now: i64) -> Vec<Due> {
    home.store.queue().due(now, 100, now + 600, &[]).await.unwrap()
}

fn addresses(due: &[Due]) -> Vec<&str> {
    due.iter().flat_map(|due| due.recipients.iter().map(|recipient| recipient.address.as_str())).collect()
}

fn settlement(due: &Due, result: impl Fn(&str) -> Settled, delivery: Option<Delivery>) -> Settlement {
    let results = due.recipients.iter().map(|recipient| (recipient.id, result(&recipient.address)));
    Settlement { lease: due.lease, message: due.message.id, results: results.collect(), delivery }
}

fn failed() -> Settled {
    Settled::Failed { reply: "550 5.1.1 no such user".into() }
}

fn deferred(next_attempt: i64) -> Settled {
    Settled::Deferred { next_attempt, reply: "451 4.3.0 later".into(), delay_reported: false }
}

fn complete() -> SettleOutcome {
    SettleOutcome { complete: true, ..SettleOutcome::default() }
}

async fn stats(home: &Home) -> QueueStats {
    home.store.queue().stats().await.unwrap()
}

#[tokio::test]
async fn what_goes_in_comes_out_as_it_was() {
    let home = Home::new().await;
    let alice = home.account(SENDER).await;
    let never = Notify { never: true, success: false, failure: false, delay: false };
    for (raw, reverse_path, ret) in
        [(message(1), SENDER, Some(Ret::Headers)), (large(1), "", Some(Ret::Full)), (message(2), "x@y", None)]
    {
        let given = Outgoing {
            id: "id-1".into(),
            reverse_path: reverse_path.into(),
            recipients: vec![
                OutgoingRecipient {
                    address: "Bob@Example.ORG".into(),
                    original: Some("rfc822;list@example.org".into()),
                    notify: never,
                },
                recipient("jörg@example.org"),
            ],
            ret,
            envelope_id: Some("env + 1".into()),
            smtputf8: true,
            eight_bit: true,
            submitted_by: Some(alice),
            raw: raw.clone(),
            next_attempt: START + 1,
            expires: START + 99,
        };
        let queue = home.store.queue();
        let id = queue.enqueue(given.clone()).await.unwrap();
        assert_eq!(queue.raw(id).await.unwrap(), Some(raw.clone()));
        assert!(due(&home, START).await.is_empty(), "not yet");
        assert_eq!(queue.next_due(&[]).await.unwrap(), Some(START + 1));
        let found = due(&home, START + 1).await.remove(0);
        let message = &found.message;
        assert_eq!((message.trace.as_str(), message.reverse_path.as_str()), ("id-1", reverse_path));
        assert_eq!((message.ret, message.envelope_id.as_deref()), (ret, Some("env + 1")));
        assert!(message.smtputf8 && message.eight_bit);
        assert_eq!((message.submitted_by, message.size), (Some(alice), raw.len() as u64));
        assert_eq!((message.queued_at, message.expires), (START, START + 99));
        let back: Vec<OutgoingRecipient> = found
            .recipients
            .iter()
            .map(|r| OutgoingRecipient {
                address: r.address.clone(),
                original: r.original.clone(),
                notify: r.notify,
            })
            .collect();
        assert_eq!(back, given.recipients);
        let settled = queue.settle(settlement(&found, |_| Settled::Done, None)).await.unwrap();
        assert_eq!(settled, complete());
        assert_eq!(queue.raw(id).await.unwrap(), None);
        assert_eq!(stats(&home).await, QueueStats::default());
    }
    home.sound().await;
    assert_eq!(blob_files(home.dir.path()), 0);
}

#[tokio::test]
async fn a_lease_keeps_others_away_until_it_ends() {
    let home = Home::new().await;
    let queue = home.store.queue();
    queue.enqueue(outgoing(&["a@x.test", "b@y.test"], message(1))).await.unwrap();
    let first = due(&home, START).await.remove(0);
    assert_eq!(first.recipients.len(), 2);
    assert!(due(&home, START).await.is_empty());
    assert_eq!(queue.next_due(&[]).await.unwrap(), Some(START + 600));
    assert_eq!(queue.renew(&[(first.lease, first.message.id)], START + 900).await.unwrap(), 2);
    assert!(due(&home, START + 600).await.is_empty(), "renewed");
    let second = due(&home, START + 900).await.remove(0);
    assert_eq!(queue.renew(&[(first.lease, first.message.id)], START + 9000).await.unwrap(), 0);
    // The first, too late: what it delivered is delivered; what it would put off is the second's business.
    let late = settlement(&first, |a| if a == "a@x.test" { Settled::Done } else { deferred(START) }, None);
    let outcome = queue.settle(late).await.unwrap();
    assert_eq!((outcome.lost.len(), outcome.complete), (2, false));
    let left = queue.show(first.message.id).await.unwrap().unwrap();
    assert_eq!(left.recipients.iter().map(|r| r.address.as_str()).collect::<Vec<_>>(), ["b@y.test"]);
    assert_eq!(left.recipients[0].attempts, 0);
    queue.settle(settlement(&second, |_| Settled::Done, None)).await.unwrap();
    assert_eq!(stats(&home).await.messages, 0);
    home.sound().await;
}

#[tokio::test]
async fn what_is_given_back_is_due_again() {
    let home = Home::new().await;
    let queue = home.store.queue();
    queue.enqueue(outgoing(&["a@x.test", "b@y.test"], message(1))).await.unwrap();
    let taken = due(&home, START).await.remove(0);
    let mut changed = queue.changed();
    changed.mark_unchanged();
    queue.give_back(taken.lease, &[taken.recipients[1].id]).await.unwrap();
    assert!(changed.has_changed().unwrap());
    assert_eq!(addresses(&due(&home, START).await), ["b@y.test"]);
    // A stop leaves leases behind; the next start voids them.
    let home = home.reopened().await;
    assert_eq!(addresses(&due(&home, START).await), ["a@x.test", "b@y.test"]);
    assert!(due(&home, START).await.is_empty());
}

#[tokio::test]
async fn deferred_recipients_come_back_with_their_history() {
    let home = Home::new().await;
    let queue = home.store.queue();
    let id = queue.enqueue(outgoing(&["a@x.test", "b@x.test", "c@x.test"], message(1))).await.unwrap();
    let taken = due(&home, START).await.remove(0);
    let result = |address: &str| match address {
        "a@x.test" => Settled::Done,
        "b@x.test" => deferred(START + 300),
        _ => Settled::Deferred { next_attempt: START + 400, reply: "é".repeat(5000), delay_reported: true },
    };
    assert_eq!(queue.settle(settlement(&taken, result, None)).await.unwrap(), complete());
    let entry = queue.show(id).await.unwrap().unwrap();
    assert_eq!(entry.recipients.len(), 2);
    let (b, c) = (&entry.recipients[0], &entry.recipients[1]);
    assert_eq!((b.state, b.attempts, b.next_attempt), (QueueState::Deferred, 1, START + 300));
    assert_eq!((b.last_reply.as_deref(), b.delay_reported), (Some("451 4.3.0 later"), false));
    assert!(c.delay_reported && c.last_reply.as_ref().unwrap().len() <= 1536);
    assert_eq!(addresses(&due(&home, START + 300).await), ["b@x.test"]);
    let again = due(&home, START + 400).await.remove(0);
    queue.settle(settlement(&again, |_| deferred(START + 500), None)).await.unwrap();
    let c = queue.show(id).await.unwrap().unwrap().recipients.remove(1);
    assert!(c.delay_reported && c.attempts == 2, "once told is told");
}

#[tokio::test]
async fn a_report_and_what_it_reports_are_one() {
    let home = Home::new().await;
    let alice = home.account(SENDER).await;
    let queue = home.store.queue();
    queue.enqueue(outgoing(&["a@x.test", "b@x.test"], message(1))).await.unwrap();
    let taken = due(&home, START).await.remove(0);
    let result = |address: &str| if address == "a@x.test" { Settled::Done } else { failed() };
    let mut report = outgoing(&["postmaster@z.test"], message(8));
    report.reverse_path = String::new();
    let mut delivery = delivery(&[alice], message(9));
    delivery.outgoing = vec![report];
    let outcome = queue.settle(settlement(&taken, result, Some(delivery))).await.unwrap();
    assert!(outcome.complete && matches!(outcome.outcomes[..], [Outcome::Delivered { .. }]));
    assert_eq!(home.uids(alice, "INBOX").await.len(), 1);
    let left = queue.list(&QueueFilter::default()).await.unwrap();
    assert_eq!((left.len(), left[0].message.reverse_path.as_str()), (1, ""));
    home.sound().await;
}

#[tokio::test]
async fn a_report_that_does_not_fit_holds_back_what_it_reports() {
    let home = Home::new().await;
    let alice = home.account(SENDER).await;
    let mut row = mailbox_row(SENDER);
    row.quota = Some(1);
    home.apply(put_mailbox(row)).await.unwrap();
    let queue = home.store.queue();
    let id = queue.enqueue(outgoing(&["a@x.test", "b@x.test"], message(1))).await.unwrap();
    let taken = due(&home, START).await.remove(0);
    let result = |address: &str| if address == "a@x.test" { Settled::Done } else { failed() };
    let mut report = delivery(&[alice], message(9));
    report.outgoing = vec![outgoing(&["c@x.test"], message(8))];
    let outcome = queue.settle(settlement(&taken, result, Some(report))).await.unwrap();
    assert_eq!((outcome.complete, outcome.outcomes), (false, vec![Outcome::OverQuota]));
    let left = queue.list(&QueueFilter::default()).await.unwrap();
    assert_eq!(left.len(), 1, "the queued part of the report is held back as well");
    assert_eq!(left[0].message.id, id);
    assert_eq!(left[0].recipients[0].address, "b@x.test");
    // Without the report, and by the same lease.
    let rest: Vec<_> = vec![(left[0].recipients[0].id, failed())];
    let again = Settlement { lease: taken.lease, message: id, results: rest, delivery: None };
    assert_eq!(queue.settle(again).await.unwrap(), complete());
    assert_eq!(stats(&home).await.messages, 0);
    home.sound().await;
}

#[tokio::test]
async fn deleted_meanwhile_is_not_reported() {
    let home = Home::new().await;
    let alice = home.account(SENDER).await;
    let queue = home.store.queue();
    queue.enqueue(outgoing(&["a@x.test", "b@x.test"], message(1))).await.unwrap();
    let taken = due(&home, START).await.remove(0);
    let filter = QueueFilter { recipient: Some("A@X.TEST".into()), ..QueueFilter::default() };
    let changed = QueueChanged { recipients: 1, messages: 1 };
    assert_eq!(queue.delete(&filter).await.unwrap(), changed);
    let report = Some(delivery(&[alice], message(9)));
    let outcome = queue.settle(settlement(&taken, |_| failed(), report)).await.unwrap();
    assert_eq!((outcome.lost, outcome.complete), (vec![taken.recipients[0].id], false));
    assert!(home.uids(alice, "INBOX").await.is_empty());
    let rest = vec![(taken.recipients[1].id, failed())];
    let again = Settlement {
        lease: taken.lease,
        message: taken.message.id,
        results: rest,
        delivery: Some(delivery(&[alice], message(9))),
    };
    assert!(queue.settle(again).await.unwrap().complete);
    assert_eq!(home.uids(alice, "INBOX").await.len(), 1);
    let unknown = Settlement {
        lease: taken.lease,
        message: taken.message.id,
        results: vec![(RecipientId(999), failed())],
        delivery: Some(delivery(&[alice], message(9))),
    };
    assert_eq!(queue.settle(unknown).await.unwrap().lost, [RecipientId(999)]);
    assert_eq!(home.uids(alice, "INBOX").await.len(), 1);
    home.sound().await;
}

#[tokio::test]
async fn local_copies_and_the_queue_are_one_transaction() {
    let home = Home::new().await;
    let alice = home.account(SENDER).await;
    let mut small = mailbox_row("bob@example.test");
    small.quota = Some(1);
    home.apply(put_mailbox(small)).await.unwrap();
    let bob = home.mailbox("bob@example.test").await.id;
    let with = |accounts: &[_], raw: bytes::Bytes| {
        let mut delivery = delivery(accounts, raw.clone());
        delivery.outgoing = vec![outgoing(&["c@x.test"], raw)];
        delivery
    };
    let mail = home.store.mail();
    let withheld = mail.deliver(with(&[alice, bob], message(1))).await.unwrap();
    assert_eq!(withheld, [Outcome::Withheld, Outcome::OverQuota]);
    assert_eq!(stats(&home).await.messages, 0);
    // The bytes in one file for both.
    let stored = mail.deliver(with(&[alice], large(1))).await.unwrap();
    assert!(matches!(stored[..], [Outcome::Delivered { .. }]));
    assert!(mail.deliver(with(&[], message(2))).await.unwrap().is_empty());
    assert_eq!((stats(&home).await.messages, blob_files(home.dir.path())), (2, 1));
    home.sound().await;
    let nobody = Delivery { outgoing: vec![outgoing(&[], message(1))], ..delivery(&[alice], message(3)) };
    assert!(matches!(mail.deliver(nobody).await, Err(Error::Cannot(_))));
    assert_eq!(home.uids(alice, "INBOX").await, [1]);
}

/// Expunges everything of an INBOX.
async fn expunge_all(home: &Home, account: mailwright_store::AccountId) {
    use mailwright_store::{FlagOp, StoreFlags, message::DELETED};
    let inbox = home.folder(account, "INBOX").await;
    let uids = home.uids(account, "INBOX").await;
    let change = StoreFlags { uids, op: FlagOp::Add, flags: DELETED, keywords: Vec::new() };
    home.store.mail().store_flags(inbox, change).await.unwrap();
    home.store.mail().expunge(inbox, None).await.unwrap();
}

#[tokio::test]
async fn a_shared_file_stays_as_long_as_somebody_names_it() {
    for queue_first in [true, false] {
        let home = Home::new().await;
        let alice = home.account(SENDER).await;
        let queue = home.store.queue();
        if queue_first {
            queue.enqueue(outgoing(&["a@x.test"], large(1))).await.unwrap();
            home.deliver(alice, large(1)).await;
        } else {
            home.deliver(alice, large(1)).await;
            queue.enqueue(outgoing(&["a@x.test"], large(1))).await.unwrap();
        }
        assert_eq!(blob_files(home.dir.path()), 1);
        home.sound().await;
        let index = mailwright_store::Need { raw: false, index: true };
        let inbox = home.folder(alice, "INBOX").await;
        let fetched = home.store.mail().fetch(inbox, &[1], index).await.unwrap();
        assert_eq!(fetched.messages[0].index.as_deref(), Some(&b"index"[..]), "queue first: {queue_first}");
        let taken = due(&home, START).await.remove(0);
        if queue_first {
            expunge_all(&home, alice).await;
            home.sound().await;
            assert_eq!(queue.raw(taken.message.id).await.unwrap(), Some(large(1)));
            let home = home.reopened().await;
            assert_eq!(home.store.queue().raw(taken.message.id).await.unwrap(), Some(large(1)));
            let taken = due(&home, START).await.remove(0);
            home.store.queue().settle(settlement(&taken, |_| Settled::Done, None)).await.unwrap();
            home.sound().await;
            assert_eq!(blob_files(home.dir.path()), 0);
        } else {
            queue.settle(settlement(&taken, |_| Settled::Done, None)).await.unwrap();
            home.sound().await;
            assert_eq!(home.raw(inbox, 1).await, Some(large(1)));
            expunge_all(&home, alice).await;
            home.sound().await;
            assert_eq!(blob_files(home.dir.path()), 0);
        }
    }
}

async fn filled() -> Home {
    let home = Home::new().await;
    let queue = home.store.queue();
    for (number, (sender, addresses)) in [
        ("alice@example.test", &["a@x.test", "b@y.test"][..]),
        ("", &["a@x.test"]),
        ("bob@example.test", &["c@y.test"]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut given = outgoing(addresses, message(number));
        given.reverse_path = sender.into();
        given.id = format!("trace-{number}");
        queue.enqueue(given).await.unwrap();
        home.pass(10);
    }
    home
}

#[tokio::test]
async fn filters_select_recipients() {
    let home = filled().await;
    let queue = home.store.queue();
    let all = queue.list(&QueueFilter::default()).await.unwrap();
    let ids: Vec<_> = all.iter().map(|entry| entry.message.id).collect();
    queue.hold(&QueueFilter { ids: vec![ids[2]], ..Default::default() }).await.unwrap();
    let text = |value: &str| Some(value.to_owned());
    let filter = QueueFilter::default;
    for (name, filter, expected) in [
        ("all", filter(), &["a@x.test", "b@y.test", "a@x.test", "c@y.test"][..]),
        ("sender", QueueFilter { sender: text("Alice@example.test"), ..filter() }, &["a@x.test", "b@y.test"]),
        ("null sender", QueueFilter { sender: text(""), ..filter() }, &["a@x.test"]),
        ("recipient", QueueFilter { recipient: text("A@x.test"), ..filter() }, &["a@x.test", "a@x.test"]),
        ("domain", QueueFilter { domain: text("Y.test"), ..filter() }, &["b@y.test", "c@y.test"]),
        ("ids", QueueFilter { ids: vec![ids[1], ids[2]], ..filter() }, &["a@x.test", "c@y.test"]),
        ("trace", QueueFilter { traces: vec!["trace-1".into()], ..filter() }, &["a@x.test"]),
        (
            "either name",
            QueueFilter { ids: vec![ids[2]], traces: vec!["trace-1".into()], ..filter() },
            &["a@x.test", "c@y.test"],
        ),
        (
            "ids and domain",
            QueueFilter { ids: vec![ids[0]], domain: text("x.test"), ..filter() },
            &["a@x.test"],
        ),
        ("held", QueueFilter { state: Some(QueueState::Held), ..filter() }, &["c@y.test"]),
        (
            "queued",
            QueueFilter { state: Some(QueueState::Queued), ..filter() },
            &["a@x.test", "b@y.test", "a@x.test"],
        ),
        ("active", QueueFilter { state: Some(QueueState::Active), ..filter() }, &[]),
        ("age", QueueFilter { queued_before: Some(START + 10), ..filter() }, &["a@x.test", "b@y.test"]),
        ("limit", QueueFilter { limit: 2, ..filter() }, &["a@x.test", "b@y.test", "a@x.test"]),
        ("nobody", QueueFilter { ids: vec![mailwright_store::QueueId(99)], ..filter() }, &[]),
    ] {
        let found = queue.list(&filter).await.unwrap();
        let found: Vec<_> =
            found.iter().flat_map(|entry| entry.recipients.iter().map(|r| r.address.as_str())).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn holding_releasing_flushing_deleting() {
    let home = filled().await;
    let queue = home.store.queue();
    let domain = |name: &str| QueueFilter { domain: Some(name.into()), ..QueueFilter::default() };
    let both = QueueChanged { recipients: 2, messages: 2 };
    assert_eq!(queue.hold(&domain("y.test")).await.unwrap(), both);
    assert_eq!(queue.hold(&domain("y.test")).await.unwrap(), QueueChanged::default());
    let mut expected = QueueStats {
        messages: 3,
        bytes: 3 * message(0).len() as u64,
        queued: 2,
        held: 2,
        oldest: Some(START),
        ..QueueStats::default()
    };
    assert_eq!(stats(&home).await, expected);
    let taken = due(&home, START + 100).await;
    assert_eq!(addresses(&taken), ["a@x.test", "a@x.test"]);
    (expected.active, expected.queued) = (2, 0);
    assert_eq!(stats(&home).await, expected);
    for due in &taken {
        queue.settle(settlement(due, |_| deferred(START + 9000), None)).await.unwrap();
    }
    (expected.active, expected.deferred) = (0, 2);
    assert_eq!(stats(&home).await, expected);
    assert!(due(&home, START + 100).await.is_empty());
    assert_eq!(
        queue.flush(&QueueFilter::default()).await.unwrap(),
        QueueChanged { recipients: 2, messages: 3 }
    );
    assert_eq!(addresses(&due(&home, START + 100).await), ["a@x.test", "a@x.test"]);
    assert_eq!(queue.release(&QueueFilter::default()).await.unwrap().recipients, 2);
    assert_eq!(addresses(&due(&home, START + 100).await), ["b@y.test", "c@y.test"]);
    assert_eq!(queue.delete(&domain("y.test")).await.unwrap(), both);
    let left = stats(&home).await;
    assert_eq!((left.messages, left.active), (2, 2), "the message of c@y.test left with it");
    assert_eq!(queue.delete(&QueueFilter::default()).await.unwrap(), both);
    assert_eq!(stats(&home).await, QueueStats::default());
    home.sound().await;
}

#[tokio::test]
async fn held_while_active_stays_held_unless_it_is_done() {
    let home = Home::new().await;
    let queue = home.store.queue();
    queue.enqueue(outgoing(&["a@x.test", "b@x.test"], message(1))).await.unwrap();
    let taken = due(&home, START).await.remove(0);
    queue.hold(&QueueFilter::default()).await.unwrap();
    assert_eq!(stats(&home).await.active, 2, "the attempt goes on");
    let result = |address: &str| if address == "a@x.test" { Settled::Done } else { deferred(START + 1) };
    assert!(queue.settle(settlement(&taken, result, None)).await.unwrap().complete);
    assert_eq!((stats(&home).await.held, stats(&home).await.active), (1, 0));
    assert!(due(&home, START + 9000).await.is_empty());
}

#[tokio::test]
async fn busy_domains_and_limits_leave_the_rest() {
    let home = filled().await;
    let queue = home.store.queue();
    let busy = ["x.test".to_owned()];
    let found = queue.due(START + 100, 1, START + 200, &busy).await.unwrap();
    assert_eq!(addresses(&found), ["b@y.test"], "the oldest of the others");
    assert_eq!(queue.next_due(&busy).await.unwrap(), Some(START));
    let found = queue.due(START + 100, 10, START + 200, &busy).await.unwrap();
    assert_eq!(addresses(&found), ["c@y.test"]);
    assert_eq!(queue.next_due(&busy).await.unwrap(), Some(START + 200), "the end of the leases");
    assert_eq!(addresses(&due(&home, START + 100).await), ["a@x.test", "a@x.test"]);
}

#[tokio::test]
async fn two_takers_never_get_the_same() {
    let home = Home::new().await;
    let mut sent = Vec::new();
    for number in 0..60 {
        let address = format!("u{number}@x.test");
        home.store.queue().enqueue(outgoing(&[&address], message(number))).await.unwrap();
        sent.push(address);
    }
    let takers: Vec<_> = (0..8)
        .map(|_| {
            let store = std::sync::Arc::clone(&home.store);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let found = store.queue().due(START, 5, START + 600, &[]).await.unwrap();
                    if found.is_empty() && store.queue().stats().await.unwrap().queued == 0 {
                        return mine;
                    }
                    mine.extend(addresses(&found).into_iter().map(str::to_owned));
                }
            })
        })
        .collect();
    let mut taken = Vec::new();
    for taker in takers {
        taken.extend(taker.await.unwrap());
    }
    taken.sort();
    sent.sort();
    assert_eq!(taken, sent);
}

#[tokio::test]
async fn recipients_have_a_limit() {
    let home = Home::new().await;
    let many = vec!["a@x.test"; mailwright_store::queue::MAX_RECIPIENTS + 1];
    let refused = home.store.queue().enqueue(outgoing(&many, message(1))).await;
    assert!(matches!(refused, Err(Error::Limit { limit: 10_000, .. })), "{refused:?}");
    home.store.queue().enqueue(outgoing(&many[1..], message(1))).await.unwrap();
    assert_eq!(stats(&home).await.queued, 10_000);
    let gone = home.store.queue().delete(&QueueFilter::default()).await.unwrap();
    assert_eq!(gone.recipients, 10_000);
    assert_eq!(stats(&home).await.messages, 0);
}

#[tokio::test]
async fn an_account_that_sent_may_be_removed() {
    let home = Home::new().await;
    let alice = home.account(SENDER).await;
    let mut given = outgoing(&["a@x.test"], message(1));
    given.submitted_by = Some(alice);
    home.store.queue().enqueue(given).await.unwrap();
    home.apply(Change::DisableMailbox(target(SENDER))).await.unwrap();
    let purge = Change::DeleteMailbox { target: target(SENDER), ignore_retention: true };
    home.apply(purge).await.unwrap();
    home.sound().await;
    assert!(due(&home, START).await.is_empty(), "whoever is out sends nothing");
    home.store.queue().release(&QueueFilter::default()).await.unwrap();
    assert_eq!(due(&home, START).await[0].message.submitted_by, Some(alice));
}
