//! Owns the clients of the API server: one for reconciling, which counts and times every request and writes nothing any more
//! once leadership was lost, and one for the Lease, which does not wait behind other requests. Neither repeats a request by
//! itself: whoever repeats one looks again first whether it is still right.

mod fenced;
mod impersonating;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use kube_client::client::{Body, ClientBuilder};
use kube_client::{Client, Config, Error};
use tokio::sync::watch;
use tower::{BoxError, Layer, Service};

use super::lease::LeaderState;
use super::metrics;
use fenced::{Connections, Fenced};
pub use impersonating::{impersonating, user};

/// How long an answer may take to begin. A request that is lost must not hold up a worker, whoever asks.
const ANSWER: Duration = Duration::from_secs(30);

/// The same of a watch, whose beginning a server puts off until its own view is fresh. Once it has begun, the watcher itself
/// ends it when nothing comes.
const WATCH_ANSWER: Duration = Duration::from_secs(60);

/// How long connecting may take: a dead node of the control plane must not hold up a renewal.
const CONNECT: Duration = Duration::from_secs(5);

/// The client of the reconcilers. It ends with the leadership that `leader` tells of.
pub fn reconciling(config: &Config, leader: watch::Receiver<LeaderState>) -> Result<Client, Error> {
    let mut config = config.clone();
    config.connect_timeout = Some(CONNECT);
    config.default_retry = false;
    let builder = ClientBuilder::try_from((config, Connections(leader.clone())))?;
    Ok(builder.with_layer(&Counted).with_layer(&Fenced(leader)).build())
}

/// The client of the leader election.
pub fn electing(config: &Config, renew_deadline: Duration) -> Result<Client, Error> {
    let mut config = config.clone();
    config.connect_timeout = Some(CONNECT.min(renew_deadline / 3));
    config.default_retry = false;
    Ok(ClientBuilder::try_from(config)?.with_layer(&Counted).build())
}

/// Counts and times what goes to the API server.
#[derive(Debug, Clone, Copy)]
struct Counted;

impl<S> Layer<S> for Counted {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting(inner)
    }
}

#[derive(Debug, Clone)]
struct Counting<S>(S);

impl<S, B> Service<Request<Body>> for Counting<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (verb, resource) = describe(request.method(), request.uri().path(), request.uri().query());
        let start = Instant::now();
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = timely(patience(verb), answer).await;
            let code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            metrics::api_request(verb, resource, code, start.elapsed());
            answer
        })
    }
}

/// How long the answer to a request may take to begin.
fn patience(verb: &str) -> Duration {
    if verb == "watch" { WATCH_ANSWER } else { ANSWER }
}

async fn timely<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    let late = || Err(format!("the API server did not answer within {patience:?}").into());
    tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| late())
}

/// The verb and the resource of a request, as RBAC and the audit log name them; `resource` is bounded by what this
/// program asks for, and never holds a name or a namespace.
fn describe(method: &Method, path: &str, query: Option<&str>) -> (&'static str, String) {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    // /api/v1/… and /apis/<group>/<version>/…
    let rest = match segments.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => return ("get", "discovery".to_owned()),
    };
    let rest = match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() && !matches!(rest[0], "status" | "finalize") => rest,
        rest => rest,
    };
    let (resource, named) = match rest {
        [] => return ("get", "discovery".to_owned()),
        [resource] => ((*resource).to_owned(), false),
        [resource, _] => ((*resource).to_owned(), true),
        [resource, _, subresource, ..] => (format!("{resource}/{subresource}"), true),
    };
    let watch =
        query.is_some_and(|query| query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1")));
    let verb = match (method.as_str(), named, watch) {
        ("GET", _, true) => "watch",
        ("GET", true, _) => "get",
        ("GET", false, _) => "list",
        ("POST", _, _) => "create",
        ("PUT", _, _) => "update",
        ("PATCH", _, _) => "patch",
        ("DELETE", true, _) => "delete",
        ("DELETE", false, _) => "deletecollection",
        _ => "other",
    };
    (verb, resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_gets_no_answer_waits_no_longer() {
        let moment = Duration::from_millis(10);
        let error = timely(moment, std::future::pending::<Result<(), BoxError>>()).await.unwrap_err();
        assert_eq!(error.to_string(), "the API server did not answer within 10ms");
        assert_eq!(timely(moment, async { Ok(7) }).await.unwrap(), 7);
        assert_eq!([patience("get"), patience("patch"), patience("watch")], [ANSWER, ANSWER, WATCH_ANSWER]);
    }

    #[test]
    fn requests_are_named_as_rbac_names_them() {
        for (method, uri, verb, resource) in [
            ("GET", "/api/v1/namespaces/mail/secrets/alice", "get", "secrets"),
            ("GET", "/api/v1/namespaces/mail/secrets", "list", "secrets"),
            ("GET", "/api/v1/namespaces", "list", "namespaces"),
            ("GET", "/api/v1/namespaces/mail", "get", "namespaces"),
            ("GET", "/apis/mailwright.dev/v1alpha1/mailboxes?watch=true&limit=5", "watch", "mailboxes"),
            ("GET", "/apis/mailwright.dev/v1alpha1/mailboxes?limit=500", "list", "mailboxes"),
            (
                "PATCH",
                "/apis/mailwright.dev/v1alpha1/namespaces/a/mailboxes/b/status",
                "patch",
                "mailboxes/status",
            ),
            ("POST", "/apis/events.k8s.io/v1/namespaces/a/events", "create", "events"),
            ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", "update", "leases"),
            ("DELETE", "/api/v1/namespaces/a/services/b", "delete", "services"),
            ("DELETE", "/api/v1/namespaces/a/services", "deletecollection", "services"),
            ("GET", "/apis", "get", "discovery"),
            ("GET", "/apis/cert-manager.io/v1", "get", "discovery"),
            ("GET", "/version", "get", "discovery"),
        ] {
            let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
            let found = describe(&method.parse().unwrap(), path, query);
            assert_eq!(found, (verb, resource.to_owned()), "{method} {uri}");
        }
    }
}
