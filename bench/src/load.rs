//! The loads: each puts one server under the same work and returns its figures. A file per kind of work.

mod append;
mod idle;
mod inbound;
mod large;
mod login;
mod notify;
mod store;
mod submission;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::account::{self, Account};
use crate::figure::Taken;
use crate::side::Side;
use crate::sink::Sink;

pub use inbound::Stored;

/// Sessions at a time where a figure speaks of many.
pub const CLIENTS: usize = 20;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Divides all counts.
    pub divide: usize,
    /// Runs of each load.
    pub runs: usize,
}

impl Scale {
    /// A count, at this scale.
    pub fn of(self, count: usize) -> usize {
        (count / self.divide).max(1)
    }

    /// The accounts of all loads.
    pub fn accounts(self) -> Vec<Account> {
        let logins = login::KINDS.map(|kind| (kind.name, kind.hash, self.of(kind.count)));
        account::all(self.runs, &logins)
    }
}

/// One load on one server.
pub struct Load<'a> {
    /// The server.
    pub side: &'a Side,
    /// Where submitted mail goes.
    pub sink: Option<&'a Sink>,
    /// How much.
    pub scale: Scale,
    /// Which run this is, from 0.
    pub run: usize,
}

impl Load<'_> {
    /// Takes the figures of a group.
    pub async fn take(&self, group: &str) -> Result<Vec<Taken>> {
        match group {
            "inbound" => inbound::separate(self).await,
            "inbound-many" => inbound::many(self).await,
            "inbound-64k" => inbound::big(self).await,
            "submission" => submission::relayed(self).await,
            "append" => append::append(self).await,
            "large" => large::large(self).await,
            "store" => store::flags(self).await,
            "login" => login::logins(self).await,
            "notify" => notify::exists(self).await,
            "idle" => idle::sessions(self).await,
            other => anyhow::bail!("there is no group {other}"),
        }
    }
}

/// Whether a group is measured on servers that were started for it alone: memory remembers what was done before.
pub fn wants_fresh(group: &str) -> bool {
    matches!(group, "idle" | "syncs")
}

/// Whether more runs say more: starting a thousand sessions takes its time and memory hardly varies.
pub fn runs(group: &str, runs: usize) -> usize {
    if wants_fresh(group) { 1 } else { runs }
}

/// Runs so many clients at once and returns the seconds until the last of them is done.
async fn together<F>(clients: usize, client: impl Fn(usize) -> F) -> Result<f64>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        tasks.spawn(client(number));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Milliseconds that something took, with its result.
async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(f64, T)> {
    let start = Instant::now();
    let result = work.await?;
    Ok((start.elapsed().as_secs_f64() * 1000.0, result))
}

/// Different messages of a size, sent over and over.
fn messages(size: usize) -> Arc<Vec<Vec<u8>>> {
    Arc::new((0..100).map(|n| crate::message::message(n, size)).collect())
}
