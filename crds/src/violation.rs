//! What is wrong with a manifest: where, what, and what would be right.

use std::fmt;

/// One step of the way to a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a mapping.
    Key(String),
    /// A position in a list, counted from 0.
    Index(usize),
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}{}", self.field(), self.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default())]
pub struct Violation {
    /// The way from the root of the manifest to the field. The last key is missing in the manifest when the field is.
    pub path: Vec<Segment>,
    /// What is wrong. Never quotes a secret.
    pub message: String,
    /// What would be right, where that can be said.
    pub remedy: Option<String>,
}

impl Violation {
    /// The path as text: `spec.targets[3]`; `manifest` for the root.
    pub fn field(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                Segment::Key(key) if text.is_empty() => text.push_str(key),
                Segment::Key(key) if key.contains(['.', '/', '[']) => text.push_str(&format!("[{key:?}]")),
                Segment::Key(key) => text.push_str(&format!(".{key}")),
                Segment::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        if text.is_empty() { "manifest".to_owned() } else { text }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Key(key) => f.write_str(key),
            Segment::Index(index) => write!(f, "{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_people_write_them() {
        let key = |key: &str| Segment::Key(key.to_owned());
        for (path, expected) in [
            (vec![], "manifest"),
            (vec![key("spec")], "spec"),
            (vec![key("spec"), key("targets"), Segment::Index(3)], "spec.targets[3]"),
            (vec![key("spec"), Segment::Index(0), key("name")], "spec[0].name"),
            (vec![key("metadata"), key("labels"), key("a/b.c")], "metadata.labels[\"a/b.c\"]"),
        ] {
            let violation = Violation { path, message: "is wrong".to_owned(), remedy: None };
            assert_eq!(violation.field(), expected);
            assert_eq!(violation.to_string(), format!("{expected}: is wrong"));
        }
    }
}
