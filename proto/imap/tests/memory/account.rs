//! Folders and messages in memory.

use mailwright_imap::flags::{self, FIRST_KEYWORD_BIT, MAX_KEYWORDS};
use mailwright_imap::{
    Answer, Append, Ask, Changes, Keyword, ListEntry, MailboxName, Message, Need, Quota, Refusal, Row,
    Selected, SpecialUse, Status, StoreOperation, message,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// The time of everything that has none of its own: 17-Jul-1996 09:44:25 UTC.
pub const DATE: i64 = 837_596_665;

pub struct Account {
    pub folders: BTreeMap<String, Folder>,
    pub subscriptions: BTreeSet<String>,
    /// Octets of all messages.
    pub quota: u64,
    pub annotations: BTreeMap<(Option<MailboxName>, String), Vec<u8>>,
    next_validity: u32,
}

#[derive(Default)]
pub struct Folder {
    pub uid_validity: u32,
    pub uid_next: u32,
    pub modseq: u64,
    pub first_recent: u32,
    pub keywords: Vec<String>,
    pub messages: BTreeMap<u32, Stored>,
    vanished: Vec<(u32, u64)>,
    special_use: Option<SpecialUse>,
}

#[derive(Clone)]
pub struct Stored {
    pub flags: u64,
    pub modseq: u64,
    pub date: i64,
    pub raw: Vec<u8>,
}

impl Account {
    /// INBOX and the folders with a special use, subscribed.
    pub fn new() -> Account {
        let mut account = Account {
            folders: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            quota: 1 << 30,
            annotations: BTreeMap::new(),
            next_validity: 1000,
        };
        for (name, special_use) in [
            ("INBOX", None),
            ("Archive", Some(SpecialUse::Archive)),
            ("Drafts", Some(SpecialUse::Drafts)),
            ("Junk", Some(SpecialUse::Junk)),
            ("Sent", Some(SpecialUse::Sent)),
            ("Trash", Some(SpecialUse::Trash)),
        ] {
            account.make(name, special_use);
            account.subscriptions.insert(name.to_owned());
        }
        account
    }

    fn make(&mut self, name: &str, special_use: Option<SpecialUse>) {
        self.next_validity += 1;
        let folder = Folder {
            uid_validity: self.next_validity,
            uid_next: 1,
            modseq: 1,
            first_recent: 1,
            special_use,
            ..Folder::default()
        };
        self.folders.insert(name.to_owned(), folder);
    }

    /// New mail.
    pub fn deliver(&mut self, name: &str, raw: &[u8]) -> u32 {
        let folder = self.folders.get_mut(name).expect("the folder exists");
        folder.add(Stored { flags: 0, modseq: 0, date: DATE, raw: raw.to_vec() })
    }

    pub fn select(&mut self, name: &MailboxName, read_only: bool) -> (Answer, Option<u64>) {
        let Some(folder) = self.folders.get_mut(name.as_str()) else {
            return (Answer::Refused(Refusal::NonExistent), None);
        };
        let selected = Selected {
            uid_validity: folder.uid_validity,
            uid_next: folder.uid_next,
            highest_modseq: folder.modseq,
            rows: folder.messages.iter().map(row).collect(),
            keywords: folder.keywords.clone(),
            first_recent: folder.first_recent,
            mailbox_id: u64::from(folder.uid_validity),
        };
        if !read_only {
            folder.first_recent = folder.uid_next;
        }
        (Answer::Selected(selected), Some(folder.modseq))
    }

    pub fn may_append(&self, append: &Append) -> Result<(), Refusal> {
        let used: u64 =
            self.folders.values().flat_map(|f| f.messages.values()).map(|m| m.raw.len() as u64).sum();
        match self.folders.contains_key(append.mailbox.as_str()) {
            false => Err(Refusal::TryCreate),
            true if used + append.size > self.quota => Err(Refusal::OverQuota),
            true => Ok(()),
        }
    }

    /// All messages of one command; with REPLACE one of the selected folder goes.
    pub fn append_all(&mut self, selected: &str, messages: Vec<(Append, Vec<u8>)>) -> Answer {
        let replaced = messages.first().and_then(|(append, _)| append.replaces);
        let (mut validity, mut all) = (0, Vec::new());
        for (append, raw) in messages {
            let raw = if append.binary { message::binary::storable(&raw) } else { Some(raw) };
            let Some(raw) = raw else { return Answer::Refused(Refusal::UnknownCte) };
            match self.append(&append, raw) {
                Answer::Appended { uid_validity, uids } => {
                    validity = uid_validity;
                    all.extend(uids);
                }
                other => return other,
            }
        }
        if let (Some(uid), Some(folder)) = (replaced, self.folders.get_mut(selected)) {
            folder.remove(vec![uid]);
        }
        Answer::Appended { uid_validity: validity, uids: all }
    }

    fn append(&mut self, append: &Append, raw: Vec<u8>) -> Answer {
        let Some(folder) = self.folders.get_mut(append.mailbox.as_str()) else {
            return Answer::Refused(Refusal::TryCreate);
        };
        let Some(keywords) = folder.mask(&append.keywords, true) else {
            return Answer::Refused(Refusal::Limit);
        };
        let date = append.internal_date.unwrap_or(DATE);
        let uid = folder.add(Stored { flags: append.flags | keywords, modseq: 0, date, raw });
        Answer::Appended { uid_validity: folder.uid_validity, uids: vec![uid] }
    }

    pub fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> Answer {
        if self.folders.contains_key(to.as_str()) {
            return Answer::Refused(Refusal::AlreadyExists);
        }
        if !self.folders.contains_key(from.as_str()) {
            return Answer::Refused(Refusal::NonExistent);
        }
        if from.is_inbox() {
            self.make(to.as_str(), None);
            let uids = self.folders["INBOX"].messages.keys().copied().collect();
            self.copy("INBOX", uids, to, true);
            return Answer::Done;
        }
        let below = format!("{from}/");
        let names: Vec<String> = self.folders.keys().cloned().collect();
        for name in names {
            let new = match name.strip_prefix(&below) {
                Some(rest) => format!("{to}/{rest}"),
                None if name == from.as_str() => to.to_string(),
                None => continue,
            };
            if let Some(folder) = self.folders.remove(&name) {
                self.folders.insert(new, folder);
            }
        }
        Answer::Done
    }

    /// Every question that needs no connection's state.
    pub fn answer(&mut self, selected: &str, ask: Ask) -> Answer {
        let refuse = Answer::Refused;
        match ask {
            Ask::List => Answer::Mailboxes(self.folders.iter().map(entry).collect()),
            Ask::Subscriptions => {
                let names = self.subscriptions.iter();
                Answer::Subscriptions(names.map(|name| MailboxName::new(name).unwrap()).collect())
            }
            Ask::Create { name, special_use } => {
                if self.folders.contains_key(name.as_str()) {
                    return refuse(Refusal::AlreadyExists);
                }
                for parent in name.parents() {
                    if !self.folders.contains_key(parent.as_str()) {
                        self.make(parent.as_str(), None);
                    }
                }
                if special_use.is_some()
                    && self.folders.values().any(|folder| folder.special_use == special_use)
                {
                    return refuse(Refusal::UseAttribute);
                }
                self.make(name.as_str(), special_use);
                Answer::Created { mailbox_id: u64::from(self.next_validity) }
            }
            Ask::Delete { name } => match self.folders.remove(name.as_str()) {
                Some(_) => Answer::Done,
                None => refuse(Refusal::NonExistent),
            },
            Ask::Subscribe { name } => {
                self.subscriptions.insert(name.as_str().to_owned());
                Answer::Done
            }
            Ask::Unsubscribe { name } => {
                self.subscriptions.remove(name.as_str());
                Answer::Done
            }
            Ask::Status { name } => match self.folders.get(name.as_str()) {
                Some(folder) => Answer::Status(folder.status()),
                None => refuse(Refusal::NonExistent),
            },
            Ask::Quota => {
                let sizes =
                    self.folders.values().flat_map(|f| f.messages.values()).map(|m| m.raw.len() as u64);
                let messages = sizes.clone().count() as u64;
                Answer::Quota(Quota { octets: (sizes.sum(), Some(self.quota)), messages: (messages, 1000) })
            }
            Ask::Metadata { mailbox } | Ask::SetMetadata { mailbox, .. }
                if mailbox.as_ref().is_some_and(|name| !self.folders.contains_key(name.as_str())) =>
            {
                refuse(Refusal::NonExistent)
            }
            Ask::Metadata { mailbox } => {
                let found = self.annotations.iter().filter(|((of, _), _)| *of == mailbox);
                Answer::Metadata(found.map(|((_, name), value)| (name.clone(), value.clone())).collect())
            }
            Ask::SetMetadata { entries, .. }
                if entries.iter().flat_map(|e| &e.1).any(|value| value.len() > 1024) =>
            {
                refuse(Refusal::MetadataSize(1024))
            }
            Ask::SetMetadata { mailbox, entries } => {
                for (name, value) in entries {
                    match value {
                        Some(value) => drop(self.annotations.insert((mailbox.clone(), name), value)),
                        None => drop(self.annotations.remove(&(mailbox.clone(), name))),
                    }
                }
                Answer::Done
            }
            Ask::Copy { uids, target } => self.copy(selected, uids, &target, false),
            Ask::Move { uids, target } => self.copy(selected, uids, &target, true),
            Ask::Clock => Answer::Clock(DATE),
            ask => match self.folders.get_mut(selected) {
                Some(folder) => folder.answer(ask),
                None => refuse(Refusal::NonExistent),
            },
        }
    }

    fn copy(&mut self, from: &str, uids: Vec<u32>, target: &MailboxName, remove: bool) -> Answer {
        if !self.folders.contains_key(target.as_str()) {
            return Answer::Refused(Refusal::TryCreate);
        }
        let Some(source) = self.folders.get_mut(from) else { return Answer::Refused(Refusal::NonExistent) };
        let keywords: Vec<Keyword> = source.keywords.iter().map(|k| Keyword::new(k).unwrap()).collect();
        let taken: Vec<(u32, Stored)> =
            uids.into_iter().filter_map(|uid| source.messages.get(&uid).map(|m| (uid, m.clone()))).collect();
        if remove {
            source.remove(taken.iter().map(|(uid, _)| *uid).collect());
        }
        let target = self.folders.get_mut(target.as_str()).expect("looked up before");
        let mut pairs = Vec::new();
        for (uid, mut message) in taken {
            let named = keywords.iter().zip(FIRST_KEYWORD_BIT..);
            let named: Vec<Keyword> =
                named.filter(|(_, bit)| message.flags & (1 << bit) != 0).map(|(k, _)| k.clone()).collect();
            message.flags = (message.flags & flags::SYSTEM) | target.mask(&named, true).unwrap_or(0);
            pairs.push((uid, target.add(message)));
        }
        Answer::Copied { uid_validity: target.uid_validity, uids: pairs }
    }
}

impl Folder {
    fn add(&mut self, message: Stored) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        self.modseq += 1;
        self.messages.insert(uid, Stored { modseq: self.modseq, ..message });
        uid
    }

    fn remove(&mut self, uids: Vec<u32>) -> Vec<u32> {
        self.modseq += 1;
        let gone: Vec<u32> = uids.into_iter().filter(|uid| self.messages.remove(uid).is_some()).collect();
        self.vanished.extend(gone.iter().map(|uid| (*uid, self.modseq)));
        gone
    }

    fn status(&self) -> Status {
        let count = |count: usize| u32::try_from(count).unwrap();
        Status {
            messages: count(self.messages.len()),
            recent: count(self.messages.range(self.first_recent..).count()),
            uid_next: self.uid_next,
            uid_validity: self.uid_validity,
            unseen: count(self.messages.values().filter(|m| m.flags & flags::SEEN == 0).count()),
            deleted: count(self.messages.values().filter(|m| m.flags & flags::DELETED != 0).count()),
            highest_modseq: self.modseq.max(1),
            size: self.messages.values().map(|m| m.raw.len() as u64).sum(),
            mailbox_id: u64::from(self.uid_validity),
        }
    }

    /// The bits of keywords, made if they are new; `None` if the table is full.
    fn mask(&mut self, keywords: &[Keyword], make: bool) -> Option<u64> {
        let mut mask = 0;
        for keyword in keywords {
            let mut bit = flags::keyword_mask(keyword.as_str(), &self.keywords);
            if bit == 0 && make {
                if self.keywords.len() == MAX_KEYWORDS {
                    return None;
                }
                self.keywords.push(keyword.as_str().to_owned());
                bit = flags::keyword_mask(keyword.as_str(), &self.keywords);
            }
            mask |= bit;
        }
        Some(mask)
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Sync { since } => self.changes(since),
            Ask::Fetch { uids, need, max_bytes, .. } => self.fetch(&uids, need, max_bytes),
            Ask::Vanished { since } => Answer::Vanished(self.vanished_since(since)),
            Ask::Store { uids, operation, flags, keywords, unchanged_since } => {
                self.store(&uids, operation, flags, &keywords, unchanged_since.unwrap_or(u64::MAX))
            }
            Ask::Expunge { uids } => {
                let deleted = self.messages.iter().filter(|(_, m)| m.flags & flags::DELETED != 0);
                let wanted = |uid: &u32| uids.as_ref().is_none_or(|uids| uids.contains(uid));
                let gone = deleted.map(|(uid, _)| *uid).filter(wanted).collect();
                Answer::Expunged(self.remove(gone))
            }
            _ => Answer::Refused(Refusal::Internal),
        }
    }

    fn vanished_since(&self, since: u64) -> Vec<RangeInclusive<u32>> {
        let mut gone: Vec<u32> =
            self.vanished.iter().filter(|(_, modseq)| *modseq > since).map(|(uid, _)| *uid).collect();
        gone.sort_unstable();
        gone.into_iter().map(|uid| uid..=uid).collect()
    }

    fn changes(&mut self, since: u64) -> Answer {
        let rows = self.messages.iter().filter(|(_, m)| m.modseq > since).map(row).collect();
        let vanished = self.vanished_since(since);
        let first_recent = std::mem::replace(&mut self.first_recent, self.uid_next);
        let keywords = self.keywords.clone();
        Answer::Changes(Changes { highest_modseq: self.modseq, rows, vanished, keywords, first_recent })
    }

    fn fetch(&self, uids: &[u32], need: Need, max_bytes: usize) -> Answer {
        let (mut messages, mut answered, mut bytes) = (Vec::new(), 0, 0);
        for uid in uids {
            if bytes >= max_bytes {
                break;
            }
            answered += 1;
            let Some(stored) = self.messages.get(uid) else { continue };
            let index = message::index(&stored.raw);
            let raw = match need {
                Need::Meta => None,
                Need::Header => Some(stored.raw[..index.header_size()].to_vec()),
                Need::Raw => Some(stored.raw.clone()),
            };
            bytes += raw.as_ref().map_or(0, Vec::len);
            let (internal_date, size) = (stored.date, stored.raw.len() as u64);
            messages.push(Message {
                uid: *uid,
                internal_date,
                size,
                index: index.encode(),
                raw,
                save_date: DATE,
                email_id: [(stored.raw.len() % 251) as u8; 16],
                digest: Some(message::digest(&stored.raw, &index)),
            });
        }
        Answer::Messages { messages, answered }
    }

    fn store(
        &mut self,
        uids: &[u32],
        operation: StoreOperation,
        system: u64,
        keywords: &[Keyword],
        unchanged_since: u64,
    ) -> Answer {
        let Some(mask) = self.mask(keywords, operation != StoreOperation::Remove) else {
            return Answer::Refused(Refusal::Limit);
        };
        let mask = mask | system;
        self.modseq += 1;
        let (mut rows, mut modified) = (Vec::new(), Vec::new());
        for uid in uids {
            let Some(stored) = self.messages.get_mut(uid) else { continue };
            if stored.modseq > unchanged_since {
                modified.push(*uid);
                rows.push(row((uid, stored)));
                continue;
            }
            stored.flags = match operation {
                StoreOperation::Replace => mask,
                StoreOperation::Add => stored.flags | mask,
                StoreOperation::Remove => stored.flags & !mask,
            };
            stored.modseq = self.modseq;
            rows.push(row((uid, stored)));
        }
        Answer::Stored { rows, modified, keywords: self.keywords.clone() }
    }
}

fn row((uid, stored): (&u32, impl std::borrow::Borrow<Stored>)) -> Row {
    let stored = stored.borrow();
    Row { uid: *uid, modseq: stored.modseq, flags: stored.flags }
}

fn entry((name, folder): (&String, &Folder)) -> ListEntry {
    ListEntry { name: MailboxName::new(name).unwrap(), selectable: true, special_use: folder.special_use }
}
