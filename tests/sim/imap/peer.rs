//! One IMAP session, the machine against the real store, driven a step at a time: what `mail/server` does with sockets, here
//! without them, so that a seed decides everything.

use std::sync::Arc;
use std::time::Instant;

use mailwright_imap::{
    Answer, Append, Ask, Changes, Config, Message, Output, Peer as Remote, Refusal, Row, Selected, Session,
    Status, StoreOperation, Tls, message,
};
use mailwright_store::{AccountId, FlagOp, FolderId, Need, Store, StoreFlags};
use tokio::sync::watch;

/// A connection that is logged in.
pub struct Peer {
    session: Session,
    store: Arc<Store>,
    account: AccountId,
    selected: Option<(FolderId, watch::Receiver<u64>)>,
    append: Option<(Append, Vec<u8>)>,
    now: Instant,
    tag: u32,
}

impl Peer {
    pub async fn login(store: &Arc<Store>, account: AccountId) -> Peer {
        let now = Instant::now();
        let remote = Remote { address: "192.0.2.1:40000".parse().unwrap(), tls: Some(Tls::default()) };
        let session = Session::new(Arc::new(Config::new("mail.example.test")), remote, now);
        let store = Arc::clone(store);
        let mut peer = Peer { session, store, account, selected: None, append: None, now, tag: 0 };
        peer.lines().await;
        peer.command("LOGIN alice@example.test secret").await;
        peer
    }

    /// Sends a command; the untagged lines, and the tagged one without its tag.
    pub async fn command(&mut self, text: &str) -> (Vec<String>, String) {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        let mut lines = self.say(&format!("{tag} {text}\r\n")).await;
        let end = lines.pop().unwrap_or_default();
        let end =
            end.strip_prefix(&format!("{tag} ")).unwrap_or_else(|| panic!("{text}: {end:?} after {lines:?}"));
        (lines, end.to_owned())
    }

    /// Sends octets and reads what comes back. News come first, as the server promises.
    pub async fn say(&mut self, text: &str) -> Vec<String> {
        self.notice();
        self.session.input(self.now, text.as_bytes());
        self.lines().await
    }

    /// What comes without asking.
    pub async fn hear(&mut self) -> Vec<String> {
        self.notice();
        self.lines().await
    }

    async fn lines(&mut self) -> Vec<String> {
        let mut received = Vec::new();
        loop {
            match self.session.poll() {
                Output::Send(bytes) => received.extend(bytes),
                Output::Ask(ask) => {
                    let answer = self.answer(ask).await;
                    self.session.answer(self.now, answer);
                }
                Output::Body(octets) => self.append.as_mut().unwrap().1.extend(octets),
                Output::Discard => self.append = None,
                Output::Yield => {}
                Output::Wait { .. } => break,
                other => panic!("{other:?} after {}", String::from_utf8_lossy(&received)),
            }
        }
        String::from_utf8(received).unwrap().lines().map(str::to_owned).collect()
    }

    fn notice(&mut self) {
        if let Some((_, news)) = &mut self.selected
            && news.has_changed().unwrap()
        {
            news.mark_unchanged();
            self.session.changed(self.now);
        }
    }

    async fn answer(&mut self, ask: Ask) -> Answer {
        let mail = self.store.mail();
        let folder = self.selected.as_ref().map(|(folder, _)| *folder);
        match (ask, folder) {
            (Ask::Login { .. }, _) => Answer::Done,
            (Ask::Clock, _) => Answer::Clock(0),
            (Ask::Select { name, read_only }, _) => {
                let status = mail.status(self.account, name.as_str()).await.unwrap();
                let news = self.store.watch(status.folder);
                let selected = mail.select(self.account, name.as_str(), !read_only).await.unwrap();
                self.selected = Some((selected.folder, news));
                Answer::Selected(Selected {
                    uid_validity: selected.uid_validity,
                    uid_next: selected.uid_next,
                    highest_modseq: selected.highest_modseq,
                    rows: rows(selected.rows),
                    keywords: selected.keywords,
                    first_recent: selected.first_recent,
                    ..Selected::default()
                })
            }
            (Ask::Unselect, _) => {
                self.selected = None;
                Answer::Done
            }
            (Ask::Status { name }, _) => {
                let status = mail.status(self.account, name.as_str()).await.unwrap();
                Answer::Status(Status {
                    messages: status.messages,
                    uid_next: status.uid_next,
                    uid_validity: status.uid_validity,
                    unseen: status.unseen,
                    highest_modseq: status.highest_modseq,
                    ..Status::default()
                })
            }
            (Ask::Append(append), _) => {
                self.append = Some((append, Vec::new()));
                Answer::Done
            }
            (Ask::AppendEnd, _) => self.append_end().await,
            (ask, Some(folder)) => self.on_messages(ask, folder).await,
            _ => Answer::Refused(Refusal::Internal),
        }
    }

    async fn append_end(&mut self) -> Answer {
        let (append, raw) = self.append.take().unwrap();
        let stored = mailwright_store::Append {
            index: message::index(&raw).encode().into(),
            raw: raw.into(),
            flags: append.flags,
            keywords: append.keywords.iter().map(|keyword| keyword.as_str().to_owned()).collect(),
            internal_date: 0,
        };
        let appended = self.store.mail().append(self.account, append.mailbox.as_str(), stored).await.unwrap();
        Answer::Appended { uid_validity: appended.uid_validity, uids: vec![appended.uid] }
    }

    async fn on_messages(&mut self, ask: Ask, folder: FolderId) -> Answer {
        let mail = self.store.mail();
        match ask {
            Ask::Sync { since } => {
                let changes = mail.changes(folder, since).await.unwrap();
                Answer::Changes(Changes {
                    highest_modseq: changes.highest_modseq,
                    rows: rows(changes.rows),
                    vanished: changes.vanished.iter().map(|range| range.first..=range.last).collect(),
                    keywords: changes.keywords,
                    first_recent: u32::MAX,
                })
            }
            Ask::Vanished { since } => {
                let ranges = mail.vanished(folder, since).await.unwrap();
                Answer::Vanished(ranges.iter().map(|range| range.first..=range.last).collect())
            }
            Ask::Fetch { uids, need, .. } => {
                let raw = need != mailwright_imap::Need::Meta;
                let fetched = mail.fetch(folder, &uids, Need { index: true, raw }).await.unwrap();
                let message = |m: mailwright_store::Message| Message {
                    uid: m.uid,
                    internal_date: m.internal_date,
                    size: m.size.into(),
                    index: m.index.unwrap().to_vec(),
                    raw: m.raw.map(|raw| raw.to_vec()),
                    save_date: m.save_date,
                    email_id: [0; 16],
                    digest: None,
                };
                let answered = uids.len() - fetched.rest.len();
                Answer::Messages { messages: fetched.messages.into_iter().map(message).collect(), answered }
            }
            Ask::Store { uids, operation, flags, keywords, unchanged_since } => {
                let op = match operation {
                    StoreOperation::Replace => FlagOp::Replace,
                    StoreOperation::Add => FlagOp::Add,
                    StoreOperation::Remove => FlagOp::Remove,
                };
                let keywords = keywords.iter().map(|keyword| keyword.as_str().to_owned()).collect();
                let change = StoreFlags { uids, op, flags, keywords };
                let stored = mail.store_flags_unchanged(folder, change, unchanged_since).await.unwrap();
                let (modified, keywords) = (stored.modified, stored.keywords);
                Answer::Stored { rows: rows(stored.rows), modified, keywords }
            }
            Ask::Copy { uids, target } => copied(mail.copy(folder, &uids, target.as_str()).await.unwrap()),
            Ask::Move { uids, target } => copied(mail.r#move(folder, &uids, target.as_str()).await.unwrap()),
            Ask::Expunge { uids } => {
                Answer::Expunged(mail.expunge(folder, uids.as_deref()).await.unwrap().uids)
            }
            other => panic!("{other:?} is not part of this simulation"),
        }
    }
}

fn rows(rows: Vec<mailwright_store::Row>) -> Vec<Row> {
    rows.into_iter().map(|row| Row { uid: row.uid, modseq: row.modseq, flags: row.flags }).collect()
}

fn copied(copied: mailwright_store::Copied) -> Answer {
    Answer::Copied { uid_validity: copied.uid_validity, uids: copied.uids }
}
