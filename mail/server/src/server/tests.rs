//! The server as a whole: roles, reloads, certificates, connection limits, kicks and the orderly end.

use std::time::Instant;

use tokio::net::TcpStream;

use super::*;
use crate::config::{Certificate, Listeners, TlsMode};
use crate::management::ManagementClient;
use crate::tests::{
    Client, HOSTNAME, PASSWORD, PATIENCE, TestServer, address, apply, certificate, config, eventually,
    mailbox, mailbox_with, start,
};

#[tokio::test]
async fn endpoints_are_those_of_the_roles_with_their_real_ports() {
    let server = TestServer::start().await;
    let listed: Vec<_> = server.server.endpoints().iter().map(|end| (end.protocol, end.tls)).collect();
    assert_eq!(
        listed,
        [
            (Protocol::Smtp, TlsMode::StartTls),
            (Protocol::Submission, TlsMode::StartTls),
            (Protocol::Submissions, TlsMode::Implicit),
            (Protocol::Imap, TlsMode::StartTls),
            (Protocol::Imaps, TlsMode::Implicit),
            (Protocol::Http, TlsMode::None),
        ]
    );
    assert!(server.server.endpoints().iter().all(|endpoint| endpoint.address.port() != 0));
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(directory.path(), Default::default()).await.unwrap());
    let only_mx = Roles { mx: true, ..Roles::NONE };
    let config = config(&server.certificate);
    let mx = Server::start(config, only_mx, Arc::clone(&store), directory.path()).await.unwrap();
    assert_eq!(mx.endpoints().len(), 1);
    let administration = ManagementClient::new(directory.path());
    assert_eq!(administration.status().await.unwrap().endpoints, mx.endpoints(), "in every role");
    assert_eq!(mx.shutdown(PATIENCE).await, 0);
    assert!(!directory.path().join(SOCKET).exists());
}

#[tokio::test]
async fn a_data_directory_that_is_too_deep_for_a_socket_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("x".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let store = Arc::new(Store::open(&deep, Default::default()).await.unwrap());
    let config = config(&certificate(&[HOSTNAME]));
    let error = Server::start(config, Roles::ALL, store, &deep).await.err().unwrap().to_string();
    assert!(error.contains("shorter path"), "{error}");
}

#[tokio::test]
async fn without_a_certificate_there_is_no_tls_and_no_login() {
    let server = TestServer::start_with(|config| config.certificates.clear()).await;
    assert!(server.server.endpoints().iter().all(|endpoint| endpoint.tls == TlsMode::None));
    assert!(!server.smtp().await.ehlo().await.contains("STARTTLS"));
    let mut imap = server.connect(Protocol::Imap).await;
    let greeting = imap.expect("* OK").await;
    assert!(!greeting.contains("STARTTLS") && greeting.contains("LOGINDISABLED"), "{greeting}");
}

#[tokio::test]
async fn a_taken_port_is_refused_by_start_and_reload_and_nothing_changes() {
    let server = TestServer::start().await;
    let taken = server.address(Protocol::Smtp).port();
    let before = server.server.endpoints();
    let mut config = server.config.clone();
    config.hostname = "other.example.test".into();
    config.listeners.http = Some(taken);
    let error = server.server.reload(config).await.unwrap_err().to_string();
    assert!(error.contains(&format!("127.0.0.1:{taken} for http")), "{error}");
    assert_eq!(server.server.endpoints(), before);
    server.connect(Protocol::Smtp).await.expect("220 mail.example.test").await;
}

#[tokio::test]
async fn a_reload_keeps_sessions_and_unchanged_ports() {
    let server = TestServer::start().await;
    let mut session = server.smtp().await;
    let before = server.server.endpoints();
    let mut config = server.config.clone();
    config.hostname = "new.example.test".into();
    config.limits.message_size = 12_345;
    config.listeners = Listeners { imap: None, ..config.listeners };
    server.server.reload(config).await.unwrap();
    let after = server.server.endpoints();
    assert_eq!(after.len(), before.len() - 1);
    assert!(after.iter().all(|endpoint| before.contains(endpoint)), "{before:?} {after:?}");
    assert!(session.reply("NOOP").await.starts_with("250 "), "the open session goes on");
    let mut fresh = server.connect(Protocol::Smtp).await;
    fresh.expect("220 new.example.test").await;
    assert!(fresh.ehlo().await.contains("SIZE 12345"));
    let closed = before.iter().find(|endpoint| endpoint.protocol == Protocol::Imap).unwrap().address;
    for _ in 0..100 {
        if TcpStream::connect(closed).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the IMAP port is still open");
}

#[tokio::test]
async fn certificates_are_replaced_without_a_restart_and_chosen_by_name() {
    let server = TestServer::start().await;
    let mut old = server.connect_tls().await;
    old.expect("* OK").await;
    let handshake = async |trusted: &Certificate, name: &str| {
        let stream = TcpStream::connect(server.address(Protocol::Imaps)).await.unwrap();
        Client::tls(stream, trusted, name).await
    };
    let (renewed, second) = (certificate(&[HOSTNAME]), certificate(&["imap.example.org"]));
    assert!(handshake(&renewed, HOSTNAME).await.is_err(), "not yet in force");
    let mut config = server.config.clone();
    config.certificates = vec![renewed.clone(), second.clone()];
    server.server.reload(config.clone()).await.unwrap();
    assert!(handshake(&renewed, HOSTNAME).await.is_ok());
    assert!(handshake(&second, "imap.example.org").await.is_ok());
    assert!(handshake(&server.certificate, HOSTNAME).await.is_err(), "no longer in force");
    old.command("NOOP").await.ok();
    config.certificates = vec![Certificate { chain_pem: "x".into(), key_pem: "x".into() }];
    let error = server.server.reload(config).await.unwrap_err().to_string();
    assert!(error.contains("certificate 1") && error.contains("PEM"), "{error}");
    assert!(handshake(&renewed, HOSTNAME).await.is_ok(), "a refused reload changes nothing");
}

#[tokio::test]
async fn connections_are_limited_in_all_and_by_address() {
    let server = TestServer::start_with(|config| {
        config.limits.connections = 3;
        config.limits.connections_per_address = 2;
    })
    .await;
    let mut first = server.connect(Protocol::Smtp).await;
    first.expect("220 ").await;
    let mut second = server.connect(Protocol::Imap).await;
    second.expect("* OK").await;
    server.connect(Protocol::Smtp).await.expect("421 4.7.0 mail.example.test").await;
    server.connect(Protocol::Imap).await.expect("* BYE").await;
    first.reply("QUIT").await;
    let management = server.server.management();
    eventually("the session is gone", || management.sessions().len() == 1).await;
    server.connect(Protocol::Smtp).await.expect("220 ").await;
}

#[tokio::test]
async fn sessions_are_listed_and_kicked() {
    let server = TestServer::start().await;
    let management = server.server.management();
    let mut smtp = server.smtp().await;
    let mut imap = server.imap("alice@example.test").await;
    let sessions = management.sessions();
    let listed: Vec<_> =
        sessions.iter().map(|session| (session.protocol, session.user.as_deref(), session.tls)).collect();
    assert_eq!(listed, [(Protocol::Smtp, None, false), (Protocol::Imaps, Some("alice@example.test"), true)]);
    assert!(management.kick(sessions[0].id));
    assert!(management.kick(sessions[1].id));
    assert!(smtp.rest().await.starts_with("421 "));
    assert!(imap.rest().await.contains("* BYE"));
    assert!(!management.kick(4711));
}

#[tokio::test]
async fn an_account_disabled_while_its_login_is_checked_stays_out() {
    let server = TestServer::start().await;
    let slow = bcrypt::hash(PASSWORD, 12).unwrap();
    apply(&server.store, vec![mailbox_with("slow@example.test", Some(&slow))]).await;
    let mut client = server.connect_tls().await;
    client.expect("* OK").await;
    let tag = client.start(&format!("LOGIN slow@example.test {PASSWORD}")).await;
    // The login has looked the account up by then, and still checks its password on any machine.
    tokio::time::sleep(Duration::from_millis(50)).await;
    apply(&server.store, vec![mailbox("slow@example.test", None, false)]).await;
    let answer = client.answer(&tag).await;
    if answer.end.starts_with("OK") {
        assert!(client.rest().await.contains("* BYE"), "a quick machine let it in before");
    }
    let users: Vec<_> = server.server.management().sessions().into_iter().filter_map(|it| it.user).collect();
    assert!(users.is_empty(), "{users:?}");
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_that_began_with_the_old_one() {
    let server = TestServer::start().await;
    let mut old = server.imap("carol@example.test").await;
    let mut other = server.imap("alice@example.test").await;
    let management = server.server.management();
    management.set_password("carol@example.test", "another one").await.unwrap();
    assert!(old.rest().await.contains("* BYE"));
    let mut new = server.connect_tls().await;
    new.expect("* OK").await;
    new.command("LOGIN carol@example.test \"another one\"").await.ok();
    // Another change of accounts is none of theirs.
    apply(&server.store, vec![mailbox("bob@example.test", Some(1 << 20), true)]).await;
    new.command("NOOP").await.ok();
    other.command("NOOP").await.ok();
}

#[tokio::test]
async fn a_shutdown_says_goodbye_and_lets_a_message_finish() {
    let server = TestServer::start().await;
    let mut busy = server.smtp().await;
    busy.reply("MAIL FROM:<sender@example.net>").await;
    busy.reply("RCPT TO:<alice@example.test>").await;
    busy.reply("DATA").await;
    busy.send("Subject: last\r\n\r\n").await;
    let mut idle = server.smtp().await;
    let mut imap = server.imap("alice@example.test").await;
    imap.command("SELECT INBOX").await.ok();
    imap.start("IDLE").await;
    imap.expect("+").await;
    let (smtp, http) = (server.address(Protocol::Smtp), server.address(Protocol::Http));
    let TestServer { server, store, directory, .. } = server;
    let shutdown = tokio::spawn(server.shutdown(PATIENCE));
    assert!(idle.rest().await.starts_with("421 "));
    assert!(imap.rest().await.contains("* BYE"));
    let mut newcomer = Client::plain(TcpStream::connect(smtp).await.unwrap());
    let told = newcomer.rest().await;
    assert!(told.starts_with("421 4.3.2 "), "nobody new comes in: {told:?}");
    assert!(TcpStream::connect(http).await.is_ok(), "probes are answered while it drains");
    assert!(!shutdown.is_finished(), "a message is still coming in");
    assert!(busy.reply("body\r\n.").await.starts_with("250 2.0.0 "));
    assert_eq!(shutdown.await.unwrap(), 0);
    assert!(TcpStream::connect(smtp).await.is_err() && TcpStream::connect(http).await.is_err());
    assert!(!directory.path().join(SOCKET).exists());
    let again = start(&config(&certificate(&[HOSTNAME])), &store, directory.path()).await;
    let stream = TcpStream::connect(address(&again, Protocol::Smtp)).await.unwrap();
    Client::plain(stream).expect("220 ").await;
    let accounts = store.accounts().observe().await.unwrap();
    let alice =
        accounts.mailboxes.iter().find(|mailbox| mailbox.row.address == "alice@example.test").unwrap();
    assert!(alice.used_bytes > 0, "the message is there");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_longer_than_its_grace() {
    let server = TestServer::start().await;
    let mut busy = server.smtp().await;
    busy.reply("MAIL FROM:<sender@example.net>").await;
    busy.reply("RCPT TO:<alice@example.test>").await;
    busy.reply("DATA").await;
    busy.send("Subject: never ending\r\n\r\n").await;
    let began = Instant::now();
    let TestServer { server, store, directory: _directory, .. } = server;
    assert_eq!(server.shutdown(Duration::from_millis(200)).await, 1);
    assert!(began.elapsed() < PATIENCE);
    assert!(!busy.rest().await.contains("250"));
    store.close().await;
}
