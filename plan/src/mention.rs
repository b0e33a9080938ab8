//! Which rows a broken file may still declare: those it declared before, and those whose name or address stands
//! somewhere in its text. When a file cannot even be read, every row may be in it.

use std::collections::HashSet;

use crate::catalog::Catalog;
use crate::observed::Owner;

/// The broken files of a catalog, prepared for many questions.
pub(crate) struct Mentions<'a> {
    unreadable: Option<&'a str>,
    texts: Vec<Text<'a>>,
}

struct Text<'a> {
    file: &'a str,
    lower: String,
    words: HashSet<String>,
}

impl<'a> Mentions<'a> {
    pub(crate) fn new(catalog: &'a Catalog) -> Self {
        let files = catalog.broken_files();
        let unreadable =
            files.iter().find(|(_, broken)| broken.text.is_none()).map(|(file, _)| file.as_str());
        let texts = files.iter().map(|(file, broken)| {
            let lower = broken.text.as_deref().unwrap_or_default().to_lowercase();
            let words = words(&lower).map(str::to_owned).collect();
            Text { file, lower, words }
        });
        Self { unreadable, texts: texts.collect() }
    }

    /// Why a row that nothing declares must stay; `None` when no broken file has to do with it.
    pub(crate) fn why_kept(&self, owner: &Owner, key: &str) -> Option<String> {
        if let Some(text) = self.texts.iter().find(|text| text.file == owner.origin.file) {
            return Some(format!("{}, which declared it, cannot be understood", text.file));
        }
        if let Some(text) = self.texts.iter().find(|text| text.mentions(&owner.object.name, key)) {
            return Some(format!("{}, which cannot be understood, mentions it", text.file));
        }
        self.unreadable.map(|file| format!("{file} cannot be read"))
    }
}

impl Text<'_> {
    /// Addresses and domains anywhere in the text; names only as whole words, since `info` is part of too much.
    fn mentions(&self, name: &str, key: &str) -> bool {
        let name = name.to_lowercase();
        self.words.contains(&name) || (key.contains(['@', '.']) && self.lower.contains(key))
    }
}

/// Runs of characters that names of objects are made of.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let separators = |c: char| !(c.is_alphanumeric() || "-._".contains(c));
    text.split(separators).map(|word| word.trim_matches(['-', '.', '_'])).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Kind, ObjectRef, Origin};

    fn check(broken: &[(&str, Option<&str>)], name: &str, key: &str, file: &str, expected: Option<&str>) {
        let mut catalog = Catalog::new();
        for (file, text) in broken {
            catalog.set_broken_file(*file, text.map(str::to_owned));
        }
        let object = ObjectRef { kind: Kind::Mailbox, namespace: "default".into(), name: name.into() };
        let owner = Owner {
            managed_by: "git".into(),
            object,
            origin: Origin::new(file, 3),
            applied: None,
            former: None,
        };
        assert_eq!(Mentions::new(&catalog).why_kept(&owner, key).as_deref(), expected);
    }

    #[test]
    fn a_row_stays_when_a_broken_file_may_declare_it() {
        let kept = |text| Some(text);
        let mentions = kept("b.yaml, which cannot be understood, mentions it");
        let declared = kept("b.yaml, which declared it, cannot be understood");
        check(&[], "alice", "alice@example.test", "a.yaml", None);
        check(&[("b.yaml", Some("x: ["))], "alice", "alice@example.test", "a.yaml", None);
        check(&[("b.yaml", Some("x: ["))], "alice", "alice@example.test", "b.yaml", declared);
        check(
            &[("b.yaml", Some("address: 'Alice@Example.test'"))],
            "a",
            "alice@example.test",
            "a.yaml",
            mentions,
        );
        check(&[("b.yaml", Some("{name: alice}"))], "alice", "x@example.test", "a.yaml", mentions);
        check(&[("b.yaml", Some("name: alice-2"))], "alice", "x@example.test", "a.yaml", None);
        check(&[("b.yaml", Some("hello, alice."))], "alice", "x@example.test", "a.yaml", mentions);
        check(&[("b.yaml", None)], "alice", "alice@example.test", "a.yaml", kept("b.yaml cannot be read"));
    }
}
