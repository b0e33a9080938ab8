//! A real sshd on loopback whose one account is a git-shell.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::repository::{Repository, have};

const GIT_SHELL: &str = "/usr/bin/git-shell";

/// An sshd that lets one key in; ended by its process id.
pub struct Sshd {
    child: Child,
    pub port: u16,
    directory: PathBuf,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sshd {
    /// `more` are further lines of its configuration. `None` where there is no sshd.
    pub fn start(repository: &Repository, more: &str) -> Option<Sshd> {
        if !have("/usr/sbin/sshd") || !have("/usr/bin/ssh-keygen") || !have(GIT_SHELL) {
            return None;
        }
        let directory = repository.beside("sshd");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut sshd = Sshd { child: Command::new("true").spawn().unwrap(), port, directory };
        let _ = sshd.child.wait();
        for (key, kind) in
            [("host", "ed25519"), ("host_ecdsa", "ecdsa"), ("user", "ed25519"), ("stranger", "ed25519")]
        {
            sshd.keygen(key, kind, "");
        }
        let forced = format!("command=\"{GIT_SHELL} -c \\\"$SSH_ORIGINAL_COMMAND\\\"\",restrict");
        fs::write(sshd.path("authorized_keys"), format!("{forced} {}", sshd.read("user.pub"))).unwrap();
        fs::write(sshd.path("known_hosts"), sshd.known("host.pub")).unwrap();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nHostKey {0}/host_ecdsa\n\
             AuthorizedKeysFile {0}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\n\
             PasswordAuthentication no\n{more}\n",
            sshd.directory.display()
        );
        fs::write(sshd.path("sshd_config"), config).unwrap();
        // sshd as root wants its directory of privilege separation.
        let _ = fs::create_dir_all("/run/sshd");
        sshd.run();
        Some(sshd)
    }

    /// Starts the program; again after [`Sshd::stop`].
    pub fn run(&mut self) {
        let log = Stdio::from(fs::File::create(self.path("log")).unwrap());
        let mut command = Command::new("/usr/sbin/sshd");
        self.child =
            command.args(["-D", "-e", "-f"]).arg(self.path("sshd_config")).stderr(log).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "{}", self.read("log"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn keygen(&self, name: &str, kind: &str, passphrase: &str) {
        let mut keygen = Command::new("/usr/bin/ssh-keygen");
        keygen.args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(self.path(name));
        assert!(keygen.status().unwrap().success());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A line of known_hosts with a public key.
    pub fn known(&self, key: &str) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.read(key))
    }

    pub fn location(&self, repository: &Repository) -> String {
        format!("ssh://127.0.0.1:{}{}", self.port, repository.path().display())
    }

    /// For the user's own ssh.
    pub fn command(&self) -> String {
        format!(
            "ssh -F none -i {0}/user -o IdentitiesOnly=yes -o UserKnownHostsFile={0}/known_hosts",
            self.directory.display()
        )
    }
}
