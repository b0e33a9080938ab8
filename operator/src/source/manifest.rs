//! One file of manifests into objects and problems.
//!
//! Every document is told apart first (`identity`), then checked: its text, its metadata, and its content by the
//! schema and CEL rules of `mailwright-crds`, or as a Secret. A document that is wrong but whose kind, namespace and
//! name are known stops that object only. A document of unknown identity stops its whole file, because it could be
//! any object of it. What is plainly of another system is ignored with a warning.

mod config;
mod identity;
mod metadata;
mod nearest;
mod policy;
mod resource;
mod sealed;
mod secret;

use std::collections::BTreeMap;
use std::sync::Arc;

use mailwright_crds::namespaces::Labels;
use mailwright_crds::{DEFAULT_NAMESPACE, Text, Texts};
use mailwright_plan::Lines;

pub use config::{Config, ConfigError};
use identity::Identity;
use metadata::Metadata;

use super::object::{Content, ObjectKind};
use super::sops::{self, Decryption};
use super::yaml::{self, Document, Fault, Mark, Node, Step, Value, show_path};
use super::{BrokenFile, BrokenObject, Object, ObjectRef, Origin, Problem, Severity};

/// Problems told of one file: enough for one in every account of a large file, bounded for a hostile one.
const MAX_PROBLEMS: usize = 20_000;

/// Characters of one message: a value repeated in it can be as long as its file.
const MAX_MESSAGE: usize = 400;

/// What stands where a message would repeat a secret.
const WITHHELD: &str = "YAML readers disagree on this value (not shown, it may be secret)";

/// Everything that one file says.
#[derive(Debug, Default)]
pub(crate) struct FileContents {
    pub objects: Vec<Arc<Object>>,
    pub broken_objects: Vec<BrokenObject>,
    /// Present when some document could not be told apart.
    pub broken: Option<BrokenFile>,
    /// What it says depends on the keys that were given.
    pub encrypted: bool,
    pub problems: Vec<Problem>,
}

/// Reads the bytes of one file; `file` is its path as it is shown. What is encrypted opens with `decryption`.
pub(crate) fn read_file(file: &str, bytes: &[u8], decryption: &Decryption) -> FileContents {
    read_file_in(DEFAULT_NAMESPACE, file, bytes, decryption)
}

/// The same where an object that names no namespace is in this one.
pub(crate) fn read_file_in(
    namespace: &str,
    file: &str,
    bytes: &[u8],
    decryption: &Decryption,
) -> FileContents {
    let mut reader = Reader::new(namespace, file);
    match yaml::parse(bytes) {
        Ok(documents) => return reader.documents(documents, bytes, decryption),
        Err(fault) => {
            reader.faults(vec![fault], None);
            reader.unknown = true;
        }
    }
    reader.finish(bytes)
}

/// A file that is there but cannot be read.
pub(crate) fn unreadable(file: &str, message: String, remedy: &str) -> FileContents {
    let problem = Problem {
        file: file.to_owned(),
        line: 0,
        column: 0,
        severity: Severity::Error,
        field: String::new(),
        message,
        remedy: Some(remedy.to_owned()),
        sealed: false,
        object: None,
    };
    let broken = Some(BrokenFile { path: file.to_owned(), text: None });
    FileContents { broken, problems: vec![problem], ..FileContents::default() }
}

/// Something that is passed over on purpose, with a warning.
pub(crate) fn skipped(file: &str, message: &str, remedy: &str) -> FileContents {
    let FileContents { mut problems, .. } = unreadable(file, message.to_owned(), remedy);
    problems.iter_mut().for_each(|problem| problem.severity = Severity::Warning);
    FileContents { problems, ..FileContents::default() }
}

/// One thing wrong, by its path in the document; gets its place when it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub path: Vec<Step>,
    pub severity: Severity,
    pub message: String,
    pub remedy: Option<String>,
}

impl Finding {
    fn error(path: &[&str], message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        let path = path.iter().map(|key| Step::Key((*key).into())).collect();
        Finding { path, severity: Severity::Error, message: message.into(), remedy: Some(remedy.into()) }
    }

    fn warning(path: &[&str], message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, ..Finding::error(path, message, remedy) }
    }

    fn is_about_the_key(&self) -> bool {
        self.message.starts_with("unknown field")
    }
}

/// The content of an object. A text that readers disagree on is told as such, not once more as a value of a wrong type.
fn content(
    kind: ObjectKind,
    node: &Node,
    metadata: serde_json::Value,
    faults: &[Fault],
) -> (Option<Content>, Vec<Finding>) {
    let (content, mut findings) = match kind {
        ObjectKind::Secret => secret::read(node),
        ObjectKind::Namespace => (Some(Content::Namespace(labels(&metadata))), Vec::new()),
        ObjectKind::Resource(kind) => resource::read(kind, node, metadata),
        ObjectKind::Policy => policy::read(node, &metadata),
        ObjectKind::PolicyTest => (Some(Content::PolicyTest(Box::new(node.to_json()))), Vec::new()),
    };
    findings.retain(|finding| faults.iter().all(|fault| fault.path != finding.path));
    (content, findings)
}

/// The labels that were read with the metadata, and checked there.
fn labels(metadata: &serde_json::Value) -> Labels {
    metadata.get("labels").and_then(|labels| serde_json::from_value(labels.clone()).ok()).unwrap_or_default()
}

struct Reader<'a> {
    /// Of objects that name none.
    namespace: &'a str,
    file: Text,
    /// Those that objects are in.
    namespaces: Texts,
    contents: FileContents,
    /// Whether a document could be any object.
    unknown: bool,
    /// Whether what is told is that the file does not open.
    sealed: bool,
}

impl<'a> Reader<'a> {
    fn new(namespace: &'a str, file: &str) -> Reader<'a> {
        let (namespaces, contents) = (Texts::default(), FileContents::default());
        Reader { namespace, file: file.into(), namespaces, contents, unknown: false, sealed: false }
    }

    fn document(&mut self, document: &mut Document) {
        let faults = std::mem::take(&mut document.faults);
        match &document.root {
            None => {
                self.faults(faults, None);
                self.unknown = true;
            }
            Some(Node { value: Value::Null, .. }) if faults.is_empty() => {}
            Some(root) => self.node(root, faults, true),
        }
    }

    /// One manifest: a document, or an item of a List.
    fn node(&mut self, node: &Node, faults: Vec<Fault>, outermost: bool) {
        let identity = identity::identify(node, &self.file);
        if !matches!(identity, Identity::Unknown(_)) && faults.iter().any(is_about_identity) {
            if let Identity::Object(kind) = identity {
                self.nameless(kind, node, &faults);
            }
            self.faults(faults, None);
            self.unknown = true;
            return;
        }
        match identity {
            Identity::Foreign(finding) => self.findings(node, vec![finding], None),
            Identity::Unknown(findings) => {
                self.faults(faults, None);
                self.findings(node, findings, None);
                self.unknown = true;
            }
            Identity::List if outermost => self.list(node, faults),
            Identity::List => {
                let finding = Finding::error(&["kind"], "a List inside a List", "write its items out");
                self.faults(faults, None);
                self.findings(node, vec![finding], None);
                self.unknown = true;
            }
            Identity::Object(kind) => self.object(kind, node, faults),
        }
    }

    /// The items of a List, each with the faults of its own text.
    fn list(&mut self, list: &Node, faults: Vec<Fault>) {
        let Some(Value::Sequence(items)) = list.get("items").map(|node| &node.value) else {
            let finding =
                Finding::error(&["items"], "a List without items", "write items: with a list of manifests");
            self.faults(faults, None);
            self.findings(list, vec![finding], None);
            self.unknown = true;
            return;
        };
        let mut by_item: Vec<Vec<Fault>> = vec![Vec::new(); items.len()];
        let mut own = Vec::new();
        for fault in faults {
            match fault.path.as_slice() {
                [Step::Key(key), Step::Index(index), rest @ ..]
                    if &**key == "items" && *index < items.len() =>
                {
                    let (index, path) = (*index, rest.to_vec());
                    by_item[index].push(Fault { path, ..fault });
                }
                _ => own.push(fault),
            }
        }
        self.unknown |= !own.is_empty();
        self.faults(own, None);
        for (item, faults) in items.iter().zip(by_item) {
            self.node(item, faults, false);
        }
    }

    fn object(&mut self, kind: ObjectKind, node: &Node, faults: Vec<Fault>) {
        let (metadata, mut findings) = Metadata::read(node, self.namespace);
        let Some(Metadata { namespace, name, json }) = metadata else {
            self.findings(node, findings, None);
            self.nameless(kind, node, &faults);
            self.faults(faults, None);
            self.unknown = true;
            return;
        };
        let namespace = if kind == ObjectKind::Namespace { "" } else { &namespace };
        let reference = self.reference(kind, namespace, &name);
        let origin = Origin::new(&self.file, node.mark.line);
        let (content, more) = content(kind, node, json, &faults);
        findings.extend(more);
        let wrong = !faults.is_empty() || findings.iter().any(|finding| finding.severity == Severity::Error);
        self.faults(faults, Some(&reference));
        self.findings(node, findings, Some(&reference));
        match content {
            Some(content) if !wrong => {
                let mut lines = BTreeMap::new();
                if let (ObjectKind::Resource(_) | ObjectKind::Policy, Some(spec)) = (kind, node.get("spec")) {
                    spec.lines("spec", &mut lines);
                }
                let like = self.contents.objects.last().map(|object| object.lines.clone());
                let lines = Lines::new(&lines, &like.unwrap_or_default());
                self.contents.objects.push(Arc::new(Object { reference, origin, lines, content }));
            }
            _ => self.contents.broken_objects.push(BrokenObject { reference, origin }),
        }
    }

    fn reference(&mut self, kind: ObjectKind, namespace: &str, name: &str) -> ObjectRef {
        ObjectRef { kind, namespace: self.namespaces.share(namespace), name: name.into() }
    }

    /// What is wrong with an object beside its name: told in the same run, so that everything can be mended at once.
    fn nameless(&mut self, kind: ObjectKind, node: &Node, faults: &[Fault]) {
        let stand_in = serde_json::json!({ "name": "x", "namespace": "default" });
        let (_, findings) = content(kind, node, stand_in, faults);
        self.findings(node, findings, None);
    }

    fn faults(&mut self, faults: Vec<Fault>, object: Option<&ObjectRef>) {
        for fault in faults {
            let (message, remedy) = match fault.quotes_value && may_be_secret(&fault.path) {
                true => (WITHHELD.to_owned(), Some("put it in quotes".to_owned())),
                false => (fault.message, fault.remedy),
            };
            self.tell(fault.mark, Severity::Error, show_path(&fault.path), message, remedy, object);
        }
    }

    fn findings(&mut self, node: &Node, findings: Vec<Finding>, object: Option<&ObjectRef>) {
        for finding in findings {
            let (_, place, _) = node.locate(&finding.path);
            let mark = if finding.is_about_the_key() { place.key } else { place.value };
            let field = show_path(&finding.path);
            self.tell(mark, finding.severity, field, finding.message, finding.remedy, object);
        }
    }

    fn tell(
        &mut self,
        mark: Mark,
        severity: Severity,
        field: String,
        message: String,
        remedy: Option<String>,
        object: Option<&ObjectRef>,
    ) {
        let problems = &mut self.contents.problems;
        let (mut message, mut remedy) = (message, remedy);
        if problems.len() == MAX_PROBLEMS {
            message = format!("more than {MAX_PROBLEMS} problems in this file; the rest is not shown");
            remedy = None;
        } else if problems.len() > MAX_PROBLEMS {
            return;
        }
        message = shorten(message);
        let remedy = remedy.map(shorten);
        let (line, column, file, object) = (mark.line, mark.column, self.file.to_string(), object.cloned());
        let sealed = self.sealed;
        problems.push(Problem { file, line, column, severity, field, message, remedy, sealed, object });
    }

    /// When any document is of unknown identity, the known objects count as unchanged too.
    fn finish(mut self, bytes: &[u8]) -> FileContents {
        if self.unknown {
            let known = self.contents.objects.drain(..);
            let known = known.map(|object| (object.reference.clone(), object.origin.clone()));
            let known = known.map(|(reference, origin)| BrokenObject { reference, origin });
            self.contents.broken_objects.extend(known);
            let text = Some(String::from_utf8_lossy(bytes).into_owned());
            self.contents.broken = Some(BrokenFile { path: self.file.to_string(), text });
        }
        self.contents
    }
}

/// Whether a fault leaves open which object this is. A lost `---` shows as a second `kind`: what follows would vanish.
fn is_about_identity(fault: &Fault) -> bool {
    let keys: Vec<&str> = fault
        .path
        .iter()
        .map_while(|step| match step {
            Step::Key(key) => Some(&**key),
            Step::Index(_) => None,
        })
        .collect();
    matches!(
        keys.as_slice(),
        [] | ["apiVersion" | "kind", ..] | ["metadata"] | ["metadata", "name" | "namespace", ..]
    )
}

fn shorten(text: String) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Whether a value at this path could be a password, whatever document it turns out to be in.
fn may_be_secret(path: &[Step]) -> bool {
    path.iter().any(|step| match step {
        Step::Key(key) => {
            let key = key.to_ascii_lowercase();
            key == "data"
                || key == "stringdata"
                || ["password", "secret", "token"].iter().any(|word| key.contains(word))
        }
        Step::Index(_) => false,
    })
}

#[cfg(test)]
mod tests;
