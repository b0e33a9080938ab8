//! IMAP, one command at a time, each answer whole.

use anyhow::{Context as _, Result, bail};

use crate::account::{PASSWORD, address};
use crate::wire::{Endpoint, Wire};

/// One session.
pub struct Imap {
    wire: Wire,
    commands: u32,
}

impl Imap {
    /// Connects and reads the greeting.
    pub async fn connect(endpoint: Endpoint) -> Result<Imap> {
        let mut wire = Wire::connect(endpoint).await?;
        let greeting = wire.line().await?;
        if !greeting.starts_with(b"* OK") {
            bail!("greeting: {}", String::from_utf8_lossy(&greeting));
        }
        Ok(Imap { wire, commands: 0 })
    }

    /// Connects and logs this account in.
    pub async fn login(endpoint: Endpoint, name: &str) -> Result<Imap> {
        let mut imap = Imap::connect(endpoint).await?;
        imap.command(&format!("LOGIN {} {PASSWORD}", address(name))).await?;
        Ok(imap)
    }

    /// Sends a command and returns everything up to its OK.
    pub async fn command(&mut self, command: &str) -> Result<Vec<u8>> {
        let tag = self.begin(command).await?;
        self.finish(&tag, command).await
    }

    /// LOGOUT, and waits for the end of the connection's last answer.
    pub async fn logout(mut self) -> Result<()> {
        self.command("LOGOUT").await.map(drop)
    }

    /// APPEND with a synchronising literal (RFC 3501 §4.3): the message is sent once the server asks for it.
    pub async fn append(&mut self, mailbox: &str, message: &[u8]) -> Result<()> {
        let tag = self.begin(&format!("APPEND {mailbox} {{{}}}", message.len())).await?;
        let go = self.wire.line().await?;
        if !go.starts_with(b"+") {
            bail!("APPEND: {}", String::from_utf8_lossy(&go));
        }
        let mut octets = Vec::with_capacity(message.len() + 2);
        octets.extend_from_slice(message);
        octets.extend_from_slice(b"\r\n");
        self.wire.send(&octets).await?;
        self.finish(&tag, "APPEND").await.map(drop)
    }

    /// Several APPENDs at once with literals that do not wait (RFC 7888 §4): for filling, not for measuring.
    pub async fn append_all(&mut self, mailbox: &str, messages: &[Vec<u8>]) -> Result<()> {
        let (mut octets, mut last) = (Vec::new(), String::new());
        for message in messages {
            last = self.next_tag();
            octets
                .extend_from_slice(format!("{last} APPEND {mailbox} {{{}+}}\r\n", message.len()).as_bytes());
            octets.extend_from_slice(message);
            octets.extend_from_slice(b"\r\n");
        }
        self.wire.send(&octets).await?;
        if !last.is_empty() {
            self.finish(&last, "APPEND").await?;
        }
        Ok(())
    }

    /// The number of messages by STATUS.
    pub async fn messages(&mut self, mailbox: &str) -> Result<usize> {
        let response = self.command(&format!("STATUS {mailbox} (MESSAGES)")).await?;
        let response = String::from_utf8_lossy(&response).into_owned();
        let number = response.split_once("(MESSAGES ").and_then(|(_, rest)| rest.split_once(')'));
        number.and_then(|(number, _)| number.parse().ok()).with_context(|| format!("STATUS: {response}"))
    }

    /// IDLE, until [`Imap::news`] or the end of the connection.
    pub async fn idle(&mut self) -> Result<()> {
        self.begin("IDLE").await?;
        let go = self.wire.line().await?;
        if go.starts_with(b"+") { Ok(()) } else { bail!("IDLE: {}", String::from_utf8_lossy(&go)) }
    }

    /// The next untagged line that ends with this.
    pub async fn news(&mut self, ending: &[u8]) -> Result<()> {
        while !self.wire.line().await?.ends_with(ending) {}
        Ok(())
    }

    fn next_tag(&mut self) -> String {
        self.commands += 1;
        format!("bench{}", self.commands)
    }

    async fn begin(&mut self, command: &str) -> Result<String> {
        let tag = self.next_tag();
        self.wire.send(format!("{tag} {command}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    async fn finish(&mut self, tag: &str, command: &str) -> Result<Vec<u8>> {
        let response = self.wire.response(tag).await.with_context(|| command.to_owned())?;
        let last = response.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        if !last[tag.len()..].starts_with(b" OK") {
            bail!("{command}: {}", String::from_utf8_lossy(last));
        }
        Ok(response)
    }
}
