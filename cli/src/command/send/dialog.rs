//! The smallest SMTP client: EHLO, AUTH PLAIN, one transaction, QUIT (RFC 5321 §3, RFC 4954 §4). No pipelining, no extension.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream};

/// A server on this host answers at once, even with a slow disk.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest reply that is read: RFC 5321 §4.5.3.1.5 has 512 octets for a line.
const MAX_REPLY: usize = 64 * 1024;

/// A test message.
pub struct Letter {
    /// Sender.
    pub from: String,
    /// Recipients.
    pub to: Vec<String>,
    /// Subject.
    pub subject: String,
    /// Text.
    pub body: String,
    /// The server's name, for the Message-ID.
    pub hostname: String,
    /// When.
    pub date: DateTime<Utc>,
}

impl Letter {
    /// The message, dot-stuffed and with its final dot (RFC 5321 §4.5.2).
    pub fn data(&self) -> Result<String> {
        for value in self.to.iter().chain([&self.from, &self.subject]) {
            if value.contains(['\r', '\n']) {
                bail!("{value:?} has more than one line");
            }
        }
        let mut text = format!(
            "From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}.{}@{}>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n",
            if self.from.is_empty() { "MAILER-DAEMON" } else { &self.from },
            self.to.join(", "),
            self.subject,
            self.date.to_rfc2822(),
            self.date.timestamp_micros(),
            std::process::id(),
            self.hostname,
        );
        for line in self.body.lines() {
            if line.starts_with('.') {
                text.push('.');
            }
            text.push_str(line);
            text.push_str("\r\n");
        }
        Ok(text + ".\r\n")
    }
}

/// A connection to the server.
pub struct Dialog<S> {
    stream: BufStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialog<S> {
    /// On an open connection that has said nothing yet.
    pub fn new(stream: S) -> Dialog<S> {
        Dialog { stream: BufStream::new(stream) }
    }

    /// Sends one message; answers the reply to it. A refusal on the way is an error that quotes the reply.
    pub async fn submit(mut self, letter: &Letter, login: Option<(&str, &str)>) -> Result<String> {
        let data = letter.data()?;
        self.expect("the connection", '2').await?;
        self.say("EHLO localhost", "EHLO", '2').await?;
        if let Some((user, password)) = login {
            let response = base64(format!("\0{user}\0{password}").as_bytes());
            self.say(&format!("AUTH PLAIN {response}"), "the login", '2').await?;
        }
        let from = letter.from.trim_start_matches('<').trim_end_matches('>');
        self.say(&format!("MAIL FROM:<{from}>"), "the sender", '2').await?;
        for to in &letter.to {
            self.say(&format!("RCPT TO:<{to}>"), to, '2').await?;
        }
        self.say("DATA", "DATA", '3').await?;
        self.write(&data).await?;
        let reply = self.expect("the message", '2').await?;
        // The message is taken; how the connection ends changes nothing.
        let _ = self.say("QUIT", "QUIT", '2').await;
        Ok(reply)
    }

    async fn say(&mut self, command: &str, what: &str, class: char) -> Result<String> {
        self.write(&format!("{command}\r\n")).await?;
        self.expect(what, class).await
    }

    async fn write(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes()).await.context("the server closed the connection")?;
        self.stream.flush().await.context("the server closed the connection")
    }

    async fn expect(&mut self, what: &str, class: char) -> Result<String> {
        let reply =
            tokio::time::timeout(PATIENCE, self.reply()).await.context("the server does not answer")??;
        if !reply.starts_with(class) {
            bail!("the server refuses {what}: {reply}");
        }
        Ok(reply)
    }

    /// The last line of a reply, which has the code; earlier ones only add to it.
    async fn reply(&mut self) -> Result<String> {
        let mut read = 0;
        loop {
            let mut line = String::new();
            read += self.stream.read_line(&mut line).await.context("the server's reply is no text")?;
            if line.is_empty() {
                bail!("the server closed the connection");
            }
            if read > MAX_REPLY {
                bail!("the server's reply has no end");
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}

/// The identifier in `… accepted as ID`.
pub fn id(reply: &str) -> Option<&str> {
    reply.rsplit_once(" as ").map(|(_, id)| id)
}

/// RFC 4648 §4.
fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) as usize & 63;
            text.push(if place <= group.len() { char::from(ALPHABET[index]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "alice@example.test".into(),
            to: vec!["bob@example.org".into()],
            subject: "Hi".into(),
            body: ".\nover".into(),
            hostname: "mail.example.test".into(),
            date: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    /// A server that says its replies in turn, whatever it hears.
    async fn talk(replies: &str, login: Option<(&str, &str)>) -> (Result<String>, String) {
        let (near, mut far) = duplex(64 * 1024);
        far.write_all(replies.as_bytes()).await.unwrap();
        let outcome = Dialog::new(near).submit(&letter(), login).await;
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.unwrap();
        (outcome, heard)
    }

    #[tokio::test]
    async fn a_message_is_handed_over() {
        let replies = "220 x\r\n250-x\r\n250 SIZE\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 message accepted as a-1\r\n221 bye\r\n";
        let (reply, heard) = talk(replies, Some(("alice@example.test", "hush"))).await;
        let reply = reply.unwrap();
        assert_eq!(id(&reply), Some("a-1"));
        assert!(heard.contains("AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABodXNo\r\n"), "{heard}");
        assert!(
            heard.contains("MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"),
            "{heard}"
        );
        assert!(heard.contains("\r\n\r\n..\r\nover\r\n.\r\nQUIT\r\n"), "{heard}");
    }

    #[tokio::test]
    async fn refusals_quote_the_reply_and_no_password() {
        for (replies, expected) in [
            ("220 x\r\n250 x\r\n535 5.7.8 no\r\n", "refuses the login: 535 5.7.8 no"),
            (
                "220 x\r\n250 x\r\n235 ok\r\n250 ok\r\n550 5.7.1 no relay\r\n",
                "refuses bob@example.org: 550 5.7.1 no relay",
            ),
            ("554 busy\r\n", "refuses the connection: 554 busy"),
        ] {
            let (outcome, _) = talk(replies, Some(("alice@example.test", "hush"))).await;
            let error = format!("{:#}", outcome.unwrap_err());
            assert!(error.contains(expected) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn headers_cannot_be_smuggled_in() {
        let letter = Letter { subject: "Hi\r\nBcc: x@example.org".into(), ..letter() };
        assert!(letter.data().is_err());
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
