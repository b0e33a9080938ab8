//! Where the programs of Kubernetes are. Building them is `cargo xtask test --only install`.

use crate::harness::{root, skip};
use std::path::{Path, PathBuf};

/// What a control plane is made of.
pub const CONTROL_PLANE: &[&str] =
    &["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"];

/// Directories that hold programs of Kubernetes, the first one that has a program being right.
#[derive(Debug, Clone)]
pub struct Tools {
    places: Vec<PathBuf>,
}

impl Tools {
    /// What somebody chose (`MAILWRIGHT_KUBERNETES_BIN`, then `KUBEBUILDER_ASSETS`), and after it what xtask built.
    pub fn find() -> Tools {
        let chosen = ["MAILWRIGHT_KUBERNETES_BIN", "KUBEBUILDER_ASSETS"].map(std::env::var_os);
        let chosen = chosen.into_iter().flatten().map(PathBuf::from);
        Tools { places: chosen.chain([root().join("target/kubernetes")]).collect() }
    }

    /// The program called `name`.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.places.iter().map(|place| place.join(name)).find(|path| path.exists())
    }

    /// The program called `name`, which [`need_tools`] has found.
    ///
    /// # Panics
    /// When it is not there.
    pub fn program(&self, name: &str) -> PathBuf {
        self.path(name).unwrap_or_else(|| panic!("{name} is in none of {:?}", self.places))
    }

    /// Those of `names` that are in none of the places.
    pub fn missing<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        names.iter().filter(|name| self.path(name).is_none()).copied().collect()
    }

    /// PATH with these programs in front, for scripts that call several of them.
    pub fn search_path(&self) -> String {
        let places = self.places.iter().filter(|place| place.is_dir()).map(|place| display(place));
        places.chain(std::env::var("PATH").ok()).collect::<Vec<_>>().join(":")
    }
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

/// The programs, if all of `names` are there. When not, the test should return: what is missing was noted.
///
/// # Panics
/// Under `CI=true`, because a green run must mean that everything ran.
pub fn need_tools(names: &[&str]) -> Option<Tools> {
    let tools = Tools::find();
    let missing = tools.missing(names);
    if missing.is_empty() {
        return Some(tools);
    }
    skip(&format!("{} not built (cargo xtask test --only install)", missing.join(", ")));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_has_a_program_wins() {
        let home = tempfile::tempdir().unwrap();
        let place = |name: &str, programs: &[&str]| {
            let place = home.path().join(name);
            std::fs::create_dir(&place).unwrap();
            programs.iter().for_each(|program| std::fs::write(place.join(program), "").unwrap());
            place
        };
        let tools = Tools {
            places: vec![place("chosen", &["etcd"]), place("built", &["etcd", "kubectl"]), "/none".into()],
        };
        for (program, expected) in
            [("etcd", Some("chosen/etcd")), ("kubectl", Some("built/kubectl")), ("kubelet", None)]
        {
            assert_eq!(tools.path(program), expected.map(|path| home.path().join(path)), "{program}");
        }
        assert_eq!(tools.missing(&["etcd", "kubelet", "helm"]), ["kubelet", "helm"]);
        assert!(tools.search_path().starts_with(&display(&home.path().join("chosen"))));
        assert!(!tools.search_path().contains("/none"));
    }
}
