//! Secrets stay where they belong: not in logs, plans, statuses, exports, metrics; keys are files of their owner alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, is_private, need, wait_for, wire};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SENTINEL: &str = "sentinel-5b1e0c";
const WRONG: &str = "wrong-sentinel-77aa";

#[test]
fn no_secret_appears_anywhere_but_in_its_manifest() {
    if !need(&["python3"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    server.options = vec!["--log".to_owned(), "trace".to_owned()];
    server.manifests.edit("secrets.yaml", "alice: mailwright", &format!("alice: {SENTINEL}"));
    let dir = server.manifests.dir().display().to_string();
    let mut said = server.cli(&["validate", &dir]).ok().all();
    server.start();
    server.script("login.py", &["alice@example.test", SENTINEL]).ok().says("in");
    server.script("login.py", &["alice@example.test", WRONG]).ok().says("refused");
    server.manifests.edit("secrets.yaml", SENTINEL, &format!("{SENTINEL}-2"));
    let again = format!("{SENTINEL}-2");
    wait_for("the changed Secret", Duration::from_secs(20), || {
        server.script("login.py", &["alice@example.test", &again]).ok().stdout.starts_with("in").then_some(())
    });
    // A manifest that is wrong right beside the secret, so that error messages have their chance.
    server.manifests.write(
        "broken.yaml",
        &format!("kind: Secret\napiVersion: v1\nstringData:\n  x: {SENTINEL}\n  x: [\n"),
    );

    for arguments in [
        vec!["plan", &dir],
        vec!["plan", &dir, "-o", "json"],
        vec!["validate", &dir],
        vec!["get", "all", "-o", "yaml"],
        vec!["get", "all", "-o", "json"],
        vec!["describe", "mailbox", "alice"],
        vec!["export"],
        vec!["dns"],
    ] {
        said += &server.cli(&arguments).all();
    }
    said += &wire::http_get(server.ports.http, "/metrics").unwrap();
    said += &server.logs();
    for secret in [SENTINEL, WRONG] {
        let places: Vec<_> = said.lines().filter(|line| line.contains(secret)).collect();
        assert!(places.is_empty(), "{secret} appears: {places:#?}");
    }
    assert!(
        !said.contains("$argon2id$") && !said.contains("PRIVATE KEY"),
        "hashes and keys do not appear either"
    );
    assert!(said.len() > 2000, "there was something to search");

    server.stop();
    for path in files(&server.data()) {
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(SENTINEL) && !text.contains(WRONG), "{} holds a password", path.display());
        if text.contains("PRIVATE KEY") {
            assert!(is_private(&path), "{} holds a key and others may read it", path.display());
        }
    }
}

#[test]
fn dkim_keys_are_made_once_and_are_their_owners_alone() {
    let mut server = Server::quickstart();
    let keys = |server: &Server| -> Vec<(PathBuf, Vec<u8>)> {
        let dkim = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "dkim");
        files(&server.data())
            .into_iter()
            .filter(dkim)
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    };
    let before = keys(&server);
    assert!(before.len() >= 4, "RSA and Ed25519 for two domains: {before:?}");
    for (path, _) in &before {
        assert!(is_private(path), "{}", path.display());
    }
    let records = server.cli(&["dns", "--format", "zone"]).ok().stdout;
    assert_eq!(records.matches("v=DKIM1").count(), 4, "{records}");
    server.stop();
    server.start();
    assert_eq!(keys(&server), before);
    assert_eq!(server.cli(&["dns", "--format", "zone"]).ok().stdout, records);
}

/// Every regular file below `dir`, sorted.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    found
}
