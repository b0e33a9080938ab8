//! What is added to a submitted message, and what is taken out: Date and Message-ID where they are missing, Bcc.
//!
//! RFC 6409 §8.2 (Date), §8.3 (Message-ID); RFC 5322 §3.6.1, §3.6.4, and §3.6.3 for Bcc: the first of its three forms, in which the
//! field is removed. Nothing else is touched, so that signatures of the client stay valid.

use std::ops::Range;

use chrono::{DateTime, FixedOffset};

use crate::header::fields;

use super::HeaderFacts;

/// The changes to one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// Goes in front of the message, behind the trace fields; with the empty line when the message has no header.
    pub prefix: Vec<u8>,
    /// Pieces of the message that are left out, in order.
    pub cut: Vec<Range<usize>>,
}

impl Completion {
    /// The message with the changes made.
    pub fn apply(&self, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.prefix.len() + message.len());
        out.extend_from_slice(&self.prefix);
        let mut at = 0;
        for cut in &self.cut {
            out.extend_from_slice(&message[at..cut.start]);
            at = cut.end;
        }
        out.extend_from_slice(&message[at..]);
        out
    }

    /// Nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.prefix.is_empty() && self.cut.is_empty()
    }
}

/// What a submitted message lacks. `id` is unique, `hostname` makes it unique in the world.
pub fn complete(
    message: &[u8],
    facts: &HeaderFacts,
    now: DateTime<FixedOffset>,
    id: &str,
    hostname: &str,
) -> Completion {
    let mut prefix = Vec::new();
    if !facts.has_date {
        prefix.extend_from_slice(format!("Date: {}\r\n", now.to_rfc2822()).as_bytes());
    }
    if !facts.has_message_id {
        prefix.extend_from_slice(format!("Message-ID: <{id}@{hostname}>\r\n").as_bytes());
    }
    if facts.headless || message.is_empty() {
        prefix.extend_from_slice(b"\r\n");
        return Completion { prefix, cut: Vec::new() };
    }
    let blind =
        |name: &[u8]| [&b"Bcc"[..], b"Resent-Bcc"].iter().any(|blind| name.eq_ignore_ascii_case(blind));
    let cut = fields(message)
        .filter(|field| blind(field.name))
        .map(|field| field.offset..field.offset + field.raw.len())
        .collect();
    Completion { prefix, cut }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DATE: &str = "Date: Fri, 20 Nov 2026 08:04:05 +0100\r\n";
    const ID: &str = "Message-ID: <4f2a-1@mail.example.test>\r\n";

    fn run(message: &str) -> String {
        let now = DateTime::parse_from_rfc3339("2026-11-20T08:04:05+01:00").unwrap();
        let facts = HeaderFacts::of(message.as_bytes());
        let completion = complete(message.as_bytes(), &facts, now, "4f2a-1", "mail.example.test");
        let out = completion.apply(message.as_bytes());
        assert_eq!(completion.is_empty(), out == message.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn table() {
        for (message, expected) in [
            (
                "Date: x\r\nMessage-ID: <x@y>\r\n\r\nb".to_owned(),
                "Date: x\r\nMessage-ID: <x@y>\r\n\r\nb".to_owned(),
            ),
            ("Subject: x\r\n\r\nDate: y\r\n".to_owned(), format!("{DATE}{ID}Subject: x\r\n\r\nDate: y\r\n")),
            ("date: x\r\n\r\n".to_owned(), format!("{ID}date: x\r\n\r\n")),
            ("Message-Id: <x@y>\r\n\r\n".to_owned(), format!("{DATE}Message-Id: <x@y>\r\n\r\n")),
            ("\r\nbody\r\n".to_owned(), format!("{DATE}{ID}\r\nbody\r\n")),
            ("just text\r\n".to_owned(), format!("{DATE}{ID}\r\njust text\r\n")),
            (String::new(), format!("{DATE}{ID}\r\n")),
            (
                format!(
                    "{DATE}{ID}Bcc: a@x.test,\r\n b@x.test\r\nTo: c@x.test\r\nBCC:\r\n\r\nBcc: stays\r\n"
                ),
                format!("{DATE}{ID}To: c@x.test\r\n\r\nBcc: stays\r\n"),
            ),
        ] {
            assert_eq!(run(&message), expected, "{message:?}");
        }
    }

    proptest! {
        /// A second time there is nothing left to do, and the body is as it was.
        #[test]
        fn once(header in "(Date: x\r\n|Bcc: y\r\n|To: z\r\n|Message-ID: <a@b>\r\n){0,6}", body in "[a-z:\r\n]{0,20}") {
            let message = format!("{header}\r\n{body}");
            let once = run(&message);
            let tail = format!("\r\n{body}");
            prop_assert!(once.ends_with(&tail));
            prop_assert_eq!(run(&once), once.clone());
        }
    }
}
