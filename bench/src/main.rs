//! Load generators, and Mailwright beside Postfix and Dovecot in one run. Leaves out judging by time: what counts are
//! ratios of two servers that were measured on the same machine in the same minutes (docs/performance.md).

mod account;
mod args;
mod client;
mod compare;
mod figure;
mod load;
mod message;
mod ports;
mod process;
mod report;
mod side;
mod sink;
mod wire;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args::Command::Compare(options) = args::Arguments::parse().command;
    match compare::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
