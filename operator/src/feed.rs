//! Owns the way of a source's snapshot into the planner's catalog: only files that changed are taken anew, Secrets become
//! fingerprints, and what is broken keeps its rows. Leaves out reading ([`crate::source`]) and comparing (`plan/`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mailwright_crds::Resource;
use mailwright_plan::{Catalog, Entry, ObjectRef, Origin, Problem, ProblemCode, SecretId, Severity};

use crate::secrets::{self, Secrets};
use crate::source::{self, Content, Object, Secret, Snapshot};

/// The catalog of one source, kept in step with its snapshots.
#[derive(Debug, Default)]
pub struct Feed {
    /// What is declared.
    pub catalog: Catalog,
    /// The Secrets that came along.
    pub secrets: Secrets,
    files: BTreeMap<String, Vec<Arc<Object>>>,
    broken: BTreeSet<String>,
}

impl Feed {
    /// Takes a snapshot in. Files whose objects are the same as before are left alone.
    pub fn take(&mut self, snapshot: &Snapshot, fingerprint_key: &[u8; 32]) {
        let mut files: BTreeMap<String, Vec<Arc<Object>>> = BTreeMap::new();
        for object in &snapshot.objects {
            files.entry(object.origin.file.clone()).or_default().push(Arc::clone(object));
        }
        self.forget_files(snapshot, &files);
        for (file, objects) in &files {
            let same = self.files.get(file).is_some_and(|before| same(before, objects));
            if !same || self.broken.contains(file) {
                self.catalog.replace_file(file, objects.iter().filter_map(|object| entry(object)).collect());
            }
        }
        self.files = files;
        self.take_broken(snapshot);
        self.take_secrets(fingerprint_key);
    }

    /// Takes in one object from a source without files. Answers whom that touches.
    pub fn apply(&mut self, resource: Resource) -> BTreeSet<ObjectRef> {
        self.catalog.apply(Entry::new(resource, Origin::default()))
    }

    /// Forgets one object. Answers whom that touches.
    pub fn delete(&mut self, object: &ObjectRef) -> BTreeSet<ObjectRef> {
        self.catalog.delete(object)
    }

    /// Takes in one Secret, in place of what it held before; its values become fingerprints. Answers whom that touches.
    pub fn set_secret(
        &mut self,
        namespace: &str,
        name: &str,
        secret: Secret,
        fingerprint_key: &[u8; 32],
    ) -> BTreeSet<ObjectRef> {
        let mut touched = self.catalog.remove_secret(namespace, name);
        for (key, value) in &secret.values {
            let state = secrets::state(key, value, fingerprint_key);
            touched.extend(self.catalog.set_secret(SecretId::new(namespace, name, key), state));
        }
        self.secrets.insert(namespace, name, secret);
        touched
    }

    /// Forgets a Secret: it is known to be missing. Answers whom that touches.
    pub fn remove_secret(&mut self, namespace: &str, name: &str) -> BTreeSet<ObjectRef> {
        self.secrets.remove(namespace, name);
        self.catalog.remove_secret(namespace, name)
    }

    /// Files that are gone, and files that were or are broken, start afresh.
    fn forget_files(&mut self, snapshot: &Snapshot, files: &BTreeMap<String, Vec<Arc<Object>>>) {
        let gone: Vec<String> = self
            .files
            .keys()
            .filter(|file| !files.contains_key(*file))
            .chain(&self.broken)
            .cloned()
            .collect();
        let troubled = snapshot.problems.iter().map(|problem| problem.file.clone());
        for file in gone.into_iter().chain(troubled.collect::<BTreeSet<_>>()) {
            self.catalog.remove_file(&file);
            self.broken.insert(file);
        }
    }

    fn take_broken(&mut self, snapshot: &Snapshot) {
        self.broken.clear();
        for file in &snapshot.broken_files {
            self.catalog.set_broken_file(file.path.clone(), file.text.clone());
            self.broken.insert(file.path.clone());
        }
        for object in &snapshot.broken_objects {
            if let Some(reference) = object.reference.resource() {
                self.catalog.set_broken_object(reference, object.origin.clone());
            }
            self.broken.insert(object.origin.file.clone());
        }
        for found in &snapshot.problems {
            self.catalog.add_problem(problem(found));
            self.broken.insert(found.file.clone());
        }
    }

    /// Secrets are few beside mailboxes; telling all of them again keeps no second book.
    fn take_secrets(&mut self, fingerprint_key: &[u8; 32]) {
        let before = std::mem::take(&mut self.secrets);
        for object in self.files.values().flatten() {
            if let Content::Secret(secret) = &object.content {
                self.secrets.insert(&object.reference.namespace, &object.reference.name, secret.clone());
            }
        }
        for (namespace, name, _) in before.iter() {
            self.catalog.remove_secret(namespace, name);
        }
        for (namespace, name, secret) in self.secrets.iter() {
            for (key, value) in &secret.values {
                let state = secrets::state(key, value, fingerprint_key);
                self.catalog.set_secret(SecretId::new(namespace, name, key), state);
            }
        }
    }
}

fn same(before: &[Arc<Object>], after: &[Arc<Object>]) -> bool {
    before.len() == after.len() && before.iter().zip(after).all(|(a, b)| Arc::ptr_eq(a, b) || a == b)
}

fn entry(object: &Object) -> Option<Entry> {
    match &object.content {
        Content::Resource(resource) => {
            let entry = Entry::new(Resource::clone(resource), object.origin.clone());
            Some(Entry { lines: object.lines.clone(), ..entry })
        }
        Content::Secret(_) => None,
    }
}

fn problem(found: &source::Problem) -> Problem {
    Problem {
        origin: Some(Origin::new(found.file.clone(), found.line)),
        object: found.object.as_ref().and_then(source::ObjectRef::resource),
        field: found.field.clone(),
        code: ProblemCode::Invalid,
        severity: match found.severity {
            source::Severity::Error => Severity::Error,
            source::Severity::Warning => Severity::Warning,
        },
        message: found.message.clone(),
        remedy: found.remedy.clone(),
    }
}
