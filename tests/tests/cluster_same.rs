//! The same manifests by `kubectl apply`, by a MailRepository as objects of the cluster and straight into the database, and by
//! `mailwright up` make the same account rows: the examples, and random ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailwright_tests::cluster::mail::object;
use mailwright_tests::cluster::{ControlPlane, Mail};
use mailwright_tests::harness::{GitServer, PATIENCE, mailwright, root, run};
use mailwright_tests::manifests::Manifests;
use mailwright_tests::random::Random;
use serde_json::{Value, json};

/// For people who read a failure: the random manifests are made from this.
const SEED: u64 = 20_261_121;

/// Rows without what differs between two ways to them: who declared them, numbers of accounts, times, fingerprints (each way has a key
/// of its own), and the namespace, which is another one here.
fn rows(text: &str, namespace: &str) -> Value {
    let text = text.replace(&format!("\"{namespace}/"), "\"default/");
    let mut rows: Value = serde_json::from_str(&text).expect("rows are JSON");
    rows["changeCounter"] = Value::Null;
    for table in ["servers", "domains", "mailboxes", "aliases"] {
        for row in rows[table].as_array_mut().unwrap() {
            let row = row.as_object_mut().unwrap();
            assert!(
                row.remove("owner").is_some_and(|owner| owner.is_object()),
                "{table}: somebody declared it"
            );
            row.remove("accountId");
            if let Some(credential) = row.get_mut("credential").and_then(Value::as_object_mut) {
                assert!(credential.remove("fingerprint").is_some());
            }
        }
    }
    rows
}

/// `mailwright up` on an address of its own, so that the ports are those of the manifests.
struct Up {
    child: Child,
    data: tempfile::TempDir,
}

impl Up {
    fn start(manifests: &Path) -> Up {
        static COUNT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(1);
        let [.., high, low] = std::process::id().to_be_bytes();
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // 127.128.0.0/10 is nobody's: pods of the tests are below it.
        let address = IpAddr::V4(Ipv4Addr::new(127, 128 | (high & 63), low, count));
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(mailwright());
        command
            .arg("--data")
            .arg(data.path())
            .arg("up")
            .arg(manifests)
            .args(["--bind", &address.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Up { child, data }
    }

    fn rows(&self) -> Option<Value> {
        let mut command = Command::new(mailwright());
        let output = run(command.arg("--data").arg(self.data.path()).args(["observe", "--output", "json"]));
        (output.code == Some(0)).then(|| rows(&output.stdout, "default"))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many documents of this kind are declared, as a reader counts them.
fn declared(manifests: &Path, kind: &str) -> usize {
    let line = format!("kind: {kind}");
    let mut count = 0;
    for entry in std::fs::read_dir(manifests).unwrap().map(|entry| entry.unwrap().path()) {
        count += match entry.is_dir() {
            true => declared(&entry, kind),
            false if entry.extension().is_some_and(|it| it == "yaml") => {
                std::fs::read_to_string(&entry).unwrap().lines().filter(|text| *text == line).count()
            }
            false => 0,
        };
    }
    count
}

fn same_rows(plane: &ControlPlane, title: &str, server: &str, manifests: &Path) {
    let mail = Mail::of(plane, title, server);
    let (namespace, endpoint) = (mail.namespace.clone(), mail.pod.management_endpoint());
    let _operator = plane.operator(plane.admin(), &namespace, &["--watch-namespace", &namespace, &endpoint]);
    let up = Up::start(manifests);
    let manifests = manifests.display().to_string();
    mail.kubectl.run(&["apply", "--recursive", "--namespace", &namespace, "--filename", &manifests]).ok();
    mail.kubectl.wait_until(&namespace, &format!("mailserver/{server}"), PATIENCE * 2, |server| {
        server["status"]["databaseID"].is_string()
    });
    let expected = [
        ("servers", "MailServer"),
        ("domains", "MailDomain"),
        ("mailboxes", "Mailbox"),
        ("aliases", "Alias"),
    ]
    .map(|(table, kind)| (table, declared(Path::new(&manifests), kind)));
    let is_whole =
        |rows: &Value| expected.iter().all(|(table, count)| rows[table].as_array().unwrap().len() == *count);
    let start = Instant::now();
    let (left, right) = loop {
        let cluster = rows(&mail.run(&["observe", "--output", "json"]).ok().stdout, &namespace);
        let alone = up.rows().unwrap_or_default();
        if (cluster == alone && is_whole(&alone)) || start.elapsed() > PATIENCE * 3 {
            break (cluster, alone);
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    assert!(is_whole(&right), "{title}: not {expected:?}: {right:#}");
    assert!(left == right, "{title}: in the cluster\n{left:#}\nand by `mailwright up`\n{right:#}");
    println!("{title}: the same rows, {expected:?}");
}

/// By a repository: with `sink: Database` everything but the MailServer, with `sink: Resources` everything but Secrets; that is there by
/// `kubectl apply`.
fn same_rows_followed(plane: &ControlPlane, title: &str, sink: &str, manifests: &Path) {
    let (server, there) = ("mail", if sink == "Database" { "MailServer" } else { "Secret" });
    let Some(git) = GitServer::start() else { return };
    let mail = Mail::of(plane, title, server);
    let namespace = mail.namespace.clone();
    let tree = tempfile::tempdir().unwrap();
    let cache = format!("--cache={}", tree.path().join("cache").display());
    let endpoint = mail.pod.management_endpoint();
    let lease = ["--lease-duration=40s", "--renew-deadline=30s"];
    let arguments = ["--watch-namespace", &namespace, &endpoint, &cache, lease[0], lease[1]];
    let _operator = plane.operator(plane.admin(), &namespace, &arguments);
    let up = Up::start(manifests);
    let work = tree.path().join("work");
    copy(manifests, &work);
    git.push(&work, "mail: all of it");
    mail.kubectl.apply_with(&document(&work, there), &["--namespace", &namespace]).ok();
    let resources = ["mailservers", "maildomains", "mailboxes", "aliases"];
    mail.account("deployer", &resources, &["get", "create", "update", "patch", "delete"]);
    let mut spec =
        json!({"url": git.url(), "interval": "5s", "sink": sink, "serviceAccountName": "deployer"});
    if sink == "Database" {
        spec["serverRef"] = json!({"name": server});
    }
    mail.apply(&object("MailRepository", "company", spec));
    mail.kubectl.wait_until(&namespace, &format!("mailserver/{server}"), PATIENCE * 2, |server| {
        server["status"]["databaseID"].is_string()
    });
    let start = Instant::now();
    let (left, right) = loop {
        let cluster = rows(&mail.run(&["observe", "--output", "json"]).ok().stdout, &namespace);
        let alone = up.rows().unwrap_or_default();
        let is_whole = alone["mailboxes"].as_array().is_some_and(|all| !all.is_empty());
        if (cluster == alone && is_whole) || start.elapsed() > PATIENCE * 3 {
            break (cluster, alone);
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    let told = mail.kubectl.get(&namespace, "mailrepository/company")["status"].clone();
    assert!(left == right, "{title}: by sink: {sink}\n{left:#}\nand by `mailwright up`\n{right:#}\n{told:#}");
    let count = |table: &str| right[table].as_array().unwrap().len();
    println!(
        "{title}: the same rows by sink: {sink}, {} mailboxes, {} aliases",
        count("mailboxes"),
        count("aliases")
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(entry.file_name().unwrap());
        match entry.is_dir() {
            true => copy(&entry, &target),
            false => drop(std::fs::copy(&entry, target).unwrap()),
        }
    }
}

/// The document of this kind.
fn document(manifests: &Path, kind: &str) -> String {
    let line = format!("kind: {kind}");
    let found = std::fs::read_dir(manifests).unwrap().map(|entry| entry.unwrap().path()).find_map(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        text.split("---\n").find(|document| document.lines().any(|it| it == line)).map(str::to_owned)
    });
    found.unwrap_or_else(|| panic!("no {kind} in {}", manifests.display()))
}

#[test]
fn the_examples_make_the_same_rows() {
    let Some(plane) = ControlPlane::shared() else { return };
    for (example, server) in [("kubernetes", "mail"), ("quickstart", "quickstart"), ("company", "company")] {
        same_rows(plane, example, server, &root().join("examples").join(example));
    }
}

#[test]
fn random_manifests_make_the_same_rows() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mut random = Random::new(SEED);
    for set in 0..3 {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("manifests");
        Manifests::random(&mut random).write(&place, 4);
        same_rows(plane, &format!("random-{set}"), "mail", &place);
    }
}

#[test]
fn random_manifests_make_the_same_rows_by_both_sinks() {
    let Some(plane) = ControlPlane::shared() else { return };
    let mut random = Random::new(SEED + 1);
    for set in 0..2 {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("manifests");
        Manifests::random(&mut random).write(&place, 4);
        same_rows_followed(plane, &format!("straight-{set}"), "Database", &place);
        same_rows_followed(plane, &format!("objects-{set}"), "Resources", &place);
    }
}
