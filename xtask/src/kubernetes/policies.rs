//! kube-router, of which only the part that enforces NetworkPolicies is used, out of a Go module of its own: in the module of
//! Kubernetes its dependencies would take part in every choice of versions.

use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// The Go module.
pub const MODULE: &str = "tests/kubernetes/policies";

/// What is built of it.
pub const PACKAGE: &str = "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router";

/// What it is called among the tools.
pub const ROUTER: &str = "kube-router";

/// Builds it into `place`.
pub fn build(go: &Path, root: &Path, place: &Path) -> Result<()> {
    let mut command = Command::new(go);
    command.args(["build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o"]);
    command.arg(place.join(ROUTER)).arg(PACKAGE).env("CGO_ENABLED", "0").current_dir(root.join(MODULE));
    super::succeed(&mut command)
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
}
