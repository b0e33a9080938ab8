//! `/livez`, `/readyz`, `/metrics`. Alive is "the process answers"; ready is "it can take and serve mail now". Neither is
//! ever refused to anybody: a probe that is banned restarts a healthy server.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::context::Context;
use crate::metrics;

/// How long the database may take to answer a probe; Kubernetes gives a probe one second by default.
const DATABASE_PATIENCE: Duration = Duration::from_millis(900);

/// The process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// Not draining, and the database answers.
pub(super) async fn ready(State(context): State<Arc<Context>>) -> (StatusCode, &'static str) {
    if context.registry.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match tokio::time::timeout(DATABASE_PATIENCE, context.store.accounts().change_counter()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ok\n"),
        Ok(Err(error)) => {
            tracing::error!(%error, "not ready: the database failed");
            (StatusCode::SERVICE_UNAVAILABLE, "the database failed\n")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// Prometheus' text format.
pub(super) async fn metrics(State(context): State<Arc<Context>>) -> impl IntoResponse {
    metrics::store(&context.store.stats());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render())
}
