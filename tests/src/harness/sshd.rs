//! A real sshd on a free port of 127.0.0.1 that lets one key in and gives it a git-shell; gone when the test ends.

use super::{PATIENCE, free_port, need, run, wait_for};
use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running sshd.
pub struct Sshd {
    home: TempDir,
    port: u16,
    child: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sshd {
    /// Starts it. `None`, and said so, where there is no sshd.
    ///
    /// # Panics
    /// Under `CI=true` where it is not installed, and when it does not start.
    pub fn start() -> Option<Sshd> {
        if !need(&["sshd", "ssh-keygen", "git-shell"]) {
            return None;
        }
        let (home, port) = (TempDir::new().expect("a temporary directory"), free_port());
        fs::set_permissions(home.path(), Permissions::from_mode(0o700)).expect("its own directory");
        let path = |name: &str| home.path().join(name);
        for key in ["host", "user", "stranger"] {
            let mut keygen = Command::new("ssh-keygen");
            run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(path(key))).ok();
        }
        let user = fs::read_to_string(path("user.pub")).expect("a key");
        let forced = "command=\"git-shell -c \\\"$SSH_ORIGINAL_COMMAND\\\"\",restrict";
        fs::write(path("authorized_keys"), format!("{forced} {user}")).expect("the list of keys");
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized_keys\nPidFile none\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\n",
            home.path().display()
        );
        fs::write(path("sshd_config"), config).expect("its settings");
        // sshd as root wants its directory of privilege separation.
        let _ = fs::create_dir_all("/run/sshd");
        let log = fs::File::create(path("log")).expect("a log");
        let mut sshd = Command::new("/usr/sbin/sshd");
        let sshd = sshd.args(["-D", "-e", "-f"]).arg(path("sshd_config")).stderr(Stdio::from(log));
        let child = sshd.spawn().expect("sshd runs");
        let sshd = Sshd { home, port, child };
        wait_for("sshd", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).ok());
        Some(sshd)
    }

    /// A private key: that of `user`, who is let in, or of `stranger`.
    ///
    /// # Panics
    /// When there is no such key.
    pub fn identity(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a key")
    }

    /// The line of known_hosts that knows this server by its own key, or wrongly by another one.
    ///
    /// # Panics
    /// When there is no such key.
    pub fn known_as(&self, key: &str) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.identity(&format!("{key}.pub")))
    }

    /// Where a repository of this machine is.
    ///
    /// # Panics
    /// When nobody knows who runs the test.
    pub fn url(&self, repository: &Path) -> String {
        let user = run(Command::new("id").arg("-un")).ok().stdout;
        format!("ssh://{}@127.0.0.1:{}{}", user.trim(), self.port, repository.display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}
