//! Reports of success that a sender asked for (NOTIFY=SUCCESS, RFC 3461 §4.1 and §5.2.2) about recipients that were reached by
//! the delivery itself. What leaves is reported by the queue.

use chrono::{DateTime, FixedOffset};
use mailwright_flow::queue::dsn::{self, Kind, Reached, Report};
use mailwright_smtp::{Enhanced, ReversePath};
use mailwright_store::{Notify, Outgoing, OutgoingRecipient};

use super::route::{Outbound, Verdict, notify};

/// The report, as an entry of the queue; none when nobody asked for one.
pub(super) fn successes(outbound: &Outbound<'_>, plan: &[Verdict], hostname: &str) -> Option<Outgoing> {
    let ReversePath::Mailbox(to) = &outbound.envelope.reverse_path else { return None };
    let reached = plan.iter().zip(&outbound.envelope.recipients).zip(&outbound.envelope.recipient_parameters);
    let recipients: Vec<dsn::Recipient> = reached
        .filter(|((verdict, _), parameters)| is_here(verdict) && notify(parameters).success)
        .map(|((_, path), parameters)| dsn::Recipient {
            address: path.to_string().trim_matches(['<', '>']).to_owned(),
            original: parameters.original.as_ref().map(|o| format!("{};{}", o.address_type(), o.address())),
            status: Enhanced(2, 1, 5),
            remote: None,
            diagnostic: None,
            text: "delivered to the mailbox".to_owned(),
            attempted: None,
            reached: Some(Reached::Delivered),
        })
        .collect();
    if recipients.is_empty() {
        return None;
    }
    let now: DateTime<FixedOffset> = DateTime::from_timestamp(outbound.now, 0)?.into();
    let (to, id) = (to.to_string(), format!("{}-s", outbound.id));
    let notice = dsn::build(&Report {
        kind: Kind::Success,
        hostname,
        id: &id,
        to: &to,
        envelope_id: outbound.envelope.parameters.envelope_id.as_deref(),
        arrived: now,
        now,
        expires: None,
        recipients: &recipients,
        message: outbound.raw,
        // RFC 3461 §4.3: RET is about failures; a success returns the header.
        full: false,
        smtputf8: outbound.smtputf8,
    });
    let never = Notify { never: true, success: false, failure: false, delay: false };
    Some(Outgoing {
        id,
        reverse_path: String::new(),
        recipients: vec![OutgoingRecipient { address: notice.to, original: None, notify: never }],
        ret: None,
        envelope_id: None,
        smtputf8: notice.smtputf8,
        eight_bit: !notice.message.is_ascii(),
        submitted_by: None,
        raw: notice.message.into(),
        next_attempt: outbound.now,
        expires: outbound.policy.expires(outbound.now, true),
    })
}

fn is_here(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Take { accounts, .. } if !accounts.is_empty())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mailwright_flow::queue::retry::Policy;
    use mailwright_smtp::{Envelope, ForwardPath, MailParameters, Mailbox, RcptParameters};
    use mailwright_store::AccountId;

    use super::*;

    fn report(from: ReversePath, asked: Option<mailwright_smtp::Notify>, here: bool) -> Option<Outgoing> {
        let envelope = Envelope {
            reverse_path: from,
            parameters: MailParameters { envelope_id: Some("QQ1".into()), ..MailParameters::default() },
            recipients: vec![ForwardPath::Mailbox(Mailbox::parse("bob@example.test").unwrap())],
            recipient_parameters: vec![RcptParameters { notify: asked, original: None }],
        };
        let raw = Bytes::from_static(b"Subject: x\r\n\r\nhello\r\n");
        let outbound = Outbound {
            id: "1",
            envelope: &envelope,
            raw: &raw,
            smtputf8: false,
            eight_bit: false,
            submitted_by: None,
            now: 1000,
            policy: Policy::default(),
        };
        let accounts = if here { vec![AccountId(1)] } else { Vec::new() };
        let plan = [Verdict::Take { accounts, remote: Vec::new(), later: Vec::new() }];
        successes(&outbound, &plan, "mail.example.test")
    }

    #[test]
    fn only_for_those_who_asked_and_were_reached_here() {
        let alice = || ReversePath::Mailbox(Mailbox::parse("alice@example.test").unwrap());
        let success = Some(mailwright_smtp::Notify::On { success: true, failure: true, delay: false });
        let failure = Some(mailwright_smtp::Notify::On { success: false, failure: true, delay: false });
        for (from, asked, here, expected) in [
            (alice(), success, true, true),
            (alice(), success, false, false),
            (alice(), failure, true, false),
            (alice(), None, true, false),
            (alice(), Some(mailwright_smtp::Notify::Never), true, false),
            (ReversePath::Null, success, true, false),
        ] {
            assert_eq!(report(from, asked, here).is_some(), expected);
        }
        let made = report(alice(), success, true).unwrap();
        assert_eq!(
            (made.reverse_path.as_str(), made.recipients[0].address.as_str()),
            ("", "alice@example.test")
        );
        let text = String::from_utf8(made.raw.to_vec()).unwrap();
        for part in
            ["Action: delivered", "Final-Recipient: rfc822;bob@example.test", "Original-Envelope-Id: QQ1"]
        {
            assert!(text.contains(part) || text.contains(&part.replace(";", "; ")), "{part}: {text}");
        }
    }
}
