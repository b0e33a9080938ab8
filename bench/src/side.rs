//! A server under load: where it listens and which processes it is made of. Mailwright is one side, Postfix with Dovecot
//! the other.

pub mod mailwright;
pub mod peer;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::account::Account;
use crate::process::Tree;
use crate::wire::Endpoint;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server.
pub struct Side {
    /// For people.
    pub name: &'static str,
    /// Its versions.
    pub version: String,
    /// Mail from other servers.
    pub smtp: Endpoint,
    /// Mail of its users.
    pub submission: Option<Endpoint>,
    /// Mailboxes.
    pub imap: Endpoint,
    /// All of its processes.
    pub tree: Tree,
    /// Stopped in this order when it is dropped.
    children: Vec<Child>,
}

/// What both servers are set up with.
#[derive(Debug)]
pub struct Setup<'a> {
    /// Where everything goes.
    pub directory: PathBuf,
    /// Who has a mailbox.
    pub accounts: &'a [Account],
    /// IMAP over TLS from the first byte.
    pub tls: bool,
    /// The sink's port, when mail is submitted.
    pub relay: Option<u16>,
    /// A program that runs the servers' processes: strace counts their calls.
    pub under: Vec<String>,
}

impl Setup<'_> {
    /// The program, run by the one that watches it, if any.
    fn command(&self, program: &Path) -> Command {
        match self.under.split_first() {
            None => Command::new(program),
            Some((watcher, options)) => {
                let mut command = Command::new(watcher);
                command.args(options).arg(program);
                command
            }
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        for child in &mut self.children {
            stop(child);
        }
    }
}

/// SIGTERM, and SIGKILL for whoever takes too long.
fn stop(child: &mut Child) {
    let _ = Command::new("kill").arg(child.id().to_string()).status();
    let deadline = Instant::now() + Duration::from_secs(15);
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Waits until somebody listens there; says what the log ends with when nobody does.
fn wait_listening(child: &mut Child, port: u16, log: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(crate::ports::at(port)).is_err() {
        if Instant::now() > deadline || child.try_wait()?.is_some() {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            let end: Vec<&str> = log.lines().rev().take(15).collect();
            bail!("nobody listens on port {port}: {}", end.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Writes a file and its directories.
fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, text).with_context(|| path.display().to_string())
}

/// What a program prints, first line.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().map(str::to_owned)
}
