//! What a client does in one step, what the model makes of it, and what must be the same afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::client::{View, code, numbers};
use super::model::{Flags, Op};
use super::peer::Peer;
use super::{MODES, Sim};

const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$One", "$Two"];

impl Sim {
    /// One random step of one client.
    pub async fn step(&mut self, who: usize) {
        if self.sessions[who].peer.is_none() {
            // Away; back in one of four steps.
            return if self.random.chance(25) { self.connect(who).await } else { self.deed(0).await };
        }
        match self.random.below(40) {
            0..2 => self.sessions[who].peer = None,
            2..5 => self.idle(who).await,
            _ => self.deed(who).await,
        }
    }

    async fn deed(&mut self, who: usize) {
        if self.sessions[who].peer.is_none() {
            return;
        }
        match self.random.below(20) {
            0..4 => self.append(who).await,
            4..9 => self.store_flags(who).await,
            9..11 => self.expunge(who).await,
            11 => self.copy(who).await,
            12 => self.r#move(who).await,
            13..15 => self.search(who).await,
            15..17 => self.fetch_changes(who).await,
            17 => self.status(who).await,
            _ => self.noop(who).await,
        }
    }

    /// Connects; a client that knows the mailbox resynchronises.
    pub async fn connect(&mut self, who: usize) {
        let mut peer = Peer::login(&self.store, self.account).await;
        let session = &self.sessions[who];
        if !session.mode.is_empty() {
            peer.command(&format!("ENABLE {}", session.mode)).await;
        }
        let before = session.view.clone();
        let resync = session.qresync() && before.uid_validity > 0;
        let parameters = if resync { self.qresync_parameters(&before) } else { String::new() };
        let (lines, end) = peer.command(&format!("SELECT INBOX{parameters}")).await;
        assert!(end.starts_with("OK [READ-WRITE]"), "{end}");
        let view = &mut self.sessions[who].view;
        match resync {
            true => view.resynchronised(&before, &lines),
            false => {
                *view = View::default();
                view.hear(&lines);
                view.highest = lines.iter().find_map(|line| code(line, "HIGHESTMODSEQ ")).unwrap();
            }
        }
        assert_eq!(view.highest, self.model.modseq);
        self.sessions[who].peer = Some(peer);
        if resync {
            self.compare(who, &format!("SELECT INBOX{parameters}"));
        }
        self.learn(who).await;
        self.compare(who, "SELECT");
    }

    /// What a client may say of what it knows: nothing, its UIDs, some places with their UIDs.
    fn qresync_parameters(&mut self, before: &View) -> String {
        let uids = before.uids();
        let list = |uids: &[u32]| uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let mut text = format!("{} {}", before.uid_validity, before.highest);
        if !uids.is_empty() && self.random.chance(70) {
            text.push_str(&format!(" {}", list(&uids)));
            if self.random.chance(50) {
                let places: Vec<u32> = (1..=uids.len() as u32).filter(|_| self.random.chance(50)).collect();
                let at: Vec<u32> = places.iter().map(|place| uids[*place as usize - 1]).collect();
                if !places.is_empty() {
                    text.push_str(&format!(" ({} {})", list(&places), list(&at)));
                }
            }
        }
        format!(" (QRESYNC ({text}))")
    }

    /// Sends a command and takes in what it says; its tagged line.
    async fn say(&mut self, who: usize, command: &str) -> String {
        let session = &mut self.sessions[who];
        let (lines, end) = session.peer.as_mut().unwrap().command(command).await;
        assert!(end.starts_with("OK"), "{command}: {end}");
        if session.qresync() {
            assert!(!lines.iter().any(|line| line.ends_with(" EXPUNGE")), "{command}: {lines:?}");
        }
        session.view.hear(&lines);
        end
    }

    /// Asks for what EXISTS announced.
    async fn learn(&mut self, who: usize) {
        let session = &mut self.sessions[who];
        let unknown = session.view.messages.iter().position(|known| known.uid == 0 || known.flags.is_none());
        let Some(unknown) = unknown else { return };
        let items = if session.condstore() { "UID FLAGS MODSEQ" } else { "UID FLAGS" };
        self.say(who, &format!("FETCH {}:* ({items})", unknown + 1)).await;
    }

    /// The command was one in which everything may be told.
    async fn settle(&mut self, who: usize, end: &str, command: &str) {
        self.sessions[who].view.settled(end);
        self.learn(who).await;
        self.compare(who, command);
    }

    /// The client knows what there is, and nothing else.
    fn compare(&self, who: usize, command: &str) {
        let session = &self.sessions[who];
        let known: Vec<_> =
            session.view.messages.iter().map(|known| (known.uid, known.flags.clone())).collect();
        let expected: Vec<_> =
            self.model.messages.iter().map(|(uid, kept)| (*uid, Some(kept.flags.clone()))).collect();
        assert_eq!(known, expected, "{} after {command}", MODES[who]);
        if session.condstore() {
            let known: Vec<_> = session.view.messages.iter().map(|known| known.modseq).collect();
            let expected: Vec<_> = self.model.messages.values().map(|kept| Some(kept.modseq)).collect();
            // What was known before QRESYNC and did not change was not told again.
            for (known, expected) in known.iter().zip(&expected) {
                assert!(
                    known.is_none() || known == expected,
                    "{known:?} is not {expected:?} after {command}"
                );
            }
            assert!(session.view.highest <= self.model.modseq, "{command}");
        }
    }

    pub async fn noop(&mut self, who: usize) {
        let end = self.say(who, "NOOP").await;
        self.settle(who, &end, "NOOP").await;
    }

    /// One client waits while another does something.
    async fn idle(&mut self, who: usize) {
        // A client that does not know the UIDs of what came cannot tell which of it VANISHED.
        self.noop(who).await;
        let peer = self.sessions[who].peer.as_mut().unwrap();
        let mut lines = peer.say("idle IDLE\r\n").await;
        assert!(lines.iter().any(|line| line.starts_with("+ ")), "{lines:?}");
        let other = (who + 1 + self.random.below(MODES.len() - 1)) % MODES.len();
        Box::pin(self.deed(other)).await;
        let peer = self.sessions[who].peer.as_mut().unwrap();
        lines.extend(peer.hear().await);
        lines.extend(peer.say("DONE\r\n").await);
        assert_eq!(lines.pop().as_deref(), Some("idle OK IDLE completed"));
        self.sessions[who].view.hear(&lines);
        self.settle(who, "OK", "IDLE").await;
    }

    fn flags(&mut self) -> Flags {
        FLAGS.iter().filter(|_| self.random.chance(30)).map(|flag| (*flag).to_owned()).collect()
    }

    async fn append(&mut self, who: usize) {
        let flags = self.flags();
        let list = flags.iter().cloned().collect::<Vec<_>>().join(" ");
        let number = self.model.uid_next;
        let message = format!("Subject: {number}\r\n\r\nx\r\n");
        let command = format!("APPEND INBOX ({list}) {{{}+}}\r\n{message}", message.len());
        let end = self.say(who, &command).await;
        assert!(end.contains(&format!(" {number}] ")), "{end}");
        self.model.add(vec![flags]);
        self.settle(who, &end, "APPEND").await;
    }

    /// Some messages that the client knows, by number or by UID.
    fn some(&mut self, who: usize) -> Option<(bool, Vec<u32>, String)> {
        let uids = self.sessions[who].view.uids();
        let chosen: Vec<usize> = (0..uids.len()).filter(|_| self.random.chance(40)).collect();
        let by_uid = self.random.chance(50);
        let named = chosen.iter().map(|place| if by_uid { uids[*place] } else { *place as u32 + 1 });
        let set = named.map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        let chosen: Vec<u32> = chosen.into_iter().map(|place| uids[place]).collect();
        (!chosen.is_empty()).then_some((by_uid, chosen, set))
    }

    async fn store_flags(&mut self, who: usize) {
        let Some((by_uid, uids, set)) = self.some(who) else { return };
        let (op, sign) = *self.random.pick(&[(Op::Replace, ""), (Op::Add, "+"), (Op::Remove, "-")]);
        let (flags, silent) = (self.flags(), self.random.chance(50));
        let condition = self.sessions[who].condstore() && self.random.chance(50);
        let unchanged_since = condition.then(|| self.random.below(self.model.modseq as usize + 1) as u64);
        let list = flags.iter().cloned().collect::<Vec<_>>().join(" ");
        let command = format!(
            "{}STORE {set} {}{sign}FLAGS{} ({list})",
            if by_uid { "UID " } else { "" },
            unchanged_since.map(|since| format!("(UNCHANGEDSINCE {since}) ")).unwrap_or_default(),
            if silent { ".SILENT" } else { "" },
        );
        let before = self.sessions[who].view.uids();
        let end = self.say(who, &command).await;
        // Nothing to set and nothing to clear is no question to anybody.
        let nothing = op != Op::Replace && flags.is_empty();
        let modified = match nothing {
            true => BTreeSet::new(),
            false => self.model.store(&uids, op, &flags, unchanged_since),
        };
        let told = end.split_once("[MODIFIED ").map(|(_, rest)| numbers(rest.split(']').next().unwrap()));
        let told: BTreeSet<u32> = told.unwrap_or_default();
        let told: BTreeSet<u32> =
            if by_uid { told } else { told.iter().map(|number| before[*number as usize - 1]).collect() };
        assert_eq!(told, modified, "{command}");
        let gone = !nothing && uids.iter().any(|uid| !self.model.messages.contains_key(uid));
        assert_eq!(end.contains("[EXPUNGEISSUED]"), gone && modified.is_empty(), "{command}: {end}");
        let view = &mut self.sessions[who].view;
        for known in &mut view.messages {
            let stored = uids.contains(&known.uid) && !modified.contains(&known.uid);
            if !stored || !self.model.messages.contains_key(&known.uid) {
                continue;
            }
            if !silent {
                assert!(view.told_flags.contains(&known.uid), "{command}: nothing of {}", known.uid);
            } else if !view.told_flags.contains(&known.uid) {
                // What a client makes of its own silent STORE.
                let had = known.flags.take().unwrap();
                known.flags = Some(match op {
                    Op::Replace => flags.clone(),
                    Op::Add => had.union(&flags).cloned().collect(),
                    Op::Remove => had.difference(&flags).cloned().collect(),
                });
            }
        }
        match by_uid {
            true => self.settle(who, &end, &command).await,
            false => self.learn(who).await,
        }
        let known: BTreeMap<u32, _> =
            self.sessions[who].view.messages.iter().map(|known| (known.uid, known.flags.clone())).collect();
        for (uid, flags) in self.model.flags_of(&uids) {
            assert_eq!(known[&uid], Some(flags), "{command}: {uid}");
        }
    }

    async fn expunge(&mut self, who: usize) {
        let among = if self.random.chance(30) { self.some(who) } else { None };
        let (command, removed) = match among {
            Some((_, uids, _)) => {
                let set = uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
                (format!("UID EXPUNGE {set}"), self.model.expunge(Some(&uids)))
            }
            None => ("EXPUNGE".to_owned(), self.model.expunge(None)),
        };
        let end = self.say(who, &command).await;
        let expected = (self.sessions[who].condstore() && !removed.is_empty()).then_some(self.model.modseq);
        assert_eq!(code(&end, "HIGHESTMODSEQ "), expected, "{command}: {end}");
        self.settle(who, &end, &command).await;
    }

    async fn copy(&mut self, who: usize) {
        let Some((by_uid, uids, set)) = self.some(who) else { return };
        let target = *self.random.pick(&["INBOX", "Archive"]);
        let command = format!("{}COPY {set} {target}", if by_uid { "UID " } else { "" });
        let end = self.say(who, &command).await;
        let copies: Vec<Flags> = self.model.flags_of(&uids).into_iter().map(|(_, flags)| flags).collect();
        assert_eq!(end.contains("[COPYUID "), !copies.is_empty(), "{command}: {end}");
        if target == "INBOX" {
            self.model.add(copies);
        }
        self.settle(who, &end, &command).await;
    }

    async fn r#move(&mut self, who: usize) {
        let Some((by_uid, uids, set)) = self.some(who) else { return };
        let command = format!("{}MOVE {set} Archive", if by_uid { "UID " } else { "" });
        let moved: Vec<u32> = self.model.flags_of(&uids).into_iter().map(|(uid, _)| uid).collect();
        self.model.remove(&moved);
        let end = self.say(who, &command).await;
        let expected = (self.sessions[who].condstore() && !moved.is_empty()).then_some(self.model.modseq);
        assert_eq!(code(&end, "HIGHESTMODSEQ "), expected, "{command}: {end}");
        self.settle(who, &end, &command).await;
    }

    /// Flags and modification sequence of all that the session counts: of what is gone and was not told, as it was known.
    fn counted(&self, who: usize) -> BTreeMap<u32, (Flags, Option<u64>)> {
        let known = self.sessions[who].view.messages.iter();
        let mut counted: BTreeMap<u32, (Flags, Option<u64>)> =
            known.map(|known| (known.uid, (known.flags.clone().unwrap(), known.modseq))).collect();
        let now = self.model.messages.iter();
        counted.extend(now.map(|(uid, kept)| (*uid, (kept.flags.clone(), Some(kept.modseq)))));
        counted
    }

    async fn search(&mut self, who: usize) {
        type Matches = Box<dyn Fn(u32, &Flags, u64) -> bool>;
        let (by_uid, returns) = (self.random.chance(50), self.random.chance(50));
        let since = self.random.below(self.model.modseq as usize + 2) as u64;
        let uid = 1 + self.random.below(self.model.uid_next as usize) as u32;
        let flag = |name: &'static str| move |_: u32, flags: &Flags, _: u64| flags.contains(name);
        let (key, matches): (String, Matches) = match self.random.below(6) {
            0 => ("UNSEEN".into(), Box::new(move |u, f, m| !flag("\\Seen")(u, f, m))),
            1 => ("DELETED".into(), Box::new(flag("\\Deleted"))),
            2 => ("KEYWORD $One".into(), Box::new(flag("$One"))),
            3 => (format!("UID 1:{uid} NOT ANSWERED"), {
                Box::new(move |u, f, _| u <= uid && !f.contains("\\Answered"))
            }),
            4 if self.sessions[who].condstore() => {
                (format!("MODSEQ {since}"), Box::new(move |_, _, m| m >= since))
            }
            _ => ("OR FLAGGED SUBJECT none".into(), Box::new(flag("\\Flagged"))),
        };
        let expected = self.counted(who);
        // A search that reads messages finds nothing of what is gone, and cannot say so of a key that is not needed.
        let expected: BTreeSet<u32> = expected
            .iter()
            .filter(|(uid, (flags, modseq))| matches(**uid, flags, modseq.unwrap_or(0)))
            .map(|(uid, _)| *uid)
            .collect();
        let words = if returns { "RETURN (ALL) " } else { "" };
        let command = format!("{}SEARCH {words}{key}", if by_uid { "UID " } else { "" });
        let end = self.say(who, &command).await;
        let found = self.sessions[who].view.found.take().unwrap();
        self.learn(who).await;
        let uids = self.sessions[who].view.uids();
        let found: BTreeSet<u32> =
            if by_uid { found } else { found.iter().map(|number| uids[*number as usize - 1]).collect() };
        // ESEARCH of UIDs compresses ranges of what there is.
        assert_eq!(found, expected, "{command} of {}", MODES[who]);
        if by_uid {
            self.settle(who, &end, &command).await;
        }
    }

    async fn fetch_changes(&mut self, who: usize) {
        let session = &self.sessions[who];
        if !session.condstore() || session.view.messages.is_empty() {
            return self.noop(who).await;
        }
        let vanished = session.qresync();
        let since = 1 + self.random.below(self.model.modseq as usize) as u64;
        let by_uid = vanished || self.random.chance(50);
        let before = self.sessions[who].view.uids();
        let expected: BTreeSet<u32> = self
            .counted(who)
            .iter()
            .filter(|(_, (_, modseq))| modseq.is_none_or(|modseq| modseq > since))
            .map(|(uid, _)| *uid)
            .collect();
        let command = format!(
            "{}FETCH 1:* (UID FLAGS) (CHANGEDSINCE {since}{})",
            if by_uid { "UID " } else { "" },
            if vanished { " VANISHED" } else { "" },
        );
        let end = self.say(who, &command).await;
        let view = &self.sessions[who].view;
        let known =
            |uid: &&u32| view.messages.iter().any(|known| known.uid == **uid && known.modseq.is_some());
        assert!(
            expected.iter().filter(known).all(|uid| view.fetched.contains(uid)),
            "{command}: {expected:?}"
        );
        if vanished {
            let gone =
                self.model.gone.iter().filter(|(uid, modseq)| *modseq > since && !before.contains(uid));
            let gone: BTreeSet<u32> = gone.map(|(uid, _)| *uid).collect();
            assert_eq!(view.earlier, gone, "{command}");
        }
        match by_uid {
            true => self.settle(who, &end, &command).await,
            false => self.learn(who).await,
        }
    }

    async fn status(&mut self, who: usize) {
        if !self.sessions[who].condstore() {
            return self.noop(who).await;
        }
        let peer = self.sessions[who].peer.as_mut().unwrap();
        let command = "STATUS INBOX (MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)";
        let (lines, end) = peer.command(command).await;
        let unseen = self.model.messages.values().filter(|kept| !kept.flags.contains("\\Seen")).count();
        let expected = format!(
            "* STATUS INBOX (MESSAGES {} UIDNEXT {} UNSEEN {unseen} HIGHESTMODSEQ {})",
            self.model.messages.len(),
            self.model.uid_next,
            self.model.modseq,
        );
        assert!(lines.contains(&expected), "{lines:?} lacks {expected}");
        self.sessions[who].view.hear(&lines);
        self.settle(who, &end, command).await;
    }
}
