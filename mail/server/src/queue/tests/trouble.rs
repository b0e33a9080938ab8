//! Peers that fail: in each state, in each way; what the queue says of it, and that the mail goes when they are back.

use super::{Behaviour, Bench, Peer};
use crate::config::{Credentials, Relay, RelayTls, Secret};
use crate::queue::net::Security;

/// One attempt at a peer that fails so; answers the row that is left.
async fn attempt(at: &'static str, instead: &'static str) -> (Bench, Peer, Vec<String>) {
    let peer = Peer::start(Behaviour { at, instead, ..Behaviour::default() }).await;
    let bench = Bench::new(&peer).await;
    bench.queue("q1", &["bob@example.net"]).await;
    bench.pass().await;
    let rows = bench.rows().await;
    (bench, peer, rows)
}

#[tokio::test]
async fn a_peer_may_fail_in_any_state_and_the_message_waits() {
    for at in ["greeting", "ehlo", "mail", "rcpt", "data", "."] {
        for instead in ["stall", "drop", "999 what", "hello\0world", "421 4.3.2 going down"] {
            let (bench, peer, rows) = attempt(at, instead).await;
            let [row] = rows.as_slice() else { panic!("{at} {instead}: {rows:?}") };
            assert!(row.starts_with("bob@example.net deferred 1 "), "{at} {instead}: {row}");
            assert!(peer.seen().messages.is_empty(), "{at} {instead}");
            assert!(bench.inbox().await.is_empty(), "nobody is told yet: {at} {instead}");
        }
    }
}

#[tokio::test]
async fn replies_mean_what_they_say() {
    for (at, instead, left) in [
        ("mail", "451 4.7.1 later", true),
        ("rcpt", "450 4.2.0 greylisted", true),
        ("data", "451 4.3.0 later", true),
        (".", "452 4.3.1 full", true),
        ("mail", "550 5.7.1 no", false),
        ("rcpt", "550 5.1.1 unknown", false),
        ("data", "554 5.0.0 no", false),
        (".", "552 5.3.4 too big", false),
        ("greeting", "554 5.3.2 go away", true),
        ("ehlo", "550 5.7.1 not you", true),
    ] {
        let (bench, _peer, rows) = attempt(at, instead).await;
        assert_eq!(rows.len(), usize::from(left), "{at} {instead}: {rows:?}");
        let inbox = bench.inbox().await;
        assert_eq!(inbox.len(), usize::from(!left), "{at} {instead}");
        if left {
            assert!(rows[0].contains(instead.split_once(' ').unwrap().1), "{at}: {rows:?}");
        } else {
            assert!(inbox[0].contains(instead.split_once(' ').unwrap().1), "{at}: {}", inbox[0]);
        }
    }
}

#[tokio::test]
async fn what_was_deferred_goes_when_its_time_comes() {
    let behaviour = Behaviour { at: "rcpt", instead: "450 4.2.0 later", times: 2, ..Behaviour::default() };
    let peer = Peer::start(behaviour).await;
    let bench = Bench::new(&peer).await;
    bench.queue("q1", &["bob@example.net"]).await;
    for expected in [1, 1, 0] {
        bench.pass().await;
        assert_eq!(bench.rows().await.len(), expected);
        bench.pass().await;
        bench.later(3 * 3600);
    }
    let seen = peer.seen();
    assert_eq!(seen.messages.len(), 1);
    assert_eq!(
        seen.messages[0],
        "Message-ID: <q1@example.test>\r\nSubject: hello\r\n\r\n.dots\r\n..\r\nbody\r\n"
    );
}

#[tokio::test]
async fn many_messages_share_few_connections() {
    let peer = Peer::start(Behaviour::default()).await;
    let bench = Bench::new(&peer).await;
    for number in 0..50 {
        bench.queue(&format!("q{number}"), &["bob@example.net", "carol@example.net"]).await;
    }
    bench.pass().await;
    let seen = peer.seen();
    assert_eq!(seen.messages.len(), 50);
    assert!(seen.connections <= 4, "{} connections", seen.connections);
    assert_eq!(seen.commands.iter().filter(|command| command.starts_with("RCPT")).count(), 100);
    assert!(bench.entries().await.is_empty());
}

#[tokio::test]
async fn broken_tls_is_met_in_the_clear_and_good_tls_is_used() {
    for (tls, security, encrypted, sent) in [
        ("good", Security::Opportunistic, true, true),
        ("broken", Security::Opportunistic, false, true),
        ("", Security::Opportunistic, false, true),
        ("good", Security::Plain, false, true),
        ("good", Security::StartTls, true, true),
        ("broken", Security::StartTls, false, false),
        ("", Security::StartTls, false, false),
    ] {
        let peer = Peer::start(Behaviour { tls, ..Behaviour::default() }).await;
        let mut peer = peer;
        peer.host = "127.0.0.1".to_owned();
        let bench = Bench::with(&peer, security, |_| {}).await;
        bench.queue("q1", &["bob@example.net"]).await;
        bench.pass().await;
        let seen = peer.seen();
        assert_eq!(
            (seen.encrypted, seen.messages.len()),
            (encrypted, usize::from(sent)),
            "{tls} {security:?}"
        );
        assert_eq!(bench.rows().await.len(), usize::from(!sent), "{tls} {security:?}");
    }
}

/// A smarthost that knows one password, and us with ours.
async fn smarthost(ours: &str, tls: &'static str) -> (Bench, Peer) {
    let behaviour = Behaviour { tls, password: Some("right"), ..Behaviour::default() };
    let mut peer = Peer::start(behaviour).await;
    peer.host = "127.0.0.1".to_owned();
    let credentials = Credentials { username: "relay".into(), password: Secret::new(ours) };
    let (host, port) = (peer.host.clone(), peer.address.port());
    let bench = Bench::with(&peer, Security::Opportunistic, |config| {
        config.relay =
            Some(Relay { host, port, tls: RelayTls::Opportunistic, credentials: Some(credentials) });
    })
    .await;
    (bench, peer)
}

#[tokio::test]
async fn a_smarthost_gets_the_password_and_the_mail() {
    let (bench, peer) = smarthost("right", "good").await;
    bench.queue("q1", &["bob@example.net"]).await;
    bench.pass().await;
    assert_eq!(peer.seen().messages.len(), 1);
    assert!(bench.runner.warnings().is_empty());
}

#[tokio::test]
async fn a_smarthost_that_refuses_the_password_bounces_nothing() {
    let (bench, peer) = smarthost("wrong", "good").await;
    for number in 0..5 {
        bench.queue(&format!("q{number}"), &["bob@example.net"]).await;
    }
    bench.pass().await;
    let rows = bench.rows().await;
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row.contains("deferred 1 ") && row.contains("535 5.7.8")), "{rows:?}");
    let warnings = bench.runner.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("refuses the login"), "{warnings:?}");
    assert!(!warnings[0].contains("wrong"), "the password is not shown");
    assert!(bench.inbox().await.is_empty());
    assert!(peer.seen().connections <= 4, "one failure speaks for all that wait");
}

#[tokio::test]
async fn a_password_never_goes_out_in_the_clear() {
    for tls in ["", "broken"] {
        let (bench, peer) = smarthost("right", tls).await;
        bench.queue("q1", &["bob@example.net"]).await;
        bench.pass().await;
        let seen = peer.seen();
        assert!(seen.messages.is_empty() && !seen.commands.iter().any(|line| line.starts_with("AUTH")));
        assert_eq!(bench.rows().await.len(), 1, "{tls}");
    }
}

#[tokio::test]
async fn a_host_that_is_down_is_not_tried_for_each_message() {
    let peer = Peer::start(Behaviour { at: "greeting", instead: "drop", ..Behaviour::default() }).await;
    let bench = Bench::new(&peer).await;
    for round in 0..3 {
        bench.queue(&format!("q{round}"), &["bob@example.net"]).await;
        bench.pass().await;
    }
    assert_eq!((peer.seen().connections, bench.rows().await.len()), (1, 3));
    bench.runner.forget_failures();
    bench.store.queue().flush(&Default::default()).await.unwrap();
    bench.pass().await;
    assert!(peer.seen().connections > 1);
}

#[tokio::test]
async fn stopping_gives_back_what_waits() {
    let peer = Peer::start(Behaviour { at: "rcpt", instead: "stall", ..Behaviour::default() }).await;
    let bench = Bench::new(&peer).await;
    for number in 0..20 {
        bench.queue(&format!("q{number}"), &["bob@example.net"]).await;
    }
    let running = bench.runner.clone();
    let running = tokio::spawn(async move { running.run().await });
    crate::tests::eventually("a connection", || peer.seen().connections > 0).await;
    assert_eq!(bench.runner.stop(std::time::Duration::from_secs(20)).await, 0);
    running.await.unwrap();
    let rows = bench.rows().await;
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().all(|row| !row.contains(" active ")), "{rows:?}");
    assert!(rows.iter().any(|row| row.contains(" queued 0 ")), "{rows:?}");
}
