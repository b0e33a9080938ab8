//! The next hop of what is submitted: an SMTP server that counts messages and forgets them, the same for both servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A running sink.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    messages: AtomicUsize,
    signed: AtomicUsize,
}

impl Sink {
    /// Listens on a free port until the runtime ends.
    pub async fn start() -> Result<Sink> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let sink = Sink { address: listener.local_addr()?, counts: Arc::default() };
        let counts = Arc::clone(&sink.counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&counts)));
            }
        });
        Ok(sink)
    }

    /// Messages that were acknowledged.
    pub fn messages(&self) -> usize {
        self.counts.messages.load(Ordering::SeqCst)
    }

    /// Those of them with a DKIM signature by rsa-sha256.
    pub fn signed(&self) -> usize {
        self.counts.signed.load(Ordering::SeqCst)
    }
}

async fn serve(stream: TcpStream, counts: Arc<Counts>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    stream.write_all(b"220 sink.example.org ESMTP\r\n").await?;
    let mut line = Vec::new();
    let mut replies = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_slice() {
            b"EHLO" => {
                replies.extend_from_slice(b"250-sink.example.org\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            }
            b"DATA" => {
                replies.extend_from_slice(b"354 go on\r\n");
                stream.write_all(&replies).await?;
                replies.clear();
                take(&mut stream, &counts).await?;
                replies.extend_from_slice(b"250 2.0.0 gone\r\n");
            }
            b"QUIT" => {
                replies.extend_from_slice(b"221 bye\r\n");
                return stream.write_all(&replies).await;
            }
            _ => replies.extend_from_slice(b"250 ok\r\n"),
        }
        // Pipelined commands get their replies together.
        if stream.buffer().is_empty() {
            stream.write_all(&replies).await?;
            replies.clear();
        }
    }
}

/// Reads a message to its dot and counts it.
async fn take(stream: &mut BufReader<TcpStream>, counts: &Counts) -> std::io::Result<()> {
    let (mut line, mut header, mut signed) = (Vec::new(), true, false);
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.as_slice() {
            b".\r\n" => break,
            b"\r\n" => header = false,
            line if header => signed |= line.windows(10).any(|part| part == b"rsa-sha256"),
            _ => {}
        }
    }
    counts.signed.fetch_add(usize::from(signed), Ordering::SeqCst);
    counts.messages.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::smtp::Smtp;
    use crate::wire::Endpoint;

    #[tokio::test]
    async fn messages_and_signatures_are_counted() {
        let sink = Sink::start().await.unwrap();
        let mut client = Smtp::connect(Endpoint { port: sink.address.port(), tls: false }).await.unwrap();
        client.send("a@example.org", "b@example.org", b"Subject: x\r\n\r\nrsa-sha256\r\n").await.unwrap();
        let signed = b"DKIM-Signature: v=1; a=rsa-sha256;\r\n\r\ntext\r\n";
        client.send("a@example.org", "b@example.org", signed).await.unwrap();
        client.quit().await.unwrap();
        assert_eq!((sink.messages(), sink.signed()), (2, 1));
    }
}
