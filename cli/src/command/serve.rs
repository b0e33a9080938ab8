//! `mailwright serve`: the roles on what the data directory holds, without following manifests. Also what `up` shares:
//! settings for the server (in `settings`), signals, the orderly end.

mod pod;
mod settings;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mailwright_operator::Operator;
use mailwright_operator::platform::Platform as _;
use mailwright_operator::platform::local::Local;
use mailwright_server::{Management, Roles, Server};
use mailwright_store::{Options, Store};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::args::{Listen, Role, Serve};
use crate::connect::Connection;
use crate::following;
use crate::terminal;

pub use settings::config;

/// How long sessions may take to finish when nobody says.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until a signal asks to stop; `mailwright apply` in between makes it take new settings.
pub async fn run(data: &Path, options: Serve) -> Result<ExitCode> {
    if let Some(config) = options.pod.config.clone() {
        return pod::run(data, &config, options).await;
    }
    if !data.join("mailwright.db").exists() {
        bail!(
            "{} holds no mail; apply manifests first: `mailwright apply <dir> --data {}`",
            data.display(),
            data.display()
        );
    }
    let store = Arc::new(Store::open(data, Options::default()).await?);
    following::forget(data);
    let accounts = Connection::Offline(Arc::new(Management::new(Arc::clone(&store))));
    let platform = Local::open(data)?;
    let mut operator = Operator::new(accounts, platform.clone(), platform.fingerprint_key()?);
    let Some(serving) = operator.serving().await? else {
        bail!("no MailServer was applied to {}; apply manifests that declare one", data.display());
    };
    let server =
        Server::start(config(&serving, &options.listen), roles(&options.roles), Arc::clone(&store), data)
            .await?;
    for endpoint in server.endpoints() {
        terminal::print(&format!("serving {} on {}\n", endpoint.protocol, endpoint.address));
    }
    let asked = Arc::new(Notify::new());
    let hook = Arc::clone(&asked);
    server.management().on_reconcile(move || hook.notify_one());
    let mut stop = StopSignal::new()?;
    loop {
        tokio::select! {
            () = stop.wait() => break,
            () = asked.notified() => reload(&server, &mut operator, &options.listen).await,
        }
    }
    finish(server, &store, options.grace.unwrap_or(GRACE)).await;
    Ok(ExitCode::SUCCESS)
}

async fn reload(server: &Server, operator: &mut Operator<Connection, Local>, listen: &Listen) {
    let serving = match operator.serving().await {
        Ok(Some(serving)) => serving,
        Ok(None) => return tracing::warn!("no MailServer is in force any more; the last settings stay"),
        Err(error) => return tracing::error!(%error, "cannot read the server settings; the last ones stay"),
    };
    match server.reload(config(&serving, listen)).await {
        Ok(()) => tracing::info!("settings reloaded"),
        Err(error) => tracing::error!(%error, "the new server settings are not in force; the old ones are"),
    }
}

fn roles(given: &[Role]) -> Roles {
    Roles {
        mx: given.contains(&Role::Mx),
        submission: given.contains(&Role::Submission),
        lmtp: given.contains(&Role::Lmtp),
        imap: given.contains(&Role::Imap),
        queue: given.contains(&Role::Queue),
        api: given.contains(&Role::Api),
    }
}

/// Ctrl-C or a service manager's SIGTERM.
pub struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    /// Takes the two signals over from their default, which is to die.
    pub fn new() -> Result<StopSignal> {
        let take = |kind| signal(kind).context("cannot listen for signals");
        Ok(StopSignal {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
        })
    }

    /// Returns when one of them arrives.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}

/// Drains the server and closes the store; a second signal ends the waiting.
pub async fn finish(server: Server, store: &Store, grace: Duration) {
    let again = async {
        match StopSignal::new() {
            Ok(mut signal) => signal.wait().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        cut = server.shutdown(grace) => if cut > 0 { tracing::warn!(sessions = cut, "sessions were cut off") },
        () = again => tracing::warn!("stopping at once"),
    }
    store.close().await;
}
