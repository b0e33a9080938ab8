//! `mailwright send`: one test message over the wire, to the server that runs here, by the way that real mail takes: from
//! outside without a login, from a mail program with one.

mod dialog;
mod pinned;

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use mailwright_server::management::Status;
use mailwright_server::{ManagementClient, Protocol};
use serde_json::json;

use super::passwd;
use super::queue::show;
use crate::args::mail;
use dialog::{Dialog, Letter};

/// Sends, and prints the server's reply with the identifier that the queue and the log know the message by.
pub async fn run(data: &Path, options: mail::Send) -> Result<ExitCode> {
    let status = ManagementClient::new(data).status().await?;
    let password = match &options.login {
        Some(login) => {
            let login = if login.is_empty() { &options.from } else { login };
            Some((login.clone(), passwd::once(&format!("Password of {login}: "))?))
        }
        None => None,
    };
    let body = match options.body {
        Some(body) => body,
        None => from_stdin()?,
    };
    let letter = Letter {
        from: options.from,
        to: options.to,
        subject: options.subject,
        body,
        hostname: status.hostname.clone(),
        date: chrono::Utc::now(),
    };
    let reply = match password {
        Some((login, password)) => {
            let address = endpoint(&status, Protocol::Submissions)?;
            let stream = pinned::connect(data, &status.hostname, address).await?;
            Dialog::new(stream).submit(&letter, Some((&login, &password))).await?
        }
        None => {
            let address = endpoint(&status, Protocol::Smtp)?;
            let stream = tokio::net::TcpStream::connect(address)
                .await
                .with_context(|| format!("cannot reach {address}"))?;
            Dialog::new(stream).submit(&letter, None).await?
        }
    };
    let id = dialog::id(&reply);
    let body = json!({"reply": reply, "id": id});
    show(options.output, &body, || format!("{reply}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn from_stdin() -> Result<String> {
    /// A test message is short; a pasted disk image is a slip.
    const MOST: u64 = 1024 * 1024;
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MOST)
        .read_to_string(&mut text)
        .context("cannot read the text from standard input")?;
    Ok(text)
}

fn endpoint(status: &Status, protocol: Protocol) -> Result<SocketAddr> {
    let found = status.endpoints.iter().find(|endpoint| endpoint.protocol == protocol);
    let Some(endpoint) = found else {
        bail!(
            "the server does not listen for {protocol}; enable spec.listeners.{protocol} of its MailServer"
        );
    };
    Ok(reachable(endpoint.address))
}

/// An address that is every address of the host is reached over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_over_loopback() {
        for (address, expected) in
            [("0.0.0.0:25", "127.0.0.1:25"), ("[::]:25", "[::1]:25"), ("192.0.2.1:25", "192.0.2.1:25")]
        {
            assert_eq!(reachable(address.parse().unwrap()).to_string(), expected);
        }
    }
}
