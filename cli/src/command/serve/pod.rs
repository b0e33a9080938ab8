//! `mailwright serve --config`: a mail server that an operator runs. Its settings are a file, its certificates directories, its
//! keys what was pushed last; all are followed while it serves. The operator may be away: then everything stays as it is.

mod feed;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mailwright_server::Server;
use mailwright_server::files::LOOK;
use mailwright_store::{Options, Store};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

use self::feed::Feed;
use super::{StopSignal, finish, roles};
use crate::args::Serve;
use crate::{following, terminal};

/// How long sessions may take to finish: Kubernetes kills a pod a minute after it was asked to end, and the store wants to be
/// closed before.
const GRACE: Duration = Duration::from_secs(50);
/// Ports that could not be opened are tried again this often.
const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// Serves until a signal asks to stop.
pub async fn run(data: &Path, config: &Path, options: Serve) -> Result<ExitCode> {
    // First of all: the first process of a container is not even ended by a signal that nobody listens to.
    let mut stop = StopSignal::new()?;
    let mut feed = Feed::new(data, config, options.pod.tls.as_deref(), options.listen.clone());
    let first = feed.first()?;
    let store = Arc::new(Store::open(data, Options::default()).await?);
    following::forget(data);
    let server = match Server::start(first, roles(&options.roles), Arc::clone(&store), data).await {
        Ok(server) => server,
        Err(error) => {
            store.close().await;
            return Err(error.into());
        }
    };
    let management = Management {
        addresses: options.pod.management_addresses(),
        directory: options.pod.management.clone(),
        error: None,
    };
    let mut pod = Pod { server, feed, management, tried: Instant::now() };
    pod.begin();
    let asked = Arc::new(Notify::new());
    let hook = Arc::clone(&asked);
    pod.server.management().on_pushed(move || hook.notify_one());
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.wait() => break,
            () = asked.notified() => pod.feed.read_pushed(),
            _ = ticks.tick() => pod.feed.look(),
        }
        pod.follow().await;
    }
    tracing::info!("stopping; sessions get their time to finish, a second signal stops at once");
    finish(pod.server, &store, options.grace.unwrap_or(GRACE)).await;
    Ok(ExitCode::SUCCESS)
}

/// The management port that is wanted, while it is not open.
struct Management {
    addresses: Vec<SocketAddr>,
    directory: Option<PathBuf>,
    /// What was said last.
    error: Option<String>,
}

struct Pod {
    server: Server,
    feed: Feed,
    management: Management,
    /// When closed ports were tried last.
    tried: Instant,
}

impl Pod {
    fn begin(&mut self) {
        self.server.management().note(self.feed.facts());
        for endpoint in self.server.endpoints() {
            terminal::print(&format!("serving {} on {}\n", endpoint.protocol, endpoint.address));
        }
        if let Some(error) = self.server.listener_error() {
            tracing::error!(%error, "not everything is served; the rest is");
        }
        self.open_management();
    }

    /// Puts in force what is new, and tries again what failed.
    async fn follow(&mut self) {
        let before = self.server.listener_error();
        if self.feed.take_change() {
            self.reload().await;
        }
        if self.tried.elapsed() >= OPEN_AGAIN {
            self.tried = Instant::now();
            self.open_management();
            if before.is_some()
                && let Err(error) = self.server.open_missing().await
            {
                tracing::error!(%error, "ports cannot be opened");
            }
        }
        let now = self.server.listener_error();
        match &now {
            Some(error) if now != before => {
                tracing::error!(%error, "not everything is served; the rest is");
            }
            None if before.is_some() => tracing::info!("everything is served again"),
            _ => {}
        }
    }

    async fn reload(&mut self) {
        let Some(config) = self.feed.config() else { return };
        if let Err(error) = self.server.reload(config).await {
            tracing::error!(%error, "the new settings are not in force; the old ones are");
            self.feed.refused(&error.to_string());
        }
        self.server.management().note(self.feed.facts());
    }

    /// Opens the management port if it is wanted and not open yet; without it mail is served all the same.
    fn open_management(&mut self) {
        let Some(directory) = &self.management.directory else { return };
        match self.server.open_management(&self.management.addresses, directory) {
            Ok(addresses) => {
                self.management.directory = None;
                for address in addresses {
                    terminal::print(&format!("serving management on {address}\n"));
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.management.error.as_ref() != Some(&error) {
                    tracing::error!(%error, "nobody can manage this server until the port is free");
                }
                self.management.error = Some(error);
            }
        }
    }
}
