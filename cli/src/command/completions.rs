//! `mailwright completions`: a script for the shell, on standard output.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory as _;

use crate::args::{Arguments, Completions};

/// Prints the script.
pub fn run(options: &Completions) -> Result<ExitCode> {
    clap_complete::generate(options.shell, &mut Arguments::command(), "mailwright", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}
