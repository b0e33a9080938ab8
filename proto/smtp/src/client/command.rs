//! The commands of an envelope as they are sent, and what a message needs of the server.
//!
//! RFC 5321 §4.1.1.2 and §4.1.1.3, RFC 1870 §6, RFC 6152 §2, RFC 6531 §3.4, RFC 3461 §4.

use super::{Capabilities, Fate, Message, Recipient, Unsendable};
use crate::address::ReversePath;
use crate::dsn::encode_xtext;
use crate::server::BodyType;

/// `MAIL FROM`, with the parameters that the server knows.
pub(super) fn mail(message: &Message, server: &Capabilities) -> String {
    let mut line = format!("MAIL FROM:{}", message.reverse_path);
    if server.size.is_some() {
        line.push_str(&format!(" SIZE={}", message.size));
    }
    if server.eight_bit_mime && message.body == BodyType::EightBitMime {
        line.push_str(" BODY=8BITMIME");
    }
    if server.smtputf8 && needs_utf8(message) {
        line.push_str(" SMTPUTF8");
    }
    if server.dsn {
        if let Some(ret) = message.ret {
            line.push_str(&format!(" RET={ret}"));
        }
        if let Some(id) = &message.envelope_id {
            line.push_str(&format!(" ENVID={}", encode_xtext(id)));
        }
    }
    line
}

/// `RCPT TO`, with the parameters that the server knows.
pub(super) fn rcpt(recipient: &Recipient, server: &Capabilities) -> String {
    let mut line = format!("RCPT TO:<{}>", recipient.mailbox);
    if server.dsn {
        if let Some(notify) = recipient.notify {
            line.push_str(&format!(" NOTIFY={notify}"));
        }
        if let Some(original) = &recipient.original {
            line.push_str(&format!(" ORCPT={original}"));
        }
    }
    line
}

/// The fates that are certain before anything is sent.
pub(super) fn fates(message: &Message, server: &Capabilities) -> Vec<Option<Fate>> {
    let whole = whole(message, server);
    let one = |recipient: &Recipient| {
        let utf8 = (!server.smtputf8 && !recipient.mailbox.is_ascii()).then_some(Unsendable::SmtpUtf8);
        whole.or(utf8).map(Fate::Unsendable)
    };
    message.recipients.iter().map(one).collect()
}

/// What the message lacks whoever it goes to.
fn whole(message: &Message, server: &Capabilities) -> Option<Unsendable> {
    if let Some(Some(limit)) = server.size
        && message.size > limit
    {
        return Some(Unsendable::TooBig { limit });
    }
    let sender = matches!(&message.reverse_path, ReversePath::Mailbox(sender) if !sender.is_ascii());
    if (message.smtputf8 || sender) && !server.smtputf8 {
        return Some(Unsendable::SmtpUtf8);
    }
    (message.body == BodyType::EightBitMime && !server.eight_bit_mime).then_some(Unsendable::EightBitMime)
}

/// RFC 6531 §3.4: the parameter, when the sender, a recipient or the header asks for it.
fn needs_utf8(message: &Message) -> bool {
    let sender = matches!(&message.reverse_path, ReversePath::Mailbox(sender) if !sender.is_ascii());
    message.smtputf8 || sender || message.recipients.iter().any(|to| !to.mailbox.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Mailbox;
    use crate::dsn::{Notify, OriginalRecipient, Ret};

    fn message(from: &str, to: &[&str]) -> Message {
        Message {
            reverse_path: match from {
                "" => ReversePath::Null,
                from => ReversePath::Mailbox(Mailbox::parse(from).unwrap()),
            },
            recipients: to.iter().map(|to| recipient(to)).collect(),
            size: 1000,
            body: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envelope_id: None,
        }
    }

    fn recipient(to: &str) -> Recipient {
        Recipient { mailbox: Mailbox::parse(to).unwrap(), notify: None, original: None }
    }

    fn all() -> Capabilities {
        Capabilities {
            size: Some(None),
            eight_bit_mime: true,
            smtputf8: true,
            dsn: true,
            ..Capabilities::default()
        }
    }

    #[test]
    fn parameters_go_to_those_who_know_them() {
        let none = Capabilities::default();
        let mut full = message("a@b.test", &["é@c.test"]);
        full.body = BodyType::EightBitMime;
        full.ret = Some(Ret::Headers);
        full.envelope_id = Some("id 1".into());
        assert_eq!(mail(&message("", &[]), &none), "MAIL FROM:<>");
        assert_eq!(mail(&message("a@b.test", &[]), &all()), "MAIL FROM:<a@b.test> SIZE=1000");
        assert_eq!(mail(&full, &none), "MAIL FROM:<a@b.test>");
        assert_eq!(
            mail(&full, &all()),
            "MAIL FROM:<a@b.test> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+201"
        );
        let mut to = recipient("c@d.test");
        to.notify = Some(Notify::On { success: true, failure: true, delay: false });
        to.original = Some(OriginalRecipient::of_mail("x+y@d.test"));
        assert_eq!(rcpt(&to, &none), "RCPT TO:<c@d.test>");
        assert_eq!(rcpt(&to, &all()), "RCPT TO:<c@d.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+2By@d.test");
    }

    #[test]
    fn what_a_server_lacks_is_said_before_anything_is_sent() {
        let none = Capabilities::default();
        let unsendable = |unsendable| Some(Fate::Unsendable(unsendable));
        let mixed = message("a@b.test", &["c@d.test", "é@d.test"]);
        assert_eq!(fates(&mixed, &all()), [None, None]);
        assert_eq!(fates(&mixed, &none), [None, unsendable(Unsendable::SmtpUtf8)]);
        for (change, expected) in [
            ((|m| m.smtputf8 = true) as fn(&mut Message), Unsendable::SmtpUtf8),
            (
                |m| m.reverse_path = ReversePath::Mailbox(Mailbox::parse("é@b.test").unwrap()),
                Unsendable::SmtpUtf8,
            ),
            (|m| m.body = BodyType::EightBitMime, Unsendable::EightBitMime),
        ] {
            let mut message = message("a@b.test", &["c@d.test"]);
            change(&mut message);
            assert_eq!(fates(&message, &all()), [None]);
            assert_eq!(fates(&message, &none), [unsendable(expected)]);
        }
        for (limit, expected) in [(999, unsendable(Unsendable::TooBig { limit: 999 })), (1000, None)] {
            let server = Capabilities { size: Some(Some(limit)), ..all() };
            assert_eq!(fates(&message("", &["c@d.test"]), &server), [expected]);
        }
    }
}
