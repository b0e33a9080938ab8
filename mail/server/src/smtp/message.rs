//! The message itself: pieces into the spool, and at its end checks, trace fields, index, and everything that comes of it in
//! one transaction: copies here and entries of the queue. `250` is said after the commit and never before.
//!
//! What one of several recipients cannot take now goes into the queue, so that the others have their copy and the client
//! need not come again; when none can take anything, the client keeps the message (4yz, or the recipient's own reply when it
//! is the only one). LMTP has a reply for each recipient (RFC 2033 §4.2): there nothing is queued that its client can keep.
//! docs/decisions/0009 says why.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, FixedOffset, Utc};
use mailwright_flow::address::sender;
use mailwright_flow::header::body_offset;
use mailwright_flow::queue::retry::Policy;
use mailwright_flow::trace::Trace;
use mailwright_flow::{MessageFacts, Reason, checks};
use mailwright_smtp::{Answer, Enhanced, Envelope, Reply, ReversePath};
use mailwright_store::Index;
use mailwright_store::{AccountId, Delivery, Outcome};

use super::route::{self, Outbound, Verdict};
use super::{Driver, Incoming, report};
use crate::config::Protocol;
use crate::index::index;
use crate::metrics;
use crate::spool::Spool;

/// A message that is ready to be committed.
struct Complete {
    id: String,
    /// With its trace fields.
    raw: Bytes,
    /// Octets of Return-Path in front of it, which leave no server (RFC 5321 §4.4).
    return_path: usize,
    /// Where it has been.
    marks: Vec<String>,
    date: DateTime<FixedOffset>,
}

impl Driver {
    /// DATA or the first BDAT: the envelope is complete.
    pub(super) fn begin_message(&mut self) -> Answer {
        self.messages += 1;
        // Unique across restarts: sessions are numbered anew by each process.
        let id = format!("{:x}-{:x}-{:x}", Utc::now().timestamp_micros(), self.handle.id(), self.messages);
        let spool = Spool::new(&self.context.temporary);
        self.message = Some(Incoming { id, scanner: Default::default(), spool, failed: None });
        Answer::Accept
    }

    /// The end of the message: stored durably, queued durably, or refused.
    pub(super) async fn end_message(&mut self) -> Answer {
        let began = Instant::now();
        let (Some(message), Some(envelope)) = (self.message.take(), self.session.envelope().cloned()) else {
            return Answer::Reject(Reason::Internal.reply());
        };
        let id = message.id.clone();
        let verdicts = match self.take(message, &envelope).await {
            Ok((verdicts, copies)) => {
                metrics::message_accepted(copies, began.elapsed());
                tracing::info!(id, from = %envelope.reverse_path, copies, "message accepted");
                verdicts
            }
            Err(refusal) => {
                let code = refusal.reason.code();
                metrics::message_rejected(code);
                tracing::info!(id, from = %envelope.reverse_path, reason = code, "message refused");
                return match refusal.verdicts {
                    Some(verdicts) if self.protocol == Protocol::Lmtp => per_recipient(&verdicts, &id),
                    _ => Answer::Reject(refusal.reply()),
                };
            }
        };
        match self.protocol {
            Protocol::Lmtp => per_recipient(&verdicts, &id),
            _ => Answer::AcceptAs(id),
        }
    }

    async fn take(&self, message: Incoming, envelope: &Envelope) -> Result<(Vec<Verdict>, usize), Refusal> {
        if let Some(reason) = message.failed {
            return Err(reason.into());
        }
        let facts = message.scanner.facts();
        let message_size = self.settings.config.limits.message_size;
        let limits = checks::Limits { message_size, ..Default::default() };
        checks::run(&facts, &limits)?;
        // A message that is completed and signed is there twice for a moment.
        let times = if self.relaying() { 2 } else { 1 };
        let memory = message.spool.len().saturating_mul(times);
        let _memory = self.context.message_memory(memory).await.ok_or(Reason::Draining)?;
        let complete = self.complete(message, &facts, envelope).await?;
        let verdicts = self.verdicts(&complete, envelope).await;
        self.commit(&complete, envelope, verdicts).await
    }

    /// The message with what goes in front of it.
    async fn complete(
        &self,
        message: Incoming,
        facts: &MessageFacts,
        envelope: &Envelope,
    ) -> Result<Complete, Reason> {
        let Incoming { id, spool, .. } = message;
        let date: DateTime<FixedOffset> = Utc::now().into();
        let transfer = self.session.transfer();
        let trace = Trace {
            reverse_path: &envelope.reverse_path,
            recipients: &envelope.recipients,
            transfer: &transfer,
            hostname: &self.settings.config.hostname,
            id: &id,
            date,
        };
        let return_path = trace.write().len() - trace.received().len();
        let raw = if self.relaying() {
            let submitted = self.submit(unspooled(spool, b"").await?, &id, date).await?;
            let prefix = trace.prefix(&MessageFacts::of(&submitted.message));
            [prefix.as_slice(), &submitted.signatures, &submitted.message].concat().into()
        } else {
            unspooled(spool, &trace.prefix(facts)).await?
        };
        Ok(Complete { raw, return_path, marks: facts.delivered_to.clone(), date, id })
    }

    /// What is to be done for each recipient, as things stand now.
    async fn verdicts(&self, complete: &Complete, envelope: &Envelope) -> Vec<Verdict> {
        let from = sender(&envelope.reverse_path);
        let routing = self.routing(from, &complete.marks);
        let size = complete.raw.len() as u64;
        let mut verdicts = Vec::with_capacity(envelope.recipients.len());
        for path in &envelope.recipients {
            let asked = Mutex::new(Vec::new());
            let room = |account: AccountId| {
                asked.lock().unwrap_or_else(PoisonError::into_inner).push(account);
                size
            };
            let decision = routing.expand(path, room).await;
            if let mailwright_flow::Decision::Deliver { skipped, .. } = &decision {
                for member in skipped {
                    let reason = member.reason.code();
                    tracing::info!(id = complete.id, member = member.address, reason, "skipped");
                }
            }
            let verdict = Verdict::from(decision);
            if verdict == Verdict::Refuse(Reason::OverQuota) {
                // Those that have room for it lose nothing by being remembered.
                for account in asked.into_inner().unwrap_or_else(PoisonError::into_inner) {
                    self.context.full.note(account, size, Instant::now());
                }
            }
            verdicts.push(verdict);
        }
        verdicts
    }

    /// One transaction for all recipients. A mailbox that turns out to be full or gone within it costs its recipient its place,
    /// and the others another round; each round has one recipient less.
    async fn commit(
        &self,
        complete: &Complete,
        envelope: &Envelope,
        mut verdicts: Vec<Verdict>,
    ) -> Result<(Vec<Verdict>, usize), Refusal> {
        let onward = complete.raw.slice(complete.return_path..);
        let now = complete.date.timestamp();
        let outbound = Outbound {
            id: &complete.id,
            envelope,
            raw: &onward,
            smtputf8: needs_utf8(envelope, &onward),
            eight_bit: !onward.is_ascii(),
            submitted_by: self.account.as_ref().map(|account| account.id),
            now,
            policy: Policy { lifetime: self.settings.config.queue.lifetime, ..Policy::default() },
        };
        let mut made = None;
        loop {
            if !verdicts.iter().any(|verdict| matches!(verdict, Verdict::Take { .. })) {
                return Err(Refusal::of(verdicts));
            }
            let plan = match self.protocol {
                Protocol::Lmtp => verdicts.clone(),
                _ => outbound.postponed(&verdicts),
            };
            if self.protocol != Protocol::Lmtp && plan.iter().any(|v| matches!(v, Verdict::Refuse(_))) {
                return Err(Refusal::of(verdicts));
            }
            let accounts = route::accounts(&plan);
            let mut outgoing = outbound.outgoing(&plan);
            outgoing.extend(report::successes(&outbound, &plan, &self.settings.config.hostname));
            let index = match (accounts.is_empty(), &made) {
                (true, _) => Index::default(),
                (false, Some(index)) => Index::clone(index),
                (false, None) => {
                    made.insert(index(complete.raw.clone()).await.ok_or(Reason::Internal)?).clone()
                }
            };
            let raw = complete.raw.clone();
            let delivery = Delivery { accounts: accounts.clone(), raw, index, internal_date: now, outgoing };
            let outcomes = self.store(delivery).await?;
            let mut failed = false;
            for (account, outcome) in accounts.iter().zip(&outcomes) {
                let reason = match outcome {
                    Outcome::Delivered { .. } | Outcome::Withheld => continue,
                    Outcome::OverQuota => Reason::OverQuota,
                    Outcome::Gone => Reason::DisabledMailbox,
                };
                if reason == Reason::OverQuota {
                    self.context.full.note(*account, complete.raw.len() as u64, Instant::now());
                }
                route::refuse(&mut verdicts, *account, reason);
                failed = true;
            }
            if !failed {
                return Ok((verdicts, accounts.len()));
            }
        }
    }

    async fn store(&self, delivery: Delivery) -> Result<Vec<Outcome>, Reason> {
        self.context.store.mail().deliver(delivery).await.map_err(|error| match error {
            mailwright_store::Error::NoSpace => Reason::NoSpace,
            error => {
                tracing::error!(%error, "delivery failed");
                Reason::Internal
            }
        })
    }
}

/// Whether the next server must know SMTPUTF8: what the client declared, if there is anything in it (RFC 6531 §3.4).
fn needs_utf8(envelope: &Envelope, message: &[u8]) -> bool {
    let sender = matches!(&envelope.reverse_path, ReversePath::Mailbox(sender) if !sender.is_ascii());
    sender || (envelope.parameters.smtputf8 && !message[..body_offset(message).min(message.len())].is_ascii())
}

/// RFC 2033 §4.2: a reply for each recipient, in their order.
fn per_recipient(verdicts: &[Verdict], id: &str) -> Answer {
    let reply = |verdict: &Verdict| match verdict {
        Verdict::Take { .. } => Reply::new(250, Enhanced(2, 1, 5), format!("message accepted as {id}")),
        Verdict::Refuse(reason) => reason.reply(),
    };
    Answer::PerRecipient(verdicts.iter().map(reply).collect())
}

/// The whole message. Writes to the spool are complete only here, so this is where a full disk shows at the latest.
async fn unspooled(spool: Spool, front: &[u8]) -> Result<Bytes, Reason> {
    spool.into_bytes(front).await.map(Bytes::from).map_err(|error| {
        tracing::error!(%error, "cannot spool a message");
        Reason::NoSpace
    })
}

/// Why a message is refused at its end.
struct Refusal {
    reason: Reason,
    /// What there was to say of each recipient, when it was refused for their sake.
    verdicts: Option<Vec<Verdict>>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Refusal {
        Refusal { reason, verdicts: None }
    }
}

impl Refusal {
    /// None of the recipients can take it.
    fn of(verdicts: Vec<Verdict>) -> Refusal {
        let reason = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Refuse(reason) => Some(*reason),
            Verdict::Take { .. } => None,
        });
        Refusal { reason: reason.unwrap_or(Reason::Internal), verdicts: Some(verdicts) }
    }

    fn reply(&self) -> Reply {
        if self.verdicts.as_ref().is_some_and(|verdicts| verdicts.len() > 1) {
            // The client asks each recipient again and then hears at RCPT what is the matter with each.
            return Reply::new(
                451,
                Enhanced(4, 2, 0),
                "the recipients cannot take this message now, try again",
            );
        }
        self.reason.reply()
    }
}

#[cfg(test)]
mod tests {
    use mailwright_smtp::{MailParameters, Mailbox};

    use super::*;

    #[test]
    fn a_refusal_is_final_only_for_one() {
        let reply = |reasons: &[Reason]| {
            let verdicts = reasons.iter().map(|reason| Verdict::Refuse(*reason)).collect();
            Refusal::of(verdicts).reply().to_string()
        };
        assert_eq!(reply(&[Reason::OverQuota]), Reason::OverQuota.reply().to_string());
        assert_eq!(reply(&[Reason::DisabledMailbox]), Reason::DisabledMailbox.reply().to_string());
        assert!(reply(&[Reason::DisabledMailbox, Reason::OverQuota]).starts_with("451 4.2.0 "));
        for reason in [Reason::TooBig, Reason::TooManyHops, Reason::NoSpace, Reason::Internal] {
            assert_eq!(Refusal::from(reason).reply(), reason.reply());
        }
    }

    #[test]
    fn each_recipient_has_its_reply() {
        let take = Verdict::Take { accounts: Vec::new(), remote: Vec::new(), later: Vec::new() };
        let Answer::PerRecipient(replies) = per_recipient(&[take, Verdict::Refuse(Reason::OverQuota)], "x")
        else {
            panic!("no replies");
        };
        let replies: Vec<String> = replies.iter().map(ToString::to_string).collect();
        assert_eq!(replies, ["250 2.1.5 message accepted as x", "452 4.2.2 the mailbox is full"]);
    }

    #[test]
    fn utf8_is_needed_where_it_is() {
        let envelope = |from: &str, smtputf8| Envelope {
            reverse_path: ReversePath::Mailbox(Mailbox::parse(from).unwrap()),
            parameters: MailParameters { smtputf8, ..MailParameters::default() },
            recipients: Vec::new(),
            recipient_parameters: Vec::new(),
        };
        for (from, declared, message, expected) in [
            ("a@b.test", true, "Subject: x\r\n\r\né\r\n", false),
            ("a@b.test", true, "Subject: é\r\n\r\nx\r\n", true),
            ("a@b.test", false, "Subject: é\r\n\r\nx\r\n", false),
            ("é@b.test", false, "Subject: x\r\n\r\nx\r\n", true),
        ] {
            assert_eq!(needs_utf8(&envelope(from, declared), message.as_bytes()), expected, "{message:?}");
        }
    }

    #[tokio::test]
    async fn a_disk_that_is_full_at_the_last_piece_is_no_space() {
        let mut spool = Spool::on_full_disk().await;
        spool.push(b"the last piece").await.unwrap();
        assert_eq!(unspooled(spool, b"").await, Err(Reason::NoSpace));
    }
}
