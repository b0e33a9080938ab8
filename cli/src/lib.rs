//! The executable `mailwright`: reads the command line, sets up logging, runs the subcommand, maps its end to an exit code.
//! Owns no protocol and no decision; it joins the operator, the planner and the server.

mod args;
mod command;
pub mod connect;
mod logging;
mod report;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    logging::start(&arguments.global);
    match command::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            terminal::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
