//! The figures of `scale`: names, titles, what is aimed at, and what stands above their table in docs/scale.md.

use crate::args::Scale;
use crate::tally::{Spec, aimed, cores, plain};

/// All figures in the order of the table.
pub const FIGURES: &[Spec] = &[
    plain("first.creating", "creating all objects", "s"),
    plain("first.ready", "all of them Ready, from the first one created", "s"),
    aimed("first.writes", "writes of the operator per object, events among them", "writes", 3.0),
    plain("first.events", "events among them, all objects together", "events"),
    plain("operator.empty", "operator, memory with no Mailbox", "MiB"),
    aimed("operator.most", "operator, most memory during the first sync", "MiB", 150.0),
    aimed("operator.settled", "operator, memory after it", "MiB", 150.0),
    plain("operator.cpu", "operator, processor time of the first sync", "s"),
    plain("api.before", "API server, memory with the definitions and no Mailbox", "MiB"),
    plain("api.most", "API server, most memory during the first sync", "MiB"),
    plain("api.settled", "API server, memory after it", "MiB"),
    plain("api.cpu", "API server, processor time of creating and the first sync", "s"),
    plain("etcd.settled", "etcd, memory after it", "MiB"),
    plain("etcd.database", "etcd, database at the end, not compacted", "MiB"),
    plain("server.settled", "mail server, memory after it", "MiB"),
    aimed("idle.writes", "idle: writes of the operator per object, without its Lease", "writes", 0.0),
    plain("idle.lease", "idle: writes of its Lease, all together", "writes"),
    plain("idle.cpu", "idle: processor of the operator", "% of a core"),
    plain("idle.api", "idle: processor of the API server", "% of a core"),
    plain("restart.synced", "operator started again: everything listed and compared", "s"),
    aimed("restart.writes", "the same, writes per object, without its Lease", "writes", 0.0),
    aimed("restart.most", "the same, most memory", "MiB", 150.0),
    plain("restart.settled", "the same, memory after it", "MiB"),
    aimed("live.quota", "a quota changed: an open IMAP session is told, median", "ms", 1000.0),
    plain("live.quota.worst", "the same, slowest", "ms"),
    aimed("live.password", "a Secret changed: its password counts, median", "ms", 1000.0),
    plain("live.password.worst", "the same, slowest", "ms"),
    aimed("live.new", "a Mailbox created: it takes mail, median", "ms", 1000.0),
    plain("live.new.worst", "the same, slowest", "ms"),
];

/// What was measured with what.
pub fn about(options: &Scale, versions: &[String]) -> Vec<String> {
    let Scale { mailboxes, domains, idle, changes, .. } = options;
    let mut lines = versions.to_vec();
    lines.push(format!("{} cores, shared by everything that is measured and the bench itself", cores()));
    lines.push(format!(
        "{mailboxes} Mailboxes in {domains} domains; idle window {idle} s; live figures of {changes} changes"
    ));
    lines
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_unique() {
        crate::tally::assert_unique(super::FIGURES);
    }
}
