//! `mailwright diff`: what changes for mail between two revisions of a repository, without any database.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use mailwright_operator::source::{Options, Reference, Snapshot, Source};

use crate::args::Diff;
use crate::command::source::{blocking, decryption};
use crate::report;

/// Plans the later revision against the earlier one and prints.
pub async fn run(options: Diff) -> Result<ExitCode> {
    let settings = Options {
        reference: Reference::Named(options.to.clone()),
        path: options.path.clone(),
        decryption: decryption(&options.keys)?,
        ..Options::default()
    };
    let source = Source::open(&options.repository, settings)?;
    let (source, before) = revision(source, options.from.clone()).await?;
    let (_, after) = revision(source, options.to.clone()).await?;
    let plan = mailwright_operator::diff::diff(&before, &after, chrono::Utc::now());
    report::plan(&plan, options.output)?;
    Ok(report::exit_code(&plan))
}

async fn revision(source: Source, name: String) -> Result<(Source, Snapshot)> {
    let asked = name.clone();
    let (source, snapshot) = blocking(source, move |source| source.load_revision(&asked)).await;
    Ok((source, snapshot.with_context(|| format!("cannot read revision {name}"))?))
}
