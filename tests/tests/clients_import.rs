//! An installation of Postfix and Dovecot moves here: the same addresses resolve, the old passwords work, mail comes in. Then somebody
//! leaves and comes back, and somebody else writes into the database behind the manifests' back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mailwright_tests::harness::{Server, need, run, run_with_input, wait_for, wire};

const PATIENCE: Duration = Duration::from_secs(20);
const MAILBOXES: &str =
    "# people\nalice@one.test one/alice/\nBob@one.test one/bob/\ncarol@two.test two/carol/\n";
const ALIASES: &str = "# roles\npostmaster@one.test alice@one.test\nsales@one.test\n\talice@one.test,\n\
    # in between\n   Bob@One.test\n@two.test carol@two.test\npostmaster@two.test carol@two.test\n@eins.test @one.test\n\
    away@one.test away@elsewhere.example.net\nbroken@one.test |/bin/true\n";
/// What is asked on both sides: addresses that are somebody's, a catch-all, an alias domain, and nobody.
const QUERIES: [(&str, bool); 11] = [
    ("alice@one.test", true),
    ("bob@one.test", true),
    ("carol@two.test", true),
    ("postmaster@one.test", true),
    ("sales@one.test", true),
    ("SALES@one.test", true),
    ("anybody@two.test", true),
    ("alice@eins.test", true),
    ("nobody@one.test", false),
    ("broken@one.test", false),
    ("nobody@three.test", false),
];

struct Old {
    server: Server,
    manifests: PathBuf,
}

/// Hashes of real doveadm, tables of Postfix, and what `mailwright import` makes of them.
fn imported() -> Option<Old> {
    if !need(&["postmap", "doveadm"]) {
        return None;
    }
    let mut server = Server::example("quickstart");
    let old = server.scratch();
    let hash = |scheme: &str, password: &str| {
        run(Command::new("doveadm").args(["-O", "pw", "-s", scheme, "-p", password]))
            .ok()
            .stdout
            .trim()
            .to_owned()
    };
    let people = format!(
        "alice@one.test:{}:5000:5000:Alice A.:/var/vmail/alice::userdb_quota_rule=*:storage=1G\n\
         bob@one.test:{}:::::\ncarol@two.test:{}:::::\n",
        hash("SSHA512", "alice-old"),
        hash("SHA512-CRYPT", "bob-old"),
        hash("PLAIN", "carol-old"),
    );
    for (name, text) in [("mailboxes", MAILBOXES), ("aliases", ALIASES), ("passwd", &people)] {
        std::fs::write(old.join(name), text).unwrap();
    }
    let manifests = old.join("manifests");
    let mut arguments = vec!["import".to_owned(), "postfix".to_owned()];
    for (option, name) in [
        ("--mailboxes", "mailboxes"),
        ("--aliases", "aliases"),
        ("--passwd", "passwd"),
        ("--into", "manifests"),
    ] {
        arguments.extend([option.to_owned(), old.join(name).display().to_string()]);
    }
    arguments.extend(["--hostname".to_owned(), "mail.one.test".to_owned()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = server.cli(&arguments).exits(2).says("3 mailboxes and 5 aliases in 3 files");
    assert!(
        output.all().contains("aliases:11: broken@one.test has no target that can be declared"),
        "{}",
        output.all()
    );
    assert!(!output.all().contains("carol-old"));
    server.cli(&["validate", manifests.to_str().unwrap()]).ok();
    let all = std::fs::read_to_string(manifests.join("two.test.yaml")).unwrap();
    assert!(!all.contains("carol-old"), "a password in clear becomes a hash");
    let place = manifests.join("server.yaml");
    let text = std::fs::read_to_string(&place).unwrap();
    let more = format!("{text}{}  auth: {{plaintextOnLoopback: true}}\n", server.ports.listeners());
    std::fs::write(place, more).unwrap();
    server.follow(manifests.to_str().unwrap(), &[]);
    server.start();
    Some(Old { server, manifests })
}

/// The reply to RCPT for `address`.
fn rcpt(server: &Server, address: &str) -> String {
    let mut wire = wire::smtp(server.ports.smtp).unwrap();
    wire.smtp("MAIL FROM:<victor@elsewhere.example.net>").unwrap();
    wire.smtp(&format!("RCPT TO:<{address}>")).unwrap()
}

/// What postmap finds: the address itself, then its domain, as Postfix looks (virtual(5)), an alias domain's own way followed.
fn postmap(old: &Old, address: &str) -> bool {
    let ask = |table: &str, key: &str| {
        let table = format!("texthash:{}", old.server.scratch().join(table).display());
        let found = run(Command::new("postmap").args(["-q", key, &table])).stdout.trim().to_owned();
        Some(found).filter(|found| !found.is_empty() && !found.starts_with('|'))
    };
    let address = address.to_lowercase();
    let (local, domain) = address.split_once('@').unwrap();
    let found = ask("mailboxes", &address).or_else(|| ask("aliases", &address));
    match found.or_else(|| ask("aliases", &format!("@{domain}"))) {
        Some(target) => match target.strip_prefix('@') {
            Some(real) => postmap(old, &format!("{local}@{real}")),
            None => true,
        },
        None => false,
    }
}

fn login(server: &Server, address: &str, password: &str) -> String {
    let mut imap = wire::Wire::connect(server.ports.imap).unwrap();
    imap.line().unwrap();
    imap.imap("l", &format!("LOGIN {address} {password}")).unwrap()
}

fn subjects(server: &Server, address: &str, password: &str) -> Vec<String> {
    let mut imap = wire::Wire::connect(server.ports.imap).unwrap();
    imap.line().unwrap();
    imap.imap("l", &format!("LOGIN {address} {password}")).unwrap();
    imap.imap("s", "SELECT INBOX").unwrap();
    let answer = imap.imap("f", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").unwrap();
    let lines = answer.lines().filter_map(|line| line.strip_prefix("Subject: "));
    lines.map(str::to_owned).collect()
}

fn deliver(server: &Server, to: &str, subject: &str) {
    let message = format!("From: victor@elsewhere.example.net\r\nSubject: {subject}\r\n\r\nHello.\r\n");
    let reply = wire::deliver(server.ports.smtp, "victor@elsewhere.example.net", &[to], &message).unwrap();
    assert!(reply.starts_with("250"), "{to}: {reply}");
}

#[test]
fn what_postfix_and_dovecot_had_is_served() {
    let Some(old) = imported() else { return };
    for (address, ours) in QUERIES {
        assert_eq!(postmap(&old, address), ours, "postmap {address}");
        let reply = rcpt(&old.server, address);
        assert_eq!(reply.starts_with("250"), ours, "{address}: {reply}");
    }
    for (address, password) in
        [("alice@one.test", "alice-old"), ("bob@one.test", "bob-old"), ("carol@two.test", "carol-old")]
    {
        assert!(login(&old.server, address, password).contains("l OK"), "{address}");
        assert!(login(&old.server, address, "another").contains("l NO"), "{address}");
    }
    deliver(&old.server, "sales@one.test", "to both");
    deliver(&old.server, "anybody@two.test", "to whom it may concern");
    deliver(&old.server, "alice@eins.test", "under another name");
    assert_eq!(subjects(&old.server, "alice@one.test", "alice-old"), ["to both", "under another name"]);
    assert_eq!(subjects(&old.server, "bob@one.test", "bob-old"), ["to both"]);
    assert_eq!(subjects(&old.server, "carol@two.test", "carol-old"), ["to whom it may concern"]);
}

#[test]
fn who_leaves_is_kept_and_comes_back_with_their_own_password() {
    let Some(old) = imported() else { return };
    let server = &old.server;
    let mut passwd = Command::new(mailwright_tests::harness::mailwright());
    passwd.args(["passwd", "bob@one.test", "--stdin", "--data"]).arg(server.data());
    run_with_input(&mut passwd, "bobs-own-password\n").ok();
    deliver(server, "bob@one.test", "before");
    assert!(login(server, "bob@one.test", "bobs-own-password").contains("l OK"));

    let file = old.manifests.join("one.test.yaml");
    let with = std::fs::read_to_string(&file).unwrap();
    let documents = with.split("---\n").filter(|it| !it.contains("address: bob@one.test\n"));
    let mut without = documents.collect::<Vec<_>>().join("---\n");
    without.push_str(
        "---\napiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {name: bob-left}\n\
         spec: {address: bob@one.test, targets: [alice@one.test]}\n",
    );
    std::fs::write(&file, &without).unwrap();
    wait_for("the login to be off", PATIENCE, || {
        login(server, "bob@one.test", "bobs-own-password").contains("l NO").then_some(())
    });
    let mut submission = wire::smtp(server.ports.submission).unwrap();
    // bob@one.test and his password as SASL PLAIN has them.
    let reply = submission.smtp("AUTH PLAIN AGJvYkBvbmUudGVzdABib2JzLW93bi1wYXNzd29yZA==").unwrap();
    assert!(reply.starts_with("525 5.7.13"), "{reply}");
    deliver(server, "bob@one.test", "while away");
    assert_eq!(subjects(server, "alice@one.test", "alice-old"), ["while away"]);
    server.cli(&["plan", old.manifests.to_str().unwrap()]).ok();

    std::fs::write(&file, &with).unwrap();
    wait_for("bob to be back", PATIENCE, || {
        login(server, "bob@one.test", "bobs-own-password").contains("l OK").then_some(())
    });
    assert_eq!(subjects(server, "bob@one.test", "bobs-own-password"), ["before"]);
    deliver(server, "bob@one.test", "after");
    assert_eq!(subjects(server, "bob@one.test", "bobs-own-password"), ["before", "after"]);
}

#[test]
fn sql_behind_the_manifests_back_is_shown_and_put_back() {
    if !need(&["sqlite3"]) {
        return;
    }
    let Some(old) = imported() else { return };
    let server = &old.server;
    let database = server.data().join("mailwright.db");
    let sql = "PRAGMA busy_timeout = 5000; UPDATE mailbox SET quota = 7, send_as = '[\"carol@two.test\"]' WHERE address = \
               'alice@one.test';";
    run(Command::new("sqlite3").arg(&database).arg(sql)).ok();
    let manifests = old.manifests.to_str().unwrap();
    let plan = server.cli(&["plan", manifests]).exits(2);
    for line in [
        "alice@one.test  (drift: changed behind the manifests' back)",
        "spec.quota: 7 → 1Gi",
        "spec.sendAs: - carol@two.test",
        "1 of them drift",
    ] {
        assert!(plan.stdout.contains(line), "{line}: {}", plan.stdout);
    }
    let json = server.cli(&["plan", manifests, "--output", "json"]).exits(2).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["summary"]["drift"], &json["operations"][0]["drift"]), (&1.into(), &true.into()));
    server.cli(&["apply", manifests]).exits(2);
    server.cli(&["plan", manifests]).ok().says("nothing to do");
    // An own password is nobody's drift.
    let mut passwd = Command::new(mailwright_tests::harness::mailwright());
    passwd.args(["passwd", "alice@one.test", "--stdin", "--data"]).arg(server.data());
    run_with_input(&mut passwd, "alices-own-password\n").ok();
    server.cli(&["plan", manifests]).ok().says("nothing to do");
}

#[test]
fn a_legal_hold_stops_purging_by_force_until_it_is_lifted() {
    let Some(old) = imported() else { return };
    let server = &old.server;
    let file = old.manifests.join("one.test.yaml");
    let with = std::fs::read_to_string(&file).unwrap();
    let held = with.replace(
        "  name: bob-one-test\n",
        "  name: bob-one-test\n  labels: {mailwright.dev/legal-hold: \"true\"}\n",
    );
    assert_ne!(held, with);
    let gone = with.split("---\n").filter(|it| !it.contains("address: bob@one.test\n")).collect::<Vec<_>>();
    // The alias to both of them goes on with alice alone.
    let gone = gone.join("---\n").replace("  - bob@one.test\n", "");
    let apply = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let manifests = old.manifests.to_str().unwrap();
        wait_for("the manifests to be in force", PATIENCE, || {
            server.cli(&["plan", manifests]).all().contains("nothing to do").then_some(())
        });
    };
    apply(&held);
    apply(&gone);
    let purge = server.cli(&["purge", "bob@one.test", "--yes", "--force"]).exits(1);
    assert!(purge.all().contains("a legal hold keeps bob@one.test; to lift it"), "{}", purge.all());
    apply(&with);
    apply(&gone);
    server.cli(&["purge", "bob@one.test", "--yes", "--force"]).ok();
}
