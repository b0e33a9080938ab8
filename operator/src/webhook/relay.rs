//! Hands on a webhook that arrived at a replica which looks at no repository, to the one that does: a forge sends once, and a Service
//! knows nothing of who leads. The request is not judged here, so nobody learns from it which paths exist.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a request says that was handed on already: it is not handed on again.
pub(super) const RELAYED: HeaderName = HeaderName::from_static("x-mailwright-relayed");
/// From connecting to the answer: within what forges wait for one, which is ten seconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers are a line.
const MAX_ANSWER: usize = 1024;
/// What belongs to a connection and not to the request.
const OF_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The answer of the one at `to`; `None` when there is none in time.
pub(super) async fn relay(to: SocketAddr, head: &Parts, body: Bytes) -> Option<(StatusCode, String)> {
    match timeout(PATIENCE, send(to, head, body)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(%to, %error, "a webhook could not be handed on to the replica that leads");
            None
        }
        Err(_) => {
            tracing::warn!(%to, "the replica that leads did not answer a webhook that was handed on");
            None
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn send(to: SocketAddr, head: &Parts, body: Bytes) -> Result<(StatusCode, String), Failure> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(to).await?)).await?;
    let answered = async {
        let answer = sender.send_request(request(to, head, body)?).await?;
        let status = answer.status();
        let text = to_bytes(Body::new(answer.into_body()), MAX_ANSWER).await?;
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    };
    tokio::pin!(answered);
    tokio::select! {
        answer = &mut answered => answer,
        // The other side may close before the answer was read to its end.
        ended = connection => {
            ended?;
            answered.await
        }
    }
}

fn request(to: SocketAddr, head: &Parts, body: Bytes) -> Result<Request<Body>, http::Error> {
    let mut request = Request::builder().method(Method::POST).uri(head.uri.path());
    for (name, value) in head.headers.iter().filter(|(name, _)| !OF_CONNECTION.contains(name)) {
        request = request.header(name, value);
    }
    request
        .header(header::HOST, to.to_string())
        .header(header::CONTENT_LENGTH, body.len())
        .header(RELAYED, HeaderValue::from_static("1"))
        .body(Body::from(body))
}
