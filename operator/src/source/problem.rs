//! One thing wrong with one manifest: where, what, and what would be right.

use std::fmt;

use serde::Serialize;

use super::ObjectRef;

/// Whether a problem stops its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The object (or file) counts as unchanged until this is mended.
    Error,
    /// Nothing stops; the user should know.
    Warning,
}

/// One thing wrong in a file. Shown as `file:line:column: field: message; remedy`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Path below the source's root.
    pub file: String,
    /// Line from 1; 0 when the file as a whole is meant.
    pub line: u32,
    /// Column from 1, in characters; 0 when a whole line is meant.
    pub column: u32,
    /// Whether the object is stopped.
    pub severity: Severity,
    /// Path of the field (`spec.targets[2]`), empty for the document.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub remedy: Option<String>,
    /// Whether the file is encrypted and does not open.
    pub sealed: bool,
    /// The object, as far as it is known.
    pub object: Option<ObjectRef>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.line > 0 && self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}
