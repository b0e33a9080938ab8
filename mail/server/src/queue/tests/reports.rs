//! Reports: to a mailbox here, never for a report, late and expired messages, success when it was asked for.

use mailwright_store::{Notify, OutgoingRecipient};

use super::{Behaviour, Bench, Peer};

fn refusing() -> Behaviour {
    Behaviour { at: "rcpt", instead: "550 5.1.1 no such user", ..Behaviour::default() }
}

#[tokio::test]
async fn a_failure_comes_back_to_the_senders_mailbox() {
    let peer = Peer::start(refusing()).await;
    let bench = Bench::new(&peer).await;
    bench.queue("q1", &["bob@example.net", "carol@example.net"]).await;
    bench.pass().await;
    let inbox = bench.inbox().await;
    let [report] = inbox.as_slice() else { panic!("{inbox:?}") };
    for part in [
        "Return-Path: <>\r\n",
        "report-type=delivery-status",
        "Final-Recipient: rfc822; bob@example.net",
        "Final-Recipient: rfc822; carol@example.net",
        "Action: failed",
        "Status: 5.1.1",
        "550 5.1.1 no such user",
        "Message-ID: <q1@example.test>",
    ] {
        assert!(report.contains(part), "{part} is missing in\n{report}");
    }
    assert!(bench.entries().await.is_empty());
    assert!(bench.store.check().await.unwrap().is_empty());
}

#[tokio::test]
async fn nobody_is_told_who_did_not_want_to_know() {
    for (reverse_path, notify) in [
        ("", Notify::default()),
        ("alice@example.test", Notify { never: true, success: false, failure: false, delay: false }),
        ("alice@example.test", Notify { never: false, success: true, failure: false, delay: false }),
    ] {
        let peer = Peer::start(refusing()).await;
        let bench = Bench::new(&peer).await;
        bench
            .queue_as("q1", |outgoing| {
                outgoing.reverse_path = reverse_path.to_owned();
                outgoing.recipients[0].notify = notify;
            })
            .await;
        bench.pass().await;
        assert!(
            bench.inbox().await.is_empty() && bench.entries().await.is_empty(),
            "{reverse_path} {notify:?}"
        );
    }
}

#[tokio::test]
async fn a_late_message_is_reported_once_and_an_expired_one_for_good() {
    let peer =
        Peer::start(Behaviour { at: "rcpt", instead: "450 4.2.0 later", ..Behaviour::default() }).await;
    let bench = Bench::new(&peer).await;
    bench.queue("q1", &["bob@example.net"]).await;
    for _ in 0..40 {
        bench.pass().await;
        bench.later(4 * 3600);
    }
    let inbox = bench.inbox().await;
    let delays = inbox.iter().filter(|text| text.contains("Action: delayed")).count();
    let failures = inbox.iter().filter(|text| text.contains("Action: failed")).count();
    assert_eq!((delays, failures, inbox.len()), (1, 1, 2));
    assert!(bench.entries().await.is_empty());
}

#[tokio::test]
async fn success_is_reported_to_those_who_asked_unless_the_next_host_does() {
    for (dsn, reports) in [(false, 1), (true, 0)] {
        let peer = Peer::start(Behaviour { dsn, ..Behaviour::default() }).await;
        let bench = Bench::new(&peer).await;
        bench
            .queue_as("q1", |outgoing| {
                outgoing.recipients = vec![OutgoingRecipient {
                    address: "bob@example.net".into(),
                    original: Some("rfc822;bob@example.net".into()),
                    notify: Notify { never: false, success: true, failure: true, delay: false },
                }];
                outgoing.envelope_id = Some("QQ314159".into());
            })
            .await;
        bench.pass().await;
        let inbox = bench.inbox().await;
        assert_eq!(inbox.len(), reports, "{dsn}");
        let rcpt = peer.seen().commands.into_iter().find(|line| line.starts_with("RCPT")).unwrap();
        assert_eq!(rcpt.contains("NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@example.net"), dsn, "{rcpt}");
    }
}

#[tokio::test]
async fn mail_for_ourselves_never_leaves() {
    let peer = Peer::start(Behaviour::default()).await;
    let bench = Bench::new(&peer).await;
    bench.queue("q1", &["alice@example.test", "team@example.org", "nobody@example.test"]).await;
    bench.pass().await;
    assert_eq!(peer.seen().connections, 0);
    let inbox = bench.inbox().await;
    // Directly, by the alias, and the report about nobody.
    assert_eq!(inbox.len(), 3, "{inbox:?}");
    assert!(inbox.iter().any(|text| text.contains("Final-Recipient: rfc822; nobody@example.test")));
    assert!(bench.entries().await.is_empty());
}

#[tokio::test]
async fn a_full_mailbox_waits_in_the_queue() {
    let peer = Peer::start(Behaviour::default()).await;
    let bench = Bench::new(&peer).await;
    bench.queue("q1", &["eve@example.test"]).await;
    bench.pass().await;
    let rows = bench.rows().await;
    assert!(rows.len() == 1 && rows[0].starts_with("eve@example.test deferred 1 452"), "{rows:?}");
}
