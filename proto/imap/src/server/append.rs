//! APPEND (RFC 3501 §6.3.11) with APPENDUID (RFC 4315 §3): asked before the message comes, kept when it has come.

use super::ask::{Answer, Ask, Refusal};
use super::task::{Context, Done, Step};
use crate::MailboxName;
use crate::grammar::AppendHead;
use crate::response::Code;
use crate::sequence::compress;

/// The message was announced.
#[derive(Debug)]
pub(super) struct AppendStart {
    pub head: AppendHead,
    /// [`super::Limits::append`]
    pub limit: u64,
}

impl AppendStart {
    pub(super) fn run(&mut self) -> Step {
        if self.head.append.size == 0 {
            return Done::no(Some(Code::Cannot), "An empty message cannot be appended").into();
        }
        if self.head.append.size > self.limit {
            return Done::refused(Refusal::TooBig).into();
        }
        Step::Ask(Ask::Append(self.head.append.clone()))
    }

    pub(super) fn answer(&mut self, answer: Answer) -> Step {
        match answer {
            Answer::Done => Step::Receive(self.head.clone()),
            other => Done::unexpected(other).into(),
        }
    }
}

/// The message has come.
#[derive(Debug)]
pub(super) struct AppendEnd {
    pub mailbox: MailboxName,
}

impl AppendEnd {
    pub(super) fn run(&mut self) -> Step {
        Step::Ask(Ask::AppendEnd)
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        let Answer::Appended { uid_validity, uids } = answer else { return Done::unexpected(answer).into() };
        *cx.changed |= cx.state.view().is_some_and(|view| view.name == self.mailbox);
        Done::ok("APPEND completed").with(Code::AppendUid(uid_validity, compress(uids.into_iter()))).into()
    }
}

/// Makes every line end CRLF: a message in the store has no bare CR or LF. A run of CRs, with or without an LF behind it, is
/// one line end.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    /// A CR was read and what follows it is not known yet.
    carriage_return: bool,
}

impl LineEnds {
    pub(super) fn normalise(&mut self, octets: &[u8]) -> Vec<u8> {
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
    pub(super) fn end(&mut self) -> &'static [u8] {
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
