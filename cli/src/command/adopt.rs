//! `mailwright adopt`: the token of a source, for whoever may read this installation's keys.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mailwright_operator::platform::Platform as _;
use mailwright_operator::platform::local::Local;

use crate::args::Adopt;
use crate::terminal;

/// Prints it alone, so that it can be handed on.
pub fn run(data: &Path, options: &Adopt) -> Result<ExitCode> {
    let key = Local::at(data).fingerprint_key()?;
    terminal::print(&format!("{}\n", mailwright_plan::adopt::token(&key, &options.source)));
    Ok(ExitCode::SUCCESS)
}
