//! The MTA-STS policy of a domain, by the host name it is asked under (RFC 8461 §3.2, §3.3).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::host;
use crate::context::Context;

/// `https://mta-sts.<domain>/.well-known/mta-sts.txt`.
pub(super) async fn mta_sts(State(context): State<Arc<Context>>, headers: HeaderMap) -> Response {
    let settings = context.settings.load();
    let policy = host(&headers)
        .and_then(|host| host.strip_prefix("mta-sts.").map(str::to_owned))
        .and_then(|domain| settings.config.mta_sts.get(&domain).cloned());
    match policy {
        Some(policy) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], policy).into_response(),
        None => (StatusCode::NOT_FOUND, "no MTA-STS policy for this host\n").into_response(),
    }
}
