//! Following the source while the server runs: looks at it in an interval, passes over what changed, reloads the server.
//! Also passes now and then without a change, because retention periods and certificates end by themselves.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use mailwright_crds::mail_server::Endpoint;
use mailwright_operator::operator::Listening;
use mailwright_operator::platform::local::Local;
use mailwright_operator::source::Source;
use mailwright_operator::{Operator, Pass};
use mailwright_server::{Server, ServerConfig};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

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
    source: Option<Source>,
    listen: Listen,
    config: ServerConfig,
    interval: Duration,
    reporter: Reporter,
    /// Until the source was read once there is nothing to compare with, and nothing is touched.
    has_read: bool,
    /// The last settings could not be put in force.
    reload_failed: bool,
}

impl Follower {
    /// Follows `source` while a server runs with `config`; a Git source is looked at every `interval`.
    pub fn new(
        operator: Operator<Connection, Local>,
        source: Source,
        config: ServerConfig,
        interval: Duration,
        first: Option<&Pass>,
    ) -> Follower {
        let interval = match source {
            Source::Directory(_) => DIRECTORY_INTERVAL,
            _ => interval,
        };
        let listen = Listen { bind: config.bind.clone(), lmtp_socket: config.lmtp_socket.clone() };
        Follower {
            operator,
            source: Some(source),
            listen,
            config,
            interval,
            reporter: Reporter::after(first),
            has_read: first.is_some(),
            reload_failed: false,
        }
    }

    /// Runs until a signal asks to stop.
    pub async fn run(&mut self, server: &Server) -> Result<()> {
        let asked = Arc::new(Notify::new());
        let signal = Arc::clone(&asked);
        server.management().on_reconcile(move || signal.notify_one());
        let mut stop = serve::StopSignal::new()?;
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.listening(server, None);
        self.pass(server).await;
        let mut last_pass = Instant::now();
        loop {
            let asked = tokio::select! {
                () = stop.wait() => return Ok(()),
                () = asked.notified() => true,
                _ = ticks.tick() => false,
            };
            let changed = self.look().await?;
            let patience = if self.reload_failed { RELOAD_AGAIN } else { HOUSEKEEPING };
            if changed || asked || last_pass.elapsed() > patience {
                last_pass = Instant::now();
                self.pass(server).await;
            }
        }
    }

    /// Reads the source; whether there is something new.
    async fn look(&mut self) -> Result<bool> {
        let source = self.source.take().context("the source is being read already")?;
        let (source, snapshot) = source::blocking(source, Source::load).await;
        self.source = Some(source);
        match snapshot {
            Ok(Some(snapshot)) => {
                self.reporter.source_works();
                self.operator.take(&snapshot);
                self.has_read = true;
                Ok(true)
            }
            Ok(None) => {
                self.reporter.source_works();
                Ok(false)
            }
            Err(error) => {
                self.reporter.source_fails(&error.to_string());
                Ok(false)
            }
        }
    }

    /// One pass, and the server's settings after it. What fails is tried again at the next pass; mail is served on.
    async fn pass(&mut self, server: &Server) {
        if !self.has_read {
            return;
        }
        match self.operator.pass(chrono::Utc::now()).await {
            Ok(pass) => self.reporter.pass(&pass),
            Err(error) => return tracing::error!(%error, "the pass failed and will be repeated"),
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
