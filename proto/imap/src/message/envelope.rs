//! The envelope of a message (RFC 3501 §7.4.2 ENVELOPE), read from its header.

use super::address::{self, Address, MAX_ADDRESSES};
use super::header;

/// What ENVELOPE tells; the texts are raw, encoded words and all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// `None` without the field, empty where the field is.
    pub date: Option<Vec<u8>>,
    /// `None` without the field, empty where the field is.
    pub subject: Option<Vec<u8>>,
    /// RFC 5322 §3.6.2.
    pub from: Vec<Address>,
    /// Empty where it is the same as `from`: [`Envelope::sender`] fills it in.
    pub sender: Vec<Address>,
    /// Empty where it is the same as `from`: [`Envelope::reply_to`] fills it in.
    pub reply_to: Vec<Address>,
    /// RFC 5322 §3.6.3.
    pub to: Vec<Address>,
    /// RFC 5322 §3.6.3.
    pub cc: Vec<Address>,
    /// RFC 5322 §3.6.3.
    pub bcc: Vec<Address>,
    /// RFC 5322 §3.6.4.
    pub in_reply_to: Option<Vec<u8>>,
    /// RFC 5322 §3.6.4.
    pub message_id: Option<Vec<u8>>,
}

impl Envelope {
    /// Reads a header. Of a text field that occurs twice the first counts; address fields are put together.
    pub fn parse(header: &[u8]) -> Envelope {
        let mut envelope = Envelope::default();
        for field in header::fields(header) {
            let name = field.name.to_ascii_lowercase();
            if let Some(text) = envelope.text_mut(&name) {
                if text.is_none() {
                    *text = Some(field.unfolded().into_owned());
                }
            } else if let Some(list) = envelope.list_mut(&name) {
                let value = &field.value[..field.value.len().min(header::MAX_FIELD)];
                let room = MAX_ADDRESSES.saturating_sub(list.len());
                list.extend(address::parse(value).into_iter().take(room));
            }
        }
        envelope
    }

    /// The sender, which is From's where the field is missing or empty (RFC 3501 §7.4.2).
    pub fn sender(&self) -> &[Address] {
        if self.sender.is_empty() { &self.from } else { &self.sender }
    }

    /// Where replies go, which is From's where the field is missing or empty (RFC 3501 §7.4.2).
    pub fn reply_to(&self) -> &[Address] {
        if self.reply_to.is_empty() { &self.from } else { &self.reply_to }
    }

    fn text_mut(&mut self, name: &[u8]) -> Option<&mut Option<Vec<u8>>> {
        Some(match name {
            b"date" => &mut self.date,
            b"subject" => &mut self.subject,
            b"in-reply-to" => &mut self.in_reply_to,
            b"message-id" => &mut self.message_id,
            _ => return None,
        })
    }

    fn list_mut(&mut self, name: &[u8]) -> Option<&mut Vec<Address>> {
        Some(match name {
            b"from" => &mut self.from,
            b"sender" => &mut self.sender,
            b"reply-to" => &mut self.reply_to,
            b"to" => &mut self.to,
            b"cc" => &mut self.cc,
            b"bcc" => &mut self.bcc,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailboxes(list: &[Address]) -> Vec<String> {
        list.iter()
            .map(|a| String::from_utf8_lossy(a.mailbox.as_deref().unwrap_or(b"-")).into_owned())
            .collect()
    }

    /// The message of RFC 3501 §8, whose ENVELOPE the RFC prints.
    #[test]
    fn rfc_3501_example() {
        let envelope = Envelope::parse(
            b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
              Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
              cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
              Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n",
        );
        assert_eq!(envelope.date.as_deref(), Some(b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)".as_slice()));
        assert_eq!(envelope.message_id.as_deref(), Some(b"<B27397-0100000@cac.washington.edu>".as_slice()));
        assert_eq!(envelope.in_reply_to, None);
        assert_eq!(mailboxes(envelope.sender()), ["gray"]);
        assert_eq!(mailboxes(envelope.reply_to()), ["gray"]);
        assert_eq!(mailboxes(&envelope.cc), ["minutes", "KLENSIN"]);
        assert!(envelope.bcc.is_empty());
    }

    #[test]
    fn missing_empty_and_repeated() {
        let envelope = Envelope::parse(
            b"Subject:\r\nFrom: a@x.test\r\nSender:\r\nReply-To: r@x.test\r\nTo: b@x.test\r\nTo: c@x.test\r\nSubject: second\r\n",
        );
        assert_eq!(envelope.date, None);
        assert_eq!(envelope.subject.as_deref(), Some(b"".as_slice()));
        assert_eq!(mailboxes(envelope.sender()), ["a"]);
        assert_eq!(mailboxes(envelope.reply_to()), ["r"]);
        assert_eq!(mailboxes(&envelope.to), ["b", "c"]);
    }
}
