//! What the queue tells its administrator: a line for each attempt, in the words of a Postfix log, and metrics.

use std::time::Duration;

use mailwright_flow::queue::outcome::Outcome;
use mailwright_store::{QueueStats, Queued, QueuedRecipient, UnixTime};

use super::settle::{Result, words};

/// One attempt for one recipient.
pub(super) fn attempt(
    message: &Queued,
    recipient: &QueuedRecipient,
    result: &Result,
    outcome: &Outcome,
    now: UnixTime,
) {
    let status = status(outcome);
    let delay = now.saturating_sub(message.queued_at).max(0);
    let dsn = outcome.verdict().map_or_else(|| "2.0.0".to_owned(), |verdict| verdict.status.to_string());
    let reply = outcome.verdict().map_or_else(String::new, words);
    tracing::info!(
        id = message.trace,
        from = %format_args!("<{}>", message.reverse_path),
        to = %format_args!("<{}>", recipient.address),
        relay = result.relay.as_deref().unwrap_or("none"),
        delay,
        attempts = recipient.attempts + 1,
        dsn,
        status,
        tls = result.tls.as_deref().unwrap_or("none"),
        reply,
        "queue"
    );
    metrics::counter!("mailwright_queue_attempts_total", "outcome" => status).increment(1);
    if *outcome == Outcome::Delivered {
        let delay = Duration::from_secs(delay.unsigned_abs());
        metrics::histogram!("mailwright_queue_delivery_seconds").record(delay.as_secs_f64());
    }
}

/// The word for an outcome.
pub(super) fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "sent",
        Outcome::Deferred(_) => "deferred",
        Outcome::Failed(_) => "bounced",
    }
}

/// The gauges.
pub(super) fn depth(stats: &QueueStats, now: UnixTime) {
    let float = |number: u64| u32::try_from(number).map_or(f64::from(u32::MAX), f64::from);
    metrics::gauge!("mailwright_queue_messages").set(float(stats.messages));
    for (state, number) in [
        ("queued", stats.queued),
        ("active", stats.active),
        ("deferred", stats.deferred),
        ("held", stats.held),
    ] {
        metrics::gauge!("mailwright_queue_recipients", "state" => state).set(float(number));
    }
    let age = stats.oldest.map_or(0, |oldest| now.saturating_sub(oldest).max(0));
    metrics::gauge!("mailwright_queue_oldest_seconds").set(float(age.unsigned_abs()));
}

/// A report that was made.
pub(super) fn notified(kind: &'static str) {
    metrics::counter!("mailwright_queue_reports_total", "kind" => kind).increment(1);
}

/// The smarthost refused our login.
pub(super) fn relay_login_refused() {
    metrics::counter!("mailwright_queue_relay_login_failures_total").increment(1);
}
