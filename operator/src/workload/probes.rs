//! Probes: when the pod has started, whether it can take mail, whether it is alive.

use mailwright_plan::observed::ServerDeclared;
use serde_json::{Value, json};

use super::ports::{self, HTTP, MANAGEMENT};

/// Seconds between two probes of a start. Short, because a rolling update is out of service until the first that succeeds.
const STARTUP_PERIOD: u32 = 2;

/// Failed probes until a start has failed: ten minutes in all, for the recovery and the migration of a large database.
const STARTUP_FAILURES: u32 = 300;

/// Seconds between two probes of a pod that runs.
const PERIOD: u32 = 10;

/// Seconds for an answer; the server itself gives the database 0.9 of them before it says that it is not ready.
const READY_TIMEOUT: u32 = 2;

/// Failed probes until the pod gets no new connections.
const READY_FAILURES: u32 = 2;

/// Failed probes until the pod is killed. A minute: a pod that is slow under load must not be made slower by restarts.
const LIVE_FAILURES: u32 = 6;

/// Seconds for an answer of a pod that is alive.
const LIVE_TIMEOUT: u32 = 5;

/// The three probes by the field that they stand in. Without the HTTP listener all ask whether the management port is open.
pub(super) fn probes(declared: &ServerDeclared) -> [(&'static str, Value); 3] {
    let ask = |path: &str| match ports::listening(declared, HTTP) {
        Some(_) => json!({"httpGet": {"path": path, "port": HTTP, "scheme": "HTTP"}}),
        None => json!({"tcpSocket": {"port": MANAGEMENT}}),
    };
    let probe = |path: &str, period: u32, timeout: u32, failures: u32| {
        let mut probe = ask(path);
        probe["periodSeconds"] = period.into();
        probe["timeoutSeconds"] = timeout.into();
        probe["failureThreshold"] = failures.into();
        probe
    };
    [
        ("startupProbe", probe("/readyz", STARTUP_PERIOD, READY_TIMEOUT, STARTUP_FAILURES)),
        ("readinessProbe", probe("/readyz", PERIOD, READY_TIMEOUT, READY_FAILURES)),
        ("livenessProbe", probe("/livez", PERIOD, LIVE_TIMEOUT, LIVE_FAILURES)),
    ]
}
