//! Named points at which a simulation may let the process die (tests/sim).
//!
//! A crash makes this instance of the store dead: the open transaction is dropped, nothing is written any more, every
//! write answers `Crashed`. The test drops the instance and opens the directory again. Without a hook a point costs one
//! branch.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::options::CrashHook;

/// Before a blob file is begun.
pub const BLOB_BEFORE_WRITE: &str = "blob.before-write";
/// The blob is complete under its temporary name.
pub const BLOB_WRITTEN: &str = "blob.written";
/// The blob has its name; its row is not committed.
pub const BLOB_RENAMED: &str = "blob.renamed";
/// Before a job of a group.
pub const JOB_BEFORE: &str = "job.before";
/// After a job of a group, before its neighbours.
pub const JOB_AFTER: &str = "job.after";
/// A fence was checked and its term noted, not committed.
pub const FENCE_CHECKED: &str = "fence.checked";
/// Before one change of an account batch.
pub const CHANGE_BEFORE: &str = "change.before";
/// A change of an account batch is made, its row of the history is not.
pub const CHANGE_MADE: &str = "change.made";
/// After one change of an account batch.
pub const CHANGE_AFTER: &str = "change.after";
/// The group is complete and not committed.
pub const COMMIT_BEFORE: &str = "commit.before";
/// The group is committed and nobody was told.
pub const COMMIT_AFTER: &str = "commit.after";
/// Before a message is queued.
pub const ENQUEUE_BEFORE: &str = "enqueue.before";
/// The rows of a queued message are written, not committed.
pub const ENQUEUE_AFTER: &str = "enqueue.after";
/// Recipients are leased, not committed.
pub const LEASE_AFTER: &str = "lease.after";
/// Before the end of an attempt is written.
pub const SETTLE_BEFORE: &str = "settle.before";
/// The end of an attempt and its report are written, not committed.
pub const SETTLE_AFTER: &str = "settle.after";
/// Before a slice of doomed messages is removed.
pub const PURGE_BEFORE: &str = "purge.before";
/// The rows of a blob are gone, its file is not.
pub const UNLINK_BEFORE: &str = "unlink.before";
/// The file is gone as well.
pub const UNLINK_AFTER: &str = "unlink.after";

/// The names of all crash points, so that a simulation can assert that it stopped at every one of them.
pub const CRASH_POINTS: &[&str] = &[
    BLOB_BEFORE_WRITE,
    BLOB_WRITTEN,
    BLOB_RENAMED,
    JOB_BEFORE,
    JOB_AFTER,
    FENCE_CHECKED,
    CHANGE_BEFORE,
    CHANGE_MADE,
    CHANGE_AFTER,
    COMMIT_BEFORE,
    COMMIT_AFTER,
    ENQUEUE_BEFORE,
    ENQUEUE_AFTER,
    LEASE_AFTER,
    SETTLE_BEFORE,
    SETTLE_AFTER,
    PURGE_BEFORE,
    UNLINK_BEFORE,
    UNLINK_AFTER,
];

/// The hook and whether it fired.
pub(crate) struct Crash {
    hook: Option<CrashHook>,
    dead: AtomicBool,
}

impl Crash {
    pub(crate) fn new(hook: Option<CrashHook>) -> Self {
        Self { hook, dead: AtomicBool::new(false) }
    }

    /// Passes a point, or dies there.
    pub(crate) fn at(&self, point: &'static str) -> Result<()> {
        let Some(hook) = &self.hook else { return Ok(()) };
        if self.is_dead() {
            return Err(Error::Crashed);
        }
        if hook(point) {
            self.dead.store(true, Ordering::SeqCst);
            return Err(Error::Crashed);
        }
        Ok(())
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn once_dead_always_dead() {
        let crash = Crash::new(Some(Arc::new(|point| point == JOB_AFTER)));
        assert!(crash.at(JOB_BEFORE).is_ok());
        assert!(!crash.is_dead());
        assert!(matches!(crash.at(JOB_AFTER), Err(Error::Crashed)));
        assert!(crash.is_dead());
        assert!(matches!(crash.at(JOB_BEFORE), Err(Error::Crashed)));
    }

    #[test]
    fn without_a_hook_nothing_dies_and_names_are_unique() {
        let crash = Crash::new(None);
        let mut seen = std::collections::BTreeSet::new();
        for point in CRASH_POINTS {
            assert!(crash.at(point).is_ok());
            assert!(seen.insert(point), "{point} twice");
        }
        assert!(!crash.is_dead());
    }
}
