//! Somebody leaves, by the repository alone: login, open sessions and mail that still waits are off, mail is kept, an Alias gets
//! what still comes, a revert brings everything back, and deletion takes `deletionPolicy: Delete` and no legal hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use mailwright_tests::harness::{Server, Sink, free_port, need, run, run_with_input, wait_for, wire};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(40);
/// The password that they set themselves, which no manifest knows.
const OWN: &str = "a-password-of-their-own";

fn git(dir: &Path, arguments: &[&str]) -> String {
    let identity =
        ["-c", "user.name=Carol", "-c", "user.email=carol@example.org", "-c", "commit.gpgsign=false"];
    run(Command::new("git").args(identity).args(arguments).current_dir(dir)).ok().stdout.trim().to_owned()
}

/// The quickstart in a repository that `mailwright up --config` follows; what leaves goes to a port where nobody listens yet.
struct House {
    server: Server,
    repository: PathBuf,
    next_hop: u16,
}

impl House {
    fn start(mailboxes: &[(&str, &str)]) -> Option<House> {
        if !need(&["git"]) {
            return None;
        }
        let mut server = Server::example("quickstart");
        let next_hop = free_port();
        let relay = format!(
            "  auth: {{plaintextOnLoopback: true}}\n  relay: {{host: 127.0.0.1, port: {next_hop}, tls: None}}\n  tls:\n"
        );
        server.manifests.edit("server.yaml", "  tls:\n", &relay);
        let repository = server.scratch().join("repository");
        std::fs::create_dir_all(&repository).unwrap();
        git(&repository, &["init", "-q", "-b", "main"]);
        std::fs::rename(server.manifests.dir(), repository.join("mail")).unwrap();
        let config = server.scratch().join("mailwright.yaml");
        let text = format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: MailRepository\nmetadata: {{name: company, namespace: mail}}\nspec:\n  \
             url: file://{}\n  ref: {{branch: main}}\n  path: mail/\n  interval: 5s\n  guards: {{maxRemovedPercent: 100}}\n",
            repository.display()
        );
        std::fs::write(&config, text).unwrap();
        server.follow("--config", &[config.to_str().unwrap()]);
        let mut house = House { server, repository, next_hop };
        for (local, more) in mailboxes {
            house.write(local, &mailbox(local, more));
        }
        house.commit("mail: everybody");
        house.server.start();
        for (local, _) in mailboxes {
            house.until_rcpt(local, "250");
            let mut passwd = Command::new(mailwright_tests::harness::mailwright());
            passwd
                .args(["passwd", &format!("{local}@example.test"), "--stdin", "--data"])
                .arg(house.server.data());
            run_with_input(&mut passwd, &format!("{OWN}\n")).ok();
        }
        Some(house)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.repository.join(format!("mail/{name}.yaml")), text).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.repository.join(format!("mail/{name}.yaml"))).unwrap();
    }

    fn commit(&self, message: &str) {
        git(&self.repository, &["add", "-A"]);
        git(&self.repository, &["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Commits, and waits until it was applied.
    fn apply(&self, message: &str) {
        self.commit(message);
        let revision = format!("main@sha1:{}", git(&self.repository, &["rev-parse", "HEAD"]));
        wait_for(&format!("{message} to be applied"), PATIENCE, || {
            let shown = self.server.cli(&["get", "mailrepositories", "company", "-o", "json"]);
            let shown: Value = serde_json::from_str(&shown.stdout).ok()?;
            let status = shown.pointer("/items/0/status").or_else(|| shown.get("status"))?;
            (status["lastAppliedRevision"] == *revision).then_some(())
        });
    }

    fn rcpt(&self, local: &str) -> String {
        let mut wire = wire::smtp(self.server.ports.smtp).unwrap();
        wire.smtp("MAIL FROM:<victor@elsewhere.example.net>").unwrap();
        wire.smtp(&format!("RCPT TO:<{local}@example.test>")).unwrap()
    }

    fn until_rcpt(&self, local: &str, code: &str) {
        wait_for(&format!("{code} for {local}"), PATIENCE, || {
            self.rcpt(local).starts_with(code).then_some(())
        });
    }

    fn deliver(&self, local: &str, subject: &str) {
        let message = format!("From: victor@elsewhere.example.net\r\nSubject: {subject}\r\n\r\nHello.\r\n");
        let to = format!("{local}@example.test");
        let reply = wire::deliver(self.server.ports.smtp, "victor@elsewhere.example.net", &[&to], &message);
        assert!(reply.as_ref().unwrap().starts_with("250"), "{reply:?}");
    }

    /// An IMAP session, and what LOGIN said.
    fn login(&self, local: &str, password: &str) -> (wire::Wire, String) {
        let mut imap = wire::Wire::connect(self.server.ports.imap).unwrap();
        imap.line().unwrap();
        let reply = imap.imap("l", &format!("LOGIN {local}@example.test {password}")).unwrap();
        (imap, reply)
    }

    fn is_let_in(&self, local: &str, password: &str) -> bool {
        self.login(local, password).1.contains("l OK")
    }

    fn subjects(&self, local: &str, password: &str) -> Vec<String> {
        let (mut imap, reply) = self.login(local, password);
        assert!(reply.contains("l OK"), "{reply}");
        imap.imap("s", "SELECT INBOX").unwrap();
        let answer = imap.imap("f", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").unwrap();
        let lines = answer.lines().filter_map(|line| line.strip_prefix("Subject: "));
        lines.map(str::to_owned).collect()
    }

    /// A submission session, and what AUTH said.
    fn submission(&self, local: &str) -> (wire::Wire, String) {
        let mut wire = wire::smtp(self.server.ports.submission).unwrap();
        let plain = format!("\0{local}@example.test\0{OWN}");
        let plain = base64::engine::general_purpose::STANDARD.encode(plain);
        let reply = wire.smtp(&format!("AUTH PLAIN {plain}")).unwrap();
        (wire, reply)
    }

    /// State of each recipient that waits to leave.
    fn queued(&self) -> Vec<String> {
        let list = self.server.cli(&["queue", "list", "--output", "json"]).ok().stdout;
        let list: Value = serde_json::from_str(&list).unwrap();
        let messages = list["messages"].as_array().cloned().unwrap_or_default();
        let recipients =
            messages.iter().flat_map(|it| it["recipients"].as_array().cloned().unwrap_or_default());
        recipients.map(|it| it["state"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn mailbox(local: &str, more: &str) -> String {
    format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata:\n  name: {local}\n{}spec:\n  address: {local}@example.test\n{more}  \
         credentials: {{secretRef: {{name: first-passwords, key: alice}}}}\n",
        if more.contains("# held") { "  labels: {mailwright.dev/legal-hold: \"true\"}\n" } else { "" },
    )
}

#[test]
fn who_leaves_is_out_at_once_and_comes_back_by_a_revert() {
    let Some(house) = House::start(&[("grace", "")]) else { return };
    house.deliver("grace", "before");
    let (mut reading, reply) = house.login("grace", OWN);
    assert!(reply.contains("l OK"), "{reply}");
    reading.imap("s", "SELECT INBOX").unwrap();
    // One message waits for its next hop, and one session is open.
    let (mut sending, reply) = house.submission("grace");
    assert!(reply.starts_with("235"), "{reply}");
    let text = "From: grace@example.test\r\nSubject: on its way\r\n\r\nHello.\r\n";
    let reply = wire::send(&mut sending, "grace@example.test", &["victor@there.example.net"], text).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    wait_for("the message to wait", PATIENCE, || (house.queued() == ["deferred"]).then_some(()));

    house.remove("grace");
    house.apply("mail: grace leaves");
    assert!(!house.is_let_in("grace", OWN));
    assert!(house.submission("grace").1.starts_with("525 5.7.13"));
    assert!(house.rcpt("grace").starts_with("550 5.2.1"), "{}", house.rcpt("grace"));
    let mail = sending.smtp("MAIL FROM:<grace@example.test>");
    assert!(!mail.as_ref().is_ok_and(|reply| reply.starts_with("250")), "an open session sends: {mail:?}");
    let fetched = reading.imap("f", "FETCH 1 BODY.PEEK[]");
    assert!(
        !fetched.as_ref().is_ok_and(|reply| reply.contains("f OK")),
        "an open session reads: {fetched:?}"
    );
    // What waited is kept and does not leave, even where it could now.
    assert_eq!(house.queued(), ["held"]);
    let listener = std::net::TcpListener::bind(("127.0.0.1", house.next_hop)).unwrap();
    let sink = Sink::over(listener, "nobody");
    house.server.cli(&["queue", "flush", "--all"]).ok();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((house.queued(), sink.taken().len()), (vec!["held".to_owned()], 0));

    // Mail that still comes goes to somebody else.
    house.write(
        "grace-left",
        "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {name: grace-left}\nspec: {address: grace@example.test, \
         targets: [alice@example.test]}\n",
    );
    house.apply("mail: alice gets what still comes for grace");
    house.deliver("grace", "while away");
    assert_eq!(house.subjects("alice", "mailwright"), ["while away"]);
    assert!(!house.is_let_in("grace", OWN), "an alias lets nobody in");

    git(&house.repository, &["revert", "--no-edit", "-n", "HEAD", "HEAD~1"]);
    house.apply("mail: grace is back");
    assert!(house.is_let_in("grace", OWN), "with their own password");
    assert_eq!(house.subjects("grace", OWN), ["before"]);
    // Its time comes by itself; here at once.
    house.server.cli(&["queue", "flush", "--all"]).ok();
    let taken = wait_for("what waited to leave", PATIENCE, || sink.taken().pop());
    assert_eq!(taken.subject(), Some("on its way"));
    house.deliver("grace", "after");
    assert_eq!(house.subjects("grace", OWN), ["before", "after"]);
    let history = house.server.cli(&["history", "grace@example.test"]).ok().stdout;
    for told in ["create", "disable", "Carol <carol@example.org>"] {
        assert!(history.contains(told), "{told}: {history}");
    }
}

#[test]
fn switched_off_is_the_same_and_a_postmaster_may_let_mail_go() {
    let Some(house) = House::start(&[("grace", "")]) else { return };
    let (mut sending, _) = house.submission("grace");
    let text = "From: grace@example.test\r\nSubject: let go\r\n\r\nHello.\r\n";
    wire::send(&mut sending, "grace@example.test", &["victor@there.example.net"], text).unwrap();
    wait_for("the message to wait", PATIENCE, || (house.queued() == ["deferred"]).then_some(()));
    house.write("grace", &mailbox("grace", "  enabled: false\n"));
    house.apply("mail: grace is off");
    assert!(!house.is_let_in("grace", OWN));
    assert_eq!(house.queued(), ["held"]);
    let listener = std::net::TcpListener::bind(("127.0.0.1", house.next_hop)).unwrap();
    let sink = Sink::over(listener, "nobody");
    house.server.cli(&["queue", "release", "--sender", "grace@example.test"]).ok();
    // The next hop was away a moment ago, which is remembered.
    house.server.cli(&["queue", "flush", "--all"]).ok();
    let taken = wait_for("the message to leave", PATIENCE, || sink.taken().pop());
    assert_eq!(taken.subject(), Some("let go"));
    house.write("grace", &mailbox("grace", ""));
    house.apply("mail: grace is on");
    assert!(house.is_let_in("grace", OWN));
}

#[test]
fn deletion_takes_a_policy_and_time_and_stops_at_a_legal_hold() {
    let short = "  retainFor: 1s\n";
    let delete = format!("{short}  deletionPolicy: Delete\n");
    let held = format!("{delete}  # held\n");
    let long = "  deletionPolicy: Delete\n";
    let everybody = [("kept", short), ("gone", &delete), ("held", &held), ("later", long)];
    let Some(house) = House::start(&everybody) else { return };
    for (local, _) in everybody {
        house.deliver(local, "before");
        house.remove(local);
    }
    house.apply("mail: four leave");
    for (local, _) in everybody {
        assert!(house.rcpt(local).starts_with("550 5.2.1"), "{local}");
    }
    std::thread::sleep(Duration::from_secs(2));
    // Deletion is planned when a pass comes, with or without a change.
    house.apply("mail: nothing");
    let history = |local: &str| house.server.cli(&["history", &format!("{local}@example.test")]).ok().stdout;
    wait_for("the deletion", PATIENCE, || history("gone").contains("delete").then_some(()));
    for local in ["kept", "held", "later"] {
        assert!(!history(local).contains("delete "), "{local}: {}", history(local));
    }
    for (local, more) in everybody {
        house.write(local, &mailbox(local, more));
    }
    house.apply("mail: four come back");
    for local in ["kept", "held", "later"] {
        assert_eq!(house.subjects(local, OWN), ["before"], "{local}");
    }
    assert!(house.subjects("gone", "mailwright").is_empty(), "another account, with the first password");
    assert!(!house.is_let_in("gone", OWN));
}
