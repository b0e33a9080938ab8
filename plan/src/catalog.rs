//! What is declared: the objects of one source with their places, what of it is broken, and which Secrets exist.
//!
//! Fed by anything: a directory and a Git tree replace whole files, a watch applies and deletes single objects. The order
//! in which things arrive never matters; comparing with what runs is the planner's.

use std::collections::{BTreeMap, BTreeSet};

use mailwright_crds::Resource;
use mailwright_crds::namespaces::Labels;

use crate::problem::Problem;
use crate::reference::{ObjectRef, Origin};

/// One declared object that passed every check of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it says, defaults filled in; `metadata.generation` is what statuses observe.
    pub resource: Resource,
    /// Where it stands.
    pub origin: Origin,
    /// Lines of its fields by path (`spec.targets[2]`), as far as the source knows them.
    pub lines: BTreeMap<String, u32>,
}

impl Entry {
    /// An entry whose fields have no lines of their own.
    pub fn new(resource: Resource, origin: Origin) -> Self {
        Self { resource, origin, lines: BTreeMap::new() }
    }

    /// Kind, namespace and name.
    pub fn object(&self) -> ObjectRef {
        self.resource.object_ref()
    }

    /// Where a field stands: its own line, that of the nearest field around it, or that of the object.
    pub fn place(&self, field: &str) -> Origin {
        let mut path = field;
        loop {
            if let Some(line) = self.lines.get(path) {
                return Origin::new(self.origin.file.clone(), *line);
            }
            match path.rfind(['.', '[']) {
                Some(cut) => path = &path[..cut],
                None => return self.origin.clone(),
            }
        }
    }
}

/// A key of a Secret: what a Mailbox or MailServer refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId {
    /// The namespace.
    pub namespace: String,
    /// The Secret.
    pub name: String,
    /// The key in it.
    pub key: String,
}

impl SecretId {
    /// Names a key of a Secret.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, key: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into(), key: key.into() }
    }
}

/// What a planner may know of a Secret's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretState {
    /// It is there.
    Present {
        /// Its keyed digest.
        fingerprint: String,
    },
    /// It cannot be a password: empty, not UTF-8, or a hash of an unknown scheme.
    Unusable {
        /// Why, without the value.
        why: String,
    },
    /// It was to be made up and written, but a Secret of that name belongs to somebody else and has no such key.
    NotOurs,
    /// The Secret or its key is known to be missing; the same as saying nothing.
    Missing,
}

/// A file in which some object could not be told apart from any other. Its text may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokenFile {
    /// The text, to search for what must not be removed; `None` when it could not be read: then nothing is removed.
    pub text: Option<String>,
}

impl std::fmt::Debug for BrokenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrokenFile").field("text_len", &self.text.as_ref().map(String::len)).finish()
    }
}

type Key = (ObjectRef, Origin);

/// Everything that one source declares.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    entries: BTreeMap<Key, Entry>,
    files: BTreeMap<String, BTreeSet<Key>>,
    broken_files: BTreeMap<String, BrokenFile>,
    broken_objects: BTreeMap<ObjectRef, BTreeSet<Origin>>,
    problems: BTreeSet<Problem>,
    secrets: BTreeMap<SecretId, SecretState>,
    namespaces: BTreeMap<String, Labels>,
}

impl Catalog {
    /// A source that declares nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one object, in place of the one of the same name from the same file.
    pub fn apply(&mut self, entry: Entry) {
        let mut same = self.keys_of(&entry.object());
        same.retain(|(_, origin)| origin.file == entry.origin.file);
        self.take(same);
        self.insert(entry);
    }

    /// Forgets an object wherever it was declared.
    pub fn delete(&mut self, object: &ObjectRef) {
        self.broken_objects.remove(object);
        self.take(self.keys_of(object));
    }

    /// Takes in the objects of a file, in place of all that it declared before.
    ///
    /// Objects of the same name are kept apart, also within one file: the planner says that they are declared twice.
    pub fn replace_file(&mut self, file: &str, entries: Vec<Entry>) {
        self.remove_file(file);
        entries.into_iter().for_each(|entry| self.insert(entry));
    }

    /// Forgets a file with its objects, its problems and its being broken.
    pub fn remove_file(&mut self, file: &str) {
        self.broken_files.remove(file);
        self.problems.retain(|problem| problem.origin.as_ref().is_none_or(|origin| origin.file != file));
        self.broken_objects.retain(|_, origins| {
            origins.retain(|origin| origin.file != file);
            !origins.is_empty()
        });
        self.take_file(file);
    }

    /// A file holds something that is no object: whatever it declared counts as unchanged, and so does every row
    /// whose name or address its text mentions.
    pub fn set_broken_file(&mut self, file: impl Into<String>, text: Option<String>) {
        let file = file.into();
        self.take_file(&file);
        self.broken_files.insert(file, BrokenFile { text });
    }

    /// An object is declared but wrong: it counts as unchanged.
    pub fn set_broken_object(&mut self, object: ObjectRef, origin: Origin) {
        self.broken_objects.entry(object).or_default().insert(origin);
    }

    /// A problem that the source found; the plan repeats it beside its own.
    pub fn add_problem(&mut self, problem: Problem) {
        self.problems.insert(problem);
    }

    /// Problems that the source found, in place of all it had found before.
    pub fn set_problems(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.problems = problems.into_iter().collect();
    }

    /// What is known of a key of a Secret.
    pub fn set_secret(&mut self, id: SecretId, state: SecretState) {
        match state {
            SecretState::Missing => self.secrets.remove(&id),
            known => self.secrets.insert(id, known),
        };
    }

    /// Forgets a Secret with all its keys.
    pub fn remove_secret(&mut self, namespace: &str, name: &str) {
        let keys: Vec<SecretId> = self.keys_of_secret(namespace, name).cloned().collect();
        keys.iter().for_each(|id| drop(self.secrets.remove(id)));
    }

    /// What is known of the labels of a namespace; `None` forgets it.
    pub fn set_namespace(&mut self, name: &str, labels: Option<Labels>) {
        match labels {
            Some(labels) => self.namespaces.insert(name.to_owned(), labels),
            None => self.namespaces.remove(name),
        };
    }

    /// The labels of the namespaces that are known.
    pub fn namespaces(&self) -> &BTreeMap<String, Labels> {
        &self.namespaces
    }

    /// What is known of a key of a Secret.
    pub fn secret(&self, id: &SecretId) -> &SecretState {
        self.secrets.get(id).unwrap_or(&SecretState::Missing)
    }

    /// Whether a Secret exists at all, with whatever keys.
    pub fn has_secret(&self, namespace: &str, name: &str) -> bool {
        self.keys_of_secret(namespace, name).next().is_some()
    }

    /// The keys of a Secret that are known, which lie beside each other.
    fn keys_of_secret(&self, namespace: &str, name: &str) -> impl Iterator<Item = &SecretId> {
        let following = self.secrets.range(SecretId::new(namespace, name, "")..).map(|(id, _)| id);
        following.take_while(move |id| id.namespace == namespace && id.name == name)
    }

    /// The objects, by kind and name and then by place.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// One object; the first one where it is declared twice.
    pub fn get(&self, object: &ObjectRef) -> Option<&Entry> {
        let mut same = self.entries.range((object.clone(), Origin::default())..);
        same.next().filter(|((other, _), _)| other == object).map(|(_, entry)| entry)
    }

    /// Numbers the objects: statuses observe `metadata.generation`, which a source without an API server cannot know.
    /// Touches nobody, since a plan does not look at it.
    pub fn set_generations(&mut self, generation_of: impl Fn(&ObjectRef) -> Option<i64>) {
        for ((object, _), entry) in &mut self.entries {
            if let Some(generation) = generation_of(object) {
                entry.resource.metadata_mut().generation = Some(generation);
            }
        }
    }

    /// Whether nothing at all is declared: no object, and nothing broken that might have been one.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The files in which something could not be understood, by path.
    pub fn broken_files(&self) -> &BTreeMap<String, BrokenFile> {
        &self.broken_files
    }

    /// The objects that are declared but wrong, with their places.
    pub fn broken_objects(&self) -> &BTreeMap<ObjectRef, BTreeSet<Origin>> {
        &self.broken_objects
    }

    /// The problems that the source found.
    pub fn problems(&self) -> &BTreeSet<Problem> {
        &self.problems
    }

    fn insert(&mut self, entry: Entry) {
        let key = (entry.object(), entry.origin.clone());
        // What stands in no file is never asked for by file.
        if !key.1.file.is_empty() {
            self.files.entry(key.1.file.clone()).or_default().insert(key.clone());
        }
        self.entries.insert(key, entry);
    }

    fn keys_of(&self, object: &ObjectRef) -> Vec<Key> {
        let same = self.entries.range((object.clone(), Origin::default())..);
        same.map(|(key, _)| key).take_while(|(other, _)| other == object).cloned().collect()
    }

    fn take_file(&mut self, file: &str) {
        let keys = self.files.remove(file).unwrap_or_default();
        self.take(keys.into_iter().collect());
    }

    fn take(&mut self, keys: Vec<Key>) {
        for key in keys {
            self.entries.remove(&key);
            if let Some(of_file) = self.files.get_mut(&key.1.file) {
                of_file.remove(&key);
            }
        }
    }
}
