//! `kubectl mailwright`, called by kubectl as its plugin. What it runs by `kubectl exec` is run on the pod's data directory here: only
//! a real node can exec.

use super::{ControlPlane, Kubectl};
use crate::harness::{Output, mailwright, run};
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// The `kubectl` that the plugin calls: it writes down what it was asked and runs what follows the program's name after `--`.
const EXEC: &str = "#!/bin/sh\necho \"$@\" >> \"$0.log\"\nwhile [ \"$1\" != -- ]; do shift; done\nshift 4\nexec \
                    \"$PROGRAM\" --data \"$DATA\" \"$@\"\n";

/// The plugin for one namespace with one mail server.
pub struct Plugin {
    namespace: String,
    place: PathBuf,
    data: PathBuf,
}

impl Plugin {
    /// For the server whose volume is `data`.
    ///
    /// # Panics
    /// When its directory cannot be written.
    pub fn new(plane: &ControlPlane, namespace: &str, data: PathBuf) -> Plugin {
        let place = plane.dir().join(format!("plugin-{namespace}"));
        if !place.exists() {
            std::fs::create_dir(&place).expect("a directory");
            symlink(mailwright(), place.join("kubectl-mailwright")).expect("a link");
            let exec = place.join("exec");
            std::fs::write(&exec, EXEC).expect("a script");
            std::fs::set_permissions(&exec, Permissions::from_mode(0o755)).expect("its mode");
        }
        Plugin { namespace: namespace.to_owned(), place, data }
    }

    /// Its directory; `exec.log` in it is what was asked by `kubectl exec`.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// `kubectl mailwright` with these words, in the namespace.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn run(&self, kubectl: &Kubectl, line: &str) -> Output {
        let words: Vec<&str> =
            ["mailwright", "-n", &self.namespace].into_iter().chain(line.split(' ')).collect();
        let mut command = kubectl.command("kubectl", &words);
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
        let path = path.and_then(|path| path.to_str()).unwrap_or_default();
        let path = format!("{}:{path}", self.place.display());
        command.env("PATH", path).env("KUBECTL", self.place.join("exec"));
        run(command.env("PROGRAM", mailwright()).env("DATA", &self.data))
    }
}
