//! The figures of `gitops`: names, titles, what is aimed at, and what stands above their table in docs/gitops-scale.md.

use super::repository::Declared;
use crate::args::Gitops;
use crate::tally::{Spec, aimed, cores, plain};

/// All figures in the order of the table.
pub const FIGURES: &[Spec] = &[
    aimed("cold.wall", "`apply` with an empty data directory: fetched, planned, applied", "s", 30.0),
    plain("cold.cpu", "the same, processor time", "s"),
    aimed("cold.memory", "the same, most memory", "MiB", 400.0),
    plain("cold.object", "the same, time per object", "ms"),
    plain("again.wall", "`apply` again in a new process, nothing to do", "s"),
    plain("again.memory", "the same, most memory", "MiB"),
    plain("up.ready", "`up` on the same data, until it serves", "s"),
    aimed("line.wall", "one line changed, from push to applied, median", "ms", 1000.0),
    plain("line.worst", "the same, slowest", "ms"),
    plain("line.cpu", "the same, processor time of one", "ms"),
    aimed("nothing.wall", "a commit that changes no manifest, from push to passed, median", "ms", 1000.0),
    plain("nothing.worst", "the same, slowest", "ms"),
    plain("nothing.cpu", "the same, processor time of one", "ms"),
    plain("thousand.wall", "1,000 lines changed in one commit, from push to applied", "ms"),
    aimed("up.memory", "`up`, most memory over all of it", "MiB", 400.0),
    plain("up.settled", "`up`, memory at the end", "MiB"),
    plain("database.size", "the account database, without mail", "MiB"),
    plain("resources.wall", "the Resources sink: all objects written to an API server", "s"),
    plain("resources.object", "the same, time per object", "ms"),
    plain("resources.writes", "the same, writes per object, statuses left out", "writes"),
    plain("resources.cpu", "the same, processor time of the operator per object", "ms"),
    plain("resources.memory", "the same, most memory of the operator", "MiB"),
    plain("resources.line", "the Resources sink: one line changed, from being asked to applied", "ms"),
];

/// What was measured with what.
pub fn about(options: &Gitops, declared: &Declared, version: &str) -> Vec<String> {
    let Gitops { mailboxes, aliases, domains, changes, resources, .. } = options;
    vec![
        version.to_owned(),
        format!(
            "{} cores, shared by everything that is measured, the Git server and the bench itself",
            cores()
        ),
        format!(
            "{mailboxes} Mailboxes and {aliases} Aliases in {domains} domains and {} files",
            declared.files()
        ),
        format!("each change {changes} times"),
        format!("{resources} Mailboxes for the Resources sink"),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_unique() {
        crate::tally::assert_unique(super::FIGURES);
    }
}
