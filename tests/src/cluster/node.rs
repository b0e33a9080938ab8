//! One real node: containerd, kubelet and kube-proxy in namespaces of the kernel, so that they see nothing of the machine and
//! end with their first process. `tests/kubernetes/node.sh` is what runs inside.

use super::guard::Guard;
use super::network::Network;
use crate::harness::wait_for;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// How long any step may take: importing images on a busy machine is the longest.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node, booted up to the point where it waits for the API server.
pub struct Node {
    /// `node-1`.
    pub name: String,
    dir: PathBuf,
    init: u32,
    outer: Child,
}

/// What a node is made of.
pub(super) struct Parts<'a> {
    /// Counted from 1; the first has the bridge that joins all.
    pub number: u8,
    /// Where the programs of Kubernetes are.
    pub tools: &'a Path,
    /// Archives to import.
    pub images: &'a [PathBuf],
    /// Its kubeconfig, which may be written later.
    pub config: PathBuf,
    /// The authority that the API server's certificate is from; may be written later.
    pub authority: PathBuf,
}

impl Node {
    /// Makes the namespaces of node `parts.number` and starts containerd in them.
    ///
    /// # Panics
    /// When that does not work, with what was said.
    pub(super) fn boot(guard: &Guard, parts: &Parts<'_>) -> Node {
        let name = format!("node-{}", parts.number);
        let dir = guard.dir().join(&name);
        std::fs::create_dir_all(&dir).expect("a directory for a node");
        let script = dir.join("node.sh");
        std::fs::write(&script, include_str!("../../kubernetes/node.sh")).expect("a script");
        let group = format!("/mailwright-{}-{}", std::process::id(), name);
        clean_up_groups(guard, &group);
        let images: Vec<_> = parts.images.iter().map(|path| path.display().to_string()).collect();
        let mut command = Command::new("unshare");
        command
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"])
            .arg(script);
        command.env("DIR", &dir).env("NAME", &name).env("GROUP", &group).env("IMAGES", images.join(":"));
        command.env("ADDRESS", address(parts.number)).env("GATEWAY", address(1));
        command.env("PODS", pods(parts.number)).env("FIRST", if parts.number == 1 { "1" } else { "0" });
        command.env("TOOLS", parts.tools).env("KUBECONFIG", &parts.config).env("AUTHORITY", &parts.authority);
        let outer = guard.start(&name, &mut command);
        let mut node = Node { name, dir, init: 0, outer };
        node.init = wait_for("the first process of a node", PATIENCE, || child_of(node.outer.id()));
        guard.note(node.init);
        node
    }

    /// Waits until it has written `file`.
    pub(super) fn wait_for(&mut self, guard: &Guard, file: &str) {
        let what = format!("{} to have {file}", self.name);
        wait_for(&what, PATIENCE, || {
            if let Some(status) = self.outer.try_wait().expect("a child can be waited for") {
                panic!("{} ended ({status}):\n{}", self.name, guard.log(&self.name));
            }
            self.dir.join(file).exists().then_some(())
        });
    }

    /// Tells it something that it waits for.
    pub(super) fn tell(&self, file: &str) {
        std::fs::write(self.dir.join(file), "").expect("a node can be told");
    }

    /// Its network.
    pub fn network(&self) -> Network {
        Network::of(self.init)
    }

    /// `program` inside of it: its processes, its network, its mounts.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.init.to_string(), "-n", "-m", "-p", "--", program]).args(arguments);
        command
    }

    /// What its containerd, kubelet or kube-proxy has printed.
    pub fn log(&self, part: &str) -> String {
        std::fs::read_to_string(self.dir.join(format!("{part}.log"))).unwrap_or_default()
    }

    /// The process that everything in it ends with.
    pub fn init(&self) -> u32 {
        self.init
    }

    /// Takes away the marks of how far it has come, which its next boot sets again; its disk stays.
    pub(super) fn forget_boot(&self) {
        for mark in ["network", "wire", "images", "go"] {
            let _ = std::fs::remove_file(self.dir.join(mark));
        }
    }

    /// Ends it as a power cut would. Its objects stay, as those of a node that is gone do.
    pub fn power_off(&mut self) {
        let _ = self.outer.kill();
        let _ = self.outer.wait();
        wait_for("a node to be gone", PATIENCE, || {
            (!Path::new(&format!("/proc/{}", self.init)).exists()).then_some(())
        });
    }
}

/// Where node `number` is in the bridge's network.
pub(super) fn address(number: u8) -> String {
    format!("172.30.0.{number}")
}

/// The network of its pods.
fn pods(number: u8) -> String {
    format!("10.244.{}.0/24", number - 1)
}

/// Joins a further node to the bridge of the first.
///
/// # Panics
/// When `ip` does not do it.
pub(super) fn plug(first: &Node, other: &Node, number: u8) {
    let wire = format!("wire{number}");
    let (network, gateway) = (pods(number), address(number));
    for arguments in [
        vec!["link", "add", &wire, "type", "veth", "peer", "name", "eth0", "netns", &other.init.to_string()],
        vec!["link", "set", &wire, "master", "node0", "up"],
        vec!["route", "replace", &network, "via", &gateway],
    ] {
        // In its network alone: processes are named by the numbers they have outside.
        let enter = first.network().enter();
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).arg("ip").args(&arguments);
        let status = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").status();
        assert!(status.is_ok_and(|status| status.success()), "ip {arguments:?}");
    }
    other.tell("wire");
}

/// A shell's lines that the guard runs at the end: an empty control group is a directory that somebody must remove.
fn clean_up_groups(guard: &Guard, group: &str) {
    guard.at_end(&format!(
        "for turn in 1 2 3 4 5 6 7 8 9 10; do\n\
         \x20 left=\n\
         \x20 for place in /sys/fs/cgroup{group} /sys/fs/cgroup/*{group}; do\n\
         \x20   [ -d \"$place\" ] && {{ find \"$place\" -depth -type d -exec rmdir {{}} + 2>/dev/null || left=1; }}\n\
         \x20 done\n\
         \x20 [ -z \"$left\" ] && break\n\
         \x20 sleep 0.2\n\
         done\n"
    ));
}

/// The one child of process `parent`.
fn child_of(parent: u32) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.find(|number| {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let parent_of =
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        parent_of == Some(parent)
    })
}

/// A directory with a link to every program, for a script that wants them in one place.
///
/// # Panics
/// When it cannot be made.
pub(super) fn gather(tools: &super::Tools, names: &[&str], into: &Path) {
    std::fs::create_dir_all(into).expect("a directory for programs");
    for name in names {
        symlink(tools.program(name), into.join(name)).expect("a link to a program");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_by_its_parent() {
        let mut shell = Command::new("sh").args(["-c", "sleep 600 & wait"]).spawn().unwrap();
        let child = wait_for("a child", PATIENCE, || child_of(shell.id()));
        let name = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap();
        assert!(name == "sleep\n" || name == "sh\n", "{name}");
        Command::new("kill").arg(child.to_string()).status().unwrap();
        shell.wait().unwrap();
        assert_eq!(child_of(child), None);
    }

    #[test]
    fn nodes_and_their_pods_have_networks_of_their_own() {
        assert_eq!((address(1), pods(1)), ("172.30.0.1".to_owned(), "10.244.0.0/24".to_owned()));
        assert_eq!((address(2), pods(2)), ("172.30.0.2".to_owned(), "10.244.1.0/24".to_owned()));
    }
}
