//! `mailwright auth-test`: whether a login works, asked of the running server.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mailwright_server::ManagementClient;
use mailwright_server::management::AuthTest;

use super::passwd;
use crate::args::mail;
use crate::terminal;

/// Reads the password and tries it. Exit code 1 when the login fails.
pub async fn run(data: &Path, options: mail::AuthTest) -> Result<ExitCode> {
    let client = ManagementClient::new(data);
    client.status().await?;
    let password = match options.stdin {
        true => passwd::from_stdin()?,
        false => passwd::once(&format!("Password of {}: ", options.address))?,
    };
    let tested = client.auth_test(&AuthTest { address: options.address, password }).await?;
    if tested.accepted {
        terminal::print(&format!("{} can log in with this password\n", tested.address));
        return Ok(ExitCode::SUCCESS);
    }
    terminal::print(&format!("{} cannot log in: {}\n", tested.address, tested.reason));
    Ok(ExitCode::FAILURE)
}
