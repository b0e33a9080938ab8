//! `mailwright describe`: one resource in full, with its conditions as a table.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use mailwright_crds::{Kind, Timestamp};
use mailwright_operator::accounts::Record;
use serde_json::Value;

use crate::args::Describe;
use crate::connect::Connection;
use crate::terminal;

/// Prints the resource.
pub async fn run(data: &Path, options: Describe) -> Result<ExitCode> {
    let kind: Kind = options.kind.parse().context("cannot describe that")?;
    let records = Connection::open(data).await?.all_records().await?;
    let found = records.into_iter().find(|record| {
        let object = &record.object;
        object.kind == kind && object.name == options.name && object.namespace == options.namespace
    });
    let Some(record) = found else {
        bail!(
            "there is no {kind} {}/{}; `mailwright get {}` lists them",
            options.namespace,
            options.name,
            kind.plural()
        );
    };
    terminal::print(&text(&record)?);
    Ok(ExitCode::SUCCESS)
}

fn text(record: &Record) -> Result<String> {
    let mut out = String::new();
    let line = |label: &str, value: &str| format!("{:<13}{value}\n", format!("{label}:"));
    out += &line("Name", &record.object.name);
    out += &line("Namespace", &record.object.namespace);
    out += &line("Kind", record.object.kind.as_str());
    out += &line("Generation", &record.generation.to_string());
    out += &line("Created", &Timestamp::from(record.created).to_string());
    out += "Spec:\n";
    out += &indented(&record.spec)?;
    let mut status = record.status.clone();
    let conditions = status.as_object_mut().and_then(|status| status.remove("conditions"));
    out += "Status:\n";
    out += &indented(&status)?;
    out += &conditions_table(conditions.as_ref());
    Ok(out)
}

fn indented(value: &Value) -> Result<String> {
    let yaml = serde_yaml::to_string(value).context("cannot write YAML")?;
    Ok(yaml.lines().map(|line| format!("  {line}\n")).collect())
}

fn conditions_table(conditions: Option<&Value>) -> String {
    let Some(Value::Array(conditions)) = conditions else { return String::new() };
    let field = |condition: &Value, name: &str| condition[name].as_str().unwrap_or_default().to_owned();
    let header = ["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"].map(String::from);
    let names = ["type", "status", "reason", "lastTransitionTime", "message"];
    let rows: Vec<Vec<String>> = conditions
        .iter()
        .map(|condition| names.iter().map(|name| field(condition, name)).collect())
        .collect();
    let table = terminal::plain_table(&header, &rows);
    format!(
        "{}\n{}",
        terminal::bold("Conditions:"),
        table.lines().map(|line| format!("  {line}\n")).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use mailwright_crds::ObjectRef;
    use serde_json::json;

    use super::*;
    use crate::command::get;

    fn record() -> Record {
        Record {
            object: ObjectRef { kind: Kind::Mailbox, namespace: "default".into(), name: "alice".into() },
            generation: 3,
            created: chrono::DateTime::UNIX_EPOCH,
            spec: json!({ "address": "alice@example.test" }),
            status: json!({
                "accountID": 7,
                "conditions": [{
                    "type": "Ready", "status": "False", "reason": "SecretNotFound",
                    "message": "Secret alice is missing", "lastTransitionTime": "2026-11-20T12:00:00Z",
                }],
            }),
        }
    }

    #[test]
    fn conditions_are_a_table_of_their_own() {
        let text = text(&record()).unwrap();
        assert!(text.contains("Name:        alice\n"), "{text}");
        assert!(text.contains("  address: alice@example.test\n"), "{text}");
        assert!(text.contains("  accountID: 7\n"), "{text}");
        assert!(text.contains("Ready   False    SecretNotFound"), "{text}");
        assert_eq!(text.matches("SecretNotFound").count(), 1);
    }

    #[test]
    fn an_object_looks_like_the_api_server_s() {
        let object = get::object(&record());
        assert_eq!(object["kind"], "Mailbox");
        assert_eq!(object["metadata"]["generation"], 3);
        assert_eq!(object["spec"]["address"], "alice@example.test");
    }
}
