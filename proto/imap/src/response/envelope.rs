//! ENVELOPE as FETCH writes it (RFC 3501 §7.4.2, §9 `envelope`).

use super::Out;
use crate::message::address::Address;
use crate::message::{Envelope, EnvelopeRef};

/// `"(" env-date SP env-subject SP env-from SP … SP env-message-id ")"`
pub fn write(out: &mut Out, envelope: &Envelope) {
    out.text("(").nstring(envelope.date.as_deref()).text(" ").nstring(envelope.subject.as_deref());
    let e = envelope;
    for list in [e.from.as_slice(), e.sender(), e.reply_to(), &e.to, &e.cc, &e.bcc] {
        let part = |address: &Address| {
            let Address { name, route, mailbox, host } = address;
            [name.clone(), route.clone(), mailbox.clone(), host.clone()]
        };
        addresses(out, list.iter().map(part));
    }
    out.text(" ").nstring(envelope.in_reply_to.as_deref());
    out.text(" ").nstring(envelope.message_id.as_deref()).text(")");
}

/// The same out of an encoded index, without taking it apart first.
pub fn write_encoded(out: &mut Out, envelope: &EnvelopeRef<'_>) {
    out.text("(").nstring(envelope.date).text(" ").nstring(envelope.subject);
    for list in envelope.lists() {
        addresses(out, list.iter());
    }
    out.text(" ").nstring(envelope.in_reply_to);
    out.text(" ").nstring(envelope.message_id).text(")");
}

/// `SP ("(" 1*address ")" / nil)`
fn addresses<T: AsRef<[u8]>>(out: &mut Out, list: impl Iterator<Item = [Option<T>; 4]>) {
    let mut any = false;
    for address in list {
        out.text(if any { "" } else { " (" });
        any = true;
        out.list(address, |out, part| {
            out.nstring(part.as_ref().map(AsRef::as_ref));
        });
    }
    out.text(if any { ")" } else { " NIL" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::tests::written;

    fn check(header: &str, expected: &str) {
        assert_eq!(written(|out| write(out, &Envelope::parse(header.as_bytes()))), expected);
        let encoded = crate::message::index(header.as_bytes()).encode();
        let envelope = EnvelopeRef::read(&encoded).unwrap();
        assert_eq!(written(|out| write_encoded(out, &envelope)), expected, "the same of an encoded index");
    }

    /// RFC 3501 §8's example, to the letter.
    #[test]
    fn rfc_3501_example() {
        check(
            "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
             Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
             cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
             Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n",
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
             \"<B27397-0100000@cac.washington.edu>\")",
        );
    }

    #[test]
    fn nothing_groups_and_8_bit() {
        check("\r\n", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
        check(
            "Subject:\r\nTo: undisclosed-recipients:;\r\n",
            "(NIL \"\" NIL NIL NIL ((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)",
        );
        check("Subject: \"grün\"\r\n", "(NIL {7}\r\n\"grün\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    }
}
