//! What an administrator does to queued recipients: hold, release, flush, delete.
//!
//! Readers find what a filter means; the writer, for which deliveries wait, takes it by number, a slice per transaction.

use std::collections::BTreeSet;

use crate::commit::{Tx, Verb};
use crate::error::Result;
use crate::queue::{QueueChanged, QueueFilter, list, row, settle, sql};
use crate::store::Store;

/// Recipients changed in one transaction: some milliseconds of the writer.
const SLICE: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Hold,
    Release,
    Flush,
    Delete,
}

pub(super) async fn change(store: &Store, what: What, filter: &QueueFilter) -> Result<QueueChanged> {
    let found = list::matches(store, filter).await?;
    let mut changed = QueueChanged::default();
    for slice in found.chunks(SLICE) {
        let slice = Slice { what, recipients: slice.to_vec() };
        let QueueChanged { recipients, messages } = store.write(slice).await?;
        changed.recipients += recipients;
        changed.messages += messages;
    }
    Ok(changed)
}

struct Slice {
    what: What,
    recipients: Vec<(i64, i64)>,
}

impl Verb for Slice {
    type Output = QueueChanged;

    async fn run(&self, tx: &mut Tx) -> Result<QueueChanged> {
        let messages: BTreeSet<i64> = self.recipients.iter().map(|(_, message)| *message).collect();
        let ids = row::numbers(self.recipients.iter().map(|(recipient, _)| *recipient));
        let now = tx.now();
        let query = match self.what {
            What::Hold => sqlx::query(sql::HOLD).bind(ids),
            What::Delete => sqlx::query(sql::DELETE).bind(ids),
            What::Release => sqlx::query(sql::RELEASE).bind(ids).bind(now),
            What::Flush => sqlx::query(sql::FLUSH).bind(ids).bind(now),
        };
        let recipients = tx.run(query).await?;
        tx.effects.queue = true;
        let count = messages.len() as u64;
        if self.what == What::Delete {
            settle::drop_empty(tx, messages).await?;
        }
        Ok(QueueChanged { recipients, messages: if recipients == 0 { 0 } else { count } })
    }
}
