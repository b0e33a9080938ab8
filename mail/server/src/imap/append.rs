//! APPEND (RFC 3501 §6.3.11): refused before the message is sent where it can be known, spooled while it comes, stored
//! with its index at its end.

use bytes::Bytes;
use chrono::Utc;
use mailwright_imap::message::binary;
use mailwright_imap::{Answer, Append, Refusal};
use mailwright_store::AccountId;

use super::Driver;
use super::message::names;
use super::refusal::{refused, refused_target};
use crate::index::index;
use crate::metrics;
use crate::spool::Spool;

/// Messages of one command that are coming in, one behind the other.
pub(super) struct Appending {
    /// Each with where it ends in the spool.
    messages: Vec<(Append, u64)>,
    spool: Spool,
    /// The disk refused a piece.
    failed: bool,
}

impl Driver {
    /// The announced size against limits and quota, and the target, before the client sends a byte of it. All messages of one
    /// command together are no larger than one may be: they are kept in one piece.
    pub(super) async fn append(&mut self, account: AccountId, append: Append) -> Answer {
        let before = self.appending.as_ref().map_or(0, |appending| appending.spool.len());
        let size = before.saturating_add(append.size);
        if size > self.settings.config.limits.message_size {
            return Answer::Refused(Refusal::TooBig);
        }
        if let Err(answer) = self.target(account, &append.mailbox).await {
            return answer;
        }
        match self.context.store.mail().usage(account).await {
            // What is replaced makes room.
            Ok((used, Some(limit))) if used.saturating_add(size) > limit && append.replaces.is_none() => {
                return Answer::Refused(Refusal::OverQuota);
            }
            Ok(_) => {}
            Err(error) => return refused(&error),
        }
        if !self.context.store.has_space(size) {
            tracing::error!("no room for mail on the disk; free some space");
            return Answer::Refused(Refusal::Unavailable);
        }
        let appending = self.appending.get_or_insert_with(|| {
            let spool = Spool::new(&self.context.temporary);
            Box::new(Appending { messages: Vec::new(), spool, failed: false })
        });
        appending.end_message();
        appending.messages.push((append, 0));
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

    /// The messages are complete.
    pub(super) async fn append_end(&mut self, account: AccountId) -> Answer {
        let Some(mut appending) = self.appending.take().filter(|appending| !appending.failed) else {
            return Answer::Refused(Refusal::Unavailable);
        };
        appending.end_message();
        let Appending { messages, spool, .. } = *appending;
        let Some(_memory) = self.context.message_memory(spool.len()).await else {
            return Answer::Refused(Refusal::Unavailable);
        };
        let all = match spool.into_bytes(b"").await {
            Ok(raw) => Bytes::from(raw),
            Err(error) => {
                // A full disk shows at the latest when the last piece is flushed.
                tracing::error!(%error, "cannot spool an appended message");
                return Answer::Refused(Refusal::Unavailable);
            }
        };
        let Some((first, _)) = messages.first() else { return Answer::Refused(Refusal::Internal) };
        let (mailbox, replaced) = (first.mailbox.clone(), first.replaces);
        let replaces = match (replaced, &self.selected) {
            (Some(uid), Some(selected)) => Some((selected.folder, uid)),
            (Some(_), None) => return Answer::Refused(Refusal::Internal),
            (None, _) => None,
        };
        let (mut stored, mut from) = (Vec::with_capacity(messages.len()), 0);
        for (append, end) in messages {
            let end = usize::try_from(end).unwrap_or(usize::MAX).min(all.len());
            match message(append, all.slice(from..end)).await {
                Ok(message) => stored.push(message),
                Err(refusal) => return Answer::Refused(refusal),
            }
            from = end;
        }
        match self.context.store.mail().append_all(account, mailbox.as_str(), stored, replaces).await {
            Ok(appended) => {
                metrics::append();
                let uid_validity = appended.first().map_or(0, |first| first.uid_validity);
                Answer::Appended {
                    uid_validity,
                    uids: appended.iter().map(|appended| appended.uid).collect(),
                }
            }
            Err(error) => refused_target(&error),
        }
    }
}

impl Appending {
    /// What has come so far is a whole message.
    fn end_message(&mut self) {
        let length = self.spool.len();
        if let Some((_, end)) = self.messages.last_mut() {
            *end = length;
        }
    }
}

/// A message as it is stored.
async fn message(append: Append, raw: Bytes) -> Result<mailwright_store::Append, Refusal> {
    let raw = match append.binary {
        true => Bytes::from(binary::storable(&raw).ok_or(Refusal::UnknownCte)?),
        false => raw,
    };
    let index = index(raw.clone()).await.ok_or(Refusal::Internal)?;
    Ok(mailwright_store::Append {
        raw,
        index,
        flags: append.flags,
        keywords: names(&append.keywords),
        internal_date: append.internal_date.unwrap_or_else(|| Utc::now().timestamp()),
    })
}
