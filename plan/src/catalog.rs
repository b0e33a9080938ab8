//! What is declared: the objects of one source with their places, what of it is broken, and which Secrets exist.
//!
//! Fed by anything: a directory and a Git tree replace whole files, a watch applies and deletes single objects. The order
//! in which things arrive never matters; comparing with what runs is the planner's.

mod changes;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mailwright_crds::Resource;
use mailwright_crds::namespaces::Labels;

use crate::policy::{Broken, Declared};
use crate::problem::Problem;
use crate::reference::{Kind, ObjectRef, Origin, Text};

pub use changes::Changes;
pub use lines::Lines;

/// One declared object that passed every check of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it is called, read once: everything that speaks of it shares the name.
    object: ObjectRef,
    /// What it says, defaults filled in.
    pub resource: Resource,
    /// The generation that statuses observe, where the source counts none: instead of `metadata.generation`.
    pub numbered: Option<i64>,
    /// Where it stands.
    pub origin: Origin,
    /// Lines of its fields by path (`spec.targets[2]`), as far as the source knows them.
    pub lines: Lines,
}

impl Entry {
    /// An entry whose fields have no lines of their own.
    pub fn new(resource: Resource, origin: Origin) -> Self {
        Self::of(resource.object_ref(), resource, origin, Lines::default())
    }

    /// An entry of a source that knows what its object is called and where its fields stand.
    pub fn of(object: ObjectRef, resource: Resource, origin: Origin, lines: Lines) -> Self {
        Self { object, resource, numbered: None, origin, lines }
    }

    /// Kind, namespace and name.
    pub fn object(&self) -> ObjectRef {
        self.object.clone()
    }

    /// The address that it asks for.
    pub(crate) fn address(&self) -> Option<&str> {
        match &self.resource {
            Resource::Mailbox(mailbox) => Some(mailbox.spec.address.as_str()),
            Resource::Alias(alias) => Some(alias.spec.address.as_str()),
            Resource::MailServer(_) | Resource::MailDomain(_) => None,
        }
    }

    /// Whether a plan takes one for the other: the lines of a file move with every edit above them.
    pub(crate) fn is_like(&self, other: &Entry) -> bool {
        (self.resource.is_same(&other.resource) || self.resource == other.resource)
            && self.origin.file == other.origin.file
    }

    /// The generation of the spec that a status speaks about.
    pub fn generation(&self) -> Option<i64> {
        self.numbered.or_else(|| self.resource.generation())
    }

    /// Where a field stands: its own line, that of the nearest field around it, or that of the object.
    pub fn place(&self, field: &str) -> Origin {
        let mut path = field;
        loop {
            if let Some(line) = self.lines.get(path) {
                return Origin::new(self.origin.file.clone(), line);
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
    /// The objects that stand in each file.
    files: BTreeMap<Text, BTreeSet<ObjectRef>>,
    broken_files: BTreeMap<Text, BrokenFile>,
    broken_objects: BTreeMap<ObjectRef, BTreeSet<Origin>>,
    problems: BTreeSet<Problem>,
    secrets: Arc<BTreeMap<SecretId, SecretState>>,
    namespaces: BTreeMap<String, Labels>,
    neighbours: BTreeMap<ObjectRef, Resource>,
    policies: Vec<Declared>,
    broken_policies: Vec<Broken>,
    changes: Changes,
    /// The Secrets as they were when changes were last asked for, if anything was told of them since.
    secrets_before: Option<Arc<BTreeMap<SecretId, SecretState>>>,
}

impl Catalog {
    /// A source that declares nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one object, in place of the one of the same name from the same file.
    pub fn apply(&mut self, entry: Entry) {
        let object = entry.object();
        let mut same = self.keys_of(&object);
        same.retain(|(_, origin)| origin.file == entry.origin.file);
        let before = self.take(same);
        let alike = before.len() == 1 && before.iter().all(|it| it.is_like(&entry));
        self.insert(entry);
        if !alike {
            before.iter().for_each(|entry| self.changes.was(entry));
            self.changes.object(&object);
        }
    }

    /// Forgets an object wherever it was declared.
    pub fn delete(&mut self, object: &ObjectRef) {
        self.broken_objects.remove(object);
        let before = self.take(self.keys_of(object));
        before.iter().for_each(|entry| self.changes.was(entry));
    }

    /// Takes in the objects of a file, in place of all that it declared before.
    ///
    /// Objects of the same name are kept apart, also within one file: the planner says that they are declared twice.
    pub fn replace_file(&mut self, file: &str, entries: Vec<Entry>) {
        self.mend_file(file);
        let before = self.take_file(file);
        let differ = changes::differ(&before, &entries);
        before.iter().filter(|it| differ.contains(&it.object())).for_each(|it| self.changes.was(it));
        differ.iter().for_each(|object| self.changes.object(object));
        entries.into_iter().for_each(|entry| self.insert(entry));
    }

    /// Forgets a file with its objects, its problems and its being broken.
    pub fn remove_file(&mut self, file: &str) {
        self.mend_file(file);
        self.forget_objects_of(file);
    }

    fn forget_objects_of(&mut self, file: &str) {
        for entry in self.take_file(file) {
            self.changes.was(&entry);
        }
    }

    fn mend_file(&mut self, file: &str) {
        self.broken_files.remove(file);
        self.problems.retain(|problem| problem.origin.as_ref().is_none_or(|origin| origin.file != file));
        self.broken_objects.retain(|_, origins| {
            origins.retain(|origin| origin.file != file);
            !origins.is_empty()
        });
    }

    /// A file holds something that is no object: whatever it declared counts as unchanged, and so does every row
    /// whose name or address its text mentions.
    pub fn set_broken_file(&mut self, file: impl Into<Text>, text: Option<String>) {
        let file = file.into();
        self.forget_objects_of(&file);
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
        let secrets = self.secrets_mut();
        match state {
            SecretState::Missing => secrets.remove(&id),
            known => secrets.insert(id, known),
        };
    }

    /// Forgets a Secret with all its keys.
    pub fn remove_secret(&mut self, namespace: &str, name: &str) {
        let keys: Vec<SecretId> = self.keys_of_secret(namespace, name).cloned().collect();
        if keys.is_empty() {
            return;
        }
        let secrets = self.secrets_mut();
        keys.iter().for_each(|id| drop(secrets.remove(id)));
    }

    /// The Secrets, to be changed: what was there before is kept until somebody asks what changed.
    fn secrets_mut(&mut self) -> &mut BTreeMap<SecretId, SecretState> {
        if self.secrets_before.is_none() {
            self.secrets_before = Some(Arc::clone(&self.secrets));
        }
        Arc::make_mut(&mut self.secrets)
    }

    /// What is known of the labels of a namespace; `None` forgets it.
    pub fn set_namespace(&mut self, name: &str, labels: Option<Labels>) {
        if self.namespaces.get(name) != labels.as_ref() {
            self.changes = Changes::Everything;
        }
        match labels {
            Some(labels) => self.namespaces.insert(name.to_owned(), labels),
            None => self.namespaces.remove(name),
        };
    }

    /// What other sources declare and this one lives with: whose MailServer and whose MailDomains allow what. Nothing of it is
    /// planned.
    pub fn set_neighbours(&mut self, resources: impl IntoIterator<Item = Resource>) {
        let neighbours = resources.into_iter().map(|resource| (resource.object_ref(), resource)).collect();
        if self.neighbours != neighbours {
            self.changes = Changes::Everything;
        }
        self.neighbours = neighbours;
    }

    /// What an object says, declared here or by others.
    pub fn known(&self, object: &ObjectRef) -> Option<&Resource> {
        self.get(object).map(|entry| &entry.resource).or_else(|| self.neighbours.get(object))
    }

    /// The MailPolicy documents of the source, in place of all there were before, and those that cannot be understood.
    pub fn set_policies(&mut self, mut policies: Vec<Declared>, broken: Vec<Broken>) {
        policies.sort_by(|a, b| (&a.place, &a.policy.name).cmp(&(&b.place, &b.policy.name)));
        if (&self.policies, &self.broken_policies) != (&policies, &broken) {
            self.changes = Changes::Everything;
        }
        (self.policies, self.broken_policies) = (policies, broken);
    }

    /// What changed since this was asked last; the first time, everything.
    pub fn take_changes(&mut self) -> Changes {
        if let Some(before) = self.secrets_before.take() {
            let users = self.users_of(&changes::secrets(&before, &self.secrets));
            users.iter().for_each(|object| self.changes.object(object));
        }
        std::mem::replace(&mut self.changes, Changes::none())
    }

    /// The Mailboxes whose password is in one of these Secrets.
    fn users_of(&self, secrets: &BTreeSet<(&str, &str)>) -> Vec<ObjectRef> {
        if secrets.is_empty() {
            return Vec::new();
        }
        let uses = |entry: &&Entry| match &entry.resource {
            Resource::Mailbox(mailbox) => {
                let credentials = mailbox.spec.credentials.as_ref();
                let secret = credentials.and_then(|credentials| credentials.secret());
                secret.is_some_and(|(name, _)| secrets.contains(&(entry.resource.namespace(), name.as_str())))
            }
            _ => false,
        };
        self.entries().filter(uses).map(Entry::object).collect()
    }

    /// The same source as far as it is about some objects, with everything that is about no object.
    pub(crate) fn part(&self, objects: &BTreeSet<ObjectRef>) -> Catalog {
        let mut part = Catalog {
            problems: self.problems.clone(),
            secrets: Arc::clone(&self.secrets),
            namespaces: self.namespaces.clone(),
            neighbours: self.neighbours.clone(),
            policies: self.policies.clone(),
            broken_policies: self.broken_policies.clone(),
            ..Catalog::default()
        };
        let keys = objects.iter().flat_map(|object| self.keys_of(object));
        for entry in keys.filter_map(|key| self.entries.get(&key)) {
            part.insert(entry.clone());
        }
        part
    }

    /// The MailPolicy documents, in the order of their places.
    pub fn policies(&self) -> impl Iterator<Item = &Declared> {
        self.policies.iter()
    }

    /// The MailPolicy documents that cannot be understood.
    pub fn broken_policies(&self) -> impl Iterator<Item = &Broken> {
        self.broken_policies.iter()
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

    /// Numbers the objects: statuses observe a generation, which a source without an API server does not count.
    /// Touches nobody, since a plan does not look at it.
    pub fn set_generations(&mut self, generation_of: impl Fn(&ObjectRef) -> Option<i64>) {
        for ((object, _), entry) in &mut self.entries {
            entry.numbered = generation_of(object).or(entry.numbered);
        }
    }

    /// Numbers one object.
    pub fn set_generation(&mut self, object: &ObjectRef, generation: i64) {
        for key in self.keys_of(object) {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.numbered = Some(generation);
            }
        }
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The objects of a scope, or all of them.
    pub fn scoped<'a>(&'a self, scope: Option<&BTreeSet<ObjectRef>>, mut tell: impl FnMut(&'a Entry)) {
        match scope {
            None => self.entries().for_each(tell),
            Some(scope) => scope.iter().for_each(|object| self.all_of(object).for_each(&mut tell)),
        }
    }

    /// The MailServers and MailDomains.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Entry> {
        self.entries()
            .take_while(|entry| matches!(entry.resource.kind(), Kind::MailServer | Kind::MailDomain))
    }

    /// An object wherever it is declared.
    pub(crate) fn all_of<'a>(&'a self, object: &ObjectRef) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let same = self.entries.range((object.clone(), Origin::default())..);
        let object = object.clone();
        same.take_while(move |((other, _), _)| *other == object).map(|(_, entry)| entry)
    }

    /// Whether nothing at all is declared: no object, and nothing broken that might have been one.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The files in which something could not be understood, by path.
    pub fn broken_files(&self) -> &BTreeMap<Text, BrokenFile> {
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

    /// Gives back the room that filling it bit by bit left in its trees; for whoever took in a large part of a source.
    pub fn compact(&mut self) {
        self.entries = std::mem::take(&mut self.entries).into_iter().collect();
        self.files = std::mem::take(&mut self.files).into_iter().collect();
    }

    fn insert(&mut self, entry: Entry) {
        let key = (entry.object(), entry.origin.clone());
        // What stands in no file is never asked for by file.
        if !key.1.file.is_empty() {
            self.files.entry(key.1.file.clone()).or_default().insert(key.0.clone());
        }
        self.entries.insert(key, entry);
    }

    fn keys_of(&self, object: &ObjectRef) -> Vec<Key> {
        let same = self.entries.range((object.clone(), Origin::default())..);
        same.map(|(key, _)| key).take_while(|(other, _)| other == object).cloned().collect()
    }

    fn take_file(&mut self, file: &str) -> Vec<Entry> {
        let objects = self.files.remove(file).unwrap_or_default();
        let keys = objects.iter().flat_map(|object| self.keys_of(object));
        let keys: Vec<Key> = keys.filter(|(_, origin)| origin.file == file).collect();
        self.take(keys)
    }

    fn take(&mut self, keys: impl IntoIterator<Item = Key>) -> Vec<Entry> {
        let mut taken = Vec::new();
        for key in keys {
            taken.extend(self.entries.remove(&key));
            if let Some(of_file) = self.files.get_mut(&key.1.file) {
                of_file.remove(&key.0);
            }
        }
        taken
    }
}
