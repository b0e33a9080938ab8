//! A small language for declarations in tests, one object a line, so that a whole repository fits a screen:
//!
//! ```text
//! # mail/people.yaml
//! Mailbox alice {address: alice@example.test}
//! Mailbox suspended team/bob {address: bob@example.test}
//! Secret passwords {alice: one}
//! Namespace team {tier: one}
//! wrong Mailbox carol
//! broken address: [dave@example.test
//! unreadable
//! ```
//!
//! The line in its file is the line of the object. What follows `# ` names the file of the lines below it.

#![allow(dead_code)]

pub mod random;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeZone as _, Utc};
use mailwright_crds::{API_VERSION, Kind, ObjectRef, Resource, check_manifest};
use mailwright_plan::{
    Catalog, Entry, Observed, Origin, Plan, Problem, ProblemCode, SecretId, SecretState, Settings, Severity,
    plan, simulate,
};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// The key of fingerprints in tests.
pub const KEY: [u8; 32] = [7; 32];

/// The moment that tests begin at.
pub fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap()
}

/// Usual settings for a source.
pub fn settings(source: &str, now: DateTime<Utc>) -> Settings {
    Settings { fingerprint_key: KEY, ..Settings::new(source, now) }
}

/// Reads declarations into a catalog.
pub fn catalog(text: &str) -> Catalog {
    let mut catalog = Catalog::new();
    for (file, lines) in files(text) {
        let objects = lines.iter().filter_map(|(number, line)| entry(&file, *number, line));
        catalog.replace_file(&file, objects.collect());
        for (number, line) in &lines {
            other(&mut catalog, &file, *number, line);
        }
    }
    catalog
}

/// Brings a catalog from other declarations to these, file by file, as a source does.
pub fn retake(catalog: &mut Catalog, text: &str) {
    let files = files(text);
    let told = |file: &str| files.iter().any(|(name, _)| name == file);
    let known = catalog.entries().map(|entry| entry.origin.file.clone());
    let known = known.chain(catalog.broken_files().keys().cloned()).collect::<BTreeSet<_>>();
    for gone in known.iter().filter(|file| !told(file)) {
        catalog.remove_file(gone);
    }
    catalog.remove_secret("default", "s");
    for (file, lines) in files {
        let objects = lines.iter().filter_map(|(number, line)| entry(&file, *number, line));
        catalog.replace_file(&file, objects.collect());
        for (number, line) in &lines {
            other(catalog, &file, *number, line);
        }
    }
}

/// The same as a cluster tells of it: objects that stand in no file, and the labels of namespaces (`Namespace shop {team: a}`).
pub fn watched(text: &str) -> Catalog {
    let told = catalog(text);
    let mut watched = told.clone();
    for entry in told.entries() {
        watched.delete(&entry.object());
        watched.apply(Entry::new(entry.resource.clone(), Origin::default()));
    }
    watched
}

/// A file of manifests in YAML, as an export is one, read back.
pub fn read(text: &str) -> Catalog {
    let mut entries = Vec::new();
    for (line, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let value = Value::deserialize(document).unwrap();
        if value.is_null() {
            continue;
        }
        let kind: Kind = value["kind"].as_str().unwrap().parse().unwrap();
        let resource = check_manifest(kind, &value).unwrap_or_else(|wrong| panic!("{value:#}: {wrong:?}"));
        entries.push(Entry::new(resource, Origin::new("export.yaml", line as u32)));
    }
    let mut catalog = Catalog::new();
    catalog.replace_file("export.yaml", entries);
    catalog
}

/// The problems of a repository on an empty database, warnings of missing postmasters left out.
pub fn check(repository: &str, expected: &[&str]) {
    check_on(&Observed::default(), repository, expected);
}

/// The same on this database.
pub fn check_on(observed: &Observed, repository: &str, expected: &[&str]) {
    let planned = plan(&catalog(repository), observed, &settings("git", start()));
    let problems = planned.problems.iter().filter(|problem| problem.code != ProblemCode::NoPostmaster);
    let found: Vec<String> = problems.map(ToString::to_string).collect();
    assert_eq!(found, expected, "{repository}");
}

/// Lines by file, with their numbers.
pub fn files(text: &str) -> Vec<(String, Vec<(u32, String)>)> {
    let mut files: Vec<(String, Vec<(u32, String)>)> = vec![("mail.yaml".to_owned(), Vec::new())];
    let mut number = 0;
    for line in text.lines().map(str::trim) {
        if let Some(file) = line.strip_prefix("# ") {
            files.push((file.to_owned(), Vec::new()));
            number = 0;
            continue;
        }
        number += 1;
        if !line.is_empty() {
            files.last_mut().unwrap().1.push((number, line.to_owned()));
        }
    }
    files.retain(|(_, lines)| !lines.is_empty());
    files
}

fn entry(file: &str, number: u32, line: &str) -> Option<Entry> {
    // Checking a manifest takes milliseconds without optimisation, and random tests repeat themselves.
    thread_local! {
        static CHECKED: RefCell<HashMap<String, Option<Resource>>> = RefCell::default();
    }
    let known = CHECKED.with_borrow(|checked| checked.get(line).cloned());
    let resource = known.unwrap_or_else(|| {
        let resource = parse(line);
        CHECKED.with_borrow_mut(|checked| checked.insert(line.to_owned(), resource.clone()));
        resource
    });
    Some(Entry::new(resource?, Origin::new(file, number)))
}

fn parse(line: &str) -> Option<Resource> {
    let (kind, rest) = line.split_once(' ')?;
    let kind: Kind = kind.parse().ok()?;
    let (suspended, rest) = match rest.strip_prefix("suspended ") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (name, spec) = rest.split_once(' ').unwrap();
    let spec: Value = serde_yaml::from_str(spec).unwrap_or_else(|error| panic!("{line}: {error}"));
    let mut resource = resource(kind, name, spec);
    if suspended {
        let annotations = resource.metadata_mut().annotations.get_or_insert_default();
        annotations.insert("mailwright.dev/reconcile".into(), "disabled".into());
    }
    Some(resource)
}

/// A checked resource; `name` may be `namespace/name`.
pub fn resource(kind: Kind, name: &str, spec: Value) -> Resource {
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    let manifest = json!({
        "apiVersion": API_VERSION,
        "kind": kind.as_str(),
        "metadata": {"namespace": namespace, "name": name, "generation": 1},
        "spec": spec,
    });
    check_manifest(kind, &manifest).unwrap_or_else(|wrong| panic!("{kind} {name}: {wrong:?}"))
}

/// A resource that an API server has made at a moment.
pub fn made(resource: Resource, at: &str) -> Resource {
    let mut value = resource.to_value().unwrap();
    value["metadata"]["creationTimestamp"] = json!(at);
    Resource::from_value(resource.kind(), value).unwrap()
}

fn other(catalog: &mut Catalog, file: &str, number: u32, line: &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "Secret" => {
            let (name, data) = rest.split_once(' ').unwrap();
            let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
            let data: BTreeMap<String, String> = serde_yaml::from_str(data).unwrap();
            for (key, value) in data {
                let fingerprint = mailwright_plan::fingerprint(&KEY, value.as_bytes());
                let state = match value.as_str() {
                    "" => SecretState::Unusable { why: "it is empty".to_owned() },
                    _ => SecretState::Present { fingerprint },
                };
                catalog.set_secret(SecretId::new(namespace, name, key), state);
            }
        }
        "Namespace" => {
            let (name, labels) = rest.split_once(' ').unwrap();
            catalog.set_namespace(name, Some(serde_yaml::from_str(labels).unwrap()));
        }
        "wrong" => {
            let (kind, name) = rest.split_once(' ').unwrap();
            let origin = Origin::new(file, number);
            let object = object(kind, name);
            catalog.set_broken_object(object.clone(), origin.clone());
            catalog.add_problem(invalid(origin, Some(object)));
        }
        "broken" => {
            catalog.set_broken_file(file, Some(rest.to_owned()));
            catalog.add_problem(invalid(Origin::new(file, number), None));
        }
        "unreadable" => {
            catalog.set_broken_file(file, None);
            catalog.add_problem(invalid(Origin::new(file, 0), None));
        }
        _ => {}
    }
}

fn invalid(origin: Origin, object: Option<ObjectRef>) -> Problem {
    Problem {
        origin: Some(origin),
        object,
        field: String::new(),
        code: ProblemCode::Invalid,
        severity: Severity::Error,
        message: "cannot be understood".to_owned(),
        remedy: None,
    }
}

/// Names an object: `object("Mailbox", "alice")`.
pub fn object(kind: &str, name: &str) -> ObjectRef {
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    ObjectRef { kind: kind.parse().unwrap(), namespace: namespace.into(), name: name.into() }
}

/// A plan in one line for each operation: `create alice@example.test`, `disable bob@example.test held`.
pub fn brief(plan: &Plan) -> Vec<String> {
    let line = |operation: &mailwright_plan::Operation| {
        let action = serde_json::to_value(operation.action).unwrap();
        let held = if operation.held.is_some() { " held" } else { "" };
        format!("{} {}{held}", action.as_str().unwrap(), operation.subject)
    };
    plan.operations.iter().map(line).collect()
}

/// The codes and places of problems: `mail.yaml:3 spec.address Duplicate`.
pub fn codes(plan: &Plan) -> Vec<String> {
    let line = |problem: &Problem| {
        let place = problem.origin.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{place} {} {:?}", problem.field, problem.code).replace("  ", " ")
    };
    plan.problems.iter().map(line).collect()
}

/// A server, a domain with an alias domain, another domain, a parked one, and two people.
pub const BASE: &str = "# base.yaml\n\
    MailServer main {hostname: mail.example.test}\n\
    MailDomain one {allowedMailboxes: {from: All}, serverRef: {name: main}, domain: one.test, aliases: [eins.test]}\n\
    MailDomain two {allowedMailboxes: {from: All}, serverRef: {name: main}, domain: two.test}\n\
    MailDomain parked {serverRef: {name: main}, domain: parked.test, parked: true}\n\
    Mailbox alice {address: alice@one.test}\n\
    Mailbox bob {address: bob@one.test}\n\
    Alias postmaster {address: postmaster@one.test, targets: [alice@one.test]}\n\
    Alias postmaster2 {address: postmaster@two.test, targets: [alice@one.test]}\n";

/// The base with further lines in `more.yaml`.
pub fn with(lines: &str) -> String {
    format!("{BASE}# more.yaml\n{lines}\n")
}

/// The base with one text in place of another.
pub fn instead(from: &str, to: &str) -> String {
    assert!(BASE.contains(from), "{from}");
    BASE.replace(from, to)
}

/// What runs after a repository was applied, whatever guards say.
pub fn running(text: &str) -> Observed {
    after(&Observed::default(), text, "git", start())
}

/// What runs after a repository was applied to something, whatever guards say.
pub fn after(observed: &Observed, text: &str, source: &str, now: DateTime<Utc>) -> Observed {
    let catalog = catalog(text);
    let mut settings = settings(source, now);
    settings.guards.approved = vec![plan(&catalog, observed, &settings).digest];
    simulate::apply(observed, &plan(&catalog, observed, &settings), now)
}
