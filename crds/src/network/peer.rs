//! Who a server talks with beside its users: networks that it trusts, its smarthost, and the name servers it asks.

use std::net::{IpAddr, SocketAddr};

use super::{MASKED, MASKED_SAYS, is_label, network, without_host_bits};
use crate::scalar::{Refusal, Scalar, quote, scalar_traits};

/// The shortest prefixes that networks of one's own have (10.0.0.0/8; fc00::/7, RFC 4193 §3.1). Shorter ones are the
/// Internet, and trusting it makes an open relay.
const SHORTEST_IPV4: u8 = 8;
const SHORTEST_IPV6: u8 = 7;

/// A network whose hosts may relay: `10.42.0.0/16`, `2001:db8:7::/48`, `192.0.2.7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustedNetwork(String);

impl TrustedNetwork {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for TrustedNetwork {
    const WHAT: &'static str = "an IP address or network";
    const PATTERN: &'static str =
        "^((0|[1-9][0-9]{0,2})(\\.(0|[1-9][0-9]{0,2})){3}|[0-9a-f:]{2,39})(/[0-9]{1,3})?$";
    const MAX_LENGTH: u32 = 43;
    const RULES: &'static [(&'static str, &'static str)] = &[
        (
            "self.contains('/') ? isCIDR(self) : isIP(self)",
            "must be an IP address or network, like 192.0.2.7 or 10.42.0.0/16",
        ),
        (
            "!isCIDR(self) || cidr(self).prefixLength() >= (cidr(self).ip().family() == 4 ? 8 : 7)",
            "a network of one's own has a prefix of at least /8 (IPv4) or /7 (IPv6): a shorter one makes an open relay",
        ),
        MASKED,
    ];
    const SAYS: &'static [(&'static str, &'static str)] = &[MASKED_SAYS];

    fn parse(text: &str) -> Result<TrustedNetwork, Refusal> {
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let longest = if text.contains(':') { 128 } else { 32 };
        if !lower || !network(text, longest, |address| ip(address).is_some()) {
            return Err(Refusal::new(format!("{} is not an IP address or network", quote(text)))
                .remedy("write one like 192.0.2.7 or 10.42.0.0/16"));
        }
        let shortest = if text.contains(':') { SHORTEST_IPV6 } else { SHORTEST_IPV4 };
        let length = text.split_once('/').and_then(|(_, length)| length.parse::<u8>().ok());
        if length.is_some_and(|length| length < shortest) {
            return Err(Refusal::new(format!(
                "{} is a part of the Internet: that makes an open relay",
                quote(text)
            ))
            .remedy(format!("name networks of your own, /{shortest} or longer")));
        }
        without_host_bits(text).map(|()| TrustedNetwork(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(TrustedNetwork);

/// An address that is not an IPv4 one in IPv6 clothes, which would be written as IPv4.
fn ip(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    let dotted = text.contains(':') && text.contains('.');
    let mapped = matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    (!dotted && !mapped).then_some(address)
}

/// The host of a smarthost: a name, which may have one label as in a cluster or on this host, or an IP address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayHost(String);

impl RelayHost {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for RelayHost {
    const WHAT: &'static str = "a host name or IP address";
    const PATTERN: &'static str =
        "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*|[0-9a-f]*:[0-9a-f:]*)$";
    const MAX_LENGTH: u32 = 253;
    const RULES: &'static [(&'static str, &'static str)] = &[(
        "!(self.contains(':') || self.matches('(^|[.])[0-9]+$')) || isIP(self)",
        "must be a host name or an IP address, like smtp.example.org or 192.0.2.7",
    )];

    fn parse(text: &str) -> Result<RelayHost, Refusal> {
        let last = text.rsplit('.').next().unwrap_or(text);
        let numeric = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
        let well_formed = match text.contains(':') || numeric {
            true => !text.bytes().any(|byte| byte.is_ascii_uppercase()) && ip(text).is_some(),
            false => {
                text.len() <= Self::MAX_LENGTH as usize && text.split('.').all(|label| is_label(label, "-"))
            }
        };
        if well_formed {
            return Ok(RelayHost(text.to_owned()));
        }
        let refusal = Refusal::new(format!("{} is not a host name or IP address", quote(text)));
        let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
        let with_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        Err(match with_port && RelayHost::parse(host).is_ok() {
            true => refusal.remedy(format!("write host: {host} and port: {port}")),
            false => refusal.remedy("write one like smtp.example.org or 192.0.2.7, in lower case"),
        })
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(RelayHost);

/// The port of name servers, where none is given.
const DNS_PORT: u16 = 53;

/// A name server: `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`, `[2001:db8::53]:5353`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resolver {
    text: String,
    address: SocketAddr,
}

impl Resolver {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it is asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Scalar for Resolver {
    const WHAT: &'static str = "the address of a name server";
    const PATTERN: &'static str = "^([0-9]{1,3}(\\.[0-9]{1,3}){3}(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?|[0-9a-f:]{2,39}|\\[[0-9a-f:]{2,39}\\](:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?)$";
    const MAX_LENGTH: u32 = 47;
    const RULES: &'static [(&'static str, &'static str)] = &[(
        "self.startsWith('[') ? isIP(self.substring(1, self.indexOf(']'))) : \
         self.contains('.') ? isIP(self.split(':')[0]) : isIP(self)",
        "must be the IP address of a name server, like 192.0.2.53 or 192.0.2.53:5353",
    )];

    fn parse(text: &str) -> Result<Resolver, Refusal> {
        let address = socket(text).ok_or_else(|| {
            Refusal::new(format!("{} is not the address of a name server", quote(text)))
                .remedy("write its IP address, like 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53")
        })?;
        Ok(Resolver { text: text.to_owned(), address })
    }

    fn as_text(&self) -> &str {
        &self.text
    }
}

scalar_traits!(Resolver);

/// An address with or without a port; IPv6 with one is in brackets (RFC 3986 §3.2.2).
fn socket(text: &str) -> Option<SocketAddr> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(host, _)| host.contains(':'))?,
        None if text.contains('.') => text.split_at(text.find(':').unwrap_or(text.len())),
        None => (text, ""),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.starts_with(|c: char| ('1'..='9').contains(&c)) => digits.parse().ok()?,
        None if port.is_empty() => DNS_PORT,
        _ => return None,
    };
    Some(SocketAddr::new(ip(host)?, port))
}
