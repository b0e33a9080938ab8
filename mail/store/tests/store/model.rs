//! The mail API against a small model: random operations on a few folders, and sessions that keep their view up to
//! date with `changes` alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use mailwright_store::message::{DELETED, FIRST_KEYWORD};
use mailwright_store::{AccountId, FlagOp, FolderId, Need, Row, StoreFlags};
use proptest::prelude::*;

use crate::support::*;

const KEYWORDS: [&str; 3] = ["red", "green", "blue"];
const NAMES: [&str; 6] = ["INBOX", "Sent", "a", "a/b", "a/b/c", "d"];

/// A message: which bytes, and its flags and keywords by name.
type Entry = (usize, BTreeSet<String>);

#[derive(Default, Clone, Debug)]
struct ModelFolder {
    next: u32,
    messages: BTreeMap<u32, Entry>,
}

/// Folders by name.
#[derive(Default, Debug)]
struct Model {
    folders: BTreeMap<String, ModelFolder>,
    /// Names that only hold inferiors.
    noselect: BTreeSet<String>,
}

#[derive(Debug, Clone)]
enum Operation {
    Append(usize, usize, Vec<usize>),
    Flags(usize, u16, FlagOp, bool, Vec<usize>),
    Copy(usize, u16, usize),
    Move(usize, u16, usize),
    Expunge(usize, Option<u16>),
    Create(usize),
    Delete(usize),
    Rename(usize, usize),
    Sync(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    let folder = || 0..NAMES.len();
    let words = || proptest::collection::vec(0..KEYWORDS.len(), 0..3);
    let how = prop_oneof![Just(FlagOp::Replace), Just(FlagOp::Add), Just(FlagOp::Remove)];
    prop_oneof![
        6 => (folder(), 0..4usize, words()).prop_map(|(f, m, w)| Operation::Append(f, m, w)),
        5 => (folder(), any::<u16>(), how, any::<bool>(), words())
            .prop_map(|(f, s, o, d, w)| Operation::Flags(f, s, o, d, w)),
        2 => (folder(), any::<u16>(), folder()).prop_map(|(f, s, t)| Operation::Copy(f, s, t)),
        2 => (folder(), any::<u16>(), folder()).prop_map(|(f, s, t)| Operation::Move(f, s, t)),
        2 => (folder(), proptest::option::of(any::<u16>())).prop_map(|(f, s)| Operation::Expunge(f, s)),
        2 => folder().prop_map(Operation::Create),
        1 => folder().prop_map(Operation::Delete),
        1 => (folder(), folder()).prop_map(|(f, t)| Operation::Rename(f, t)),
        3 => (0..SESSIONS).prop_map(Operation::Sync),
    ]
}

/// The bytes of message `which`; the last is a blob file.
fn bytes(which: usize) -> Bytes {
    if which == 3 { large(3) } else { message(which) }
}

/// UIDs whose bit (by UID modulo 16) is set.
fn chosen(folder: Option<&ModelFolder>, mask: u16) -> Vec<u32> {
    let uids = folder.into_iter().flat_map(|f| f.messages.keys().copied());
    uids.filter(|uid| mask & (1 << (uid % 16)) != 0).collect()
}

fn words(indices: &[usize]) -> Vec<&'static str> {
    indices.iter().map(|i| KEYWORDS[*i]).collect()
}

impl Model {
    fn new() -> Self {
        let fresh = || ModelFolder { next: 1, messages: BTreeMap::new() };
        let first = ["INBOX", "Sent", "Drafts", "Junk", "Trash", "Archive"];
        Self { folders: first.map(|name| (name.to_owned(), fresh())).into(), noselect: BTreeSet::new() }
    }

    fn exists(&self, name: &str) -> bool {
        self.folders.contains_key(name) || self.noselect.contains(name)
    }

    fn has_inferiors(&self, name: &str) -> bool {
        let below = format!("{name}/");
        self.folders.keys().chain(&self.noselect).any(|other| other.starts_with(&below))
    }

    fn make(&mut self, name: &str) {
        let fresh = || ModelFolder { next: 1, messages: BTreeMap::new() };
        for (at, _) in name.match_indices('/') {
            if !self.exists(&name[..at]) {
                self.folders.insert(name[..at].to_owned(), fresh());
            }
        }
        self.noselect.remove(name);
        self.folders.insert(name.to_owned(), fresh());
    }

    fn put(&mut self, name: &str, entry: Entry) {
        let folder = self.folders.get_mut(name).unwrap();
        folder.messages.insert(folder.next, entry);
        folder.next += 1;
    }

    /// Copies or moves; false when the target is not there.
    fn copy(&mut self, from: &str, uids: &[u32], to: &str, remove: bool) -> bool {
        if !self.folders.contains_key(from) || !self.folders.contains_key(to) {
            return false;
        }
        for uid in uids {
            let entry = self.folders[from].messages[uid].clone();
            self.put(to, entry);
            if remove {
                self.folders.get_mut(from).unwrap().messages.remove(uid);
            }
        }
        true
    }

    fn delete(&mut self, name: &str) -> bool {
        if name == "INBOX" || !self.exists(name) || (self.noselect.contains(name) && self.has_inferiors(name))
        {
            return false;
        }
        let keep = self.has_inferiors(name);
        self.folders.remove(name);
        self.noselect.remove(name);
        if keep {
            self.noselect.insert(name.to_owned());
        }
        true
    }

    fn rename(&mut self, from: &str, to: &str) -> bool {
        let below = format!("{from}/");
        if !self.exists(from) || self.exists(to) || (from != "INBOX" && to.starts_with(&below)) {
            return false;
        }
        self.make(to);
        if from == "INBOX" {
            let inbox = self.folders.get_mut("INBOX").unwrap();
            let messages = std::mem::take(&mut inbox.messages);
            let moved = ModelFolder { next: inbox.next, messages };
            self.folders.insert(to.to_owned(), moved);
            return true;
        }
        self.folders.remove(to);
        let family = |name: &String| name == from || name.starts_with(&below);
        let renamed = |name: &String| format!("{to}{}", &name[from.len()..]);
        let moved: Vec<String> = self.folders.keys().filter(|n| family(n)).cloned().collect();
        for name in moved {
            let folder = self.folders.remove(&name).unwrap();
            self.folders.insert(renamed(&name), folder);
        }
        let moved: Vec<String> = self.noselect.iter().filter(|n| family(n)).cloned().collect();
        for name in moved {
            self.noselect.remove(&name);
            self.noselect.insert(renamed(&name));
        }
        true
    }
}

const SESSIONS: usize = 3;

/// A session with a folder open: what it knows from one select and the changes since.
struct View {
    folder: FolderId,
    since: u64,
    rows: BTreeMap<u32, Row>,
}

struct Run {
    home: Home,
    account: AccountId,
    model: Model,
    views: Vec<Option<View>>,
}

impl Run {
    async fn id(&self, name: &str) -> Option<FolderId> {
        self.home.store.mail().status(self.account, name).await.ok().map(|status| status.folder)
    }

    async fn step(&mut self, operation: &Operation) {
        let account = self.account;
        let mail = self.home.store.mail();
        match operation {
            Operation::Append(folder, which, keywords) => {
                let name = NAMES[*folder];
                let done =
                    mail.append(account, name, append(bytes(*which), 0, &words(keywords))).await.is_ok();
                assert_eq!(done, self.model.folders.contains_key(name));
                if done {
                    let words = words(keywords).into_iter().map(Into::into).collect();
                    self.model.put(name, (*which, words));
                }
            }
            Operation::Flags(folder, mask, how, deleted, keywords) => {
                self.flags(NAMES[*folder], *mask, *how, *deleted, &words(keywords)).await;
            }
            Operation::Copy(from, mask, to) => self.transfer(NAMES[*from], *mask, NAMES[*to], false).await,
            Operation::Move(from, mask, to) => self.transfer(NAMES[*from], *mask, NAMES[*to], true).await,
            Operation::Expunge(folder, mask) => self.expunge(NAMES[*folder], *mask).await,
            Operation::Create(folder) => {
                let name = NAMES[*folder];
                let done = mail.create(account, name).await.is_ok();
                assert_eq!(done, !self.model.folders.contains_key(name), "create {name}");
                if done {
                    self.model.make(name);
                }
            }
            Operation::Delete(folder) => {
                let name = NAMES[*folder];
                assert_eq!(
                    mail.delete(account, name).await.is_ok(),
                    self.model.delete(name),
                    "delete {name}"
                );
            }
            Operation::Rename(from, to) => {
                let (from, to) = (NAMES[*from], NAMES[*to]);
                let done = mail.rename(account, from, to).await;
                assert_eq!(done.is_ok(), self.model.rename(from, to), "rename {from} {to}: {done:?}");
            }
            Operation::Sync(session) => self.sync(*session).await,
        }
    }

    async fn flags(&mut self, name: &str, mask: u16, op: FlagOp, deleted: bool, keywords: &[&str]) {
        let Some(folder) = self.id(name).await else { return };
        let entry = self.model.folders.get_mut(name).unwrap();
        let uids = chosen(Some(entry), mask);
        let flags = if deleted { DELETED } else { 0 };
        let change = StoreFlags {
            uids: uids.clone(),
            op,
            flags,
            keywords: keywords.iter().map(|k| (*k).into()).collect(),
        };
        let stored = self.home.store.mail().store_flags(folder, change).await.unwrap();
        assert!(stored.rows.iter().map(|row| row.uid).eq(uids.iter().copied()));
        let named: BTreeSet<String> =
            keywords.iter().map(|k| (*k).into()).chain(deleted.then(|| "\\Deleted".to_owned())).collect();
        for uid in uids {
            let set = &mut entry.messages.get_mut(&uid).unwrap().1;
            match op {
                FlagOp::Replace => *set = named.clone(),
                FlagOp::Add => set.extend(named.iter().cloned()),
                FlagOp::Remove => set.retain(|word| !named.contains(word)),
            }
        }
    }

    async fn transfer(&mut self, from: &str, mask: u16, to: &str, remove: bool) {
        let Some(folder) = self.id(from).await else { return };
        let uids = chosen(self.model.folders.get(from), mask);
        let mail = self.home.store.mail();
        let done =
            if remove { mail.r#move(folder, &uids, to).await } else { mail.copy(folder, &uids, to).await };
        let next = self.model.folders.get(to).map_or(0, |folder| folder.next);
        assert_eq!(done.is_ok(), self.model.copy(from, &uids, to, remove), "{from} to {to}: {done:?}");
        if let Ok(copied) = done {
            assert!(copied.uids.into_iter().eq(uids.into_iter().zip(next..)));
        }
    }

    async fn expunge(&mut self, name: &str, mask: Option<u16>) {
        let Some(folder) = self.id(name).await else { return };
        let entry = self.model.folders.get_mut(name).unwrap();
        let among = mask.map(|mask| chosen(Some(entry), mask));
        let expunged = self.home.store.mail().expunge(folder, among.as_deref()).await.unwrap().uids;
        let mut expected = Vec::new();
        entry.messages.retain(|uid, (_, flags)| {
            let goes = flags.contains("\\Deleted") && among.as_ref().is_none_or(|among| among.contains(uid));
            expected.extend(goes.then_some(*uid));
            !goes
        });
        assert_eq!(expunged, expected);
    }

    /// Brings a session up to date, or lets it open a folder.
    async fn sync(&mut self, session: usize) {
        let mail = self.home.store.mail();
        if let Some(view) = &mut self.views[session] {
            if let Ok(changes) = mail.changes(view.folder, view.since).await {
                assert!(changes.highest_modseq >= view.since);
                for row in changes.rows {
                    assert!(row.modseq > view.since && row.uid < changes.uid_next);
                    view.rows.insert(row.uid, row);
                }
                view.rows.retain(|uid, _| !changes.vanished.iter().any(|r| (r.first..=r.last).contains(uid)));
                view.since = changes.highest_modseq;
                return;
            }
            self.views[session] = None;
        }
        if let Ok(selected) = mail.select(self.account, NAMES[session % NAMES.len()], false).await {
            let rows = selected.rows.iter().map(|row| (row.uid, *row)).collect();
            self.views[session] =
                Some(View { folder: selected.folder, since: selected.highest_modseq, rows });
        }
    }

    /// Store, model and sessions agree.
    async fn compare(&mut self) {
        let store = Arc::clone(&self.home.store);
        let mail = store.mail();
        let listing = mail.list(self.account).await.unwrap();
        let (noselect, folders): (Vec<_>, Vec<_>) = listing.folders.into_iter().partition(|f| f.noselect);
        assert_eq!(noselect.into_iter().map(|f| f.name).collect::<BTreeSet<_>>(), self.model.noselect);
        let names: BTreeSet<_> = folders.iter().map(|f| &f.name).collect();
        assert!(names.into_iter().eq(self.model.folders.keys()));
        for folder in &folders {
            let model = &self.model.folders[&folder.name];
            let selected = mail.select(self.account, &folder.name, false).await.unwrap();
            assert_eq!(selected.uid_next, model.next, "{}", folder.name);
            let uids: Vec<u32> = model.messages.keys().copied().collect();
            let need = Need { raw: true, index: false };
            let fetched = mail.fetch(folder.id, &uids, need).await.unwrap();
            let mut found = BTreeMap::new();
            for message in fetched.messages {
                let which = (0..4).find(|which| bytes(*which) == *message.raw.as_ref().unwrap()).unwrap();
                found.insert(message.uid, (which, named(message.flags, &selected.keywords)));
            }
            assert_eq!(found, model.messages, "{}", folder.name);
            assert!(selected.rows.iter().map(|row| row.uid).eq(uids));
            for session in 0..SESSIONS {
                if self.views[session].as_ref().is_some_and(|view| view.folder == folder.id) {
                    self.sync(session).await;
                    let view = self.views[session].as_ref().unwrap();
                    assert!(view.rows.values().eq(&selected.rows), "session {session} in {}", folder.name);
                }
            }
        }
    }
}

fn named(flags: u64, keywords: &[String]) -> BTreeSet<String> {
    let bit = |i: usize| flags & (1 << (FIRST_KEYWORD as usize + i)) != 0;
    let words = keywords.iter().enumerate().filter(|(i, _)| bit(*i)).map(|(_, word)| word.clone());
    words.chain((flags & DELETED != 0).then(|| "\\Deleted".to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(operations in proptest::collection::vec(operation(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = Home::new().await;
            let account = home.account("alice@example.test").await;
            let views = (0..SESSIONS).map(|_| None).collect();
            let mut run = Run { home, account, model: Model::new(), views };
            for operation in &operations {
                run.step(operation).await;
            }
            run.compare().await;
            run.home.sound().await;
            run.home = run.home.reopened().await;
            run.compare().await;
            run.home.store.close().await;
        });
    }
}
