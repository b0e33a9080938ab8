//! An OCI image layout in a tar (image-spec 1.0: `oci-layout`, `index.json`, `blobs/sha256`), as `ctr images import`,
//! `podman load` and `skopeo` read it.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::layer::Layer;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// How a container of the image is started.
pub(super) struct Settings {
    /// The command.
    pub(super) entrypoint: Vec<String>,
    /// `uid:gid`; empty for what the runtime says.
    pub(super) user: String,
    /// Labels of the image.
    pub(super) labels: Vec<(&'static str, &'static str)>,
}

/// A finished image.
pub(super) struct Archive {
    /// The tar.
    pub(super) bytes: Vec<u8>,
    /// The digest of its manifest.
    pub(super) digest: String,
}

/// A part of an image, found by its digest.
struct Blob {
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Blob {
        let hex: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Blob { digest: format!("sha256:{hex}"), bytes }
    }

    fn json(value: &Value) -> Blob {
        Blob::new(value.to_string().into_bytes())
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest, "size": self.bytes.len()})
    }

    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }
}

/// The image of one layer, called `tag`.
pub(super) fn archive(layer: Layer, settings: &Settings, tag: &str) -> Result<Archive> {
    let layer = Blob::new(layer.bytes()?);
    let config = Blob::json(&configuration(settings, &layer));
    let manifest = Blob::json(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(CONFIG),
        "layers": [layer.descriptor(LAYER)],
    }));
    let index = index(&manifest, tag)?;
    let mut outer = Layer::new();
    outer.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    outer.file("index.json", 0o644, index.to_string().as_bytes())?;
    for blob in [&manifest, &config, &layer] {
        outer.file(&blob.path(), 0o644, &blob.bytes)?;
    }
    Ok(Archive { bytes: outer.bytes()?, digest: manifest.digest })
}

fn index(manifest: &Blob, tag: &str) -> Result<Value> {
    let (_, version) = tag.rsplit_once(':').with_context(|| format!("{tag}: write NAME:TAG"))?;
    let mut entry = manifest.descriptor(MANIFEST);
    entry["annotations"] =
        json!({"io.containerd.image.name": tag, "org.opencontainers.image.ref.name": version});
    entry["platform"] = json!({"architecture": architecture(), "os": "linux"});
    Ok(json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
}

fn configuration(settings: &Settings, layer: &Blob) -> Value {
    let mut process = json!({
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
        "Entrypoint": settings.entrypoint,
        "WorkingDir": "/",
    });
    if !settings.user.is_empty() {
        process["User"] = json!(settings.user);
    }
    if !settings.labels.is_empty() {
        let labels = settings.labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value)));
        process["Labels"] = Value::Object(Map::from_iter(labels));
    }
    json!({
        "architecture": architecture(),
        "os": "linux",
        "config": process,
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        "history": [{"created_by": "cargo xtask image"}],
    })
}

/// What Go, and so every registry, calls the architecture of this machine.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
