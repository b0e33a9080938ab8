//! LIST (RFC 3501 §6.3.8) with CHILDREN (RFC 3348 §3) and special uses (RFC 6154 §2), and LSUB (RFC 3501 §6.3.9).

use super::ask::{Answer, Ask, ListEntry};
use super::config::LIST_STEP;
use super::task::{Context, Done, Step};
use crate::MailboxName;
use crate::grammar::ListCommand;
use crate::mailbox::SEPARATOR;
use crate::mailbox::pattern::Pattern;
use crate::response::Out;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug)]
pub(super) struct List {
    command: ListCommand,
    /// LSUB
    subscribed: bool,
    /// The names that the pattern still has to be held against, with their attributes.
    left: VecDeque<(MailboxName, Vec<&'static str>)>,
    answered: bool,
}

impl List {
    pub(super) fn new(command: ListCommand, subscribed: bool) -> List {
        List { command, subscribed, left: VecDeque::new(), answered: false }
    }

    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        match (&self.command.pattern, self.subscribed) {
            (None, _) => {
                // "An empty ("" string) mailbox name argument is a special request to return the hierarchy delimiter".
                write(cx.out, self.verb(), &["\\Noselect"], "");
                self.done()
            }
            (Some(_), _) if self.answered => self.tell(cx.out),
            (Some(_), false) => Step::Ask(Ask::List),
            (Some(_), true) => Step::Ask(Ask::Subscriptions),
        }
    }

    pub(super) fn answer(&mut self, answer: Answer) -> Step {
        match answer {
            Answer::Mailboxes(entries) if !self.subscribed => self.list(entries),
            Answer::Subscriptions(names) if self.subscribed => self.lsub(names),
            other => return Done::unexpected(other).into(),
        }
        self.answered = true;
        Step::Again
    }

    fn verb(&self) -> &'static str {
        if self.subscribed { "LSUB" } else { "LIST" }
    }

    fn done(&self) -> Step {
        Done::ok(if self.subscribed { "LSUB completed" } else { "LIST completed" }).into()
    }

    fn lists_parents(&self) -> bool {
        self.command.pattern.as_ref().is_some_and(Pattern::lists_parents)
    }

    /// Holds as many names against the pattern as one step may, and tells those that match.
    fn tell(&mut self, out: &mut Out) -> Step {
        let Some(pattern) = &self.command.pattern else { return self.done() };
        let mut cost = 0;
        while let Some((name, attributes)) = self.left.pop_front() {
            if pattern.matches(&name) {
                write(out, self.verb(), &attributes, &name.to_wire());
            }
            cost += pattern.cost(&name);
            if cost >= LIST_STEP {
                return Step::Yield;
            }
        }
        self.done()
    }

    fn list(&mut self, entries: Vec<ListEntry>) {
        let parents: BTreeSet<MailboxName> =
            entries.iter().flat_map(|e| e.name.parents().collect::<Vec<_>>()).collect();
        let mut names: BTreeMap<&MailboxName, Option<&ListEntry>> = BTreeMap::new();
        if self.lists_parents() && !self.command.special_use_only {
            names.extend(parents.iter().map(|name| (name, None)));
        }
        names.extend(entries.iter().map(|entry| (&entry.name, Some(entry))));
        for (name, entry) in in_order(&names) {
            let special_use = entry.and_then(|entry| entry.special_use);
            if self.command.special_use_only && special_use.is_none() {
                continue;
            }
            let mut attributes = Vec::new();
            if !entry.is_some_and(|entry| entry.selectable) {
                attributes.push("\\Noselect");
            }
            attributes.push(if parents.contains(name) { "\\HasChildren" } else { "\\HasNoChildren" });
            attributes.extend(special_use.map(|usage| usage.attribute()));
            self.left.push_back((name.clone(), attributes));
        }
    }

    /// Behind a trailing `%` a name whose inferiors are subscribed is told with `\Noselect`, if it is not itself.
    fn lsub(&mut self, subscribed: Vec<MailboxName>) {
        let parents: BTreeSet<MailboxName> = match self.lists_parents() {
            true => subscribed.iter().flat_map(|name| name.parents().collect::<Vec<_>>()).collect(),
            false => BTreeSet::new(),
        };
        let mut names: BTreeMap<&MailboxName, bool> = BTreeMap::new();
        names.extend(parents.iter().map(|name| (name, false)));
        names.extend(subscribed.iter().map(|name| (name, true)));
        for (name, own) in in_order(&names) {
            self.left.push_back((name.clone(), if own { Vec::new() } else { vec!["\\Noselect"] }));
        }
    }
}

/// INBOX first, the others by name.
fn in_order<'n, T: Copy>(names: &BTreeMap<&'n MailboxName, T>) -> Vec<(&'n MailboxName, T)> {
    let (mut first, others): (Vec<_>, Vec<_>) =
        names.iter().map(|(n, v)| (*n, *v)).partition(|(name, _)| name.is_inbox());
    first.extend(others);
    first
}

/// `* LIST (attributes) "/" name`
fn write(out: &mut Out, verb: &str, attributes: &[&str], wire: &str) {
    out.put("* ").put(verb).put(" (").put(attributes.join(" ")).put(") \"").put(SEPARATOR).put("\" ");
    out.astring(wire.as_bytes()).end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpecialUse;
    use crate::response::tests::written;

    fn list(subscribed: bool, special_use_only: bool, pattern: &str) -> List {
        let pattern = Some(Pattern::new("", pattern));
        List::new(ListCommand { pattern, special_use_only }, subscribed)
    }

    /// What the answer leads to, in as many steps as it takes.
    fn told(mut list: List, answer: Answer) -> String {
        assert!(matches!(list.answer(answer), Step::Again));
        written(|out| while !matches!(list.tell(out), Step::Done(_)) {})
    }

    fn entries() -> Vec<ListEntry> {
        let entry = |name, special_use| ListEntry {
            name: MailboxName::new(name).unwrap(),
            selectable: true,
            special_use,
        };
        vec![
            entry("Archive/2025", None),
            entry("Drafts", Some(SpecialUse::Drafts)),
            entry("INBOX", None),
            entry("INBOX/Lists", None),
            entry("Entwürfe", None),
        ]
    }

    #[test]
    fn attributes_and_parents() {
        let check = |special, pattern, expected: &[&str]| {
            let text = told(list(false, special, pattern), Answer::Mailboxes(entries()));
            assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{pattern}");
        };
        check(
            false,
            "%",
            &[
                "* LIST (\\HasChildren) \"/\" INBOX",
                "* LIST (\\Noselect \\HasChildren) \"/\" Archive",
                "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts",
                "* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe",
            ],
        );
        check(
            false,
            "*/*",
            &["* LIST (\\HasNoChildren) \"/\" Archive/2025", "* LIST (\\HasNoChildren) \"/\" INBOX/Lists"],
        );
        check(false, "inbox", &["* LIST (\\HasChildren) \"/\" INBOX"]);
        check(false, "Archive", &[]);
        check(true, "*", &["* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts"]);
    }

    /// RFC 3501 §6.3.9: `foo/bar` subscribed and `LSUB "" "%"`.
    #[test]
    fn subscribed_parents() {
        let names = || vec![MailboxName::new("foo/bar").unwrap(), MailboxName::new("gone").unwrap()];
        let lsub = |pattern| told(list(true, false, pattern), Answer::Subscriptions(names()));
        assert_eq!(lsub("%"), "* LSUB (\\Noselect) \"/\" foo\r\n* LSUB () \"/\" gone\r\n");
        assert_eq!(lsub("*"), "* LSUB () \"/\" foo/bar\r\n* LSUB () \"/\" gone\r\n");
    }
}
