//! The tables of docs/performance.md and docs/scale.md, between two markers; what stands around it is written by people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Row, aim, factor, number};
use crate::args::Compare;

const BEGIN: &str = "<!-- figures -->";
const END: &str = "<!-- end of figures -->";

pub(super) fn write(
    file: &Path,
    rows: &[Row],
    versions: &BTreeMap<&'static str, String>,
    options: &Compare,
) -> Result<()> {
    put(file, &table(rows, versions, options))
}

/// Puts a table between the markers of a file.
pub fn put(file: &Path, table: &str) -> Result<()> {
    let page = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let page = replace(&page, table).with_context(|| format!("{} has no {BEGIN} … {END}", file.display()))?;
    std::fs::write(file, page).with_context(|| file.display().to_string())
}

fn table(rows: &[Row], versions: &BTreeMap<&'static str, String>, options: &Compare) -> String {
    let mut text = String::new();
    for version in versions.values() {
        let _ = writeln!(text, "- {version}");
    }
    let transport = if options.tls { "over TLS" } else { "in clear on loopback" };
    let _ = writeln!(text, "- {} cores; medians of {} runs; IMAP {transport}\n", cores(), options.runs);
    text.push_str(
        "| figure | Mailwright | Postfix + Dovecot | better by | aim | |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let verdict = match row.reached() {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "",
        };
        let _ = writeln!(
            text,
            "| {}, {} | {} | {} | {} | {} | {verdict} |",
            row.spec.title,
            row.spec.unit,
            number(row.ours),
            row.peer.map(number).unwrap_or_default(),
            row.factor().map(factor).unwrap_or_default(),
            row.spec.aim.map(aim).unwrap_or_default(),
        );
    }
    text
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The page with another text between the markers.
fn replace(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_changes() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(replace(&page, "new\n").unwrap(), format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(replace("no markers", "new"), None);
    }
}
