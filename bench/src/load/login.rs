//! Logins: connect, LOGIN, LOGOUT, each account once, so that no cache of earlier logins helps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use super::{CLIENTS, Load, together};
use crate::account::{ARGON2ID, BCRYPT, CHEAP, once};
use crate::client::imap::Imap;
use crate::figure::{Taken, taken};

/// Accounts with one kind of hash.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What their names begin with.
    pub name: &'static str,
    /// What is stored of their password.
    pub hash: &'static str,
    /// How many log in per run.
    pub count: usize,
    figure: &'static str,
}

/// The hashes that both servers know.
pub const KINDS: [Kind; 3] = [
    Kind { name: "cheap", hash: CHEAP, count: 300, figure: "login.cheap" },
    Kind { name: "bcrypt", hash: BCRYPT, count: 60, figure: "login.bcrypt" },
    Kind { name: "argon", hash: ARGON2ID, count: 40, figure: "login.argon2id" },
];

pub(super) async fn logins(load: &Load<'_>) -> Result<Vec<Taken>> {
    let mut figures = Vec::new();
    for kind in KINDS {
        let (count, endpoint) = (load.scale.of(kind.count), load.side.imap);
        tokio::task::block_in_place(|| load.side.tree.rest());
        let (first, next) = (load.run * count, Arc::new(AtomicUsize::new(0)));
        let seconds = together(CLIENTS.min(count), |_| {
            let next = Arc::clone(&next);
            async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return Ok(());
                    }
                    Imap::login(endpoint, &once(kind.name, first + n)).await?.logout().await?;
                }
            }
        })
        .await?;
        figures.push(taken(kind.figure, count as f64 / seconds));
    }
    Ok(figures)
}
