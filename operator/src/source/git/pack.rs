//! A pack on its way into a repository: looked through as it comes, so that libgit2 never sees one that is too large.
//!
//! Owns the limits of what one fetch may bring: bytes, objects, what they inflate to, and how deltas build on each
//! other (gitformat-pack(5)). Checking sums and resolving deltas is libgit2's.

mod scan;

use std::io::Write;

use git2::{Odb, OdbPackwriter};

use scan::Scanner;

use super::GitError;

/// What one fetch may bring.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Bytes as they come.
    bytes: u64,
    /// Objects, announced in the header; memory is set aside for each.
    objects: u32,
    /// Bytes of one object: libgit2 holds it in memory, and its base too.
    object: u64,
    /// Bytes of all objects.
    inflated: u64,
    /// Deltas that build on each other: each is worked out from all below it.
    depth: u16,
    /// Deltas that name their base instead of pointing at it: their depth shows too late.
    named: u32,
}

impl Limits {
    /// A million manifests are below 256 MiB. The largest manifest has 32 MiB, so 64 MiB is a file that is not one.
    /// Text inflates to five times its size, and 2 GiB is eight times the largest pack. Git makes chains of 50, and of
    /// 250 in earlier versions. Servers send deltas with named bases only where an earlier push brought them.
    const DEFAULT: Limits = Limits {
        bytes: 256 * 1024 * 1024,
        objects: 2_000_000,
        object: 64 * 1024 * 1024,
        inflated: 2 * 1024 * 1024 * 1024,
        depth: 250,
        named: 65_536,
    };
}

/// Writes a pack within the limits; libgit2 checks and indexes it.
pub(super) struct PackSink<'a> {
    writer: OdbPackwriter<'a>,
    scanner: Scanner,
}

impl<'a> PackSink<'a> {
    pub(super) fn new(odb: &'a Odb<'_>) -> Result<Self, GitError> {
        Ok(PackSink { writer: odb.packwriter()?, scanner: Scanner::new(Limits::DEFAULT) })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.scanner.input(bytes)?;
        let damaged =
            |error: std::io::Error| GitError::Repository(format!("the pack cannot be stored: {error}"));
        self.writer.write_all(bytes).map_err(damaged)
    }

    pub(super) fn finish(mut self) -> Result<(), GitError> {
        self.scanner.finish()?;
        self.writer.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
