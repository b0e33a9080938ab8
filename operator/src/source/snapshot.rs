//! What one reading of a source gave: objects, and whatever could not be understood.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::manifest::FileContents;
use super::{CommitInfo, Object, ObjectRef, Origin, Problem, Severity};

/// One reading of a whole source.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What was read: `main@sha1:<40 hex>` for Git, `blake3:<32 hex>` for a directory.
    pub revision: String,
    /// The commit that was read; `None` for a directory.
    pub commit: Option<Arc<CommitInfo>>,
    /// The manifest files, sorted by path.
    pub files: Vec<SourceFile>,
    /// The objects that passed their own checks, in file and document order. Unchanged files keep the same `Arc`s.
    pub objects: Vec<Arc<Object>>,
    /// Objects whose identity is known but whose content is wrong: they count as unchanged.
    pub broken_objects: Vec<BrokenObject>,
    /// Files with documents of unknown identity: every object of them counts as unchanged, none of them is in `objects`.
    pub broken_files: Vec<BrokenFile>,
    /// Every problem and warning, sorted by file, line and column.
    pub problems: Vec<Problem>,
}

impl Snapshot {
    /// The problems that stop something.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// The problems that stop nothing.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Warning)
    }

    /// Puts the files of one reading together and finds what is declared twice.
    pub(crate) fn assemble(revision: String, files: Vec<ReadFile>) -> Snapshot {
        let mut snapshot = Snapshot { revision, ..Snapshot::default() };
        for ReadFile { path, size, contents } in files {
            snapshot.objects.extend(contents.objects.iter().cloned());
            snapshot.broken_objects.extend(contents.broken_objects.iter().cloned());
            snapshot.broken_files.extend(contents.broken.iter().cloned());
            snapshot.problems.extend(contents.problems.iter().cloned());
            snapshot.files.push(SourceFile { path, size });
        }
        snapshot.set_duplicates_aside();
        snapshot.problems.sort();
        snapshot
    }

    /// An object declared in two places is broken: neither place wins, and the message names both.
    fn set_duplicates_aside(&mut self) {
        let objects = self.objects.iter().map(|object| (&object.reference, &object.origin));
        let broken = self.broken_objects.iter().map(|object| (&object.reference, &object.origin));
        let mut places: Vec<_> = objects.chain(broken).collect();
        places.sort_by_key(|(_, origin)| *origin);
        let mut first: HashMap<&ObjectRef, &Origin> = HashMap::new();
        let mut twice = HashSet::new();
        let mut problems = Vec::new();
        for (reference, origin) in places {
            if let Some(earlier) = first.get(reference) {
                problems.push(declared_twice(reference, earlier, origin));
                twice.insert(reference.clone());
            } else {
                first.insert(reference, origin);
            }
        }
        self.problems.extend(problems);
        let objects = std::mem::take(&mut self.objects);
        let (aside, kept): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| twice.contains(&object.reference));
        self.objects = kept;
        let aside = aside.into_iter();
        self.broken_objects
            .extend(aside.map(|o| BrokenObject { reference: o.reference.clone(), origin: o.origin.clone() }));
    }
}

fn declared_twice(reference: &ObjectRef, first: &Origin, second: &Origin) -> Problem {
    Problem {
        file: second.file.to_string(),
        line: second.line,
        column: 1,
        severity: Severity::Error,
        field: String::new(),
        message: format!("{reference} is already declared at {first}"),
        remedy: Some("remove one of the two, or rename it".to_owned()),
        sealed: false,
        object: Some(reference.clone()),
    }
}

/// One file as it was read.
pub(crate) struct ReadFile {
    pub path: String,
    pub size: u64,
    pub contents: Arc<FileContents>,
}

/// One manifest file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path below the source's root, with `/`.
    pub path: String,
    /// Length in bytes; 0 when it could not be read.
    pub size: u64,
}

/// An object that is declared but wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenObject {
    /// What it is.
    pub reference: ObjectRef,
    /// Where it was declared.
    pub origin: Origin,
}

/// A file in which some document could not be told apart from any other object.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokenFile {
    /// Path below the source's root.
    pub path: String,
    /// The text, to search for names and addresses that must not be removed; `None` when it could not be read.
    pub text: Option<String>,
}

/// The text may hold secrets, so only its length is shown.
impl fmt::Debug for BrokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.as_ref().map(String::len);
        f.debug_struct("BrokenFile").field("path", &self.path).field("text_len", &text).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Decryption;
    use crate::source::manifest::read_file;

    fn secret(name: &str, key: &str) -> String {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{{key}: \"v\"}}\n"
        )
    }

    fn snapshot(files: &[(&str, String)]) -> Snapshot {
        let read = files.iter().map(|(path, text)| ReadFile {
            path: (*path).to_owned(),
            size: text.len() as u64,
            contents: Arc::new(read_file(path, text.as_bytes(), &Decryption::default())),
        });
        Snapshot::assemble("test".to_owned(), read.collect())
    }

    #[test]
    fn an_object_declared_twice_is_told_with_both_places_and_taken_from_neither() {
        let both = secret("one", "a") + &secret("two", "a");
        let snapshot = snapshot(&[("a.yaml", both), ("b.yaml", secret("one", "b") + &secret("three", "b"))]);
        let names: Vec<_> = snapshot.objects.iter().map(|object| object.reference.name.as_str()).collect();
        assert_eq!(names, ["two", "three"]);
        let problems: Vec<_> = snapshot.problems.iter().map(Problem::to_string).collect();
        let expected = "b.yaml:2:1: Secret default/one is already declared at a.yaml:2; remove one of the two, or rename it";
        assert_eq!(problems, [expected]);
        let broken: Vec<_> = snapshot.broken_objects.iter().map(|object| object.origin.to_string()).collect();
        assert_eq!(broken, ["a.yaml:2", "b.yaml:2"]);
    }

    #[test]
    fn the_same_name_in_another_namespace_or_kind_is_another_object() {
        let other = secret("one", "a").replace("{name: one}", "{name: one, namespace: mail}");
        let snapshot = snapshot(&[("a.yaml", secret("one", "a") + &other)]);
        assert_eq!((snapshot.objects.len(), snapshot.problems.len()), (2, 0));
    }

    #[test]
    fn a_file_with_a_document_of_unknown_identity_keeps_all_its_objects_back() {
        let text = secret("one", "a") + "---\napiVersion: v1\nkind: Secret\nmetadata: [\n";
        let snapshot = snapshot(&[("a.yaml", text.clone()), ("b.yaml", secret("two", "a"))]);
        assert_eq!(snapshot.objects.len(), 1);
        assert_eq!(snapshot.broken_files, [BrokenFile { path: "a.yaml".to_owned(), text: Some(text) }]);
        assert_eq!(snapshot.broken_objects.len(), 1);
        assert_eq!((snapshot.errors().count(), snapshot.warnings().count()), (1, 0));
        assert!(!format!("{snapshot:?}").contains("stringData"), "the text stays out of debug output");
    }
}
