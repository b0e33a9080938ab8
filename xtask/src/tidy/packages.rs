//! Who may use whom: the borders between the packages, checked against the graph that cargo resolved.
//!
//! The table is docs/decisions/0001; a new edge is a decision, so it is added in both places.

use crate::workspace::{Finding, Graph, Package, closure};
use std::collections::BTreeMap;

/// For each member: the members it may use directly. `None` means all of them.
const EDGES: &[(&str, Option<&[&str]>)] = &[
    ("mailwright-smtp", Some(&[])),
    ("mailwright-imap", Some(&[])),
    ("mailwright-crds", Some(&[])),
    ("mailwright-store", Some(&[])),
    ("mailwright-plan", Some(&["mailwright-crds"])),
    ("mailwright-flow", Some(&["mailwright-smtp"])),
    (
        "mailwright-server",
        // plan is the management API's vocabulary: docs/decisions/0004.
        Some(&[
            "mailwright-smtp",
            "mailwright-imap",
            "mailwright-flow",
            "mailwright-store",
            "mailwright-plan",
        ]),
    ),
    ("mailwright-operator", Some(&["mailwright-crds", "mailwright-plan"])),
    (
        "mailwright",
        Some(&[
            "mailwright-crds",
            "mailwright-plan",
            "mailwright-operator",
            "mailwright-store",
            "mailwright-server",
        ]),
    ),
    ("mailwright-tests", None),
    ("mailwright-bench", Some(&["mailwright-tests"])),
    ("xtask", Some(&["mailwright-crds"])),
];

/// Crates that must not be reached, however far away, from the named members.
const UNREACHABLE: &[(&str, Where, &str)] = &[
    (
        "tokio",
        Where::Only(&[
            "mailwright-smtp",
            "mailwright-imap",
            "mailwright-crds",
            "mailwright-plan",
            "mailwright-flow",
        ]),
        "protocols and decisions are free of I/O",
    ),
    (
        "kube-client",
        Where::AllBut(&["mailwright-operator", "mailwright-tests", "mailwright-bench", "mailwright"]),
        "mail is served without a cluster",
    ),
    ("ring", Where::AllBut(&[]), "one cryptography provider in the tree: aws-lc-rs"),
    ("openssl-sys", Where::AllBut(&[]), "TLS is rustls"),
    ("native-tls", Where::AllBut(&[]), "TLS is rustls"),
];

/// Crates that only the named members may list among their own dependencies.
const DIRECT: &[(&str, &[&str], &str)] = &[
    ("sqlx", &["mailwright-store"], "SQL stays in mail/store"),
    ("rusqlite", &[], "SQL stays in mail/store, through sqlx"),
    ("libsqlite3-sys", &[], "SQL stays in mail/store, through sqlx"),
];

/// The members that a rule speaks of.
enum Where {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

impl Where {
    fn holds_for(&self, member: &str) -> bool {
        match self {
            Where::Only(names) => names.contains(&member),
            Where::AllBut(names) => !names.contains(&member),
        }
    }
}

/// Every edge that crosses a border.
pub fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, package) in graph.iter().filter(|(_, package)| package.member) {
        findings.extend(wrong_edges(graph, package));
        findings.extend(wrong_direct(graph, package));
        findings.extend(wrong_reach(graph, id, package));
    }
    findings
}

fn wrong_edges(graph: &Graph, package: &Package) -> Vec<Finding> {
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package.name) else {
        let message = "a new package: it must forbid a dependency, be a binary or own a fuzz corpus; if it does, \
                       add it to EDGES in xtask/src/tidy/packages.rs, else make it a module";
        return vec![Finding::new(&package.name, message)];
    };
    let Some(allowed) = allowed else { return Vec::new() };
    let members = package.uses.iter().filter_map(|id| graph.get(id)).filter(|used| used.member);
    let wrong = members.filter(|used| !allowed.contains(&used.name.as_str()));
    wrong.map(|used| Finding::new(&package.name, format!("may not use {}", used.name))).collect()
}

fn wrong_direct(graph: &Graph, package: &Package) -> Vec<Finding> {
    let used: Vec<&str> =
        package.uses.iter().filter_map(|id| graph.get(id)).map(|used| used.name.as_str()).collect();
    let wrong = DIRECT
        .iter()
        .filter(|(name, owners, _)| used.contains(name) && !owners.contains(&package.name.as_str()));
    wrong
        .map(|(name, _, why)| Finding::new(&package.name, format!("may not depend on {name}: {why}")))
        .collect()
}

fn wrong_reach(graph: &Graph, id: &str, package: &Package) -> Vec<Finding> {
    let reached: BTreeMap<&str, &str> =
        closure(graph, id).into_iter().filter_map(|id| Some((graph.get(id)?.name.as_str(), id))).collect();
    let mut findings = Vec::new();
    for (name, place, why) in UNREACHABLE {
        if place.holds_for(&package.name)
            && let Some(target) = reached.get(name)
        {
            let through = through(graph, package, target);
            findings.push(Finding::new(&package.name, format!("reaches {name} through {through}: {why}")));
        }
    }
    findings
}

/// The direct dependency of `package` that leads to `target`, for the message.
fn through<'a>(graph: &'a Graph, package: &'a Package, target: &str) -> &'a str {
    let leads = |id: &&String| id.as_str() == target || closure(graph, id).contains(target);
    package.uses.iter().find(leads).and_then(|id| graph.get(id)).map_or("itself", |used| &used.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph from `(name, member, uses)`.
    fn graph(packages: &[(&str, bool, &[&str])]) -> Graph {
        let package = |(name, member, uses): &(&str, bool, &[&str])| Package {
            name: (*name).to_owned(),
            member: *member,
            uses: uses.iter().map(|used| (*used).to_owned()).collect(),
            ..Package::default()
        };
        packages.iter().map(|entry| (entry.0.to_owned(), package(entry))).collect()
    }

    fn finds(packages: &[(&str, bool, &[&str])], expected: &[&str]) {
        let found: Vec<_> = check(&graph(packages)).iter().map(Finding::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn edges_of_the_table_are_allowed() {
        finds(
            &[
                ("mailwright-crds", true, &[]),
                ("mailwright-plan", true, &["mailwright-crds"]),
                ("mailwright", true, &["mailwright-plan", "mailwright-crds"]),
                ("mailwright-tests", true, &["mailwright", "mailwright-plan"]),
                ("mailwright-bench", true, &["mailwright-tests"]),
            ],
            &[],
        );
    }

    #[test]
    fn siblings_do_not_see_each_other() {
        finds(
            &[("mailwright-smtp", true, &[]), ("mailwright-imap", true, &["mailwright-smtp"])],
            &["mailwright-imap: may not use mailwright-smtp"],
        );
        finds(
            &[("mailwright", true, &["mailwright-imap"]), ("mailwright-imap", true, &[])],
            &["mailwright: may not use mailwright-imap"],
        );
    }

    #[test]
    fn a_runtime_hidden_behind_another_crate_is_found_with_the_way_to_it() {
        finds(
            &[("mailwright-smtp", true, &["helper"]), ("helper", false, &["tokio"]), ("tokio", false, &[])],
            &["mailwright-smtp: reaches tokio through helper: protocols and decisions are free of I/O"],
        );
        finds(&[("mailwright-store", true, &["tokio"]), ("tokio", false, &[])], &[]);
    }

    #[test]
    fn other_cryptography_is_found_anywhere() {
        finds(
            &[("mailwright", true, &["ring"]), ("ring", false, &[])],
            &["mailwright: reaches ring through ring: one cryptography provider in the tree: aws-lc-rs"],
        );
    }

    #[test]
    fn sql_is_for_the_store_alone() {
        finds(
            &[
                ("mailwright-server", true, &["mailwright-store", "sqlx"]),
                ("mailwright-store", true, &["sqlx"]),
                ("sqlx", false, &[]),
            ],
            &["mailwright-server: may not depend on sqlx: SQL stays in mail/store"],
        );
    }

    #[test]
    fn a_package_outside_the_table_is_a_decision_to_make() {
        let found = check(&graph(&[("mailwright-utils", true, &[])]));
        assert!(found[0].message.starts_with("a new package"), "{found:?}");
    }
}
