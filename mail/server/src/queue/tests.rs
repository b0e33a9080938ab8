//! The runner on real sockets and a real store: peers that behave, that fail in every state, and that come back.

mod kill;
mod names;
mod peer;
mod postfix;
mod programs;
mod reports;
mod server;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mailwright_smtp::client::Timeouts;
use mailwright_store::{
    Need, Options, Outgoing, OutgoingRecipient, QueueEntry, QueueFilter, QueueState, Store,
};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

pub(super) use self::peer::{Behaviour, Peer};
use super::internet::Internet;
use super::net::Security;
use super::runner::{RelayHost, Runner, RunnerSettings};
use super::tls::ClientTls;
use crate::config::ServerConfig;
use crate::tests::{HOSTNAME, accounts, apply};

/// The time at which every test begins.
pub(super) const BEGIN: i64 = 1_800_000_000;

/// A store with a runner whose smarthost is a scripted peer, and a clock that the test moves.
pub(super) struct Bench {
    pub(super) store: Arc<Store>,
    pub(super) runner: Runner<Internet>,
    /// Instead of it, one that asks DNS.
    runner_by_dns: Option<Runner<Internet>>,
    clock: Arc<AtomicI64>,
    _directory: TempDir,
}

impl Bench {
    /// Towards this peer.
    pub(super) async fn new(peer: &Peer) -> Bench {
        Bench::with(peer, Security::Opportunistic, |_| {}).await
    }

    pub(super) async fn with(
        peer: &Peer,
        security: Security,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Bench {
        let patience = if peer.stalls { impatient() } else { Timeouts::default() };
        Bench::at((&peer.host, peer.address.port()), peer.roots(), security, patience, change).await
    }

    /// Towards this smarthost, trusting these roots.
    pub(super) async fn at(
        (host, port): (&str, u16),
        roots: Vec<CertificateDer<'static>>,
        security: Security,
        patience: Timeouts,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Bench {
        let clock = Arc::new(AtomicI64::new(BEGIN));
        let read = Arc::clone(&clock);
        let read: mailwright_store::Clock = Arc::new(move || read.load(Ordering::SeqCst));
        let directory = tempfile::tempdir().unwrap();
        let options = Options { clock: Arc::clone(&read), ..Options::default() };
        let store = Arc::new(Store::open(directory.path(), options).await.unwrap());
        apply(&store, accounts()).await;
        let mut config = ServerConfig::new(HOSTNAME);
        change(&mut config);
        let net = Internet::for_test(&config, ClientTls::trusting(roots), patience);
        let relay = RelayHost { host: host.to_owned(), port, security };
        let settings = RunnerSettings {
            hostname: HOSTNAME.to_owned(),
            ours: Default::default(),
            relay: Some(relay),
            remote_port: 25,
            policy: Default::default(),
            per_destination: 4,
            connections: 10,
            keep: Duration::from_millis(50),
        };
        let runner = Runner::new(Arc::clone(&store), net, settings, read, 7);
        Bench { store, runner, runner_by_dns: None, clock, _directory: directory }
    }

    /// Queues a message of alice to these.
    pub(super) async fn queue(&self, id: &str, recipients: &[&str]) {
        self.queue_as(id, |outgoing| {
            outgoing.recipients = recipients
                .iter()
                .map(|address| OutgoingRecipient { address: (*address).to_owned(), ..Default::default() })
                .collect();
        })
        .await;
    }

    pub(super) async fn queue_as(&self, id: &str, change: impl FnOnce(&mut Outgoing)) {
        let now = self.clock.load(Ordering::SeqCst);
        let text =
            format!("Message-ID: <{id}@example.test>\r\nSubject: hello\r\n\r\n.dots\r\n..\r\nbody\r\n");
        let recipient = OutgoingRecipient { address: "bob@example.net".into(), ..Default::default() };
        let mut outgoing = Outgoing {
            id: id.to_owned(),
            reverse_path: "alice@example.test".to_owned(),
            recipients: vec![recipient],
            ret: None,
            envelope_id: None,
            smtputf8: false,
            eight_bit: false,
            submitted_by: None,
            raw: text.into_bytes().into(),
            next_attempt: now,
            expires: now + 5 * 86400,
        };
        change(&mut outgoing);
        self.store.queue().enqueue(outgoing).await.unwrap();
    }

    /// One pass at the present time.
    pub(super) async fn pass(&self) {
        let runner = self.runner_by_dns.as_ref().unwrap_or(&self.runner);
        tokio::time::timeout(Duration::from_secs(120), runner.pass()).await.unwrap();
    }

    /// Moves the clock.
    pub(super) fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(super) async fn entries(&self) -> Vec<QueueEntry> {
        self.store.queue().list(&QueueFilter::default()).await.unwrap()
    }

    /// `state attempts reply` of each recipient.
    pub(super) async fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for entry in self.entries().await {
            for recipient in entry.recipients {
                let reply = recipient.last_reply.unwrap_or_default();
                rows.push(format!(
                    "{} {} {} {reply}",
                    recipient.address,
                    QueueState::name(recipient.state),
                    recipient.attempts
                ));
            }
        }
        rows
    }

    /// The messages in alice's INBOX.
    pub(super) async fn inbox(&self) -> Vec<String> {
        let found = self.store.accounts().lookup_recipient("alice@example.test").await.unwrap();
        let mailwright_store::Recipient::Mailbox { account, .. } = found else { panic!("{found:?}") };
        let mail = self.store.mail();
        let folder = mail.select(account, "INBOX", false).await.unwrap();
        let uids: Vec<u32> = folder.rows.iter().map(|row| row.uid).collect();
        let fetched = mail.fetch(folder.folder, &uids, Need { raw: true, ..Need::default() }).await.unwrap();
        let text = |message: mailwright_store::Message| {
            String::from_utf8_lossy(&message.raw.unwrap_or_default()).into_owned()
        };
        fetched.messages.into_iter().map(text).collect()
    }
}

/// Patience of milliseconds, so that a peer that stalls costs a test nothing.
fn impatient() -> Timeouts {
    let short = Duration::from_millis(300);
    Timeouts {
        greeting: short,
        mail: short,
        rcpt: short,
        data: short,
        block: short,
        end: short,
        handshake: short,
        idle: Duration::from_secs(60),
        quit: short,
    }
}
