//! LIST (RFC 3501 §6.3.8) with its options (RFC 5258 §3), CHILDREN (RFC 3348 §3), special uses (RFC 6154 §2) and STATUS of
//! what is listed (RFC 5819 §2), and LSUB (RFC 3501 §6.3.9).

use super::ask::{Answer, Ask, ListEntry};
use super::config::LIST_STEP;
use super::status;
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
    lsub: bool,
    stage: Stage,
    /// The names that the patterns still have to be held against.
    left: VecDeque<Listed>,
}

#[derive(Debug)]
enum Stage {
    Start,
    /// [`Ask::List`] is answered, [`Ask::Subscriptions`] is not.
    Entries(Vec<ListEntry>),
    Telling,
    /// [`Ask::Status`] of this mailbox is open.
    Status(MailboxName),
}

/// A name and what is told of it if it matches.
#[derive(Debug)]
struct Listed {
    name: MailboxName,
    attributes: Vec<&'static str>,
    /// It exists and can be selected.
    selectable: bool,
    /// It meets the selection itself; the others are told for what is below them.
    selected: bool,
    /// What is below it and meets the selection, where that was asked for.
    inferiors: Vec<MailboxName>,
}

impl List {
    pub(super) fn new(command: ListCommand, lsub: bool) -> List {
        List { command, lsub, stage: Stage::Start, left: VecDeque::new() }
    }

    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        match &self.stage {
            Stage::Start if self.command.patterns.is_empty() => {
                // "An empty ("" string) mailbox name argument is a special request to return the hierarchy delimiter".
                write(cx.out, self.verb(), &["\\Noselect"]).put("\"\"").end();
                self.done()
            }
            Stage::Start if self.lsub => Step::Ask(Ask::Subscriptions),
            Stage::Start => Step::Ask(Ask::List),
            Stage::Entries(_) => Step::Ask(Ask::Subscriptions),
            _ => self.tell(cx.out, cx.modes.utf8_names()),
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let knows_subscriptions = self.command.return_subscribed;
        match (std::mem::replace(&mut self.stage, Stage::Telling), answer) {
            (Stage::Start, Answer::Mailboxes(entries)) if knows_subscriptions && !self.lsub => {
                self.stage = Stage::Entries(entries);
            }
            (Stage::Start, Answer::Mailboxes(entries)) if !self.lsub => self.list(&entries, &[]),
            (Stage::Start, Answer::Subscriptions(names)) if self.lsub => self.lsub(names),
            (Stage::Entries(entries), Answer::Subscriptions(names)) => self.list(&entries, &names),
            (Stage::Status(name), Answer::Status(found)) => {
                status::write(cx, &name, &self.command.status, &found)
            }
            // What vanished meanwhile has no STATUS (RFC 5819 §2).
            (Stage::Status(_), Answer::Refused(_)) => {}
            (_, other) => return Done::unexpected(other).into(),
        }
        Step::Again
    }

    fn verb(&self) -> &'static str {
        if self.lsub { "LSUB" } else { "LIST" }
    }

    fn done(&self) -> Step {
        Done::ok(if self.lsub { "LSUB completed" } else { "LIST completed" }).into()
    }

    fn lists_parents(&self) -> bool {
        self.command.patterns.iter().any(Pattern::lists_parents)
    }

    /// Holds as many names against the patterns as one step may, and tells those that match.
    fn tell(&mut self, out: &mut Out, utf8: bool) -> Step {
        let mut cost = 0;
        while let Some(listed) = self.left.pop_front() {
            let patterns = &self.command.patterns;
            let matches = |name: &MailboxName| patterns.iter().any(|pattern| pattern.matches(name));
            let of_each = patterns.iter().map(|pattern| pattern.cost(&listed.name)).sum::<usize>();
            cost += of_each * (1 + listed.inferiors.len());
            // "SHOULD ONLY return a non-matching mailbox name along with CHILDINFO if at least one matching child mailbox is
            // not also being returned" (RFC 5258 §3.5).
            let tells = matches(&listed.name) && (listed.selected || !listed.inferiors.iter().all(matches));
            if tells {
                write(out, self.verb(), &listed.attributes).mailbox(&listed.name, utf8);
                if !listed.inferiors.is_empty() {
                    write_child_info(out, &self.command);
                }
                out.end();
                if !self.command.status.is_empty() && listed.selectable {
                    let name = listed.name;
                    self.stage = Stage::Status(name.clone());
                    return Step::Ask(Ask::Status { name });
                }
            }
            if cost >= LIST_STEP {
                return Step::Yield;
            }
        }
        self.done()
    }

    fn list(&mut self, entries: &[ListEntry], subscribed: &[MailboxName]) {
        let subscribed: BTreeSet<&MailboxName> = subscribed.iter().collect();
        let existing: BTreeMap<&MailboxName, &ListEntry> = entries.iter().map(|e| (&e.name, e)).collect();
        let above: BTreeSet<MailboxName> =
            existing.keys().flat_map(|name| name.parents().collect::<Vec<_>>()).collect();
        let selects = |name: &MailboxName| {
            let special_use = existing.get(name).is_some_and(|entry| entry.special_use.is_some());
            (!self.command.subscribed || subscribed.contains(name))
                && (!self.command.special_use || special_use)
        };
        let mut names: BTreeSet<&MailboxName> = existing.keys().copied().collect();
        if self.command.subscribed {
            names.extend(subscribed.iter().copied());
        }
        let chosen: Vec<&MailboxName> = names.iter().copied().filter(|name| selects(name)).collect();
        let selection = self.command.subscribed || self.command.special_use;
        let mut inferiors: BTreeMap<MailboxName, Vec<MailboxName>> = BTreeMap::new();
        if self.command.recursive {
            for name in &chosen {
                for parent in name.parents() {
                    inferiors.entry(parent).or_default().push((*name).clone());
                }
            }
        }
        let mut all: BTreeMap<&MailboxName, bool> = inferiors.keys().map(|name| (name, false)).collect();
        if self.lists_parents() && !selection {
            all.extend(above.iter().map(|name| (name, true)));
        }
        all.extend(chosen.iter().map(|name| (*name, true)));
        let mut left = VecDeque::new();
        for (name, selected) in in_order(&all) {
            let entry = existing.get(name).copied();
            let mut attributes = Vec::new();
            match entry {
                None if self.command.extended => attributes.push("\\NonExistent"),
                Some(ListEntry { selectable: true, .. }) => {}
                _ => attributes.push("\\Noselect"),
            }
            if self.command.return_subscribed && subscribed.contains(name) {
                attributes.push("\\Subscribed");
            }
            attributes.push(if above.contains(name) { "\\HasChildren" } else { "\\HasNoChildren" });
            attributes.extend(entry.and_then(|entry| entry.special_use).map(|usage| usage.attribute()));
            left.push_back(Listed {
                name: name.clone(),
                attributes,
                selectable: entry.is_some_and(|entry| entry.selectable),
                selected,
                inferiors: inferiors.get(name).cloned().unwrap_or_default(),
            });
        }
        self.left = left;
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
            let attributes = if own { Vec::new() } else { vec!["\\Noselect"] };
            let name = name.clone();
            self.left.push_back(Listed {
                name,
                attributes,
                selectable: own,
                selected: true,
                inferiors: Vec::new(),
            });
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

/// `* LIST (attributes) "/" `, before the name.
fn write<'o>(out: &'o mut Out, verb: &str, attributes: &[&str]) -> &'o mut Out {
    out.put("* ").put(verb).put(" (").put(attributes.join(" ")).put(") \"").put(SEPARATOR).put("\" ")
}

/// `childinfo-extended-item = "CHILDINFO" SP "(" list-select-base-opt-quoted … ")"` (RFC 5258 §6): why it is told.
fn write_child_info(out: &mut Out, command: &ListCommand) {
    let options = [(command.subscribed, "\"SUBSCRIBED\""), (command.special_use, "\"SPECIAL-USE\"")];
    let options: Vec<&str> = options.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
    out.put(" (\"CHILDINFO\" (").put(options.join(" ")).put("))");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpecialUse;
    use crate::response::tests::written;

    fn list(lsub: bool, pattern: &str, command: ListCommand) -> List {
        List::new(ListCommand { patterns: vec![Pattern::new("", pattern)], ..command }, lsub)
    }

    /// What the entries lead to, in as many steps as it takes.
    fn told(mut list: List, entries: &[ListEntry], subscribed: &[&str]) -> Vec<String> {
        let subscribed: Vec<MailboxName> =
            subscribed.iter().map(|name| MailboxName::new(name).unwrap()).collect();
        if list.lsub {
            list.lsub(subscribed)
        } else {
            list.list(entries, &subscribed)
        }
        let text = written(|out| while !matches!(list.tell(out, false), Step::Done(_)) {});
        text.lines().map(str::to_owned).collect()
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
        let check = |special_use, pattern, expected: &[&str]| {
            let list = list(false, pattern, ListCommand { special_use, ..ListCommand::default() });
            assert_eq!(told(list, &entries(), &[]), expected, "{pattern}");
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
        let lsub = |pattern| told(list(true, pattern, ListCommand::default()), &[], &["foo/bar", "gone"]);
        assert_eq!(lsub("%"), ["* LSUB (\\Noselect) \"/\" foo", "* LSUB () \"/\" gone"]);
        assert_eq!(lsub("*"), ["* LSUB () \"/\" foo/bar", "* LSUB () \"/\" gone"]);
    }

    fn fruit(names: &[&str]) -> Vec<ListEntry> {
        let entry = |name: &&str| ListEntry {
            name: MailboxName::new(name).unwrap(),
            selectable: true,
            special_use: None,
        };
        names.iter().map(entry).collect()
    }

    /// The hierarchy of RFC 5258 §5, examples 1 to 5; ours has `Vegetable` as a mailbox too, for it keeps all superiors.
    #[test]
    fn examples_of_list_extended() {
        let entries = fruit(&[
            "INBOX",
            "Fruit",
            "Fruit/Apple",
            "Fruit/Banana",
            "Tofu",
            "Vegetable",
            "Vegetable/Broccoli",
        ]);
        let subscribed = ["INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli"];
        let extended = || ListCommand { extended: true, ..ListCommand::default() };
        let selected = || ListCommand { subscribed: true, return_subscribed: true, ..extended() };
        let check = |pattern, command, expected: &[&str]| {
            assert_eq!(told(list(false, pattern, command), &entries, &subscribed), expected, "{pattern}");
        };
        check(
            "*",
            selected(),
            &[
                "* LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX",
                "* LIST (\\Subscribed \\HasNoChildren) \"/\" Fruit/Banana",
                "* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \"/\" Fruit/Peach",
                "* LIST (\\Subscribed \\HasChildren) \"/\" Vegetable",
                "* LIST (\\Subscribed \\HasNoChildren) \"/\" Vegetable/Broccoli",
            ],
        );
        check(
            "%",
            extended(),
            &[
                "* LIST (\\HasNoChildren) \"/\" INBOX",
                "* LIST (\\HasChildren) \"/\" Fruit",
                "* LIST (\\HasNoChildren) \"/\" Tofu",
                "* LIST (\\HasChildren) \"/\" Vegetable",
            ],
        );
        check(
            "Fruit/*",
            ListCommand { return_subscribed: true, ..extended() },
            &[
                "* LIST (\\HasNoChildren) \"/\" Fruit/Apple",
                "* LIST (\\Subscribed \\HasNoChildren) \"/\" Fruit/Banana",
            ],
        );
        // Example 9 of RFC 5258 §5 in this hierarchy: what is above is told for what is below and not told itself.
        check(
            "%",
            ListCommand { recursive: true, ..selected() },
            &[
                "* LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX",
                "* LIST (\\HasChildren) \"/\" Fruit (\"CHILDINFO\" (\"SUBSCRIBED\"))",
                "* LIST (\\Subscribed \\HasChildren) \"/\" Vegetable (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            ],
        );
        check(
            "*",
            ListCommand { recursive: true, ..selected() },
            &[
                "* LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX",
                "* LIST (\\Subscribed \\HasNoChildren) \"/\" Fruit/Banana",
                "* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \"/\" Fruit/Peach",
                "* LIST (\\Subscribed \\HasChildren) \"/\" Vegetable (\"CHILDINFO\" (\"SUBSCRIBED\"))",
                "* LIST (\\Subscribed \\HasNoChildren) \"/\" Vegetable/Broccoli",
            ],
        );
    }

    #[test]
    fn several_patterns_tell_each_name_once() {
        let patterns = ["Fruit", "%", "*"].map(|pattern| Pattern::new("", pattern)).to_vec();
        let list = List::new(ListCommand { patterns, extended: true, ..ListCommand::default() }, false);
        assert_eq!(told(list, &fruit(&["Fruit", "Fruit/Apple"]), &[]).len(), 2);
    }
}
