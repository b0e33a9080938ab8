//! Owns every metric of the operator process: names, labels, help, and how they are rendered for a scrape. Labels are
//! bounded: kinds, conditions, verbs, MailServers; never an address, a mailbox or a domain.
//!
//! What happens is counted where it happens (`metrics`); what is, is kept in [`figures::Figures`] and rendered when
//! somebody looks, so that a MailServer that is gone leaves no line behind.
//! Source: Prometheus, "Metric and label naming".

pub mod figures;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use self::figures::{Figures, ObjectCounts, ServerFigures};
use super::lease::LeaderState;

/// Bounds of the histograms in seconds: from a cached answer of the API server to a pass over 10,000 resources.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// How often histograms are folded so that their memory stays bounded without a scraper.
pub const UPKEEP: Duration = Duration::from_secs(10);

static EXPORTER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
static FIGURES: Mutex<Figures> = Mutex::new(Figures::new());

/// Installs the exporter of this process once, and describes the metrics.
pub fn install() {
    exporter();
}

fn exporter() -> Option<&'static PrometheusHandle> {
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

/// Everything in Prometheus' text format.
pub fn render() -> String {
    let counted = exporter().map(PrometheusHandle::render).unwrap_or_default();
    let process = figures::Process::of_this();
    counted + &figures().render(&process)
}

/// Bounded-memory housekeeping, to be called every [`UPKEEP`].
pub fn upkeep() {
    if let Some(handle) = exporter() {
        handle.run_upkeep();
    }
}

fn figures() -> MutexGuard<'static, Figures> {
    // Numbers of a panicked thread are as good as others.
    FIGURES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe() {
    use metrics::{describe_counter, describe_histogram};
    describe_counter!("mailwright_operator_reconciles_total", "Passes over one MailServer, by result");
    describe_histogram!(
        "mailwright_operator_reconcile_duration_seconds",
        "How long a pass over one MailServer took"
    );
    describe_counter!(
        "mailwright_operator_repository_attempts_total",
        "Attempts at one MailRepository, by result"
    );
    describe_histogram!(
        "mailwright_operator_repository_attempt_duration_seconds",
        "How long an attempt at one MailRepository took, from fetching to the status"
    );
    describe_counter!(
        "mailwright_operator_webhooks_total",
        "Webhooks of forges, by result; what is handed on to the replica that leads counts there too"
    );
    describe_counter!(
        "mailwright_operator_previews_total",
        "Plans of proposed changes, by result: posted, or failed and tried again"
    );
    describe_counter!(
        "mailwright_operator_operations_total",
        "Changes of account rows, by action and result"
    );
    describe_counter!(
        "mailwright_operator_api_requests_total",
        "Requests to the API server, by verb, resource and code"
    );
    describe_histogram!(
        "mailwright_operator_api_request_duration_seconds",
        "How long the API server took for the head of its answer, by verb; watches not counted"
    );
    describe_counter!(
        "mailwright_operator_database_requests_total",
        "Requests to account databases, by request and result"
    );
    describe_histogram!(
        "mailwright_operator_database_request_duration_seconds",
        "How long account databases took to answer, by request"
    );
    describe_counter!(
        "mailwright_operator_watch_restarts_total",
        "Watches that broke off and began anew, by resource"
    );
    describe_counter!(
        "mailwright_operator_lease_failures_total",
        "Requests for the Lease that brought no answer"
    );
}

/// How a pass over one MailServer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassResult {
    /// Something was written.
    Changed,
    /// Nothing had to be.
    Unchanged,
    /// A guard holds something back.
    Held,
    /// It broke off, or some operation failed.
    Failed,
}

impl PassResult {
    fn as_str(self) -> &'static str {
        match self {
            PassResult::Changed => "changed",
            PassResult::Unchanged => "unchanged",
            PassResult::Held => "held",
            PassResult::Failed => "failed",
        }
    }
}

/// A pass over one MailServer ended.
pub fn reconciled(result: PassResult, took: Duration) {
    metrics::counter!("mailwright_operator_reconciles_total", "result" => result.as_str()).increment(1);
    metrics::histogram!("mailwright_operator_reconcile_duration_seconds").record(took.as_secs_f64());
}

/// How an attempt at a MailRepository ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptResult {
    /// Something was put in force.
    Applied,
    /// Nothing had to be.
    Unchanged,
    /// Something waits for an approval or is held by a guard.
    Held,
    /// The newest revision is not taken, or nothing can be applied.
    Refused,
    /// Some object failed.
    Failed,
}

impl AttemptResult {
    fn as_str(self) -> &'static str {
        match self {
            AttemptResult::Applied => "applied",
            AttemptResult::Unchanged => "unchanged",
            AttemptResult::Held => "held",
            AttemptResult::Refused => "refused",
            AttemptResult::Failed => "failed",
        }
    }
}

/// An attempt at a MailRepository ended.
pub fn attempted(result: AttemptResult, took: Duration) {
    metrics::counter!("mailwright_operator_repository_attempts_total", "result" => result.as_str())
        .increment(1);
    metrics::histogram!("mailwright_operator_repository_attempt_duration_seconds").record(took.as_secs_f64());
}

/// A webhook was answered, or handed on; `result` is a word of [`crate::webhook::Outcome`].
pub fn webhook(result: &'static str) {
    metrics::counter!("mailwright_operator_webhooks_total", "result" => result).increment(1);
}

/// A round of previews posted so many plans and failed so often.
pub fn previewed(posted: usize, failed: usize) {
    for (result, count) in [("posted", posted), ("failed", failed)] {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        metrics::counter!("mailwright_operator_previews_total", "result" => result).increment(count);
    }
}

/// Account rows were changed, or refused to be; what is refused counts once, however often it is tried. `action` is a word of the plan.
pub fn operations(action: &'static str, ok: bool, count: u64) {
    let result = if ok { "applied" } else { "failed" };
    metrics::counter!("mailwright_operator_operations_total", "action" => action, "result" => result)
        .increment(count);
}

/// The API server answered, with this code, or with none.
pub fn api_request(verb: &'static str, resource: String, code: Option<u16>, took: Duration) {
    let code = code.map_or_else(|| "error".to_owned(), |code| code.to_string());
    metrics::counter!(
        "mailwright_operator_api_requests_total", "verb" => verb, "resource" => resource, "code" => code
    )
    .increment(1);
    if verb != "watch" {
        metrics::histogram!("mailwright_operator_api_request_duration_seconds", "verb" => verb)
            .record(took.as_secs_f64());
    }
}

/// An account database answered, or did not.
pub fn database_request(request: &'static str, result: &'static str, took: Duration) {
    metrics::counter!("mailwright_operator_database_requests_total", "request" => request, "result" => result)
        .increment(1);
    metrics::histogram!("mailwright_operator_database_request_duration_seconds", "request" => request)
        .record(took.as_secs_f64());
}

/// A watch broke off and begins anew.
pub fn watch_restarted(resource: &'static str) {
    metrics::counter!("mailwright_operator_watch_restarts_total", "resource" => resource).increment(1);
}

/// A request for the Lease brought no answer.
pub fn lease_failed() {
    metrics::counter!("mailwright_operator_lease_failures_total").increment(1);
}

/// Who leads.
pub fn leader(state: &LeaderState) {
    figures().leader = *state;
}

/// Whether everything that is watched has been listed once.
pub fn synced(synced: bool) {
    figures().synced = synced;
}

/// Whether an installation waits for a pass; it no longer does when this is dropped.
#[derive(Debug, Default)]
pub struct Waiting(AtomicBool);

impl Waiting {
    /// It waits from now on.
    pub fn begins(&self) {
        if !self.0.swap(true, Ordering::Relaxed) {
            figures().waiting += 1;
        }
    }

    /// Its turn has come.
    pub fn over(&self) {
        if self.0.swap(false, Ordering::Relaxed) {
            figures().waiting -= 1;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.over();
    }
}

/// What a MailServer (`namespace/name`) says of itself.
pub fn server(server: &str, says: ServerFigures) {
    figures().servers.insert(server.to_owned(), says);
}

/// A MailServer is gone.
pub fn forget_server(server: &str) {
    figures().servers.remove(server);
}

/// How many objects there are, by kind and condition.
pub fn objects(counts: ObjectCounts) {
    figures().objects = counts;
}

/// Whether the installed definition of a kind (its plural) is as new as this binary.
pub fn definition_current(plural: &'static str, current: bool) {
    figures().definitions.insert(plural, current);
}

#[cfg(test)]
mod tests;
