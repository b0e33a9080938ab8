//! What an SPF record lists (RFC 7208 §5): IPv4 and IPv6 networks, and names of other records, which may have underscores.
//! Whom a server talks with is in `peer`.
//!
//! The bits after the prefix of a network are zero: `10.0.0.1/8` would be the whole network to a program, and one host perhaps to
//! whoever wrote it.

mod peer;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use peer::{RelayHost, Resolver, TrustedNetwork};

use crate::scalar::{Refusal, Scalar, quote, scalar_traits};

/// No bits behind the prefix, and what the network is called that has some.
const MASKED: (&str, &str) = (
    "!isCIDR(self) || cidr(self) == cidr(self).masked()",
    "the bits after the prefix of a network are zero: 10.0.0.0/8, not 10.0.0.1/8",
);
/// By `format`, because an API server takes a text put together with `+` for as long as any text could be.
const MASKED_SAYS: (&str, &str) = (
    MASKED.0,
    "'has bits after its prefix: write %s for the network, or %s for the one host'\
     .format([string(cidr(self).masked()), string(cidr(self).ip())])",
);

/// An IPv4 address or network: `192.0.2.1`, `192.0.2.0/24`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ip4Network(String);

impl Ip4Network {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for Ip4Network {
    const WHAT: &'static str = "an IPv4 address or network";
    const PATTERN: &'static str = "^(0|[1-9][0-9]{0,2})(\\.(0|[1-9][0-9]{0,2})){3}(/[0-9]{1,2})?$";
    const MAX_LENGTH: u32 = 18;
    const RULES: &'static [(&'static str, &'static str)] = &[
        (
            "self.contains('/') ? isCIDR(self) && cidr(self).ip().family() == 4 : isIP(self) && ip(self).family() == 4",
            "must be an IPv4 address or network, like 192.0.2.1 or 192.0.2.0/24",
        ),
        MASKED,
    ];
    const SAYS: &'static [(&'static str, &'static str)] = &[MASKED_SAYS];

    fn parse(text: &str) -> Result<Ip4Network, Refusal> {
        if network(text, 32, |address| address.parse::<Ipv4Addr>().is_ok()) {
            return without_host_bits(text).map(|()| Ip4Network(text.to_owned()));
        }
        Err(Refusal::new(format!("{} is not an IPv4 address or network", quote(text)))
            .remedy("write one like 192.0.2.1 or 192.0.2.0/24"))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(Ip4Network);

/// An IPv6 address or network: `2001:db8::1`, `2001:db8::/32`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ip6Network(String);

impl Ip6Network {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for Ip6Network {
    const WHAT: &'static str = "an IPv6 address or network";
    const PATTERN: &'static str = "^[0-9a-f:]{2,39}(/[0-9]{1,3})?$";
    const MAX_LENGTH: u32 = 43;
    const RULES: &'static [(&'static str, &'static str)] = &[
        (
            "self.contains('/') ? isCIDR(self) && cidr(self).ip().family() == 6 : isIP(self) && ip(self).family() == 6",
            "must be an IPv6 address or network, like 2001:db8::1 or 2001:db8::/32",
        ),
        MASKED,
    ];
    const SAYS: &'static [(&'static str, &'static str)] = &[MASKED_SAYS];

    fn parse(text: &str) -> Result<Ip6Network, Refusal> {
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'.');
        if lower && network(text, 128, is_ipv6) {
            return without_host_bits(text).map(|()| Ip6Network(text.to_owned()));
        }
        Err(Refusal::new(format!("{} is not an IPv6 address or network in lower case", quote(text)))
            .remedy("write one like 2001:db8::1 or 2001:db8::/32"))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(Ip6Network);

/// An IPv4 address in IPv6 clothes is to be written as IPv4 (Kubernetes refuses it too).
fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_ipv4_mapped().is_none())
}

/// Address, and a prefix length without a leading zero where there is one.
fn network(text: &str, longest: u8, is_address: impl Fn(&str) -> bool) -> bool {
    match text.split_once('/') {
        None => is_address(text),
        Some((address, length)) => {
            let plain = length == "0" || !length.starts_with(['0', '+']);
            is_address(address) && plain && length.parse::<u8>().is_ok_and(|length| length <= longest)
        }
    }
}

/// Refuses a well-formed network that has bits after its prefix.
fn without_host_bits(text: &str) -> Result<(), Refusal> {
    let Some((address, network)) = text.split_once('/').and_then(masked) else { return Ok(()) };
    Err(Refusal::new(format!("{} has bits after its prefix", quote(text)))
        .remedy(format!("write {network} for the network, or {address} for the one host")))
}

/// The address and its network, if that is another one.
fn masked((address, length): (&str, &str)) -> Option<(IpAddr, String)> {
    let (address, bits) = (address.parse::<IpAddr>().ok()?, length.parse::<u32>().ok()?);
    let network: IpAddr = match address {
        IpAddr::V4(host) => {
            Ipv4Addr::from_bits(host.to_bits() & !u32::MAX.checked_shr(bits).unwrap_or(0)).into()
        }
        IpAddr::V6(host) => {
            Ipv6Addr::from_bits(host.to_bits() & !u128::MAX.checked_shr(bits).unwrap_or(0)).into()
        }
    };
    (network != address).then(|| (address, format!("{network}/{length}")))
}

/// A name in DNS that need not be a host's: its labels may have underscores, like `_spf.example.org`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordName(String);

impl RecordName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for RecordName {
    const WHAT: &'static str = "a name in DNS";
    const PATTERN: &'static str =
        "^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$";
    const MAX_LENGTH: u32 = 253;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<RecordName, Refusal> {
        let (labels, last) = text.rsplit_once('.').unwrap_or(("", text));
        let well_formed = text.len() <= Self::MAX_LENGTH as usize
            && last.starts_with(|c: char| c.is_ascii_lowercase())
            && is_label(last, "-")
            && labels.split('.').all(|label| is_label(label, "-_"));
        if well_formed {
            return Ok(RecordName(text.to_owned()));
        }
        let refusal = Refusal::new(format!("{} is not a fully qualified name in DNS", quote(text)));
        let lower = text.trim_end_matches('.').to_ascii_lowercase();
        Err(match lower != text && RecordName::parse(&lower).is_ok() {
            true => refusal.remedy(format!("write {lower}")),
            false => refusal.remedy("write one like _spf.example.org"),
        })
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(RecordName);

fn is_label(label: &str, beside: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || beside.contains(c))
        && !label.starts_with('-')
        && !label.ends_with('-')
}
