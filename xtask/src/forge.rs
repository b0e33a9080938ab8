//! The forge that previews are tested with, Gitea: built once from the Go module in `tests/forge` into a cache directory, and
//! found by the tests through `target/forge`.
//!
//! Its pages for people are not built (they need Node); its templates and texts, without which it does not start, come along
//! from the module. Who has it already names its directory in MAILWRIGHT_FORGE_BIN. How Go is found and how builds are kept is
//! [`crate::kubernetes`]'s.

use crate::kubernetes::{clear_unfinished, go, link, succeed};
use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The Go module.
const MODULE: &str = "tests/forge";

/// What is built of it.
const PACKAGE: &str = "code.gitea.io/gitea";

/// Where the tests look: a link to what was built.
const PLACE: &str = "target/forge";

/// With its own database in the executable; a C compiler makes that.
const TAGS: &str = "sqlite sqlite_unlock_notify";

/// The executable, and the directories of the module that it reads.
const ALL: &[&str] = &["gitea", "options", "templates", "public"];

/// Makes it be there unless that is forbidden; what is missing still, in words.
pub fn install(root: &Path, forbidden: bool) -> Result<Vec<String>> {
    if let Some(chosen) = std::env::var_os("MAILWRIGHT_FORGE_BIN").map(PathBuf::from) {
        let missing = missing_in(&chosen);
        if !missing.is_empty() {
            println!("missing: {} in MAILWRIGHT_FORGE_BIN", missing.join(", "));
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
        _ => println!("missing: Gitea (a forge for previews); built from {MODULE}"),
    }
    Ok(if missing.is_empty() { missing } else { vec!["Gitea".to_owned()] })
}

fn missing_in(place: &Path) -> Vec<String> {
    ALL.iter().filter(|name| !place.join(name).exists()).map(|name| (*name).to_owned()).collect()
}

/// Where builds are kept from one clone to the next.
fn cache() -> Result<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("mailwright-forge"))
}

/// What it is made from; a change of it is another build.
fn digest(root: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    for name in ["go.mod", "go.sum"] {
        let path = root.join(MODULE).join(name);
        let text = std::fs::read(&path).with_context(|| format!("cannot read {MODULE}/{name}"))?;
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.update(TAGS);
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Builds into a directory beside `place` and renames it, so that a build that was cut off is not taken for one.
fn build(root: &Path, cache: &Path, place: &Path) -> Result<()> {
    let start = Instant::now();
    println!("building Gitea ({MODULE}; about five minutes on two cores the first time)");
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
        // Without Go, a C compiler or a module proxy the tests that need it skip.
        Err(error) => println!("not built: {error:#}"),
    }
    Ok(())
}

fn build_into(root: &Path, cache: &Path, place: &Path) -> Result<()> {
    let (go, module) = (go::find(cache)?, root.join(MODULE));
    let mut command = Command::new(&go);
    command.args(["build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-tags", TAGS, "-o"]);
    command.arg(place.join("gitea")).arg(PACKAGE);
    succeed(command.env("CGO_ENABLED", "1").current_dir(&module))?;
    let mut list = Command::new(&go);
    list.args(["list", "-m", "-f", "{{.Dir}}", PACKAGE]);
    let output = list.current_dir(&module).stdin(Stdio::null()).output().context("cannot run go list")?;
    let directory = String::from_utf8(output.stdout).context("the directory of the module")?;
    for name in &ALL[1..] {
        // The modules of Go are read-only, and a directory of that kind can hardly be removed again.
        let mut copy = Command::new("cp");
        copy.args(["-r", "--no-preserve=mode"]).arg(Path::new(directory.trim()).join(name)).arg(place);
        succeed(&mut copy)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn the_module_has_it_as_its_only_tool() {
        let text = std::fs::read_to_string(workspace::root().join(MODULE).join("go.mod")).unwrap();
        assert_eq!(text.matches("\ntool ").count(), 1);
        assert!(text.contains(&format!("\ntool {PACKAGE}\n")), "{text}");
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
        assert_eq!(missing_in(home.path()), ALL);
    }
}
