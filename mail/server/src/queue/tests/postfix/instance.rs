//! A Postfix in a directory of its own, on a free port of 127.0.0.1, stopped when dropped. What it is for, its callers say:
//! the smarthost of the tests beside this file, and the MTA in front of `tests/tests/clients_lmtp.rs`, which reads this file too.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to listen: the machine is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// It takes no mail from anybody and delivers none.
const MAIN: &str = "
queue_directory = DIR/spool
data_directory = DIR/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
compatibility_level = 3.6
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
maillog_file = DIR/log
maillog_file_prefixes = DIR
alias_maps =
";

const MASTER: &str = "
127.0.0.1:PORT inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
postlog unix-dgram n - n - 1 postlogd
";

/// A running one.
pub struct Postfix {
    /// Its configuration, its queue and its log.
    pub directory: TempDir,
    /// Where it takes mail.
    pub port: u16,
}

impl Postfix {
    /// Starts it with these lines in main.cf, where `DIR` is its directory, which `prepare` may put files into.
    pub fn start(settings: &str, prepare: impl FnOnce(&Path)) -> Postfix {
        let directory = tempfile::Builder::new().prefix("pf").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = directory.path();
        let fill =
            |text: &str| text.replace("DIR", &path.display().to_string()).replace("PORT", &port.to_string());
        for sub in ["spool", "data"] {
            std::fs::create_dir(path.join(sub)).unwrap();
        }
        std::fs::write(path.join("main.cf"), fill(&format!("{MAIN}{settings}"))).unwrap();
        std::fs::write(path.join("master.cf"), fill(MASTER)).unwrap();
        prepare(path);
        sh(&fill("chmod 755 DIR && chown -R postfix DIR/data && /usr/sbin/postfix -c DIR start"));
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "Postfix does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Postfix { directory, port }
    }

    /// What it wrote down.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        sh(&format!("/usr/sbin/postfix -c {} stop", self.directory.path().display()));
    }
}

/// Runs a line of the shell, which must succeed.
pub fn sh(line: &str) {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}
