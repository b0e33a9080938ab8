//! Canonical addresses: what the account database is keyed by.
//!
//! Domains become lower-case A-labels (RFC 5890 §2.3.2.1). Local parts are compared without regard to ASCII case: RFC 5321
//! §2.4 leaves their meaning to the receiving host, and this is the receiving host. The subaddress follows the first
//! `+` (RFC 5233 §4). The grammar itself is mailwright-smtp's.

use std::fmt;

use mailwright_smtp::{Domain, ForwardPath, Mailbox, ReversePath};

use crate::reason::Reason;

/// A canonical address without quoting: local part in lower case (ASCII), domain in lower-case A-labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// The canonical form of `local@domain`; `None` when it is no address or its domain is no domain name.
    pub fn parse(text: &str) -> Option<Address> {
        Address::of_mailbox(&Mailbox::parse(text).ok()?)
    }

    /// The canonical form of an envelope address; `None` when its domain is no domain name.
    pub fn of_mailbox(mailbox: &Mailbox) -> Option<Address> {
        let Domain::Name(name) = mailbox.domain() else { return None };
        let local = mailbox.local_part().as_str().to_ascii_lowercase();
        Some(Address { local, domain: canonical_domain(name)? })
    }

    /// The local part.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The same address in another domain; `None` when that is none.
    pub(crate) fn in_domain(self, domain: &str) -> Option<Address> {
        Some(Address { domain: canonical_domain(domain)?, ..self })
    }

    /// The address without its subaddress detail.
    pub fn without_detail(&self) -> Address {
        let (local, _) = split_detail(&self.local);
        Address { local: local.to_owned(), domain: self.domain.clone() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// The envelope sender as policy sees it: `None` is the null sender.
pub type Sender = Option<Address>;

/// The canonical sender of a reverse-path; one whose domain is no domain name counts as the null sender: it is on no list.
pub fn sender(path: &ReversePath) -> Sender {
    match path {
        ReversePath::Null => None,
        ReversePath::Mailbox(mailbox) => Address::of_mailbox(mailbox),
    }
}

/// One envelope recipient in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recipient {
    local: String,
    detail: Option<String>,
    domain: String,
    /// The local part as it was written, quoted where it must be: another host may see a meaning in its case.
    written: String,
}

impl Recipient {
    /// The recipient of an RCPT; `<postmaster>` without a domain is the one of `default_domain` (RFC 5321 §4.5.1).
    pub fn of(path: &ForwardPath, default_domain: &str) -> Result<Recipient, Reason> {
        match path {
            ForwardPath::Postmaster => {
                let domain = canonical_domain(default_domain).ok_or(Reason::Internal)?;
                let local = "postmaster".to_owned();
                Ok(Recipient { written: local.clone(), local, detail: None, domain })
            }
            ForwardPath::Mailbox(mailbox) => Recipient::of_mailbox(mailbox),
        }
    }

    /// The recipient named by a mailbox; an address literal is refused, since no domain of ours is one.
    pub fn of_mailbox(mailbox: &Mailbox) -> Result<Recipient, Reason> {
        let Domain::Name(name) = mailbox.domain() else { return Err(Reason::NoRelay) };
        let domain = canonical_domain(name).ok_or(Reason::NoRelay)?;
        let (local, detail) = split_detail(mailbox.local_part().as_str());
        Ok(Recipient {
            local: local.to_ascii_lowercase(),
            detail: detail.map(str::to_owned),
            domain,
            written: mailbox.local_part().to_string(),
        })
    }

    /// The recipient named by a text, such as the target of an alias; `None` when it is no address.
    pub fn parse(text: &str) -> Option<Recipient> {
        Recipient::of_mailbox(&Mailbox::parse(text).ok()?).ok()
    }

    /// The local part before the detail.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The subaddress detail, in the case it was sent.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The address without the detail.
    pub fn address(&self) -> Address {
        Address { local: self.local.clone(), domain: self.domain.clone() }
    }

    /// The address with the detail, in lower case like all of it.
    pub fn full_address(&self) -> Address {
        let local = match &self.detail {
            Some(detail) => format!("{}{DETAIL}{}", self.local, detail.to_ascii_lowercase()),
            None => self.local.clone(),
        };
        Address { local, domain: self.domain.clone() }
    }

    /// The address for another host: its local part as it was written (RFC 5321 §2.4), its domain in A-labels.
    pub fn wire(&self) -> String {
        format!("{}@{}", self.written, self.domain)
    }

    /// The same recipient in another domain.
    pub(crate) fn in_domain(self, domain: &str) -> Option<Recipient> {
        Some(Recipient { domain: canonical_domain(domain)?, ..self })
    }
}

/// What separates the detail from the local part (RFC 5233 §4: chosen by the implementation).
const DETAIL: char = '+';

/// Splits at the first separator. Nothing in front of it is no local part, so then there is no detail.
fn split_detail(local: &str) -> (&str, Option<&str>) {
    match local.split_once(DETAIL) {
        Some((user, detail)) if !user.is_empty() => (user, Some(detail)),
        _ => (local, None),
    }
}

/// The lower-case A-label form of a domain name (RFC 5891 §4, by way of UTS 46); `None` when it is not one.
///
/// The mapping may turn letters of other widths into dots and signs, so its result is held against the grammar again.
pub fn canonical_domain(domain: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii(domain).ok()?;
    mailwright_smtp::grammar::domain_name(&ascii).is_ok().then_some(ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<(&str, Option<&str>, &str), Reason>) {
        let got = Recipient::of_mailbox(&Mailbox::parse(text).unwrap());
        let got = got.map(|r| (r.local().to_owned(), r.detail().map(str::to_owned), r.domain().to_owned()));
        let expected = expected.map(|(l, d, n)| (l.to_owned(), d.map(str::to_owned), n.to_owned()));
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn recipients() {
        check("Alice@EXAMPLE.test", Ok(("alice", None, "example.test")));
        check("alice+Tag@example.test", Ok(("alice", Some("Tag"), "example.test")));
        check("alice+a+b@example.test", Ok(("alice", Some("a+b"), "example.test")));
        check("alice+@example.test", Ok(("alice", Some(""), "example.test")));
        check("+tag@example.test", Ok(("+tag", None, "example.test")));
        check("\"Al Ice+x\"@example.test", Ok(("al ice", Some("x"), "example.test")));
        check("ÄB@Bücher.example", Ok(("Äb", None, "xn--bcher-kva.example")));
        check("a@XN--BCHER-KVA.example", Ok(("a", None, "xn--bcher-kva.example")));
        check("a@ｅｘａｍｐｌｅ.test", Ok(("a", None, "example.test")));
        check("a@[192.0.2.1]", Err(Reason::NoRelay));
        check("a@[IPv6:2001:db8::1]", Err(Reason::NoRelay));
        check("a@xn--a", Err(Reason::NoRelay));
        // FULLWIDTH SOLIDUS and TWO DOT LEADER map to what no domain has.
        check("a@b／c.test", Err(Reason::NoRelay));
        check("a@b‥c", Err(Reason::NoRelay));
    }

    #[test]
    fn addresses() {
        let recipient = Recipient::parse("Alice+Tag@Example.test").unwrap();
        assert_eq!(recipient.address().to_string(), "alice@example.test");
        assert_eq!(recipient.full_address().to_string(), "alice+tag@example.test");
        let address = Address::parse("Alice+Tag@Example.test").unwrap();
        assert_eq!(address, recipient.full_address());
        assert_eq!(address.without_detail(), recipient.address());
        assert_eq!((address.local(), address.domain()), ("alice+tag", "example.test"));
        for text in ["", "alice", "@example.test", "alice@[192.0.2.1]", "alice@example.test."] {
            assert_eq!(Address::parse(text), None, "{text}");
            assert_eq!(Recipient::parse(text), None, "{text}");
        }
        assert_eq!(recipient.in_domain("B.test").unwrap().full_address().to_string(), "alice+tag@b.test");
    }

    /// RFC 5321 §4.1.1.3 and §4.5.1.
    #[test]
    fn postmaster_without_a_domain() {
        let recipient = Recipient::of(&ForwardPath::Postmaster, "Example.test").unwrap();
        assert_eq!(recipient.address().to_string(), "postmaster@example.test");
        assert_eq!(Recipient::of(&ForwardPath::Postmaster, "-"), Err(Reason::Internal));
        let path = ForwardPath::Mailbox(Mailbox::parse("Bob@example.org").unwrap());
        assert_eq!(Recipient::of(&path, "example.test").unwrap().address().to_string(), "bob@example.org");
    }

    #[test]
    fn senders() {
        let path = |text: &str| ReversePath::Mailbox(Mailbox::parse(text).unwrap());
        assert_eq!(sender(&ReversePath::Null), None);
        assert_eq!(sender(&path("alice@[192.0.2.1]")), None);
        assert_eq!(sender(&path("Alice@Example.TEST")).unwrap().to_string(), "alice@example.test");
    }

    proptest! {
        /// What is canonical stays as it is.
        #[test]
        fn canonical_twice(local in "[a-zA-Z+.é]{1,12}", domain in "[a-zA-Zéß]{1,8}\\.[a-z]{2,4}") {
            if let Some(address) = Address::parse(&format!("{local}@{domain}")) {
                prop_assert_eq!(Address::parse(&address.to_string()), Some(address.clone()));
                prop_assert!(address.domain().is_ascii());
                prop_assert_eq!(canonical_domain(address.domain()), Some(address.domain().to_owned()));
            }
        }

        #[test]
        fn any_domain(text in "\\PC{0,40}") {
            if let Some(domain) = canonical_domain(&text) {
                prop_assert!(domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b)));
                prop_assert_eq!(canonical_domain(&domain), Some(domain));
            }
        }
    }
}
