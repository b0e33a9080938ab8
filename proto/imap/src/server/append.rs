//! APPEND (RFC 3501 §6.3.11) of one or several messages (RFC 3502 §6.3.11) and REPLACE (RFC 8508 §3), with APPENDUID (RFC 4315
//! §3): asked before a message comes, kept when all have come.

use super::Receiving;
use super::ask::{Answer, Ask, Refusal};
use super::config::APPEND_MESSAGES;
use super::task::{Context, Done, Step, Task};
use crate::MailboxName;
use crate::grammar::{self, AppendHead};
use crate::response::{Code, Condition};
use crate::sequence::compress;

/// A message was announced.
#[derive(Debug)]
pub(super) struct AppendStart {
    pub head: AppendHead,
    /// How many messages of the command came before this one.
    pub before: u32,
}

impl AppendStart {
    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        let append = &mut self.head.append;
        if append.size == 0 {
            // RFC 3502 §6.3.11 has an empty message cancel the command, too.
            return Done::no(Some(Code::Cannot), "An empty message cannot be appended").into();
        }
        if append.size > cx.config.limits.append {
            return Done::refused(Refusal::TooBig).into();
        }
        if self.head.utf8 && !cx.modes.utf8_names() {
            return Done::bad("UTF8 is not enabled").into();
        }
        if let Some(replace) = &self.head.replace {
            let Some(view) = cx.state.view() else { return Done::bad("No mailbox is selected").into() };
            let places = match replace.uid {
                true => Some(view.places_of_uids(&replace.set)),
                false => view.places_of_numbers(&replace.set),
            };
            let Some(places) = places else { return Done::bad("No message has that sequence number").into() };
            if view.read_only {
                return Done::no(None, "The mailbox is selected read-only").into();
            }
            match view.uids(&places).as_slice() {
                [uid] => append.replaces = Some(*uid),
                [] => return Done::no(Some(Code::NonExistent), "No such message").into(),
                _ => return Done::bad("REPLACE takes one message").into(),
            }
        }
        Step::Ask(Ask::Append(append.clone()))
    }

    pub(super) fn answer(&mut self, answer: Answer) -> Step {
        match answer {
            Answer::Done => Step::Receive(self.head.clone(), self.before),
            other => Done::unexpected(other).into(),
        }
    }
}

/// What follows a complete message: another one, or the end of the command.
pub(super) fn after_message(receiving: &Receiving, rest: Option<&[u8]>) -> Result<Task, Done> {
    const END: &str = "Expected the end of the line after the message";
    let head = &receiving.head;
    if receiving.nul {
        return Err(Done::bad("A message holds no NUL"));
    }
    let rest = rest.ok_or(Done::bad(END))?;
    let rest = match head.utf8 {
        true => rest.strip_prefix(b")").ok_or(Done::bad("Expected ) after the message"))?,
        false => rest,
    };
    if rest.is_empty() {
        let replaced = head.append.replaces;
        return Ok(Task::AppendEnd(AppendEnd { mailbox: head.append.mailbox.clone(), replaced }));
    }
    let next = grammar::next_message(&[rest, b"\r\n"].concat(), head);
    match next {
        Ok(next) if head.replace.is_none() && receiving.before < APPEND_MESSAGES => {
            Ok(Task::AppendStart(AppendStart { head: next, before: receiving.before + 1 }))
        }
        Ok(_) if head.replace.is_none() => Err(Done::refused(Refusal::Limit)),
        _ => Err(Done::bad(END)),
    }
}

/// The messages have come.
#[derive(Debug)]
pub(super) struct AppendEnd {
    pub mailbox: MailboxName,
    /// REPLACE
    pub replaced: Option<u32>,
}

impl AppendEnd {
    pub(super) fn run(&mut self) -> Step {
        Step::Ask(Ask::AppendEnd)
    }

    /// REPLACE tells APPENDUID before the news of both messages (RFC 8508 §3.3), APPEND with its OK.
    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Answer::Appended { uid_validity, uids } = answer else { return Done::unexpected(answer).into() };
        *cx.changed |= cx.state.view().is_some_and(|view| view.name == self.mailbox);
        let code = Code::AppendUid(uid_validity, compress(uids));
        if self.replaced.is_none() {
            return Done::ok("APPEND completed").with(code).into();
        }
        *cx.changed = true;
        cx.out.status("*", Condition::Ok, Some(&code), "Replacement message ready");
        Done::ok("REPLACE completed").into()
    }
}

/// Makes every line end CRLF: a message in the store has no bare CR or LF. A run of CRs, with or without an LF behind it, is
/// one line end.
#[derive(Debug, Default)]
pub(crate) struct LineEnds {
    /// A CR was read and what follows it is not known yet.
    carriage_return: bool,
}

impl LineEnds {
    pub(crate) fn normalise(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(octets.len() + 2);
        for octet in octets {
            match (octet, self.carriage_return) {
                (b'\r', _) => self.carriage_return = true,
                (b'\n', _) => {
                    self.carriage_return = false;
                    text.extend_from_slice(b"\r\n");
                }
                (octet, true) => {
                    self.carriage_return = false;
                    text.extend_from_slice(b"\r\n");
                    text.push(*octet);
                }
                (octet, false) => text.push(*octet),
            }
        }
        text
    }

    /// What is still owed at the end of the message.
    pub(crate) fn end(&mut self) -> &'static [u8] {
        if std::mem::take(&mut self.carriage_return) { b"\r\n" } else { b"" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normalised(pieces: &[&[u8]]) -> Vec<u8> {
        let mut lines = LineEnds::default();
        let mut text: Vec<u8> = pieces.iter().flat_map(|piece| lines.normalise(piece)).collect();
        text.extend_from_slice(lines.end());
        text
    }

    #[test]
    fn line_ends() {
        for (input, expected) in [
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\nb", "a\r\nb"),
            ("a\rb\r", "a\r\nb\r\n"),
            ("a\r\r\nb", "a\r\nb"),
            ("\n\n\r\n\r\n", "\r\n\r\n\r\n\r\n"),
            ("", ""),
        ] {
            assert_eq!(normalised(&[input.as_bytes()]), expected.as_bytes(), "{input:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bare_line_end_stays(text in "[ab\r\n]{0,30}", cut in any::<usize>()) {
            let cut = cut % (text.len() + 1);
            let whole = normalised(&[text.as_bytes()]);
            prop_assert_eq!(&normalised(&[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]), &whole);
            let rest = String::from_utf8(whole.clone()).unwrap().replace("\r\n", "");
            prop_assert!(!rest.contains(['\r', '\n']));
            prop_assert_eq!(normalised(&[&whole]), whole);
        }
    }
}
