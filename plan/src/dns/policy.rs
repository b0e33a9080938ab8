//! What SPF, DKIM, DMARC and MTA-STS records say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailwright_crds::Address;
use mailwright_crds::mail_domain::{DkimAlgorithm, Dmarc, DmarcPolicy, MtaStsMode, Spf, SpfAll};

use super::{Declared, DkimKey, is_within};
use crate::observed::DomainDeclared;

/// Hexadecimal digits of a policy's id; RFC 8461 §3.1 allows 32.
const ID_DIGITS: usize = 20;

/// RFC 7208 §4.5, §5: the hosts of the MX record, then whoever else is declared.
pub(super) fn spf(spf: &Spf) -> String {
    let mut terms = vec!["v=spf1".to_owned(), "mx".to_owned()];
    terms.extend(spf.ip4.iter().map(|network| format!("ip4:{}", network.as_str())));
    terms.extend(spf.ip6.iter().map(|network| format!("ip6:{}", network.as_str())));
    terms.extend(spf.include.iter().map(|name| format!("include:{}", name.as_str())));
    terms.push(match spf.all {
        SpfAll::SoftFail => "~all".to_owned(),
        SpfAll::Fail => "-all".to_owned(),
        SpfAll::Neutral => "?all".to_owned(),
    });
    terms.join(" ")
}

/// RFC 6376 §3.6.1, and RFC 8463 §4.2 for Ed25519.
pub(super) fn dkim(key: &DkimKey) -> String {
    let kind = match key.algorithm {
        DkimAlgorithm::Rsa2048 => "rsa",
        DkimAlgorithm::Ed25519 => "ed25519",
    };
    format!("v=DKIM1; k={kind}; p={}", STANDARD.encode(&key.public))
}

/// RFC 9989 §4.7.
pub(super) fn dmarc(dmarc: &Dmarc) -> String {
    let mut tags = vec!["v=DMARC1".to_owned(), format!("p={}", word(dmarc.policy))];
    tags.extend(dmarc.subdomain_policy.map(|policy| format!("sp={}", word(policy))));
    if !dmarc.rua.is_empty() {
        tags.push(format!("rua={}", uris(&dmarc.rua)));
    }
    tags.join("; ")
}

/// For a parked domain: whatever is declared, nothing from it is wanted.
pub(super) fn dmarc_reject(declared: &Dmarc) -> String {
    dmarc(&Dmarc { policy: DmarcPolicy::Reject, subdomain_policy: None, rua: declared.rua.clone() })
}

fn word(policy: DmarcPolicy) -> &'static str {
    match policy {
        DmarcPolicy::None => "none",
        DmarcPolicy::Quarantine => "quarantine",
        DmarcPolicy::Reject => "reject",
    }
}

/// The domains that get reports about `name` and must agree to it, each once.
pub(super) fn foreign_report_domains(dmarc: &Dmarc, name: &str) -> Vec<String> {
    let mut domains: Vec<String> = dmarc.rua.iter().map(|address| address.domain().to_owned()).collect();
    domains.retain(|domain| !is_within(domain, name) && !is_within(name, domain));
    domains.sort();
    domains.dedup();
    domains
}

/// Addresses as a list of `mailto:` URIs.
pub(super) fn uris(addresses: &[Address]) -> String {
    let uris: Vec<String> =
        addresses.iter().map(|address| format!("mailto:{}", encoded(address.as_str()))).collect();
    uris.join(",")
}

/// RFC 6068 §2, and RFC 9989 §4.7 for `!` and `,`, which separate sizes and URIs there.
fn encoded(address: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@+".contains(&byte);
    address
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The policy that `https://mta-sts.<domain>/.well-known/mta-sts.txt` must serve (RFC 8461 §3.2); `None` without one.
pub fn mta_sts_policy(domain: &DomainDeclared, hostname: &str) -> Option<String> {
    let declared = Declared::of(domain).mta_sts;
    let mode = match declared.mode {
        MtaStsMode::None => return None,
        MtaStsMode::Testing => "testing",
        MtaStsMode::Enforce => "enforce",
    };
    let max_age = declared.max_age.as_secs();
    Some(format!("version: STSv1\r\nmode: {mode}\r\nmx: {hostname}\r\nmax_age: {max_age}\r\n"))
}

/// RFC 8461 §3.1: changes whenever the policy does.
pub(super) fn mta_sts_id(policy: &str) -> String {
    blake3::hash(policy.as_bytes()).to_hex()[..ID_DIGITS].to_owned()
}
