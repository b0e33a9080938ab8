//! What one reading of a source gave: objects, and whatever could not be understood.

use std::fmt;
use std::sync::Arc;

use super::{Object, ObjectRef, Origin, Problem, Severity};

/// One reading of a whole source.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What was read: `main@sha1:<40 hex>` for Git, `blake3:<32 hex>` for a directory.
    pub revision: String,
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
