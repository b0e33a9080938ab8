//! Dovecot: IMAP, LMTP for Postfix, and who may submit.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::account::address;
use crate::side::{Setup, wait_listening, write};

/// The user that mail belongs to.
const OWNER: &str = "nobody";

pub(super) fn start(
    setup: &Setup<'_>,
    directory: &Path,
    imap: u16,
    certificate: &[PathBuf; 2],
) -> Result<Child> {
    let log = directory.join("dovecot.log");
    let mail = directory.join("mail");
    std::fs::create_dir_all(&mail)?;
    // Maildirs are made by an unprivileged process, whatever the directories above are like.
    let status = Command::new("chown").arg(OWNER).arg(&mail).status()?;
    let mut open = Some(setup.directory.as_path());
    while let Some(path) = open.filter(|path| path.starts_with("/tmp") && *path != Path::new("/tmp")) {
        Command::new("chmod").arg("a+x").arg(path).status()?;
        open = path.parent();
    }
    if !status.success() {
        bail!("cannot give {} to {OWNER}: run as root", mail.display());
    }
    let config = directory.join("dovecot.conf");
    write(&directory.join("users"), &users(setup))?;
    write(&config, &text(setup, directory, imap, certificate))?;
    let mut child = setup
        .command(Path::new("/usr/sbin/dovecot"))
        .arg("-F")
        .arg("-c")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(File::create(directory.join("dovecot.out"))?)
        .stderr(File::create(directory.join("dovecot.err"))?)
        .spawn()
        .context("dovecot")?;
    wait_listening(&mut child, imap, &log)?;
    Ok(child)
}

fn users(setup: &Setup<'_>) -> String {
    let mut text = String::new();
    for account in setup.accounts {
        let _ = writeln!(text, "{}:{}", address(&account.name), account.hash);
    }
    text
}

fn text(setup: &Setup<'_>, directory: &Path, imap: u16, [certificate, key]: &[PathBuf; 2]) -> String {
    let directory = directory.display();
    let (certificate, key) = (certificate.display(), key.display());
    // In clear on loopback, or TLS from the first byte: as the other side.
    let ssl = if setup.tls { "yes" } else { "no" };
    format!(
        "base_dir = {directory}/run\n\
         state_dir = {directory}/state\n\
         log_path = {directory}/dovecot.log\n\
         protocols = imap lmtp\n\
         listen = 127.0.0.1\n\
         mail_location = maildir:~/Maildir\n\
         mail_home = {directory}/mail/%n\n\
         mail_uid = {OWNER}\n\
         mail_gid = nogroup\n\
         first_valid_uid = 1\n\
         first_valid_gid = 1\n\
         disable_plaintext_auth = no\n\
         mail_max_userip_connections = 4000\n\
         ssl = yes\n\
         ssl_cert = <{certificate}\n\
         ssl_key = <{key}\n\
         passdb {{\n  driver = passwd-file\n  args = {directory}/users\n}}\n\
         userdb {{\n  driver = static\n  args = uid={OWNER} gid=nogroup home={directory}/mail/%n\n}}\n\
         namespace inbox {{\n  inbox = yes\n}}\n\
         service imap-login {{\n  process_limit = 4000\n  inet_listener imap {{\n    port = {imap}\n    ssl = {ssl}\n  }}\n  \
         inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         service imap {{\n  process_limit = 4000\n}}\n\
         service lmtp {{\n  unix_listener lmtp {{\n    mode = 0666\n  }}\n}}\n\
         service auth {{\n  unix_listener auth-postfix {{\n    mode = 0666\n  }}\n}}\n"
    )
}
