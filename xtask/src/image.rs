//! `cargo xtask image`: an OCI image of the executable, without a daemon and without a registry.
//!
//! Owns which files an image has and how it is started. The same files give the same bytes. Leaves out building the
//! executable, and the image for users, which is the Containerfile.

mod layer;
mod layout;
mod libraries;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use self::layer::Layer;
use self::layout::Settings;
use crate::workspace;

/// User and group of the process; the pods that the operator makes say the same.
const USER: u32 = 65532;

/// Where the executable is in the image, and in the one that the Containerfile makes.
const EXECUTABLE: &str = "/usr/local/bin/mailwright";

/// Where the authorities of TLS are on Debian and in the image.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What to put into an image.
#[derive(Args)]
pub struct Options {
    /// The executable [default: target/release/mailwright, or target/debug/mailwright without it]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The file to write [default: target/image/NAME.tar]
    #[arg(long)]
    output: Option<PathBuf>,
    /// What the image is called
    #[arg(long, default_value = "localhost/mailwright:dev")]
    tag: String,
    /// Only the executable and its libraries, started as /NAME: for tools of the tests
    #[arg(long)]
    bare: bool,
}

/// Writes the image and says where.
pub fn run(options: &Options) -> Result<bool> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => built(&workspace::root().join("target"))?,
    };
    let name = options.tag.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or("image");
    let default = || workspace::root().join("target/image").join(format!("{name}.tar"));
    let output = options.output.clone().unwrap_or_else(default);
    let digest = write(&binary, &options.tag, options.bare, &output)?;
    println!("{} {digest} {}", options.tag, output.display());
    Ok(true)
}

/// Writes the image of the server from `binary`, called `tag`, to `output`.
pub fn write_server(binary: &Path, tag: &str, output: &Path) -> Result<()> {
    write(binary, tag, false, output).map(drop)
}

/// Writes an image of a tool and nothing else, called `tag`, to `output`.
pub fn write_bare(binary: &Path, tag: &str, output: &Path) -> Result<()> {
    write(binary, tag, true, output).map(drop)
}

/// Writes an image of `binary`, called `tag`, to `output`; returns the digest of its manifest.
fn write(binary: &Path, tag: &str, bare: bool, output: &Path) -> Result<String> {
    let image = if bare { bare_image(binary)? } else { server_image(binary)? };
    let archive = layout::archive(image.0, &image.1, tag)?;
    if let Some(directory) = output.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    std::fs::write(output, &archive.bytes).with_context(|| format!("cannot write {}", output.display()))?;
    Ok(archive.digest)
}

/// The executable that was built last for use, or for tests.
fn built(target: &Path) -> Result<PathBuf> {
    let profiles = ["release", "debug"].map(|profile| target.join(profile).join("mailwright"));
    let found = profiles.into_iter().find(|path| path.is_file());
    found.context("there is no executable in target/: run `cargo build --release`, or name one with --binary")
}

fn server_image(binary: &Path) -> Result<(Layer, Settings)> {
    let mut layer = Layer::new();
    layer.directory("tmp", 0o1777)?;
    layer.file("etc/passwd", 0o644, passwd().as_bytes())?;
    layer.file("etc/group", 0o644, format!("root:x:0:\nnonroot:x:{USER}:\n").as_bytes())?;
    layer.file("etc/nsswitch.conf", 0o644, b"hosts: files dns\n")?;
    let authorities = std::fs::read(AUTHORITIES)
        .with_context(|| format!("cannot read {AUTHORITIES}: install ca-certificates"))?;
    layer.file(AUTHORITIES, 0o644, &authorities)?;
    add_program(&mut layer, binary, EXECUTABLE)?;
    let settings = Settings {
        entrypoint: vec![EXECUTABLE.to_owned()],
        user: format!("{USER}:{USER}"),
        labels: vec![
            ("org.opencontainers.image.title", "mailwright"),
            ("org.opencontainers.image.licenses", "Apache-2.0 OR MIT"),
            ("org.opencontainers.image.version", env!("CARGO_PKG_VERSION")),
        ],
    };
    Ok((layer, settings))
}

fn bare_image(binary: &Path) -> Result<(Layer, Settings)> {
    let name = binary.file_name().and_then(|name| name.to_str()).context("--binary must name a file")?;
    let place = format!("/{name}");
    let mut layer = Layer::new();
    add_program(&mut layer, binary, &place)?;
    Ok((layer, Settings { entrypoint: vec![place], user: String::new(), labels: Vec::new() }))
}

/// The executable and the libraries that the loader will look for, where it will look for them.
fn add_program(layer: &mut Layer, binary: &Path, place: &str) -> Result<()> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    for library in libraries::of(binary)? {
        layer.file(&library.to_string_lossy(), 0o755, &read(&library)?)?;
    }
    layer.file(place, 0o755, &read(binary)?)
}

fn passwd() -> String {
    format!("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/tmp:/sbin/nologin\n")
}

#[cfg(test)]
mod tests;
