//! Repositories over http and https: what is asked, with which credentials, and what answers mean.

use std::fs;
use std::net::TcpListener;

use mailwright_operator::source::{Credentials, HttpCredentials, Options, SecretValue};

use crate::proxy::HttpProxy;
use crate::repository::{Repository, failure, follow, have, load, open, with_token};
use crate::server::{BACKEND, Mood, Server, certified, root};

#[test]
fn a_branch_is_followed_over_version_2() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    let server = Server::start(&root(&repository), Mood::Serve, None);
    follow(&repository, &server.url("/mail.git/"), &repository.options());
    assert!(server.seen().iter().all(|line| !line.contains("Basic")), "nobody asked for credentials");
}

#[test]
fn a_branch_is_followed_over_version_0() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    let server = Server::start(&root(&repository), Mood::VersionZero, None);
    follow(&repository, &server.url("/mail.git"), &repository.options());
}

/// As the server uses it: loaded on a blocking thread, dropped anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_lives_in_an_asynchronous_program() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let server = Server::start(&root(&repository), Mood::Serve, None);
    let mut source = open(&server.url("/mail.git"), repository.options());
    for expected in [true, false] {
        let loaded = tokio::task::spawn_blocking(move || {
            let loaded = source.load().map(|snapshot| snapshot.is_some());
            (source, loaded)
        });
        let (back, result) = loaded.await.unwrap();
        source = back;
        assert_eq!(result.unwrap(), expected);
    }
    drop(source);
}

#[test]
fn only_news_is_fetched() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let server = Server::start(&root(&repository), Mood::Serve, None);
    let mut source = open(&server.url("/mail.git"), repository.options());
    load(&mut source);
    let requests = server.seen().len();
    for _ in 0..3 {
        assert!(source.load().unwrap().is_none());
    }
    assert_eq!(server.seen().len(), requests + 6, "a poll is the greeting and the list of references");
}

#[test]
fn credentials_go_to_their_own_server_only() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let server = Server::start(&root(&repository), Mood::Ask("alice:hunter2"), None);
    let url = server.url("/mail.git");
    let with_user = url.replace("http://", "http://alice:hunter2@");
    assert_eq!(load(&mut open(&with_user, repository.options())).objects.len(), 1);
    let token = Options { credentials: with_token("hunter2"), ..repository.options() };
    assert_eq!(load(&mut open(&url.replace("http://", "http://alice@"), token.clone())).objects.len(), 1);

    let none = failure(&mut open(&url, repository.options()));
    assert!(none.contains("the server asks for credentials (401 Unauthorized); give a token"), "{none}");
    let wrong = url.replace("http://", "http://alice:hunter3@");
    let mut source = open(&wrong, repository.options());
    let refused = failure(&mut source);
    assert!(refused.contains("the server refused the credentials (401"), "{refused}");
    assert!(!refused.contains("hunter3") && !format!("{source:?}").contains("hunter3"), "{refused}");

    // A redirect to another server takes the credentials nowhere.
    let other = Server::start(&root(&repository), Mood::Serve, None);
    let moved = Server::start(&root(&repository), Mood::Redirect(other.url("")), None);
    let old = moved.url("/old/mail.git").replace("http://", "http://alice:hunter2@");
    assert_eq!(load(&mut open(&old, repository.options())).objects.len(), 1);
    assert!(moved.seen()[0].contains("Basic"));
    assert!(
        other.seen().len() >= 3 && other.seen().iter().all(|line| !line.contains("Basic")),
        "{:?}",
        other.seen()
    );
    let plain = Options { credentials: with_token("hunter2"), ..repository.options() };
    let text = failure(&mut open("http://example.org/mail.git", plain));
    assert!(text.contains("credentials are never sent over http; use https"), "{text}");
}

#[test]
fn what_a_server_answers_is_told_in_words() {
    let repository = Repository::new();
    let table = [
        (Mood::Answer(404, ""), "there is no such repository, or it is private (404 Not Found)"),
        (Mood::Answer(403, ""), "the server asks for credentials (403 Forbidden); give a token"),
        (Mood::Answer(429, ""), "the server asks for fewer requests (429); use a longer interval"),
        (Mood::Answer(500, "oops"), "cannot be reached: the server answered 500 Internal Server Error"),
        (Mood::Answer(200, "<html>log in</html>"), "not with Git's smart protocol; check the URL"),
        (Mood::Redirect("/old/again".to_owned()), "the server redirects in circles"),
    ];
    for (mood, expected) in table {
        let server = Server::start(&root(&repository), mood.clone(), None);
        let text = failure(&mut open(&server.url("/old/mail.git"), repository.options()));
        assert!(text.contains(expected), "{mood:?}: {text}");
        assert!(text.contains("/old/mail.git: "), "the message names the repository: {text}");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = failure(&mut open(&format!("http://127.0.0.1:{port}/mail.git"), repository.options()));
    assert!(text.contains("Connection refused"), "{text}");
    let text = failure(&mut open("https://no-such-host.invalid/mail.git", repository.options()));
    assert!(text.contains("cannot be reached: "), "{text}");
}

#[test]
fn half_or_damaged_packs_are_never_taken() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.write("a.yaml", (0..2000).map(|n| format!("# {n} {}\n", n * 7919)).collect::<String>());
    repository.commit();
    for (mood, expected) in [(Mood::Half, "cannot be reached"), (Mood::Damage, "the pack cannot be stored")] {
        let server = Server::start(&root(&repository), mood.clone(), None);
        let mut source = open(&server.url("/mail.git"), repository.options());
        let text = failure(&mut source);
        assert!(text.contains(expected), "{mood:?}: {text}");
        server.turn(Mood::Serve);
        assert_eq!(load(&mut source).files.len(), 1, "{mood:?}: the next poll mends it");
    }
}

#[test]
fn https_is_checked_against_the_given_authorities() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    repository.commit_secret("a.yaml", "a", "1");
    let (config, pem) = certified();
    let ca_file = repository.beside("ca.pem");
    fs::write(&ca_file, &pem).unwrap();
    let server = Server::start(&root(&repository), Mood::Ask("x-access-token:hunter2"), Some(config));
    let url = format!("https://localhost:{}/mail.git", server.port);
    let trusted = Options {
        ca_file: Some(ca_file.clone()),
        credentials: with_token("hunter2"),
        ..repository.options()
    };
    assert_eq!(load(&mut open(&url, trusted.clone())).objects.len(), 1);
    let unknown = failure(&mut open(&url, repository.options()));
    assert!(unknown.contains("invalid peer certificate"), "{unknown}");
    fs::write(&ca_file, "no certificate").unwrap();
    assert!(failure(&mut open(&url, trusted.clone())).contains("invalid peer certificate"));
    let missing = Options { ca_file: Some(repository.beside("none.pem")), ..trusted };
    let text = failure(&mut open(&url, missing));
    assert!(text.contains("none.pem cannot be used") && text.contains("give a PEM file"), "{text}");
}

/// Tokens of the kinds that hosts give out; and what a URL holds counts less than what was given.
#[test]
fn credentials_are_sent_as_they_are_given() {
    let repository = Repository::new();
    let basic = |username: &str| HttpCredentials::Basic {
        username: username.to_owned(),
        password: SecretValue::new("hunter2\n"),
    };
    let table = [
        (HttpCredentials::Token(SecretValue::new("hunter2")), "", "Basic eC1hY2Nlc3MtdG9rZW46aHVudGVyMg=="),
        (HttpCredentials::Token(SecretValue::new("hunter2")), "alice@", "Basic YWxpY2U6aHVudGVyMg=="),
        (basic("alice"), "", "Basic YWxpY2U6aHVudGVyMg=="),
        (basic("alice"), "bob:other@", "Basic YWxpY2U6aHVudGVyMg=="),
        (HttpCredentials::Bearer(SecretValue::new("hunter2")), "", "Bearer hunter2"),
    ];
    for (http, user, expected) in table {
        let server = Server::start(&root(&repository), Mood::Answer(401, ""), None);
        let url = server.url("/mail.git").replace("http://", &format!("http://{user}"));
        let credentials = Credentials { http: Some(http), ..Credentials::default() };
        let text = failure(&mut open(&url, Options { credentials, ..repository.options() }));
        assert!(text.contains("the server refused the credentials (401"), "{text}");
        assert!(!text.contains("hunter2") && server.seen()[0].ends_with(expected), "{:?}", server.seen());
    }
}

#[test]
fn https_goes_through_a_proxy_that_is_asked_to_connect() {
    if !have(BACKEND) {
        return;
    }
    let repository = Repository::new();
    let (config, pem) = certified();
    let server = Server::start(&root(&repository), Mood::Ask("x-access-token:hunter2"), Some(config));
    let proxy = HttpProxy::start(Some("alice:hunter3"));
    let options = |login: &str, ca: &str| Options {
        credentials: Credentials {
            ca: Some(SecretValue::new(ca)),
            proxy: Some(proxy.options(login)),
            ..with_token("hunter2")
        },
        ..repository.options()
    };
    // The name is one that only the proxy could look up, were it another.
    let url = format!("https://localhost:{}/mail.git", server.port);
    follow(&repository, &url, &options("alice:hunter3@", &pem));
    let connects = proxy.seen();
    assert!(
        !connects.is_empty()
            && connects.iter().all(|line| line.starts_with(&format!("CONNECT localhost:{}", server.port)))
    );
    assert!(proxy.saw_nothing_of("hunter2"), "the proxy sees nothing of what goes through it");

    for login in ["", "alice:wrong@"] {
        let text = failure(&mut open(&url, options(login, &pem)));
        assert!(text.contains("the proxy asks for credentials (407)"), "{text}");
        assert!(!text.contains("hunter") && !text.contains("wrong"), "{text}");
    }
    let text = failure(&mut open(&url, options("alice:hunter3@", "no certificate")));
    assert!(text.contains("ca.crt cannot be used; give certificates in PEM"), "{text}");
    let gone = {
        let gone = HttpProxy::start(None);
        gone.options("")
    };
    let credentials = Credentials { proxy: Some(gone), ..Credentials::default() };
    let text = failure(&mut open(&url, Options { credentials, ..repository.options() }));
    assert!(text.contains("cannot be reached: "), "{text}");
}
