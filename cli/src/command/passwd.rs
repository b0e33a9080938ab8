//! `mailwright passwd`: sets a password as its owner would, so that no `Initial` password from a manifest replaces it.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::args::Passwd;
use crate::connect::Connection;
use crate::terminal;

/// Passwords beyond this are refused by the server; asking for less keeps a pasted file out.
const LONGEST: usize = 1024;

/// Reads the new password and sets it.
pub async fn run(data: &Path, options: Passwd) -> Result<ExitCode> {
    let connection = Connection::open(data).await?;
    let password = if options.stdin { from_stdin()? } else { from_terminal(&options.address)? };
    if password.is_empty() {
        bail!("the password is empty; nothing was changed");
    }
    if password.len() > LONGEST {
        bail!("the password is longer than {LONGEST} octets; nothing was changed");
    }
    connection.set_password(&options.address, &password).await?;
    terminal::print(&format!("password of {} changed\n", options.address));
    Ok(ExitCode::SUCCESS)
}

/// The first line of standard input.
pub fn from_stdin() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read standard input")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks once on a terminal; otherwise the password is the first line of standard input.
pub fn once(prompt: &str) -> Result<String> {
    if std::io::stdin().is_terminal() { hidden(prompt) } else { from_stdin() }
}

fn from_terminal(address: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!("standard input is no terminal; give --stdin to read the password from it");
    }
    let first = hidden(&format!("New password of {address}: "))?;
    if hidden("Again: ")? != first {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}

/// Asks with the terminal's echo off; `stty` is on every system that has a terminal.
fn hidden(prompt: &str) -> Result<String> {
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    let echo = |state: &str| {
        std::process::Command::new("stty").arg(state).stdin(std::process::Stdio::inherit()).status()
    };
    let off = echo("-echo").is_ok_and(|status| status.success());
    if !off {
        bail!("cannot turn the terminal's echo off; give --stdin instead");
    }
    let answer = from_stdin();
    let _ = echo("echo");
    eprintln!();
    answer
}
