//! What other systems allow a domain: how many addresses, and how large their mailboxes. Carried over where it means the same here; what
//! would take something away from those who are there, or has no field, is told.

use std::collections::BTreeMap;

use mailwright_crds::{DomainName, Quantity};
use serde_json::{Map, Value, json};

use super::{Found, Place};

/// The most that the schema takes.
const MAX_COUNT: u64 = 10_000_000;

/// The limits of one domain there; `None` is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most mailboxes.
    pub mailboxes: Option<u64>,
    /// The most aliases.
    pub aliases: Option<u64>,
    /// Bytes for a new mailbox of which nothing else is said.
    pub default_quota: Option<u64>,
    /// The most bytes of one mailbox.
    pub max_quota: Option<u64>,
    /// Bytes of all mailboxes together, which has no field.
    pub in_all: Option<u64>,
}

/// Limits of domains by their names.
pub type All = BTreeMap<String, (Place, Limits)>;

impl Found {
    /// Takes in what a domain is allowed.
    pub fn limit(&mut self, place: &Place, domain: &str, limits: Limits) {
        if let Ok(name) = DomainName::canonical(domain).map(|name| name.as_str().to_owned()) {
            self.limits.insert(name, (place.clone(), limits));
        }
    }
}

/// The limits that leave everybody what they have; the others are told.
pub(super) fn settle(found: &mut Found) -> BTreeMap<String, Value> {
    let mut settled = BTreeMap::new();
    for (domain, (place, limits)) in std::mem::take(&mut found.limits) {
        // What is not served has no limits: relayed domains, and other names of a domain.
        if !found.domains.contains_key(&domain) {
            continue;
        }
        let holds = Holds::of(found, &domain);
        let mut notes = Vec::new();
        let mut spec = counts(&domain, limits, &holds, &mut notes);
        spec.extend(quotas(&domain, limits, &holds, &mut notes));
        notes.into_iter().for_each(|note: String| found.note(&place, note));
        if !spec.is_empty() {
            settled.insert(domain, Value::Object(spec));
        }
    }
    settled
}

fn counts(domain: &str, limits: Limits, holds: &Holds, notes: &mut Vec<String>) -> Map<String, Value> {
    let mut spec = Map::new();
    let fields =
        [("mailboxes", limits.mailboxes, holds.mailboxes), ("aliases", limits.aliases, holds.aliases)];
    for (field, limit, there) in fields {
        match limit.filter(|limit| *limit <= MAX_COUNT) {
            Some(limit) if limit < there => notes.push(format!(
                "{domain} may have {limit} {field} there and has {there}: that limit is left out"
            )),
            Some(limit) => drop(spec.insert(field.to_owned(), json!(limit))),
            None => {}
        }
    }
    spec
}

fn quotas(domain: &str, limits: Limits, holds: &Holds, notes: &mut Vec<String>) -> Map<String, Value> {
    let quantity = |bytes: Option<u64>| bytes.and_then(|bytes| Quantity::from_bytes(bytes).ok());
    let (mut most, default) = (quantity(limits.max_quota), quantity(limits.default_quota));
    if let Some(limit) = most.take_if(|limit| limit.bytes() < holds.largest) {
        let message = format!("mailboxes of {domain} may have {} there", limit.as_str());
        notes.push(format!("{message}, and there are larger ones: that limit is left out"));
    }
    let mut spec = Map::new();
    if let Some(default) = default {
        let message = format!("{} is the quota of new mailboxes of {domain} there", default.as_str());
        if holds.without_quota > 0 {
            let reason = format!("{} that have no limit would get it", holds.without_quota);
            notes.push(format!("{message}; here {reason}: it is left out"));
        } else if most.as_ref().is_some_and(|most| most.bytes() < default.bytes()) {
            notes.push(format!("{message}, and more than they may have: it is left out"));
        } else {
            spec.insert("defaultQuota".to_owned(), json!(default.as_str()));
        }
    }
    spec.extend(most.map(|most| ("maxQuota".to_owned(), json!(most.as_str()))));
    if let Some(bytes) = quantity(limits.in_all) {
        let message = format!("all mailboxes of {domain} together may have {} there", bytes.as_str());
        notes.push(format!("{message}, which cannot be declared: give each of them a quota"));
    }
    spec
}

/// What a domain has.
struct Holds {
    mailboxes: u64,
    aliases: u64,
    without_quota: usize,
    largest: u64,
}

impl Holds {
    fn of(found: &Found, domain: &str) -> Holds {
        let is_of = |address: &str| address.rsplit_once('@').is_some_and(|(_, name)| name == domain);
        let mailboxes: Vec<Option<u64>> = found
            .mailboxes
            .iter()
            .filter(|(address, _)| is_of(address))
            .map(|(_, (_, it))| it.quota)
            .collect();
        Holds {
            mailboxes: mailboxes.len() as u64,
            aliases: found.aliases.keys().filter(|address| is_of(address)).count() as u64,
            without_quota: mailboxes.iter().filter(|quota| quota.is_none()).count(),
            largest: mailboxes.iter().copied().flatten().max().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FoundAlias, FoundMailbox};
    use super::*;

    const GIB: u64 = 1 << 30;

    /// What becomes of the limits of one.test with these quotas in it, and one alias.
    fn settled(quotas: &[Option<u64>], limits: Limits) -> (Option<Value>, Vec<String>) {
        let (mut found, place) = (Found::default(), Place::new("domain", 7));
        found.domain(&place, "one.test");
        for (number, quota) in quotas.iter().enumerate() {
            let mailbox = FoundMailbox { quota: *quota, ..FoundMailbox::default() };
            found.mailbox(&place, &format!("m{number}@one.test"), mailbox);
        }
        let targets = ["m0@one.test".to_owned()];
        found.alias(&place, "team@one.test", FoundAlias::from(&targets[..]));
        found.limit(&place, "One.test", limits);
        found.limit(
            &place,
            "far.test",
            Limits { mailboxes: Some(0), in_all: Some(GIB), ..Limits::default() },
        );
        let spec = settle(&mut found).remove("one.test");
        (spec, found.notes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_takes_nothing_away_is_carried_over() {
        let all = Limits {
            mailboxes: Some(2),
            aliases: Some(400),
            default_quota: Some(GIB),
            max_quota: Some(5 * GIB),
            in_all: None,
        };
        let whole = json!({"mailboxes": 2, "aliases": 400, "defaultQuota": "1Gi", "maxQuota": "5Gi"});
        assert_eq!(settled(&[Some(GIB), Some(5 * GIB)], all), (Some(whole), vec![]));
        assert_eq!(settled(&[None], Limits::default()), (None, vec![]));
        let beyond = Limits { mailboxes: Some(u64::MAX), max_quota: Some(0), ..Limits::default() };
        assert_eq!(settled(&[None], beyond), (None, vec![]), "no limit at all");
    }

    #[test]
    fn what_would_is_told() {
        let of = |change: &dyn Fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            limits
        };
        for (quotas, limits, kept, told) in [
            (
                &[None, None][..],
                of(&|it| it.mailboxes = Some(1)),
                None,
                "domain:7: one.test may have 1 mailboxes there and has 2",
            ),
            (
                &[None],
                of(&|it| it.aliases = Some(0)),
                None,
                "may have 0 aliases there and has 1: that limit is left out",
            ),
            (
                &[None, Some(1)],
                of(&|it| it.default_quota = Some(GIB)),
                None,
                "here 1 that have no limit would get it",
            ),
            (
                &[Some(2 * GIB)],
                of(&|it| it.max_quota = Some(GIB)),
                None,
                "may have 1Gi there, and there are larger ones",
            ),
            (
                &[Some(1)],
                of(&|it| (it.max_quota, it.default_quota) = (Some(GIB), Some(2 * GIB))),
                Some(json!({"maxQuota": "1Gi"})),
                "2Gi is the quota of new mailboxes of one.test there, and more than they may have",
            ),
            (
                &[Some(1)],
                of(&|it| it.in_all = Some(GIB)),
                None,
                "together may have 1Gi there, which cannot be declared",
            ),
        ] {
            let (spec, notes) = settled(quotas, limits);
            assert_eq!((&spec, notes.len()), (&kept, 1), "{notes:?}");
            assert!(notes[0].contains(told), "{told}: {notes:?}");
        }
    }
}
