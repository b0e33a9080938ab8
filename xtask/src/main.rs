//! The project's own tasks, run as `cargo xtask <task>`: the one test command, the checks it is made of, the image, and a
//! cluster to try things in.
//!
//! Owns: generating what is generated, the rules of the house as code, licences, the order of the stages.
//! Leaves out: building and running Mailwright itself, which is plain `cargo run`.

mod cluster;
mod forge;
mod generate;
mod image;
mod kubernetes;
mod licences;
mod sops;
mod test;
mod tidy;
mod workspace;

use clap::Parser;
use std::process::ExitCode;

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Write the files that are generated from the code (custom resource definitions, resource pages)
    Generate,
    /// Check the rules of the house: who may use whom, file headers, the RFC index, generated files, sizes, paths
    Tidy,
    /// Check that every dependency has a permissive licence
    Licences,
    /// Write an OCI image of the executable, without a daemon
    Image(image::Options),
    /// A Kubernetes on this machine, from nothing, with Mailwright installed: up, down, status, exec
    #[command(subcommand)]
    Cluster(cluster::Action),
    /// Run everything that a change must pass: install, fmt, tidy, licences, clippy, build, test, doc
    Test(test::Options),
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Generate => generate::write(),
        Task::Tidy => tidy::run(),
        Task::Licences => licences::run(),
        Task::Image(options) => image::run(&options),
        Task::Cluster(action) => cluster::run(&action),
        Task::Test(options) => test::run(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
