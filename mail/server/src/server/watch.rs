//! Housekeeping beside the connections: ends the sessions of accounts that went out of service, and keeps the metrics'
//! memory bounded.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use crate::context::Context;
use crate::metrics;

/// Runs until aborted.
pub(super) async fn run(context: Arc<Context>) {
    let mut accounts = context.store.watch_accounts();
    let mut upkeep = interval(metrics::UPKEEP);
    upkeep.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = upkeep.tick() => metrics::upkeep(),
            changed = accounts.changed() => match changed {
                Ok(()) => log_out_disabled(&context).await,
                // The store is closed: nothing changes any more.
                Err(_) => return,
            },
        }
    }
}

/// A mailbox that was disabled or removed has no sessions (its mail is kept, its owner is locked out at once).
async fn log_out_disabled(context: &Context) {
    for (account, address) in context.registry.users() {
        match context.store.accounts().lookup_login(&address).await {
            Ok(Some(login)) if login.active && login.account == account => {}
            Ok(_) => {
                tracing::info!(user = address, "account out of service: ending its sessions");
                context.registry.kick_account(account);
            }
            // A failing database is no reason to log people out.
            Err(error) => tracing::warn!(%error, "cannot check a logged-in account"),
        }
    }
}
