//! HTTP connections under the listener's limits, with an end to patience: a connection on which nothing moves is closed,
//! so slow or forgotten ones cannot fill the count. (The HTTP library itself sets no timeout.)

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};

use crate::config::Protocol;
use crate::listener::gate::Permit;
use crate::listener::{Admission, accept};
use crate::metrics::{OpenConnection, connection};

/// Time without a byte after which a connection is closed; a scraper keeps one open between two scrapes at most.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest life of a connection whatever moves on it: a request sent byte by byte ends here.
const LIFETIME: Duration = Duration::from_secs(600);

/// A listener that the HTTP library accepts from.
pub(super) struct Listener {
    listener: TcpListener,
    admission: Admission,
}

impl Listener {
    pub(super) fn new(listener: TcpListener, admission: Admission) -> Listener {
        Listener { listener, admission }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (stream, peer, permit) = accept(&self.listener, Protocol::Http, &self.admission).await;
        (Stream::new(stream, permit, PATIENCE, LIFETIME), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that holds its permit and watches the time.
pub(super) struct Stream {
    stream: TcpStream,
    patience: Duration,
    end: Instant,
    silence: Pin<Box<Sleep>>,
    _permit: Permit,
    _open: OpenConnection,
}

impl Stream {
    fn new(stream: TcpStream, permit: Permit, patience: Duration, lifetime: Duration) -> Stream {
        Stream {
            stream,
            patience,
            end: Instant::now() + lifetime,
            silence: Box::pin(sleep(patience.min(lifetime))),
            _permit: permit,
            _open: connection(Protocol::Http),
        }
    }

    /// Passes on what became of an operation, or an error when the time is up.
    fn watch<T>(&mut self, context: &mut Context<'_>, operation: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if operation.is_ready() {
            let next = (Instant::now() + self.patience).min(self.end);
            self.silence.as_mut().reset(next);
            return operation;
        }
        match self.silence.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, read)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::listener::gate::Gate;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);

    async fn pair(patience: Duration, lifetime: Duration) -> (Stream, TcpStream, Arc<Gate>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        let gate = Arc::new(Gate::default());
        let permit = gate.enter(peer.ip(), 1, 1).ok().unwrap();
        (Stream::new(server, permit, patience, lifetime), client, gate)
    }

    #[tokio::test]
    async fn silence_ends_a_connection() {
        let (mut stream, mut client, _gate) = pair(SHORT, LONG).await;
        client.write_all(b"GET").await.unwrap();
        let mut bytes = [0; 10];
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 3);
        assert_eq!(stream.read(&mut bytes).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn dripping_does_not_go_on_for_ever() {
        let (mut stream, mut client, _gate) = pair(LONG, SHORT).await;
        let drip = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        });
        let mut bytes = [0; 10];
        let ended =
            tokio::time::timeout(LONG, async { while stream.read(&mut bytes).await.is_ok() {} }).await;
        assert!(ended.is_ok(), "the lifetime is over");
        drop(stream);
        drip.await.unwrap();
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_ends_a_connection() {
        let (mut stream, _client, _gate) = pair(SHORT, LONG).await;
        let flood = vec![0; 64 * 1024 * 1024];
        assert_eq!(stream.write_all(&flood).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_permit_lives_as_long_as_the_connection() {
        let (stream, client, gate) = pair(LONG, LONG).await;
        let address = client.local_addr().unwrap().ip();
        assert!(gate.enter(address, 1, 1).is_err());
        drop(stream);
        assert!(gate.enter(address, 1, 1).is_ok());
    }
}
