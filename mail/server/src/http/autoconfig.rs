//! Autoconfiguration for Thunderbird and those who copied its format
//! (<https://www.bucksch.org/1/projects/thunderbird/autoconfiguration/>): lists the services that really run, on the
//! ports they really have, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mailwright_flow::address::canonical_domain;
use mailwright_store::Recipient;
use serde::Deserialize;

use super::host;
use crate::config::{Endpoint, Protocol, TlsMode};
use crate::context::Context;

/// The query that Thunderbird adds.
#[derive(Deserialize)]
pub(super) struct Asked {
    emailaddress: Option<String>,
}

/// `http://autoconfig.<domain>/mail/config-v1.1.xml?emailaddress=alice@<domain>`.
pub(super) async fn config(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let hostname = context.settings.load().config.hostname.clone();
    for domain in candidates(asked.emailaddress.as_deref(), host(&headers)) {
        if !is_served(&context, &domain).await {
            continue;
        }
        if let Some(xml) = document(&domain, &hostname, &context.endpoints()) {
            return ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], xml).into_response();
        }
    }
    (StatusCode::NOT_FOUND, "no mail is served for this domain\n").into_response()
}

/// The domain of the address, then the one in the host name.
fn candidates(address: Option<&str>, host: Option<String>) -> Vec<String> {
    let of_address =
        address.and_then(|address| address.rsplit_once('@')).map(|(_, domain)| domain.to_owned());
    let of_host = host.map(|host| host.strip_prefix("autoconfig.").map(str::to_owned).unwrap_or(host));
    of_address.into_iter().chain(of_host).filter_map(|domain| canonical_domain(&domain)).collect()
}

async fn is_served(context: &Context, domain: &str) -> bool {
    let found = context.store.accounts().lookup_recipient(&format!("@{domain}")).await;
    !matches!(found, Err(_) | Ok(Recipient::NoSuchDomain | Recipient::ParkedDomain))
}

/// The document; `None` when no service runs that a mail program could use with a password.
fn document(domain: &str, hostname: &str, endpoints: &[Endpoint]) -> Option<String> {
    // Implicit TLS first: programs take the first that works (RFC 8314 §3).
    let (mut incoming, mut outgoing) = (BTreeSet::new(), BTreeSet::new());
    for endpoint in endpoints {
        match (endpoint.protocol, endpoint.tls) {
            (Protocol::Imaps, TlsMode::Implicit) => incoming.insert((0, "SSL", endpoint.address.port())),
            (Protocol::Imap, TlsMode::StartTls) => incoming.insert((1, "STARTTLS", endpoint.address.port())),
            (Protocol::Submissions, TlsMode::Implicit) => {
                outgoing.insert((0, "SSL", endpoint.address.port()))
            }
            (Protocol::Submission, TlsMode::StartTls) => {
                outgoing.insert((1, "STARTTLS", endpoint.address.port()))
            }
            _ => false,
        };
    }
    if incoming.is_empty() {
        return None;
    }
    let (domain, hostname) = (escape(domain), escape(hostname));
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n  <emailProvider id=\"{domain}\">\n    \
         <domain>{domain}</domain>\n    <displayName>{domain}</displayName>\n    \
         <displayShortName>{domain}</displayShortName>\n"
    );
    for (_, socket_type, port) in incoming {
        xml.push_str(&format!(
            "    <incomingServer type=\"imap\">\n      <hostname>{hostname}</hostname>\n      <port>{port}</port>\n      \
             <socketType>{socket_type}</socketType>\n      <authentication>password-cleartext</authentication>\n      \
             <username>%EMAILADDRESS%</username>\n    </incomingServer>\n"
        ));
    }
    for (_, socket_type, port) in outgoing {
        xml.push_str(&format!(
            "    <outgoingServer type=\"smtp\">\n      <hostname>{hostname}</hostname>\n      <port>{port}</port>\n      \
             <socketType>{socket_type}</socketType>\n      <authentication>password-cleartext</authentication>\n      \
             <username>%EMAILADDRESS%</username>\n    </outgoingServer>\n"
        ));
    }
    xml.push_str("  </emailProvider>\n</clientConfig>\n");
    Some(xml)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(protocol: Protocol, port: u16, tls: TlsMode) -> Endpoint {
        Endpoint { protocol, address: ([127, 0, 0, 1], port).into(), tls }
    }

    #[test]
    fn only_what_runs_is_listed_and_tls_comes_first() {
        let all = [
            endpoint(Protocol::Smtp, 2525, TlsMode::StartTls),
            endpoint(Protocol::Imap, 1143, TlsMode::StartTls),
            endpoint(Protocol::Imaps, 1993, TlsMode::Implicit),
            endpoint(Protocol::Http, 8080, TlsMode::None),
        ];
        let ports = |endpoints: &[Endpoint]| -> Option<Vec<String>> {
            let xml = document("example.test", "mail.example.test", endpoints)?;
            let port =
                |line: &str| line.trim().strip_prefix("<port>")?.strip_suffix("</port>").map(str::to_owned);
            Some(xml.lines().filter_map(port).collect())
        };
        assert_eq!(ports(&all), Some(vec!["1993".into(), "1143".into()]));
        assert_eq!(ports(&all[..2]), Some(vec!["1143".into()]));
        assert_eq!(ports(&all[..1]), None);
        assert_eq!(ports(&[endpoint(Protocol::Imap, 1143, TlsMode::None)]), None, "no login without TLS");
    }

    #[test]
    fn domains_come_from_the_address_or_the_host() {
        let host = |name: &str| Some(name.to_owned());
        for (address, host, expected) in [
            (Some("alice@example.test"), None, vec!["example.test"]),
            (Some("alice@Example.TEST"), host("autoconfig.example.org"), vec!["example.test", "example.org"]),
            (None, host("example.org"), vec!["example.org"]),
            (Some("not an address"), None, vec![]),
            (None, None, vec![]),
        ] {
            assert_eq!(candidates(address, host.clone()), expected, "{address:?} {host:?}");
        }
    }

    #[test]
    fn text_cannot_break_out_of_the_document() {
        assert_eq!(escape("a<b>&\"c"), "a&lt;b&gt;&amp;&quot;c");
    }
}
