//! Counts the operator's writes by what they write. Pure.

use std::collections::BTreeMap;
use std::fmt;

use mailwright_tests::cluster::Write;

/// Writes by resource and verb.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Writes(BTreeMap<(String, String), usize>);

impl Writes {
    /// Counts them.
    pub fn of(writes: &[Write]) -> Writes {
        let mut counted = BTreeMap::new();
        for write in writes {
            *counted.entry((write.resource.clone(), write.verb.clone())).or_default() += 1;
        }
        Writes(counted)
    }

    fn sum(&self, chosen: impl Fn(&str) -> bool) -> usize {
        self.0.iter().filter(|((resource, _), _)| chosen(resource)).map(|(_, count)| count).sum()
    }

    /// All but those of the Lease, which is written as long as there is an operator.
    pub fn without_lease(&self) -> usize {
        self.sum(|resource| resource != "leases")
    }

    /// Those of the Lease.
    pub fn of_lease(&self) -> usize {
        self.sum(|resource| resource == "leases")
    }

    /// Those of Mailboxes and Aliases and their statuses, and events, of which there is one per object.
    pub fn of_objects(&self) -> usize {
        self.sum(|resource| {
            matches!(resource, "mailboxes" | "mailboxes/status" | "aliases" | "aliases/status" | "events")
        })
    }

    /// Events.
    pub fn events(&self) -> usize {
        self.sum(|resource| resource == "events")
    }
}

impl fmt::Display for Writes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|((resource, verb), count)| writeln!(out, "{count:>8}  {verb} {resource}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(verb: &str, resource: &str) -> Write {
        Write {
            user: "operator".into(),
            agent: String::new(),
            verb: verb.into(),
            resource: resource.into(),
            group: String::new(),
            namespace: "mail".into(),
            name: "a".into(),
            code: 200,
            dry_run: false,
            event: serde_json::Value::Null,
        }
    }

    #[test]
    fn every_write_counts_for_what_it_writes() {
        let writes = Writes::of(&[
            write("patch", "mailboxes/status"),
            write("patch", "mailboxes/status"),
            write("patch", "aliases/status"),
            write("create", "events"),
            write("update", "leases"),
            write("patch", "maildomains/status"),
        ]);
        let counts = [writes.of_objects(), writes.events(), writes.of_lease(), writes.without_lease()];
        assert_eq!(counts, [4, 1, 1, 5]);
        assert!(writes.to_string().contains("       2  patch mailboxes/status\n"), "{writes}");
    }
}
