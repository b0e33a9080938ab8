//! A client's connection: TCP or TLS, whole lines and whole responses out of one buffer.

use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, bail};
use mailwright_tests::harness;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::ports;

/// Read in one go; large answers are what some figures are about.
const CHUNK: usize = 64 * 1024;

/// Where a server listens and how it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// On 127.0.0.1.
    pub port: u16,
    /// TLS from the first byte.
    pub tls: bool,
}

/// One connection.
pub struct Wire {
    stream: Stream,
    buffer: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Connects.
    pub async fn connect(endpoint: Endpoint) -> Result<Wire> {
        let stream = TcpStream::connect(ports::at(endpoint.port)).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let stream = if endpoint.tls {
            let name = ServerName::try_from("mail.example.test")?;
            Stream::Tls(Box::new(TlsConnector::from(tls()?).connect(name, stream).await.context("TLS")?))
        } else {
            Stream::Plain(stream)
        };
        Ok(Wire { stream, buffer: Vec::new() })
    }

    /// Writes all of it.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).await?,
            Stream::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await?;
            }
        }
        Ok(())
    }

    /// The next line without its end.
    pub async fn line(&mut self) -> Result<Vec<u8>> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.buffer[looked..].iter().position(|byte| *byte == b'\n') {
                let end = looked + at;
                let line = self.buffer[..end].strip_suffix(b"\r").unwrap_or(&self.buffer[..end]).to_vec();
                self.buffer.drain(..=end);
                return Ok(line);
            }
            looked = self.buffer.len();
            self.fill().await?;
        }
    }

    /// Everything up to and with the line that begins with `tag` and a space, which must be the last that the server
    /// sends before it waits again.
    pub async fn response(&mut self, tag: &str) -> Result<Vec<u8>> {
        loop {
            if ends_with_tagged(&self.buffer, tag.as_bytes()) {
                return Ok(std::mem::take(&mut self.buffer));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        self.buffer.reserve(CHUNK);
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read_buf(&mut self.buffer).await?,
            Stream::Tls(stream) => stream.read_buf(&mut self.buffer).await?,
        };
        if read == 0 {
            bail!("the server closed the connection: {}", String::from_utf8_lossy(&self.buffer));
        }
        Ok(())
    }
}

fn ends_with_tagged(buffer: &[u8], tag: &[u8]) -> bool {
    let Some(line) = buffer.strip_suffix(b"\r\n") else { return false };
    let start = line.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    line[start..].strip_prefix(tag).is_some_and(|rest| rest.starts_with(b" "))
}

/// Every handshake is a full one, and no certificate is checked: both servers show the same self-signed one.
fn tls() -> Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let mut config = harness::tls::config()?;
    config.resumption = Resumption::disabled();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_ends_with_its_tag() {
        for (buffer, ends) in [
            ("a1 OK done\r\n", true),
            ("* 1 EXISTS\r\na1\r\n", false),
            ("* 1 EXISTS\r\na1 NO no\r\n", true),
            ("* 1 EXISTS\r\na1 OK done\r", false),
            ("* OK a1 OK\r\n", false),
            ("a12 OK done\r\n", false),
        ] {
            assert_eq!(ends_with_tagged(buffer.as_bytes(), b"a1"), ends, "{buffer:?}");
        }
    }
}
