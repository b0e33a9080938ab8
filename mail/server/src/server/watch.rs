//! Housekeeping beside the connections: ends the sessions of accounts that went out of service or have a new password, and
//! keeps the metrics' memory bounded.

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
                Ok(()) => log_out(&context).await,
                // The store is closed: nothing changes any more.
                Err(_) => return,
            },
        }
    }
}

/// A mailbox that was disabled or removed has no sessions (its mail is kept, its owner is locked out at once). Nor has one
/// whose password was changed: whoever knew the old one is out, and programs that know the new one come back by themselves.
async fn log_out(context: &Context) {
    for account in context.registry.users() {
        match context.auth.holds(&account).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::info!(
                    user = account.address,
                    "account out of service or password changed: ending sessions"
                );
                context.registry.kick_account(&account);
            }
            // A failing database is no reason to log people out.
            Err(error) => tracing::warn!(%error, "cannot check a logged-in account"),
        }
    }
}
