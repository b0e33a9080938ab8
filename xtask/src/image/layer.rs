//! The one layer of an image: a tar with no owner, no time and no order but that in which files were added, so that the same
//! files give the same bytes. Uncompressed: it goes from here into a container runtime beside it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

/// A layer being written.
pub(super) struct Layer {
    tar: tar::Builder<Vec<u8>>,
    /// What is in it, without a leading slash.
    paths: BTreeSet<String>,
}

impl Layer {
    /// An empty one.
    pub(super) fn new() -> Layer {
        let mut tar = tar::Builder::new(Vec::new());
        tar.mode(tar::HeaderMode::Deterministic);
        Layer { tar, paths: BTreeSet::new() }
    }

    /// A file; the directories above it are made. A second one at the same path is left out.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        let path = path.trim_start_matches('/');
        if self.paths.contains(path) {
            return Ok(());
        }
        if let Some((above, _)) = path.rsplit_once('/') {
            self.directory(above, 0o755)?;
        }
        self.add(path, tar::EntryType::Regular, mode, content)
    }

    /// A directory and those above it.
    pub(super) fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        let path = path.trim_matches('/');
        if path.is_empty() || self.paths.contains(path) {
            return Ok(());
        }
        if let Some((above, _)) = path.rsplit_once('/') {
            self.directory(above, 0o755)?;
        }
        self.add(path, tar::EntryType::Directory, mode, &[])
    }

    fn add(&mut self, path: &str, kind: tar::EntryType, mode: u32, content: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        self.tar.append_data(&mut header, path, content).with_context(|| format!("cannot pack {path}"))?;
        self.paths.insert(path.to_owned());
        Ok(())
    }

    /// The tar so far, with its end.
    pub(super) fn bytes(self) -> Result<Vec<u8>> {
        self.tar.into_inner().context("cannot finish a layer")
    }
}
