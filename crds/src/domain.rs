//! Domain names as they are written in manifests and compared everywhere: lower-case A-labels without a final dot
//! (RFC 5890 §2.3.2.1). What a name means in DNS is the planner's.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::scalar::{Refusal, Scalar, quote, scalar_traits};

/// RFC 1035 §2.3.4: 255 octets on the wire are at most 253 characters of text.
pub const MAX_DOMAIN: u32 = 253;

/// A fully qualified mail domain or host name: lower-case A-labels, at least two of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// The text, for example `example.test` or `xn--bcher-kva.example`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A default.
    pub(crate) fn of(text: &str) -> DomainName {
        DomainName(text.to_owned())
    }

    /// Reads what a person may write (upper case, U-labels, a final dot) and gives the canonical name.
    pub fn canonical(text: &str) -> Result<DomainName, Refusal> {
        match ascii(text) {
            Some(ascii) => DomainName::parse(&ascii),
            None => DomainName::parse(text),
        }
    }
}

impl Scalar for DomainName {
    const WHAT: &'static str = "a domain name";
    const PATTERN: &'static str = "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$";
    const MAX_LENGTH: u32 = MAX_DOMAIN;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<DomainName, Refusal> {
        check_domain(text)?;
        Ok(DomainName(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(DomainName);

/// The lower-case A-label form of a name, if it has one.
fn ascii(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let ascii =
        Uts46::new().to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow, DnsLength::Verify);
    ascii.ok().map(|ascii| ascii.into_owned())
}

/// Checks a canonical name and explains what is wrong with it.
pub(crate) fn check_domain(text: &str) -> Result<(), Refusal> {
    if let Some(canonical) = ascii(text).filter(|ascii| ascii != text) {
        return Err(Refusal::new(format!(
            "{} is not in its canonical form (lower-case A-labels, no final dot)",
            quote(text)
        ))
        .remedy(format!("write {canonical}")));
    }
    if text.len() > MAX_DOMAIN as usize {
        return Err(Refusal::new(format!(
            "a domain name has at most {MAX_DOMAIN} characters, this one {}",
            text.len()
        )));
    }
    let labels: Vec<&str> = text.split('.').collect();
    if let Some(label) = labels.iter().find(|label| !is_label(label)) {
        return Err(Refusal::new(format!("{} is not a label of a domain name", quote(label))).remedy(
            "labels are 1 to 63 letters, digits and hyphens, and neither start nor end with a hyphen",
        ));
    }
    if labels.len() < 2 {
        return Err(Refusal::new(format!("{} is not fully qualified", quote(text)))
            .remedy(format!("write the whole name, like {text}.example.org")));
    }
    if !labels.last().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_lowercase())) {
        return Err(Refusal::new(format!("{} does not end in a top-level domain", quote(text)))
            .remedy("write a name, not an IP address"));
    }
    if ascii(text).is_none() {
        return Err(Refusal::new(format!("{} has a label that no IDNA name encodes to", quote(text)))
            .remedy("write the name in Unicode to see its A-label form"));
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}
