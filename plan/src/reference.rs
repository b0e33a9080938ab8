//! Where an object was declared. What an object is called ([`Kind`], [`ObjectRef`]) is the API's.

use std::fmt;

pub use mailwright_crds::{Kind, ObjectRef, Text, Texts};
use serde::{Deserialize, Serialize};

/// The place of a declaration: in a Git source the path below its root. Ordered as a reader would meet them.
///
/// The default is no place at all: an object that a watch told of stands in no file, and nothing is said of where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// Path below the source's root, with `/`.
    pub file: Text,
    /// Line of the object's first key, from 1; 0 when unknown.
    pub line: u32,
}

impl Origin {
    /// A line of a file.
    pub fn new(file: impl Into<Text>, line: u32) -> Self {
        Self { file: file.into(), line }
    }

    /// The place, where there is one to name.
    pub fn known(self) -> Option<Self> {
        Some(self).filter(|origin| !origin.file.is_empty())
    }

    /// ` at file:line` for the middle of a sentence; nothing where there is no place.
    pub fn at(&self) -> String {
        if !self.file.is_empty() { format!(" at {self}") } else { String::new() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}", self.file, self.line) }
    }
}
