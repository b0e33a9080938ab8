//! The programs that make encrypted manifests for the tests, `sops` and `age`: built once from the Go module in `tests/sops`
//! into a cache directory, and found by the tests through `target/sops`.
//!
//! Who has them already names their directory in MAILWRIGHT_SOPS_BIN. How Go is found and how builds are kept is
//! [`crate::kubernetes`]'s.

use crate::kubernetes::{clear_unfinished, go, link, succeed};
use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The Go module.
const MODULE: &str = "tests/sops";

/// Where the tests look: a link to what was built.
const PLACE: &str = "target/sops";

/// What is built, and of which packages.
const PROGRAMS: &[(&str, &str)] = &[
    ("sops", "github.com/getsops/sops/v3/cmd/sops"),
    ("age", "filippo.io/age/cmd/age"),
    ("age-keygen", "filippo.io/age/cmd/age-keygen"),
];

/// Makes them be there unless that is forbidden; what is missing still, in words.
pub fn install(root: &Path, forbidden: bool) -> Result<Vec<String>> {
    if let Some(chosen) = std::env::var_os("MAILWRIGHT_SOPS_BIN").map(PathBuf::from) {
        let missing = missing_in(&chosen);
        if !missing.is_empty() {
            println!("missing: {} in MAILWRIGHT_SOPS_BIN", missing.join(", "));
        }
        return Ok(missing);
    }
    let cache = cache()?;
    let place = cache.join(&digest(root)?[..16]);
    if !missing_in(&place).is_empty() && !forbidden {
        build(root, &cache, &place)?;
    }
    let missing = missing_in(&place);
    match missing.as_slice() {
        [] => link(&place, &root.join(PLACE))?,
        _ => println!("missing: {} (encrypted manifests); built from {MODULE}", missing.join(", ")),
    }
    Ok(missing)
}

fn missing_in(place: &Path) -> Vec<String> {
    let names = PROGRAMS.iter().map(|(name, _)| *name);
    names.filter(|name| !place.join(name).exists()).map(str::to_owned).collect()
}

/// Where builds are kept from one clone to the next.
fn cache() -> Result<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("mailwright-sops"))
}

/// What the programs are made from; a change of it is another build.
fn digest(root: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    for name in ["go.mod", "go.sum"] {
        let path = root.join(MODULE).join(name);
        let text = std::fs::read(&path).with_context(|| format!("cannot read {MODULE}/{name}"))?;
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Builds into a directory beside `place` and renames it, so that a build that was cut off is not taken for one.
fn build(root: &Path, cache: &Path, place: &Path) -> Result<()> {
    let start = Instant::now();
    println!("building sops and age ({MODULE}; about four minutes on two cores the first time)");
    clear_unfinished(cache, |pid| Path::new("/proc").join(pid).exists());
    let fresh = cache.join(format!("{}{}", crate::kubernetes::UNFINISHED, std::process::id()));
    std::fs::create_dir_all(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
    let outcome = build_into(root, cache, &fresh);
    if outcome.is_ok() && !place.exists() {
        std::fs::rename(&fresh, place).with_context(|| format!("cannot make {}", place.display()))?;
    }
    let _ = std::fs::remove_dir_all(&fresh);
    match outcome {
        Ok(()) => println!("built in {} s: {}", start.elapsed().as_secs(), place.display()),
        // Without Go or a module proxy the tests that need them skip.
        Err(error) => println!("not built: {error:#}"),
    }
    Ok(())
}

fn build_into(root: &Path, cache: &Path, place: &Path) -> Result<()> {
    let go = go::find(cache)?;
    let mut output = place.as_os_str().to_owned();
    output.push("/");
    let mut command = Command::new(go);
    command.args(["build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(output);
    command.args(PROGRAMS.iter().map(|(_, package)| *package));
    succeed(command.env("CGO_ENABLED", "0").current_dir(root.join(MODULE)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn the_module_has_them_as_its_only_tools() {
        let text = std::fs::read_to_string(workspace::root().join(MODULE).join("go.mod")).unwrap();
        let tools = text.split_once("\ntool (").unwrap().1.split_once("\n)").unwrap().0;
        let mut found: Vec<&str> = tools.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let mut expected: Vec<&str> = PROGRAMS.iter().map(|(_, package)| *package).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn another_module_is_another_build() {
        let home = tempfile::tempdir().unwrap();
        let module = home.path().join(MODULE);
        std::fs::create_dir_all(&module).unwrap();
        for name in ["go.mod", "go.sum"] {
            std::fs::write(module.join(name), name).unwrap();
        }
        let first = digest(home.path()).unwrap();
        std::fs::write(module.join("go.sum"), "other").unwrap();
        assert_ne!(digest(home.path()).unwrap(), first);
        assert_eq!(missing_in(home.path()), ["sops", "age", "age-keygen"]);
    }
}
