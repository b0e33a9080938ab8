//! HTTP over real sockets: probes, metrics, MTA-STS by host, autoconfiguration.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::config::Protocol;
use crate::tests::{HOSTNAME, TestServer};

async fn get(server: &TestServer, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address(Protocol::Http)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer[9..12].parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn probes_are_answered() {
    let server = TestServer::start().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(get(&server, path, "x").await, (200, "ok\n".to_owned()), "{path}");
    }
    assert_eq!(get(&server, "/elsewhere", "x").await.0, 404);
    server.store.close().await;
    assert_eq!(get(&server, "/livez", "x").await.0, 200, "the process is alive");
    assert_eq!(get(&server, "/readyz", "x").await.0, 503, "but it cannot serve mail");
}

#[tokio::test]
async fn probes_are_answered_when_mail_is_full() {
    let server = TestServer::start_with(|config| config.limits.connections = 1).await;
    let mut only = server.connect(Protocol::Smtp).await;
    only.expect("220 ").await;
    let mut refused = server.connect(Protocol::Smtp).await;
    refused.expect("421 4.7.0").await;
    let mut refused = server.connect(Protocol::Imap).await;
    refused.expect("* BYE").await;
    assert_eq!(get(&server, "/readyz", "x").await.0, 200);
}

#[tokio::test]
async fn probes_are_answered_beside_any_number_of_unfinished_requests() {
    let server = TestServer::start().await;
    let mut unfinished = Vec::new();
    // More than one address has places, those kept for this machine included.
    for _ in 0..260 {
        let mut stream = TcpStream::connect(server.address(Protocol::Http)).await.unwrap();
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\n").await;
        unfinished.push(stream);
    }
    for _ in 0..3 {
        assert_eq!(get(&server, "/readyz", "x").await.0, 200);
    }
}

#[tokio::test]
async fn metrics_show_what_happened() {
    let server = TestServer::start().await;
    server.deliver("alice@example.test", "Subject: x\r\n\r\nx").await;
    let (status, text) = get(&server, "/metrics", "x").await;
    assert_eq!(status, 200);
    for name in [
        "mailwright_messages_accepted_total",
        "mailwright_recipients_total{result=\"accepted\"}",
        "mailwright_store_commits",
        "mailwright_connections{protocol=\"http\"}",
    ] {
        assert!(text.contains(name), "{name} is not in {text}");
    }
    assert!(!text.contains("alice"), "no addresses in metrics");
}

#[tokio::test]
async fn mta_sts_policies_belong_to_their_host() {
    let policy = "version: STSv1\r\nmode: testing\r\nmx: mail.example.test\r\nmax_age: 86400\r\n";
    let server = TestServer::start_with(|config| {
        config.mta_sts.insert("example.test".into(), policy.into());
    })
    .await;
    let path = "/.well-known/mta-sts.txt";
    assert_eq!(get(&server, path, "mta-sts.example.test").await, (200, policy.to_owned()));
    assert_eq!(get(&server, path, "MTA-STS.Example.Test:8080").await.0, 200);
    assert_eq!(get(&server, path, "mta-sts.example.org").await.0, 404);
    assert_eq!(get(&server, path, "example.test").await.0, 404);
}

#[tokio::test]
async fn autoconfig_lists_the_real_ports_of_served_domains() {
    let server = TestServer::start().await;
    let (status, xml) =
        get(&server, "/mail/config-v1.1.xml?emailaddress=alice%40example.test", "autoconfig.example.test")
            .await;
    assert_eq!(status, 200);
    let (incoming, outgoing) = xml.split_once("<outgoingServer").expect("submission is offered");
    for (protocol, part) in [
        (Protocol::Imap, incoming),
        (Protocol::Imaps, incoming),
        (Protocol::Submission, outgoing),
        (Protocol::Submissions, outgoing),
    ] {
        let port = server.address(protocol).port();
        assert!(part.contains(&format!("<port>{port}</port>")), "{protocol} in {xml}");
    }
    assert!(xml.contains(&format!("<hostname>{HOSTNAME}</hostname>")), "{xml}");
    let well_known = "/.well-known/autoconfig/mail/config-v1.1.xml";
    assert_eq!(get(&server, well_known, "example.org").await.0, 200, "an alias domain");
    assert_eq!(get(&server, well_known, "elsewhere.example").await.0, 404);
    assert_eq!(get(&server, well_known, "parked.test").await.0, 404);
}

#[test]
fn hosts_are_read_without_port_and_case() {
    for (value, expected) in [
        ("Example.Test", Some("example.test")),
        ("example.test:8080", Some("example.test")),
        ("example.test.", Some("example.test")),
        ("[::1]:8080", Some("[::1]")),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, value.parse().unwrap());
        assert_eq!(host(&headers).as_deref(), expected, "{value}");
    }
    assert_eq!(host(&HeaderMap::new()), None);
}

async fn raw(server: &TestServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address(Protocol::Http)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn only_get_and_head_are_answered() {
    let server = TestServer::start().await;
    for (request, expected) in [
        ("GET /livez", "HTTP/1.1 200"),
        ("HEAD /livez", "HTTP/1.1 200"),
        ("POST /livez", "HTTP/1.1 405"),
        ("DELETE /metrics", "HTTP/1.1 405"),
        ("GET /v1/observed", "HTTP/1.1 404"),
        ("GET /../../etc/passwd", "HTTP/1.1 404"),
    ] {
        let answer =
            raw(&server, &format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(expected), "{request}: {answer}");
    }
    assert!(raw(&server, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    let huge = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let mut stream = TcpStream::connect(server.address(Protocol::Http)).await.unwrap();
    // The server may hang up before it was told everything.
    let _ = stream.write_all(huge.as_bytes()).await;
    assert_eq!(get(&server, "/livez", "x").await.0, 200);
}

#[tokio::test]
async fn a_kept_connection_serves_several_requests_and_ends_with_the_server() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address(Protocol::Http)).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        let count = stream.read(&mut answer).await.unwrap();
        assert!(answer[..count].starts_with(b"HTTP/1.1 200"));
    }
    let TestServer { server, directory: _directory, .. } = server;
    server.shutdown(std::time::Duration::ZERO).await;
    let mut rest = Vec::new();
    let end = tokio::time::timeout(crate::tests::PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok() && rest.is_empty(), "idle connections end with the listener");
}

#[tokio::test]
async fn readiness_says_when_the_server_drains() {
    let server = TestServer::start().await;
    let mut busy = server.smtp().await;
    busy.reply("MAIL FROM:<sender@example.net>").await;
    busy.reply("RCPT TO:<alice@example.test>").await;
    busy.reply("DATA").await;
    let http = server.address(Protocol::Http);
    let TestServer { server, directory: _directory, .. } = server;
    let shutdown = tokio::spawn(server.shutdown(crate::tests::PATIENCE));
    let mut answer = String::new();
    while !answer.starts_with("HTTP/1.1 503") {
        assert!(!shutdown.is_finished(), "{answer}");
        answer.clear();
        let mut stream = TcpStream::connect(http).await.unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
    }
    assert!(answer.ends_with("draining\n"), "{answer}");
    assert!(busy.reply("Subject: x\r\n\r\nx\r\n.").await.starts_with("250 "));
    assert_eq!(shutdown.await.unwrap(), 0);
}
