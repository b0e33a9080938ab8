//! Room on the disk. New messages leave a reserve, so that flags can be set and messages be removed on a disk that is full of
//! mail: whoever cannot delete can never make room again.
//!
//! Leaves out what others write to the same disk: the reserve is measured, not set aside.

use std::path::PathBuf;

use crate::error::{Error, Result};

/// Octets that new messages leave free: the write-ahead log of several thousand changed pages.
const RESERVE: u64 = 16 * 1024 * 1024;
/// On a small file system the reserve is this part of it at most.
const RESERVE_PART: u64 = 8;

/// Of the reserve, the part that new and changed accounts leave: an operator that tries again for hours must not use up what
/// setting flags and removing needs.
const ACCOUNTS_PART: u64 = 4;

/// The file system of the data directory.
pub(crate) struct Space {
    directory: PathBuf,
    reserve: Option<u64>,
}

impl Space {
    pub(super) fn new(directory: PathBuf, reserve: Option<u64>) -> Self {
        Self { directory, reserve }
    }

    /// Refuses new octets that would touch the reserve.
    pub(crate) fn take(&self, bytes: u64) -> Result<()> {
        if self.has(bytes) { Ok(()) } else { Err(Error::NoSpace) }
    }

    /// Refuses new and changed accounts when the last of the reserve is reached; these may use the rest of it.
    pub(crate) fn take_for_accounts(&self) -> Result<()> {
        match self.octets() {
            Some((total, free)) if free < usual(total) / ACCOUNTS_PART => Err(Error::NoSpace),
            _ => Ok(()),
        }
    }

    /// Octets that are left.
    pub(super) fn free(&self) -> Option<u64> {
        self.octets().map(|(_, free)| free)
    }

    pub(super) fn has(&self, bytes: u64) -> bool {
        // A file system that does not say refuses the write itself.
        self.octets().is_none_or(|(total, free)| {
            bytes.saturating_add(self.reserve.unwrap_or_else(|| usual(total))) <= free
        })
    }

    /// All octets of the file system, and those that are free.
    fn octets(&self) -> Option<(u64, u64)> {
        let disk = rustix::fs::statvfs(&self.directory).ok()?;
        let octets = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Some((octets(disk.f_blocks), octets(disk.f_bavail)))
    }
}

fn usual(total: u64) -> u64 {
    RESERVE.min(total / RESERVE_PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_disks_have_small_reserves() {
        for (total, expected) in
            [(0, 0), (8 << 20, 1 << 20), (128 << 20, RESERVE), (1 << 40, RESERVE), (u64::MAX, RESERVE)]
        {
            assert_eq!(usual(total), expected, "{total}");
        }
    }

    #[test]
    fn new_octets_leave_the_reserve() {
        let directory = std::env::temp_dir();
        let room = |reserve, bytes| Space::new(directory.clone(), reserve).has(bytes);
        assert!(room(Some(0), 0) && room(Some(0), 1000));
        assert!(!room(Some(u64::MAX), 0) && !room(Some(0), u64::MAX) && !room(None, u64::MAX));
        let missing = Space::new(directory.join("there is no such directory"), Some(u64::MAX));
        assert!(missing.has(u64::MAX));
        assert!(matches!(Space::new(directory.clone(), Some(u64::MAX)).take(1), Err(Error::NoSpace)));
    }
}
