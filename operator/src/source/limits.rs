//! What a source may hold, whichever kind it is. Limits of one file are in `yaml`.

/// Manifest files of one source: one account per file and as many again.
pub(super) const MAX_FILES: usize = 200_000;
/// Entries looked at, whatever they are: someone may point at a home directory.
pub(super) const MAX_ENTRIES: usize = 1_000_000;
/// Levels of directories.
pub(super) const MAX_DEPTH: usize = 32;
/// All manifests together: what is in memory while they are read.
pub(super) const MAX_TOTAL_BYTES: u64 = 512 * 1024 * 1024;
