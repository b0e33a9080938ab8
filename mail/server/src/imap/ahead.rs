//! Reading ahead: while one part of a large FETCH is written to the client, the store reads the next.
//!
//! Only what never changes of a message is read ahead (its index, size and dates; flags are the session's), so a part that
//! was read a moment too early says the same. One part at a time, so a client that does not read holds one more.

use std::sync::Arc;

use mailwright_store::{Fetched, FolderId, Need, Result};
use tokio::task::JoinHandle;

use super::Driver;

/// A part on its way.
pub(super) struct Ahead {
    folder: FolderId,
    uids: Vec<u32>,
    task: JoinHandle<Result<Fetched>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const INDEXES: Need = Need { index: true, raw: false };

impl Driver {
    /// The indexes of these messages, and the next part on its way.
    pub(super) async fn indexes(&mut self, folder: FolderId, uids: &[u32]) -> Result<Fetched> {
        let read = match self.ahead.take() {
            Some(mut ahead) if ahead.folder == folder && ahead.uids == uids => (&mut ahead.task).await.ok(),
            _ => None,
        };
        let fetched = match read {
            Some(fetched) => fetched?,
            None => self.context.store.mail().fetch(folder, uids, INDEXES).await?,
        };
        let upcoming = self.session.upcoming_fetch();
        if !upcoming.is_empty() {
            let (store, uids) = (Arc::clone(&self.context.store), upcoming.clone());
            let task = tokio::spawn(async move { store.mail().fetch(folder, &uids, INDEXES).await });
            self.ahead = Some(Box::new(Ahead { folder, uids: upcoming, task }));
        }
        Ok(fetched)
    }
}
