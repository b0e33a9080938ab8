//! One TCP connection, plain or encrypted: reads without a buffer of its own, writes that give up on a stalled peer, and
//! the switch to TLS.
//!
//! An idle connection holds no buffer here: each read borrows the thread's scratch space for the moment in which the
//! socket is known to be readable, and the protocol machine keeps what it needs of it.

mod deflate;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use self::deflate::Inflater;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::auth::sasl::Bindings;
use crate::tls::Acceptor;

/// Octets of one read: a full TLS record fits four times, and the kernel's default receive buffer twice.
const SCRATCH: usize = 64 * 1024;
/// How long a polite end (close_notify, FIN) may take: the connection is over either way.
const GOODBYE: Duration = Duration::from_secs(2);

thread_local! {
    static SCRATCH_SPACE: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// A connection; after a failed handshake it is closed.
pub(crate) struct Connection {
    stream: Stream,
    write_stall: Duration,
    /// The peer's input is compressed, and so is the output.
    inflater: Option<Box<Inflater>>,
}

enum Stream {
    Plain(TcpStream),
    /// Of this machine: not encrypted, and without an address.
    Local(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
    Closed,
}

/// What was negotiated, for trace fields and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFacts {
    pub(crate) version: String,
    pub(crate) cipher: String,
    pub(crate) server_name: Option<String>,
    /// For SCRAM with channel binding.
    pub(crate) bindings: Bindings,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, write_stall: Duration) -> Connection {
        Connection { stream: Stream::Plain(stream), write_stall, inflater: None }
    }

    /// From here on both directions are compressed (RFC 4978 §3).
    pub(crate) fn compress(&mut self) {
        self.inflater = Some(Box::new(Inflater::new()));
    }

    /// A connection of this machine, over a Unix socket.
    pub(crate) fn local(stream: UnixStream, write_stall: Duration) -> Connection {
        Connection { stream: Stream::Local(stream), write_stall, inflater: None }
    }

    /// Whether it is one.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.stream, Stream::Local(_))
    }

    /// Waits for bytes and hands them to `take`; 0 is the end of the stream. Nothing is lost when the future is dropped.
    pub(crate) async fn read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        if self.inflater.is_some() {
            return self.read_compressed(take).await;
        }
        poll_fn(|context| {
            SCRATCH_SPACE.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(self.stream.poll_read(context, &mut buffer))?;
                let bytes = buffer.filled();
                if !bytes.is_empty() {
                    take(bytes);
                }
                Poll::Ready(Ok(bytes.len()))
            })
        })
        .await
    }

    /// [`Connection::read`] of a compressed connection: as much as the scratch space holds, whatever it came in.
    async fn read_compressed(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        poll_fn(|context| {
            let Connection { stream, inflater: Some(inflater), .. } = self else { return Poll::Ready(Ok(0)) };
            SCRATCH_SPACE.with_borrow_mut(|scratch| {
                loop {
                    let made = inflater.pull(scratch)?;
                    if made > 0 {
                        take(&scratch[..made]);
                        return Poll::Ready(Ok(made));
                    }
                    if inflater.is_over() {
                        return Poll::Ready(Ok(0));
                    }
                    let mut buffer = ReadBuf::new(scratch);
                    ready!(stream.poll_read(context, &mut buffer))?;
                    if buffer.filled().is_empty() {
                        return Poll::Ready(Ok(0));
                    }
                    inflater.push(buffer.filled());
                }
            })
        })
        .await
    }

    /// Writes everything; a peer that takes nothing for the stall limit is an error.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.inflater {
            Some(_) => self.write_octets(&deflate::compress(bytes)?).await,
            None => self.write_octets(bytes).await,
        }
    }

    async fn write_octets(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = match &mut self.stream {
                Stream::Plain(stream) => timeout(self.write_stall, stream.write(bytes)).await??,
                Stream::Local(stream) => timeout(self.write_stall, stream.write(bytes)).await??,
                Stream::Tls(stream) => timeout(self.write_stall, stream.write(bytes)).await??,
                Stream::Closed => 0,
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
        }
        match &mut self.stream {
            // rustls may hold back a record that the socket did not take.
            Stream::Tls(stream) => timeout(self.write_stall, stream.flush()).await?,
            Stream::Plain(_) | Stream::Local(_) | Stream::Closed => Ok(()),
        }
    }

    /// Shakes hands as the server within `limit`. What the client sent in clear behind STARTTLS is not ours to use: what
    /// was read of it is the session's to drop, and what was not breaks the handshake.
    pub(crate) async fn start_tls(&mut self, acceptor: &Acceptor, limit: Duration) -> io::Result<TlsFacts> {
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Closed) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let stream = timeout(limit, acceptor.accept(stream)).await??;
        let session = stream.get_ref().1;
        let name = |known: Option<String>| known.unwrap_or_else(|| "unknown".to_owned());
        let facts = TlsFacts {
            version: name(session.protocol_version().map(|version| version_name(version).to_owned())),
            cipher: name(session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()))),
            server_name: session.server_name().map(str::to_owned),
            bindings: acceptor.bindings(session),
        };
        self.stream = Stream::Tls(Box::new(stream));
        Ok(facts)
    }

    /// Ends the connection politely; errors do not matter any more.
    pub(crate) async fn close(mut self) {
        let _ = timeout(GOODBYE, async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.shutdown().await,
                Stream::Local(stream) => stream.shutdown().await,
                Stream::Tls(stream) => stream.shutdown().await,
                Stream::Closed => Ok(()),
            }
        })
        .await;
    }
}

fn version_name(version: rustls::ProtocolVersion) -> &'static str {
    match version {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => "unknown",
    }
}

impl Stream {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Local(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            Stream::Closed => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Certificate;
    use crate::tests::{Client, HOSTNAME, certificate};
    use crate::tls::{CertificateSet, TlsSettings};

    async fn pair(write_stall: Duration) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (Connection::new(server, write_stall), client)
    }

    #[tokio::test]
    async fn bytes_go_both_ways_until_the_end() {
        let (mut server, mut client) = pair(Duration::from_secs(5)).await;
        client.write_all(b"hello").await.unwrap();
        let mut seen = Vec::new();
        assert_eq!(server.read(|bytes| seen.extend_from_slice(bytes)).await.unwrap(), 5);
        assert_eq!(seen, b"hello");
        server.write(b"world").await.unwrap();
        server.close().await;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "world");
    }

    #[tokio::test]
    async fn the_end_of_the_stream_is_zero_bytes() {
        let (mut server, client) = pair(Duration::from_secs(5)).await;
        drop(client);
        assert_eq!(server.read(|_| panic!("there is nothing")).await.unwrap(), 0);
    }

    /// A server side and a client side with the server's certificate in force.
    async fn tls_pair() -> (Connection, TcpStream, TlsSettings, Certificate) {
        let (server, client) = pair(Duration::from_secs(5)).await;
        let certificate = certificate(&[HOSTNAME]);
        let settings = TlsSettings::new().unwrap();
        settings.replace(CertificateSet::parse(std::slice::from_ref(&certificate)).ok().flatten());
        (server, client, settings, certificate)
    }

    #[tokio::test]
    async fn a_handshake_tells_what_was_negotiated() {
        let (mut server, client, settings, trusted) = tls_pair().await;
        let client = tokio::spawn(async move { Client::tls(client, &trusted, HOSTNAME).await });
        let facts = server.start_tls(settings.acceptor(), Duration::from_secs(5)).await.unwrap();
        assert_eq!((facts.version.as_str(), facts.server_name.as_deref()), ("TLSv1.3", Some(HOSTNAME)));
        assert!(facts.cipher.starts_with("TLS13_"), "{facts:?}");
        let mut client = client.await.unwrap().unwrap();
        // Both ends see the same binding, and the certificate that was shown.
        assert_eq!(facts.bindings.exporter, client.exporter());
        assert!(facts.bindings.exporter.is_some() && facts.bindings.end_point.is_some());
        let large = "0123456789\r\n".repeat(100_000);
        let sent = large.clone();
        let writer = tokio::spawn(async move {
            server.write(sent.as_bytes()).await.unwrap();
            let mut seen = 0;
            while seen < 5 {
                seen += server.read(|bytes| assert!(b"hello".ends_with(bytes) || seen == 0)).await.unwrap();
            }
            server.close().await;
        });
        for _ in 0..100_000 {
            assert_eq!(client.line().await.as_deref(), Some("0123456789"));
        }
        client.send("hello").await;
        assert_eq!(client.rest().await, "");
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn a_failed_handshake_closes() {
        for client_says in ["", "not a handshake at all\r\n"] {
            let (mut server, mut client, settings, _) = tls_pair().await;
            client.write_all(client_says.as_bytes()).await.unwrap();
            let failed = server.start_tls(settings.acceptor(), Duration::from_millis(50)).await;
            assert!(failed.is_err(), "{client_says:?}");
            assert_eq!(server.read(|_| panic!("closed")).await.unwrap(), 0);
            assert!(server.write(b"x").await.is_err());
            assert!(server.start_tls(settings.acceptor(), Duration::from_secs(1)).await.is_err());
            server.close().await;
        }
    }

    #[tokio::test]
    async fn without_a_certificate_no_handshake_succeeds() {
        let (mut server, client, settings, trusted) = tls_pair().await;
        settings.replace(None);
        let client = tokio::spawn(async move { Client::tls(client, &trusted, HOSTNAME).await.is_ok() });
        assert!(server.start_tls(settings.acceptor(), Duration::from_secs(5)).await.is_err());
        drop(server);
        assert!(!client.await.unwrap());
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (mut server, _client) = pair(Duration::from_millis(50)).await;
        let flood = vec![0; 64 * 1024 * 1024];
        let error = server.write(&flood).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn dropped_reads_lose_nothing() {
        let (mut server, mut client) = pair(Duration::from_secs(5)).await;
        let mut seen = Vec::new();
        for piece in 0..50u8 {
            let never = timeout(Duration::ZERO, server.read(|bytes| seen.extend_from_slice(bytes))).await;
            assert!(never.is_err() || never.unwrap().unwrap() > 0);
            client.write_all(&[piece]).await.unwrap();
        }
        while seen.len() < 50 {
            server.read(|bytes| seen.extend_from_slice(bytes)).await.unwrap();
        }
        assert_eq!(seen, (0..50).collect::<Vec<u8>>());
    }
}
