//! Debian's Postfix and Dovecot with Maildir, LMTP between them and OpenDKIM's milter for what is submitted: own
//! configuration below the directory of the run, high ports, defaults but for the limits that the load would meet.

mod dovecot;
mod opendkim;
mod postfix;

use std::path::Path;

use anyhow::Result;

use super::{Setup, Side, first_line};
use crate::process::Tree;
use crate::wire::Endpoint;

/// Programs that it needs; those that are missing.
pub fn missing(relay: bool) -> Vec<&'static str> {
    let mut needed =
        vec!["/usr/sbin/postfix", "/usr/sbin/dovecot", "/usr/lib/dovecot/imap", "/usr/lib/dovecot/lmtp"];
    if relay {
        needed.extend(["/usr/sbin/opendkim", "/usr/sbin/opendkim-genkey"]);
    }
    needed.retain(|program| !Path::new(program).exists());
    needed
}

/// Writes configuration, starts the daemons and waits until they listen. `certificate` is the other side's: certificate
/// and key.
pub fn start(setup: &Setup<'_>, certificate: &[std::path::PathBuf; 2]) -> Result<Side> {
    let [smtp, submissions, imap] = crate::ports::free();
    let directory = setup.directory.join("peer");
    std::fs::create_dir_all(&directory)?;
    let dovecot = dovecot::start(setup, &directory, imap, certificate)?;
    let mut side = Side {
        name: "Postfix + Dovecot",
        version: version(setup.relay.is_some()),
        smtp: Endpoint { port: smtp, tls: false },
        submission: setup.relay.map(|_| Endpoint { port: submissions, tls: true }),
        imap: Endpoint { port: imap, tls: setup.tls },
        tree: Tree::default(),
        children: vec![dovecot],
    };
    if setup.relay.is_some() {
        side.children.push(opendkim::start(setup, &directory)?);
    }
    let postfix = postfix::start(setup, &directory, smtp, submissions, certificate)?;
    // Stopped first: it delivers to the others.
    side.children.insert(0, postfix);
    side.tree = Tree::new(side.children.iter().map(std::process::Child::id).collect());
    Ok(side)
}

fn version(relay: bool) -> String {
    let mut versions = vec![
        first_line("/usr/sbin/postconf", &["-dh", "mail_version"])
            .map(|version| format!("Postfix {version}")),
        first_line("/usr/sbin/dovecot", &["--version"]).map(|version| format!("Dovecot {version}")),
    ];
    if relay {
        versions.push(first_line("/usr/sbin/opendkim", &["-V"]).map(|line| line.replace("opendkim: ", "")));
    }
    versions.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
