//! A scripted SMTP server: it behaves, or fails in one way at one place, and remembers what it took.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::config::Certificate;
use crate::tests::{HOSTNAME, certificate};
use crate::tls::{CertificateSet, TlsSettings};

/// What a peer does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviour {
    /// At this command (`greeting`, `ehlo`, `mail`, `rcpt`, `data`, `.`) …
    pub(crate) at: &'static str,
    /// … it says this instead: `stall`, `drop`, or the line itself.
    pub(crate) instead: &'static str,
    /// So often; 0 is always.
    pub(crate) times: usize,
    /// It offers STARTTLS: `good`, or `broken`.
    pub(crate) tls: &'static str,
    /// It wants AUTH and takes this password.
    pub(crate) password: Option<&'static str>,
    /// It offers DSN.
    pub(crate) dsn: bool,
}

/// A running peer.
pub(crate) struct Peer {
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
    /// It stalls somewhere: whoever talks to it needs little patience.
    pub(crate) stalls: bool,
    certificate: Certificate,
    seen: Arc<Mutex<Seen>>,
}

/// What it saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    /// Every command line, in order, of all connections.
    pub(crate) commands: Vec<String>,
    /// The messages that it answered 250.
    pub(crate) messages: Vec<String>,
    /// The connection of each of them.
    pub(crate) on: Vec<usize>,
    /// Commands came encrypted.
    pub(crate) encrypted: bool,
    failed: usize,
}

impl Peer {
    pub(crate) async fn start(behaviour: Behaviour) -> Peer {
        Peer::start_at("127.0.0.1:0", behaviour).await
    }

    pub(crate) async fn start_at(address: &str, behaviour: Behaviour) -> Peer {
        let listener = TcpListener::bind(address).await.unwrap();
        let stalls = behaviour.instead == "stall";
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let certificate = certificate(&[HOSTNAME, "127.0.0.1"]);
        let tls = TlsSettings::new().unwrap();
        tls.replace(CertificateSet::parse(std::slice::from_ref(&certificate)).ok().flatten());
        let (tls, shared) = (Arc::new(tls), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = {
                    let mut seen = shared.lock().unwrap();
                    seen.connections += 1;
                    seen.connections
                };
                let session = Session { number, behaviour: behaviour.clone(), seen: Arc::clone(&shared) };
                tokio::spawn(session.serve(stream, Arc::clone(&tls)));
            }
        });
        Peer { host: "localhost".to_owned(), address, stalls, certificate, seen }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its certificate as a root.
    pub(crate) fn roots(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.certificate.chain_pem.as_bytes()).unwrap()]
    }
}

struct Session {
    number: usize,
    behaviour: Behaviour,
    seen: Arc<Mutex<Seen>>,
}

/// How a session goes on after a line.
enum Turn {
    Said,
    StartTls,
    Over,
}

impl Session {
    async fn serve(self, stream: TcpStream, tls: Arc<TlsSettings>) {
        let mut stream = BufReader::new(stream);
        if !self.say(&mut stream, "greeting", "220 peer.example.net ESMTP\r\n").await {
            return;
        }
        if let Turn::StartTls = self.talk(&mut stream, false).await {
            match self.behaviour.tls {
                "broken" => drop(stream.write_all(b"this is not TLS\r\n").await),
                _ => {
                    let Ok(stream) = tls.acceptor().accept(stream.into_inner()).await else { return };
                    self.seen.lock().unwrap().encrypted = true;
                    self.talk(&mut BufReader::new(stream), true).await;
                }
            }
        }
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        encrypted: bool,
    ) -> Turn {
        let mut line = String::new();
        loop {
            line.clear();
            match stream.read_line(&mut line).await {
                Ok(0) | Err(_) => return Turn::Over,
                Ok(_) => {}
            }
            let command = line.trim_end().to_owned();
            self.seen.lock().unwrap().commands.push(command.clone());
            match self.command(stream, &command, encrypted).await {
                Turn::Said => {}
                over => return over,
            }
        }
    }

    async fn command<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        command: &str,
        encrypted: bool,
    ) -> Turn {
        let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_lowercase();
        let reply = match verb.as_str() {
            "ehlo" => self.extensions(encrypted),
            "starttls" => {
                let _ = stream.write_all(b"220 2.0.0 go ahead\r\n").await;
                return Turn::StartTls;
            }
            "auth" => self.auth(command).to_owned(),
            "data" => {
                if !self.say(stream, "data", "354 go ahead\r\n").await {
                    return Turn::Over;
                }
                return self.text(stream).await;
            }
            "quit" => {
                let _ = stream.write_all(b"221 2.0.0 bye\r\n").await;
                return Turn::Over;
            }
            _ => "250 2.0.0 ok\r\n".to_owned(),
        };
        if self.say(stream, &verb, &reply).await { Turn::Said } else { Turn::Over }
    }

    fn extensions(&self, encrypted: bool) -> String {
        let mut lines = vec!["250-peer.example.net".to_owned(), "250-PIPELINING".to_owned()];
        if !self.behaviour.tls.is_empty() && !encrypted {
            lines.push("250-STARTTLS".to_owned());
        }
        if self.behaviour.password.is_some() && encrypted {
            lines.push("250-AUTH PLAIN LOGIN".to_owned());
        }
        if self.behaviour.dsn {
            lines.push("250-DSN".to_owned());
        }
        lines.push("250 8BITMIME\r\n".to_owned());
        lines.join("\r\n")
    }

    fn auth(&self, command: &str) -> &'static str {
        use base64::Engine as _;
        let plain = format!("\0relay\0{}", self.behaviour.password.unwrap_or_default());
        let expected = base64::engine::general_purpose::STANDARD.encode(plain);
        match command.rsplit_once(' ') {
            Some((_, response)) if response == expected => "235 2.7.0 welcome\r\n",
            _ => "535 5.7.8 who are you\r\n",
        }
    }

    async fn text<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut BufReader<S>) -> Turn {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line).await {
                Ok(0) | Err(_) => return Turn::Over,
                Ok(_) if line == ".\r\n" => break,
                Ok(_) => text.push_str(line.strip_prefix('.').unwrap_or(&line)),
            }
        }
        let before = self.seen.lock().unwrap().failed;
        if !self.say(stream, ".", "250 2.0.0 queued as 1\r\n").await {
            return Turn::Over;
        }
        let mut seen = self.seen.lock().unwrap();
        // Without a recipient a pipelining client ends the text at once (RFC 2920 §3.1).
        if seen.failed == before && !text.is_empty() {
            seen.messages.push(text);
            seen.on.push(self.number);
        }
        Turn::Said
    }

    /// Says a reply, or what it does instead; false when it says nothing more.
    async fn say<S: AsyncWrite + Unpin>(&self, stream: &mut S, at: &str, reply: &str) -> bool {
        let instead = {
            let mut seen = self.seen.lock().unwrap();
            let behaviour = &self.behaviour;
            let fails = at == behaviour.at && (behaviour.times == 0 || seen.failed < behaviour.times);
            seen.failed += usize::from(fails);
            fails.then_some(behaviour.instead)
        };
        match instead {
            Some("drop") => false,
            Some("stall") => {
                tokio::time::sleep(std::time::Duration::from_secs(30)).await;
                false
            }
            Some(line) => stream.write_all(format!("{line}\r\n").as_bytes()).await.is_ok(),
            None => stream.write_all(reply.as_bytes()).await.is_ok(),
        }
    }
}
