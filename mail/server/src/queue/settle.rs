//! Ends attempts: what each recipient's outcome makes of its row, and the reports that follow, in one transaction with it.
//!
//! A report is queued like any other message, so that a full mailbox or a host that is down hold it back and do not lose
//! it.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, FixedOffset};
use mailwright_flow::queue::dsn::{self, Kind, Reached, Report};
use mailwright_flow::queue::outcome::{Outcome, Stage, Verdict};
use mailwright_flow::queue::retry::{self, Next, Policy};
use mailwright_store::{
    Delivery, Notify, Outgoing, OutgoingRecipient, Queued, QueuedRecipient, RecipientId, Ret, Settled,
    Settlement, UnixTime,
};

use super::net::{Answer, Net, Peer};
use super::report;
use super::runner::{Job, RunnerSettings, Shared};

/// Settlements that are tried before a lost one is left to the lease: the database refuses for a reason. A full disk is
/// waited for.
const ATTEMPTS: u32 = 30;
/// Pause between them.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);
/// Seconds until a recipient whose report cannot be written is tried again.
const UNREPORTED: i64 = 600;

/// What an attempt came to for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Result {
    pub(super) outcome: Outcome,
    /// `host[address]:port`.
    pub(super) relay: Option<String>,
    pub(super) host: Option<String>,
    pub(super) tls: Option<String>,
    /// The other host reports success itself.
    pub(super) dsn_relayed: bool,
    /// It went into a mailbox here.
    pub(super) local: bool,
}

impl Result {
    pub(super) fn of(outcome: Outcome, peer: Option<&Peer>) -> Result {
        Result {
            outcome,
            relay: peer.map(Peer::to_string),
            host: peer.map(|peer| peer.host.clone()),
            tls: None,
            dsn_relayed: false,
            local: false,
        }
    }

    /// Of a mailbox here.
    pub(super) fn local(outcome: Outcome) -> Result {
        Result { relay: Some("local".to_owned()), local: true, ..Result::of(outcome, None) }
    }
}

/// What a verdict says, on one line.
pub(super) fn words(verdict: &Verdict) -> String {
    let text = verdict.reply.as_deref().unwrap_or(&verdict.text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What becomes of a row.
struct Fate {
    id: RecipientId,
    settled: Settled,
    report: Option<(Kind, dsn::Recipient)>,
}

/// Settles recipients of one message, each by its result.
pub(super) async fn settle<N: Net>(
    shared: &Arc<Shared<N>>,
    job: &Job,
    results: Vec<(QueuedRecipient, Result)>,
    raw: Option<&Bytes>,
) {
    let now = shared.now();
    let settings = shared.settings.load_full();
    let number = results.len();
    let fates = results.iter().map(|(recipient, result)| {
        let (fate, outcome) = fate(&settings.policy, &job.message, recipient, result, now, shared.seed());
        report::attempt(&job.message, recipient, result, &outcome, now);
        fate
    });
    let fates: Vec<Fate> = fates.collect();
    let (plain, reported): (Vec<Fate>, Vec<Fate>) = fates.into_iter().partition(|fate| fate.report.is_none());
    let mut plain = Some(plain).filter(|plain| !plain.is_empty());
    for kind in [Kind::Failure, Kind::Delay, Kind::Success] {
        let is_kind = |fate: &&Fate| fate.report.as_ref().is_some_and(|(found, _)| *found == kind);
        let of_kind: Vec<&Fate> = reported.iter().filter(is_kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let recipients: Vec<_> = of_kind.iter().filter_map(|fate| fate.report.clone()).collect();
        let mut rows: Vec<_> = of_kind.iter().map(|fate| (fate.id, fate.settled.clone())).collect();
        rows.extend(plain.take().into_iter().flatten().map(|fate| (fate.id, fate.settled)));
        let notice = notice(shared, &settings, job, kind, recipients, raw).await;
        report::notified(kind_name(kind));
        commit(shared, job, rows, notice).await;
    }
    if let Some(plain) = plain {
        let rows = plain.into_iter().map(|fate| (fate.id, fate.settled)).collect();
        commit(shared, job, rows, None).await;
    }
    shared.finished(job, number);
}

/// What an outcome makes of a recipient.
fn fate(
    policy: &Policy,
    message: &Queued,
    recipient: &QueuedRecipient,
    result: &Result,
    now: UnixTime,
    jitter: u64,
) -> (Fate, Outcome) {
    let mut outcome = result.outcome.clone();
    let mut next_attempt = now;
    if let Outcome::Deferred(verdict) = &outcome {
        match retry::next(policy, recipient.attempts + 1, now, message.expires, jitter) {
            Next::At(at) => next_attempt = at,
            Next::Expired => outcome = Outcome::expired(Some(verdict)),
        }
    }
    let notify = notify(recipient.notify);
    let wanted = |kind| dsn::is_wanted(kind, &message.reverse_path, notify);
    let late = policy.is_late(message.queued_at, now) && !recipient.delay_reported && wanted(Kind::Delay);
    let kind = match &outcome {
        Outcome::Delivered if wanted(Kind::Success) && !result.dsn_relayed => Some(Kind::Success),
        Outcome::Deferred(_) if late => Some(Kind::Delay),
        Outcome::Failed(_) if wanted(Kind::Failure) => Some(Kind::Failure),
        _ => None,
    };
    let settled = match &outcome {
        Outcome::Delivered => Settled::Done,
        Outcome::Deferred(verdict) => Settled::Deferred {
            next_attempt,
            reply: words(verdict),
            delay_reported: recipient.delay_reported || kind == Some(Kind::Delay),
        },
        Outcome::Failed(verdict) => Settled::Failed { reply: words(verdict) },
    };
    let report = kind.map(|kind| (kind, reported(recipient, result, &outcome, now)));
    (Fate { id: recipient.id, settled, report }, outcome)
}

/// A recipient as the report names it.
fn reported(
    recipient: &QueuedRecipient,
    result: &Result,
    outcome: &Outcome,
    now: UnixTime,
) -> dsn::Recipient {
    let verdict = outcome.verdict();
    let reached = match result.local {
        true => Reached::Delivered,
        false => Reached::Relayed,
    };
    dsn::Recipient {
        address: recipient.address.clone(),
        original: recipient.original.clone(),
        status: verdict.map_or(mailwright_smtp::Enhanced(2, 0, 0), |verdict| verdict.status),
        remote: result.host.clone(),
        diagnostic: verdict.and_then(|verdict| verdict.reply.clone()),
        text: verdict.map_or_else(|| "It was taken.".to_owned(), |verdict| verdict.text.clone()),
        attempted: Some(date(now)),
        reached: verdict.is_none().then_some(reached),
    }
}

/// The report as a message to be queued.
async fn notice<N: Net>(
    shared: &Shared<N>,
    settings: &RunnerSettings,
    job: &Job,
    kind: Kind,
    recipients: Vec<(Kind, dsn::Recipient)>,
    raw: Option<&Bytes>,
) -> Option<Outgoing> {
    let message = &job.message;
    let raw = match raw {
        Some(raw) => raw.clone(),
        None => shared.store.queue().raw(message.id).await.ok().flatten().unwrap_or_default(),
    };
    let first = job.recipients.first()?;
    let id = format!("{}-{}{}-{}", message.trace, kind_name(kind), first.id.0, first.attempts);
    let recipients: Vec<dsn::Recipient> = recipients.into_iter().map(|(_, recipient)| recipient).collect();
    let now = shared.now();
    let report = Report {
        kind,
        hostname: &settings.hostname,
        id: &id,
        to: &message.reverse_path,
        envelope_id: message.envelope_id.as_deref(),
        arrived: date(message.queued_at),
        now: date(now),
        expires: Some(date(message.expires)),
        recipients: &recipients,
        message: &raw,
        full: kind == Kind::Failure && message.ret != Some(Ret::Headers),
        smtputf8: message.smtputf8,
    };
    let notice = dsn::build(&report);
    let eight_bit = !notice.message.is_ascii();
    let to = OutgoingRecipient { address: notice.to, original: None, notify: Notify::default() };
    Some(Outgoing {
        id,
        reverse_path: String::new(),
        recipients: vec![to],
        ret: None,
        envelope_id: None,
        smtputf8: notice.smtputf8,
        eight_bit,
        submitted_by: None,
        raw: notice.message.into(),
        next_attempt: now,
        expires: settings.policy.expires(now, true),
    })
}

/// Writes rows and report; what the store refuses is tried again, without the report when it has no room for one.
async fn commit<N: Net>(
    shared: &Shared<N>,
    job: &Job,
    mut rows: Vec<(RecipientId, Settled)>,
    mut notice: Option<Outgoing>,
) {
    let mut attempts = 0;
    let mut told = false;
    while attempts < ATTEMPTS {
        let delivery = notice.clone().map(|notice| Delivery {
            accounts: Vec::new(),
            raw: Bytes::new(),
            index: Bytes::new().into(),
            internal_date: shared.now(),
            outgoing: vec![notice],
        });
        let settlement =
            Settlement { lease: job.lease, message: job.message.id, results: rows.clone(), delivery };
        match shared.store.queue().settle(settlement).await {
            Ok(outcome) if outcome.complete => return,
            Ok(outcome) => {
                // Somebody deleted recipients meanwhile: the others are settled without them, and a message of which none
                // is left needs no report.
                rows.retain(|(id, settled)| !outcome.lost.contains(id) && *settled != Settled::Done);
                if rows.is_empty() {
                    return;
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(id = job.message.trace, %error, "cannot settle an attempt");
                }
                attempts += u32::from(!outlasts(&error, shared.is_stopping()));
                if notice.take().is_some() {
                    postpone(&mut rows, shared.now());
                } else {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
    tracing::error!(
        id = job.message.trace,
        "an attempt could not be settled; the message will be tried again"
    );
}

/// Whether to go on however often it failed: a full disk is freed some day, and what was sent would be sent again if the
/// row did not hear of it.
fn outlasts(error: &mailwright_store::Error, stopping: bool) -> bool {
    matches!(error, mailwright_store::Error::NoSpace) && !stopping
}

/// Without its report no recipient fails: it is tried again, and reported then.
fn postpone(rows: &mut [(RecipientId, Settled)], now: UnixTime) {
    for (_, settled) in rows {
        match settled {
            Settled::Failed { reply } => {
                let reply = std::mem::take(reply);
                *settled = Settled::Deferred { next_attempt: now + UNREPORTED, reply, delay_reported: false };
            }
            Settled::Deferred { delay_reported, .. } => *delay_reported = false,
            Settled::Done => {}
        }
    }
}

/// A host took a connection: what was wrong with the smarthost is over.
pub(super) fn reachable<N: Net>(shared: &Shared<N>, peer: &Peer) {
    if peer.relay {
        shared.warnings().clear();
    }
}

/// A host did not. A smarthost that refuses the login concerns all mail and nobody but its administrator.
pub(super) fn unreachable<N: Net>(shared: &Shared<N>, peer: &Peer, answer: &Answer, outcome: &Outcome) {
    let reason = outcome.verdict().map_or_else(String::new, words);
    let at_login = matches!(answer, Answer::Reply(Stage::Auth, _) | Answer::Lost { stage: Stage::Auth, .. });
    if peer.relay && at_login {
        report::relay_login_refused();
        let text = format!(
            "the smarthost {peer} refuses the login, and all mail for other servers waits: {reason}; correct the credentials \
             of the relay"
        );
        tracing::error!("{text}");
        shared.warnings().insert(peer.host.clone(), text);
    } else {
        tracing::info!(relay = %peer, reason, "cannot connect");
    }
}

fn notify(notify: Notify) -> dsn::Notify {
    let Notify { never, success, failure, delay } = notify;
    dsn::Notify { never, success, failure, delay }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Failure => "failure",
        Kind::Delay => "delay",
        Kind::Success => "success",
    }
}

fn date(time: UnixTime) -> DateTime<FixedOffset> {
    DateTime::from_timestamp(time, 0).unwrap_or_default().fixed_offset()
}

#[cfg(test)]
mod tests {
    use mailwright_store::Error;

    use super::*;

    #[test]
    fn a_full_disk_is_waited_for_until_the_end() {
        for (error, stopping, expected) in
            [(Error::NoSpace, false, true), (Error::NoSpace, true, false), (Error::Closed, false, false)]
        {
            assert_eq!(outlasts(&error, stopping), expected, "{error} {stopping}");
        }
    }

    #[test]
    fn nobody_fails_without_a_report() {
        let reply = || "550 5.1.1 nobody".to_owned();
        let deferred =
            |next_attempt, delay_reported| Settled::Deferred { next_attempt, reply: reply(), delay_reported };
        for (given, expected) in [
            (Settled::Failed { reply: reply() }, deferred(100 + UNREPORTED, false)),
            (deferred(5, true), deferred(5, false)),
            (Settled::Done, Settled::Done),
        ] {
            let mut rows = [(RecipientId(1), given)];
            postpone(&mut rows, 100);
            assert_eq!(rows[0].1, expected);
        }
    }
}
