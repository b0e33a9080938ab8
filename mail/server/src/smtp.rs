//! Drives one SMTP session (`proto/smtp`) on a connection: reads and writes for it, and answers what it asks out of
//! `mail/flow` and `mail/store`.
//!
//! `smtp/recipient.rs` answers RCPT, `smtp/message.rs` the end of a message, `smtp/full.rs` remembers what did not fit. Leaves out the protocol itself, and relaying:
//! nothing here can send mail anywhere.

pub(crate) mod full;
mod message;
pub(crate) mod recipient;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mailwright_flow::Reason;
use mailwright_flow::facts::Scanner;
use mailwright_smtp::{Answer, Ask, ForwardPath, Output, Peer, Session, Tls};
use tracing::Instrument;

use crate::config::Protocol;
use crate::connection::{Connection, TlsFacts};
use crate::context::{Context, Settings};
use crate::listener::gate::Permit;
use crate::metrics;
use crate::registry::Handle;
use crate::spool::Spool;

/// What is said to a connection over a limit (RFC 5321 §3.8).
pub(crate) fn goodbye(hostname: &str) -> Vec<u8> {
    format!("421 4.7.0 {hostname} too many connections, try again later\r\n").into_bytes()
}

/// Serves one connection until it ends.
pub(crate) async fn serve(
    context: Arc<Context>,
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    handle: Handle,
    permit: Permit,
) {
    let span = tracing::info_span!("smtp", session = handle.id(), peer = %peer.ip());
    let settings = context.settings.load_full();
    let open = metrics::connection(Protocol::Smtp);
    let session =
        Session::new(Arc::clone(&settings.smtp), Peer::new(peer.ip().to_canonical()), Instant::now());
    let connection = Connection::new(stream, settings.config.limits.write_stall);
    let driver = Driver { context, settings, session, handle, message: None, messages: 0 };
    async move {
        tracing::debug!("connected");
        match driver.run(connection).await {
            Ok(()) => tracing::debug!("closed"),
            Err(error) => tracing::debug!(%error, "connection lost"),
        }
    }
    .instrument(span)
    .await;
    drop((open, permit));
}

/// One session with what it has in hand.
struct Driver {
    context: Arc<Context>,
    settings: Arc<Settings>,
    session: Session,
    handle: Handle,
    message: Option<Incoming>,
    /// Messages begun in this session, for their identifiers.
    messages: u32,
}

/// A message that is coming in, behind the trace fields it will be stored with.
struct Incoming {
    id: String,
    recipients: Vec<ForwardPath>,
    scanner: Scanner,
    spool: Spool,
    /// The disk refused a piece: the rest is read and dropped, the end is answered with this.
    failed: Option<Reason>,
}

impl Driver {
    async fn run(mut self, mut connection: Connection) -> io::Result<()> {
        loop {
            match self.session.poll() {
                Output::Send(bytes) => connection.write(&bytes).await?,
                Output::Ask(ask) => {
                    let answer = self.answer(ask).await;
                    self.session.answer(Instant::now(), answer);
                }
                Output::Body(piece) => self.body(&piece).await,
                Output::Discard => self.message = None,
                Output::StartTls => self.start_tls(&mut connection).await?,
                Output::Wait { deadline } => self.wait(&mut connection, deadline).await?,
                Output::Close => {
                    connection.close().await;
                    return Ok(());
                }
            }
        }
    }

    /// Waits for input, the deadline, or the order to end.
    async fn wait(&mut self, connection: &mut Connection, deadline: Instant) -> io::Result<()> {
        let session = &mut self.session;
        let wants_input = session.wants_input();
        tokio::select! {
            read = connection.read(|bytes| session.input(Instant::now(), bytes)), if wants_input => {
                if read? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            () = tokio::time::sleep_until(deadline.into()) => self.session.timeout(Instant::now()),
            () = self.handle.end() => self.session.shutdown(Instant::now()),
        }
        Ok(())
    }

    async fn start_tls(&mut self, connection: &mut Connection) -> io::Result<()> {
        let limit = self.settings.config.limits.handshake;
        let TlsFacts { version, cipher, server_name, .. } =
            connection.start_tls(self.context.tls.acceptor(), limit).await?;
        self.handle.set_tls();
        self.session.tls_started(Instant::now(), Tls { version, cipher, server_name });
        Ok(())
    }

    async fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Mail { .. } => self.mail(),
            Ask::Rcpt { forward_path, .. } => self.rcpt(&forward_path).await,
            Ask::Data => self.begin_message().await,
            Ask::Message { .. } => self.end_message().await,
            Ask::Auth { .. } | Ask::AuthResponse(_) => Answer::Reject(Reason::Internal.reply()),
        }
    }

    /// MAIL: without room for a message the client learns it before it sends one (RFC 5321 §4.1.1.2, 452).
    fn mail(&mut self) -> Answer {
        self.message = None;
        if self.context.store.has_space(0) {
            return Answer::Accept;
        }
        tracing::error!("no room for mail on the disk; free some space");
        metrics::message_rejected(Reason::NoSpace.code());
        Answer::Reject(Reason::NoSpace.reply())
    }

    /// One piece of the message. A disk that refuses it is reported at the end, where the protocol has a reply for it.
    async fn body(&mut self, piece: &[u8]) {
        let Some(message) = &mut self.message else { return };
        message.scanner.push(piece);
        if message.failed.is_some() {
            return;
        }
        let pushed = match self.context.store.has_space(piece.len() as u64) {
            true => message.spool.push(piece).await,
            false => Err(io::ErrorKind::StorageFull.into()),
        };
        if let Err(error) = pushed {
            tracing::error!(id = message.id, %error, "cannot spool a message");
            message.failed = Some(Reason::NoSpace);
            message.spool = Spool::new(&self.context.temporary);
        }
    }
}

#[cfg(test)]
mod tests;
