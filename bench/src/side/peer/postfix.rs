//! Postfix: mail from outside, submission, the queue. Debian's master.cf without chroot, on high ports.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::account::{DOMAIN, address};
use crate::side::{Setup, wait_listening, write};

/// The services that its daemons use among themselves.
const INTERNAL: &str = "cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
";

pub(super) fn start(
    setup: &Setup<'_>,
    directory: &Path,
    smtp: u16,
    submissions: u16,
    certificate: &[PathBuf; 2],
) -> Result<Child> {
    let config = directory.join("postfix");
    for (below, owner) in [("queue", "root"), ("data", "postfix")] {
        let path = directory.join(below);
        std::fs::create_dir_all(&path)?;
        Command::new("chown").arg(owner).arg(&path).status()?;
    }
    write(&config.join("main.cf"), &main(setup, directory, certificate))?;
    write(&config.join("master.cf"), &master(setup, directory, smtp, submissions))?;
    let mailboxes: String =
        setup.accounts.iter().map(|account| format!("{} x\n", address(&account.name))).collect();
    write(&config.join("mailboxes"), &mailboxes)?;
    run(Command::new("/usr/sbin/postmap").arg("-c").arg(&config).arg(config.join("mailboxes")))?;
    run(Command::new("/usr/sbin/postfix").arg("-c").arg(&config).arg("check"))?;
    let log = directory.join("postfix.err");
    // `-s`: in the foreground, as `postfix start-fg` does; the process group is its own so that stopping it stops nothing else.
    let mut command = setup.command(Path::new("/usr/lib/postfix/sbin/master"));
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command
        .args(["-s", "-d", "-c"])
        .arg(&config)
        .env("MAIL_CONFIG", &config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .spawn()
        .context("postfix")?;
    wait_listening(&mut child, smtp, &log)?;
    Ok(child)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn main(setup: &Setup<'_>, directory: &Path, [certificate, key]: &[PathBuf; 2]) -> String {
    let directory = directory.display();
    let relay = match setup.relay {
        Some(port) => format!("relayhost = [127.0.0.1]:{port}\nsmtp_tls_security_level = none\n"),
        None => String::new(),
    };
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {directory}/queue\n\
         data_directory = {directory}/data\n\
         command_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\n\
         mail_owner = postfix\n\
         setgid_group = postdrop\n\
         meta_directory = /etc/postfix\n\
         shlib_directory = /usr/lib/postfix\n\
         myhostname = mail.{DOMAIN}\n\
         mydestination =\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         mynetworks =\n\
         alias_maps =\n\
         alias_database =\n\
         local_recipient_maps =\n\
         virtual_mailbox_domains = {DOMAIN}\n\
         virtual_mailbox_maps = hash:{directory}/postfix/mailboxes\n\
         virtual_transport = lmtp:unix:{directory}/run/lmtp\n\
         smtpd_tls_cert_file = {}\n\
         smtpd_tls_key_file = {}\n\
         biff = no\n\
         {relay}",
        certificate.display(),
        key.display()
    )
}

fn master(setup: &Setup<'_>, directory: &Path, smtp: u16, submissions: u16) -> String {
    let directory = directory.display();
    let mut text = format!("127.0.0.1:{smtp} inet n - n - - smtpd\n");
    if setup.relay.is_some() {
        text.push_str(&format!(
            "127.0.0.1:{submissions} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n  -o \
             smtpd_sasl_auth_enable=yes\n  -o smtpd_sasl_type=dovecot\n  -o \
             smtpd_sasl_path={directory}/run/auth-postfix\n  -o \
             smtpd_relay_restrictions=permit_sasl_authenticated,reject\n  -o \
             smtpd_milters=unix:{directory}/opendkim.sock\n"
        ));
    }
    text.push_str(INTERNAL);
    text
}
