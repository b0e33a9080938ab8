//! `mailwright export`: the running state as manifests that `mailwright up` would read back.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mailwright_operator::accounts::Accounts as _;

use crate::args::Export;
use crate::connect::Connection;
use crate::terminal;

/// Prints the manifests. Password hashes stay in the database: manifests carry none, and applying them changes none.
pub async fn run(data: &Path, _options: Export) -> Result<ExitCode> {
    let observed = Connection::open(data).await?.observe().await?;
    terminal::print(&mailwright_plan::export::manifests(&observed));
    Ok(ExitCode::SUCCESS)
}
