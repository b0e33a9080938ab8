//! `mailwright purge`: the second explicit act that deletes the mail of a mailbox which was removed from the manifests.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::args::Purge;
use crate::connect::Connection;
use crate::terminal;

/// Asks once more and deletes.
pub async fn run(data: &Path, options: Purge) -> Result<ExitCode> {
    let connection = Connection::open(data).await?;
    if !options.yes && !confirmed(&options.address)? {
        bail!("nothing was deleted");
    }
    let purged = connection.purge(&options.address, options.force).await?;
    terminal::print(&format!("{} and {} octets of mail are deleted\n", purged.address, purged.bytes));
    Ok(ExitCode::SUCCESS)
}

fn confirmed(address: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("this deletes mail for good; give --yes to confirm without a terminal");
    }
    eprint!("Delete {address} and all its mail for good? Type the address again: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == address)
}
