//! One attempt at one message: on the connection at hand or a new one, then on the next host for those recipients of whom
//! a host said nothing of their own.

use std::sync::Arc;

use bytes::Bytes;
use mailwright_flow::queue::outcome::Outcome;
use mailwright_store::{QueuedRecipient, Ret};

use super::net::{Answer, Letter, LetterRecipient, Link, Net, Sent};
use super::runner::{Job, Shared};
use super::schedule::Destination;
use super::settle::{self, Result};
use super::worker::{self, Open};

/// What an attempt leaves to its worker.
pub(super) enum After<L> {
    /// A connection that can take another message.
    Open(Open<L>),
    /// No connection.
    Closed,
    /// The destination has connections enough; the worker is counted out.
    Leave,
}

/// Tries one message and settles it.
pub(super) async fn attempt<N: Net>(
    shared: &Arc<Shared<N>>,
    destination: &Destination,
    mut job: Job,
    mut open: Option<Open<N::Link>>,
) -> After<N::Link> {
    let Some(raw) = text(shared, &job).await else { return open.map_or(After::Closed, After::Open) };
    let mut done: Vec<(QueuedRecipient, Result)> = Vec::new();
    let mut left = job.recipients.clone();
    loop {
        let mut current = match open.take() {
            Some(open) => open,
            None => match reach(shared, destination).await {
                Ok(open) => open,
                Err(refused) => {
                    if done.is_empty() && left.len() == job.recipients.len() {
                        match shared.schedule().retreat(destination, job) {
                            Ok(()) => return After::Leave,
                            Err(back) => job = back,
                        }
                    }
                    down(shared, destination, &refused).await;
                    done.extend(left.into_iter().map(|recipient| (recipient, refused.clone())));
                    settle::settle(shared, &job, done, Some(&raw)).await;
                    return After::Closed;
                }
            },
        };
        let sent = current.link.send(letter(&job, &left, raw.clone())).await;
        if current.used && worker::is_stale(&sent.answers) {
            close(shared, destination, current).await;
            continue;
        }
        current.used = true;
        let (again, settled) = sort(left, sent, &current);
        done.extend(settled);
        if again.is_empty() {
            open = Some(current);
            break;
        }
        left = again.iter().map(|(recipient, _)| recipient.clone()).collect();
        let others = std::mem::take(&mut current.others);
        close(shared, destination, current).await;
        match worker::connect(shared, others).await {
            Ok(other) => {
                shared.schedule().connected(destination);
                open = Some(other);
            }
            // The first host's words say more than that there is no other.
            Err(_) => {
                done.extend(again);
                break;
            }
        }
    }
    settled(shared, destination, &job, done, &raw).await;
    match open {
        Some(open) if open.link.is_open() => After::Open(open),
        Some(open) => {
            close(shared, destination, open).await;
            After::Closed
        }
        None => After::Closed,
    }
}

/// The message; without it there is no attempt, and the job is done with or given back.
async fn text<N: Net>(shared: &Shared<N>, job: &Job) -> Option<Bytes> {
    match shared.store.queue().raw(job.message.id).await {
        Ok(Some(raw)) => return Some(raw),
        // It was deleted meanwhile.
        Ok(None) => shared.finished(job, job.recipients.len()),
        Err(error) => {
            tracing::error!(id = job.message.trace, %error, "cannot read a message of the queue");
            shared.give_back(job).await;
        }
    }
    None
}

/// Settles what came of it; a destination that took mail may earn another connection.
async fn settled<N: Net>(
    shared: &Arc<Shared<N>>,
    destination: &Destination,
    job: &Job,
    done: Vec<(QueuedRecipient, Result)>,
    raw: &Bytes,
) {
    if done.iter().any(|(_, result)| result.outcome == Outcome::Delivered) {
        let most = shared.settings.load().per_destination;
        let start = shared.schedule().succeeded(destination, most);
        if start {
            worker::spawn(shared, destination);
        }
    }
    settle::settle(shared, job, done, Some(raw)).await;
}

/// Ends a connection.
pub(super) async fn close<N: Net>(shared: &Shared<N>, destination: &Destination, open: Open<N::Link>) {
    shared.schedule().disconnected(destination);
    open.link.close().await;
}

/// A connection to one of the hosts of a destination.
async fn reach<N: Net>(
    shared: &Shared<N>,
    destination: &Destination,
) -> std::result::Result<Open<N::Link>, Result> {
    let peers = match worker::peers(shared, destination).await {
        Ok(peers) => peers,
        Err(problem) => return Err(Result::of(Outcome::of_problem(problem), None)),
    };
    let open = worker::connect(shared, peers).await?;
    shared.schedule().connected(destination);
    Ok(open)
}

/// What waits for a destination that cannot be reached has had its attempt.
async fn down<N: Net>(shared: &Arc<Shared<N>>, destination: &Destination, refused: &Result) {
    let waiting = shared.schedule().failed(destination);
    for job in waiting {
        let results = job.recipients.iter().map(|recipient| (recipient.clone(), refused.clone())).collect();
        settle::settle(shared, &job, results, None).await;
    }
}

/// Recipients for whom another host may do better, and those that are done with.
type Sorted = (Vec<(QueuedRecipient, Result)>, Vec<(QueuedRecipient, Result)>);

fn sort<L: Link>(left: Vec<QueuedRecipient>, sent: Sent, open: &Open<L>) -> Sorted {
    let tls = open.link.tls();
    let none = Answer::Lost {
        stage: mailwright_flow::queue::outcome::Stage::Message,
        reason: "no answer for this recipient".to_owned(),
    };
    let answers = sent.answers.into_iter().chain(std::iter::repeat(none));
    let (mut again, mut settled) = (Vec::new(), Vec::new());
    for (recipient, answer) in left.into_iter().zip(answers) {
        let mut result = Result::of(answer.outcome(), Some(&open.peer));
        result.dsn_relayed = sent.dsn_relayed;
        result.tls.clone_from(&tls);
        let elsewhere =
            answer.concerns_host() && result.outcome != Outcome::Delivered && !open.others.is_empty();
        if elsewhere { again.push((recipient, result)) } else { settled.push((recipient, result)) }
    }
    (again, settled)
}

fn letter(job: &Job, recipients: &[QueuedRecipient], raw: Bytes) -> Letter {
    let message = &job.message;
    let recipient = |recipient: &QueuedRecipient| LetterRecipient {
        address: recipient.address.clone(),
        original: recipient.original.clone(),
        notify: recipient.notify,
    };
    Letter {
        id: message.trace.clone(),
        reverse_path: message.reverse_path.clone(),
        recipients: recipients.iter().map(recipient).collect(),
        return_full: message.ret.map(|ret| ret == Ret::Full),
        envelope_id: message.envelope_id.clone(),
        smtputf8: message.smtputf8,
        eight_bit: message.eight_bit,
        raw,
    }
}
