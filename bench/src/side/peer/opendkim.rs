//! OpenDKIM as a milter on a Unix socket, signing with RSA-2048. On TCP the milter stalls for 105 ms per message.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::account::DOMAIN;
use crate::side::{Setup, write};

pub(super) fn start(setup: &Setup<'_>, directory: &Path) -> Result<Child> {
    let made = Command::new("/usr/sbin/opendkim-genkey")
        .args(["-b", "2048", "-s", "bench", "-d", DOMAIN, "-D"])
        .arg(directory)
        .status()
        .context("opendkim-genkey")?;
    if !made.success() {
        bail!("opendkim-genkey failed");
    }
    let config = directory.join("opendkim.conf");
    let socket = directory.join("opendkim.sock");
    let text = format!(
        "Mode s\nDomain {DOMAIN}\nSelector bench\nKeyFile {0}/bench.private\nSocket local:{1}\nCanonicalization \
         relaxed/simple\nUMask 000\nSyslog no\nBackground no\nRequireSafeKeys no\n",
        directory.display(),
        socket.display()
    );
    write(&config, &text)?;
    let child = setup
        .command(Path::new("/usr/sbin/opendkim"))
        .args(["-f", "-x"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(directory.join("opendkim.err"))?)
        .spawn()
        .context("opendkim")?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !socket.exists() {
        if Instant::now() > deadline {
            bail!("opendkim does not listen");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(child)
}
