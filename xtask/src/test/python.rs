//! Python packages that client tests use and Debian lacks: pinned, from the package index, into `target/clients/python`, so
//! that nothing outside of the tree changes.

use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// Where they go; the tests put it on PYTHONPATH.
const PLACE: &str = "target/clients/python";

/// Requirement, module, and what is shown with it.
const PACKAGES: &[(&str, &str, &str)] =
    &[("IMAPClient==3.0.1", "imapclient", "SORT, THREAD, CONDSTORE, QRESYNC")];

/// Installs what is missing unless that is forbidden; what is missing still.
pub fn install(root: &Path, forbidden: bool) -> Result<Vec<&'static str>> {
    let place = root.join(PLACE);
    let mut missing = Vec::new();
    for (requirement, module, why) in PACKAGES {
        if !forbidden && !is_there(&place, module) {
            println!("installing {requirement} ({why})");
            std::fs::create_dir_all(&place).context("cannot make the directory of Python packages")?;
            let mut pip = Command::new("python3");
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--disable-pip-version-check",
                "--target",
            ]);
            let pip = pip.arg(&place).arg(requirement).stdin(Stdio::null()).stderr(Stdio::null());
            // Without an index the test that needs it skips.
            let _ = pip.status();
        }
        if !is_there(&place, module) {
            println!("missing: {requirement} ({why}); a Python package");
            missing.push(*requirement);
        }
    }
    Ok(missing)
}

fn is_there(place: &Path, module: &str) -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", &format!("import {module}")]).env("PYTHONPATH", place);
    python.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_pinned() {
        for (requirement, module, why) in PACKAGES {
            assert!(requirement.contains("=="), "{requirement}");
            assert!(!module.is_empty() && !why.is_empty());
        }
    }

    #[test]
    fn what_is_not_there_is_missing() {
        assert!(!is_there(Path::new("/nonexistent"), "no_such_module_anywhere"));
    }
}
