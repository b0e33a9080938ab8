//! Load generators, Mailwright beside Postfix and Dovecot in one run, the operator with thousands of resources, and a
//! repository of a hundred thousand. Leaves out
//! judging by time: what counts are ratios of two servers that were measured on the same machine in the same minutes
//! (docs/performance.md), and counts (docs/scale.md, docs/gitops-scale.md).

mod account;
mod args;
mod client;
mod compare;
mod figure;
mod gitops;
mod load;
mod message;
mod ports;
mod process;
mod report;
mod scale;
mod side;
mod sink;
mod tally;
mod wire;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let outcome = match args::Arguments::parse().command {
        args::Command::Compare(options) => compare::run(&options),
        args::Command::Scale(options) => scale::run(&options),
        args::Command::Gitops(options) => gitops::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
