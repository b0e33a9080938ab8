//! Mail of the queue that is for this server itself: reports to our own users, copies for a mailbox that was full, forwards
//! that come home. Routed as the MX routes, and stored in the transaction that takes it out of the queue.

use std::sync::Arc;

use bytes::Bytes;
use mailwright_flow::address::sender;
use mailwright_flow::queue::outcome::{Outcome, Stage};
use mailwright_flow::route::loop_marks;
use mailwright_flow::{Decision, Reason};
use mailwright_smtp::{ForwardPath, Mailbox, ReversePath};
use mailwright_store::{
    AccountId, Delivery, Outcome as Stored, Outgoing, OutgoingRecipient, QueuedRecipient, Settled, Settlement,
};

use super::net::Net;
use super::report;
use super::runner::{Job, Shared};
use super::settle::{self, Result};
use crate::index::index;
use crate::smtp::recipient::expand;

/// Delivers to each recipient.
pub(super) async fn deliver<N: Net>(shared: Arc<Shared<N>>, job: Job) {
    // The semaphore is never closed.
    let Ok(_turn) = shared.local.acquire().await else { return };
    let raw = match shared.store.queue().raw(job.message.id).await {
        Ok(Some(raw)) => raw,
        Ok(None) => return shared.finished(&job, job.recipients.len()),
        Err(error) => {
            tracing::error!(id = job.message.trace, %error, "cannot read a message of the queue");
            return shared.give_back(&job).await;
        }
    };
    for recipient in job.recipients.clone() {
        let refused = match deliver_one(&shared, &job, &recipient, &raw).await {
            Ok(()) => {
                let result = Result::local(Outcome::Delivered);
                report::attempt(&job.message, &recipient, &result, &result.outcome, shared.now());
                shared.finished(&job, 1);
                continue;
            }
            Err(reason) => Outcome::of(&reason.reply(), Stage::Rcpt),
        };
        settle::settle(&shared, &job, vec![(recipient, Result::local(refused))], Some(&raw)).await;
    }
}

async fn deliver_one<N: Net>(
    shared: &Shared<N>,
    job: &Job,
    recipient: &QueuedRecipient,
    raw: &Bytes,
) -> std::result::Result<(), Reason> {
    let message = &job.message;
    let path =
        Mailbox::parse(&recipient.address).map(ForwardPath::Mailbox).map_err(|_| Reason::UnknownUser)?;
    let reverse_path = match message.reverse_path.as_str() {
        "" => ReversePath::Null,
        path => Mailbox::parse(path).map_or(ReversePath::Null, ReversePath::Mailbox),
    };
    let hostname = shared.settings.load().hostname.clone();
    let from = sender(&reverse_path);
    let (accounts, remote) = match expand(&shared.store, &hostname, &path, from, |_| message.size).await {
        Decision::Deliver { accounts, remote, .. } => (accounts, remote),
        Decision::Reject(reason) => return Err(reason),
    };
    let onward = |address: String, via: &[String]| Outgoing {
        id: message.trace.clone(),
        reverse_path: message.reverse_path.clone(),
        recipients: vec![OutgoingRecipient {
            address,
            original: recipient.original.clone(),
            notify: recipient.notify,
        }],
        ret: message.ret,
        envelope_id: message.envelope_id.clone(),
        smtputf8: message.smtputf8,
        eight_bit: message.eight_bit,
        submitted_by: None,
        raw: [loop_marks(via).as_slice(), raw].concat().into(),
        next_attempt: shared.now(),
        expires: message.expires,
    };
    let outgoing = remote.into_iter().map(|target| onward(target.address, &target.via)).collect();
    let raw = stored(raw, &message.reverse_path);
    let index = index(raw.clone()).await.ok_or(Reason::Internal)?;
    let delivery = Delivery {
        accounts: accounts.into_iter().map(AccountId).collect(),
        raw,
        index,
        internal_date: shared.now(),
        outgoing,
    };
    // "Failed" leaves the queue together with what comes with it or not at all, which is what a delivery here wants.
    let results = vec![(recipient.id, Settled::Failed { reply: "delivered here".to_owned() })];
    let settlement = Settlement { lease: job.lease, message: message.id, results, delivery: Some(delivery) };
    match shared.store.queue().settle(settlement).await {
        Ok(outcome) if outcome.complete || !outcome.lost.is_empty() => Ok(()),
        Ok(outcome) if outcome.outcomes.contains(&Stored::OverQuota) => Err(Reason::OverQuota),
        Ok(_) => Err(Reason::DisabledMailbox),
        Err(mailwright_store::Error::NoSpace) => Err(Reason::NoSpace),
        Err(error) => {
            tracing::error!(id = message.trace, %error, "delivery failed");
            Err(Reason::Internal)
        }
    }
}

/// The message as it is kept: with its reverse-path in front (RFC 5321 §4.4).
fn stored(raw: &Bytes, reverse_path: &str) -> Bytes {
    const FIELD: &[u8] = b"Return-Path:";
    if raw.get(..FIELD.len()).is_some_and(|start| start.eq_ignore_ascii_case(FIELD)) {
        return raw.clone();
    }
    [format!("Return-Path: <{reverse_path}>\r\n").as_bytes(), raw].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_one_return_path() {
        for (raw, path, expected) in [
            ("Subject: x\r\n", "a@example.org", "Return-Path: <a@example.org>\r\nSubject: x\r\n"),
            ("Subject: x\r\n", "", "Return-Path: <>\r\nSubject: x\r\n"),
            ("return-path: <a@example.org>\r\n", "b@example.org", "return-path: <a@example.org>\r\n"),
            ("", "", "Return-Path: <>\r\n"),
        ] {
            assert_eq!(stored(&Bytes::from(raw), path), expected.as_bytes(), "{raw:?}");
        }
    }
}
