//! YAML text into trees that know the line and column of every key and value.
//!
//! One file is cut at its `---` lines first, so that a syntax error spoils one document and the others are still
//! checked. Scalars follow the YAML 1.2 core schema (YAML 1.2.2 §10.3); where `kubectl`, whose reader follows YAML 1.1,
//! would read the same text differently, the text is refused and the message says how to write it. Everything a
//! file can grow is bounded. Anchors, aliases and merge keys work within their document.
//!
//! This module knows nothing of Kubernetes or mail.

mod build;
mod explain;
mod scalar;
mod split;
mod text;
mod tree;

pub(crate) use tree::{Entry, Mark, Node, Step, Value, show_path};

use build::Builder;

/// Largest manifest file: 100,000 mailboxes in one file are about 25 MiB.
pub(crate) const MAX_FILE_BYTES: u64 = 32 * 1024 * 1024;
/// Documents in one file; an account is one document, see [`MAX_FILE_BYTES`].
pub(crate) const MAX_DOCUMENTS: usize = 200_000;
/// Nesting of one document: the deepest field of the schemas is at 8, a List adds 2, annotations none.
pub(crate) const MAX_DEPTH: usize = 48;
/// Values of one document as written: about 100 bytes of memory each.
pub(crate) const MAX_NODES: usize = 2_000_000;
/// Brackets and commas of one document: the parser holds a document that begins with a bracket token by token, at about
/// 400 bytes for each of these, until the bracket is closed.
pub(crate) const MAX_FLOW_INDICATORS: usize = 400_000;
/// Values that anchors and aliases of one document may copy: enough for shared blocks, nothing for an alias bomb.
pub(crate) const MAX_COPIED: usize = 50_000;

/// Faults told of one document; a document with more is not one that was meant as a manifest.
pub(crate) const MAX_FAULTS: usize = 100;

/// One thing wrong with the text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where.
    pub mark: Mark,
    /// The field, empty for the document.
    pub path: Vec<Step>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub remedy: Option<String>,
    /// Whether message and remedy repeat the value, which must not happen to a secret.
    pub quotes_value: bool,
}

impl Fault {
    /// A fault of a document or file as a whole.
    pub(crate) fn whole(mark: Mark, message: impl Into<String>, remedy: &str) -> Fault {
        let remedy = Some(remedy.to_owned());
        Fault { mark, path: Vec::new(), message: message.into(), remedy, quotes_value: false }
    }
}

/// One document of a file.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// The content; `None` after a syntax error.
    pub root: Option<Node>,
    /// What is wrong with its text.
    pub faults: Vec<Fault>,
}

/// The number that a text written by a program stands for.
pub(crate) fn number(text: &str) -> Option<Value> {
    scalar::resolve(text).ok().filter(|value| matches!(value, Value::Number(..)))
}

/// Decodes and reads a file. `Err` when the bytes are no text, so that nothing in them can be trusted.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Document>, Fault> {
    let text = text::decode(bytes)?;
    let mut documents = Vec::new();
    for chunk in split::chunks(text) {
        if chunk.text.bytes().filter(|byte| b"[]{},".contains(byte)).count() > MAX_FLOW_INDICATORS {
            let mark = Mark { line: chunk.line, column: 1 };
            let message = format!("more than {MAX_FLOW_INDICATORS} brackets and commas in one document");
            return Err(Fault::whole(mark, message, "split it at --- lines"));
        }
        Builder::new(chunk).read(&mut documents);
        if documents.len() > MAX_DOCUMENTS {
            let mark = Mark { line: chunk.line, column: 1 };
            let message = format!("more than {MAX_DOCUMENTS} documents in one file");
            return Err(Fault::whole(mark, message, "split the file"));
        }
    }
    Ok(documents)
}

#[cfg(test)]
mod tests;
