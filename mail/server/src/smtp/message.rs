//! The message itself: trace fields at DATA, pieces into the spool, and at its end checks, index and delivery in one
//! transaction. `250` is said after the commit and never before.
//!
//! All or nothing: without a queue there is no place for a copy that one of several recipients cannot take now, so if one
//! of them cannot take the message nobody gets it and the client keeps it (4yz, or the recipient's own reply when it is
//! the only one). The store decides that within the transaction, for the message as it is stored, trace fields included;
//! no attempt leaves a copy that the next one would double. A mailbox that was too full is remembered (`full.rs`): the next
//! attempt hears `452 4.2.2` at its RCPT, and the others get their copy.

use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, FixedOffset, Utc};
use mailwright_flow::address::sender;
use mailwright_flow::trace::Trace;
use mailwright_flow::{Decision, Reason, checks};
use mailwright_smtp::{Answer, Enhanced, Envelope, Reply};
use mailwright_store::{AccountId, Delivery, Outcome};

use super::{Driver, Incoming, recipient};
use crate::index::index;
use crate::metrics;
use crate::spool::Spool;

impl Driver {
    /// DATA or the first BDAT: the envelope is complete, so are the trace fields (RFC 5321 §4.4).
    pub(super) async fn begin_message(&mut self) -> Answer {
        let Some(envelope) = self.session.envelope() else {
            return Answer::Reject(Reason::Internal.reply());
        };
        self.messages += 1;
        // Unique across restarts: sessions are numbered anew by each process.
        let id = format!("{:x}-{:x}-{:x}", Utc::now().timestamp_micros(), self.handle.id(), self.messages);
        let date: DateTime<FixedOffset> = Utc::now().into();
        let trace = Trace {
            reverse_path: &envelope.reverse_path,
            recipients: &envelope.recipients,
            transfer: &self.session.transfer(),
            hostname: &self.settings.config.hostname,
            id: &id,
            date,
        };
        let mut spool = Spool::new(&self.context.temporary);
        if let Err(error) = spool.push(&trace.write()).await {
            tracing::error!(%error, "cannot spool a message");
            return Answer::Reject(Reason::NoSpace.reply());
        }
        let recipients = envelope.recipients.clone();
        self.message = Some(Incoming { id, recipients, scanner: Default::default(), spool, failed: None });
        Answer::Accept
    }

    /// The end of the message: stored durably, or refused.
    pub(super) async fn end_message(&mut self) -> Answer {
        let began = Instant::now();
        let (Some(message), Some(envelope)) = (self.message.take(), self.session.envelope().cloned()) else {
            return Answer::Reject(Reason::Internal.reply());
        };
        let id = message.id.clone();
        match self.deliver(message, &envelope).await {
            Ok(copies) => {
                metrics::message_accepted(copies, began.elapsed());
                tracing::info!(id, from = %envelope.reverse_path, copies, "message stored");
                Answer::AcceptAs(id)
            }
            Err(refusal) => {
                metrics::message_rejected(refusal.reason.code());
                tracing::info!(id, from = %envelope.reverse_path, reason = refusal.reason.code(), "message refused");
                Answer::Reject(refusal.reply())
            }
        }
    }

    async fn deliver(&self, message: Incoming, envelope: &Envelope) -> Result<usize, Refusal> {
        if let Some(reason) = message.failed {
            return Err(reason.into());
        }
        let facts = message.scanner.facts();
        let message_size = self.settings.config.limits.message_size;
        let limits = checks::Limits { message_size, ..Default::default() };
        checks::run(&facts, &limits)?;
        let accounts = self.accounts(&message, envelope).await?;
        let _memory = self.context.message_memory(message.spool.len()).await.ok_or(Reason::Draining)?;
        let raw = unspooled(message.spool).await?;
        let index = index(raw.clone()).await.ok_or(Reason::Internal)?;
        let internal_date = Utc::now().timestamp();
        let size = raw.len() as u64;
        let delivery =
            Delivery { accounts: accounts.clone(), raw, index, internal_date, outgoing: Vec::new() };
        let outcomes = self.context.store.mail().deliver(delivery).await.map_err(|error| match error {
            mailwright_store::Error::NoSpace => Reason::NoSpace,
            error => {
                tracing::error!(%error, "delivery failed");
                Reason::Internal
            }
        })?;
        for (account, _) in
            accounts.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::OverQuota)
        {
            self.context.full.note(*account, size, Instant::now());
        }
        judge(&outcomes)
    }

    /// The mailboxes of all recipients, each once, as things stand now.
    async fn accounts(&self, message: &Incoming, envelope: &Envelope) -> Result<Vec<AccountId>, Refusal> {
        let from = sender(&envelope.reverse_path);
        let mut accounts = Vec::new();
        for path in &message.recipients {
            let hostname = &self.settings.config.hostname;
            match recipient::expand(&self.context.store, hostname, path, from.clone(), |_| 0).await {
                Decision::Deliver { accounts: found, skipped, .. } => {
                    for member in &skipped {
                        tracing::info!(
                            id = message.id,
                            member = member.address,
                            reason = member.reason.code(),
                            "skipped"
                        );
                    }
                    accounts.extend(found.into_iter().map(AccountId));
                }
                Decision::Reject(reason) => {
                    return Err(Refusal { reason, several: message.recipients.len() > 1 });
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        accounts.retain(|account| seen.insert(*account));
        Ok(accounts)
    }
}

/// The whole message. Writes to the spool are complete only here, so this is where a full disk shows at the latest.
async fn unspooled(spool: Spool) -> Result<Bytes, Reason> {
    spool.into_bytes().await.map(Bytes::from).map_err(|error| {
        tracing::error!(%error, "cannot spool a message");
        Reason::NoSpace
    })
}

/// Why a message is refused at its end.
struct Refusal {
    reason: Reason,
    /// It concerns one of several recipients: then it must not read as final for the others.
    several: bool,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Refusal {
        Refusal { reason, several: false }
    }
}

impl Refusal {
    fn reply(&self) -> Reply {
        if self.several {
            // The client asks each recipient again and then hears at RCPT which one it was.
            return Reply::new(451, Enhanced(4, 2, 0), "a recipient cannot take this message now, try again");
        }
        self.reason.reply()
    }
}

/// What the commit means for the client.
fn judge(outcomes: &[Outcome]) -> Result<usize, Refusal> {
    let failed = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Delivered { .. } | Outcome::Withheld => None,
        Outcome::OverQuota => Some(Reason::OverQuota),
        Outcome::Gone => Some(Reason::DisabledMailbox),
    });
    match failed {
        None => Ok(outcomes.len()),
        Some(reason) => Err(Refusal { reason, several: outcomes.len() > 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_decides_what_the_client_hears() {
        use Outcome::{Delivered, Gone, OverQuota, Withheld};
        let delivered = Delivered { uid: 1 };
        for (outcomes, expected) in [
            (vec![delivered], Ok(1)),
            (vec![delivered, delivered, delivered], Ok(3)),
            (vec![OverQuota], Err((452, "4.2.2"))),
            (vec![Gone], Err((550, "5.2.1"))),
            // Never final for several, and never 250 while one of them has nothing.
            (vec![Withheld, OverQuota], Err((451, "4.2.0"))),
            (vec![Gone, Withheld], Err((451, "4.2.0"))),
            (vec![OverQuota, OverQuota], Err((451, "4.2.0"))),
        ] {
            let judged = judge(&outcomes).map_err(|refusal| {
                let reply = refusal.reply();
                let Enhanced(class, subject, detail) = reply.enhanced().unwrap();
                (reply.code(), format!("{class}.{subject}.{detail}"))
            });
            let expected = expected.map_err(|(code, enhanced)| (code, enhanced.to_owned()));
            assert_eq!(judged, expected, "{outcomes:?}");
        }
    }

    #[tokio::test]
    async fn a_disk_that_is_full_at_the_last_piece_is_no_space() {
        let mut spool = Spool::on_full_disk().await;
        spool.push(b"the last piece").await.unwrap();
        assert_eq!(unspooled(spool).await, Err(Reason::NoSpace));
    }

    #[test]
    fn reasons_that_concern_the_message_are_final_for_all() {
        for reason in [Reason::TooBig, Reason::TooManyHops, Reason::NoSpace, Reason::Internal] {
            assert_eq!(Refusal::from(reason).reply(), reason.reply());
        }
    }
}
