//! `mailwright trace`: where mail would go, and why, without sending any.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mailwright_server::management::{Trace, TraceRequest};

use super::queue::show;
use crate::args::mail;
use crate::connect::Connection;

/// Asks and prints. Exit code 1 when the recipient is refused.
pub async fn run(data: &Path, options: mail::Trace) -> Result<ExitCode> {
    let request = TraceRequest {
        from: options.from,
        to: options.to,
        ip: options.ip,
        authenticated: options.authenticated,
    };
    let trace = Connection::open(data).await?.trace(&request).await?;
    show(options.output, &trace, || text(&request, &trace))?;
    Ok(if trace.accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(request: &TraceRequest, trace: &Trace) -> String {
    let mut lines = vec![format!("mail from {} to {}", angled(&request.from), request.to)];
    let width = trace.steps.iter().map(|step| step.address.chars().count()).max().unwrap_or(0);
    lines.extend(trace.steps.iter().map(|step| format!("  {:<width$}  {}", step.address, step.found)));
    let mut row = |label: &str, value: String| lines.push(format!("{label:<12} {value}"));
    row(
        "relaying",
        match &trace.relaying {
            Some(why) => format!("allowed: {why}"),
            None => "not allowed: neither logged in nor in a trusted network".to_owned(),
        },
    );
    for address in &trace.stored {
        row("stored in", address.clone());
    }
    let next = trace
        .smarthost
        .as_ref()
        .map_or("the MX hosts of its domain".to_owned(), |host| format!("the smarthost {host}"));
    for target in &trace.queued {
        let via = if target.via.is_empty() {
            String::new()
        } else {
            format!(", by way of {}", target.via.join(" → "))
        };
        row("queued for", format!("{}, through {next}{via}", target.address));
    }
    for skipped in &trace.skipped {
        row("not to", skipped.clone());
    }
    row(
        "signed by",
        match trace.signers.as_slice() {
            [] => "no key of the sender's domain".to_owned(),
            keys => format!("{}, when it is submitted here", keys.join(" and ")),
        },
    );
    row("reply", trace.reply.clone());
    lines.join("\n") + "\n"
}

fn angled(address: &str) -> &str {
    if address.is_empty() { "<>" } else { address }
}

#[cfg(test)]
mod tests {
    use mailwright_server::management::{TraceQueued, TraceStep};

    use super::*;

    #[test]
    fn the_decision_is_told_step_by_step() {
        let request = TraceRequest {
            from: String::new(),
            to: "press@example.test".into(),
            ip: None,
            authenticated: false,
        };
        let step = |address: &str, found: &str| TraceStep { address: address.into(), found: found.into() };
        let trace = Trace {
            steps: vec![
                step("press@example.test", "an alias of alice@example.test, bob@example.org"),
                step("alice@example.test", "a mailbox"),
            ],
            accepted: true,
            reply: "250 2.1.5 recipient ok".into(),
            relaying: None,
            stored: vec!["alice@example.test".into()],
            queued: vec![TraceQueued {
                address: "bob@example.org".into(),
                via: vec!["press@example.test".into()],
            }],
            skipped: vec!["carol@example.test: mailbox is disabled".into()],
            smarthost: Some("smtp.example.net:587".into()),
            signers: vec![],
        };
        assert_eq!(
            text(&request, &trace),
            "mail from <> to press@example.test\n\
             \x20 press@example.test  an alias of alice@example.test, bob@example.org\n\
             \x20 alice@example.test  a mailbox\n\
             relaying     not allowed: neither logged in nor in a trusted network\n\
             stored in    alice@example.test\n\
             queued for   bob@example.org, through the smarthost smtp.example.net:587, by way of press@example.test\n\
             not to       carol@example.test: mailbox is disabled\n\
             signed by    no key of the sender's domain\n\
             reply        250 2.1.5 recipient ok\n"
        );
        let relaying = Trace {
            relaying: Some("it has logged in".into()),
            smarthost: None,
            signers: vec!["202611r (rsa-sha256)".into(), "202611e (ed25519-sha256)".into()],
            ..trace
        };
        let told = text(&request, &relaying);
        assert!(
            told.contains("allowed: it has logged in") && told.contains("through the MX hosts of its domain"),
            "{told}"
        );
        assert!(told.contains("202611r (rsa-sha256) and 202611e (ed25519-sha256), when"), "{told}");
    }
}
