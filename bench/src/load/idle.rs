//! Memory of sessions that are logged in, have selected INBOX and are in IDLE.

use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;

use super::{CLIENTS, Load};
use crate::account::pool;
use crate::client::imap::Imap;
use crate::figure::{Taken, taken};

/// What a server does right after logins is over by then, and what it kept for the next ones is given back.
const SETTLED: Duration = Duration::from_secs(12);

pub(super) async fn sessions(load: &Load<'_>) -> Result<Vec<Taken>> {
    let mut sessions = Vec::new();
    let mut figures = Vec::new();
    for (figure, count) in [("idle.none", 0), ("idle.some", 200), ("idle.many", 1000)] {
        let count = if count == 0 { 0 } else { load.scale.of(count) };
        while sessions.len() < count {
            let mut tasks = JoinSet::new();
            for n in sessions.len()..count.min(sessions.len() + CLIENTS) {
                let endpoint = load.side.imap;
                tasks.spawn(async move {
                    let mut session = Imap::login(endpoint, &pool(n)).await?;
                    session.command("SELECT INBOX").await?;
                    session.idle().await?;
                    Ok::<_, anyhow::Error>(session)
                });
            }
            while let Some(session) = tasks.join_next().await {
                sessions.push(session??);
            }
        }
        tokio::task::block_in_place(|| load.side.tree.rest());
        tokio::time::sleep(SETTLED).await;
        figures.push(taken(figure, load.side.tree.pss()));
    }
    Ok(figures)
}
