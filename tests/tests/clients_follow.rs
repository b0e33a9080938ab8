//! Manifests change while the server runs: what takes effect, how soon, and what must not happen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, need, run, wait_for, wire};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const PASSWORD: &str = "  credentials:\n    secretRef: {name: first-passwords, key: alice}\n";
const PATIENCE: Duration = Duration::from_secs(20);

/// The reply to RCPT for `address`.
fn rcpt(server: &Server, address: &str) -> String {
    let mut wire = wire::smtp(server.ports.smtp).unwrap();
    wire.smtp("MAIL FROM:<carol@example.org>").unwrap();
    wire.smtp(&format!("RCPT TO:<{address}>")).unwrap()
}

/// Waits until RCPT for `address` is answered with `code`; how long it took.
fn until_rcpt(server: &Server, address: &str, code: &str) -> Duration {
    let start = Instant::now();
    wait_for(&format!("{code} for {address}"), PATIENCE, || {
        rcpt(server, address).starts_with(code).then_some(())
    });
    start.elapsed()
}

fn login(server: &Server, user: &str, password: &str) -> String {
    server.script("login.py", &[user, password]).ok().stdout
}

#[test]
fn an_edited_directory_takes_effect_within_two_seconds() {
    let server = Server::quickstart();
    let mut took: Vec<Duration> = (0..5)
        .map(|number| {
            let address = format!("new{number}@example.test");
            assert!(rcpt(&server, &address).starts_with("550 5.1.1"));
            server.manifests.mailbox(&address, PASSWORD);
            until_rcpt(&server, &address, "250")
        })
        .collect();
    took.sort();
    // The middle of five: one may be late on a busy machine, three may not.
    assert!(took[2] <= Duration::from_secs(2), "took {took:?}");
    assert!(login(&server, "new4@example.test", "mailwright").starts_with("in"));
}

#[test]
fn a_removed_mailbox_is_closed_and_comes_back_with_its_mail() {
    let server = Server::quickstart();
    server.manifests.mailbox("dave@example.test", PASSWORD);
    until_rcpt(&server, "dave@example.test", "250");
    let text = "From: carol@example.org\r\nSubject: kept\r\nX-Id: kept\r\n\r\nKept.\r\n";
    let reply = wire::deliver(server.ports.smtp, "carol@example.org", &["dave@example.test"], text).unwrap();
    assert!(reply.starts_with("250"), "{reply}");

    server.manifests.remove_mailbox("dave@example.test");
    until_rcpt(&server, "dave@example.test", "550 5.2.1");
    assert!(login(&server, "dave@example.test", "mailwright").starts_with("refused"));

    server.manifests.mailbox("dave@example.test", PASSWORD);
    until_rcpt(&server, "dave@example.test", "250");
    assert!(login(&server, "dave@example.test", "mailwright").starts_with("in"));
    server.script("read_all.py", &["dave@example.test"]).ok().says("kept");
}

#[test]
fn a_wrong_manifest_takes_nothing_away_and_holds_nothing_else_up() {
    let mut server = Server::quickstart();
    let whole = server.manifests.read("mailboxes.yaml");
    server.manifests.write("mailboxes.yaml", &whole.replace("kind: Mailbox\n", "kind: [Mailbox\n"));
    server.manifests.mailbox("erin@example.test", PASSWORD);
    until_rcpt(&server, "erin@example.test", "250");
    assert!(
        rcpt(&server, "alice@example.test").starts_with("250"),
        "alice's file is broken, her mailbox is not"
    );
    assert!(login(&server, "bob@example.test", "mailwright").starts_with("in"));
    let dir = server.manifests.dir().display().to_string();
    server.cli(&["validate", &dir]).exits(1).says("mailboxes.yaml:2");

    // The same after a restart: last known good stays in force.
    server.stop();
    server.start();
    assert!(rcpt(&server, "alice@example.test").starts_with("250"));
    server.manifests.write("mailboxes.yaml", &whole);
    server.manifests.mailbox("frank@example.test", PASSWORD);
    until_rcpt(&server, "frank@example.test", "250");
    server.cli(&["validate", &dir]).ok();
}

#[test]
fn an_emptied_directory_empties_nothing() {
    let server = Server::quickstart();
    for name in ["aliases.yaml", "mailboxes.yaml", "domains.yaml", "secrets.yaml", "server.yaml"] {
        server.manifests.remove(name);
    }
    // Longer than three looks at the directory.
    std::thread::sleep(Duration::from_secs(3));
    for address in ["alice@example.test", "team@example.test", "hello@example.org", "postmaster@example.org"]
    {
        assert!(rcpt(&server, address).starts_with("250"), "{address}");
    }
    assert!(login(&server, "alice@example.test", "mailwright").starts_with("in"));
}

#[test]
fn many_removals_wait_for_approval_of_their_digest() {
    let server = Server::quickstart();
    for number in 0..8 {
        server.manifests.mailbox(&format!("m{number}@example.test"), PASSWORD);
    }
    until_rcpt(&server, "m7@example.test", "250");
    for number in 0..8 {
        server.manifests.remove_mailbox(&format!("m{number}@example.test"));
    }
    server.manifests.mailbox("fresh@example.test", PASSWORD);
    until_rcpt(&server, "fresh@example.test", "250");
    assert!(
        rcpt(&server, "m3@example.test").starts_with("250"),
        "held: nothing is taken away, what is new is applied"
    );

    let dir = server.manifests.dir().display().to_string();
    let plan = server.cli(&["plan", &dir, "-o", "json"]).exits(3);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let digest = plan["digest"].as_str().expect("a plan has a digest").to_owned();
    server.cli(&["apply", &dir, "--approve", "0000000000000000"]).exits(3);
    assert!(rcpt(&server, "m3@example.test").starts_with("250"), "another digest approves nothing");
    server.cli(&["apply", &dir, "--approve", &digest]).exits(2);
    until_rcpt(&server, "m3@example.test", "550 5.2.1");
    assert!(rcpt(&server, "alice@example.test").starts_with("250"));
}

fn git(dir: &Path, arguments: &[&str]) {
    let identity =
        ["-c", "user.name=Carol", "-c", "user.email=carol@example.org", "-c", "commit.gpgsign=false"];
    run(Command::new("git").args(identity).args(arguments).current_dir(dir)).ok();
}

#[test]
fn a_commit_takes_effect_within_the_interval() {
    if !need(&["git"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    let repository = server.scratch().join("repository");
    std::fs::create_dir_all(&repository).unwrap();
    git(&repository, &["init", "-q", "-b", "main"]);
    let mail = repository.join("mail");
    std::fs::rename(server.manifests.dir(), &mail).unwrap();
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-q", "-m", "mail: quickstart"]);
    server.follow(
        &repository.display().to_string(),
        &["--branch", "main", "--path", "mail", "--interval", "1s"],
    );
    server.start();
    assert!(rcpt(&server, "alice@example.test").starts_with("250"));

    let grace = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: grace}\nspec:\n  address: \
                 grace@example.test\n";
    std::fs::write(mail.join("grace.yaml"), grace).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(
        rcpt(&server, "grace@example.test").starts_with("550 5.1.1"),
        "the work tree is not what is followed"
    );
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-q", "-m", "mail: add grace"]);
    let took = until_rcpt(&server, "grace@example.test", "250");
    assert!(took < Duration::from_secs(5), "an interval of 1 s took {took:?}");

    server
        .cli(&["diff", &repository.display().to_string(), "HEAD~1", "HEAD", "--path", "mail"])
        .exits(2)
        .says("grace");
    server.cli(&["diff", &repository.display().to_string(), "HEAD", "HEAD", "--path", "mail"]).ok();
}
