//! Right before every write to the API server: whether this process still leads. A process that was frozen for longer than its
//! lease goes on where it was, before its election has noticed; statuses, children, Secrets and events have no fence of their
//! own as the account databases have.
//!
//! A request that was let through may still wait for its connection when the process is frozen, so connections are looked at as
//! well, before each turn. What is left open are the instructions between that look and the kernel.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Method, Request, Response};
use hyper::rt::Executor;
use kube_client::client::Body;
use tokio::sync::watch;
use tower::{BoxError, Layer, Service};

use crate::kubernetes::lease::LeaderState;

/// Asked for a write by a process that led and does not lead any more.
#[derive(Debug, thiserror::Error)]
#[error("this operator led and does not lead any more: it writes nothing")]
pub struct LeadsNoMore;

/// Lets no write of a deposed leader through.
#[derive(Debug, Clone)]
pub struct Fenced(pub watch::Receiver<LeaderState>);

impl<S> Layer<S> for Fenced {
    type Service = Fencing<S>;

    fn layer(&self, inner: S) -> Fencing<S> {
        Fencing { leader: self.0.clone(), inner }
    }
}

/// A connection to the API server as it is run.
type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs connections until the process is deposed. They end then in the middle of whatever they do: the server stores nothing of half a
/// request.
#[derive(Debug, Clone)]
pub struct Connections(pub watch::Receiver<LeaderState>);

impl Executor<Connection> for Connections {
    fn execute(&self, mut connection: Connection) {
        let leader = self.0.clone();
        tokio::spawn(std::future::poll_fn(move |context| {
            if leader.borrow().is_deposed_at(Instant::now()) {
                return Poll::Ready(());
            }
            connection.as_mut().poll(context)
        }));
    }
}

#[derive(Debug, Clone)]
pub struct Fencing<S> {
    leader: watch::Receiver<LeaderState>,
    inner: S,
}

impl<S, B> Service<Request<Body>> for Fencing<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if !reads && self.leader.borrow().is_deposed_at(Instant::now()) {
            return Box::pin(std::future::ready(Err(LeadsNoMore.into())));
        }
        Box::pin(self.inner.call(request))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};
    use std::time::Duration;

    use super::*;

    /// Answers everything.
    struct Willing;

    impl Service<Request<Body>> for Willing {
        type Response = Response<()>;
        type Error = BoxError;
        type Future = Ready<Result<Response<()>, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            ready(Ok(Response::new(())))
        }
    }

    fn state(term: u64, is_leader: bool, seconds: Option<u64>) -> LeaderState {
        let start = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let until = seconds.map(|seconds| start + Duration::from_secs(seconds));
        LeaderState { term, is_leader, until, webhooks: None }
    }

    #[tokio::test]
    async fn a_connection_of_a_frozen_leader_goes_no_further() {
        for (what, leader, goes_on) in [
            ("a replica that never led", state(0, false, None), true),
            ("the leader", state(7, true, Some(120)), true),
            ("a leader that was frozen", state(7, true, Some(59)), false),
            ("one that lost the lease", state(7, false, None), false),
        ] {
            let (tell, told) = watch::channel(state(7, true, Some(120)));
            let (go, gone) = tokio::sync::oneshot::channel::<()>();
            let (done, end) = tokio::sync::oneshot::channel::<()>();
            let begun = std::sync::Arc::new(tokio::sync::Notify::new());
            let begins = std::sync::Arc::clone(&begun);
            Connections(told).execute(Box::pin(async move {
                begins.notify_one();
                gone.await.unwrap();
                done.send(()).unwrap();
            }));
            begun.notified().await;
            tell.send(leader).unwrap();
            // The other half of the request may be written, by whoever is still there to do it.
            let _ = go.send(());
            assert_eq!(end.await.is_ok(), goes_on, "{what}");
        }
    }

    #[tokio::test]
    async fn only_who_led_and_leads_no_more_is_stopped_from_writing() {
        for (what, leader, reads, writes) in [
            ("a replica that never led", state(0, false, None), true, true),
            ("the leader", state(7, true, Some(120)), true, true),
            ("a leader that was frozen", state(7, true, Some(59)), true, false),
            ("one that lost the lease", state(7, false, None), true, false),
        ] {
            let (tell, told) = watch::channel(LeaderState::default());
            let mut service = Fenced(told).layer(Willing);
            tell.send(leader).unwrap();
            for (method, expected) in [
                (Method::GET, reads),
                (Method::PATCH, writes),
                (Method::POST, writes),
                (Method::PUT, writes),
                (Method::DELETE, writes),
            ] {
                let request = Request::builder().method(&method).body(Body::empty()).unwrap();
                let answer = service.call(request).await;
                assert_eq!(answer.is_ok(), expected, "{what}: {method}");
                if let Err(error) = answer {
                    assert!(error.is::<LeadsNoMore>(), "{what}: {error}");
                }
            }
        }
    }
}
