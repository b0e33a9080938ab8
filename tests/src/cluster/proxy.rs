//! A door in front of the API server that treats some requests badly: refuses, loses, delays, repeats, and shows old states.
//!
//! Owns carrying requests and doing what a [`Rule`] says. Which ones it hits is decided in `rule`, what becomes of a watch in
//! `events`. Clients log in by token: a certificate ends at the door, so who shows none is taken for the admin.

mod events;
mod rule;
mod upstream;

pub use rule::{Asked, Fault, Rule, WRITES};

use super::{ControlPlane, Kubeconfig};
use events::{Events, Step};
use futures::SinkExt as _;
use futures::channel::mpsc;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rule::Rules;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use upstream::Upstream;

/// A running proxy; it ends with this value.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    dir: PathBuf,
    _runtime: Runtime,
}

struct Shared {
    rules: Mutex<Rules>,
    injected: Mutex<BTreeMap<String, usize>>,
    asked: Mutex<Vec<Asked>>,
    cut: Notify,
    kept: AtomicUsize,
    /// The first state that was seen of each collection: lists by path, and initial states of watches with their version.
    first_lists: Mutex<BTreeMap<String, Bytes>>,
    first_states: Mutex<BTreeMap<String, (Vec<Bytes>, String)>>,
    upstream: Upstream,
}

type Answer = Response<http_body_util::combinators::BoxBody<Bytes, io::Error>>;

impl Proxy {
    /// One in front of `plane`, without rules; its decisions follow from `seed`.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(plane: &ControlPlane, seed: u64) -> Proxy {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let upstream = Upstream::new(plane);
        let acceptor = upstream::acceptor(plane);
        let shared = Arc::new(Shared {
            rules: Mutex::new(Rules::new(seed)),
            injected: Mutex::default(),
            asked: Mutex::default(),
            cut: Notify::new(),
            kept: AtomicUsize::new(0),
            first_lists: Mutex::default(),
            first_states: Mutex::default(),
            upstream,
        });
        let listener = runtime.block_on(TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))));
        let listener = listener.expect("a port on loopback");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        runtime.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Proxy { shared, port, dir: plane.dir().to_path_buf(), _runtime: runtime }
    }

    /// The same person as in `config`, through this door.
    pub fn kubeconfig(&self, config: &Kubeconfig) -> Kubeconfig {
        let name = config.path().file_name().and_then(|name| name.to_str()).unwrap_or("kubeconfig");
        let path = self.dir.join(format!("proxy-{}-{name}", self.port));
        config.through(&format!("https://127.0.0.1:{}", self.port), &path)
    }

    /// From now on, after the rules that are there.
    pub fn add(&self, rule: Rule) {
        lock(&self.shared.rules).add(rule);
    }

    /// From now on everything is passed on; watches that are open keep their fault.
    pub fn clear(&self) {
        lock(&self.shared.rules).clear();
    }

    /// Closes every connection that is open now, watches too.
    pub fn cut(&self) {
        self.shared.cut.notify_waiters();
    }

    /// How many answers came and were kept, of requests that took effect.
    pub fn kept(&self) -> usize {
        self.shared.kept.load(Ordering::Relaxed)
    }

    /// Every request so far, whatever became of it.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// How often each fault happened, by its name.
    pub fn injected(&self) -> BTreeMap<String, usize> {
        lock(&self.shared.injected).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let answering = Arc::clone(&shared);
            let service = service_fn(move |request| answer(Arc::clone(&answering), request));
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A connection that a rule cuts ends with an error, as it should.
                _ = serving => (),
                () = shared.cut.notified() => (),
            }
        });
    }
}

/// Answers one request; an error closes the connection.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Answer> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let uri = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let asked = Asked::new(parts.method.as_str(), &uri);
    lock(&shared.asked).push(asked.clone());
    let fault = lock(&shared.rules).verdict(&asked);
    if let Some(fault) = fault {
        let name = format!("{fault:?}").split('(').next().unwrap_or_default().to_owned();
        *lock(&shared.injected).entry(name).or_default() += 1;
    }
    match fault {
        Some(Fault::Refuse(code)) => return Ok(refusal(code, None)),
        Some(Fault::TooMany(seconds)) => return Ok(refusal(429, Some(seconds))),
        Some(Fault::UnknownField) => return Ok(unknown_field()),
        Some(Fault::Drop) => return Err(io::Error::other("dropped")),
        Some(Fault::Silence(time)) => {
            tokio::time::sleep(time).await;
            return Err(io::Error::other("silence"));
        }
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        _ => (),
    }
    let ask = Ask { method: parts.method, uri, headers: parts.headers, body };
    let late = match fault {
        Some(Fault::StaleState) => Some(Duration::ZERO),
        Some(Fault::StaleFor(late)) => Some(late),
        _ => None,
    };
    if let Some(late) = late
        && let Some(stale) = stale(&shared, &asked, &ask, late).await?
    {
        return Ok(stale);
    }
    let response = shared.upstream.send(&ask).await?;
    if let Some(Fault::KeepAnswer(time)) = fault {
        shared.kept.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(time).await;
        return Err(io::Error::other("the answer is kept"));
    }
    match asked.verb {
        _ if fault == Some(Fault::LoseAnswer) => Err(io::Error::other("the answer is lost")),
        "watch" if response.status().is_success() => Ok(watch(shared, &ask, response, fault)),
        "list" if response.status().is_success() => {
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
            lock(&shared.first_lists).entry(collection(&ask.uri)).or_insert_with(|| bytes.clone());
            Ok(Response::from_parts(parts, whole(bytes)))
        }
        _ => Ok(response.map(|body| body.map_err(io::Error::other).boxed())),
    }
}

/// A request that may be sent again.
#[derive(Clone)]
struct Ask {
    method: Method,
    uri: String,
    headers: http::HeaderMap,
    body: Bytes,
}

/// What a collection is known by: its path, whatever the query says of versions and limits.
fn collection(uri: &str) -> String {
    uri.split('?').next().unwrap_or(uri).to_owned()
}

/// The first state that was seen of a collection, where one was; what happened since comes by the watch from there on.
async fn stale(shared: &Arc<Shared>, asked: &Asked, ask: &Ask, late: Duration) -> io::Result<Option<Answer>> {
    let key = collection(&ask.uri);
    if asked.verb == "list" {
        let first = lock(&shared.first_lists).get(&key).cloned();
        return Ok(first.map(|bytes| json_answer(200, whole(bytes))));
    }
    let first = lock(&shared.first_states).get(&key).cloned();
    let (true, Some((lines, version))) = (ask.uri.contains("sendInitialEvents=true"), first) else {
        return Ok(None);
    };
    let since = format!("{key}?watch=true&allowWatchBookmarks=true&resourceVersion={version}");
    let response = shared.upstream.send(&Ask { uri: since, ..ask.clone() }).await?;
    if !response.status().is_success() {
        return Ok(None);
    }
    let (mut sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        for line in lines {
            if sender.send(Ok(Frame::data(line))).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(late).await;
        carry(response.into_body(), sender, Events::new(None), |_| ()).await;
    });
    Ok(Some(json_answer(200, StreamBody::new(receiver).boxed())))
}

fn watch(shared: Arc<Shared>, ask: &Ask, response: Response<Incoming>, fault: Option<Fault>) -> Answer {
    let (parts, body) = response.into_parts();
    let (sender, receiver) = mpsc::channel(16);
    let key = collection(&ask.uri);
    let mut initial = ask.uri.contains("sendInitialEvents=true").then(Vec::new);
    tokio::spawn(carry(body, sender, Events::new(fault), move |line: &[u8]| {
        let Some(lines) = initial.as_mut() else { return };
        lines.push(Bytes::copy_from_slice(line));
        if let Some(version) = events::initial_end(line) {
            let lines = initial.take().unwrap_or_default();
            lock(&shared.first_states).entry(key.clone()).or_insert((lines, version));
        }
    }));
    Response::from_parts(parts, StreamBody::new(receiver).boxed())
}

/// Carries a watch line by line, each through `events`, `see` being told of it first.
async fn carry(
    mut body: Incoming,
    mut sender: mpsc::Sender<io::Result<Frame<Bytes>>>,
    mut events: Events,
    mut see: impl FnMut(&[u8]),
) {
    let mut pending = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        pending.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            see(&line);
            for step in events.line(&line) {
                match step {
                    Step::Wait(time) => tokio::time::sleep(time).await,
                    Step::End => return,
                    Step::Send(line) => {
                        if sender.send(Ok(Frame::data(line.into()))).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }
}

fn whole(bytes: Bytes) -> http_body_util::combinators::BoxBody<Bytes, io::Error> {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn json_answer(code: u16, body: http_body_util::combinators::BoxBody<Bytes, io::Error>) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

fn unknown_field() -> Answer {
    let message = "failed to create typed patch object: .status.tomorrow: field not declared in schema";
    json_answer(500, whole(events::status(500, "InternalError", message).to_string().into()))
}

fn refusal(code: u16, retry_after: Option<u64>) -> Answer {
    let (reason, message) = match code {
        409 => ("Conflict", "the object has been modified"),
        422 => ("Invalid", "the object is invalid"),
        429 => ("TooManyRequests", "the server is busy"),
        410 => ("Expired", "too old resource version"),
        504 => ("Timeout", "the server did not answer in time"),
        _ => ("InternalError", "an internal error occurred"),
    };
    let mut response = json_answer(code, whole(events::status(code, reason, message).to_string().into()));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", http::HeaderValue::from(seconds));
    }
    response
}
