//! APPEND (RFC 3501 §6.3.11): refused before the message is sent where it can be known, spooled while it comes, stored
//! with its index at its end.

use bytes::Bytes;
use chrono::Utc;
use mailwright_imap::{Answer, Append, Refusal};
use mailwright_store::AccountId;

use super::Driver;
use super::message::names;
use super::refusal::{refused, refused_target};
use crate::index::index;
use crate::metrics;
use crate::spool::Spool;

/// A message that is coming in.
pub(super) struct Appending {
    append: Append,
    spool: Spool,
    /// The disk refused a piece.
    failed: bool,
}

impl Driver {
    /// The announced size against limits and quota, and the target, before the client sends a byte of it.
    pub(super) async fn append(&mut self, account: AccountId, append: Append) -> Answer {
        if append.size > self.settings.config.limits.message_size {
            return Answer::Refused(Refusal::TooBig);
        }
        if let Err(answer) = self.target(account, &append.mailbox).await {
            return answer;
        }
        match self.context.store.mail().usage(account).await {
            Ok((used, Some(limit))) if used.saturating_add(append.size) > limit => {
                return Answer::Refused(Refusal::OverQuota);
            }
            Ok(_) => {}
            Err(error) => return refused(&error),
        }
        if !self.context.store.has_space(append.size) {
            tracing::error!("no room for mail on the disk; free some space");
            return Answer::Refused(Refusal::Unavailable);
        }
        let spool = Spool::new(&self.context.temporary);
        self.appending = Some(Appending { append, spool, failed: false });
        Answer::Done
    }

    /// One piece of the message.
    pub(super) async fn append_piece(&mut self, piece: &[u8]) {
        let Some(appending) = &mut self.appending else { return };
        if appending.failed {
            return;
        }
        if let Err(error) = appending.spool.push(piece).await {
            tracing::error!(%error, "cannot spool an appended message");
            appending.failed = true;
            appending.spool = Spool::new(&self.context.temporary);
        }
    }

    /// The message is complete.
    pub(super) async fn append_end(&mut self, account: AccountId) -> Answer {
        let Some(Appending { append, spool, failed: false }) = self.appending.take() else {
            return Answer::Refused(Refusal::Unavailable);
        };
        let Some(_memory) = self.context.message_memory(spool.len()).await else {
            return Answer::Refused(Refusal::Unavailable);
        };
        let raw = match spool.into_bytes(b"").await {
            Ok(raw) => Bytes::from(raw),
            Err(error) => {
                // A full disk shows at the latest when the last piece is flushed.
                tracing::error!(%error, "cannot spool an appended message");
                return Answer::Refused(Refusal::Unavailable);
            }
        };
        let Some(index) = index(raw.clone()).await else {
            return Answer::Refused(Refusal::Internal);
        };
        let message = mailwright_store::Append {
            raw,
            index,
            flags: append.flags,
            keywords: names(&append.keywords),
            internal_date: append.internal_date.unwrap_or_else(|| Utc::now().timestamp()),
        };
        match self.context.store.mail().append(account, append.mailbox.as_str(), message).await {
            Ok(appended) => {
                metrics::append();
                Answer::Appended { uid_validity: appended.uid_validity, uids: vec![appended.uid] }
            }
            Err(error) => refused_target(&error),
        }
    }
}
