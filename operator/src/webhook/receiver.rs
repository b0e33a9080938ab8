//! The receiver: repositories with their paths and tokens, and the HTTP that forges send to.
//!
//! Whoever does not have the token learns nothing: an unknown path, another method and a wrong signature get the same
//! empty 404, after the same work. Body, time, rate and memory are bounded before anything is known about the sender.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use chrono::Utc;
use http::request::Parts;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::answer::{Alone, Manner, Outcome, Turn};
use super::rate::Bucket;
use super::relay::{RELAYED, relay};
use super::replay::{Seen, marks};
use super::{Provider, Push, Token, Verdict, judge, place};
use crate::bounded::Bounded;
use crate::source::SecretValue;

/// Largest body: a push of some hundred commits. GitHub leaves out commits beyond 2,048, and nothing of them is read.
const MAX_BODY: usize = 1024 * 1024;
/// Bodies in memory at once, so at most this many times [`MAX_BODY`].
const BODIES: usize = 16;
/// How long a body may take to arrive; forges give up after ten seconds themselves.
const BODY_TIME: Duration = Duration::from_secs(10);
/// How long a connection may live, head and body and answers together.
const LIFETIME: Duration = Duration::from_secs(30);
/// Requests of anyone, before their sender is known.
const ANYONE: (u32, Duration) = (200, Duration::from_millis(20));
/// Signed requests for one repository: people do not push faster, and each may cost a fetch.
const SIGNED: (u32, Duration) = (30, Duration::from_secs(2));
/// Deliveries that wait to be looked at. When there are more, the repositories are looked at anyway.
const WAITING: usize = 256;

/// One repository that webhooks are taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What [`Delivery::repository`] will say.
    pub repository: String,
    /// Its path, made with [`super::path`].
    pub path: String,
    /// Who sends.
    pub provider: Provider,
    /// What it is signed with.
    pub token: Token,
}

/// A push that was told of by somebody who has the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The repository, as [`Hook::repository`] named it.
    pub repository: String,
    /// What was pushed.
    pub push: Push,
}

/// Takes webhooks for any number of repositories.
#[derive(Clone)]
pub struct Receiver(Arc<Inner>);

struct Inner {
    /// By the digest of the path: looking one up tells nothing about how much of it was right.
    hooks: RwLock<HashMap<[u8; 32], Arc<Known>>>,
    anyone: Mutex<Bucket>,
    bodies: Semaphore,
    tell: mpsc::Sender<Delivery>,
    /// What requests for unknown paths are checked with.
    nobody: Token,
    manner: Box<dyn Manner>,
    body_time: Duration,
}

struct Known {
    hook: Hook,
    state: Mutex<(Seen, Bucket)>,
}

impl Receiver {
    /// A receiver without repositories, and where it tells of pushes. `None` when the system gives no random bytes.
    pub fn new() -> Option<(Receiver, mpsc::Receiver<Delivery>)> {
        Receiver::of(Alone)
    }

    /// The same for a process that is one of several.
    pub fn of(manner: impl Manner) -> Option<(Receiver, mpsc::Receiver<Delivery>)> {
        let (tell, told) = mpsc::channel(WAITING);
        let mut nobody = vec![0; 32];
        aws_lc_rs::rand::fill(&mut nobody).ok()?;
        let inner = Inner {
            hooks: RwLock::default(),
            anyone: Mutex::new(Bucket::new(ANYONE.0, ANYONE.1, Instant::now())),
            bodies: Semaphore::new(BODIES),
            tell,
            nobody: Token::new(&SecretValue::new(nobody.iter().map(|byte| byte | 0x80).collect::<Vec<_>>()))?,
            manner: Box::new(manner),
            body_time: BODY_TIME,
        };
        Some((Receiver(Arc::new(inner)), told))
    }

    /// Takes exactly these repositories from now on. What was seen of those that stay as they were is still known.
    pub fn set(&self, hooks: impl IntoIterator<Item = Hook>) {
        let mut known = self.0.hooks.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *known);
        for hook in hooks {
            let digest = digest(&hook.path);
            let same = before.remove(&digest).filter(|known| known.hook == hook);
            let fresh = || {
                let bucket = Bucket::new(SIGNED.0, SIGNED.1, Instant::now());
                Arc::new(Known { hook, state: Mutex::new((Seen::default(), bucket)) })
            };
            known.insert(digest, same.unwrap_or_else(fresh));
        }
    }

    /// The route, for a listener that serves other things too.
    pub fn router(&self) -> Router {
        Router::new().route("/hook/{path}", any(answer)).with_state(self.clone())
    }

    /// Serves webhooks alone on a listener, for as long as the future is polled.
    pub async fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(Bounded::new(listener).lasting(LIFETIME), self.router()).await
    }

    fn known(&self, path: &str) -> Option<Arc<Known>> {
        let hooks = self.0.hooks.read().unwrap_or_else(PoisonError::into_inner);
        hooks.get(&digest(path)).cloned()
    }

    /// What becomes of a whole request.
    fn settle(&self, path: &str, headers: &HeaderMap, body: &[u8], now: Instant) -> Outcome {
        let known = self.known(path);
        let (provider, token) = match &known {
            Some(known) => (known.hook.provider, &known.hook.token),
            None => (Provider::GitHub, &self.0.nobody),
        };
        let verdict = judge(provider, headers, body, token, Utc::now());
        let outcome = match &known {
            Some(known) => self.decide(known, verdict, headers, body, now),
            None => Outcome::Unknown,
        };
        self.0.manner.answered(outcome, known.as_ref().map(|known| known.hook.repository.as_str()));
        outcome
    }

    /// What becomes of a request for a repository that is known.
    fn decide(
        &self,
        known: &Known,
        verdict: Verdict,
        headers: &HeaderMap,
        body: &[u8],
        now: Instant,
    ) -> Outcome {
        let repository = known.hook.repository.as_str();
        if let Verdict::Refused(refusal) = verdict {
            tracing::warn!(repository, reason = refusal.reason(), "a webhook is refused");
            return Outcome::Refused(refusal);
        }
        let mut state = known.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, bucket) = &mut *state;
        if !bucket.take(now) {
            return Outcome::Flooded;
        }
        match verdict {
            Verdict::Accepted(push) if !seen.first(&marks(known.hook.provider, headers, body, &push)) => {
                tracing::debug!(repository, delivery = push.delivery, "a webhook that was here before");
                Outcome::Repeated
            }
            Verdict::Accepted(push) => {
                tracing::info!(repository, delivery = push.delivery, references = ?push.references, "a webhook tells of a push");
                // When the queue is full, whoever reads it is about to look at everything that is in it.
                let _ = self.0.tell.try_send(Delivery { repository: repository.to_owned(), push });
                Outcome::Accepted
            }
            _ => Outcome::Understood,
        }
    }

    /// Takes the body in, within its bounds, and decides, or has it decided by who looks at repositories.
    async fn receive(&self, head: Parts, body: Body) -> (Outcome, Option<String>) {
        let announced = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if announced.is_some_and(|length| length.parse().map_or(true, |length: usize| length > MAX_BODY)) {
            return (self.count(Outcome::TooLarge), None);
        }
        let read = async {
            let _place = self.0.bodies.acquire().await;
            to_bytes(body, MAX_BODY).await
        };
        let body = match timeout(self.0.body_time, read).await {
            Err(_) => return (self.count(Outcome::TooSlow), None),
            Ok(Err(_)) => return (self.count(Outcome::TooLarge), None),
            Ok(Ok(body)) => body,
        };
        match self.0.manner.turn() {
            Turn::Ours => (self.settle(head.uri.path(), &head.headers, &body, Instant::now()), None),
            Turn::Theirs(to) if !head.headers.contains_key(RELAYED) => match relay(to, &head, body).await {
                Some((status, text)) => (self.count(Outcome::Relayed(status)), Some(text)),
                None => (self.count(Outcome::Leaderless), None),
            },
            Turn::Theirs(_) | Turn::Nobodys => (self.count(Outcome::Leaderless), None),
        }
    }

    /// Tells of an outcome that is about no repository.
    fn count(&self, outcome: Outcome) -> Outcome {
        self.0.manner.answered(outcome, None);
        outcome
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hooks = self.0.hooks.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Receiver").field("repositories", &hooks.len()).finish()
    }
}

fn digest(path: &str) -> [u8; 32] {
    Sha256::digest(path.as_bytes()).into()
}

async fn answer(State(receiver): State<Receiver>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    debug_assert!(head.uri.path().starts_with(place::PREFIX));
    let crowded = !receiver.0.anyone.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
    let (outcome, relayed) = match head.method {
        _ if crowded => (receiver.count(Outcome::Crowded), None),
        Method::POST => receiver.receive(head, body).await,
        _ => (receiver.count(Outcome::Unknown), None),
    };
    let (status, text) = outcome.answer();
    match relayed.unwrap_or_else(|| text.to_owned()) {
        text if text.is_empty() => status.into_response(),
        text => (status, text).into_response(),
    }
}

#[cfg(test)]
mod tests;
