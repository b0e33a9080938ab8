//! `kubectl mailwright status`: the mail servers, what they serve, and everything that is not Ready.

use std::process::ExitCode;

use anyhow::Result;
use mailwright_crds::Kind;
use serde_json::Value;

use super::objects::{Reader, condition, full_name, of_kind, text};
use crate::args::kubectl::Status;
use crate::terminal;

/// So many problems are shown; the rest is counted.
const SHOWN: usize = 40;
/// Columns of a message; `why` tells all of it.
const LONGEST_MESSAGE: usize = 100;

/// Reads and prints.
pub async fn run(reader: &Reader, namespace: &str, options: &Status) -> Result<ExitCode> {
    let namespace = (!options.all_namespaces).then_some(namespace);
    let mut objects = Vec::new();
    for kind in Kind::ALL {
        objects.push((kind, reader.list(of_kind(kind), namespace, "").await?));
    }
    let (overview, well) = overview(&objects);
    if objects.iter().all(|(_, objects)| objects.is_empty()) {
        let place =
            namespace.map_or("the cluster".to_owned(), |namespace| format!("the namespace {namespace}"));
        eprintln!("there is no mail in {place}; try another namespace with -n, or all with -A");
    }
    terminal::print(&overview);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The text, and whether everything is Ready.
fn overview(objects: &[(Kind, Vec<Value>)]) -> (String, bool) {
    let of =
        |kind: Kind| objects.iter().find(|(other, _)| *other == kind).map_or(&[][..], |(_, objects)| objects);
    let mut parts = Vec::new();
    let servers: Vec<[String; 5]> = of(Kind::MailServer).iter().map(server).collect();
    if !servers.is_empty() {
        let header = ["MAILSERVER", "HOSTNAME", "READY", "REASON", "ADDRESSES"].map(String::from);
        parts.push(terminal::plain_table(&header, &servers));
    }
    let domains: Vec<[String; 5]> = of(Kind::MailDomain).iter().map(domain).collect();
    if !domains.is_empty() {
        let header = ["MAILDOMAIN", "DOMAIN", "READY", "MAILBOXES", "ALIASES"].map(String::from);
        parts.push(terminal::plain_table(&header, &domains));
    }
    let problems: Vec<[String; 3]> = objects
        .iter()
        .flat_map(|(kind, objects)| objects.iter().filter_map(|object| problem(*kind, object)))
        .collect();
    let total: usize = objects.iter().map(|(_, objects)| objects.len()).sum();
    if !problems.is_empty() {
        let header = ["NOT READY", "REASON", "MESSAGE"].map(String::from);
        let shown = &problems[..problems.len().min(SHOWN)];
        let more = match problems.len() - shown.len() {
            0 => String::new(),
            more => format!("and {more} more\n"),
        };
        let example = problems.first().map_or("", |problem| problem[0].as_str());
        let (kind, name) = example.split_once(' ').unwrap_or_default();
        let (namespace, name) = name.split_once('/').unwrap_or_default();
        parts.push(format!(
            "{}{more}\nWhat to do about one: kubectl mailwright -n {namespace} why {kind}/{name}\n",
            terminal::plain_table(&header, shown)
        ));
    } else if total > 0 {
        parts.push(format!("All {total} resources are Ready.\n"));
    }
    (parts.join("\n"), problems.is_empty())
}

fn server(object: &Value) -> [String; 5] {
    let (ready, reason, _) = ready(object);
    let addresses: Vec<&str> = object["status"]["addresses"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|address| address.as_str().or_else(|| address["value"].as_str()))
        .collect();
    let addresses = if addresses.is_empty() { "-".to_owned() } else { addresses.join(",") };
    [
        full_name(object),
        text(object, "/spec/hostname").to_owned(),
        ready.to_owned(),
        reason.to_owned(),
        addresses,
    ]
}

fn domain(object: &Value) -> [String; 5] {
    let count =
        |field: &str| object["status"][field].as_i64().map_or("-".to_owned(), |count| count.to_string());
    let (ready, ..) = ready(object);
    [
        full_name(object),
        text(object, "/spec/domain").to_owned(),
        ready.to_owned(),
        count("mailboxes"),
        count("aliases"),
    ]
}

/// What is not Ready, and why; a mailbox that was switched off on purpose is fine.
fn problem(kind: Kind, object: &Value) -> Option<[String; 3]> {
    let (status, reason, message) = ready(object);
    if status == "True" || reason == "Disabled" || reason == "Suspended" {
        return None;
    }
    let mut message = message.replace('\n', " ");
    if message.chars().count() > LONGEST_MESSAGE {
        message = message.chars().take(LONGEST_MESSAGE - 1).chain(['…']).collect();
    }
    Some([format!("{} {}", kind.singular(), full_name(object)), reason.to_owned(), message])
}

/// The condition Ready, as it counts for this generation of the object.
pub fn ready(object: &Value) -> (&str, &str, &str) {
    let Some(found) = condition(object, "Ready") else {
        return (
            "Unknown",
            "NotObserved",
            "no operator has looked at it yet; does one run, and does it watch this namespace?",
        );
    };
    let observed = object["status"]["observedGeneration"].as_i64();
    match (observed, object["metadata"]["generation"].as_i64()) {
        (Some(observed), Some(generation)) if observed < generation => {
            ("Unknown", "Reconciling", "the operator has not looked at the last change yet")
        }
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(namespace: &str, name: &str, spec: Value, ready: &str, reason: &str, message: &str) -> Value {
        json!({
            "metadata": {"namespace": namespace, "name": name, "generation": 1},
            "spec": spec,
            "status": {
                "observedGeneration": 1,
                "addresses": ["192.0.2.1"],
                "mailboxes": 2,
                "aliases": 1,
                "conditions": [{"type": "Ready", "status": ready, "reason": reason, "message": message}],
            },
        })
    }

    #[test]
    fn what_is_ready_is_a_table_and_a_sentence() {
        let server = object(
            "mail",
            "main",
            json!({"hostname": "mx.example.test"}),
            "True",
            "Reconciled",
            "all is well",
        );
        let domain = object("mail", "example", json!({"domain": "example.test"}), "True", "Reconciled", "");
        let mailbox = object("mail", "old", json!({}), "False", "Disabled", "it is disabled");
        let (text, well) = overview(&[
            (Kind::MailServer, vec![server]),
            (Kind::MailDomain, vec![domain]),
            (Kind::Mailbox, vec![mailbox]),
        ]);
        assert!(well);
        assert_eq!(
            text,
            "MAILSERVER   HOSTNAME          READY   REASON       ADDRESSES\n\
             mail/main    mx.example.test   True    Reconciled   192.0.2.1\n\
             \n\
             MAILDOMAIN     DOMAIN         READY   MAILBOXES   ALIASES\n\
             mail/example   example.test   True    2           1\n\
             \n\
             All 3 resources are Ready.\n"
        );
    }

    #[test]
    fn what_is_not_ready_is_listed_with_the_next_command() {
        let alice =
            object("mail", "alice", json!({}), "False", "DomainNotFound", "there is no\nexample.test");
        let (text, well) = overview(&[(Kind::Mailbox, vec![alice])]);
        assert!(!well);
        assert_eq!(
            text,
            "NOT READY            REASON           MESSAGE\n\
             mailbox mail/alice   DomainNotFound   there is no example.test\n\
             \n\
             What to do about one: kubectl mailwright -n mail why mailbox/alice\n"
        );
    }

    #[test]
    fn many_problems_are_counted() {
        let broken =
            |n: usize| object("mail", &format!("m{n}"), json!({}), "False", "Invalid", &"x".repeat(200));
        let (text, _) = overview(&[(Kind::Mailbox, (0..SHOWN + 3).map(broken).collect())]);
        assert!(text.contains("\nand 3 more\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 140), "{text}");
    }

    #[test]
    fn an_old_condition_does_not_speak_of_a_new_generation() {
        let mut changed = object("mail", "alice", json!({}), "True", "Reconciled", "");
        changed["metadata"]["generation"] = json!(2);
        assert_eq!(ready(&changed).1, "Reconciling");
        assert_eq!(ready(&json!({"metadata": {}})).1, "NotObserved");
    }
}
