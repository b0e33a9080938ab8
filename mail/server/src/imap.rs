//! Drives one IMAP session (`proto/imap`) on a connection: reads and writes for it, answers what it asks out of
//! `mail/store`, and tells it when the selected mailbox changed (RFC 2177, RFC 3501 §7).
//!
//! `imap/mailbox.rs` answers what concerns mailboxes, `imap/message.rs` messages, `imap/append.rs` APPEND,
//! `imap/refusal.rs` turns errors into refusals. Leaves out the protocol itself. Back-pressure: every piece of output is
//! written before the session is asked for the next, so a client that does not read holds one piece.

mod ahead;
mod append;
mod login;
mod mailbox;
mod message;
mod metadata;
mod refusal;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mailwright_imap::{Answer, Ask, Output, Peer, Refusal, Session, Tls};
use mailwright_store::{AccountId, FolderId};
use tokio::runtime::{Handle as Runtime, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tracing::Instrument;

use self::ahead::Ahead;
use self::append::Appending;
use self::login::Door;
use crate::auth::sasl::{SCRAM_SHA_256_PLUS, mechanisms};
use crate::config::Protocol;
use crate::connection::{Connection, TlsFacts};
use crate::context::{Context, Settings};
use crate::listener::gate::Permit;
use crate::metrics::{self, LoggedIn};
use crate::registry::Handle;

/// What is said to a connection over a limit (RFC 3501 §7.1.5).
pub(crate) const GOODBYE: &[u8] = b"* BYE too many connections, try again later\r\n";

/// Turns at long work (SEARCH through message texts) in this process, first come, first served: each is a step of some
/// milliseconds, and no more than two processors are kept busy by it, whatever clients ask.
static LONG_WORK: Semaphore = Semaphore::const_new(2);

/// Serves one connection until it ends.
pub(crate) async fn serve(
    context: Arc<Context>,
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    protocol: Protocol,
    handle: Handle,
    permit: Permit,
) {
    let span = tracing::info_span!("imap", session = handle.id(), peer = %peer.ip());
    let open = metrics::connection(protocol);
    async move {
        tracing::debug!("connected");
        match run(context, stream, peer, protocol, handle).await {
            Ok(()) => tracing::debug!("closed"),
            Err(error) => tracing::debug!(%error, "connection lost"),
        }
    }
    .instrument(span)
    .await;
    drop((open, permit));
}

async fn run(
    context: Arc<Context>,
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    protocol: Protocol,
    handle: Handle,
) -> io::Result<()> {
    let settings = context.settings.load_full();
    let mut connection = Connection::new(stream, settings.config.limits.write_stall);
    let mut door = None;
    let tls = match protocol {
        Protocol::Imaps => Some(shake_hands(&context, &settings, &handle, &mut connection, &mut door).await?),
        _ => None,
    };
    let session = Session::new(Arc::clone(&settings.imap), Peer { address: peer, tls }, Instant::now());
    let driver = Driver {
        context,
        settings,
        session,
        handle,
        peer,
        user: None,
        door,
        selected: None,
        appending: None,
        reading: None,
        ahead: None,
    };
    driver.run(connection).await
}

async fn shake_hands(
    context: &Context,
    settings: &Settings,
    handle: &Handle,
    connection: &mut Connection,
    door: &mut Option<Box<Door>>,
) -> io::Result<Tls> {
    let limit = settings.config.limits.handshake;
    let TlsFacts { version, cipher, bindings, .. } =
        connection.start_tls(context.tls.acceptor(), limit).await?;
    handle.set_tls();
    let channel_binding = mechanisms(Some(&bindings)).contains(&SCRAM_SHA_256_PLUS);
    door.get_or_insert_default().bindings = Some(bindings);
    Ok(Tls { version, cipher, channel_binding })
}

/// One session with what it has open.
struct Driver {
    context: Arc<Context>,
    settings: Arc<Settings>,
    session: Session,
    handle: Handle,
    peer: SocketAddr,
    user: Option<User>,
    /// Until then.
    door: Option<Box<Door>>,
    selected: Option<Selected>,
    appending: Option<Box<Appending>>,
    /// The memory of the messages that the session was given last.
    reading: Option<SemaphorePermit<'static>>,
    /// What the session will ask for next, on its way.
    ahead: Option<Box<Ahead>>,
}

/// Who is logged in.
struct User {
    account: AccountId,
    _counted: LoggedIn,
}

/// The selected mailbox and the news about it.
struct Selected {
    folder: FolderId,
    /// Whether new messages are `\Recent` here (not for EXAMINE).
    read_only: bool,
    news: watch::Receiver<u64>,
}

impl Driver {
    async fn run(mut self, mut connection: Connection) -> io::Result<()> {
        let mut long = false;
        loop {
            let output = match long {
                true => self.take_turn(&mut connection).await?,
                false => self.session.poll(),
            };
            long = output == Output::Yield;
            match output {
                Output::Yield => {}
                Output::Send(bytes) => connection.write(&bytes).await?,
                Output::Ask(ask) => {
                    let answer = self.answer(ask).await;
                    self.session.answer(Instant::now(), answer);
                }
                Output::Body(piece) => self.append_piece(&piece).await,
                Output::Discard => self.appending = None,
                Output::Compress => connection.compress(),
                Output::StartTls => {
                    let tls = shake_hands(
                        &self.context,
                        &self.settings,
                        &self.handle,
                        &mut connection,
                        &mut self.door,
                    )
                    .await?;
                    self.session.tls_started(Instant::now(), tls);
                }
                Output::Wait { deadline } => self.wait(&mut connection, deadline).await?,
                Output::Close => {
                    connection.close().await;
                    return Ok(());
                }
            }
        }
    }

    /// One more step of long work, when it is this session's turn. Others run first, and whoever hung up or was told to end
    /// gets no more turns.
    async fn take_turn(&mut self, connection: &mut Connection) -> io::Result<Output> {
        tokio::task::yield_now().await;
        let Driver { session, handle, .. } = self;
        let _turn = loop {
            let wants_input = session.wants_input();
            tokio::select! {
                biased;
                () = handle.end() => session.shutdown(Instant::now()),
                read = connection.read(|bytes| session.input(Instant::now(), bytes)), if wants_input => {
                    if read? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                turn = LONG_WORK.acquire() => break turn,
            }
        };
        Ok(apart(|| session.poll()))
    }

    /// Waits for input, news of the selected mailbox, the deadline, or the order to end.
    async fn wait(&mut self, connection: &mut Connection, deadline: Instant) -> io::Result<()> {
        // A session that waits has written what it was given.
        self.reading = None;
        self.ahead = None;
        let Driver { session, selected, handle, .. } = self;
        let wants_input = session.wants_input();
        // News come before input, so that a client that was told by another sees it with its next command.
        tokio::select! {
            biased;
            () = handle.end() => session.shutdown(Instant::now()),
            () = news(selected) => session.changed(Instant::now()),
            // A client that never stops talking does not put its deadline off.
            () = tokio::time::sleep_until(deadline.into()) => session.timeout(Instant::now()),
            read = connection.read(|bytes| session.input(Instant::now(), bytes)), if wants_input => {
                if read? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        Ok(())
    }

    async fn answer(&mut self, ask: Ask) -> Answer {
        let Some(account) = self.user.as_ref().map(|user| user.account) else {
            return match ask {
                Ask::Login { user, password } => self.login(&user, &password).await,
                Ask::Authenticate { mechanism, initial } => {
                    self.authenticate(&mechanism, initial.as_ref()).await
                }
                Ask::Respond(response) => self.respond(&response).await,
                _ => Answer::Refused(Refusal::Internal),
            };
        };
        match ask {
            Ask::Login { .. } | Ask::Authenticate { .. } | Ask::Respond(_) => {
                Answer::Refused(Refusal::Internal)
            }
            Ask::Quota => self.quota(account).await,
            Ask::Metadata { mailbox } => self.metadata(account, mailbox.as_ref()).await,
            Ask::SetMetadata { mailbox, entries } => {
                self.set_metadata(account, mailbox.as_ref(), entries).await
            }
            Ask::List => self.list(account).await,
            Ask::Subscriptions => self.subscriptions(account).await,
            Ask::Create { name, special_use } => self.create(account, &name, special_use).await,
            Ask::Delete { name } => self.delete(account, &name).await,
            Ask::Rename { from, to } => self.rename(account, &from, &to).await,
            Ask::Subscribe { name } => self.subscribe(account, &name).await,
            Ask::Unsubscribe { name } => self.unsubscribe(account, &name).await,
            Ask::Status { name } => self.status(account, &name).await,
            Ask::Select { name, read_only } => self.select(account, &name, read_only).await,
            Ask::Unselect => {
                self.selected = None;
                Answer::Done
            }
            Ask::Append(append) => self.append(account, append).await,
            Ask::AppendEnd => self.append_end(account).await,
            Ask::Sync { since } => self.sync(since).await,
            Ask::Fetch { uids, need, digest, max_bytes } => self.fetch(&uids, need, digest, max_bytes).await,
            Ask::Vanished { since } => self.vanished(since).await,
            Ask::Clock => Answer::Clock(chrono::Utc::now().timestamp()),
            Ask::Store { uids, operation, flags, keywords, unchanged_since } => {
                self.store_flags(uids, operation, flags, &keywords, unchanged_since).await
            }
            Ask::Copy { uids, target } => self.copy(&uids, &target).await,
            Ask::Move { uids, target } => self.r#move(&uids, &target).await,
            Ask::Expunge { uids } => self.expunge(uids.as_deref()).await,
        }
    }
}

/// Does what keeps a processor busy for a while apart from the threads that serve connections, where there are several.
fn apart<T>(work: impl FnOnce() -> T) -> T {
    match Runtime::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Resolves when the selected mailbox changed since the last time.
async fn news(selected: &mut Option<Selected>) {
    match selected {
        // A store that closes drops the sender: then there are no more news, and the session ends by itself.
        Some(selected) => {
            if selected.news.changed().await.is_err() {
                pending().await
            }
        }
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
