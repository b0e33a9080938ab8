//! HTTP connections under the listener's limits, with an end to patience: a connection that sends no whole request, or on
//! which nothing moves, is closed, so slow or forgotten ones cannot fill the count; so is one whose place was given to
//! another. (The HTTP library itself sets no timeout.)

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep_until};

use super::places::Place;
use crate::config::Protocol;
use crate::listener::{Admission, accept};
use crate::metrics::{OpenConnection, connection};

/// How long a connection may take.
#[derive(Clone, Copy)]
struct Patience {
    /// From its opening, or the first byte of its next request, to the answer.
    request: Duration,
    /// Without a byte.
    silence: Duration,
    /// In all.
    life: Duration,
}

const PATIENCE: Patience = Patience {
    // A request here is one packet, and nothing that is asked for takes a second.
    request: Duration::from_secs(10),
    // A scraper keeps a connection open between two scrapes at most.
    silence: Duration::from_secs(60),
    // Whatever moves on it: nobody needs one for longer.
    life: Duration::from_secs(600),
};

/// A listener that the HTTP library accepts from.
pub(super) struct Listener {
    listener: TcpListener,
    admission: Admission<Place>,
}

impl Listener {
    pub(super) fn new(listener: TcpListener, admission: Admission<Place>) -> Listener {
        Listener { listener, admission }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (stream, peer, place) = accept(&self.listener, Protocol::Http, &self.admission).await;
        (Stream::new(stream, place, PATIENCE), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that holds its place and watches the time.
pub(super) struct Stream {
    stream: TcpStream,
    patience: Patience,
    /// The end of its life.
    end: Instant,
    /// When the answer to a request must have begun; `None` between an answer and the next request.
    due: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    place: Place,
    _open: OpenConnection,
}

impl Stream {
    fn new(stream: TcpStream, place: Place, patience: Patience) -> Stream {
        let now = Instant::now();
        let mut made = Stream {
            stream,
            patience,
            end: now + patience.life,
            due: Some(now + patience.request),
            timer: Box::pin(sleep_until(now)),
            place,
            _open: connection(Protocol::Http),
        };
        made.moved(now);
        made
    }

    /// Sets the timer anew after something moved.
    fn moved(&mut self, now: Instant) {
        let next = (now + self.patience.silence).min(self.end);
        self.timer.as_mut().reset(self.due.map_or(next, |due| next.min(due)));
    }

    /// Whether the connection has to end.
    fn over(&mut self, context: &mut Context<'_>) -> Option<io::Error> {
        let lost = &mut self.place.lost;
        if lost.is_terminated() || Pin::new(lost).poll(context).is_ready() {
            return Some(io::ErrorKind::ConnectionAborted.into());
        }
        self.timer.as_mut().poll(context).is_ready().then(|| io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Also with bytes at hand: otherwise a peer that never stops sending would never be late.
        if let Some(error) = self.over(context) {
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() && buffer.filled().len() > before {
            let now = Instant::now();
            self.due = self.due.or(Some(now + self.patience.request));
            self.moved(now);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            // Nothing is written before a request is whole, or refused.
            if self.due.take().is_some() {
                self.place.answered();
            }
            self.moved(Instant::now());
            return written;
        }
        match self.over(context) {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
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
    use tokio::time::sleep;

    use super::*;
    use crate::http::places::{Places, tests::places};

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);
    const LONGEST: Patience = Patience { request: LONG, silence: LONG, life: LONG };

    async fn pair(patience: Patience) -> (Stream, TcpStream, Arc<Places>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        let places = places(1, 1, 0);
        let place = places.enter(peer.ip()).ok().unwrap();
        (Stream::new(server, place, patience), client, places)
    }

    #[tokio::test]
    async fn silence_ends_a_connection() {
        let (mut stream, mut client, _places) = pair(Patience { silence: SHORT, ..LONGEST }).await;
        client.write_all(b"GET").await.unwrap();
        let mut bytes = [0; 10];
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 3);
        assert_eq!(stream.read(&mut bytes).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn dripping_does_not_go_on_for_ever() {
        for patience in [Patience { life: SHORT, ..LONGEST }, Patience { request: SHORT, ..LONGEST }] {
            let (mut stream, mut client, _places) = pair(patience).await;
            let drip = tokio::spawn(async move {
                while client.write_all(b"x").await.is_ok() {
                    sleep(Duration::from_millis(5)).await;
                }
            });
            let mut bytes = [0; 10];
            let ended =
                tokio::time::timeout(LONG / 2, async { while stream.read(&mut bytes).await.is_ok() {} })
                    .await;
            assert!(ended.is_ok(), "the time is over");
            drop(stream);
            drip.await.unwrap();
        }
    }

    #[tokio::test]
    async fn an_answer_begins_the_wait_for_the_next_request() {
        let (mut stream, mut client, _places) = pair(Patience { request: SHORT, ..LONGEST }).await;
        let mut bytes = [0; 10];
        for _ in 0..2 {
            client.write_all(b"GET").await.unwrap();
            assert_eq!(stream.read(&mut bytes).await.unwrap(), 3);
            stream.write_all(b"200").await.unwrap();
            let idle = tokio::time::timeout(SHORT * 2, stream.read(&mut bytes)).await;
            assert!(idle.is_err(), "an answered connection may wait: {idle:?}");
        }
        client.write_all(b"GET").await.unwrap();
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 3);
        assert_eq!(stream.read(&mut bytes).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_ends_a_connection() {
        let (mut stream, _client, _places) = pair(Patience { silence: SHORT, ..LONGEST }).await;
        let flood = vec![0; 64 * 1024 * 1024];
        assert_eq!(stream.write_all(&flood).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_lost_place_ends_a_connection() {
        let (mut stream, client, places) = pair(LONGEST).await;
        let reading = tokio::spawn(async move { stream.read(&mut [0; 10]).await });
        tokio::task::yield_now().await;
        let _next = places.enter(client.local_addr().unwrap().ip()).ok().unwrap();
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
}
