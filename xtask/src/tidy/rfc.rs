//! docs/rfc/index.tsv lists every RFC that the code cites, with its title, its status here and where it lives.
//!
//! Checked both ways: what is cited is listed, and what is listed as implemented is cited where the index says.

use crate::workspace::{Finding, Source};
use std::collections::BTreeMap;

const INDEX: &str = "docs/rfc/index.tsv";
const HEADER: &str = "rfc\ttitle\tstatus\twhere";
/// `yes`: what it asks is done. `partly`: a part, named in the title's row. `cited`: background or a format of another.
const STATUS: &[&str] = &["yes", "partly", "cited"];

/// Rows that are wrong and citations without a row.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let Some(index) = sources.iter().find(|source| source.path == INDEX) else {
        return vec![Finding::new(INDEX, "is missing")];
    };
    let cited = citations(sources);
    let mut findings = Vec::new();
    let mut listed = BTreeMap::new();
    let mut lines = index.text.lines().enumerate();
    if lines.next().map(|(_, line)| line) != Some(HEADER) {
        findings.push(Finding::new(format!("{INDEX}:1"), format!("must be {HEADER:?}")));
    }
    let mut last = 0;
    for (number, line) in lines {
        let place = format!("{INDEX}:{}", number + 1);
        match row(line, last, &cited) {
            Ok(rfc) => {
                last = rfc;
                listed.insert(rfc, ());
            }
            Err(message) => findings.push(Finding::new(place, message)),
        }
    }
    for (rfc, places) in &cited {
        if !listed.contains_key(rfc) {
            let place = places.first().copied().unwrap_or_default();
            findings.push(Finding::new(place, format!("cites RFC {rfc}, which {INDEX} does not list")));
        }
    }
    findings
}

/// Reads one row; it must follow `last` and point at files that cite it.
fn row(line: &str, last: u32, cited: &BTreeMap<u32, Vec<&str>>) -> Result<u32, String> {
    let fields: Vec<_> = line.split('\t').collect();
    let [rfc, title, status, places] = fields[..] else {
        return Err(format!("must have four columns separated by tabs, has {}", fields.len()));
    };
    let rfc: u32 = rfc.parse().map_err(|_| format!("{rfc:?} is not an RFC's number"))?;
    if rfc <= last {
        return Err(format!("RFC {rfc} comes after RFC {last}: keep the rows sorted, each once"));
    }
    if title.trim().is_empty() || !STATUS.contains(&status) {
        return Err(format!("RFC {rfc}: needs a title and a status out of {}", STATUS.join(", ")));
    }
    let found = cited.get(&rfc).map(Vec::as_slice).unwrap_or_default();
    for place in places.split(' ') {
        if place.is_empty() || !found.iter().any(|path| path.starts_with(place)) {
            return Err(format!("RFC {rfc}: no file under {place:?} cites it"));
        }
    }
    Ok(rfc)
}

/// RFC numbers cited in Rust, with the files that cite them in order.
fn citations(sources: &[Source]) -> BTreeMap<u32, Vec<&str>> {
    let mut cited: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for source in super::rust(sources).filter(|source| !source.path.starts_with("xtask/")) {
        for rfc in numbers(&source.text) {
            let paths = cited.entry(rfc).or_default();
            if paths.last() != Some(&source.path.as_str()) {
                paths.push(&source.path);
            }
        }
    }
    cited
}

/// `RFC 5321`, `RFC5321` and `rfc-5321`, three to five digits.
fn numbers(text: &str) -> Vec<u32> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, _) in lower.match_indices("rfc") {
        let before = lower[..at].chars().next_back();
        let rest = lower[at + 3..].trim_start_matches([' ', '-']);
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let after = rest[digits..].chars().next();
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        if (3..=5).contains(&digits) && !word(before) && !word(after) {
            found.extend(rest[..digits].parse::<u32>());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_are_read_in_every_spelling_used() {
        for (text, expected) in [
            ("RFC 5321 §4.1.1.2", vec![5321]),
            ("(RFC3030) and rfc-822", vec![3030, 822]),
            ("RFC 2033, RFC 1870.", vec![2033, 1870]),
            ("rfc5321_examples()", vec![]),
            ("xrfc5321 RFC 12 RFC 123456", vec![]),
        ] {
            assert_eq!(numbers(text), expected, "{text}");
        }
    }

    fn finds(index: &str, code: &str, expected: &[&str]) {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let sources = [source(INDEX, index), source("proto/smtp/src/lib.rs", code)];
        let found: Vec<_> = check(&sources).iter().map(Finding::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_index_that_matches_the_code_is_clean() {
        let rows = "2920\tPipelining\tyes\tproto/smtp\n5321\tSMTP\tpartly\tproto/smtp/src/lib.rs\n";
        finds(&format!("{HEADER}\n{rows}"), "//! RFC 5321 §4, RFC 2920 §3", &[]);
    }

    #[test]
    fn each_way_of_being_wrong_is_named() {
        let index = |rows: &str| format!("{HEADER}\n{rows}");
        let missing = "proto/smtp/src/lib.rs: cites RFC 5321, which docs/rfc/index.tsv does not list";
        finds(&index(""), "RFC 5321 §4", &[missing]);
        let stale = "docs/rfc/index.tsv:2: RFC 5321: no file under \"proto/imap\" cites it";
        finds(&index("5321\tSMTP\tyes\tproto/imap"), "", &[stale]);
        let unsorted = "docs/rfc/index.tsv:3: RFC 821 comes after RFC 5321: keep the rows sorted, each once";
        let rows = "5321\tSMTP\tyes\tproto/smtp\n821\tSMTP\tcited\tproto/smtp";
        let unlisted = "proto/smtp/src/lib.rs: cites RFC 821, which docs/rfc/index.tsv does not list";
        finds(&index(rows), "RFC 5321 RFC 821", &[unsorted, unlisted]);
        let status = "docs/rfc/index.tsv:2: RFC 821: needs a title and a status out of yes, partly, cited";
        finds(&index("821\tSMTP\tsoon\tproto/smtp"), "RFC 821", &[status, unlisted]);
        finds("", "", &["docs/rfc/index.tsv:1: must be \"rfc\\ttitle\\tstatus\\twhere\""]);
    }

    #[test]
    fn a_missing_index_is_one_finding() {
        assert_eq!(check(&[]), [Finding::new(INDEX, "is missing")]);
    }
}
