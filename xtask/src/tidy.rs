//! The rules of the house as code: one check per file, every finding printed, not the first one only.
//!
//! Leaves out what rustfmt, clippy and rustdoc check already, and licences, which have a task of their own.

mod charts;
mod generated;
mod headers;
mod packages;
mod paths;
mod rfc;
mod size;

use crate::workspace::{self, Finding, Source};
use anyhow::Result;

/// Runs every check; `Ok(false)` when one of them found something.
pub fn run() -> Result<bool> {
    let sources = workspace::sources()?;
    let graph = workspace::graph()?;
    let checks = [
        ("packages", packages::check(&graph)),
        ("headers", headers::check(&sources)),
        ("rfc index", rfc::check(&sources)),
        ("charts", charts::check(&sources)),
        ("generated files", generated::check()?),
        ("sizes", size::check(&sources)),
        ("paths", paths::check(&sources)),
    ];
    let mut clean = true;
    for (name, findings) in checks {
        clean &= findings.is_empty();
        report(name, &findings);
    }
    Ok(clean)
}

fn report(name: &str, findings: &[Finding]) {
    match findings.len() {
        0 => println!("ok       {name}"),
        count => println!("{count:<8} {name}"),
    }
    for finding in findings {
        println!("  {finding}");
    }
}

/// Files in Rust.
fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.path.ends_with(".rs"))
}
