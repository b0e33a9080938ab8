//! What `up` prints before it serves and when it is ready: one table of where everything is.

use std::net::IpAddr;

use mailwright_operator::Serving;
use mailwright_operator::platform::local::Local;
use mailwright_server::{Protocol, Server, TlsMode};

use crate::terminal;

/// Who this is, and, on loopback, that it is for trying out.
pub fn banner(source: &str, bind: &[IpAddr]) {
    terminal::print(&format!(
        "{} follows {}\n",
        terminal::bold(concat!("Mailwright ", env!("CARGO_PKG_VERSION"))),
        source
    ));
    if bind.iter().all(IpAddr::is_loopback) {
        terminal::print(
            "It listens on loopback only: for trying out, and for machines behind it. --bind opens other addresses.\n",
        );
    }
    terminal::print("\n");
}

/// The table of what is ready.
pub fn print(server: &Server, serving: &Serving, platform: &Local, webhook: Option<&str>) {
    let mut rows = Vec::new();
    for endpoint in server.endpoints() {
        let (what, tls) = match endpoint.protocol {
            Protocol::Smtp => ("SMTP, mail for the domains below", endpoint.tls),
            Protocol::Submission | Protocol::Submissions => ("SMTP, mail programs send here", endpoint.tls),
            Protocol::Lmtp => ("LMTP, mail from another MTA", endpoint.tls),
            Protocol::Imap | Protocol::Imaps => ("IMAP, mail programs read here", endpoint.tls),
            Protocol::Http => ("HTTP: /readyz, /livez, /metrics", endpoint.tls),
        };
        rows.push(vec![what.to_owned(), format!("{} {}", endpoint.address, encryption(tls))]);
    }
    if let Some(url) = webhook {
        rows.push(vec!["Webhook to tell the forge".into(), url.to_owned()]);
    }
    let name = serving.server.name.rsplit('/').next().unwrap_or_default();
    let certificate = match serving.certificate {
        Some(_) => platform.certificate_path(name).display().to_string(),
        None => "none yet: no TLS and no login until there is one".into(),
    };
    rows.push(vec!["Certificate to trust".into(), certificate]);
    for domain in &serving.domains {
        rows.push(vec![format!("DNS records of {domain}"), platform.zone_path(domain).display().to_string()]);
    }
    rows.push(vec!["Log in".into(), log_in(serving)]);
    rows.push(vec!["Mail to other servers".into(), outgoing(serving)]);
    rows.push(vec![
        "Look around".into(),
        "mailwright get all · mailwright queue list · mailwright dns".into(),
    ]);
    terminal::print(&format!("{}\n", terminal::bold("Ready")));
    terminal::print(&format!("{}\n", terminal::boxed_table(&[], rows)));
}

fn outgoing(serving: &Serving) -> String {
    match &serving.server.relay {
        None => "goes to the MX hosts of each domain".into(),
        Some(relay) if relay.secret().is_some() && serving.relay_login.is_none() => {
            format!("goes through {}:{}, whose Secret is not there", relay.host, relay.port)
        }
        Some(relay) => format!("goes through {}:{}", relay.host, relay.port),
    }
}

fn log_in(serving: &Serving) -> String {
    match &serving.login_example {
        Some(address) => format!("{address} with the password of its Secret, user name = address"),
        None => "no mailbox has a password yet; `mailwright passwd ADDRESS` sets one".into(),
    }
}

fn encryption(tls: TlsMode) -> &'static str {
    match tls {
        TlsMode::None => "",
        TlsMode::StartTls => "(STARTTLS)",
        TlsMode::Implicit => "(TLS)",
    }
}
