//! How a request gets to a server and its answer back: over the Unix socket of a data directory, or over mutual TLS. One
//! connection per request, so that a restarted server and a rotated certificate need no thought.
//!
//! HTTP/1.1 as far as these servers need it (RFC 9112 §3, §6.2): `Content-Length` both ways. A general HTTP client would be the
//! largest dependency of the CLI.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::management::port::{ManagementCertificates, ManagementTlsError, Parts};

/// Until a pod is connected to: one packet lost and sent again.
const CONNECT: Duration = Duration::from_secs(5);
/// Until hands are shaken.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A pod whose node vanished during a long request is noticed after this much silence and a few probes.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Head of an answer: our server's has 200 octets.
const MAX_HEAD: usize = 16 * 1024;

/// Where the server is.
#[derive(Debug, Clone)]
pub(super) enum Transport {
    Unix(PathBuf),
    Tls(Arc<Tls>),
}

/// A server behind mutual TLS.
#[derive(Debug)]
pub(super) struct Tls {
    address: String,
    name: ServerName<'static>,
    config: Arc<rustls::ClientConfig>,
}

/// A request.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
    /// Largest answer that is taken.
    pub(super) most: usize,
}

/// An answer, whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Transport {
    /// To `address` (`host:port`), whose certificate must be for `name`.
    pub(super) fn tls(
        address: &str,
        name: &str,
        certificates: &ManagementCertificates,
    ) -> Result<Transport, ManagementTlsError> {
        let Parts { roots, chain, key } = certificates.parts()?;
        let unusable = |error: rustls::Error| ManagementTlsError::Unusable(error.to_string());
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| ManagementTlsError::Unusable(format!("{name} is no name of a server")))?;
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Transport::Tls(Arc::new(Tls { address: address.to_owned(), name, config: Arc::new(config) })))
    }

    /// What stands for it in messages.
    pub(super) fn place(&self) -> String {
        match self {
            Transport::Unix(path) => path.display().to_string(),
            Transport::Tls(tls) => tls.address.clone(),
        }
    }

    pub(super) async fn exchange(&self, request: Request<'_>) -> io::Result<Answer> {
        match self {
            Transport::Unix(path) => talk(UnixStream::connect(path).await?, "localhost", request).await,
            Transport::Tls(tls) => {
                let stream = timeout(CONNECT, TcpStream::connect(&tls.address)).await.map_err(late)??;
                let _ = stream.set_nodelay(true);
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 2);
                let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
                let connector = TlsConnector::from(Arc::clone(&tls.config));
                let shaken = timeout(HANDSHAKE, connector.connect(tls.name.clone(), stream));
                talk(shaken.await.map_err(late)??, &tls.name.to_str(), request).await
            }
        }
    }
}

fn late(_: tokio::time::error::Elapsed) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not answer")
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    request: Request<'_>,
) -> io::Result<Answer> {
    let Request { method, path, body, most } = request;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // A server that refuses a body early answers and stops reading: its answer is worth more than our error.
    let sent = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        stream.flush().await
    };
    let sent = sent.await;
    match read(&mut stream, most).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => sent.and(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut off"))),
        Err(error) => sent.and(Err(error)),
    }
}

/// An answer of at most `most` octets; `None` when the stream ends before it is whole.
async fn read(stream: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Option<Answer>> {
    let mut bytes = Vec::new();
    let (status, head, length) = loop {
        if let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let Some((status, length)) = parse(&bytes[..head]) else { return Ok(None) };
            break (status, head + 4, length);
        }
        if bytes.len() > MAX_HEAD || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    if length > most {
        let message = format!("the answer has {length} octets, more than the {most} that are taken");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut body = bytes.split_off(head);
    while body.len() < length {
        let missing = (length - body.len()) as u64;
        if (&mut *stream).take(missing).read_to_end(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok((body.len() == length).then_some(Answer { status, body }))
}

/// Status and length of the body. A status that has no body says no length (RFC 9110 §15.3.5).
fn parse(head: &[u8]) -> Option<(u16, usize)> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    match (status, length) {
        (204, None) => Some((status, 0)),
        (status, length) => Some((status, length?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_are_taken_whole_or_not_at_all() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", Some((200, "{}"))),
            ("HTTP/1.1 404 Not Found\r\nA: b\r\nContent-Length:0\r\n\r\n", Some((404, ""))),
            ("HTTP/1.1 204 No Content\r\n\r\n", Some((204, ""))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", None),
            ("SSH-2.0\r\n\r\n", None),
            ("", None),
        ] {
            let expected = expected.map(|(status, body)| Answer { status, body: body.as_bytes().to_vec() });
            assert_eq!(read(&mut answer.as_bytes(), 100).await.unwrap(), expected, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_beyond_the_bound_is_not_read() {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n{}", "x".repeat(101));
        let error = read(&mut answer.as_bytes(), 100).await.unwrap_err();
        assert!(error.to_string().contains("more than the 100"), "{error}");
        let endless = "HTTP/1.1 200 OK\r\n".to_owned() + &"a: b\r\n".repeat(10_000);
        assert_eq!(read(&mut endless.as_bytes(), 100).await.unwrap(), None);
    }
}
