//! "What happens when I delete X" of docs/gitops.md, row by row: a row without its trial here, or a trial without a row, fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use mailwright_tests::harness::{Server, root, wait_for, wire};

const PATIENCE: Duration = Duration::from_secs(30);
const GRACE_IS_AN_ALIAS: &str = "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {name: grace-left}\n\
                                 spec: {address: grace@example.test, targets: [alice@example.test]}\n";
const SECOND_DOMAIN: &str = "apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {name: empty-test}\n\
                             spec: {serverRef: {name: quickstart}, domain: empty.test}\n";

/// The first column of the table.
fn rows() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/gitops.md")).unwrap();
    let (_, section) = text.split_once("\n## What happens when I delete X\n").expect("the section");
    let rows =
        section.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| "));
    rows.skip(1).map(|row| row[2..].split(" | ").next().unwrap().to_owned()).collect()
}

/// People in one file, so that all of them go at once.
fn people_of(numbers: std::ops::Range<usize>) -> String {
    let documents = numbers.map(|number| {
        format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: m{number}}}\nspec: {{address: m{number}@example.test}}\n"
        )
    });
    documents.collect::<Vec<_>>().join("---\n")
}

/// A house that has one of everything, and enough people that one removal is few.
struct House(Server);

impl House {
    fn start() -> House {
        let mut server = Server::example("quickstart");
        server.manifests.write("people.yaml", &people_of(0..30));
        for (local, spec) in [
            ("grace", ""),
            ("kept", "  deletionPolicy: Retain\n"),
            ("gone", "  deletionPolicy: Delete\n  retainFor: 1s\n"),
        ] {
            server.manifests.mailbox(&format!("{local}@example.test"), spec);
        }
        server.manifests.mailbox("held@example.test", "  deletionPolicy: Delete\n  retainFor: 1s\n");
        server.manifests.edit(
            "mailbox-held-example-test.yaml",
            "metadata:\n",
            "metadata:\n  labels: {mailwright.dev/legal-hold: \"true\"}\n",
        );
        server.manifests.write("empty.yaml", SECOND_DOMAIN);
        server.start();
        let house = House(server);
        house.settled();
        house
    }

    /// What is declared is in force, held back or wrong: a plan has nothing that will be applied.
    fn settled(&self) -> String {
        let directory = self.0.manifests.dir().display().to_string();
        wait_for("the manifests to be in force", PATIENCE, || {
            let plan = self.0.cli(&["plan", &directory]);
            let is_done = matches!(plan.code, Some(0 | 3))
                || plan.code == Some(1) && plan.stdout.contains(": nothing to do");
            is_done.then(|| plan.all())
        })
    }

    fn rcpt(&self, address: &str) -> String {
        let mut wire = wire::smtp(self.0.ports.smtp).unwrap();
        wire.smtp("MAIL FROM:<victor@elsewhere.example.net>").unwrap();
        wire.smtp(&format!("RCPT TO:<{address}>")).unwrap()
    }

    fn takes(&self, address: &str, code: &str) {
        wait_for(&format!("{code} for {address}"), PATIENCE, || {
            self.rcpt(address).starts_with(code).then_some(())
        });
    }

    fn deliver(&self, address: &str) {
        let message = "From: victor@elsewhere.example.net\r\nSubject: hello\r\n\r\nHello.\r\n";
        let reply =
            wire::deliver(self.0.ports.smtp, "victor@elsewhere.example.net", &[address], message).unwrap();
        assert!(reply.starts_with("250"), "{address}: {reply}");
    }

    fn history(&self, address: &str) -> String {
        self.0.cli(&["history", address]).ok().stdout
    }

    /// Takes text out of a file, looks, and puts it back: the way back of most rows.
    fn without(&self, file: &str, text: &str, look: impl FnOnce(&House, &str)) {
        let before = self.0.manifests.read(file);
        assert!(before.contains(text), "{file}: {before}");
        self.0.manifests.write(file, &before.replace(text, ""));
        look(self, &self.settled());
        self.0.manifests.write(file, &before);
        self.settled();
    }

    /// The same with a whole file.
    fn without_file(&self, file: &str, look: impl FnOnce(&House, &str)) {
        let before = self.0.manifests.read(file);
        self.0.manifests.remove(file);
        look(self, &self.settled());
        self.0.manifests.write(file, &before);
        self.settled();
    }
}

#[test]
fn each_row_is_so() {
    let rows = rows();
    assert!(rows.len() >= 13, "{rows:?}");
    let house = House::start();
    house.takes("grace@example.test", "250");
    // What a MailRepository leaves behind is tried where there are some: in tests/tests/cluster_repository.rs.
    for row in rows.iter().filter(|row| !row.contains("MailRepository")) {
        eprintln!("--- {row}");
        let tried =
            people(&house, row) || addresses(&house, row) || settings(&house, row) || guarded(&house, row);
        assert!(tried, "no trial for {row:?}");
        // Nobody else was touched, whatever it was.
        for address in ["alice@example.test", "m7@example.test", "hello@example.org", "grace@example.test"] {
            house.takes(address, "250");
        }
    }
}

fn people(house: &House, row: &str) -> bool {
    match row {
        "a Mailbox" => {
            house.deliver("gone@example.test");
            house.without_file("mailbox-grace-example-test.yaml", |house, _| {
                house.takes("grace@example.test", "550 5.2.1")
            });
            let gone = house.0.manifests.read("mailbox-gone-example-test.yaml");
            house.0.manifests.remove("mailbox-gone-example-test.yaml");
            house.takes("gone@example.test", "550 5.2.1");
            assert!(house.history("gone@example.test").contains("disable"));
            std::thread::sleep(Duration::from_secs(2));
            // A pass comes by itself every five minutes; a change of a manifest is one now.
            house.0.manifests.mailbox("another@example.test", "");
            wait_for("the deletion", PATIENCE, || {
                house.history("gone@example.test").contains("delete").then_some(())
            });
            house.0.manifests.write("mailbox-gone-example-test.yaml", &gone);
            house.settled();
        }
        "a Mailbox with `deletionPolicy: Retain`" => {
            house.without_file("mailbox-kept-example-test.yaml", |house, _| {
                house.takes("kept@example.test", "250")
            });
        }
        "a Mailbox under a legal hold" => {
            house.without_file("mailbox-held-example-test.yaml", |house, _| {
                house.takes("held@example.test", "550 5.2.1");
                std::thread::sleep(Duration::from_secs(2));
                house.0.manifests.remove_mailbox("another@example.test");
                house.takes("another@example.test", "550");
                house.settled();
                assert!(!house.history("held@example.test").contains("delete"));
                house
                    .0
                    .cli(&["purge", "held@example.test", "--yes", "--force"])
                    .exits(1)
                    .says("a legal hold keeps");
            });
        }
        "a Mailbox, an Alias of its address declared" => {
            house.0.manifests.write("grace-left.yaml", GRACE_IS_AN_ALIAS);
            house.without_file("mailbox-grace-example-test.yaml", |house, _| {
                house.takes("grace@example.test", "250");
                let why = house.0.cli(&["why", "grace@example.test"]).ok();
                why.says("alias default/grace-left, in service")
                    .says("grace-left.yaml:1")
                    .says("mailbox default/grace-example-test, out of service since")
                    .says("until somebody runs mailwright purge, from ");
                house.0.manifests.remove("grace-left.yaml");
            });
        }
        _ => return false,
    }
    true
}

fn addresses(house: &House, row: &str) -> bool {
    let team = "metadata:\n  name: team\nspec:\n  address: team@example.test\n  targets:\n    - alice@example.test\n    - bob@example.test\n";
    match row {
        "an Alias" => {
            let alias = format!("---\napiVersion: mailwright.dev/v1alpha1\nkind: Alias\n{team}");
            house.without("aliases.yaml", &alias, |house, _| house.takes("team@example.test", "550 5.1.1"));
            house.takes("team@example.test", "250");
        }
        "a MailDomain with addresses declared" => {
            let domains = house.0.manifests.read("domains.yaml");
            let (first, _) = domains.split_once("---\n").unwrap();
            house.0.manifests.write("domains.yaml", first);
            let plan = house.settled();
            assert!(plan.contains("example.org is declared no more but has addresses: "), "{plan}");
            assert!(plan.contains("hello@example.org at aliases.yaml:"), "{plan}");
            house.takes("hello@example.org", "250");
            house.0.manifests.write("domains.yaml", &domains);
            house.settled();
        }
        "a MailDomain without addresses" => {
            let is_served = |house: &House| house.rcpt("nobody@empty.test").starts_with("550 5.1.1");
            assert!(is_served(house), "{}", house.rcpt("nobody@empty.test"));
            house.without_file("empty.yaml", |house, _| {
                wait_for("empty.test to be foreign", PATIENCE, || (!is_served(house)).then_some(()));
                assert!(
                    house.rcpt("nobody@empty.test").starts_with('5'),
                    "{}",
                    house.rcpt("nobody@empty.test")
                );
            });
            wait_for("empty.test to be served", PATIENCE, || is_served(house).then_some(()));
        }
        _ => return false,
    }
    true
}

fn settings(house: &House, row: &str) -> bool {
    match row {
        "the MailServer" => house.without_file("server.yaml", |house, plan| {
            assert!(!plan.contains("delete MailServer"), "{plan}");
            house.takes("alice@example.test", "250");
        }),
        "a Secret" => house.without_file("secrets.yaml", |house, _| {
            let login = house.0.script("login.py", &["alice@example.test", "mailwright"]).ok().stdout;
            assert!(login.starts_with("in"), "{login}");
        }),
        "a file that became unreadable or wrong" => {
            let before = house.0.manifests.read("mailbox-grace-example-test.yaml");
            for wrong in [
                "kind: [Mailbox\n",
                "kind: Mailbox\napiVersion: mailwright.dev/v1alpha1\nmetadata: {name: grace-example-test}\nspec: {}\n",
            ] {
                house.0.manifests.write("mailbox-grace-example-test.yaml", wrong);
                let directory = house.0.manifests.dir().display().to_string();
                wait_for("the mistake to be told", PATIENCE, || {
                    house
                        .0
                        .cli(&["plan", &directory])
                        .all()
                        .contains("mailbox-grace-example-test.yaml")
                        .then_some(())
                });
                std::thread::sleep(Duration::from_secs(3));
                house.takes("grace@example.test", "250");
            }
            house.0.manifests.write("mailbox-grace-example-test.yaml", &before);
            house.settled();
        }
        _ => return false,
    }
    true
}

fn guarded(house: &House, row: &str) -> bool {
    match row {
        "postmaster@ or abuse@ of a served domain" => {
            let aliases = house.0.manifests.read("aliases.yaml");
            let others: Vec<&str> =
                aliases.split("---\n").filter(|it| !it.contains("abuse@example.test")).collect();
            house.0.manifests.write("aliases.yaml", &others.join("---\n"));
            let plan = house.settled();
            assert!(plan.contains("Held back") && plan.contains("abuse@example.test"), "{plan}");
            house.takes("abuse@example.test", "250");
            house.0.manifests.write("aliases.yaml", &aliases);
            house.settled();
        }
        "more than 20 objects or a tenth of them" => {
            house.0.manifests.write("people.yaml", &people_of(21..30));
            let plan = wait_for("all of them to be held back", PATIENCE, || {
                Some(house.settled()).filter(|plan| plan.contains("21 held back"))
            });
            assert!(plan.contains("--approve "), "{plan}");
            house.takes("m3@example.test", "250");
            house.0.manifests.write("people.yaml", &people_of(0..30));
            house.settled();
        }
        "everything" => {
            let entries =
                std::fs::read_dir(house.0.manifests.dir()).unwrap().map(|entry| entry.unwrap().file_name());
            let files: Vec<(String, String)> = entries
                .map(|name| name.into_string().unwrap())
                .filter(|name| name.ends_with(".yaml"))
                .map(|name| (name.clone(), house.0.manifests.read(&name)))
                .collect();
            // In one file first, of which everything goes at once.
            let texts: Vec<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
            house.0.manifests.write("all.yaml", &texts.join("\n---\n"));
            files.iter().for_each(|(file, _)| house.0.manifests.remove(file));
            house.settled();
            house.0.manifests.write("all.yaml", "# nothing\n");
            let directory = house.0.manifests.dir().display().to_string();
            let plan = wait_for("an empty source", PATIENCE, || {
                Some(house.0.cli(&["plan", &directory]).all()).filter(|plan| !plan.contains("nothing to do"))
            });
            assert!(!plan.contains("--approve "), "nobody can approve that: {plan}");
            std::thread::sleep(Duration::from_secs(3));
            house.takes("m3@example.test", "250");
            house.0.manifests.write("all.yaml", &texts.join("\n---\n"));
            house.settled();
            // Declared twice for a moment, which takes nothing away either.
            files.iter().for_each(|(file, text)| house.0.manifests.write(file, text));
            house.0.manifests.remove("all.yaml");
            house.settled();
        }
        _ => return false,
    }
    true
}
