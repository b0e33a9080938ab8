//! The HTTP listener: health for probes, metrics for Prometheus, the MTA-STS policy (RFC 8461) and the autoconfiguration
//! that mail programs look for. Everything here is public, answers GET only and takes no body.
//!
//! Leaves out TLS (a proxy in front of it offers MTA-STS its https) and the management interface, which has a socket of its
//! own.

mod autoconfig;
mod health;
pub(crate) mod places;
mod policy;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::stream::Listener;
use crate::context::Context;
use crate::listener::Admission;

/// Serves until the returned sender is dropped; open requests are finished.
pub(crate) fn serve(context: Arc<Context>, listener: TcpListener) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    let places = Arc::clone(&context.http_places);
    let admission = Admission {
        enter: Box::new(move |peer| places.enter(peer)),
        goodbye: Box::new(|| {
            b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec()
        }),
    };
    let listener = Listener::new(listener, admission);
    tokio::spawn(async move {
        let served = axum::serve(listener, router(context)).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        if let Err(error) = served.await {
            tracing::error!(%error, "the HTTP listener ended");
        }
    });
    stop
}

fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/.well-known/mta-sts.txt", get(policy::mta_sts))
        .route("/mail/config-v1.1.xml", get(autoconfig::config))
        .route("/.well-known/autoconfig/mail/config-v1.1.xml", get(autoconfig::config))
        .with_state(context)
}

/// The host a request is meant for, lower case, without its port.
fn host(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    Some(name.trim_end_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
