//! Debian's servers as children of a test: found or skipped, started with a configuration of their own, stopped by pid.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Whether all programs are installed; under `CI=true` a missing one is a failure.
pub(super) fn need(programs: &[&str]) -> bool {
    let installed = |program: &&&str| Path::new("/usr/sbin").join(program).exists();
    let missing: Vec<_> = programs.iter().filter(|program| !installed(program)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "skipped under CI: {missing:?} not installed");
    eprintln!("skipped: {missing:?} not installed (cargo xtask test --only install)");
    false
}

/// A server in the foreground, killed when dropped.
pub(super) struct Program(Child);

impl Program {
    pub(super) fn start(command: &mut Command) -> Program {
        Program(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// SIGHUP: read the configuration again.
    pub(super) fn reload(&self) {
        assert!(Command::new("kill").args(["-HUP", &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on.
pub(super) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a TCP port takes connections.
pub(super) async fn listening(address: &str) {
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing listens on {address}");
}
