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
    let verdict = match tested.accepted {
        true => "can log in with this password".to_owned(),
        false => format!("cannot log in: {}", tested.reason),
    };
    terminal::print(&format!("{} {verdict}\n", tested.address));
    if let Some(scheme) = &tested.scheme {
        let scram = match tested.scram {
            true => "SCRAM-SHA-256 works",
            false => "SCRAM-SHA-256 works after the first login with the password itself",
        };
        let service = if tested.enabled { "in service" } else { "out of service" };
        terminal::print(&format!("stored as {scheme}; {scram}; {service}\n"));
    }
    Ok(if tested.accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
