//! Where a complete message goes: every recipient expanded once more, now that the size of the message is known, and what
//! comes of it put together as one delivery: copies for mailboxes here, entries of the queue for the rest.

use std::collections::HashSet;

use bytes::Bytes;
use mailwright_flow::queue::retry::Policy;
use mailwright_flow::route::loop_marks;
use mailwright_flow::{Decision, Reason, RemoteTarget};
use mailwright_smtp::{Envelope, ForwardPath, Notify, OriginalRecipient, RcptParameters, ReversePath};
use mailwright_store::{AccountId, Outgoing, OutgoingRecipient, UnixTime};

/// What is to be done for one recipient of the envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Copies for mailboxes, for other hosts, and for full mailboxes later.
    Take { accounts: Vec<AccountId>, remote: Vec<RemoteTarget>, later: Vec<String> },
    /// Nothing, and why.
    Refuse(Reason),
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Verdict {
        match decision {
            Decision::Deliver { accounts, remote, deferred, .. } => {
                let accounts = accounts.into_iter().map(AccountId).collect();
                Verdict::Take { accounts, remote, later: deferred }
            }
            Decision::Reject(reason) => Verdict::Refuse(reason),
        }
    }
}

/// The mailboxes of all recipients that are taken, each once.
pub(super) fn accounts(verdicts: &[Verdict]) -> Vec<AccountId> {
    let mut seen = HashSet::new();
    let accounts = verdicts.iter().flat_map(|verdict| match verdict {
        Verdict::Take { accounts, .. } => accounts.as_slice(),
        Verdict::Refuse(_) => &[],
    });
    accounts.copied().filter(|account| seen.insert(*account)).collect()
}

/// Refuses the recipients that lead to this mailbox.
pub(super) fn refuse(verdicts: &mut [Verdict], account: AccountId, reason: Reason) {
    for verdict in verdicts {
        if matches!(verdict, Verdict::Take { accounts, .. } if accounts.contains(&account)) {
            *verdict = Verdict::Refuse(reason);
        }
    }
}

/// The facts of a message that all its queue entries share.
pub(super) struct Outbound<'a> {
    pub(super) id: &'a str,
    pub(super) envelope: &'a Envelope,
    /// The message with its trace fields, without Return-Path.
    pub(super) raw: &'a Bytes,
    /// It needs SMTPUTF8 (RFC 6531 §3.4).
    pub(super) smtputf8: bool,
    /// It has octets above 127.
    pub(super) eight_bit: bool,
    pub(super) submitted_by: Option<AccountId>,
    pub(super) now: UnixTime,
    pub(super) policy: Policy,
}

impl Outbound<'_> {
    /// What the verdicts put into the queue: one entry for what leaves as it came, one for each way through aliases and
    /// forwards of ours, one for the addresses of ours that have no room yet.
    pub(super) fn outgoing(&self, verdicts: &[Verdict]) -> Vec<Outgoing> {
        let mut ways: Vec<(&[String], Vec<OutgoingRecipient>)> = Vec::new();
        let mut later = Vec::new();
        for (at, verdict) in verdicts.iter().enumerate() {
            let Verdict::Take { remote, later: full, .. } = verdict else { continue };
            for target in remote {
                let recipient = self.recipient(at, &target.address, !target.via.is_empty());
                match ways.iter_mut().find(|(via, _)| *via == target.via.as_slice()) {
                    Some((_, recipients)) if recipients.iter().any(|r| r.address == target.address) => {}
                    Some((_, recipients)) => recipients.push(recipient),
                    None => ways.push((&target.via, vec![recipient])),
                }
            }
            later.extend(full.iter().map(|address| self.recipient(at, address, true)));
        }
        let leaving = ways.into_iter().map(|(via, recipients)| self.entry(recipients, via, self.now));
        let mut outgoing: Vec<Outgoing> = leaving.collect();
        if !later.is_empty() {
            let first = self.now.saturating_add_unsigned(self.policy.first.as_secs());
            outgoing.push(self.entry(later, &[], first));
        }
        // Each entry is held, shown and deleted by itself, so each has an identifier of its own.
        for (number, entry) in outgoing.iter_mut().enumerate().skip(1) {
            entry.id = format!("{}.{}", self.id, number + 1);
        }
        outgoing
    }

    /// The recipients that could not be taken now go into the queue under the address that the client gave.
    pub(super) fn postponed(&self, verdicts: &[Verdict]) -> Vec<Verdict> {
        let postpone = |(at, verdict): (usize, &Verdict)| match (verdict, self.envelope.recipients.get(at)) {
            (Verdict::Refuse(_), Some(ForwardPath::Mailbox(mailbox))) => {
                let later = vec![mailbox.to_string()];
                Verdict::Take { accounts: Vec::new(), remote: Vec::new(), later }
            }
            (verdict, _) => verdict.clone(),
        };
        verdicts.iter().enumerate().map(postpone).collect()
    }

    fn recipient(&self, at: usize, address: &str, redirected: bool) -> OutgoingRecipient {
        let parameters = self.envelope.recipient_parameters.get(at).cloned().unwrap_or_default();
        let named = self.envelope.recipients.get(at);
        // RFC 3461 §5.2.3: what the sender called it, so that a report speaks of an address that the sender knows.
        let original = parameters.original.clone().or_else(|| match named {
            Some(ForwardPath::Mailbox(mailbox)) if redirected => {
                Some(OriginalRecipient::of_mail(&mailbox.to_string()))
            }
            _ => None,
        });
        OutgoingRecipient {
            address: address.to_owned(),
            original: original.map(|o| format!("{};{}", o.address_type(), o.address())),
            notify: notify(&parameters),
        }
    }

    fn entry(&self, recipients: Vec<OutgoingRecipient>, via: &[String], next_attempt: UnixTime) -> Outgoing {
        let reverse_path = match &self.envelope.reverse_path {
            ReversePath::Null => String::new(),
            ReversePath::Mailbox(mailbox) => mailbox.to_string(),
        };
        let raw = match via {
            [] => self.raw.clone(),
            via => [loop_marks(via).as_slice(), self.raw].concat().into(),
        };
        Outgoing {
            id: self.id.to_owned(),
            recipients,
            ret: self.envelope.parameters.ret.map(|ret| match ret {
                mailwright_smtp::Ret::Full => mailwright_store::Ret::Full,
                mailwright_smtp::Ret::Headers => mailwright_store::Ret::Headers,
            }),
            envelope_id: self.envelope.parameters.envelope_id.clone(),
            smtputf8: self.smtputf8,
            eight_bit: self.eight_bit,
            submitted_by: self.submitted_by,
            raw,
            next_attempt,
            expires: self.policy.expires(self.now, reverse_path.is_empty()),
            reverse_path,
        }
    }
}

/// NOTIFY, or what holds without it (RFC 3461 §4.1).
pub(super) fn notify(parameters: &RcptParameters) -> mailwright_store::Notify {
    match parameters.notify {
        None => mailwright_store::Notify::default(),
        Some(Notify::Never) => {
            mailwright_store::Notify { never: true, success: false, failure: false, delay: false }
        }
        Some(Notify::On { success, failure, delay }) => {
            mailwright_store::Notify { never: false, success, failure, delay }
        }
    }
}

#[cfg(test)]
mod tests {
    use mailwright_smtp::{MailParameters, Mailbox};

    use super::*;

    fn take(accounts: &[i64], remote: &[(&str, &[&str])], later: &[&str]) -> Verdict {
        let remote = remote.iter().map(|(address, via)| RemoteTarget {
            address: (*address).to_owned(),
            via: via.iter().map(|hop| (*hop).to_owned()).collect(),
        });
        Verdict::Take {
            accounts: accounts.iter().map(|id| AccountId(*id)).collect(),
            remote: remote.collect(),
            later: later.iter().map(|address| (*address).to_owned()).collect(),
        }
    }

    fn envelope(to: &[&str]) -> Envelope {
        Envelope {
            reverse_path: ReversePath::Mailbox(Mailbox::parse("a@example.org").unwrap()),
            parameters: MailParameters::default(),
            recipients: to.iter().map(|to| ForwardPath::Mailbox(Mailbox::parse(to).unwrap())).collect(),
            recipient_parameters: vec![RcptParameters::default(); to.len()],
        }
    }

    fn outgoing(envelope: &Envelope, verdicts: &[Verdict]) -> Vec<(String, Vec<String>, String, UnixTime)> {
        let raw = Bytes::from_static(b"Received: x\r\n\r\nhello\r\n");
        let outbound = Outbound {
            id: "1",
            envelope,
            raw: &raw,
            smtputf8: false,
            eight_bit: false,
            submitted_by: None,
            now: 1000,
            policy: Policy::default(),
        };
        let text = |outgoing: Outgoing| {
            let recipient = |r: OutgoingRecipient| match r.original {
                Some(original) => format!("{} {original}", r.address),
                None => r.address,
            };
            let raw = String::from_utf8(outgoing.raw.to_vec()).unwrap();
            let marks = raw.strip_suffix("Received: x\r\n\r\nhello\r\n").unwrap().to_owned();
            (
                outgoing.id,
                outgoing.recipients.into_iter().map(recipient).collect(),
                marks,
                outgoing.next_attempt,
            )
        };
        outbound.outgoing(verdicts).into_iter().map(text).collect()
    }

    #[test]
    fn mailboxes_come_once() {
        let mut verdicts =
            [take(&[1, 2], &[], &[]), Verdict::Refuse(Reason::OverQuota), take(&[2, 3], &[], &[])];
        assert_eq!(accounts(&verdicts), [AccountId(1), AccountId(2), AccountId(3)]);
        refuse(&mut verdicts, AccountId(3), Reason::OverQuota);
        assert_eq!(accounts(&verdicts), [AccountId(1), AccountId(2)]);
    }

    #[test]
    fn entries_by_way() {
        let envelope = envelope(&["x@there.test", "sales@example.test", "y@there.test"]);
        let verdicts = [
            take(&[], &[("x@there.test", &[])], &[]),
            take(&[1], &[("x@there.test", &["sales@example.test"])], &["bob@example.test"]),
            take(&[], &[("y@there.test", &[]), ("x@there.test", &[])], &[]),
        ];
        let original = "rfc822;sales@example.test";
        assert_eq!(
            outgoing(&envelope, &verdicts),
            [
                (
                    "1".to_owned(),
                    vec!["x@there.test".to_owned(), "y@there.test".to_owned()],
                    String::new(),
                    1000
                ),
                (
                    "1.2".to_owned(),
                    vec![format!("x@there.test {original}")],
                    "Delivered-To: sales@example.test\r\n".to_owned(),
                    1000
                ),
                ("1.3".to_owned(), vec![format!("bob@example.test {original}")], String::new(), 1300),
            ]
        );
        assert!(outgoing(&envelope, &[take(&[1], &[], &[])]).is_empty());
    }
}
