//! cert-manager's controller and its definitions, out of a Go module of its own: in the module of Kubernetes its older
//! dependencies would take part in every choice of versions.
//!
//! Its web hook and CA injector are not built. The definitions name one version each, so no web hook converts anything.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// The Go module.
pub const MODULE: &str = "tests/kubernetes/certmanager";

/// What is built of it.
pub const PACKAGE: &str = "github.com/cert-manager/cert-manager/cmd/controller";

/// What the controller is called among the tools.
pub const CONTROLLER: &str = "cert-manager-controller";

/// The file of the definitions.
pub const DEFINITIONS: &str = "cert-manager.yaml";

/// Builds the controller into `place`, the definitions of the same version beside it.
pub fn build(go: &Path, root: &Path, place: &Path) -> Result<()> {
    let module = root.join(MODULE);
    let mut command = Command::new(go);
    command.args(["build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o"]);
    command.arg(place.join(CONTROLLER)).arg(PACKAGE).env("CGO_ENABLED", "0").current_dir(&module);
    super::succeed(&mut command)?;

    let mut list = Command::new(go);
    list.args(["list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager"]);
    let output = list.current_dir(&module).stdin(Stdio::null()).output().context("cannot run go list")?;
    let directory = String::from_utf8(output.stdout).context("the directory of cert-manager")?;
    let charts = Path::new(directory.trim()).join("deploy/crds");
    let mut paths: Vec<_> = std::fs::read_dir(&charts)
        .with_context(|| format!("cannot read {}", charts.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    let mut texts = Vec::new();
    for path in paths {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        texts.push(plain(&text));
    }
    if texts.is_empty() {
        bail!("{} has no definitions", charts.display());
    }
    let output = place.join(DEFINITIONS);
    std::fs::write(&output, texts.join("---\n")).with_context(|| format!("cannot write {}", output.display()))
}

/// A definition without the lines that are a template's: labels that a chart fills in, which nobody here looks at.
fn plain(template: &str) -> String {
    let lines = template.lines().filter(|line| !line.contains("{{"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn a_template_becomes_what_an_api_server_takes() {
        for (template, expected) in [
            ("kind: A\n", "kind: A\n"),
            (
                "metadata:\n  labels:\n    app: '{{ template \"name\" . }}'\n    # made {{- include \"x\" . }}\nspec: {}\n",
                "metadata:\n  labels:\nspec: {}\n",
            ),
            ("{{- if .Values.x }}\nkind: A\n{{- end }}\n", "kind: A\n"),
        ] {
            assert_eq!(plain(template), expected, "{template}");
        }
    }

    #[test]
    fn the_module_has_the_controller_as_its_only_tool() {
        let text = std::fs::read_to_string(workspace::root().join(MODULE).join("go.mod")).unwrap();
        assert_eq!(text.matches("\ntool ").count(), 1);
        assert!(text.contains(&format!("\ntool {PACKAGE}\n")), "{text}");
    }
}
