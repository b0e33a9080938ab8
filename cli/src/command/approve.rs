//! `mailwright approve`: lets the running process apply the plan of this digest.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use mailwright_plan::approval;
use mailwright_server::ManagementClient;

use crate::args::history::Approve;
use crate::terminal;

/// Tells the process. It must be running: what nobody waits for need not be approved.
pub async fn run(data: &Path, options: Approve) -> Result<ExitCode> {
    let digest = approval::parse(&options.digest)?;
    let client = ManagementClient::new(data);
    client.approve(&digest, approver()).await.context("the plan was not approved")?;
    terminal::print(&format!(
        "{digest} is approved; it is applied now if it is the plan that waits, and lifts nothing of any other\n"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Who runs this, as the system knows: the user's number, and the name that the environment gives it.
fn approver() -> Option<String> {
    let id = rustix::process::getuid().as_raw();
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok();
    Some(match name.filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} (uid {id})"),
        None => format!("uid {id}"),
    })
}
