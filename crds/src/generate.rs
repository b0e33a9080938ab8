//! Everything in the tree that is generated from the types: the definitions for an API server, the same as templates of a
//! Helm chart, and the reference pages.
//! `cargo xtask generate` writes it; a test here and `cargo xtask tidy` fail when the tree is stale.

mod chart;
mod fields;
mod page;

use crate::kind::Kind;
use crate::schema::crd_yaml;

/// What the generated YAML begins with.
const YAML_HEADER: &str = "# Generated from crds/src by `cargo xtask generate`. Do not edit.\n";

/// Every generated file: its path from the root of the repository, and its content.
pub fn generated() -> Vec<(String, String)> {
    let definition = |kind: Kind| {
        (format!("crds/manifests/{}.yaml", kind.plural()), YAML_HEADER.to_owned() + &crd_yaml(kind))
    };
    let page = |kind: Kind| (format!("docs/resources/{}.md", kind.singular()), page::page(kind));
    let template = |kind: Kind| {
        (format!("charts/mailwright-crds/templates/{}.yaml", kind.plural()), chart::template(kind))
    };
    Kind::ALL.into_iter().flat_map(|kind| [definition(kind), template(kind), page(kind)]).collect()
}

/// A manifest that shows how a resource of the kind is declared.
pub fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::MailServer => include_str!("generate/examples/mailserver.yaml"),
        Kind::MailDomain => include_str!("generate/examples/maildomain.yaml"),
        Kind::Mailbox => include_str!("generate/examples/mailbox.yaml"),
        Kind::Alias => include_str!("generate/examples/alias.yaml"),
        Kind::MailRepository => include_str!("generate/examples/mailrepository.yaml"),
    }
}

#[cfg(test)]
mod tests;
