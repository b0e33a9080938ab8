//! Answers about messages of the selected mailbox: changes, FETCH, STORE, COPY, MOVE, EXPUNGE (RFC 3501 §6.4, RFC 6851).

use mailwright_imap::{Answer, Changes, Keyword, MailboxName, Message, Need, Refusal, StoreOperation};
use mailwright_store::{FlagOp, StoreFlags, UidRange};

use super::mailbox::row;
use super::refusal::{refused, refused_target};
use super::{Driver, Selected};

/// Most vanished UIDs told one by one; a range beyond this names UIDs that no session can have seen (a mailbox that
/// large does not exist), and the database never writes one.
const MAX_VANISHED: usize = 10_000_000;

impl Driver {
    /// The selected mailbox; asking for it without one is a bug of the session.
    fn selected(&self) -> Result<&Selected, Answer> {
        self.selected.as_ref().ok_or(Answer::Refused(Refusal::Internal))
    }

    pub(super) async fn sync(&mut self, since: u64) -> Answer {
        let selected = match &mut self.selected {
            Some(selected) => selected,
            None => return Answer::Refused(Refusal::Internal),
        };
        // What is signalled from here on is not in the snapshot for certain.
        selected.news.mark_unchanged();
        match self.context.store.mail().changes(selected.folder, since).await {
            Ok(changes) => Answer::Changes(Changes {
                highest_modseq: changes.highest_modseq,
                rows: changes.rows.into_iter().map(row).collect(),
                vanished: uids(&changes.vanished),
                keywords: changes.keywords,
                // RFC 3501 §2.3.2: where it cannot be told whether another session was notified first, a message
                // should be considered recent.
                first_recent: if selected.read_only { u32::MAX } else { 0 },
            }),
            Err(error) => refused(&error),
        }
    }

    pub(super) async fn fetch(&self, asked: &[u32], need: Need, max_bytes: usize) -> Answer {
        let folder = match self.selected() {
            Ok(selected) => selected.folder,
            Err(answer) => return answer,
        };
        let wanted = mailwright_store::Need { index: true, raw: need != Need::Meta };
        let fetched = match self.context.store.mail().fetch(folder, asked, wanted).await {
            Ok(fetched) => fetched,
            Err(error) => return refused(&error),
        };
        let mut answered = asked.len() - fetched.rest.len();
        let mut messages = Vec::with_capacity(fetched.messages.len());
        let mut bytes = 0;
        for message in fetched.messages {
            bytes += message.raw.as_ref().map_or(0, |raw| raw.len());
            if bytes > max_bytes && !messages.is_empty() {
                // The session asks for this one and what follows again.
                answered = asked.iter().position(|uid| *uid == message.uid).unwrap_or(answered);
                break;
            }
            messages.push(Message {
                uid: message.uid,
                internal_date: message.internal_date,
                size: u64::from(message.size),
                index: message.index.map(|index| index.to_vec()).unwrap_or_default(),
                raw: message.raw.map(|raw| raw.to_vec()),
            });
        }
        Answer::Messages { messages, answered }
    }

    pub(super) async fn store_flags(
        &self,
        uids: Vec<u32>,
        operation: StoreOperation,
        flags: u64,
        keywords: &[Keyword],
    ) -> Answer {
        let folder = match self.selected() {
            Ok(selected) => selected.folder,
            Err(answer) => return answer,
        };
        let op = match operation {
            StoreOperation::Replace => FlagOp::Replace,
            StoreOperation::Add => FlagOp::Add,
            StoreOperation::Remove => FlagOp::Remove,
        };
        let change = StoreFlags { uids, op, flags, keywords: names(keywords) };
        match self.context.store.mail().store_flags(folder, change).await {
            Ok(stored) => {
                Answer::Stored { rows: stored.rows.into_iter().map(row).collect(), keywords: stored.keywords }
            }
            Err(error) => refused(&error),
        }
    }

    pub(super) async fn copy(&self, uids: &[u32], target: &MailboxName) -> Answer {
        match self.selected() {
            Ok(selected) => {
                copied(self.context.store.mail().copy(selected.folder, uids, target.as_str()).await)
            }
            Err(answer) => answer,
        }
    }

    pub(super) async fn r#move(&self, uids: &[u32], target: &MailboxName) -> Answer {
        match self.selected() {
            Ok(selected) => {
                copied(self.context.store.mail().r#move(selected.folder, uids, target.as_str()).await)
            }
            Err(answer) => answer,
        }
    }

    pub(super) async fn expunge(&self, uids: Option<&[u32]>) -> Answer {
        let folder = match self.selected() {
            Ok(selected) => selected.folder,
            Err(answer) => return answer,
        };
        match self.context.store.mail().expunge(folder, uids).await {
            Ok(expunged) => Answer::Expunged(expunged.uids),
            Err(error) => refused(&error),
        }
    }
}

/// The names of keywords, as the store takes them.
pub(super) fn names(keywords: &[Keyword]) -> Vec<String> {
    keywords.iter().map(|keyword| keyword.as_str().to_owned()).collect()
}

fn copied(result: mailwright_store::Result<mailwright_store::Copied>) -> Answer {
    match result {
        Ok(copied) => Answer::Copied { uid_validity: copied.uid_validity, uids: copied.uids },
        Err(error) => refused_target(&error),
    }
}

fn uids(ranges: &[UidRange]) -> Vec<u32> {
    ranges.iter().flat_map(|range| range.first..=range.last).take(MAX_VANISHED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vanished_ranges_become_uids() {
        let range = |first, last| UidRange { first, last };
        for (ranges, expected) in [
            (vec![], vec![]),
            (vec![range(3, 3)], vec![3]),
            (vec![range(1, 3), range(7, 8)], vec![1, 2, 3, 7, 8]),
        ] {
            assert_eq!(uids(&ranges), expected);
        }
        assert_eq!(uids(&[range(1, u32::MAX)]).len(), MAX_VANISHED);
    }
}
