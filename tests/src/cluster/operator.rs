//! `mailwright operator` as a process beside the cluster, as a developer runs it.

use super::Kubeconfig;
use super::guard::Guard;
use crate::harness::{PATIENCE, free_port, mailwright, run, wait_for, wire};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// One operator process.
pub struct Operator {
    child: Child,
    log: String,
    port: u16,
    guard: Arc<Guard>,
}

impl Operator {
    /// Starts one that asks the API server as `config` says, its own objects in `namespace`.
    pub(super) fn start(
        guard: Arc<Guard>,
        config: &Kubeconfig,
        namespace: &str,
        arguments: &[&str],
    ) -> Operator {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let log = format!("operator-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let port = free_port();
        let mut command = Command::new(mailwright());
        command.args(["operator", "--image=localhost/mailwright:test", "--namespace", namespace]);
        command.arg(format!("--listen=127.0.0.1:{port}")).arg("--kubeconfig").arg(config.path());
        command.args(["--pod-name", &format!("{log}-{}", std::process::id())]).args(arguments);
        command.env_remove("KUBECONFIG").env("HOME", guard.dir());
        let child = guard.start(&log, &mut command);
        Operator { child, log, port, guard }
    }

    /// Waits until it says that it is ready.
    ///
    /// # Panics
    /// When it ends before.
    pub fn wait_ready(&mut self) {
        wait_for("the operator to be ready", PATIENCE, || {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                panic!("the operator ended before it was ready ({status}):\n{}", self.guard.log(&self.log));
            }
            wire::http_get(self.port, "/readyz").ok()?.starts_with("HTTP/1.1 200").then_some(())
        });
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port of its metrics and probes.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it serves at `/metrics`.
    pub fn metrics(&self) -> String {
        wire::http_get(self.port, "/metrics").unwrap_or_default()
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        self.guard.log(&self.log)
    }

    /// Sends `signal` by name: `TERM`, `STOP` (a leader that is paused), `CONT`.
    pub fn signal(&self, signal: &str) {
        let kill = format!("kill -s {signal} {}", self.pid());
        run(Command::new("sh").args(["-c", &kill])).ok();
    }

    /// SIGKILL, as a node that burns down.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ended by itself.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        wait_for("the operator to end", patience, || {
            self.child.try_wait().expect("a child can be waited for")
        })
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        self.kill();
        if std::thread::panicking() {
            let ended =
                ended.map(|status| format!(" before it ended by itself ({status})")).unwrap_or_default();
            eprintln!("---- what the operator printed{ended} ----\n{}---- end ----", self.log());
        }
    }
}
