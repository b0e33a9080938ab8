//! `mailwright export`: the running state as manifests that `mailwright up` would read back.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mailwright_operator::accounts::Accounts as _;
use mailwright_plan::export::{self, Split};

use crate::args::{Export, SplitBy};
use crate::connect::Connection;
use crate::{files, terminal};

/// Prints the manifests, or writes them. Password hashes stay in the database: manifests carry none, and applying them changes none.
pub async fn run(data: &Path, options: Export) -> Result<ExitCode> {
    let observed = Connection::open(data).await?.observe().await?;
    let Some(into) = options.into else {
        terminal::print(&export::manifests(&observed));
        return Ok(ExitCode::SUCCESS);
    };
    let split = match options.split {
        SplitBy::Origin => Split::Origin,
        SplitBy::Domain => Split::Domain,
        SplitBy::Object => Split::Object,
    };
    let written = export::files(&observed, split);
    files::write(&into, &written)?;
    terminal::print(&export::removed(&observed));
    terminal::print(&format!("{} files below {}\n", written.len(), into.display()));
    Ok(ExitCode::SUCCESS)
}
