//! Who gets the \Recent messages of a folder (RFC 3501 §2.3.2): the first session that opens it. That is decided here and
//! at once; the database learns of it a moment later, and nobody waits for that.
//!
//! A claim that is lost with the process, or that a full disk refuses to keep, makes messages recent once more after a
//! restart, which the RFC allows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::Row as _;

use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::{FolderId, sql};
use crate::store::Store;

/// Claims are kept beyond their commit, since a session may have read the folder's row just before it. So many folders'
/// claims take about 2 MiB; beyond them one is forgotten with its commit, and that session may see messages as recent that
/// another has seen, which RFC 3501 §2.3.2 allows.
const KEPT: usize = 65_536;

/// The last UID of each folder that is not recent any more, as far as it was claimed in this process.
#[derive(Default)]
pub(crate) struct Claims {
    folders: Mutex<HashMap<FolderId, u32>>,
}

impl Claims {
    /// The last UID that was claimed, as far as the database may not know of it.
    pub(super) fn last(&self, folder: FolderId) -> u32 {
        let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.get(&folder).copied().unwrap_or_default()
    }

    /// Claims everything up to `last`; the last one claimed before comes back.
    fn claim(&self, folder: FolderId, last: u32) -> u32 {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let claimed = folders.entry(folder).or_default();
        let before = *claimed;
        *claimed = before.max(last);
        before
    }

    /// The database knows of everything up to `last`.
    fn stored(&self, folder: FolderId, last: u32) {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if folders.len() > KEPT && folders.get(&folder).is_some_and(|claimed| *claimed <= last) {
            folders.remove(&folder);
        }
    }
}

/// Claims the messages up to `last` for one session; `recent` is what the database says was claimed before. What comes back
/// is the first UID that is recent for the session.
pub(super) fn claim(store: &Store, folder: FolderId, recent: u32, last: u32) -> u32 {
    let before = store.shared.claims.claim(folder, last).max(recent);
    if before < last {
        let (shared, answer) = (Arc::clone(&store.shared), store.write_later(ClaimRecent { folder, last }));
        tokio::spawn(async move {
            if let Some(answer) = answer
                && matches!(answer.await, Ok(Ok(())))
            {
                shared.claims.stored(folder, last);
            }
        });
    }
    before.saturating_add(1)
}

struct ClaimRecent {
    folder: FolderId,
    last: u32,
}

impl Verb for ClaimRecent {
    type Output = ();

    async fn run(&self, tx: &mut Tx) -> Result<()> {
        let query = sqlx::query(sql::CLAIM_RECENT).bind(self.folder.0).bind(i64::from(self.last));
        match tx.row(query).await? {
            Some(row) => row.try_get::<i64, _>(0).map(drop).map_err(Error::from),
            None => Err(Error::NoSuchFolder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_stands_after_its_commit() {
        let (claims, folder) = (Claims::default(), FolderId(1));
        assert_eq!(claims.claim(folder, 5), 0);
        assert_eq!(claims.claim(folder, 5), 5);
        claims.stored(folder, 5);
        assert_eq!(claims.claim(folder, 7), 5, "for a session that read the row before the commit");
        assert_eq!((claims.last(folder), claims.last(FolderId(2))), (7, 0));
    }

    #[test]
    fn so_many_claims_are_kept() {
        let claims = Claims::default();
        for folder in 0..=KEPT {
            claims.claim(FolderId(folder as i64), 5);
        }
        claims.stored(FolderId(1), 4);
        assert_eq!(claims.last(FolderId(1)), 5, "a later claim is still awaited");
        claims.stored(FolderId(1), 5);
        assert_eq!((claims.last(FolderId(1)), claims.last(FolderId(2))), (0, 5));
        claims.stored(FolderId(2), 5);
        assert_eq!(claims.last(FolderId(2)), 5, "as many as are kept");
    }
}
