//! The figures: names, what is aimed at, the table for people, JSON, and the table of docs/scale.md.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::args::Scale;
use crate::report::{markdown, number};

/// One figure.
struct Spec {
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    /// The most that is aimed at.
    aim: Option<f64>,
}

const fn plain(name: &'static str, title: &'static str, unit: &'static str) -> Spec {
    Spec { name, title, unit, aim: None }
}

const fn aimed(name: &'static str, title: &'static str, unit: &'static str, aim: f64) -> Spec {
    Spec { name, title, unit, aim: Some(aim) }
}

/// All figures in the order of the table.
const FIGURES: &[Spec] = &[
    plain("first.creating", "creating all objects", "s"),
    plain("first.ready", "all of them Ready, from the first one created", "s"),
    aimed("first.writes", "writes of the operator per object, events among them", "writes", 3.0),
    plain("first.events", "events among them, all objects together", "events"),
    plain("operator.empty", "operator, memory with no Mailbox", "MiB"),
    aimed("operator.most", "operator, most memory during the first sync", "MiB", 150.0),
    aimed("operator.settled", "operator, memory after it", "MiB", 150.0),
    plain("operator.cpu", "operator, processor time of the first sync", "s"),
    plain("api.before", "API server, memory with the definitions and no Mailbox", "MiB"),
    plain("api.most", "API server, most memory during the first sync", "MiB"),
    plain("api.settled", "API server, memory after it", "MiB"),
    plain("api.cpu", "API server, processor time of creating and the first sync", "s"),
    plain("etcd.settled", "etcd, memory after it", "MiB"),
    plain("etcd.database", "etcd, database at the end, not compacted", "MiB"),
    plain("server.settled", "mail server, memory after it", "MiB"),
    aimed("idle.writes", "idle: writes of the operator per object, without its Lease", "writes", 0.0),
    plain("idle.lease", "idle: writes of its Lease, all together", "writes"),
    plain("idle.cpu", "idle: processor of the operator", "% of a core"),
    plain("idle.api", "idle: processor of the API server", "% of a core"),
    plain("restart.synced", "operator started again: everything listed and compared", "s"),
    aimed("restart.writes", "the same, writes per object, without its Lease", "writes", 0.0),
    aimed("restart.most", "the same, most memory", "MiB", 150.0),
    plain("restart.settled", "the same, memory after it", "MiB"),
    aimed("live.quota", "a quota changed: an open IMAP session is told, median", "ms", 1000.0),
    plain("live.quota.worst", "the same, slowest", "ms"),
    aimed("live.password", "a Secret changed: its password counts, median", "ms", 1000.0),
    plain("live.password.worst", "the same, slowest", "ms"),
    aimed("live.new", "a Mailbox created: it takes mail, median", "ms", 1000.0),
    plain("live.new.worst", "the same, slowest", "ms"),
];

/// What was measured.
#[derive(Debug, Default)]
pub struct Figures(Vec<(&'static str, f64)>);

impl Figures {
    /// Adds one and says it.
    pub fn add(&mut self, name: &'static str, value: f64) {
        eprintln!("{name:<22} {:>12}", number(value));
        self.0.push((name, value));
    }

    /// Prints the table and writes the files that were asked for.
    pub fn finish(&self, options: &Scale, versions: &[String]) -> Result<()> {
        let table = self.table(options, versions);
        println!("{table}");
        if let Some(file) = &options.markdown {
            markdown::put(file, &table)?;
        }
        if let Some(file) = &options.json {
            let figures =
                json!({"versions": versions, "mailboxes": options.mailboxes, "figures": self.json()});
            std::fs::write(file, format!("{figures:#}\n")).with_context(|| file.display().to_string())?;
        }
        Ok(())
    }

    fn rows(&self) -> impl Iterator<Item = (&'static Spec, f64)> + '_ {
        let value = |spec: &Spec| self.0.iter().find(|(name, _)| *name == spec.name).map(|(_, value)| *value);
        FIGURES.iter().filter_map(move |spec| Some((spec, value(spec)?)))
    }

    fn json(&self) -> Vec<Value> {
        let row = |(spec, value): (&Spec, f64)| {
            json!({
                "name": spec.name, "title": spec.title, "unit": spec.unit, "value": value, "aim": spec.aim,
                "reached": spec.aim.map(|aim| value <= aim),
            })
        };
        self.rows().map(row).collect()
    }

    fn table(&self, options: &Scale, versions: &[String]) -> String {
        let mut text = String::new();
        for version in versions {
            let _ = writeln!(text, "- {version}");
        }
        let Scale { mailboxes, domains, idle, changes, .. } = options;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let _ = writeln!(text, "- {cores} cores, shared by everything that is measured and the bench itself");
        let _ = writeln!(
            text,
            "- {mailboxes} Mailboxes in {domains} domains; idle window {idle} s; live figures of {changes} changes\n"
        );
        text.push_str("| figure | | aim | |\n|---|---|---|---|\n");
        for (spec, value) in self.rows() {
            let aim = spec.aim.map(|aim| format!("≤ {aim}")).unwrap_or_default();
            let verdict = match spec.aim.map(|aim| value <= aim) {
                Some(true) => "reached",
                Some(false) => "**missed**",
                None => "",
            };
            let _ =
                writeln!(text, "| {}, {} | {} | {aim} | {verdict} |", spec.title, spec.unit, number(value));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = FIGURES.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), FIGURES.len());
    }

    #[test]
    fn the_table_says_what_was_taken_and_judges_aims() {
        let options = Scale {
            mailboxes: 20,
            domains: 2,
            creators: 1,
            idle: 3,
            changes: 1,
            json: None,
            markdown: None::<PathBuf>,
        };
        let mut figures = Figures::default();
        for (name, value) in [("first.writes", 1.0), ("operator.most", 151.0), ("idle.lease", 7.0)] {
            figures.add(name, value);
        }
        let table = figures.table(&options, &["mailwright 0.1.0".to_owned()]);
        for line in [
            "- mailwright 0.1.0",
            "- 20 Mailboxes in 2 domains; idle window 3 s; live figures of 1 changes",
            "| writes of the operator per object, events among them, writes | 1.00 | ≤ 3 | reached |",
            "| operator, most memory during the first sync, MiB | 151 | ≤ 150 | **missed** |",
            "| idle: writes of its Lease, all together, writes | 7.00 |  |  |",
        ] {
            assert!(table.lines().any(|it| it == line), "{line}\n{table}");
        }
        assert_eq!(figures.json().len(), 3);
    }
}
