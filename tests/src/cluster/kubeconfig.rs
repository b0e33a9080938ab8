//! The file that tells a client where a cluster is and who is asking.

use super::pki::Pair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A kubeconfig on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    path: PathBuf,
}

/// Who asks.
pub(super) enum Credentials<'a> {
    /// By certificate.
    Certificate(&'a Pair),
    /// By token.
    Token(&'a str),
}

impl Kubeconfig {
    /// Writes one into `path`.
    ///
    /// # Panics
    /// When a file cannot be read or written.
    pub(super) fn write(path: &Path, server: &str, ca: &str, credentials: &Credentials<'_>) -> Kubeconfig {
        // JSON is YAML.
        std::fs::write(path, document(server, ca, credentials).to_string()).expect("a kubeconfig");
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("a private kubeconfig");
        Kubeconfig { path: path.to_path_buf() }
    }

    /// Somebody's own.
    pub fn at(path: impl Into<PathBuf>) -> Kubeconfig {
        Kubeconfig { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same person at another door, such as a proxy that shows a certificate of the same authority.
    ///
    /// # Panics
    /// When it is not one that a control plane wrote.
    pub fn through(&self, server: &str, path: &Path) -> Kubeconfig {
        let text = std::fs::read_to_string(&self.path).expect("a kubeconfig");
        let mut document: Value = serde_json::from_str(&text).expect("it was written here");
        document["clusters"][0]["cluster"]["server"] = json!(server);
        std::fs::write(path, document.to_string()).expect("a kubeconfig");
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("a private kubeconfig");
        Kubeconfig { path: path.to_path_buf() }
    }
}

fn document(server: &str, ca: &str, credentials: &Credentials<'_>) -> Value {
    let data = |path: &Path| STANDARD.encode(std::fs::read(path).expect("a certificate"));
    let user = match credentials {
        Credentials::Certificate(pair) => json!({
            "client-certificate-data": data(&pair.certificate),
            "client-key-data": data(&pair.key),
        }),
        Credentials::Token(token) => json!({"token": token}),
    };
    let cluster = json!({"server": server, "certificate-authority-data": STANDARD.encode(ca)});
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_door_changes_the_server_alone() {
        let home = tempfile::tempdir().unwrap();
        let (first, second) = (home.path().join("first"), home.path().join("second"));
        let token = Credentials::Token("a.b.c");
        let direct = Kubeconfig::write(&first, "https://127.0.0.1:1", "authority", &token);
        let other = direct.through("https://127.0.0.1:2", &second);
        let texts = [&direct, &other].map(|config| std::fs::read_to_string(config.path()).unwrap());
        assert_ne!(texts[0], texts[1]);
        assert_eq!(texts[0], texts[1].replace("127.0.0.1:2", "127.0.0.1:1"));
        assert!(texts[0].contains(&STANDARD.encode("authority")) && texts[0].contains("a.b.c"));
        assert!(crate::harness::is_private(other.path()));
    }
}
