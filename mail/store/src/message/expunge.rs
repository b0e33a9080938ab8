//! EXPUNGE and CLOSE (RFC 3501 §6.4.3, §6.4.2), UID EXPUNGE (RFC 4315 §2.1).

use sqlx::Row;

use crate::commit::{Tx, Verb};
use crate::error::{Error, Result};
use crate::mailbox::FolderId;
use crate::message::pack::{groups, uid};
use crate::message::{Expunged, remove, sql};

pub(super) struct Expunge {
    pub(super) folder: FolderId,
    /// JSON; None: all with \Deleted.
    pub(super) uids: Option<String>,
}

impl Verb for Expunge {
    type Output = Expunged;

    async fn run(&self, tx: &mut Tx) -> Result<Expunged> {
        let query = sqlx::query(sql::DELETED).bind(self.folder.0).bind(self.uids.clone());
        let row = tx.row(query).await?.ok_or(Error::NoSuchFolder)?;
        let account: i64 = row.try_get(0)?;
        let highest_modseq = row.try_get::<i64, _>(1)?.unsigned_abs();
        let messages = groups::<3>(row.try_get(2)?)?;
        let mut uids: Vec<u32> = messages.iter().map(|m| uid(m[0])).collect::<Result<_>>()?;
        uids.sort_unstable();
        if uids.is_empty() {
            return Ok(Expunged { uids, highest_modseq });
        }
        let highest_modseq = remove::remove(tx, self.folder, uids.iter().copied()).await?;
        let bytes = messages.iter().map(|m| m[1]).sum();
        remove::release(tx, Some(account), bytes, messages.iter().map(|m| m[2])).await?;
        Ok(Expunged { uids, highest_modseq })
    }
}
