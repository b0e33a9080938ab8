//! Images of the test's own executable, read back as a container runtime would.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;

const TAG: &str = "localhost/mailwright:test";

fn entries(tar: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0));
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let path = entry.path().unwrap().to_string_lossy().trim_end_matches('/').to_owned();
        (path, (entry.header().mode().unwrap(), content))
    });
    entries.collect()
}

/// An image of this test, written, read back, every digest checked: configuration and files.
fn image(bare: bool) -> (Value, BTreeMap<String, (u32, Vec<u8>)>) {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("deep/er/image.tar");
    let binary = std::env::current_exe().unwrap();
    let digest = write(&binary, TAG, bare, &output).unwrap();
    let bytes = std::fs::read(&output).unwrap();
    assert_eq!(write(&binary, TAG, bare, &output).unwrap(), digest);
    assert!(bytes == std::fs::read(&output).unwrap(), "the same files give the same bytes");
    let outer = entries(&bytes);
    let json = |path: &str| serde_json::from_slice::<Value>(&outer[path].1).unwrap();
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        let content = &outer[&format!("blobs/{}", digest.replace(':', "/"))].1;
        let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, format!("sha256:{hex}"));
        assert_eq!(descriptor["size"], content.len());
        content.clone()
    };
    assert_eq!(json("oci-layout")["imageLayoutVersion"], "1.0.0");
    let entry = &json("index.json")["manifests"][0];
    assert_eq!(entry["digest"].as_str(), Some(digest.as_str()));
    assert_eq!(entry["annotations"]["io.containerd.image.name"], TAG);
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "test");
    let manifest: Value = serde_json::from_slice(&blob(entry)).unwrap();
    let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
    let layer = &manifest["layers"][0];
    assert_eq!(config["rootfs"]["diff_ids"][0], layer["digest"], "an uncompressed layer has one digest");
    (config["config"].clone(), entries(&blob(layer)))
}

#[test]
fn the_servers_image_has_what_a_server_needs_and_runs_as_nobody() {
    let (config, files) = image(false);
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!([EXECUTABLE]));
    let mode = |path: &str| files.get(path).map(|(mode, _)| *mode);
    for (path, expected) in [
        ("usr/local/bin/mailwright", 0o755),
        ("usr/local", 0o755),
        ("tmp", 0o1777),
        ("etc/passwd", 0o644),
        ("etc/ssl/certs/ca-certificates.crt", 0o644),
    ] {
        assert_eq!(mode(path), Some(expected), "{path}");
    }
    assert!(files["etc/passwd"].1.ends_with(b"nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"));
    assert!(files.keys().any(|path| path.contains("libc.so")), "the loader finds its libraries");
    let shells = files.keys().filter(|path| path.ends_with("/sh")).count();
    assert_eq!(shells, 0, "there is no shell");
}

#[test]
fn a_bare_image_is_one_program() {
    let (config, files) = image(true);
    let name = std::env::current_exe().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(config["Entrypoint"], serde_json::json!([format!("/{name}")]));
    assert_eq!((config.get("User"), config.get("Labels")), (None, None));
    assert!(files.contains_key(&name) && !files.contains_key("etc/passwd"));
}

#[test]
fn the_newer_use_is_preferred_and_a_missing_executable_has_a_remedy() {
    let target = tempfile::tempdir().unwrap();
    let refused = built(target.path()).unwrap_err().to_string();
    assert!(refused.contains("cargo build --release") && refused.contains("--binary"), "{refused}");
    for (profile, expected) in [("debug", "debug/mailwright"), ("release", "release/mailwright")] {
        std::fs::create_dir(target.path().join(profile)).unwrap();
        std::fs::write(target.path().join(profile).join("mailwright"), "").unwrap();
        assert_eq!(built(target.path()).unwrap(), target.path().join(expected));
    }
    let output = target.path().join("image.tar");
    let unnamed = write(&std::env::current_exe().unwrap(), "mailwright", true, &output).unwrap_err();
    assert!(unnamed.to_string().contains("write NAME:TAG"), "{unnamed}");
}

#[test]
fn the_containerfile_makes_the_same_image_for_users() {
    let text = std::fs::read_to_string(workspace::root().join("Containerfile")).unwrap();
    for line in [
        format!("ENTRYPOINT [\"{EXECUTABLE}\"]"),
        format!("USER {USER}:{USER}"),
        format!("FROM docker.io/library/rust:{}-bookworm AS build", rust_version()),
    ] {
        assert!(text.lines().any(|other| other == line), "{line}");
    }
}

/// The oldest toolchain that builds the workspace.
fn rust_version() -> String {
    let text = std::fs::read_to_string(workspace::root().join("Cargo.toml")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    line.trim_matches('"').to_owned()
}
