//! What the tasks know about the tree: its root, its files, and the dependency graph that cargo resolved.
//!
//! Leaves out every rule; those are in `tidy` and `licences`.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One broken rule, printed as `place: message`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// A path (with a line where there is one) or a package.
    pub place: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Finding {
    /// A finding at `place`.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.message)
    }
}

/// The workspace's root directory.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A text file of the tree, with its path relative to the root.
#[derive(Debug)]
pub struct Source {
    /// Relative path with forward slashes.
    pub path: String,
    /// The whole file.
    pub text: String,
}

/// Every text file that git tracks or would track; files that are deleted but not yet committed are left out.
pub fn sources() -> Result<Vec<Source>> {
    let root = root();
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .context("cannot run git to list the files of the tree")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let paths: BTreeSet<_> = output.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty()).collect();
    let mut sources = Vec::new();
    for path in paths {
        let path = String::from_utf8_lossy(path).into_owned();
        if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
            sources.push(Source { path, text });
        }
    }
    Ok(sources)
}

/// One package of the resolved graph.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// Name as in its manifest.
    pub name: String,
    /// Version as in its manifest.
    pub version: String,
    /// SPDX expression, if it has one.
    pub licence: Option<String>,
    /// The native library it links, cargo's `links` key.
    pub links: Option<String>,
    /// Whether it is a member of this workspace.
    pub member: bool,
    /// Ids of what it needs to be built and run: normal and build dependencies, not those of its tests.
    pub uses: Vec<String>,
}

/// The dependency graph of this host's platform, by package id.
pub type Graph = BTreeMap<String, Package>;

/// Asks cargo for the resolved graph. Nothing is downloaded that the build would not download.
pub fn graph() -> Result<Graph> {
    let host = host_triple()?;
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &host])
        .current_dir(root())
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    parse_graph(&serde_json::from_slice(&output.stdout)?)
}

/// The cargo that runs us, so that a toolchain override holds for what we start too.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn host_triple() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc -vV names no host")
}

fn parse_graph(metadata: &Value) -> Result<Graph> {
    let members: BTreeSet<&str> =
        array(metadata, "workspace_members")?.iter().filter_map(Value::as_str).collect();
    let mut graph = Graph::new();
    for package in array(metadata, "packages")? {
        let text = |key: &str| package[key].as_str().map(str::to_owned);
        let id = text("id").context("a package without id")?;
        let member = members.contains(id.as_str());
        graph.insert(
            id,
            Package {
                name: text("name").unwrap_or_default(),
                version: text("version").unwrap_or_default(),
                licence: text("license"),
                links: text("links"),
                member,
                uses: Vec::new(),
            },
        );
    }
    let manifests: BTreeMap<&str, &Value> = array(metadata, "packages")?
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    for node in array(&metadata["resolve"], "nodes")? {
        let id = node["id"].as_str().unwrap_or_default();
        let Some(manifest) = manifests.get(id) else { continue };
        let edges = array(node, "deps")?.iter().filter(|edge| is_shipped(edge));
        let uses = edges.filter_map(|edge| edge["pkg"].as_str()).filter(|used| {
            let name = manifests.get(used).map_or("", |used| used["name"].as_str().unwrap_or_default());
            is_switched_on(manifest, node, name)
        });
        let uses = uses.map(str::to_owned).collect();
        if let Some(package) = graph.get_mut(id) {
            package.uses = uses;
        }
    }
    Ok(graph)
}

/// Whether a dependency edge is more than a `dev-dependencies` entry.
fn is_shipped(edge: &Value) -> bool {
    edge["dep_kinds"].as_array().is_none_or(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
}

/// Whether the enabled features of `node` build its dependency `name`. cargo metadata lists an optional dependency that
/// is only mentioned weakly (`ring?/alloc`) as if it were used; cargo build leaves it out, and so do we.
fn is_switched_on(manifest: &Value, node: &Value, name: &str) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let dependencies = list(&manifest["dependencies"]);
    let mut entries = dependencies.iter().filter(|entry| entry["name"] == name).peekable();
    let definitions: Vec<Value> = list(&node["features"])
        .iter()
        .filter_map(Value::as_str)
        .flat_map(|feature| list(&manifest["features"][feature]))
        .collect();
    entries.peek().is_none()
        || entries.any(|entry| {
            let key = entry["rename"].as_str().unwrap_or(name);
            let (by_name, with_feature) = (format!("dep:{key}"), format!("{key}/"));
            let switches = |text: &str| text == by_name || text.starts_with(&with_feature);
            entry["optional"] != true || definitions.iter().filter_map(Value::as_str).any(switches)
        })
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key].as_array().with_context(|| format!("cargo metadata without {key}"))
}

/// Ids of everything reachable from `start` over shipped edges, `start` left out.
pub fn closure<'a>(graph: &'a Graph, start: &'a str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        let Some(package) = graph.get(id) else { continue };
        open.extend(package.uses.iter().map(String::as_str).filter(|next| seen.insert(*next)));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Graph {
        let deps = |pkg: &str, kind: Value| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "workspace_members": ["a 1"],
            "packages": [
                {"id": "a 1", "name": "a", "version": "1", "license": "MIT", "links": null},
                {"id": "b 1", "name": "b", "version": "1", "license": null, "links": "z"},
                {"id": "c 1", "name": "c", "version": "1"},
                {"id": "d 1", "name": "d", "version": "1"},
            ],
            "resolve": {"nodes": [
                {"id": "a 1", "deps": [deps("b 1", Value::Null), deps("d 1", json!("dev"))]},
                {"id": "b 1", "deps": [deps("c 1", json!("build"))]},
                {"id": "c 1", "deps": [deps("b 1", Value::Null)]},
                {"id": "d 1", "deps": []},
            ]},
        });
        parse_graph(&metadata).unwrap()
    }

    #[test]
    fn a_graph_keeps_normal_and_build_edges_and_drops_those_of_tests() {
        let graph = sample();
        assert_eq!(graph["a 1"].uses, ["b 1"]);
        assert_eq!(graph["b 1"].uses, ["c 1"]);
        assert!(graph["a 1"].member && !graph["b 1"].member);
        assert_eq!(graph["b 1"].links.as_deref(), Some("z"));
    }

    #[test]
    fn the_closure_follows_cycles_once() {
        let graph = sample();
        assert_eq!(closure(&graph, "a 1"), BTreeSet::from(["b 1", "c 1"]));
        assert_eq!(closure(&graph, "d 1"), BTreeSet::new());
    }

    #[test]
    fn an_optional_dependency_counts_once_a_feature_switches_it_on() {
        let manifest = json!({
            "dependencies": [
                {"name": "ring", "optional": true, "rename": null},
                {"name": "log", "optional": false, "rename": null},
                {"name": "old-name", "optional": true, "rename": "fresh"},
            ],
            "features": {"std": ["ring?/std"], "ring": ["dep:ring"], "fast": ["ring/asm"], "new": ["dep:fresh"]},
        });
        for (features, name, expected) in [
            (vec!["std"], "ring", false),
            (vec!["std", "ring"], "ring", true),
            (vec!["fast"], "ring", true),
            (vec![], "log", true),
            (vec![], "old-name", false),
            (vec!["new"], "old-name", true),
        ] {
            let node = json!({"features": features});
            assert_eq!(is_switched_on(&manifest, &node, name), expected, "{features:?} {name}");
        }
    }

    #[test]
    fn metadata_that_is_not_metadata_is_an_error() {
        let error = parse_graph(&json!({"packages": []})).unwrap_err();
        assert_eq!(error.to_string(), "cargo metadata without workspace_members");
    }

    #[test]
    fn this_tree_lists_its_own_files() {
        let paths: Vec<_> = sources().unwrap().into_iter().map(|source| source.path).collect();
        assert!(
            paths.contains(&"Cargo.toml".to_owned()) && paths.contains(&"xtask/src/workspace.rs".to_owned())
        );
    }
}
