//! `mailwright history`: what was done to an address, a domain, or by a revision; the newest first.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mailwright_plan::Text;
use mailwright_plan::history::{Query, Record};

use crate::args::history::{Form, History};
use crate::connect::Connection;
use crate::terminal;

/// Records of one request.
const PAGE: usize = 1000;

/// Asks and prints.
pub async fn run(data: &Path, options: History) -> Result<ExitCode> {
    let connection = Connection::open(data).await?;
    let query = Query { revision: options.revision.clone(), ..of_subject(options.subject.as_deref()) };
    let records = read(&connection, query, options.limit, |_| true).await?;
    match options.output {
        Form::Json => terminal::print(&format!("{}\n", serde_json::to_string_pretty(&records)?)),
        Form::Text if records.is_empty() => eprintln!("nothing is known of that"),
        Form::Text => terminal::print(&table(&records)),
    }
    Ok(ExitCode::SUCCESS)
}

/// An address by itself; a domain with all that is in it; a server by its name.
pub fn of_subject(subject: Option<&str>) -> Query {
    let Some(subject) = subject else { return Query::default() };
    if subject.contains('@') || subject.contains('/') {
        Query { key: Some(subject.to_owned()), ..Query::default() }
    } else {
        Query { domain: Some(subject.to_owned()), ..Query::default() }
    }
}

/// Page after page, until there are enough, or one that is not wanted.
pub async fn read(
    connection: &Connection,
    mut query: Query,
    limit: usize,
    wanted: impl Fn(&Record) -> bool,
) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        query.limit = u32::try_from(limit.saturating_sub(records.len()).min(PAGE)).unwrap_or(1);
        if query.limit == 0 {
            return Ok(records);
        }
        let page = connection.history(&query).await?;
        let full = page.len() == query.limit as usize;
        query.below = page.last().map(|record| record.id);
        for record in page {
            if !wanted(&record) {
                return Ok(records);
            }
            records.push(record);
        }
        if !full {
            return Ok(records);
        }
    }
}

fn table(records: &[Record]) -> String {
    let header = ["TIME", "ACTION", "WHAT", "BY", "REVISION", "AUTHOR", "CHANGES"].map(String::from);
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            vec![
                record.at.format("%Y-%m-%d %H:%M:%S").to_string(),
                record.action.clone(),
                record.key.clone(),
                record.actor.clone(),
                record.short_revision(),
                record.signer.clone().or(record.author.clone()).unwrap_or_default(),
                changes(record),
            ]
        })
        .collect();
    terminal::plain_table(&header, &rows)
}

/// The fields that changed, in a few words.
pub fn changes(record: &Record) -> String {
    let word = |value: &Option<Text>| value.clone().unwrap_or_else(|| "(not set)".into());
    let changes = record.changes.iter().map(|change| match (&change.from, &change.to) {
        (None, to) => format!("{}: {}", change.field, word(to)),
        (from, to) => format!("{}: {} → {}", change.field, word(from), word(to)),
    });
    let changes: Vec<String> = changes.collect();
    match (&record.approved, changes.is_empty()) {
        (Some(approved), true) => approved.clone(),
        _ => changes.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_addresses_domains_and_servers() {
        for (subject, key, domain) in [
            (Some("alice@example.test"), Some("alice@example.test"), None),
            (Some("@example.test"), Some("@example.test"), None),
            (Some("mail/main"), Some("mail/main"), None),
            (Some("example.test"), None, Some("example.test")),
            (None, None, None),
        ] {
            let query = of_subject(subject);
            assert_eq!((query.key.as_deref(), query.domain.as_deref()), (key, domain), "{subject:?}");
        }
    }
}
