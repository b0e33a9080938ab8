//! Owns the choice of the subcommand and the exit codes. Each subcommand is a file of its own.

mod adopt;
mod apply;
mod approve;
mod auth_test;
mod completions;
mod describe;
mod diff;
mod dns;
mod export;
mod fetch;
mod get;
mod history;
mod import;
mod kubectl;
mod observe;
mod operator;
mod passwd;
mod plan;
mod policy;
mod probe;
mod purge;
mod queue;
mod send;
mod serve;
mod snapshot;
pub mod source;
mod trace;
mod undo;
mod up;
mod validate;
mod why;

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::args::{Arguments, Command};

/// Runs the subcommand on a runtime of its own.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Command::Completions(options) = &arguments.command {
        return completions::run(options);
    }
    install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let data = arguments.global.data;
    runtime.block_on(async move {
        match arguments.command {
            Command::Up(options) => up::run(&data, options).await,
            Command::Serve(options) => serve::run(&data, options).await,
            Command::Operator(options) => operator::run(*options).await,
            Command::Validate(options) => validate::run(options).await,
            Command::Plan(options) => plan::run(&data, options).await,
            Command::Apply(options) => apply::run(&data, options).await,
            Command::Diff(options) => diff::run(options).await,
            Command::Get(options) => get::run(&data, options).await,
            Command::Describe(options) => describe::run(&data, options).await,
            Command::Dns(options) => dns::run(&data, options).await,
            Command::Passwd(options) => passwd::run(&data, options).await,
            Command::Purge(options) => purge::run(&data, options).await,
            Command::History(options) => history::run(&data, options).await,
            Command::Why(options) => why::run(&data, options).await,
            Command::Undo(options) => undo::run(&data, options).await,
            Command::Approve(options) => approve::run(&data, options).await,
            Command::Queue(options) => queue::run(&data, options).await,
            Command::Send(options) => send::run(&data, options).await,
            Command::AuthTest(options) => auth_test::run(&data, options).await,
            Command::Fetch(options) => fetch::run(&data, options).await,
            Command::Trace(options) => trace::run(&data, options).await,
            Command::Adopt(options) => adopt::run(&data, &options),
            Command::Export(options) => export::run(&data, options).await,
            Command::Import(options) => import::run(options),
            Command::Probe(options) => probe::run(options).await,
            Command::Snapshot(options) => snapshot::run(&data, options).await,
            Command::Observe(options) => observe::run(&data, options).await,
            Command::Policy(options) => policy::run(options.command),
            Command::Kubectl(options) => kubectl::run(*options).await,
            Command::Completions(options) => completions::run(&options),
        }
    })
}

/// One provider of cryptography for the whole process; a second call changes nothing.
fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
