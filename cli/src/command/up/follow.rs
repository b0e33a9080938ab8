//! Following the source while the server runs: looks at it in an interval, passes over what changed, reloads the server.
//! Also passes now and then without a change, because retention periods and certificates end by themselves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use mailwright_crds::mail_server::Endpoint;
use mailwright_operator::backoff::{chance, delay};
use mailwright_operator::operator::Listening;
use mailwright_operator::platform::local::Local;
use mailwright_operator::repository::Follow;
use mailwright_operator::source::Source;
use mailwright_operator::{Operator, Pass};
use mailwright_plan::approval::Given;
use mailwright_server::{Server, ServerConfig};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

use super::preview::Previews;
use super::repository::Book;
use super::webhook::Webhooks;
use crate::args::Listen;
use crate::command::{serve, source};
use crate::connect::Connection;
use crate::report::Reporter;

/// A directory is looked at this often: an edit is in force within two seconds with time to spare.
const DIRECTORY_INTERVAL: Duration = Duration::from_millis(500);
/// A pass without a change of the source, for what only time changes.
const HOUSEKEEPING: Duration = Duration::from_secs(300);

/// Settings that could not be put in force (a port is taken) are tried again this often.
const RELOAD_AGAIN: Duration = Duration::from_secs(5);

/// The operator on its way through the revisions of a source.
pub struct Follower {
    operator: Operator<Connection, Local>,
    source: Option<Follow>,
    book: Book,
    listen: Listen,
    config: ServerConfig,
    interval: Duration,
    webhooks: Webhooks,
    previews: Previews,
    /// Approvals that came by the management interface and no pass has seen.
    approvals: Arc<Mutex<Vec<Given>>>,
    reporter: Reporter,
    /// Until the source was read once there is nothing to compare with, and nothing is touched.
    has_read: bool,
    /// The last settings could not be put in force.
    reload_failed: bool,
    /// Attempts in a row that failed for a moment only, and when the next one is due.
    failed: u32,
    due: Instant,
}

impl Follower {
    /// Follows `source` while a server runs with `config`; a Git source is looked at every `interval`, and when a webhook says so.
    pub fn new(
        operator: Operator<Connection, Local>,
        source: Follow,
        book: Book,
        config: ServerConfig,
        interval: Duration,
        webhooks: Webhooks,
        first: Option<&Pass>,
    ) -> Follower {
        let interval = match source.source() {
            Source::Directory(_) => DIRECTORY_INTERVAL,
            _ => interval,
        };
        let listen = Listen { bind: config.bind.clone(), lmtp_socket: config.lmtp_socket.clone() };
        Follower {
            operator,
            source: Some(source),
            book,
            listen,
            config,
            interval,
            webhooks,
            previews: Previews::default(),
            reporter: Reporter::after(first),
            approvals: Arc::default(),
            has_read: first.is_some(),
            reload_failed: false,
            failed: 0,
            due: Instant::now(),
        }
    }

    /// Tells previews what is in force from now on.
    pub fn tell_previews(&mut self, previews: Previews) {
        self.previews = previews;
    }

    /// Runs until a signal asks to stop.
    pub async fn run(&mut self, server: &Server) -> Result<()> {
        let asked = Arc::new(Notify::new());
        let signal = Arc::clone(&asked);
        server.management().on_reconcile(move || signal.notify_one());
        let (signal, told) = (Arc::clone(&asked), Arc::clone(&self.approvals));
        server.management().on_approve(move |given| {
            told.lock().unwrap_or_else(PoisonError::into_inner).push(given);
            signal.notify_one();
        });
        let mut stop = serve::StopSignal::new()?;
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.listening(server, None);
        self.pass(server).await;
        let mut last_pass = Instant::now();
        loop {
            let (asked, urgent) = tokio::select! {
                () = stop.wait() => return Ok(()),
                () = asked.notified() => (true, true),
                () = self.webhooks.told() => {
                    self.previews.look();
                    (false, true)
                }
                posted = self.previews.posted() => {
                    self.book.write_previews(&mut self.operator, posted).await;
                    continue;
                }
                _ = ticks.tick() => (false, false),
            };
            let changed = (urgent || self.due <= Instant::now()) && self.look().await?;
            self.webhooks.looked(changed);
            let patience = if self.reload_failed { RELOAD_AGAIN } else { HOUSEKEEPING };
            if changed || asked || last_pass.elapsed() > patience {
                last_pass = Instant::now();
                self.pass(server).await;
            }
        }
    }

    /// Reads the source; whether there is something new.
    async fn look(&mut self) -> Result<bool> {
        if self.book.is_suspended() {
            return Ok(false);
        }
        let source = self.source.take().context("the source is being read already")?;
        let (source, read) = source::blocking(source, |source| source.load(chrono::Utc::now())).await;
        self.source = Some(source);
        let changed = match read {
            Ok(revision) => {
                self.reporter.source_works();
                self.failed = 0;
                match revision {
                    Some(revision) => self.book.take(&mut self.operator, revision),
                    // One more pass, so that the status is that of before the trouble.
                    None => return Ok(self.book.recovers()),
                }
                self.has_read = true;
                true
            }
            Err(trouble) => {
                self.reporter.source_fails(&trouble.to_string());
                self.wait_after(trouble.temporary);
                self.book.refuse(trouble);
                self.book.write(&mut self.operator, None).await;
                false
            }
        };
        Ok(changed)
    }

    /// Whoever does not answer is asked less and less often; what somebody has to mend is looked at as often as ever.
    fn wait_after(&mut self, temporary: bool) {
        self.failed = if temporary { self.failed.saturating_add(1) } else { 0 };
        if temporary {
            let pause = delay(self.failed, chance()).to_std().unwrap_or_default();
            self.due = Instant::now() + pause;
        }
    }

    /// One pass, and the server's settings after it. What fails is tried again at the next pass; mail is served on.
    async fn pass(&mut self, server: &Server) {
        if !self.has_read {
            return;
        }
        let told = std::mem::take(&mut *self.approvals.lock().unwrap_or_else(PoisonError::into_inner));
        self.operator.approve_also(told);
        match self.operator.pass(chrono::Utc::now()).await {
            Ok(pass) => {
                if let Some(source) = &mut self.source
                    && let Err(error) = self.book.settle(source)
                {
                    tracing::error!(%error, "the revision that is in force now is not remembered");
                }
                self.book.write(&mut self.operator, Some(Ok(&pass))).await;
                self.reporter.pass(&pass);
                let revision = self.source.as_ref().and_then(|it| it.source().last_revision());
                self.previews.worked(&self.operator, revision.unwrap_or_default());
            }
            Err(error) => {
                self.book.write(&mut self.operator, Some(Err(error.to_string()))).await;
                return tracing::error!(%error, "the pass failed and will be repeated");
            }
        }
        match self.operator.serving().await {
            Ok(Some(serving)) => {
                let config = serve::config(&serving, &self.listen);
                if config != self.config {
                    self.reload(server, config).await;
                }
            }
            Ok(None) => tracing::warn!("no MailServer is in force any more; the last settings stay"),
            Err(error) => tracing::error!(%error, "cannot read the server settings; the last ones stay"),
        }
    }

    /// Puts new settings in force. The MailServer's status tells what came of it, so there is one more pass.
    async fn reload(&mut self, server: &Server, config: ServerConfig) {
        let reloaded = server.reload(config.clone()).await;
        match &reloaded {
            Ok(()) => self.config = config,
            Err(error) if self.reload_failed => {
                tracing::debug!(%error, "the new server settings are still not in force");
            }
            Err(error) => {
                tracing::error!(%error, "the new server settings are not in force; the old ones are")
            }
        }
        self.reload_failed = reloaded.is_err();
        self.listening(server, reloaded.err().map(|error| error.to_string()));
        if let Err(error) = self.operator.pass(chrono::Utc::now()).await {
            tracing::error!(%error, "the pass failed and will be repeated");
        }
    }

    /// Tells the operator which listeners are open, for the MailServer's status.
    fn listening(&mut self, server: &Server, error: Option<String>) {
        let endpoints = server.endpoints().into_iter().map(|endpoint| Endpoint {
            protocol: endpoint.protocol.name().to_owned(),
            address: endpoint.address.to_string(),
        });
        self.operator.set_listening(Listening { endpoints: endpoints.collect(), error });
    }
}
