//! Passwords belong to people: what survives a reconcile and what does not, and hashes made by another server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, mailwright, need, run, run_with_input, wait_for, wire};
use std::process::Command;
use std::time::Duration;

const USER: &str = "alice@example.test";

fn can_log_in(server: &Server, user: &str, password: &str) -> bool {
    server.script("login.py", &[user, password]).ok().stdout.starts_with("in")
}

fn until_login(server: &Server, user: &str, password: &str) {
    let what = format!("{user} to log in with {password}");
    wait_for(&what, Duration::from_secs(20), || can_log_in(server, user, password).then_some(()));
}

/// Whether the account exists already.
fn accepts_mail(server: &Server, user: &str) -> bool {
    let mut wire = wire::smtp(server.ports.smtp).unwrap();
    wire.smtp("MAIL FROM:<carol@example.org>").unwrap();
    wire.smtp(&format!("RCPT TO:<{user}>")).unwrap().starts_with("250")
}

fn set_password(server: &Server, password: &str) {
    let mut command = Command::new(mailwright());
    command.args(["passwd", USER, "--stdin", "--data"]).arg(server.data());
    run_with_input(&mut command, &format!("{password}\n")).ok();
}

/// Waits until a later edit is in force, so that an earlier one had its chance.
fn settle(server: &Server, name: &str) {
    server.manifests.mailbox(name, "");
    wait_for(name, Duration::from_secs(20), || accepts_mail(server, name).then_some(()));
}

#[test]
fn an_owners_password_stays_until_the_manifest_says_enforced() {
    if !need(&["python3"]) {
        return;
    }
    let mut server = Server::quickstart();
    assert!(can_log_in(&server, USER, "mailwright"));
    set_password(&server, "chosen by alice");
    assert!(can_log_in(&server, USER, "chosen by alice") && !can_log_in(&server, USER, "mailwright"));

    // Reconciled with another field changed, with another Secret, and after a restart: hers still.
    server.manifests.edit("mailboxes.yaml", "displayName: Alice", "displayName: Alice A.");
    settle(&server, "settle1@example.test");
    server.manifests.edit("secrets.yaml", "alice: mailwright", "alice: another");
    settle(&server, "settle2@example.test");
    server.stop();
    server.start();
    assert!(can_log_in(&server, USER, "chosen by alice"));
    assert!(!can_log_in(&server, USER, "another") && !can_log_in(&server, USER, "mailwright"));

    // Enforced: the manifest's, now and after she tries again.
    server.manifests.edit("mailboxes.yaml", "key: alice\n", "key: alice\n    management: Enforced\n");
    until_login(&server, USER, "another");
    assert!(!can_log_in(&server, USER, "chosen by alice"));
}

#[test]
fn a_changed_secret_reaches_who_never_changed_theirs_and_a_missing_one_nobody() {
    if !need(&["python3"]) {
        return;
    }
    let server = Server::quickstart();
    server.manifests.edit("secrets.yaml", "bob: mailwright", "bob: second");
    until_login(&server, "bob@example.test", "second");

    server.manifests.edit("secrets.yaml", "bob: second", "nobody: second");
    server.manifests.mailbox(
        "carol@example.test",
        "  credentials:\n    secretRef: {name: first-passwords, key: alice}\n",
    );
    until_login(&server, "carol@example.test", "mailwright");
    assert!(can_log_in(&server, "bob@example.test", "second"), "a missing key changes nothing");
    server.cli(&["describe", "mailbox", "bob"]).ok().says("SecretKeyNotFound");

    server.manifests.edit("secrets.yaml", "name: first-passwords", "name: other-passwords");
    server.manifests.mailbox("dave@example.test", "");
    wait_for("the status of a missing Secret", Duration::from_secs(20), || {
        server.cli(&["describe", "mailbox", "bob"]).ok().stdout.contains("SecretNotFound").then_some(())
    });
    assert!(can_log_in(&server, "bob@example.test", "second"), "nor does a missing Secret as a whole");
}

#[test]
fn hashes_made_by_another_server_are_accepted() {
    if !need(&["python3", "doveadm"]) {
        return;
    }
    let server = Server::quickstart();
    let schemes = [
        "SHA512-CRYPT",
        "SHA256-CRYPT",
        "BLF-CRYPT",
        "SSHA512",
        "SSHA256",
        "SSHA",
        "PBKDF2",
        "ARGON2ID",
        "ARGON2I",
    ];
    let mut users = Vec::new();
    for scheme in schemes {
        let made = run(Command::new("doveadm").args(["pw", "-s", scheme, "-p", "br\u{fc}cke 7"])).ok();
        let user = format!("{}@example.test", scheme.to_lowercase());
        server
            .manifests
            .mailbox(&user, &format!("  credentials:\n    passwordHash: '{}'\n", made.stdout.trim()));
        users.push(user);
    }
    for user in &users {
        wait_for(user, Duration::from_secs(20), || accepts_mail(&server, user).then_some(()));
        assert!(can_log_in(&server, user, "br\u{fc}cke 7"), "{user}");
    }
    // Failures are answered later and later, so only a few.
    for user in &users[..3] {
        assert!(!can_log_in(&server, user, "br\u{fc}cke 8"), "{user} with a wrong password");
    }
}

#[test]
fn a_password_that_is_made_up_is_in_a_file_and_made_anew_when_somebody_asks() {
    if !need(&["python3"]) {
        return;
    }
    let server = Server::quickstart();
    let manifest = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata:\n  name: dave\n  annotations: {mailwright.dev/rotate: \"1\"}\n\
                    spec:\n  address: dave@example.test\n  credentials:\n    generate:\n      secretName: dave\n";
    server.manifests.write("dave.yaml", manifest);
    let path = server.data().join("passwords/default_dave");
    let read = || std::fs::read_to_string(&path).ok();
    let first = wait_for("a password", Duration::from_secs(20), read);
    until_login(&server, "dave@example.test", &first);
    settle(&server, "settle3@example.test");
    assert_eq!(read().as_ref(), Some(&first), "made once");

    server.manifests.edit("dave.yaml", "rotate: \"1\"", "rotate: \"2\"");
    let second = wait_for("another password", Duration::from_secs(20), || read().filter(|it| *it != first));
    until_login(&server, "dave@example.test", &second);
    assert!(!can_log_in(&server, "dave@example.test", &first));
    assert!([&first, &second].iter().all(|it| !server.logs().contains(it.as_str())));
}
