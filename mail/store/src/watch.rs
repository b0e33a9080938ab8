//! In-process notification: who watches a folder hears of each commit that touched it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::mailbox::FolderId;

/// What a watcher sees when its folder was removed.
pub(crate) const REMOVED: u64 = u64::MAX;

/// The watched folders.
#[derive(Default)]
pub(crate) struct Watchers {
    folders: Mutex<HashMap<FolderId, watch::Sender<u64>>>,
}

impl Watchers {
    /// A receiver for a folder; the value is the MODSEQ of the last commit seen by any of its watchers, 0 at first.
    pub(crate) fn watch(&self, folder: FolderId) -> watch::Receiver<u64> {
        let mut folders = self.folders();
        if let Some(sender) = folders.get(&folder) {
            return sender.subscribe();
        }
        // Sessions come and go; what nobody watches any more is dropped when the table would grow.
        if folders.len() == folders.capacity() {
            folders.retain(|_, sender| sender.receiver_count() > 0);
        }
        let (sender, receiver) = watch::channel(0);
        folders.insert(folder, sender);
        receiver
    }

    pub(crate) fn publish(&self, touched: &[(FolderId, u64)]) {
        if touched.is_empty() {
            return;
        }
        let mut folders = self.folders();
        for (folder, modseq) in touched {
            if let Some(sender) = folders.get(folder)
                && sender.send(*modseq).is_err()
            {
                folders.remove(folder);
            }
        }
    }

    /// The table stays whole even when a holder of the lock panicked.
    fn folders(&self) -> MutexGuard<'_, HashMap<FolderId, watch::Sender<u64>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watchers_hear_of_their_folder_only() {
        let watchers = Watchers::default();
        let (mut one, mut again, two) =
            (watchers.watch(FolderId(1)), watchers.watch(FolderId(1)), watchers.watch(FolderId(2)));
        watchers.publish(&[(FolderId(1), 7), (FolderId(3), 9)]);
        assert_eq!((*one.borrow_and_update(), *again.borrow_and_update()), (7, 7));
        assert!(!two.has_changed().unwrap());
    }

    #[test]
    fn what_nobody_watches_is_forgotten() {
        let watchers = Watchers::default();
        drop(watchers.watch(FolderId(1)));
        watchers.publish(&[(FolderId(1), 2)]);
        assert!(watchers.folders().is_empty());
        for folder in 0..10_000 {
            drop(watchers.watch(FolderId(folder)));
        }
        assert!(watchers.folders().len() < 100, "{} kept", watchers.folders().len());
    }
}
