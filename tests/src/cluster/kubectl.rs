//! kubectl and helm as a user runs them: a command line, what it says, how it ends.

use super::{Kubeconfig, Tools};
use crate::harness::{Output, run, run_with_input, wait_for};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Somebody with a kubeconfig in front of a terminal.
#[derive(Debug, Clone)]
pub struct Kubectl {
    tools: Tools,
    config: Kubeconfig,
    home: PathBuf,
    within: Vec<String>,
}

impl Kubectl {
    /// Who `config` says, with caches in `home`.
    pub fn new(tools: Tools, config: Kubeconfig, home: PathBuf) -> Kubectl {
        Kubectl { tools, config, home, within: Vec::new() }
    }

    /// The same, each command running behind `prefix`, which enters other namespaces of the kernel.
    #[must_use]
    pub fn within(&self, prefix: &[&str]) -> Kubectl {
        Kubectl { within: prefix.iter().map(|word| (*word).to_owned()).collect(), ..self.clone() }
    }

    /// The kubeconfig.
    pub fn config(&self) -> &Kubeconfig {
        &self.config
    }

    /// A program of the set with these arguments, not run yet.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let program = self.tools.program(program);
        let mut command = match self.within.split_first() {
            Some((enter, rest)) => {
                let mut command = Command::new(enter);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments).env("KUBECONFIG", self.config.path()).env("HOME", &self.home);
        command.env("PATH", self.tools.search_path());
        command
    }

    /// `kubectl` with these arguments.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command("kubectl", arguments))
    }

    /// `helm` with these arguments.
    #[track_caller]
    pub fn helm(&self, arguments: &[&str]) -> Output {
        run(&mut self.command("helm", arguments))
    }

    /// `kubectl apply` of these manifests, which must succeed.
    #[track_caller]
    pub fn apply(&self, manifests: &str) -> Output {
        self.apply_with(manifests, &[]).ok()
    }

    /// `kubectl apply` of these manifests with more arguments, whatever comes of it.
    #[track_caller]
    pub fn apply_with(&self, manifests: &str, arguments: &[&str]) -> Output {
        let arguments = [&["apply", "--server-side", "--filename=-"], arguments].concat();
        run_with_input(&mut self.command("kubectl", &arguments), manifests)
    }

    /// One object (`mailbox/alice`), `Null` when it is not there.
    ///
    /// # Panics
    /// When the answer is anything else.
    #[track_caller]
    pub fn get(&self, namespace: &str, what: &str) -> Value {
        let namespace = format!("--namespace={namespace}");
        let output = self.run(&["get", what, &namespace, "--output=json", "--ignore-not-found"]).ok();
        match output.stdout.trim() {
            "" => Value::Null,
            text => serde_json::from_str(text).expect("kubectl prints JSON"),
        }
    }

    /// All objects of a kind (`pods`, `events`) in a namespace.
    #[track_caller]
    pub fn list(&self, namespace: &str, kind: &str) -> Vec<Value> {
        // Of an empty list kubectl says nothing.
        self.get(namespace, kind)["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until `probe` is content with an object.
    ///
    /// # Panics
    /// When it never is, with the object as it was last.
    #[track_caller]
    pub fn wait_until(
        &self,
        namespace: &str,
        what: &str,
        patience: Duration,
        probe: impl Fn(&Value) -> bool,
    ) -> Value {
        let start = std::time::Instant::now();
        wait_for(what, patience * 2, || {
            let object = self.get(namespace, what);
            let done = probe(&object);
            assert!(done || start.elapsed() < patience, "waited {patience:?} for {what}: {object:#}");
            done.then_some(object)
        })
    }

    /// Makes a namespace of this name with a few letters behind it, so that no two tests meet.
    #[track_caller]
    pub fn namespace(&self, name: &str) -> String {
        let object =
            format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"generateName":"{name}-"}}}}"#);
        let create = ["create", "--filename=-", "--output=jsonpath={.metadata.name}"];
        run_with_input(&mut self.command("kubectl", &create), &object).ok().stdout
    }
}
