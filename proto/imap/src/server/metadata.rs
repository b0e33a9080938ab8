//! GETMETADATA and SETMETADATA (RFC 5464 §4): annotations of mailboxes and of the server.
//!
//! The server's own `/shared` entries are the administrator's; nobody sets them here.

use super::ask::{Answer, Ask, Refusal};
use super::task::{Context, Done, Step};
use crate::MailboxName;
use crate::grammar::GetMetadata;
use crate::response::Code;

#[derive(Debug)]
pub(super) enum Metadata {
    Get(GetMetadata),
    Set { mailbox: Option<MailboxName>, entries: Vec<(String, Option<Vec<u8>>)> },
}

impl Metadata {
    pub(super) fn run(&mut self) -> Step {
        match self {
            Metadata::Get(get) => Step::Ask(Ask::Metadata { mailbox: get.mailbox.clone() }),
            Metadata::Set { mailbox: None, entries } if entries.iter().any(|(name, _)| is_shared(name)) => {
                Done::refused(Refusal::NoPermission).into()
            }
            Metadata::Set { mailbox, entries } => {
                Step::Ask(Ask::SetMetadata { mailbox: mailbox.clone(), entries: std::mem::take(entries) })
            }
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        match (self, answer) {
            (Metadata::Get(get), Answer::Metadata(all)) => write(cx, get, &all).into(),
            (Metadata::Set { .. }, Answer::Done) => Done::ok("SETMETADATA completed").into(),
            (_, other) => Done::unexpected(other).into(),
        }
    }
}

fn is_shared(entry: &str) -> bool {
    entry == "/shared" || entry.starts_with("/shared/")
}

/// `* METADATA mailbox (entry value …)`, and the size of the largest value that MAXSIZE left out (RFC 5464 §4.2.1).
fn write(cx: &mut Context<'_>, get: &GetMetadata, all: &[(String, Vec<u8>)]) -> Done {
    let mut longest = None;
    let mut told: Vec<(&str, Option<&[u8]>)> = Vec::new();
    for entry in &get.entries {
        let mut found = all.iter().filter(|(name, _)| covers(entry, get.depth, name)).peekable();
        if found.peek().is_none() && get.depth == 0 {
            told.push((entry, None));
        }
        for (name, value) in found {
            match get.max_size {
                Some(limit) if value.len() > limit as usize => longest = longest.max(Some(value.len())),
                _ if told.iter().any(|(known, _)| known == name) => {}
                _ => told.push((name, Some(value))),
            }
        }
    }
    if !told.is_empty() {
        cx.out.put("* METADATA ");
        match &get.mailbox {
            Some(name) => cx.out.mailbox(name, cx.modes.utf8_names()),
            None => cx.out.put("\"\""),
        };
        cx.out.put(' ').list(told, |out, (name, value)| {
            out.astring(name.as_bytes()).put(' ');
            match value {
                Some(value) if value.contains(&0) => {
                    out.put('~').literal_size(value.len()).binary_octets(value);
                }
                value => {
                    out.nstring(value);
                }
            }
        });
        cx.out.end();
    }
    let done = Done::ok("GETMETADATA completed");
    match longest {
        Some(size) => done.with(Code::MetadataLongEntries(u32::try_from(size).unwrap_or(u32::MAX))),
        None => done,
    }
}

/// Whether an entry is the one asked for or at most so many levels below it (RFC 5464 §4.2.2).
fn covers(asked: &str, depth: u32, name: &str) -> bool {
    match name.strip_prefix(asked) {
        Some("") => true,
        Some(below) if below.starts_with('/') => below.matches('/').count() <= depth as usize,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths() {
        for (asked, depth, name, expected) in [
            ("/private/a", 0, "/private/a", true),
            ("/private/a", 0, "/private/a/b", false),
            ("/private/a", 1, "/private/a/b", true),
            ("/private/a", 1, "/private/a/b/c", false),
            ("/private/a", u32::MAX, "/private/a/b/c", true),
            ("/private/a", u32::MAX, "/private/ab", false),
            ("/private", u32::MAX, "/shared/a", false),
        ] {
            assert_eq!(covers(asked, depth, name), expected, "{asked} {depth} {name}");
        }
    }

    #[test]
    fn shared_entries_of_the_server_are_not_set_here() {
        let set = |mailbox: Option<MailboxName>, name: &str| {
            Metadata::Set { mailbox, entries: vec![(name.to_owned(), None)] }.run()
        };
        assert!(matches!(set(None, "/shared/comment"), Step::Done(_)));
        assert!(matches!(set(None, "/private/comment"), Step::Ask(_)));
        assert!(matches!(set(Some(MailboxName::inbox()), "/shared/comment"), Step::Ask(_)));
    }
}
