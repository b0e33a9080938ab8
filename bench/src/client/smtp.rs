//! SMTP as PEERS of this kind are measured: EHLO once, then MAIL, RCPT, DATA, body, dot, without pipelining.

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire::{Endpoint, Wire};

/// One session.
pub struct Smtp {
    wire: Wire,
}

impl Smtp {
    /// Connects and says EHLO.
    pub async fn connect(endpoint: Endpoint) -> Result<Smtp> {
        let mut smtp = Smtp { wire: Wire::connect(endpoint).await? };
        smtp.reply(220).await?;
        smtp.command("EHLO client.example.org", 250).await?;
        Ok(smtp)
    }

    /// AUTH PLAIN with its initial response (RFC 4616 §2).
    pub async fn login(&mut self, user: &str, password: &str) -> Result<()> {
        let response = STANDARD.encode(format!("\0{user}\0{password}"));
        self.command(&format!("AUTH PLAIN {response}"), 235).await
    }

    /// One message to one recipient; `message` ends with CRLF and has no line that begins with a dot.
    pub async fn send(&mut self, from: &str, to: &str, message: &[u8]) -> Result<()> {
        self.command(&format!("MAIL FROM:<{from}>"), 250).await?;
        self.command(&format!("RCPT TO:<{to}>"), 250).await?;
        self.command("DATA", 354).await?;
        let mut body = Vec::with_capacity(message.len() + 3);
        body.extend_from_slice(message);
        body.extend_from_slice(b".\r\n");
        self.wire.send(&body).await?;
        self.reply(250).await
    }

    /// QUIT, and waits for the answer.
    pub async fn quit(mut self) -> Result<()> {
        self.command("QUIT", 221).await
    }

    async fn command(&mut self, line: &str, expected: u16) -> Result<()> {
        self.wire.send(format!("{line}\r\n").as_bytes()).await?;
        self.reply(expected).await
    }

    async fn reply(&mut self, expected: u16) -> Result<()> {
        loop {
            let line = self.wire.line().await?;
            let last = line.get(3) != Some(&b'-');
            if last && !line.starts_with(expected.to_string().as_bytes()) {
                bail!("expected {expected}, got {}", String::from_utf8_lossy(&line));
            }
            if last {
                return Ok(());
            }
        }
    }
}
