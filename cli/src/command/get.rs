//! `mailwright get`: resources as kubectl would list them, or as YAML and JSON.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use mailwright_crds::{API_VERSION, Kind, Timestamp, columns};
use mailwright_operator::accounts::{Accounts as _, Record};
use mailwright_plan::Observed;
use serde_json::{Value, json};

use crate::args::{Get, GetFormat};
use crate::connect::Connection;
use crate::terminal;

/// Lists what was asked for.
pub async fn run(data: &Path, options: Get) -> Result<ExitCode> {
    if options.kind.eq_ignore_ascii_case("removed") {
        return removed(&Connection::open(data).await?.observe().await?);
    }
    let kinds = kinds(&options.kind)?;
    let records = Connection::open(data).await?.all_records().await?;
    let chosen: Vec<Record> =
        records.into_iter().filter(|record| is_wanted(record, &kinds, &options)).collect();
    if let Some(missing) =
        options.names.iter().find(|name| chosen.iter().all(|record| record.object.name != **name))
    {
        bail!("there is no {} named {missing}; `mailwright get {}` lists them", options.kind, options.kind);
    }
    match options.output {
        Some(GetFormat::Yaml) => terminal::print(&yaml(&chosen)?),
        Some(GetFormat::Json) => {
            terminal::print(&format!("{}\n", serde_json::to_string_pretty(&list(&chosen))?))
        }
        Some(GetFormat::Name) => {
            for record in &chosen {
                terminal::print(&format!("{}/{}\n", record.object.kind.singular(), record.object.name));
            }
        }
        Some(GetFormat::Wide) => terminal::print(&tables(&kinds, &chosen, true)),
        None => terminal::print(&tables(&kinds, &chosen, false)),
    }
    if chosen.is_empty() {
        eprintln!("no resources found");
    }
    Ok(ExitCode::SUCCESS)
}

/// Mailboxes that nothing declares any more: their mail waits for a declaration, or for `mailwright purge`.
fn removed(observed: &Observed) -> Result<ExitCode> {
    let day = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M").to_string();
    let rows: Vec<Vec<String>> = observed
        .mailboxes
        .iter()
        .filter_map(|mailbox| {
            let removed = mailbox.removed_at?;
            let until = mailbox.retain_until().map(day).unwrap_or_default();
            let octets = mailbox.used_bytes.to_string();
            Some(vec![mailbox.declared.address.clone(), day(removed), until, octets])
        })
        .collect();
    if rows.is_empty() {
        eprintln!("no removed mailboxes");
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["ADDRESS", "REMOVED", "KEPT UNTIL", "OCTETS"].map(String::from);
    terminal::print(&terminal::plain_table(&header, &rows));
    Ok(ExitCode::SUCCESS)
}

/// The object as the API server would show it.
pub fn object(record: &Record) -> Value {
    let metadata = json!({
        "name": record.object.name,
        "namespace": record.object.namespace,
        "generation": record.generation,
        "creationTimestamp": Timestamp::from(record.created),
    });
    json!({
        "apiVersion": API_VERSION,
        "kind": record.object.kind.to_string(),
        "metadata": metadata,
        "spec": record.spec,
        "status": record.status,
    })
}

fn kinds(text: &str) -> Result<Vec<Kind>> {
    if text.eq_ignore_ascii_case("all") || text.eq_ignore_ascii_case("mail") {
        return Ok(Kind::ALL.to_vec());
    }
    text.split(',').map(|word| word.parse().with_context(|| format!("cannot get {word}"))).collect()
}

fn is_wanted(record: &Record, kinds: &[Kind], options: &Get) -> bool {
    let object = &record.object;
    kinds.contains(&object.kind)
        && (options.names.is_empty() || options.names.iter().any(|name| *name == object.name))
        && options.namespace.as_ref().is_none_or(|namespace| *namespace == object.namespace)
}

fn list(records: &[Record]) -> Value {
    match records {
        [one] => object(one),
        many => {
            json!({ "apiVersion": "v1", "kind": "List", "items": many.iter().map(object).collect::<Vec<_>>() })
        }
    }
}

fn yaml(records: &[Record]) -> Result<String> {
    let documents: Result<Vec<String>, _> =
        records.iter().map(|record| serde_yaml::to_string(&object(record))).collect();
    Ok(documents.context("cannot write YAML")?.join("---\n"))
}

fn tables(kinds: &[Kind], records: &[Record], wide: bool) -> String {
    let now = chrono::Utc::now();
    let several_namespaces =
        records.windows(2).any(|pair| pair[0].object.namespace != pair[1].object.namespace);
    let mut tables = Vec::new();
    for kind in kinds {
        let of_kind: Vec<&Record> = records.iter().filter(|record| record.object.kind == *kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let mut header = columns::header(*kind, wide);
        let mut rows: Vec<Vec<String>> =
            of_kind.iter().map(|record| columns::row(*kind, &object(record), wide, now)).collect();
        if several_namespaces {
            header.insert(0, "NAMESPACE".into());
            for (row, record) in rows.iter_mut().zip(&of_kind) {
                row.insert(0, record.object.namespace.to_string());
            }
        }
        tables.push(terminal::plain_table(&header, &rows));
    }
    tables.join("\n")
}
