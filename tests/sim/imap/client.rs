//! A mail client that believes what it is told and checks that it can be: numbers exist, UIDs do not change their places.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Flags;

/// A message as the client knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// 0 until it was told.
    pub uid: u32,
    pub flags: Option<Flags>,
    pub modseq: Option<u64>,
}

/// What a client remembers of the mailbox.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub messages: Vec<Known>,
    pub uid_validity: u32,
    /// The modification sequence up to which everything was told.
    pub highest: u64,
    /// The highest that a FETCH told since the last point at which it could be believed.
    seen: u64,
    /// Results of the running command.
    pub found: Option<BTreeSet<u32>>,
    pub fetched: BTreeSet<u32>,
    /// Those of which FLAGS were told.
    pub told_flags: BTreeSet<u32>,
    pub earlier: BTreeSet<u32>,
}

impl View {
    pub fn uids(&self) -> Vec<u32> {
        self.messages.iter().map(|known| known.uid).collect()
    }

    /// Takes the lines of one answer in.
    pub fn hear(&mut self, lines: &[String]) {
        self.found = None;
        self.fetched.clear();
        self.told_flags.clear();
        self.earlier.clear();
        for line in lines {
            self.line(line);
        }
    }

    /// The command was one during which everything may be told: what was told is all.
    pub fn settled(&mut self, end: &str) {
        self.highest = self.highest.max(self.seen);
        if let Some(modseq) = code(end, "HIGHESTMODSEQ ") {
            self.highest = self.highest.max(modseq);
        }
    }

    fn line(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("* ") else { return };
        let words: Vec<&str> = rest.split(' ').collect();
        match (words[0], words.get(1).copied().unwrap_or_default()) {
            ("VANISHED", "(EARLIER)") => self.earlier.extend(numbers(words[2])),
            ("VANISHED", set) => {
                for uid in numbers(set) {
                    let place = self.messages.iter().position(|known| known.uid == uid);
                    self.messages
                        .remove(place.unwrap_or_else(|| panic!("{line}: {uid} is not known: {self:?}")));
                }
            }
            ("SEARCH", _) => {
                let numbers = words[1..].iter().take_while(|word| !word.starts_with('('));
                self.found = Some(numbers.map(|word| word.parse().unwrap()).collect());
            }
            ("ESEARCH", _) => {
                let all = words.iter().position(|word| *word == "ALL").map(|at| words[at + 1]);
                self.found = Some(all.map(numbers).unwrap_or_default());
            }
            ("OK", _) => {
                if let Some(validity) = code(rest, "UIDVALIDITY ") {
                    self.uid_validity = validity as u32;
                }
            }
            (number, "EXISTS") => {
                let exists: usize = number.parse().unwrap();
                assert!(
                    exists >= self.messages.len(),
                    "{line}: less than {} without EXPUNGE",
                    self.messages.len()
                );
                self.messages.resize_with(exists, Known::default);
            }
            (number, "EXPUNGE") => {
                let number: usize = number.parse().unwrap();
                assert!((1..=self.messages.len()).contains(&number), "{line}: of {}", self.messages.len());
                self.messages.remove(number - 1);
            }
            (number, "FETCH") => self.fetch(number.parse().unwrap(), rest),
            _ => {}
        }
    }

    fn fetch(&mut self, number: usize, line: &str) {
        assert!((1..=self.messages.len()).contains(&number), "{line}: of {}", self.messages.len());
        let known = &mut self.messages[number - 1];
        if let Some(uid) = between(line, "UID ", &[' ', ')']) {
            let uid: u32 = uid.parse().unwrap();
            assert!(known.uid == 0 || known.uid == uid, "{line}: {} has that number", known.uid);
            known.uid = uid;
        }
        if let Some(flags) = between(line, "FLAGS (", &[')']) {
            let flags = flags.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent");
            known.flags = Some(flags.map(str::to_owned).collect());
            self.told_flags.insert(known.uid);
        }
        if let Some(modseq) = between(line, "MODSEQ (", &[')']) {
            let modseq = modseq.parse().unwrap();
            assert!(
                known.modseq.is_none_or(|before| before <= modseq),
                "{line}: went back from {:?}",
                known.modseq
            );
            known.modseq = Some(modseq);
            self.seen = self.seen.max(modseq);
        }
        self.fetched.insert(known.uid);
    }

    /// SELECT (QRESYNC …) answered: takes what was known before along.
    pub fn resynchronised(&mut self, before: &View, lines: &[String]) {
        let mut known: BTreeMap<u32, Known> =
            before.messages.iter().map(|known| (known.uid, known.clone())).collect();
        known.remove(&0);
        let exists =
            lines.iter().find_map(|line| line.strip_suffix(" EXISTS")?.strip_prefix("* ")?.parse().ok());
        let exists: usize = exists.unwrap();
        for line in lines {
            if let Some(set) = line.strip_prefix("* VANISHED (EARLIER) ") {
                for uid in numbers(set) {
                    known.remove(&uid);
                }
            } else if line.contains(" FETCH (") {
                let uid: u32 = between(line, "UID ", &[' ', ')']).unwrap().parse().unwrap();
                known.entry(uid).or_insert(Known { uid, ..Known::default() });
            }
        }
        assert_eq!(known.len(), exists, "{lines:?} on {before:?}");
        *self = View { messages: known.into_values().collect(), ..View::default() };
        for line in lines.iter().filter(|line| !line.contains("VANISHED") && !line.contains(" EXISTS")) {
            self.line(line);
        }
        self.highest = lines.iter().find_map(|line| code(line, "HIGHESTMODSEQ ")).unwrap();
    }
}

/// The number behind a response code's name.
pub fn code(line: &str, name: &str) -> Option<u64> {
    between(line, &format!("[{name}"), &[']'])?.parse().ok()
}

/// The numbers of a set.
pub fn numbers(set: &str) -> BTreeSet<u32> {
    let range = |range: &str| {
        let (low, high) = range.split_once(':').unwrap_or((range, range));
        low.parse::<u32>().unwrap()..=high.parse::<u32>().unwrap()
    };
    set.split(',').flat_map(range).collect()
}

fn between<'l>(line: &'l str, from: &str, to: &[char]) -> Option<&'l str> {
    let rest = &line[line.find(from)? + from.len()..];
    rest.split(to).next()
}
