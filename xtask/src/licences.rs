//! Every dependency has a permissive licence: an explicit allow list, over the graph that is shipped.
//!
//! Native code that a crate brings along has a licence of its own, which cargo does not know; [`BUNDLED`] names it.

mod expression;

use crate::workspace::{self, Finding, Graph};
use anyhow::Result;
use std::collections::BTreeMap;

/// Licences that ask for no more than their notice. `Unicode-3.0` and `CDLA-Permissive-2.0` cover data tables.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that link native code: what they bring along and its licence.
const BUNDLED: &[(&str, &str)] = &[
    ("aws-lc-sys", "AWS-LC: ISC and Apache-2.0"),
    ("libgit2-sys", "libgit2: GPL-2.0 with an exception that allows linking into programs of any licence"),
    ("libsqlite3-sys", "SQLite: public domain"),
    ("libz-sys", "zlib: Zlib"),
    ("zstd-sys", "zstd: BSD-3-Clause (or GPL-2.0)"),
    ("tikv-jemalloc-sys", "jemalloc: BSD-2-Clause"),
];

/// Prints the licences in use; `Ok(false)` when one is not allowed.
pub fn run() -> Result<bool> {
    let graph = workspace::graph()?;
    let findings = check(&graph);
    for finding in &findings {
        println!("  {finding}");
    }
    if findings.is_empty() {
        for (licence, count) in count(&graph) {
            println!("{count:>5}  {licence}");
        }
        for (name, what) in BUNDLED {
            println!("       {name} brings {what}");
        }
    }
    Ok(findings.is_empty())
}

fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in graph.values() {
        let name = format!("{} {}", package.name, package.version);
        match package.licence.as_deref() {
            None => findings.push(Finding::new(&name, "states no licence")),
            Some(licence) => match expression::allows(licence, ALLOWED) {
                Ok(true) => {}
                Ok(false) => {
                    findings.push(Finding::new(&name, format!("{licence} is not on the allow list")))
                }
                Err(error) => findings.push(Finding::new(&name, format!("{licence:?}: {error}"))),
            },
        }
        let native = package.links.is_some() && package.name.ends_with("-sys");
        if native && !BUNDLED.iter().any(|(known, _)| *known == package.name) {
            let message = "links native code: name what it brings and its licence in xtask/src/licences.rs";
            findings.push(Finding::new(&name, message));
        }
    }
    findings
}

fn count(graph: &Graph) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for package in graph.values().filter(|package| !package.member) {
        *counts.entry(package.licence.as_deref().unwrap_or("none")).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Package;

    fn finds(name: &str, licence: Option<&str>, links: Option<&str>, expected: &[&str]) {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let package = Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: owned(licence),
            links: owned(links),
            ..Package::default()
        };
        let found: Vec<_> =
            check(&Graph::from([(name.to_owned(), package)])).iter().map(Finding::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn permissive_choices_pass() {
        finds("a", Some("Apache-2.0 OR MIT"), None, &[]);
        finds("a", Some("LGPL-2.1-only OR MIT"), None, &[]);
        finds("zstd-sys", Some("MIT"), Some("zstd"), &[]);
    }

    #[test]
    fn copyleft_unknown_and_missing_licences_are_named() {
        finds("a", Some("AGPL-3.0-only"), None, &["a 1.0.0: AGPL-3.0-only is not on the allow list"]);
        finds("a", Some("MPL-2.0 AND MIT"), None, &["a 1.0.0: MPL-2.0 AND MIT is not on the allow list"]);
        finds("a", None, None, &["a 1.0.0: states no licence"]);
        finds("a", Some("MIT OR"), None, &["a 1.0.0: \"MIT OR\": ends where a licence is expected"]);
    }

    #[test]
    fn native_code_must_be_named() {
        let message =
            "x-sys 1.0.0: links native code: name what it brings and its licence in xtask/src/licences.rs";
        finds("x-sys", Some("MIT"), Some("x"), &[message]);
    }
}
