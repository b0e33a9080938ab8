//! Owns what every replica of the operator does around the work of the one that leads: health and metrics, the election,
//! the look at the installed definitions, and ending in the right order: writers first, then the Lease, then the process.

use std::future::Future;
use std::time::Duration;

use kube_client::{Client, Config};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::http::{self, Checks};
use super::lease::{Ending, LeaderState};
use super::options::Options;
use super::{client, crd, leader, metrics};

/// How long the work may take to end when it is asked to; then the Lease is given back. Within the grace period of a pod.
const WORK_GRACE: Duration = Duration::from_secs(15);

/// The check that passes once the installed definitions are as new as this binary.
pub const DEFINITIONS: &str = "definitions";
/// The check that passes once the API server has answered about the Lease.
pub const LEASE: &str = "lease";

/// What the work of a replica is given.
#[derive(Clone)]
pub struct Place {
    /// The client to reconcile with.
    pub client: Client,
    /// Who leads. Only the leader writes; look right before a write ([`LeaderState::leads_at`]).
    pub leader: watch::Receiver<LeaderState>,
    /// Says true when the work must end.
    pub stop: watch::Receiver<bool>,
    /// For what else makes a replica ready.
    pub checks: Checks,
}

/// Why the process ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The address of `/metrics` and `/readyz` cannot be listened on.
    #[error("cannot listen on {address} for /metrics and /readyz: {source}; choose another --listen")]
    Listen {
        /// The address.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The kubeconfig or service account is unusable.
    #[error("cannot make a client of the API server: {0}")]
    Client(#[from] kube_client::Error),
    /// Another replica leads, or may soon: this one must not write again.
    #[error("leadership was lost: {0}")]
    LeadershipLost(Ending),
    /// The work ended although nobody asked it to.
    #[error("the reconcilers ended by themselves; the log says why")]
    WorkEnded,
}

/// Runs `work` in a replica until `stop` says true, or until leadership is lost.
pub async fn run<F: Future<Output = ()>>(
    config: Config,
    options: &Options,
    stop: watch::Receiver<bool>,
    work: impl FnOnce(Place) -> F,
) -> Result<(), ProcessError> {
    let (tell, leader) = watch::channel(LeaderState::default());
    let client = client::reconciling(&config, leader.clone())?;
    let listen = |source| ProcessError::Listen { address: options.listen.to_string(), source };
    let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
    metrics::install();
    let checks = Checks::expecting(&[DEFINITIONS, LEASE]);

    // While this one is there the work does not take the end of the election for its own.
    let _until_the_end = tell.clone();
    let (release, released) = watch::channel(false);
    let (end_work, stop_work) = watch::channel(false);
    let place = Place { client: client.clone(), leader, stop: stop_work, checks: checks.clone() };

    // Tasks of their own: probes and renewals must not wait for the work.
    let mut side = JoinSet::new();
    side.spawn(served(listener, checks.clone()));
    let (owned, told) = (options.clone(), checks.clone());
    side.spawn(async move { crd::watch(client, &owned, told).await });
    let mut election = elect(config, options.clone(), tell, checks, released);
    let work = work(place);
    tokio::pin!(work);

    // Dropping the work is how it stops writing at once.
    tokio::select! {
        biased;
        ending = ended(&mut election) => return Err(ProcessError::LeadershipLost(ending)),
        () = &mut work => {
            let _ = release.send(true);
            ended(&mut election).await;
            return Err(ProcessError::WorkEnded);
        }
        () = stopped(stop) => {}
    }
    tracing::info!("asked to stop: the reconcilers end, then the lease is given back");
    let _ = end_work.send(true);
    let ending = tokio::select! {
        ending = ended(&mut election) => return Err(ProcessError::LeadershipLost(ending)),
        finished = timeout(WORK_GRACE, &mut work) => {
            if finished.is_err() {
                tracing::warn!("the reconcilers did not end within {WORK_GRACE:?}; what they were doing is done again");
            }
            let _ = release.send(true);
            ended(&mut election).await
        }
    };
    match ending.is_loss() {
        true => Err(ProcessError::LeadershipLost(ending)),
        false => Ok(()),
    }
}

/// The election in a thread and a runtime of its own: while the reconcilers compute over thousands of objects, renewals are
/// sent all the same. It ends when nobody waits for its ending any more.
fn elect(
    config: Config,
    options: Options,
    tell: watch::Sender<LeaderState>,
    checks: Checks,
    released: watch::Receiver<bool>,
) -> oneshot::Receiver<Ending> {
    let (mut over, ending) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let client = match client::electing(&config, options.lease.renew_deadline) {
                Ok(client) => client,
                Err(error) => return tracing::error!(%error, "no client for the leader election"),
            };
            tokio::select! {
                ended = leader::run(client, &options, tell, checks, released) => drop(over.send(ended)),
                () = over.closed() => {}
            }
        });
    });
    ending
}

/// How the election ended. Its thread ends in no other way than by returning, unless it panics.
async fn ended(election: &mut oneshot::Receiver<Ending>) -> Ending {
    election.await.unwrap_or(Ending::Expired)
}

async fn served(listener: TcpListener, checks: Checks) {
    if let Err(error) = http::serve(listener, checks).await {
        tracing::error!(%error, "/metrics and /readyz are served no more; the kubelet will restart this pod");
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stopped| *stopped).await.is_err() {
        // Whoever could have asked is gone: nobody will.
        std::future::pending::<()>().await;
    }
}
