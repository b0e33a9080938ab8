//! The programs of Kubernetes that tests run: built once from the Go module in `tests/kubernetes` into a cache directory, and
//! found by the tests through `target/kubernetes`.
//!
//! Owns when they are built and where they go. Leaves out what they are, which is the module's, and running them, which is
//! `tests/src/cluster`. Who has them already says so with MAILWRIGHT_KUBERNETES_BIN.

pub mod certmanager;
pub mod go;
pub mod policies;

use crate::image;
use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The module.
const MODULE: &str = "tests/kubernetes";

/// Where the tests look: a link to what was built.
const PLACE: &str = "target/kubernetes";

/// What the module's one large executable is called by.
const PARTS: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
];

/// Everything that is built. The images are what a node is given, because it can fetch none.
const ALL: &[&str] = &[
    "kubernetes",
    "coredns",
    "helm",
    "kubeconform",
    certmanager::CONTROLLER,
    certmanager::DEFINITIONS,
    policies::ROUTER,
    "pause",
    "images/pause.tar",
    "images/coredns.tar",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
];

/// What decides what is built, below the module.
const SOURCES: &[&str] = &[
    "go.mod",
    "go.sum",
    "cmd/kubernetes/main.go",
    "cmd/coredns/main.go",
    "certmanager/go.mod",
    "certmanager/go.sum",
    "policies/go.mod",
    "policies/go.sum",
    "pause.c",
];

/// The packages of the module's tools, beside its own mains.
const TOOLS: &[&str] =
    &["./cmd/...", "helm.sh/helm/v3/cmd/helm", "github.com/yannh/kubeconform/cmd/kubeconform"];

/// The version that they say they are; the module pins it.
const VERSION: &str = "1.36.3";

/// Makes them be there unless that is forbidden; what is missing still, in words.
pub fn install(root: &Path, forbidden: bool) -> Result<Vec<String>> {
    if let Some(chosen) = std::env::var_os("MAILWRIGHT_KUBERNETES_BIN").map(PathBuf::from) {
        let missing = missing_in(&chosen);
        if !missing.is_empty() {
            println!("missing: {} in MAILWRIGHT_KUBERNETES_BIN", missing.join(", "));
        }
        return Ok(missing);
    }
    let place = cache()?.join(&digest(root)?[..16]);
    if !missing_in(&place).is_empty() && !forbidden {
        build(root, &place)?;
    }
    let missing = missing_in(&place);
    match missing.as_slice() {
        [] => link(&place, &root.join(PLACE))?,
        _ => println!("missing: programs of Kubernetes (a control plane and a node); built from {MODULE}"),
    }
    Ok(if missing.is_empty() { missing } else { vec!["programs of Kubernetes".to_owned()] })
}

fn missing_in(place: &Path) -> Vec<String> {
    ALL.iter().filter(|name| !place.join(name).exists()).map(|name| (*name).to_owned()).collect()
}

/// Where builds are kept from one clone to the next.
fn cache() -> Result<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("mailwright-kubernetes"))
}

/// What the programs are made from; a change of it is another build.
fn digest(root: &Path) -> Result<String> {
    let module = root.join(MODULE);
    let mut digest = Sha256::new();
    for name in SOURCES {
        let text =
            std::fs::read(module.join(name)).with_context(|| format!("cannot read {MODULE}/{name}"))?;
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.update(TOOLS.join(" "));
    digest.update(VERSION);
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a build works in, before the number of its process.
pub(crate) const UNFINISHED: &str = "unfinished-";

/// Builds into a directory beside `place` and renames it, so that a build that was cut off is not taken for one.
fn build(root: &Path, place: &Path) -> Result<()> {
    let start = Instant::now();
    println!(
        "building the programs of Kubernetes ({MODULE}; about fourteen minutes on two cores the first time)"
    );
    let parent = place.parent().context("a cache directory")?;
    clear_unfinished(parent, |pid| Path::new("/proc").join(pid).exists());
    let fresh = parent.join(format!("{UNFINISHED}{}", std::process::id()));
    std::fs::create_dir_all(fresh.join("images"))
        .with_context(|| format!("cannot make {}", fresh.display()))?;
    let outcome = build_into(root, parent, &fresh);
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

/// Removes what builds have left that were killed: directories named after processes that run no more.
pub(crate) fn clear_unfinished(cache: &Path, runs: impl Fn(&str) -> bool) {
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let of = name.strip_prefix(UNFINISHED).filter(|pid| pid.parse::<u32>().is_ok());
        if of.is_some_and(|pid| !runs(pid)) {
            // What cannot be removed costs room and nothing else.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn build_into(root: &Path, cache: &Path, place: &Path) -> Result<()> {
    let go = go::find(cache)?;
    let minor = VERSION.split('.').nth(1).unwrap_or_default();
    let prefix = "-X k8s.io/component-base/version.git";
    let flags = format!("-s -w {prefix}Version=v{VERSION} {prefix}Major=1 {prefix}Minor={minor}");
    let mut output = place.as_os_str().to_owned();
    output.push("/");
    let mut command = Command::new(&go);
    command.args(["build", "-buildvcs=false", "-trimpath", "-ldflags", &flags, "-o"]).arg(output);
    command.args(TOOLS).env("CGO_ENABLED", "0").current_dir(root.join(MODULE));
    succeed(&mut command)?;
    certmanager::build(&go, root, place)?;
    policies::build(&go, root, place)?;
    for part in PARTS {
        std::os::unix::fs::symlink("kubernetes", place.join(part))
            .with_context(|| format!("cannot link {part}"))?;
    }
    let pause = place.join("pause");
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-Os", "-s", "-o"]).arg(&pause).arg(root.join(MODULE).join("pause.c"));
    succeed(&mut compiler)?;
    for name in ["pause", "coredns"] {
        let output = place.join("images").join(format!("{name}.tar"));
        image::write_bare(&place.join(name), &format!("localhost/{name}:test"), &output)?;
    }
    Ok(())
}

pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot run {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status}); see above");
    }
    Ok(())
}

/// Makes `link` lead to `place`, whatever it led to before.
pub(crate) fn link(place: &Path, link: &Path) -> Result<()> {
    if std::fs::read_link(link).is_ok_and(|target| target == place) {
        return Ok(());
    }
    let directory = link.parent().context("a place in the tree")?;
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let fresh = directory.join(format!("link-{}", std::process::id()));
    std::os::unix::fs::symlink(place, &fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
    std::fs::rename(&fresh, link).with_context(|| format!("cannot make {}", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn the_module_pins_the_version_that_is_said() {
        let text = std::fs::read_to_string(workspace::root().join(MODULE).join("go.mod")).unwrap();
        assert!(text.contains(&format!("k8s.io/kubernetes v{VERSION}\n")));
        for tool in TOOLS.iter().filter(|tool| !tool.starts_with('.')) {
            assert!(text.contains(&format!("\t{tool}\n")), "{tool} is no tool of the module");
        }
    }

    #[test]
    fn every_part_is_one_that_the_executable_knows() {
        let main = workspace::root().join(MODULE).join("cmd/kubernetes/main.go");
        let main = std::fs::read_to_string(main).unwrap();
        for part in PARTS {
            assert!(main.contains(&format!("\"{part}\":")) && ALL.contains(part), "{part}");
        }
    }

    #[test]
    fn another_source_is_another_build() {
        let home = tempfile::tempdir().unwrap();
        let module = home.path().join(MODULE);
        for name in SOURCES {
            std::fs::create_dir_all(module.join(name).parent().unwrap()).unwrap();
            std::fs::write(module.join(name), name).unwrap();
        }
        let first = digest(home.path()).unwrap();
        assert_eq!((first.len(), digest(home.path()).unwrap()), (64, first.clone()));
        for name in SOURCES {
            std::fs::write(module.join(name), "other").unwrap();
            assert_ne!(digest(home.path()).unwrap(), first, "{name}");
            std::fs::write(module.join(name), name).unwrap();
        }
    }

    #[test]
    fn the_link_follows_the_last_build() {
        let home = tempfile::tempdir().unwrap();
        let at = home.path().join("target/kubernetes");
        for place in ["first", "second", "second"] {
            link(&home.path().join(place), &at).unwrap();
            assert_eq!(std::fs::read_link(&at).unwrap(), home.path().join(place));
        }
        assert_eq!(std::fs::read_dir(home.path().join("target")).unwrap().count(), 1);
    }

    #[test]
    fn only_what_killed_builds_have_left_is_removed() {
        let cache = tempfile::tempdir().unwrap();
        for name in ["unfinished-7", "unfinished-8", "unfinished-mine", "1f2e3d", "go"] {
            std::fs::create_dir_all(cache.path().join(name).join("images")).unwrap();
        }
        clear_unfinished(cache.path(), |pid| pid == "8");
        let entries = std::fs::read_dir(cache.path()).unwrap().flatten();
        let mut left: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["1f2e3d", "go", "unfinished-8", "unfinished-mine"]);
    }
}
