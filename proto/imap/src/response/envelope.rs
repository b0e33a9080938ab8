//! ENVELOPE as FETCH writes it (RFC 3501 §7.4.2, §9 `envelope`).

use super::Out;
use crate::message::Envelope;
use crate::message::address::Address;

/// `"(" env-date SP env-subject SP env-from SP … SP env-message-id ")"`
pub fn write(out: &mut Out, envelope: &Envelope) {
    out.put('(').nstring(envelope.date.as_deref()).put(' ').nstring(envelope.subject.as_deref());
    let e = envelope;
    for list in [e.from.as_slice(), e.sender(), e.reply_to(), &e.to, &e.cc, &e.bcc] {
        out.put(' ');
        addresses(out, list);
    }
    out.put(' ').nstring(envelope.in_reply_to.as_deref());
    out.put(' ').nstring(envelope.message_id.as_deref()).put(')');
}

/// `"(" 1*address ")" / nil`
fn addresses(out: &mut Out, list: &[Address]) {
    if list.is_empty() {
        out.put("NIL");
        return;
    }
    out.put('(');
    for address in list {
        let parts = [&address.name, &address.route, &address.mailbox, &address.host];
        out.list(parts, |out, part| {
            out.nstring(part.as_deref());
        });
    }
    out.put(')');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::tests::written;

    fn check(header: &str, expected: &str) {
        assert_eq!(written(|out| write(out, &Envelope::parse(header.as_bytes()))), expected);
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
