//! Mailwright as its users run it: `mailwright up` on manifests, with its defaults but for ports and connection limits.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use super::{Setup, Side, first_line, wait_listening, write};
use crate::account::{DOMAIN, address};
use crate::ports;
use crate::process::Tree;
use crate::wire::Endpoint;

/// More than the sessions of any figure.
const CONNECTIONS: usize = 4000;

/// Where it keeps the certificate that it makes, below its data directory: certificate and key.
pub const CERTIFICATE: [&str; 2] = ["tls/bench.crt", "tls/bench.key"];

struct Ports {
    smtp: u16,
    imap: u16,
    imaps: u16,
    submission: u16,
    submissions: u16,
    http: u16,
}

/// Writes manifests, starts it and waits until it serves.
pub fn start(program: &Path, setup: &Setup<'_>) -> Result<Side> {
    let [smtp, imap, imaps, submission, submissions, http] = ports::free();
    let ports = Ports { smtp, imap, imaps, submission, submissions, http };
    let directory = setup.directory.join("mailwright");
    write(&directory.join("manifests/server.yaml"), &server(&ports, setup))?;
    write(&directory.join("manifests/accounts.yaml"), &accounts(setup))?;
    let log = directory.join("log");
    let mut command = setup.command(program);
    command.arg("up").arg(directory.join("manifests")).args(["--data"]).arg(directory.join("data"));
    let child = command
        .current_dir(&directory)
        .stdin(Stdio::null())
        .stdout(File::create(directory.join("out"))?)
        .stderr(File::create(&log)?)
        .spawn()
        .with_context(|| program.display().to_string())?;
    let tree = Tree::new(vec![child.id()]);
    let mut side = Side {
        name: "Mailwright",
        version: first_line(&program.to_string_lossy(), &["--version"]).unwrap_or_default(),
        smtp: Endpoint { port: smtp, tls: false },
        submission: setup.relay.map(|_| Endpoint { port: submissions, tls: true }),
        imap: if setup.tls {
            Endpoint { port: imaps, tls: true }
        } else {
            Endpoint { port: imap, tls: false }
        },
        tree,
        children: vec![child],
    };
    for port in [smtp, imap, imaps] {
        wait_listening(&mut side.children[0], port, &log)?;
    }
    Ok(side)
}

fn server(ports: &Ports, setup: &Setup<'_>) -> String {
    let Ports { smtp, imap, imaps, submission, submissions, http } = ports;
    let mut text = format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: MailServer\nmetadata:\n  name: bench\nspec:\n  hostname: \
         mail.{DOMAIN}\n  tls:\n    selfSigned: {{}}\n  limits:\n    connections: {CONNECTIONS}\n    \
         connectionsPerAddress: {CONNECTIONS}\n"
    );
    // Each field stands here only when a figure needs it.
    if !setup.tls {
        text.push_str("  auth:\n    plaintextOnLoopback: true\n");
    }
    if let Some(port) = setup.relay {
        let _ = writeln!(text, "  relay:\n    host: 127.0.0.1\n    port: {port}\n    tls: None");
    }
    // Ports that nobody asks for are taken as well: the defaults may be in use.
    let _ = write!(
        text,
        "  listeners:\n    smtp: {{port: {smtp}}}\n    imap: {{port: {imap}}}\n    imaps: {{port: {imaps}}}\n    http: \
         {{port: {http}}}\n    submission: {{port: {submission}}}\n    submissions: {{port: {submissions}}}\n"
    );
    text
}

fn accounts(setup: &Setup<'_>) -> String {
    let mut text = format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata:\n  name: bench\nspec:\n  serverRef:\n    name: \
         bench\n  domain: {DOMAIN}\n"
    );
    for account in setup.accounts {
        let _ = write!(
            text,
            "---\napiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata:\n  name: {}\nspec:\n  address: {}\n  \
             credentials:\n    passwordHash: \"{}\"\n",
            account.name,
            address(&account.name),
            account.hash
        );
    }
    text
}

/// The executable to measure: the one given, or the one that cargo builds beside this one.
pub fn executable(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        return given.canonicalize().with_context(|| given.display().to_string());
    }
    let here = std::env::current_exe()?;
    let path = here.with_file_name("mailwright");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let release = here.parent().is_some_and(|parent| parent.ends_with("release"));
        let mut command = std::process::Command::new(cargo);
        command.args(["build", "-p", "mailwright"]).args(release.then_some("--release"));
        if !command.status()?.success() {
            bail!("mailwright does not build");
        }
    }
    if path.exists() {
        Ok(path)
    } else {
        bail!("{} is not built; name one with --mailwright", path.display())
    }
}
