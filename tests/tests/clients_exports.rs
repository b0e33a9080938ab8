//! What iRedMail, Mailu and mailcow export moves here: the dumps below `tests/import/` were written by `mariadb-dump` 10.11 and
//! `pg_dump` 15, their hashes by doveadm and passlib. What is made of them is golden, passes `mailwright validate`, is served, and
//! a real client logs in with the old passwords.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use mailwright_tests::harness::{Server, need, root, wire};

/// A place below `tests/import/`.
fn export(name: &str) -> String {
    root().join("tests/import").join(name).display().to_string()
}

/// Files by name, and what was said, without the directories.
struct Imported {
    into: PathBuf,
    files: BTreeMap<String, String>,
    said: Vec<String>,
}

/// Imports, and validates what came out.
fn import(server: &Server, from: &str, files: &[&str], into: &str) -> Imported {
    let into = server.scratch().join(into);
    let files: Vec<String> = files.iter().map(|file| export(file)).collect();
    let mut arguments = vec!["import", from];
    arguments.extend(files.iter().map(String::as_str));
    arguments.extend(["--into", into.to_str().unwrap(), "--hostname", "mail.one.test"]);
    let output = server.cli(&arguments).exits(2);
    server.cli(&["validate", into.to_str().unwrap()]).ok().says("0 errors");
    let directory = format!("{}/", root().join("tests/import").display());
    let said = output.all().replace(&directory, "").replace(&into.display().to_string(), "DIR");
    let mut read: BTreeMap<String, String> = BTreeMap::new();
    for entry in std::fs::read_dir(&into).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        read.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), text);
    }
    for clear in ["alice-old", "bob-old", "carol-old", "dave-old"] {
        assert!(!said.contains(clear) && !read.values().any(|text| text.contains(clear)), "{clear}");
    }
    Imported { into, files: read, said: said.lines().map(str::to_owned).collect() }
}

/// Compares with the golden file; passwords in clear were hashed with a salt of their own.
fn golden(name: &str, imported: &Imported) {
    let mut text = String::new();
    for line in &imported.said {
        text.push_str(&format!("{line}\n"));
    }
    for (file, manifests) in &imported.files {
        text.push_str(&format!("\n===== {file} =====\n"));
        for line in manifests.lines() {
            let line = match line.split_once("passwordHash: $argon2id$") {
                Some((before, _)) => format!("{before}passwordHash: (made here)"),
                None => line.to_owned(),
            };
            text.push_str(&format!("{line}\n"));
        }
    }
    let path = root().join("tests/import/golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{} is another one; UPDATE_GOLDEN=1 writes it anew", path.display());
}

/// Serves what was imported.
fn serve(server: &mut Server, imported: &Imported) {
    let place = imported.into.join("server.yaml");
    let text = std::fs::read_to_string(&place).unwrap();
    let more = format!("{text}{}  auth: {{plaintextOnLoopback: true}}\n", server.ports.listeners());
    std::fs::write(place, more).unwrap();
    server.follow(imported.into.to_str().unwrap(), &[]);
    server.start();
}

/// Logs in with Python's imaplib, over TLS.
fn logs_in(server: &Server, address: &str, password: &str, is_let_in: bool) {
    let expected = if is_let_in { "in" } else { "refused" };
    let said = server.script("login.py", &[address, password]).ok().stdout;
    assert!(said.starts_with(expected), "{address}: {said}");
}

fn accepts(server: &Server, address: &str, is_accepted: bool) {
    let mut wire = wire::smtp(server.ports.smtp).unwrap();
    wire.smtp("MAIL FROM:<victor@elsewhere.example.net>").unwrap();
    let reply = wire.smtp(&format!("RCPT TO:<{address}>")).unwrap();
    assert_eq!(reply.starts_with("250"), is_accepted, "{address}: {reply}");
}

/// What all three have: two people with their old passwords, an alias of both, an alias domain, a catch-all.
fn the_old_ways_work(server: &Server) {
    for (address, password) in
        [("alice@one.test", "alice-old"), ("bob@one.test", "bob-old"), ("carol@two.test", "carol-old")]
    {
        logs_in(server, address, password, true);
        logs_in(server, address, "another", false);
    }
    for (address, is_accepted) in [
        ("sales@one.test", true),
        ("alice@eins.test", true),
        ("anybody@two.test", true),
        ("nobody@one.test", false),
        ("info@far.test", false),
    ] {
        accepts(server, address, is_accepted);
    }
}

#[test]
fn iredmail_out_of_both_databases() {
    if !need(&["python3"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    let mysql = import(&server, "iredmail", &["iredmail.mysql.sql"], "mysql");
    golden("iredmail", &mysql);
    for other in ["iredmail.pgsql.sql", "iredmail.inserts.sql"] {
        let postgres = import(&server, "iredmail", &[other], other);
        for (file, text) in &mysql.files {
            let without = |text: &str| -> Vec<String> {
                text.lines().filter(|line| !line.contains("$argon2id$")).map(str::to_owned).collect()
            };
            assert_eq!(without(&postgres.files[file]), without(text), "{other}: {file}");
        }
        assert_eq!(
            (postgres.files.len(), postgres.said.len()),
            (mysql.files.len(), mysql.said.len()),
            "{other}"
        );
    }
    serve(&mut server, &mysql);
    the_old_ways_work(&server);
    // dave@one.test was switched off there, off.test as a whole; a password in clear became a hash.
    logs_in(&server, "dave@one.test", "dave-old", false);
    accepts(&server, "dave@one.test", false);
    accepts(&server, "erin@off.test", false);
    accepts(&server, "a.lice@one.test", true);
}

#[test]
fn mailu_in_yaml_and_json() {
    if !need(&["python3"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    let yaml = import(&server, "mailu", &["mailu.yml"], "yaml");
    golden("mailu", &yaml);
    let value: serde_json::Value =
        serde_yaml::from_str(&std::fs::read_to_string(export("mailu.yml")).unwrap()).unwrap();
    let place = server.scratch().join("mailu.json");
    std::fs::write(&place, value.to_string()).unwrap();
    let into = server.scratch().join("json");
    let arguments = ["import", "mailu", place.to_str().unwrap(), "--into", into.to_str().unwrap()];
    server.cli(&[&arguments[..], &["--hostname", "mail.one.test"]].concat()).exits(2);
    let text = std::fs::read_to_string(into.join("two.test.yaml")).unwrap();
    assert_eq!(text, yaml.files["two.test.yaml"], "JSON says the same");
    serve(&mut server, &yaml);
    the_old_ways_work(&server);
    logs_in(&server, "dave@one.test", "dave-old", false);
}

#[test]
fn mailcow_out_of_its_database_and_its_api() {
    if !need(&["python3"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    let database = import(&server, "mailcow", &["mailcow.sql"], "database");
    golden("mailcow", &database);
    let answers =
        ["domain", "alias-domain", "mailbox", "alias"].map(|name| format!("mailcow-api/{name}.json"));
    let api = import(&server, "mailcow", &answers.each_ref().map(String::as_str), "api");
    golden("mailcow-api", &api);
    for (file, text) in &database.files {
        let without = |text: &str| -> Vec<String> {
            let hashed = |line: &&str| {
                !["credentials:", "passwordHash:", "sendAs:", "  - alice@one.test"]
                    .iter()
                    .any(|it| line.contains(it))
            };
            text.lines().filter(hashed).map(str::to_owned).collect()
        };
        assert_eq!(
            without(&api.files[file]),
            without(text),
            "{file}: the API tells the same, but for passwords and sendAs"
        );
    }
    serve(&mut server, &database);
    the_old_ways_work(&server);
    // Mail in, no login: that is a mailbox without a password.
    accepts(&server, "box@two.test", true);
    logs_in(&server, "box@two.test", "carol-old", false);
    accepts(&server, "drop@one.test", false);
}
