//! `mailwright observe`: what is in the account database, as the planner sees it. `kubectl mailwright plan` runs it in the
//! mail pod; it shows fingerprints of declared passwords, never a password or a hash.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mailwright_operator::accounts::Accounts as _;

use crate::args::{Observe, PlanFormat};
use crate::connect::Connection;
use crate::terminal;

/// Prints the rows.
pub async fn run(data: &Path, options: Observe) -> Result<ExitCode> {
    let observed = Connection::open(data).await?.observe().await?;
    terminal::print(&match options.output {
        PlanFormat::Json => format!("{}\n", serde_json::to_string(&observed)?),
        PlanFormat::Text => {
            let count = |number: usize, what: &str| format!("{number:>8} {what}\n");
            [
                count(observed.servers.len(), "mail servers"),
                count(observed.domains.len(), "domains"),
                count(observed.mailboxes.len(), "mailboxes"),
                count(observed.aliases.len(), "aliases"),
                format!("{:>8} changes since the database was made\n", observed.change_counter),
            ]
            .concat()
        }
    });
    Ok(ExitCode::SUCCESS)
}
