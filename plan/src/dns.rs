//! The DNS records a domain should have, each with what it is for and how much it matters, and their renderings.
//!
//! Addresses are never invented: the server's A and AAAA records appear only when its addresses are given. DKIM keys
//! come from outside too; signing with them, and looking at what is really published, is not done here.

mod policy;
mod text;
mod zone;

use std::net::IpAddr;

use mailwright_crds::mail_domain::{DkimAlgorithm, Requirement};
use serde::Deserialize;

pub use mailwright_crds::mail_domain::DnsRecord as Record;
pub use policy::mta_sts_policy;
pub use zone::{json, table, zone};

use crate::observed::{DomainDeclared, ServerDeclared};
use text::txt;

/// An hour: short enough to mend a mistake the same morning, long enough not to be asked for each message.
const TTL: i32 = 3600;
/// The ports that the world uses; how they reach the listeners is the network's.
const IMAP_PORT: u16 = 143;
const IMAPS_PORT: u16 = 993;
const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;
/// What the record of a service is for that is switched off, or that there is none of.
const NOT_OFFERED: &str = "says that this service is not offered";
/// Lower than that of IMAPS, so that clients prefer TLS from the first byte (RFC 8314 §3).
const STARTTLS_PRIORITY: u16 = 10;

/// What the records are made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The domain the records are for: `domain` itself or one of its alias domains.
    pub name: &'a str,
    /// What was declared for the domain.
    pub domain: &'a DomainDeclared,
    /// The host name of its server.
    pub hostname: &'a str,
    /// The public DKIM keys of this domain.
    pub dkim: &'a [DkimKey],
    /// What mail clients may use.
    pub services: Services,
    /// The server's addresses as the world sees them.
    pub addresses: &'a [IpAddr],
}

/// A public DKIM key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// The label before `_domainkey`.
    pub selector: String,
    /// Its algorithm.
    pub algorithm: DkimAlgorithm,
    /// SubjectPublicKeyInfo in DER for RSA (RFC 6376 §3.6.1), the bare 32 octets for Ed25519 (RFC 8463 §4.2).
    pub public: Vec<u8>,
}

/// What mail clients may use, by public port. What is `None` is announced as not offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Services {
    /// IMAP with STARTTLS.
    pub imap: Option<u16>,
    /// IMAP with TLS from the first byte.
    pub imaps: Option<u16>,
    /// Sending, with STARTTLS.
    pub submission: Option<u16>,
    /// Sending, with TLS from the first byte.
    pub submissions: Option<u16>,
}

impl Services {
    /// What a server offers, on the ports that the world uses.
    pub fn of(server: &ServerDeclared) -> Self {
        let enabled = |name: &str| server.listeners.get(name).is_some_and(|listener| listener.enabled);
        Self {
            imap: enabled("imap").then_some(IMAP_PORT),
            imaps: enabled("imaps").then_some(IMAPS_PORT),
            submission: enabled("submission").then_some(SUBMISSION_PORT),
            submissions: enabled("submissions").then_some(SUBMISSIONS_PORT),
        }
    }
}

/// The part of a MailDomain that becomes records, read from its row. What an older or newer release wrote and this one
/// cannot read counts as not declared.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Declared {
    pub(crate) dmarc: mailwright_crds::mail_domain::Dmarc,
    pub(crate) spf: mailwright_crds::mail_domain::Spf,
    #[serde(rename = "mtaSTS")]
    pub(crate) mta_sts: mailwright_crds::mail_domain::MtaSts,
    pub(crate) tls_reporting: Option<mailwright_crds::mail_domain::TlsReporting>,
    pub(crate) caa: Option<mailwright_crds::mail_domain::Caa>,
}

impl Declared {
    pub(crate) fn of(domain: &DomainDeclared) -> Self {
        Self::deserialize(&domain.dns).unwrap_or_default()
    }
}

/// The records of a domain, most important first.
pub fn records(input: &Input<'_>) -> Vec<Record> {
    let declared = Declared::of(input.domain);
    let mut records = Vec::new();
    if input.domain.parked {
        parked(input, &declared, &mut records);
    } else {
        reception(input, &mut records);
        authentication(input, &declared, &mut records);
        transport(input, &declared, &mut records);
        clients(input, &mut records);
    }
    issuers(input, &declared, &mut records);
    records
}

fn record(name: String, type_: &str, value: String, requirement: Requirement, purpose: &str) -> Record {
    Record { name, type_: type_.to_owned(), value, ttl: TTL, purpose: purpose.to_owned(), requirement }
}

fn reception(input: &Input<'_>, records: &mut Vec<Record>) {
    let (name, hostname) = (input.name, input.hostname);
    let purpose = "the host that takes mail for the domain";
    records.push(record(name.to_owned(), "MX", format!("10 {hostname}."), Requirement::Required, purpose));
    if is_within(hostname, name) {
        for address in input.addresses {
            let type_ = if address.is_ipv4() { "A" } else { "AAAA" };
            let purpose = "an address of that host";
            records.push(record(
                hostname.to_owned(),
                type_,
                address.to_string(),
                Requirement::Required,
                purpose,
            ));
        }
    }
}

fn authentication(input: &Input<'_>, declared: &Declared, records: &mut Vec<Record>) {
    let name = input.name;
    let mut add = |name: String, text: &str, purpose: &str| {
        records.push(record(name, "TXT", txt(text), Requirement::Recommended, purpose));
    };
    add(name.to_owned(), &policy::spf(&declared.spf), "who may send mail from the domain (SPF, RFC 7208 §3)");
    for key in input.dkim {
        let owner = format!("{}._domainkey.{name}", key.selector);
        add(owner, &policy::dkim(key), "the key that signs mail from the domain (DKIM, RFC 6376 §3.6.1)");
    }
    let purpose = "what to do with mail that only claims to be from the domain (DMARC, RFC 9989 §4.7)";
    add(format!("_dmarc.{name}"), &policy::dmarc(&declared.dmarc), purpose);
    for other in policy::foreign_report_domains(&declared.dmarc, name) {
        let purpose = "lets that domain receive the DMARC reports of this one (RFC 9990 §4)";
        add(format!("{name}._report._dmarc.{other}"), "v=DMARC1;", purpose);
    }
}

fn transport(input: &Input<'_>, declared: &Declared, records: &mut Vec<Record>) {
    let (name, hostname) = (input.name, input.hostname);
    if let Some(policy) = mta_sts_policy(input.domain, hostname) {
        let text = format!("v=STSv1; id={}", policy::mta_sts_id(&policy));
        let purpose = "senders must use TLS; its id changes with the policy (MTA-STS, RFC 8461 §3.1)";
        records.push(record(
            format!("_mta-sts.{name}"),
            "TXT",
            txt(&text),
            Requirement::Recommended,
            purpose,
        ));
        let purpose = "where senders fetch that policy";
        alias_of_host(input, "mta-sts", Requirement::Recommended, purpose, records);
    }
    if let Some(reporting) = &declared.tls_reporting {
        let text = format!("v=TLSRPTv1; rua={}", policy::uris(&reporting.rua));
        let purpose = "where senders report failed TLS connections (RFC 8460 §3)";
        records.push(record(format!("_smtp._tls.{name}"), "TXT", txt(&text), Requirement::Optional, purpose));
    }
}

/// RFC 6186 §3 and RFC 8314 §5.1. A service that is not offered says so with the target `.` (RFC 2782, which numbers no
/// sections, under "Target"; RFC 6186 §3.4).
fn clients(input: &Input<'_>, records: &mut Vec<Record>) {
    let services = [
        (
            "_imaps",
            input.services.imaps,
            0,
            "mail clients read mail here, with TLS from the first byte (RFC 8314 §3.2)",
        ),
        (
            "_imap",
            input.services.imap,
            STARTTLS_PRIORITY,
            "mail clients read mail here, with STARTTLS (RFC 6186 §3.2)",
        ),
        (
            "_submissions",
            input.services.submissions,
            0,
            "mail clients send mail here, with TLS from the first byte (RFC 8314 §3.3)",
        ),
        (
            "_submission",
            input.services.submission,
            STARTTLS_PRIORITY,
            "mail clients send mail here, with STARTTLS (RFC 6186 §3.1)",
        ),
        ("_pop3s", None, 0, NOT_OFFERED),
        ("_pop3", None, 0, NOT_OFFERED),
    ];
    for (service, port, priority, purpose) in services {
        let owner = format!("{service}._tcp.{}", input.name);
        let (value, purpose) = match port {
            Some(port) => (format!("{priority} 1 {port} {}.", input.hostname), purpose),
            None => ("0 0 0 .".to_owned(), NOT_OFFERED),
        };
        records.push(record(owner, "SRV", value, Requirement::Optional, purpose));
    }
    alias_of_host(
        input,
        "autoconfig",
        Requirement::Optional,
        "where mail clients look for their settings",
        records,
    );
}

fn alias_of_host(
    input: &Input<'_>,
    label: &str,
    requirement: Requirement,
    purpose: &str,
    records: &mut Vec<Record>,
) {
    let owner = format!("{label}.{}", input.name);
    // A name with addresses cannot be an alias too (RFC 1034 §3.6.2).
    if owner != input.hostname {
        records.push(record(owner, "CNAME", format!("{}.", input.hostname), requirement, purpose));
    }
}

/// RFC 7505 §3 for mail to the domain; refusals of whatever claims to be from it.
fn parked(input: &Input<'_>, declared: &Declared, records: &mut Vec<Record>) {
    let name = input.name;
    let purpose = "the domain takes no mail (null MX, RFC 7505 §3)";
    records.push(record(name.to_owned(), "MX", "0 .".to_owned(), Requirement::Required, purpose));
    let mut add = |name: String, text: &str, requirement, purpose: &str| {
        records.push(record(name, "TXT", txt(text), requirement, purpose));
    };
    add(
        name.to_owned(),
        "v=spf1 -all",
        Requirement::Required,
        "nobody may send mail from the domain (SPF, RFC 7208 §10.1.2)",
    );
    let purpose = "no key signs for the domain (an empty p= is a revoked key, RFC 6376 §3.6.1)";
    add(format!("*._domainkey.{name}"), "v=DKIM1; p=", Requirement::Optional, purpose);
    let purpose = "mail that claims to be from the domain is refused (DMARC, RFC 9989 §4.7)";
    add(format!("_dmarc.{name}"), &policy::dmarc_reject(&declared.dmarc), Requirement::Recommended, purpose);
}

fn issuers(input: &Input<'_>, declared: &Declared, records: &mut Vec<Record>) {
    for issuer in declared.caa.iter().flat_map(|caa| &caa.issuers) {
        let value = format!("0 issue {}", text::quoted(issuer.as_str().as_bytes()));
        let purpose = "who may issue certificates for the domain (RFC 8659 §4.2)";
        records.push(record(input.name.to_owned(), "CAA", value, Requirement::Optional, purpose));
    }
}

/// Whether a name belongs into the zone of a domain.
pub(crate) fn is_within(name: &str, domain: &str) -> bool {
    name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}
