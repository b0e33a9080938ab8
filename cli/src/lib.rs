//! The executable `mailwright`: reads the command line, sets up logging, runs the subcommand, maps its end to an exit code.
//! Owns no protocol and no decision; it joins the operator, the planner and the server.

mod args;
pub mod cluster;
mod command;
pub mod connect;
mod files;
mod following;
pub mod import;
mod logging;
mod report;
mod terminal;

use std::process::ExitCode;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match args::parse(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            // Not clap's 2: that is "there are changes" here.
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    logging::start(&arguments.global);
    match command::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            terminal::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
