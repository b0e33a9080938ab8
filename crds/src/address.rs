//! E-mail addresses as manifests declare them: canonical, that is lower-case with an A-label domain, so that comparing two
//! is comparing texts. Quoted local parts and address literals (RFC 5321 §4.1.2) are for the protocol, not for accounts.

use crate::domain::{DomainName, check_domain};
use crate::scalar::{Refusal, Scalar, quote, scalar_traits};

/// RFC 5321 §4.5.3.1.1: a local part has at most 64 octets.
pub const MAX_LOCAL_PART: usize = 64;
/// RFC 5321 §4.5.3.1.3: a path has at most 256 octets, two of which are its angle brackets.
pub const MAX_ADDRESS: u32 = 254;

/// A canonical e-mail address: lower-case dot-atom local part (UTF-8 as RFC 6531 §3.3 extends it), A-label domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

impl Address {
    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is before the `@`.
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    /// What is after the `@`.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// Reads what a person may write (upper case, U-label domain) and gives the canonical address.
    pub fn canonical(text: &str) -> Result<Address, Refusal> {
        Address::parse(&canonical(text).unwrap_or_else(|| text.to_owned()))
    }

    /// Puts an address together from a local part and a domain.
    pub fn from_parts(local_part: &str, domain: &DomainName) -> Result<Address, Refusal> {
        Address::parse(&format!("{}@{domain}", local_part.to_ascii_lowercase()))
    }
}

impl Scalar for Address {
    const WHAT: &'static str = "an e-mail address";
    const PATTERN: &'static str = "^([a-z0-9!#$%&'*+/=?^_`{|}~-]|[^\\x00-\\x7F])+(\\.([a-z0-9!#$%&'*+/=?^_`{|}~-]|[^\\x00-\\x7F])+)*@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$";
    const MAX_LENGTH: u32 = MAX_ADDRESS;
    const RULES: &'static [(&'static str, &'static str)] = &[(
        "size(bytes(self)) <= 254 && size(bytes(self.split('@')[0])) <= 64",
        "an address has at most 254 octets, its local part at most 64",
    )];

    fn parse(text: &str) -> Result<Address, Refusal> {
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(Refusal::new(format!("{} is not an e-mail address: it has no @", quote(text)))
                .remedy("write local-part@domain"));
        };
        if let Some(canonical) = canonical(text).filter(|canonical| canonical != text) {
            return Err(Refusal::new(format!(
                "{} is not in its canonical form (lower case, A-label domain)",
                quote(text)
            ))
            .remedy(format!("write {canonical}")));
        }
        check_local_part(local)?;
        check_domain(domain)?;
        if text.len() > MAX_ADDRESS as usize {
            return Err(Refusal::new(format!(
                "an address has at most {MAX_ADDRESS} octets, this one {}",
                text.len()
            )));
        }
        Ok(Address { text: text.to_owned(), at: local.len() })
    }

    fn as_text(&self) -> &str {
        &self.text
    }
}

scalar_traits!(Address);

/// What an alias answers for: one address, or every address of a domain that nothing else answers for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasAddress(String);

impl AliasAddress {
    /// `list@example.test` or `@example.test`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is before the `@`; `None` for a catch-all.
    pub fn local_part(&self) -> Option<&str> {
        self.0.rsplit_once('@').map(|(local, _)| local).filter(|local| !local.is_empty())
    }

    /// What is after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// True for `@domain`.
    pub fn is_catch_all(&self) -> bool {
        self.0.starts_with('@')
    }

    /// The address, unless this is a catch-all.
    pub fn address(&self) -> Option<Address> {
        Address::parse(&self.0).ok()
    }
}

impl From<Address> for AliasAddress {
    fn from(address: Address) -> AliasAddress {
        AliasAddress(address.text)
    }
}

impl Scalar for AliasAddress {
    const WHAT: &'static str = "an e-mail address or @domain";
    const PATTERN: &'static str = "^(([a-z0-9!#$%&'*+/=?^_`{|}~-]|[^\\x00-\\x7F])+(\\.([a-z0-9!#$%&'*+/=?^_`{|}~-]|[^\\x00-\\x7F])+)*)?@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$";
    const MAX_LENGTH: u32 = MAX_ADDRESS;
    const RULES: &'static [(&'static str, &'static str)] = Address::RULES;

    fn parse(text: &str) -> Result<AliasAddress, Refusal> {
        match text.strip_prefix('@') {
            Some(domain) => check_domain(domain).map_err(|refusal| match DomainName::canonical(domain) {
                Ok(domain) => refusal.remedy(format!("write @{domain}")),
                Err(_) => refusal,
            })?,
            None => {
                Address::parse(text)?;
            }
        }
        Ok(AliasAddress(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(AliasAddress);

/// Lower-case local part and A-label domain, where the domain has such a form.
fn canonical(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let domain = DomainName::canonical(domain).ok()?;
    Some(format!("{}@{domain}", local.to_ascii_lowercase()))
}

fn check_local_part(local: &str) -> Result<(), Refusal> {
    if local.len() > MAX_LOCAL_PART {
        return Err(Refusal::new(format!(
            "a local part has at most {MAX_LOCAL_PART} octets, this one {}",
            local.len()
        )));
    }
    if local.split('.').any(str::is_empty) {
        return Err(Refusal::new(format!(
            "{} is not a local part: a dot needs characters on both sides",
            quote(local)
        )));
    }
    match local.chars().find(|c| !is_local_char(*c)) {
        Some(c) => Err(Refusal::new(format!("a local part cannot have {c:?} in it"))
            .remedy("use lower-case letters, digits, dots and any of !#$%&'*+/=?^_`{|}~-")),
        None => Ok(()),
    }
}

/// RFC 5322 §3.2.3 `atext` in lower case, and RFC 6531 §3.3 UTF-8 beside it.
fn is_local_char(c: char) -> bool {
    c == '.'
        || c.is_ascii_lowercase()
        || c.is_ascii_digit()
        || "!#$%&'*+/=?^_`{|}~-".contains(c)
        || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_spelling_has_one_canonical_form(local in "[a-zA-Z0-9+_-]{1,20}", label in "[a-zA-Zäößéα]{1,12}", tld in "(test|Example|ORG)") {
            let written = format!("{local}@{label}.{tld}");
            let Ok(address) = Address::canonical(&written) else { return Ok(()) };
            prop_assert_eq!(&Address::canonical(address.as_str()).unwrap(), &address);
            prop_assert_eq!(&Address::parse(address.as_str()).unwrap(), &address);
            prop_assert_eq!(address.local_part(), local.to_ascii_lowercase());
            let shouted = written.to_ascii_uppercase();
            prop_assert_eq!(Address::canonical(&shouted).unwrap(), address);
        }

        #[test]
        fn parts_make_the_whole(local in "[a-z0-9]{1,10}(\\.[a-z0-9]{1,10}){0,2}", domain in "[a-z]{1,10}\\.(test|example)") {
            let domain = DomainName::parse(&domain).unwrap();
            let address = Address::from_parts(&local, &domain).unwrap();
            prop_assert_eq!(address.as_str(), format!("{}@{}", address.local_part(), address.domain()));
            let alias = AliasAddress::from(address.clone());
            prop_assert_eq!(alias.address().unwrap(), address);
            let all = AliasAddress::parse(&format!("@{domain}")).unwrap();
            prop_assert_eq!(all.domain(), domain.as_str());
        }
    }
}
