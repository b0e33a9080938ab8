//! Which domains of another system are served, switched off there, or only relayed, and what that means for their addresses.

use std::collections::BTreeSet;

use mailwright_crds::DomainName;

use super::{Found, Place};

/// The domains that are not served as others are, by canonical name.
#[derive(Debug, Default)]
pub struct Domains {
    off: BTreeSet<String>,
    relayed: BTreeSet<String>,
}

/// A domain as the other system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It takes mail for its mailboxes.
    Served,
    /// It is switched off.
    Off,
    /// Its mail goes on to another host.
    Relayed,
}

impl Domains {
    /// Takes one in.
    pub fn take(&mut self, found: &mut Found, place: &Place, name: &str, state: State) {
        if state == State::Relayed {
            found.note(
                place,
                format!("{name:?} is relayed to another host, not served: it and its addresses are left out"),
            );
            self.relayed.extend(canonical(name));
            return;
        }
        let Some(name) = found.domain(place, name) else { return };
        if state == State::Off {
            found.note(
                place,
                format!("{name} is switched off: it is declared, and all of its addresses switched off"),
            );
            self.off.insert(name);
        }
    }

    /// Takes in another name for a domain.
    pub fn alias(&mut self, found: &mut Found, place: &Place, name: &str, real: &str, active: bool) {
        if !active {
            return found
                .note(place, format!("{name:?}, another name of {real:?}, is switched off; it is left out"));
        }
        if canonical(real).is_some_and(|real| self.relayed.contains(&real)) {
            self.relayed.extend(canonical(name));
            return found
                .note(place, format!("{name:?} means {real:?}, which is not served; it is left out"));
        }
        found.alias_domain(place, name, real);
    }

    /// Whether addresses of this domain are imported; `text` is an address or `@domain`.
    pub fn serves(&self, text: &str) -> bool {
        !domain_of(text).is_some_and(|domain| self.relayed.contains(&domain))
    }

    /// Whether addresses of this domain are switched off.
    pub fn is_off(&self, text: &str) -> bool {
        domain_of(text).is_some_and(|domain| self.off.contains(&domain))
    }
}

fn domain_of(text: &str) -> Option<String> {
    canonical(text.rsplit_once('@')?.1)
}

fn canonical(name: &str) -> Option<String> {
    DomainName::canonical(name).ok().map(|name| name.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_meaning() {
        let (mut domains, mut found, at) = (Domains::default(), Found::default(), Place::new("domain", 1));
        domains.take(&mut found, &at, "One.test", State::Served);
        domains.take(&mut found, &at, "off.test", State::Off);
        domains.take(&mut found, &at, "Far.test", State::Relayed);
        domains.take(&mut found, &at, "no domain", State::Served);
        domains.alias(&mut found, &at, "eins.test", "one.test", true);
        domains.alias(&mut found, &at, "uno.test", "one.test", false);
        domains.alias(&mut found, &at, "fern.test", "far.test", true);
        for (text, serves, is_off) in [
            ("alice@ONE.test", true, false),
            ("@off.test", true, true),
            ("alice@far.test", false, false),
            ("alice@fern.test", false, false),
            ("alice", true, false),
        ] {
            assert_eq!((domains.serves(text), domains.is_off(text)), (serves, is_off), "{text}");
        }
        assert_eq!(found.domains.keys().collect::<Vec<_>>(), ["eins.test", "off.test", "one.test"]);
        assert_eq!(found.domains["one.test"], ["eins.test"]);
        assert_eq!(found.notes.len(), 5, "{:?}", found.notes);
    }
}
