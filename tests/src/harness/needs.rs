//! Programs that a test uses and a machine may lack. Skipping is said; under `CI=true` it is a failure.

use super::root;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Whether all `programs` are installed. When not, the test should return: what is missing was noted.
///
/// # Panics
/// Under `CI=true`, because a green run must mean that everything ran.
pub fn need(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !is_installed(program)).copied().collect();
    if missing.is_empty() {
        return true;
    }
    skip(&format!("{} not installed (cargo xtask test --only install)", missing.join(", ")));
    false
}

/// Whether Node and these of its packages are installed. When not, the test should return: what is missing was noted.
///
/// # Panics
/// As [`need`].
pub fn need_node(packages: &[&str]) -> bool {
    if !need(&["node", "python3"]) {
        return false;
    }
    let is_missing = |name: &&&str| !node_packages().join(name).join("package.json").exists();
    let missing: Vec<_> = packages.iter().filter(is_missing).copied().collect();
    if !missing.is_empty() {
        skip(&format!("{} of Node not installed (cargo xtask test --only install)", missing.join(", ")));
    }
    missing.is_empty()
}

/// Where `cargo xtask test --only install` puts them.
pub(super) fn node_packages() -> PathBuf {
    root().join("target/clients/node/node_modules")
}

/// Notes that the running test leaves something out, for the summary of `cargo xtask test`.
///
/// # Panics
/// Under `CI=true`.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {why}", thread.name().unwrap_or("a test"));
    assert!(std::env::var("CI").as_deref() != Ok("true"), "skipped under CI: {line}");
    eprintln!("skipped: {line}");
    if let Some(path) = std::env::var_os("MAILWRIGHT_TEST_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("the list of skips can be written");
    }
}

fn is_installed(program: &str) -> bool {
    let mut probe = Command::new("sh");
    probe.args(["-c", "command -v \"$1\" || test -x \"/usr/sbin/$1\"", "sh", program]);
    probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
