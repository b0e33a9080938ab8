//! Answers about messages of the selected mailbox: changes, FETCH, STORE, COPY, MOVE, EXPUNGE (RFC 3501 §6.4, RFC 6851).

use mailwright_imap::{
    Answer, Changes, Digest, Keyword, MailboxName, Message, Need, Refusal, StoreOperation,
};
use mailwright_store::{FlagOp, FolderId, StoreFlags};

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::mailbox::row;
use super::refusal::{refused, refused_target};
use super::{Driver, Selected};

/// Memory of messages that sessions of this process read at once, in KiB: several times the largest message, a fraction of
/// any server's memory. A client that reads slowly holds what it was given until it has it.
const READING_MEMORY_KIB: u32 = 256 * 1024;
static READING_MEMORY: Semaphore = Semaphore::const_new(READING_MEMORY_KIB as usize);
/// Beside the raw message there is what is made of it: a header's fields, the text that SEARCH looks through.
const MEMORY_OF_OCTET: u64 = 2;
/// How long a session waits for memory before the client is told to try again later.
const READING_PATIENCE: Duration = Duration::from_secs(30);

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
                vanished: changes.vanished.iter().map(|range| range.first..=range.last).collect(),
                keywords: changes.keywords,
                // RFC 3501 §2.3.2: where it cannot be told whether another session was notified first, a message
                // should be considered recent.
                first_recent: if selected.read_only { u32::MAX } else { 0 },
            }),
            Err(error) => refused(&error),
        }
    }

    /// What a client that resynchronises has to forget (RFC 7162 §3.2).
    pub(super) async fn vanished(&self, since: u64) -> Answer {
        let folder = match self.selected() {
            Ok(selected) => selected.folder,
            Err(answer) => return answer,
        };
        match self.context.store.mail().vanished(folder, since).await {
            Ok(ranges) => Answer::Vanished(ranges.iter().map(|range| range.first..=range.last).collect()),
            Err(error) => refused(&error),
        }
    }

    pub(super) async fn fetch(
        &mut self,
        asked: &[u32],
        need: Need,
        with_digest: bool,
        max_bytes: usize,
    ) -> Answer {
        let folder = match self.selected() {
            Ok(selected) => selected.folder,
            Err(answer) => return answer,
        };
        // The session asks again when it is through with what it had.
        self.reading = None;
        let asked = match need {
            Need::Meta => asked,
            _ => match self.room_for(folder, asked, max_bytes).await {
                Ok(asked) => asked,
                Err(answer) => return answer,
            },
        };
        let wanted = mailwright_store::Need { index: true, raw: true };
        let fetched = match need {
            Need::Meta => self.indexes(folder, asked).await,
            _ => self.context.store.mail().fetch(folder, asked, wanted).await,
        };
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => return refused(&error),
        };
        let answered = asked.len() - fetched.rest.len();
        let mut messages: Vec<Message> = fetched.messages.into_iter().map(message).collect();
        if with_digest {
            let mut digests = match self.context.store.mail().digests(folder, asked).await {
                Ok(digests) => digests,
                Err(error) => return refused(&error),
            };
            for message in &mut messages {
                message.digest = match digests.remove(&message.uid) {
                    Some(digest) => Some(Digest { preview: digest.preview, thread_id: digest.thread }),
                    None => self.digest_of(folder, message).await,
                };
            }
        }
        Answer::Messages { messages, answered }
    }

    /// The digest of a message that the release before stored; `None` where the message cannot be read now.
    async fn digest_of(&self, folder: FolderId, message: &Message) -> Option<Digest> {
        let kib = u32::try_from(message.size / 1024 + 1).unwrap_or(u32::MAX).min(READING_MEMORY_KIB);
        let _memory = timeout(READING_PATIENCE, READING_MEMORY.acquire_many(kib)).await.ok()?.ok()?;
        let need = mailwright_store::Need { index: false, raw: true };
        let fetched = self.context.store.mail().fetch(folder, &[message.uid], need).await.ok()?;
        let raw = fetched.messages.into_iter().next()?.raw?;
        let index = mailwright_imap::message::Index::decode(&message.index).ok()?;
        Some(mailwright_imap::message::digest(&raw, &index))
    }

    /// Waits until there is memory for the first of these messages, at least one and as many as `max_bytes` hold; which
    /// those are.
    async fn room_for<'u>(
        &mut self,
        folder: FolderId,
        asked: &'u [u32],
        max_bytes: usize,
    ) -> Result<&'u [u32], Answer> {
        let sizes = mailwright_store::Need { index: false, raw: false };
        let sizes = match self.context.store.mail().fetch(folder, asked, sizes).await {
            Ok(fetched) => fetched.messages,
            Err(error) => return Err(refused(&error)),
        };
        let (count, bytes) =
            fitting(asked, sizes.iter().map(|message| (message.uid, message.size)), max_bytes);
        let kib =
            u32::try_from(bytes * MEMORY_OF_OCTET / 1024 + 1).unwrap_or(u32::MAX).min(READING_MEMORY_KIB);
        match timeout(READING_PATIENCE, READING_MEMORY.acquire_many(kib)).await {
            Ok(Ok(permit)) => self.reading = Some(permit),
            _ => return Err(Answer::Refused(Refusal::Unavailable)),
        }
        Ok(&asked[..count])
    }

    pub(super) async fn store_flags(
        &self,
        uids: Vec<u32>,
        operation: StoreOperation,
        flags: u64,
        keywords: &[Keyword],
        unchanged_since: Option<u64>,
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
        match self.context.store.mail().store_flags_unchanged(folder, change, unchanged_since).await {
            Ok(stored) => Answer::Stored {
                rows: stored.rows.into_iter().map(row).collect(),
                modified: stored.modified,
                keywords: stored.keywords,
            },
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

/// How many of the asked UIDs, from the first, have messages that fit into `max_bytes`, and their size: the first message
/// fits always, and a UID without a message takes no room.
fn fitting(asked: &[u32], sizes: impl Iterator<Item = (u32, u32)>, max_bytes: usize) -> (usize, u64) {
    let mut bytes = 0;
    for (uid, size) in sizes {
        let sum = bytes + u64::from(size);
        if bytes > 0 && sum > max_bytes as u64 {
            let count = asked.iter().position(|asked| *asked == uid).unwrap_or(asked.len());
            return (count.max(1), bytes);
        }
        bytes = sum;
    }
    (asked.len(), bytes)
}

/// The session's form of a message.
fn message(message: mailwright_store::Message) -> Message {
    Message {
        uid: message.uid,
        internal_date: message.internal_date,
        size: u64::from(message.size),
        index: message.index.map(Vec::from).unwrap_or_default(),
        raw: message.raw.map(Vec::from),
        save_date: message.save_date,
        email_id: email_id(&message.hash.unwrap_or_default(), message.internal_date),
        digest: None,
    }
}

/// The same for the same octets with the same internal date, which is all of a message that never changes (RFC 8474 §5.1).
fn email_id(hash: &[u8; 32], internal_date: i64) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    for (octet, date) in id[8..].iter_mut().zip(internal_date.to_be_bytes()) {
        *octet ^= date;
    }
    id
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestServer;

    /// A session that reads messages waits until there is memory for them; the others go on.
    #[tokio::test]
    async fn reading_waits_for_memory() {
        let server = TestServer::start().await;
        let mut client = server.imap("alice@example.test").await;
        client.append("INBOX", "Subject: note\r\n\r\nbody\r\n").await.ok();
        client.command("SELECT INBOX").await.ok();
        let all = READING_MEMORY.acquire_many(READING_MEMORY_KIB).await.unwrap();
        let tag = client.start("FETCH 1 BODY.PEEK[]").await;
        client.silence().await;
        let mut other = server.imap("alice@example.test").await;
        other.command("SELECT INBOX").await.ok();
        other.command("FETCH 1 (FLAGS ENVELOPE RFC822.SIZE)").await.ok();
        drop(all);
        let fetched = client.answer(&tag).await.ok().join(" ");
        assert!(fetched.contains("body"), "{fetched}");
    }

    #[test]
    fn messages_fit_until_the_next_is_too_large() {
        let sizes = [(3, 60), (5, 40), (6, 1), (9, 500)];
        for (max_bytes, expected) in
            [(0, (2, 60)), (60, (2, 60)), (99, (2, 60)), (100, (3, 100)), (101, (5, 101)), (601, (6, 601))]
        {
            let asked = [3, 4, 5, 6, 7, 9];
            let found = fitting(&asked, sizes.into_iter(), max_bytes);
            assert_eq!(found, expected, "{max_bytes}");
        }
        assert_eq!(fitting(&[1, 2], [].into_iter(), 10), (2, 0));
    }
}
