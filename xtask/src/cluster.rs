//! `cargo xtask cluster`: a developer's Kubernetes from nothing, with the charts installed and the examples applied.
//!
//! Owns what must be there before (packages, programs, the executable, its image) and finding the cluster again. The cluster
//! itself is `mailwright-cluster` of the tests' package: a process that everything ends with.

use crate::{image, kubernetes, test, workspace};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where it keeps what others need to get in.
const PLACE: &str = "target/cluster";

/// The tag that the charts are told.
const TAG: &str = "localhost/mailwright:test";

/// How long a cluster may take to come up, and to end. It takes half a minute on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// What to do with it.
#[derive(Subcommand)]
pub enum Action {
    /// Build what is missing, start it, install the charts, apply the examples
    Up {
        /// How many nodes it has
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
        nodes: u8,
    },
    /// End it and everything in it
    Down,
    /// Say what runs
    Status,
    /// Run a program in the first node's network, with kubectl and helm at hand
    Exec {
        /// The program and its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

/// Does it.
pub fn run(action: &Action) -> Result<bool> {
    let place = workspace::root().join(PLACE);
    match action {
        Action::Up { nodes } => up(&place, *nodes),
        Action::Down => down(&place).map(|()| true),
        Action::Status => status(&place),
        Action::Exec { command } => exec(&place, command),
    }
}

fn up(place: &Path, nodes: u8) -> Result<bool> {
    let start = Instant::now();
    if holder(place).is_some() {
        bail!(
            "it is up already; `cargo xtask cluster status` looks at it, `cargo xtask cluster down` ends it"
        );
    }
    if !test::install(false)? {
        bail!("something that it is made of is missing; see above");
    }
    if !kubernetes::install(&workspace::root(), true)?.is_empty() {
        bail!("the programs of Kubernetes are missing; see above");
    }
    step(start, "programs are there; building Mailwright");
    let binaries = build()?;
    std::fs::create_dir_all(place).with_context(|| format!("cannot make {}", place.display()))?;
    let archive = place.join("mailwright.tar");
    image::write_server(&binaries.join("mailwright"), TAG, &archive)?;
    step(start, "the image is written; starting the cluster");
    hold(place, &binaries.join("mailwright-cluster"), &archive, nodes)?;
    step(start, "up");
    println!("\n{}", usage(place)?);
    Ok(true)
}

fn step(start: Instant, what: &str) {
    println!("{:>5} s  {what}", start.elapsed().as_secs());
}

/// Builds the executables; where they are.
fn build() -> Result<PathBuf> {
    let mut cargo = Command::new(workspace::cargo());
    cargo.args(["build", "--locked", "--package=mailwright", "--package=mailwright-tests", "--bins"]);
    let status = cargo.current_dir(workspace::root()).status().context("cannot run cargo")?;
    if !status.success() {
        bail!("cargo build failed ({status})");
    }
    let here = std::env::current_exe().context("cannot find out where cargo builds")?;
    Ok(here.parent().context("a directory of executables")?.to_path_buf())
}

/// Starts the process that is the cluster and shows what it says until it is ready.
fn hold(place: &Path, binary: &Path, archive: &Path, nodes: u8) -> Result<()> {
    for name in ["ready", "pid", "kubeconfig", "init", "dir", "ports"] {
        let _ = std::fs::remove_file(place.join(name));
    }
    let log = place.join("log");
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(binary);
    command.arg(place).arg(archive).arg(nodes.to_string()).process_group(0);
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).current_dir(workspace::root());
    let mut child = command.spawn().with_context(|| format!("cannot run {}", binary.display()))?;
    std::fs::write(place.join("pid"), child.id().to_string())?;
    let (start, mut shown) = (Instant::now(), 0);
    while !place.join("ready").exists() {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        print!("{}", text.get(shown..).unwrap_or_default());
        shown = text.len();
        if let Some(status) = child.try_wait()? {
            bail!("it did not come up ({status}); all it said is in {}", log.display());
        }
        if start.elapsed() > PATIENCE {
            bail!("it is not up after {PATIENCE:?}; what it said is in {}", log.display());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// The process that is the cluster, if there is one: a number that was given to another program since is none.
fn holder(place: &Path) -> Option<u32> {
    let pid: u32 = std::fs::read_to_string(place.join("pid")).ok()?.trim().parse().ok()?;
    let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let program = words.split('\0').next()?;
    (Path::new(program).file_name()? == "mailwright-cluster").then_some(pid)
}

fn down(place: &Path) -> Result<()> {
    let Some(pid) = holder(place) else {
        println!("it is not up");
        return Ok(());
    };
    let status = Command::new("kill").arg(pid.to_string()).status().context("cannot run kill")?;
    if !status.success() {
        bail!("cannot end process {pid}");
    }
    // Its guard ends the rest and removes the directory last.
    let dir = read(place, "dir").map(PathBuf::from);
    let start = Instant::now();
    while holder(place).is_some() || dir.as_ref().is_ok_and(|dir| dir.exists()) {
        if start.elapsed() > PATIENCE {
            bail!("something of it is still there after {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::fs::remove_dir_all(place).with_context(|| format!("cannot remove {}", place.display()))?;
    println!("it is gone");
    Ok(())
}

fn status(place: &Path) -> Result<bool> {
    if holder(place).is_none() {
        println!("it is not up");
        return Ok(false);
    }
    for arguments in [
        &["get", "nodes", "--output=wide"][..],
        &["get", "pods,services", "--all-namespaces"],
        &["get", "mailserver,maildomain,mailbox,alias", "--all-namespaces"],
    ] {
        let mut kubectl = Command::new(workspace::root().join("target/kubernetes/kubectl"));
        kubectl.args(arguments).env("KUBECONFIG", place.join("kubeconfig"));
        kubectl.status().context("cannot run kubectl")?;
    }
    println!("\n{}", usage(place)?);
    Ok(true)
}

fn exec(place: &Path, command: &[String]) -> Result<bool> {
    if holder(place).is_none() {
        bail!("it is not up; `cargo xtask cluster up` starts it");
    }
    let mut enter = Command::new("nsenter");
    enter.arg(format!("--net=/proc/{}/ns/net", read(place, "init")?)).arg("--").args(command);
    let inside = Path::new(&read(place, "dir")?).join("inside.kubeconfig");
    enter.env("KUBECONFIG", inside).env("PATH", read(place, "path")?);
    Ok(enter.status().context("cannot run nsenter")?.success())
}

fn usage(place: &Path) -> Result<String> {
    let config = place.join("kubeconfig");
    let tools = workspace::root().join("target/kubernetes");
    Ok(format!(
        "export KUBECONFIG={} PATH={}:$PATH\n\
         kubectl get mailserver,maildomain,mailbox,alias\n\
         cargo xtask cluster exec -- curl -k -u alice@example.test:mailwright imaps://172.30.0.1:30993\n\
         cargo xtask cluster down\n\n\
         The example's Service is on this machine at\n{}",
        config.display(),
        tools.display(),
        read(place, "ports").unwrap_or_default(),
    ))
}

fn read(place: &Path, name: &str) -> Result<String> {
    std::fs::read_to_string(place.join(name))
        .with_context(|| format!("cannot read {PLACE}/{name}: is it up?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_with_the_number_is_not_the_cluster() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(holder(place.path()), None);
        for number in [std::process::id().to_string(), "0".to_owned(), "no number".to_owned()] {
            std::fs::write(place.path().join("pid"), &number).unwrap();
            assert_eq!(holder(place.path()), None, "{number}");
        }
    }

    #[test]
    fn what_is_not_up_is_told_so() {
        let place = tempfile::tempdir().unwrap();
        assert!(
            exec(place.path(), &["true".to_owned()]).unwrap_err().to_string().starts_with("it is not up")
        );
        assert!(!status(place.path()).unwrap());
        down(place.path()).unwrap();
    }

    #[test]
    fn the_usage_names_the_ports() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("ports"), "SMTP 127.0.0.1:4711\n").unwrap();
        let text = usage(place.path()).unwrap();
        assert!(text.contains("KUBECONFIG=") && text.ends_with("127.0.0.1:4711\n"), "{text}");
    }
}
