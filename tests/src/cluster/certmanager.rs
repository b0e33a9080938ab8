//! cert-manager as a process beside the cluster: its definitions and its controller. Its web hook is left out, so a
//! mistake in a resource of its own is met by the controller alone.

use super::ControlPlane;
use super::tools::need_tools;
use crate::harness::{PATIENCE, free_port, wait_for, wire};
use std::process::{Child, Command};

/// What is built of it.
const PROGRAM: &str = "cert-manager-controller";
/// Its definitions.
const DEFINITIONS: &str = "cert-manager.yaml";

/// A running controller.
pub struct CertManager<'a> {
    plane: &'a ControlPlane,
    child: Child,
}

impl<'a> CertManager<'a> {
    /// Installs the definitions. `None`: it is not built, which was noted, and the test should return.
    #[track_caller]
    pub fn install(plane: &ControlPlane) -> Option<()> {
        let definitions = need_tools(&[PROGRAM, DEFINITIONS])?.program(DEFINITIONS);
        let kubectl = plane.kubectl();
        let file = format!("--filename={}", definitions.display());
        kubectl.run(&["apply", "--server-side", &file]).ok();
        kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", &file]).ok();
        Some(())
    }

    /// Starts the controller, whose definitions are there, and waits until it works.
    ///
    /// # Panics
    /// When it ends before.
    pub fn start(plane: &'a ControlPlane) -> CertManager<'a> {
        let port = free_port();
        let mut command = Command::new(plane.tools().program(PROGRAM));
        command.arg("--kubeconfig").arg(plane.member("cert-manager").path());
        command.args(["--leader-elect=false", "--controllers=*,-challenges,-orders"]);
        command.arg(format!("--metrics-listen-address=127.0.0.1:{port}"));
        command.env_remove("KUBECONFIG").env("HOME", plane.dir());
        let child = plane.guard().start("cert-manager", &mut command);
        let mut running = CertManager { plane, child };
        wait_for("cert-manager", PATIENCE, || {
            if let Some(status) = running.child.try_wait().expect("a child can be waited for") {
                panic!("cert-manager ended ({status})");
            }
            wire::http_get(port, "/metrics").ok()?.starts_with("HTTP/1.1 200").then_some(())
        });
        running
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        self.plane.log("cert-manager")
    }
}

impl Drop for CertManager<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- what cert-manager printed ----\n{}---- end ----", self.log());
        }
    }
}
