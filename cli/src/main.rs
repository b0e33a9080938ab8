//! The one executable: reads the command line, sets up logging, runs the subcommand, maps its end to an exit code.

mod args;
mod command;
mod connect;
mod logging;
mod report;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
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
