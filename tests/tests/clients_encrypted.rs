//! Passwords that real `sops` encrypted in a repository: the accounts log in with them, and they are written nowhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailwright_tests::harness::{GitServer, Server, condition, need, root, run, skip, wait_for};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Long and odd enough to be found by chance nowhere.
const SENTINEL: &str = "sentinel-Zx93kQ-open";
const PATIENCE: Duration = Duration::from_secs(30);

/// Where `sops` and `age-keygen` are.
fn programs() -> Option<PathBuf> {
    let chosen = std::env::var_os("MAILWRIGHT_SOPS_BIN").map(PathBuf::from);
    let place = chosen.unwrap_or_else(|| root().join("target/sops"));
    if place.join("sops").exists() {
        return Some(place);
    }
    skip("sops is not built (cargo xtask test --only install)");
    None
}

struct Bed {
    git: GitServer,
    server: Server,
    programs: PathBuf,
    key: PathBuf,
    recipient: String,
}

impl Bed {
    /// The quickstart in a remote repository, its passwords encrypted.
    fn new() -> Option<Bed> {
        let (programs, git) = (programs()?, GitServer::start()?);
        let server = Server::example("quickstart");
        let key = server.scratch().join("age.txt");
        run(Command::new(programs.join("age-keygen")).arg("-o").arg(&key)).ok();
        let recipient = run(Command::new(programs.join("age-keygen")).arg("-y").arg(&key)).ok().stdout;
        let recipient = recipient.trim().to_owned();
        let mut bed = Bed { git, server, programs, key, recipient };
        let encrypted = bed.encrypt(&secret(SENTINEL));
        bed.server.manifests.write("secrets.yaml", &encrypted);
        bed.git.push(bed.server.manifests.dir(), "the quickstart");
        let (url, key) = (bed.git.url(), bed.key.display().to_string());
        bed.server.follow(&url, &["--interval", "500ms", "--age-key-file", &key]);
        Some(bed)
    }

    fn encrypt(&self, text: &str) -> String {
        let plain = self.key.with_file_name("plain.yaml");
        std::fs::write(&plain, text).unwrap();
        let mut sops = Command::new(self.programs.join("sops"));
        sops.args(["encrypt", "--age", &self.recipient, "--encrypted-regex", "^(data|stringData)$"]);
        let made = run(sops.arg(&plain)).ok().stdout;
        std::fs::remove_file(plain).unwrap();
        made
    }

    /// The status of what is followed.
    fn status(&self) -> Value {
        let shown = self.server.cli(&["get", "mailrepositories", "up", "-o", "json"]).ok().stdout;
        let list: Value = serde_json::from_str(&shown).unwrap();
        list.pointer("/items/0/status").or_else(|| list.get("status")).cloned().unwrap()
    }

    fn login(&self, user: &str, password: &str) -> String {
        self.server.script("login.py", &[user, password]).ok().stdout
    }

    fn push(&self, subject: &str) {
        self.git.push(self.server.manifests.dir(), subject);
    }
}

fn secret(password: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: first-passwords\n  annotations: {{since: 2024-05-01}}\n\
         stringData:\n  alice: {password}\n  bob: {password}\n"
    )
}

/// Every file below `directory` that holds one of the words.
fn holding(directory: &Path, words: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            holding(&path, words, found);
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let has = |word: &&str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
            found.extend(words.iter().any(has).then_some(path));
        }
    }
}

#[test]
fn an_encrypted_password_logs_in_and_is_written_nowhere() {
    let Some(mut bed) = Bed::new() else { return };
    if !need(&["python3"]) {
        return;
    }
    bed.server.start();
    for user in ["alice@example.test", "bob@example.test"] {
        assert!(bed.login(user, SENTINEL).starts_with("in"), "{user}");
    }
    assert!(bed.login("alice@example.test", "mailwright").starts_with("refused"));

    // What is told of it: plans, problems, statuses.
    let (url, key) = (bed.git.url(), bed.key.display().to_string());
    let mut told = String::new();
    for arguments in [
        &["get", "all", "--output", "yaml"][..],
        &["get", "all", "--output", "json"],
        &["describe", "mailbox", "alice"],
        &["export"],
        &["observe", "--output", "json"],
        &["validate", &url, "--age-key-file", &key, "--output", "json"],
        &["plan", &url, "--age-key-file", &key, "--output", "json"],
        &["plan", &url, "--age-key-file", &key],
    ] {
        let output = bed.server.cli(arguments);
        told += &format!("{}{}", output.stdout, output.stderr);
    }
    assert!(told.contains("alice@example.test"), "{told}");

    let identity = std::fs::read_to_string(&bed.key).unwrap();
    let identity = identity.lines().last().unwrap();
    let base64 = STANDARD.encode(SENTINEL);
    let words = [SENTINEL, &base64, identity];
    assert!(words.iter().all(|word| !told.contains(word)), "{told}");
    let logs = bed.server.logs();
    assert!(words.iter().all(|word| !logs.contains(word)), "{logs}");
    let mut found = Vec::new();
    holding(&bed.server.data(), &words, &mut found);
    bed.server.stop();
    holding(&bed.server.data(), &words, &mut found);
    holding(&bed.git.path(), &words, &mut found);
    holding(bed.server.manifests.dir(), &words, &mut found);
    assert!(found.is_empty(), "{found:?}");
    // The search finds what is there.
    holding(bed.key.parent().unwrap(), &words, &mut found);
    assert_eq!(found, [bed.key.clone()]);
}

#[test]
fn a_file_that_does_not_open_stops_itself_and_nothing_else() {
    let Some(mut bed) = Bed::new() else { return };
    if !need(&["python3"]) {
        return;
    }
    bed.server.start();
    let whole = bed.server.manifests.read("secrets.yaml");
    let fresh = "  credentials:\n    secretRef: {name: first-passwords, key: alice}\n";
    let rounds = [
        ("mac", whole.replace("2024-05-01", "2024-05-02"), "sops.mac: the MAC does not fit"),
        (
            "value",
            whole.replacen("alice: ENC[AES256_GCM,data:", "alice: ENC[AES256_GCM,data:AAAA", 1),
            "stringData.alice: does not decrypt",
        ),
        ("plain", whole.replacen("alice: ENC", "alice: open #", 1), "stringData.alice: is not encrypted"),
    ];
    for (name, text, says) in rounds {
        assert_ne!(text, whole, "{name}");
        bed.server.manifests.write("secrets.yaml", &text);
        let file = format!("quota-{name}.yaml");
        bed.server.manifests.write(
            &file,
            &format!(
                "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata: {{name: {name}}}\nspec:\n  address: {name}@example.test\n  \
                 targets: [alice@example.test]\n"
            ),
        );
        bed.push(name);
        wait_for(says, PATIENCE, || bed.server.logs().contains(says).then_some(()));
        wait_for("the alias beside it", PATIENCE, || {
            let found = bed.server.cli(&["get", "aliases"]);
            found.stdout.contains(&format!("{name}@example.test")).then_some(())
        });
        let status = bed.status();
        assert_eq!(status["failures"][0]["reason"], "DecryptionFailed", "{status}");
        assert_eq!(status["failures"][0]["file"], "secrets.yaml", "{status}");
        assert_eq!(condition(&status, "PartiallyApplied")["reason"], "DecryptionFailed", "{status}");
        assert!(condition(&status, "Ready")["message"].as_str().unwrap().contains(says), "{status}");
        for user in ["alice@example.test", "bob@example.test"] {
            assert!(bed.login(user, SENTINEL).starts_with("in"), "{name}: {user}");
        }
        let (url, key) = (bed.git.url(), bed.key.display().to_string());
        let told = bed.server.cli(&["validate", &url, "--age-key-file", &key]).exits(1);
        assert_eq!(told.stdout.matches("secrets.yaml:").count(), 1, "one message: {}", told.stdout);
    }

    // Without the key: the same, and what to give.
    let url = bed.git.url();
    bed.server.manifests.write("secrets.yaml", &whole);
    bed.push("whole again");
    let told = bed.server.cli(&["validate", &url]).exits(1);
    assert!(told.stdout.contains("no key is given; give the age key: --age-key-file"), "{}", told.stdout);
    bed.server.stop();
    bed.server.follow(&url, &["--interval", "500ms"]);
    bed.server.start();
    assert!(bed.login("alice@example.test", SENTINEL).starts_with("in"), "the row stays");
    bed.server.stop();

    // And with it again, a new mailbox takes its first password out of the file.
    let key = bed.key.display().to_string();
    bed.server.follow(&url, &["--interval", "500ms", "--age-key-file", &key]);
    bed.server.start();
    bed.server.manifests.mailbox("erin@example.test", fresh);
    bed.push("erin");
    wait_for("erin", PATIENCE, || bed.login("erin@example.test", SENTINEL).starts_with("in").then_some(()));
}

#[test]
fn a_key_that_cannot_be_used_says_why() {
    let server = Server::example("quickstart");
    let dir = server.manifests.dir().display().to_string();
    let file = server.scratch().join("key");
    for (text, says) in [
        ("age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg", "this is the public half"),
        ("hunter2", "this is no age key"),
        ("", "holds no age identity"),
    ] {
        std::fs::write(&file, text).unwrap();
        let told = server.cli(&["validate", &dir, "--age-key-file", &file.display().to_string()]).exits(1);
        assert!(told.stderr.contains(says), "{}", told.stderr);
        assert!(!told.stderr.contains("hunter2"));
    }
    let told = server.cli(&["validate", &dir, "--age-key-file", "/nonexistent/key"]).exits(1);
    assert!(told.stderr.contains("--age-key-file /nonexistent/key"), "{}", told.stderr);
}
