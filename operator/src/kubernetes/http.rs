//! The operator's own HTTP listener: `/livez` and `/readyz` for the kubelet, `/metrics` for Prometheus. GET only, no body,
//! no secrets, a bounded number of connections. Leaves out what makes the process ready: whoever knows says so in [`Checks`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::interval;

use super::metrics;
use crate::bounded::Bounded;

/// What must be right before a pod counts as ready; shared by those who know.
#[derive(Debug, Clone, Default)]
pub struct Checks(Arc<Mutex<BTreeMap<&'static str, Option<String>>>>);

impl Checks {
    /// Checks of these names, none of which has been looked at.
    pub fn expecting(names: &[&'static str]) -> Checks {
        let checks = Checks::default();
        for name in names {
            checks.fails(name, "not looked at yet");
        }
        checks
    }

    /// The check is fine.
    pub fn passes(&self, name: &'static str) {
        self.set(name, None);
    }

    /// The check is not fine, for this reason, which says what to do.
    pub fn fails(&self, name: &'static str, why: &str) {
        self.set(name, Some(why.to_owned()));
    }

    fn set(&self, name: &'static str, why: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, why);
    }

    /// Whether all are fine, and a line for each.
    pub fn report(&self) -> (bool, String) {
        let checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(name, why): (&&str, &Option<String>)| match why {
            None => format!("[+] {name}: ok\n"),
            Some(why) => format!("[-] {name}: {why}\n"),
        };
        (checks.values().all(Option::is_none), checks.iter().map(line).collect())
    }
}

/// Serves for as long as the future is polled.
pub async fn serve(listener: TcpListener, checks: Checks) -> std::io::Result<()> {
    metrics::install();
    let upkeep = async {
        let mut ticks = interval(metrics::UPKEEP);
        loop {
            ticks.tick().await;
            metrics::upkeep();
        }
    };
    tokio::select! {
        served = axum::serve(Bounded::new(listener), router(checks)) => served,
        () = upkeep => Ok(()),
    }
}

fn router(checks: Checks) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(checks)
}

async fn ready(State(checks): State<Checks>) -> impl IntoResponse {
    let (ready, text) = checks.report();
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text)
}

async fn scrape() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    async fn ask(checks: &Checks, request: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, checks.clone()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        serving.abort();
        answer
    }

    #[tokio::test]
    async fn readiness_tells_what_is_missing() {
        let checks = Checks::expecting(&["definitions", "lease"]);
        let answer = ask(&checks, "GET /readyz HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        checks.passes("lease");
        checks.fails("definitions", "mailboxes.mailwright.dev is missing: helm upgrade …");
        let answer = ask(&checks, "GET /readyz HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.ends_with(
            "[-] definitions: mailboxes.mailwright.dev is missing: helm upgrade …\n[+] lease: ok\n"
        ));
        checks.passes("definitions");
        let answer = ask(&checks, "GET /readyz HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn a_process_that_answers_is_alive_whatever_is_missing() {
        let answer = ask(&Checks::expecting(&["lease"]), "GET /livez HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive\n"), "{answer}");
    }

    #[tokio::test]
    async fn nothing_else_is_answered() {
        let checks = Checks::default();
        for (request, status) in [
            ("POST /metrics HTTP/1.1", "405"),
            ("GET / HTTP/1.1", "404"),
            ("GET /debug/pprof HTTP/1.1", "404"),
            ("NONSENSE", "400"),
        ] {
            let answer = ask(&checks, request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
        }
    }

    #[tokio::test]
    async fn metrics_are_served_as_prometheus_reads_them() {
        let answer = ask(&Checks::default(), "GET /metrics HTTP/1.1").await;
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("\nmailwright_build_info{version="), "{answer}");
    }
}
