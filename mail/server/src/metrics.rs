//! Every metric of this package, in one place: names (`mailwright_*`), labels, and the exporter behind `/metrics`.
//! Labels are bounded sets (protocols, reasons), never addresses or names.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::config::Protocol;

/// Bounds of the duration histograms in seconds: from an in-memory commit to a client's patience.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];

/// How often histograms are folded so that their memory stays bounded without a scraper.
pub(crate) const UPKEEP: Duration = Duration::from_secs(10);

/// The process-wide exporter: `metrics` has one recorder per process, whoever starts first installs it.
static EXPORTER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the exporter once and describes the metrics.
pub(crate) fn install() -> Option<&'static PrometheusHandle> {
    EXPORTER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
                .ok()?;
            let handle = builder.install_recorder().ok()?;
            describe();
            Some(handle)
        })
        .as_ref()
}

/// The metrics in Prometheus' text format; empty when another library owns the process's recorder.
pub(crate) fn render() -> String {
    install().map(PrometheusHandle::render).unwrap_or_default()
}

/// Bounded-memory housekeeping, to be called every [`UPKEEP`].
pub(crate) fn upkeep() {
    if let Some(handle) = install() {
        handle.run_upkeep();
    }
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("mailwright_build_info", "Which version runs; always 1");
    metrics::gauge!("mailwright_build_info", "version" => env!("CARGO_PKG_VERSION"), "component" => "mail")
        .set(1);
    describe_gauge!("mailwright_connections", "Open connections by protocol");
    describe_counter!("mailwright_connections_total", "Accepted connections by protocol");
    describe_counter!("mailwright_connections_refused_total", "Connections refused by protocol and limit");
    describe_counter!("mailwright_messages_accepted_total", "Messages answered with 250");
    describe_counter!("mailwright_messages_rejected_total", "Messages refused at their end, by reason");
    describe_counter!("mailwright_recipients_total", "RCPT commands by result");
    describe_counter!("mailwright_deliveries_total", "Copies of messages put into mailboxes");
    describe_histogram!("mailwright_delivery_seconds", "From the end of a message to its commit");
    describe_counter!("mailwright_logins_total", "Logins by result");
    describe_gauge!("mailwright_imap_sessions", "IMAP sessions that are logged in");
    describe_counter!("mailwright_imap_appends_total", "Messages stored by APPEND");
    describe_gauge!("mailwright_queue_messages", "Messages in the queue");
    describe_gauge!("mailwright_queue_recipients", "Recipients in the queue by state");
    describe_gauge!("mailwright_queue_oldest_seconds", "Age of the oldest message in the queue");
    describe_counter!("mailwright_queue_attempts_total", "Attempts by outcome, one per recipient");
    describe_histogram!("mailwright_queue_delivery_seconds", "From the queue's 250 to that of the next host");
    describe_counter!("mailwright_queue_reports_total", "Reports to senders by kind");
    describe_counter!("mailwright_queue_relay_login_failures_total", "Logins that the smarthost refused");
    describe_counter!("mailwright_store_commits", "Database transactions since start");
    describe_counter!("mailwright_store_jobs", "Jobs in those transactions");
    describe_counter!("mailwright_store_commit_microseconds", "Time spent committing");
}

/// A connection was accepted; the gauge falls when the result is dropped.
#[must_use]
pub(crate) fn connection(protocol: Protocol) -> OpenConnection {
    metrics::counter!("mailwright_connections_total", "protocol" => protocol.name()).increment(1);
    metrics::gauge!("mailwright_connections", "protocol" => protocol.name()).increment(1);
    OpenConnection(protocol)
}

/// Counts one open connection while it lives.
pub(crate) struct OpenConnection(Protocol);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        metrics::gauge!("mailwright_connections", "protocol" => self.0.name()).decrement(1);
    }
}

/// A connection was refused.
pub(crate) fn refused(protocol: Protocol, limit: &'static str) {
    metrics::counter!("mailwright_connections_refused_total", "protocol" => protocol.name(), "limit" => limit)
        .increment(1);
}

/// A message was answered with 250, for so many mailboxes, so long after its end.
pub(crate) fn message_accepted(copies: usize, took: Duration) {
    metrics::counter!("mailwright_messages_accepted_total").increment(1);
    metrics::counter!("mailwright_deliveries_total").increment(copies as u64);
    metrics::histogram!("mailwright_delivery_seconds").record(took.as_secs_f64());
}

/// A message was refused at its end.
pub(crate) fn message_rejected(reason: &'static str) {
    metrics::counter!("mailwright_messages_rejected_total", "reason" => reason).increment(1);
}

/// An RCPT was answered: `accepted` or a reason's code.
pub(crate) fn recipient(result: &'static str) {
    metrics::counter!("mailwright_recipients_total", "result" => result).increment(1);
}

/// A login was answered.
pub(crate) fn login(result: &'static str) {
    metrics::counter!("mailwright_logins_total", "result" => result).increment(1);
}

/// A message came by APPEND.
pub(crate) fn append() {
    metrics::counter!("mailwright_imap_appends_total").increment(1);
}

/// One logged-in IMAP session while it lives.
pub(crate) struct LoggedIn(());

impl LoggedIn {
    #[must_use]
    pub(crate) fn new() -> LoggedIn {
        metrics::gauge!("mailwright_imap_sessions").increment(1);
        LoggedIn(())
    }
}

impl Drop for LoggedIn {
    fn drop(&mut self) {
        metrics::gauge!("mailwright_imap_sessions").decrement(1);
    }
}

/// The store's own counters, read when somebody scrapes.
pub(crate) fn store(stats: &mailwright_store::Stats) {
    metrics::counter!("mailwright_store_commits").absolute(stats.commits);
    metrics::counter!("mailwright_store_jobs").absolute(stats.jobs);
    metrics::counter!("mailwright_store_commit_microseconds").absolute(stats.commit_nanos / 1000);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_exported_under_our_names() {
        install();
        drop(connection(Protocol::Smtp));
        message_accepted(2, Duration::from_millis(3));
        message_rejected("too_big");
        let text = render();
        for line in [
            "mailwright_connections_total{protocol=\"smtp\"}",
            "mailwright_messages_accepted_total",
            "mailwright_messages_rejected_total{reason=\"too_big\"}",
            "mailwright_delivery_seconds_bucket{le=\"0.005\"}",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        upkeep();
    }

    #[test]
    fn gauges_fall_with_what_they_count() {
        install();
        let value = |name: &str| -> f64 {
            let text = render();
            let line = text
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_else(|| panic!("{name} in {text}"));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let name = "mailwright_connections{protocol=\"imap\"}";
        let open = connection(Protocol::Imap);
        // Other tests of this process open IMAP connections as well, so only the kind of the number is certain.
        assert!(value(name) >= 1.0);
        drop(open);
        assert!(value(name) >= 0.0);
    }

    #[test]
    fn every_metric_is_described_and_counted_once() {
        install();
        login("ok");
        recipient("accepted");
        refused(Protocol::Smtp, "total");
        append();
        drop(LoggedIn::new());
        store(&mailwright_store::Stats { commits: 7, jobs: 9, commit_nanos: 5_000, ..Default::default() });
        let text = render();
        for name in [
            "mailwright_logins_total",
            "mailwright_recipients_total",
            "mailwright_connections_refused_total",
            "mailwright_imap_appends_total",
            "mailwright_imap_sessions",
            "mailwright_store_commits",
        ] {
            assert_eq!(text.matches(&format!("# HELP {name} ")).count(), 1, "{name} in {text}");
            assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{name} in {text}");
        }
    }
}
