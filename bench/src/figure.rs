//! What is measured: the name of each figure, its unit, which way is better, and what the project aims at.
//!
//! A name is `group.what`; the load of a group takes all of its figures in one go.

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More of it: messages per second.
    Higher,
    /// Less of it: milliseconds, memory.
    Lower,
}

/// How many times better than the peer a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    /// Promised.
    Required(f64),
    /// Aimed at.
    Wanted(f64),
}

impl Aim {
    /// The factor.
    pub fn factor(self) -> f64 {
        match self {
            Required(factor) | Wanted(factor) => factor,
        }
    }
}

/// One figure.
#[derive(Debug)]
pub struct Spec {
    /// `group.what`
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What the number counts.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// What is aimed at.
    pub aim: Option<Aim>,
}

impl Spec {
    /// How many times better ours is than the peer's.
    pub fn factor(&self, ours: f64, peer: f64) -> f64 {
        match self.better {
            Better::Higher => ours / peer,
            Better::Lower => peer / ours,
        }
    }

    /// The part of the name before the dot.
    pub fn group(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

const fn more(name: &'static str, title: &'static str, unit: &'static str) -> Spec {
    Spec { name, title, unit, better: Better::Higher, aim: None }
}

const fn less(name: &'static str, title: &'static str, unit: &'static str) -> Spec {
    Spec { name, title, unit, better: Better::Lower, aim: None }
}

const fn aim(spec: Spec, aim: Aim) -> Spec {
    Spec { aim: Some(aim), ..spec }
}

use Aim::{Required, Wanted};

/// All figures in the order of the table.
pub const FIGURES: &[Spec] = &[
    more("inbound.accepted", "SMTP in, 4 KiB, 20 sessions, a connection per message: accepted", "msg/s"),
    aim(more("inbound.stored", "the same, stored", "msg/s"), Wanted(6.0)),
    aim(less("inbound.cpu", "the same, CPU of the server per 1,000 messages", "s"), Required(4.0)),
    less("inbound.memory", "the same, most memory (PSS)", "MiB"),
    aim(more("inbound-many.stored", "SMTP in, 4 KiB, many per connection: stored", "msg/s"), Wanted(6.0)),
    aim(less("inbound-many.cpu", "the same, CPU per 1,000 messages", "s"), Required(4.0)),
    aim(
        more("inbound-64k.stored", "SMTP in, 64 KiB, a connection per message: stored", "msg/s"),
        Wanted(6.0),
    ),
    aim(less("inbound-64k.cpu", "the same, CPU per 1,000 messages", "s"), Required(4.0)),
    less("syncs.stored", "fsync and fdatasync per message stored, 20 sessions", "calls"),
    aim(more("submission.relayed", "submission, AUTH, DKIM RSA-2048, queue, relayed", "msg/s"), Wanted(4.0)),
    less("submission.cpu", "the same, CPU per 1,000 messages", "s"),
    aim(more("append.clients20", "APPEND of 4 KiB, 20 clients", "msg/s"), Wanted(2.0)),
    more("append.clients1", "APPEND of 4 KiB, 1 client", "msg/s"),
    aim(less("large.select", "SELECT of 10,000, first", "ms"), Wanted(0.5)),
    aim(less("large.again", "SELECT of 10,000, again, another connection", "ms"), Wanted(0.5)),
    aim(less("large.fetch", "FETCH 1:* of 10,000 envelopes, first ever", "ms"), Required(5.0)),
    aim(less("large.warm", "FETCH 1:* of 10,000 envelopes, again", "ms"), Required(1.0)),
    more("large.bodies", "FETCH BODY.PEEK[] of 1,000 × 4 KiB", "MB/s"),
    less("large.subject", "SEARCH HEADER Subject in 10,000", "ms"),
    less("large.text", "SEARCH TEXT in 10,000", "ms"),
    less("large.store", "STORE 1:* +FLAGS of 10,000", "ms"),
    more("store.clients20", "STORE of one flag, 20 clients", "commands/s"),
    aim(more("login.cheap", "logins with a hash that costs nothing, 20 clients", "logins/s"), Wanted(1.0)),
    aim(more("login.bcrypt", "logins with bcrypt 10, 20 clients", "logins/s"), Wanted(1.0)),
    aim(
        more("login.argon2id", "logins with argon2id (64 MiB, 3 passes), 20 clients", "logins/s"),
        Wanted(1.0),
    ),
    less("notify.exists", "EXISTS at an IDLE client after the 250", "ms"),
    less("idle.none", "idle memory (PSS), no session", "MiB"),
    less("idle.some", "idle memory (PSS), 200 sessions in IDLE", "MiB"),
    aim(less("idle.many", "idle memory (PSS), 1,000 sessions in IDLE", "MiB"), Required(6.0)),
];

/// A figure that was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// [`Spec::name`].
    pub name: &'static str,
    /// In its unit.
    pub value: f64,
}

/// A figure that was taken.
pub fn taken(name: &'static str, value: f64) -> Taken {
    Taken { name, value }
}

/// The middle one.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even % 2 == 0 => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in
            [(&[][..], None), (&[3.0], Some(3.0)), (&[9.0, 1.0], Some(5.0)), (&[5.0, 1.0, 2.0], Some(2.0))]
        {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }

    #[test]
    fn better_is_more_of_the_good_and_less_of_the_bad() {
        assert_eq!(more("a.b", "", "").factor(6.0, 2.0), 3.0);
        assert_eq!(less("a.b", "", "").factor(2.0, 6.0), 3.0);
    }

    #[test]
    fn names_are_unique_and_groups_stand_together() {
        let names: std::collections::BTreeSet<_> = FIGURES.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), FIGURES.len());
        let mut groups: Vec<_> = FIGURES.iter().map(Spec::group).collect();
        groups.dedup();
        let distinct: std::collections::BTreeSet<_> = groups.iter().collect();
        assert_eq!(distinct.len(), groups.len());
    }
}
