//! Drives one SMTP or LMTP session (`proto/smtp`) on a connection: reads and writes for it, and answers what it asks out of
//! `mail/flow` and `mail/store`.
//!
//! `smtp/auth.rs` answers AUTH, `smtp/recipient.rs` RCPT, `smtp/message.rs` the end of a message with `smtp/route.rs` (where it
//! goes), `smtp/submit.rs` (what our own users may send) and `smtp/report.rs`; `smtp/full.rs` remembers what did not fit. Leaves
//! out the protocol itself. Mail for other hosts is taken from those who logged in, from trusted networks, and where an alias
//! or a forward of ours leads there; it leaves through the queue.

mod auth;
pub(crate) mod full;
mod message;
pub(crate) mod recipient;
mod report;
mod route;
mod submit;

pub(crate) use self::auth::mechanisms;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use mailwright_flow::Reason;
use mailwright_flow::facts::Scanner;
use mailwright_smtp::{Answer, Ask, Output, Peer, ReversePath, Session, Tls};
use tracing::Instrument;

use crate::auth::Account;
use crate::auth::sasl::{Bindings, Exchange};
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
    connection: Connection,
    peer: SocketAddr,
    protocol: Protocol,
    handle: Handle,
    permit: Permit,
) {
    let name = protocol.name();
    let span = tracing::info_span!("smtp", protocol = name, session = handle.id(), peer = %peer.ip());
    let open = metrics::connection(protocol);
    async move {
        tracing::debug!("connected");
        match begin(context, connection, peer.ip(), protocol, handle).await {
            Ok(()) => tracing::debug!("closed"),
            Err(error) => tracing::debug!(%error, "connection lost"),
        }
    }
    .instrument(span)
    .await;
    drop((open, permit));
}

async fn begin(
    context: Arc<Context>,
    mut connection: Connection,
    peer: IpAddr,
    protocol: Protocol,
    handle: Handle,
) -> io::Result<()> {
    let settings = context.settings.load_full();
    let peer = peer.to_canonical();
    let config = match protocol {
        Protocol::Submission | Protocol::Submissions => Arc::clone(&settings.submission),
        Protocol::Lmtp if connection.is_local() => Arc::clone(&settings.lmtp_local),
        Protocol::Lmtp => Arc::clone(&settings.lmtp),
        _ => Arc::clone(&settings.smtp),
    };
    let (session, bindings) = match protocol {
        Protocol::Submissions => {
            let (tls, bindings) = shake_hands(&context, &settings, &handle, &mut connection).await?;
            (Session::under_tls(config, Peer::new(peer), tls, Instant::now()), Some(bindings))
        }
        _ => (Session::new(config, Peer::new(peer), Instant::now()), None),
    };
    let trusts = |network: &ipnet::IpNet| network.contains(&peer);
    let trusted = protocol == Protocol::Smtp && settings.config.trusted_networks.iter().any(trusts);
    let mut driver = Driver {
        context,
        settings,
        session,
        handle,
        protocol,
        peer,
        trusted,
        bindings,
        exchange: None,
        account: None,
        message: None,
        messages: 0,
    };
    if driver.context.registry.is_draining() {
        // In place of the greeting.
        driver.session.shutdown(Instant::now());
    }
    driver.run(connection).await
}

async fn shake_hands(
    context: &Context,
    settings: &Settings,
    handle: &Handle,
    connection: &mut Connection,
) -> io::Result<(Tls, Bindings)> {
    let limit = settings.config.limits.handshake;
    let TlsFacts { version, cipher, server_name, bindings } =
        connection.start_tls(context.tls.acceptor(), limit).await?;
    handle.set_tls();
    Ok((Tls { version, cipher, server_name, channel_binding: bindings.is_usable() }, bindings))
}

/// One session with what it has in hand.
struct Driver {
    context: Arc<Context>,
    settings: Arc<Settings>,
    session: Session,
    handle: Handle,
    protocol: Protocol,
    peer: IpAddr,
    /// The peer is in a trusted network, on the port for other servers.
    trusted: bool,
    /// What a login can be bound to, under TLS.
    bindings: Option<Bindings>,
    /// The AUTH command in progress.
    exchange: Option<Exchange>,
    /// Who has logged in.
    account: Option<Account>,
    message: Option<Incoming>,
    /// Messages begun in this session, for their identifiers.
    messages: u32,
}

/// A message that is coming in.
struct Incoming {
    id: String,
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
        let (tls, bindings) = shake_hands(&self.context, &self.settings, &self.handle, connection).await?;
        self.bindings = Some(bindings);
        self.session.tls_started(Instant::now(), tls);
        Ok(())
    }

    async fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Auth { mechanism, initial } => self.auth(&mechanism, initial).await,
            Ask::AuthResponse(response) => self.auth_response(response).await,
            Ask::Mail { reverse_path, .. } => self.mail(&reverse_path).await,
            Ask::Rcpt { forward_path, .. } => self.rcpt(&forward_path).await,
            Ask::Data => self.begin_message(),
            Ask::Message { .. } => self.end_message().await,
        }
    }

    /// Whether mail for other hosts is taken: of those who logged in, and of trusted networks. Never by LMTP.
    fn relaying(&self) -> bool {
        self.account.is_some() || self.trusted
    }

    /// MAIL: without room for a message the client learns it before it sends one (RFC 5321 §4.1.1.2, 452).
    async fn mail(&mut self, reverse_path: &ReversePath) -> Answer {
        self.message = None;
        let permitted = match self.context.store.has_space(0) {
            true => self.may_send(reverse_path).await,
            false => {
                tracing::error!("no room for mail on the disk; free some space");
                Err(Reason::NoSpace)
            }
        };
        match permitted {
            Ok(()) => Answer::Accept,
            Err(reason) => {
                tracing::info!(from = %reverse_path, reason = reason.code(), "sender refused");
                metrics::message_rejected(reason.code());
                Answer::Reject(reason.reply())
            }
        }
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
