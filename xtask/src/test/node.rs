//! Packages of Node that client tests use: pinned down to the last of them by the lock file in `tests/clients/node`, from the
//! package registry, into `target/clients/node`, so that nothing outside of the tree changes.

use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// Where they go; the tests put its `node_modules` on NODE_PATH.
const PLACE: &str = "target/clients/node";

/// What says which.
const LIST: &str = "tests/clients/node";

/// Package, the version that the list pins, and what is shown with it.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("imapflow", "1.7.8", "COMPRESS, LIST-STATUS, OBJECTID, QRESYNC, QUOTA"),
    ("nodemailer", "10.6.0", "submission with DSN parameters and attachments"),
];

/// Installs what is missing unless that is forbidden; what is missing still.
pub fn install(root: &Path, forbidden: bool) -> Result<Vec<&'static str>> {
    let place = root.join(PLACE);
    let complete = PACKAGES.iter().all(|(name, version, _)| is_there(&place, name, version));
    if !complete && !forbidden {
        let names: Vec<_> = PACKAGES.iter().map(|(name, version, _)| format!("{name}@{version}")).collect();
        println!("installing {}", names.join(" "));
        fetch(&root.join(LIST), &place)?;
    }
    let missing = PACKAGES.iter().filter(|(name, version, _)| !is_there(&place, name, version));
    Ok(missing
        .map(|(name, version, why)| {
            println!("missing: {name} {version} ({why}); a package of Node");
            *name
        })
        .collect())
}

/// Runs `npm ci` in `place` with the list and its lock. Scripts of packages stay unrun.
fn fetch(list: &Path, place: &Path) -> Result<()> {
    std::fs::create_dir_all(place).context("cannot make the directory of Node's packages")?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(list.join(name), place.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(place);
    // Without npm or a registry the tests that need them skip.
    let _ = npm.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    Ok(())
}

/// Whether this version of a package is in `place`.
fn is_there(place: &Path, name: &str, version: &str) -> bool {
    let about = std::fs::read_to_string(place.join("node_modules").join(name).join("package.json"));
    about.is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn the_list_pins_what_is_looked_for() {
        let list = std::fs::read_to_string(workspace::root().join(LIST).join("package.json")).unwrap();
        for (name, version, why) in PACKAGES {
            assert!(list.contains(&format!("\"{name}\": \"{version}\"")), "{name} {version}");
            assert!(!why.is_empty());
        }
    }

    #[test]
    fn the_lock_names_no_registry() {
        let lock = std::fs::read_to_string(workspace::root().join(LIST).join("package-lock.json")).unwrap();
        assert!(lock.contains("\"integrity\"") && !lock.contains("\"resolved\""));
    }

    #[test]
    fn what_is_not_there_is_missing() {
        assert!(!is_there(Path::new("/nonexistent"), "imapflow", "1.7.8"));
    }
}
