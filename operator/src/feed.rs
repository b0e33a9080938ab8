//! Owns the way of a source's snapshot into the planner's catalog: only files that changed are taken anew, Secrets become
//! fingerprints, and what is broken keeps its rows. Leaves out reading ([`crate::source`]) and comparing (`plan/`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mailwright_crds::mailbox::Generate;
use mailwright_crds::namespaces::Labels;
use mailwright_crds::{Mailbox, Policy, PolicyKind, Resource, Text};
use mailwright_plan::policy::{Broken, Declared, Place};
use mailwright_plan::{
    Catalog, Entry, ObjectRef, Origin, Problem, ProblemCode, SecretId, SecretState, Severity,
};

use crate::secrets::{self, Secrets};
use crate::source::{self, Content, Object, ObjectKind, SecretValue, Snapshot};

/// The catalog of one source, kept in step with its snapshots.
#[derive(Debug, Default)]
pub struct Feed {
    /// What is declared.
    pub catalog: Catalog,
    /// The Secrets that came along.
    pub secrets: Secrets,
    files: BTreeMap<Text, Vec<Arc<Object>>>,
    broken: BTreeSet<Text>,
    /// Those of the Secrets that were made up.
    generated: BTreeSet<SecretId>,
}

impl Feed {
    /// Takes a snapshot in. Files whose objects are the same as before are left alone.
    pub fn take(&mut self, snapshot: &Snapshot, fingerprint_key: &[u8; 32]) {
        let mut files: BTreeMap<Text, Vec<Arc<Object>>> = BTreeMap::new();
        for object in &snapshot.objects {
            files.entry(object.origin.file.clone()).or_default().push(Arc::clone(object));
        }
        self.forget_files(snapshot, &files);
        let mut taken = 0;
        for (file, objects) in &files {
            let same = self.files.get(file).is_some_and(|before| same(before, objects));
            if !same || self.broken.contains(file) {
                self.catalog.replace_file(file, objects.iter().filter_map(|object| entry(object)).collect());
                taken += 1;
            }
        }
        if taken > files.len() / 2 {
            self.catalog.compact();
        }
        self.files = files;
        self.take_broken(snapshot);
        self.take_policies(snapshot);
        self.take_secrets(fingerprint_key);
        self.take_namespaces();
    }

    /// Takes in one object from a source without files.
    pub fn apply(&mut self, resource: Resource) {
        self.catalog.apply(Entry::new(resource, Origin::default()));
    }

    /// Forgets one object.
    pub fn delete(&mut self, object: &ObjectRef) {
        self.catalog.delete(object);
    }

    /// Takes in one password that was made up. A Secret of that name from somebody else stays as it is: its own password counts,
    /// and without one there is none.
    fn set_generated(&mut self, namespace: &str, generate: &Generate, value: SecretValue, key: &[u8; 32]) {
        let (name, of) = (generate.secret_name.as_str(), generate.key.as_str());
        let id = SecretId::new(namespace, name, of);
        if self.secrets.value(namespace, name, of).is_some() && !self.generated.contains(&id) {
            return;
        }
        if self.secrets.contains(namespace, name) && !self.generated.iter().any(|it| same_secret(it, &id)) {
            self.catalog.set_secret(id, SecretState::NotOurs);
            return;
        }
        self.catalog.set_secret(id.clone(), secrets::state(of, &value, key));
        self.secrets.insert_value(namespace, name, of, value);
        self.generated.insert(id);
    }

    /// Takes in the passwords that were made up, as `password_of` knows or makes them.
    pub fn take_generated<E>(
        &mut self,
        fingerprint_key: &[u8; 32],
        password_of: impl Fn(&Mailbox) -> Result<Option<SecretValue>, E>,
    ) -> Result<(), E> {
        let mut found = Vec::new();
        for entry in self.catalog.entries() {
            let Resource::Mailbox(mailbox) = &entry.resource else { continue };
            let Some(generate) = mailbox.spec.credentials.as_ref().and_then(|it| it.generate.clone()) else {
                continue;
            };
            let value = password_of(mailbox)?;
            found.extend(value.map(|value| (entry.resource.namespace().to_owned(), generate, value)));
        }
        for (namespace, generate, value) in found {
            self.set_generated(&namespace, &generate, value, fingerprint_key);
        }
        Ok(())
    }

    /// Files that are gone, and files that were or are broken, start afresh.
    fn forget_files(&mut self, snapshot: &Snapshot, files: &BTreeMap<Text, Vec<Arc<Object>>>) {
        let gone: Vec<Text> = self
            .files
            .keys()
            .filter(|file| !files.contains_key(*file))
            .chain(&self.broken)
            .cloned()
            .collect();
        let troubled = snapshot.problems.iter().map(|problem| Text::from(&problem.file));
        for file in gone.into_iter().chain(troubled.collect::<BTreeSet<_>>()) {
            self.catalog.remove_file(&file);
            self.broken.insert(file);
        }
    }

    fn take_broken(&mut self, snapshot: &Snapshot) {
        self.broken.clear();
        for file in &snapshot.broken_files {
            self.catalog.set_broken_file(file.path.as_str(), file.text.clone());
            self.broken.insert(Text::from(&file.path));
        }
        for object in &snapshot.broken_objects {
            if let Some(reference) = object.reference.resource() {
                self.catalog.set_broken_object(reference, object.origin.clone());
            }
            self.broken.insert(object.origin.file.clone());
        }
        for found in &snapshot.problems {
            self.catalog.add_problem(problem(found));
            self.broken.insert(Text::from(&found.file));
        }
    }

    /// MailPolicy documents; those that cannot be understood, and files that may hold some, hold back changes.
    fn take_policies(&mut self, snapshot: &Snapshot) {
        let declared = self.files.values().flatten().filter_map(policy);
        let declared: Vec<Declared> = declared.collect();
        let every = || PolicyKind::ALL.to_vec();
        let broken = snapshot.broken_objects.iter().filter(|it| it.reference.kind == ObjectKind::Policy);
        let broken = broken.map(|it| {
            let (name, origin) = (it.reference.name.to_string(), Some(it.origin.clone()));
            Broken { name, origin, kinds: every() }
        });
        let files = snapshot.broken_files.iter();
        let files = files.filter(|file| file.text.as_ref().is_some_and(|text| text.contains("MailPolicy")));
        let files = files.map(|file| {
            let origin = Some(Origin::new(file.path.clone(), 0));
            Broken { name: file.path.clone(), origin, kinds: every() }
        });
        let broken: BTreeSet<Broken> = broken.chain(files).collect();
        self.catalog.set_policies(declared, broken.into_iter().collect());
    }

    /// Labels of namespaces, as far as the source has documents of them.
    fn take_namespaces(&mut self) {
        let told: BTreeMap<&str, &Labels> =
            self.files.values().flatten().filter_map(|object| labels(object)).collect();
        let gone: Vec<String> = self
            .catalog
            .namespaces()
            .keys()
            .filter(|name| !told.contains_key(name.as_str()))
            .cloned()
            .collect();
        for name in gone {
            self.catalog.set_namespace(&name, None);
        }
        for (name, labels) in told {
            self.catalog.set_namespace(name, Some(labels.clone()));
        }
    }

    /// Secrets are few beside mailboxes; telling all of them again keeps no second book.
    fn take_secrets(&mut self, fingerprint_key: &[u8; 32]) {
        let before = std::mem::take(&mut self.secrets);
        self.generated.clear();
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

fn labels(object: &Arc<Object>) -> Option<(&str, &Labels)> {
    match &object.content {
        Content::Namespace(labels) => Some((object.reference.name.as_str(), labels)),
        _ => None,
    }
}

/// A MailPolicy document as the planner takes it.
fn policy(object: &Arc<Object>) -> Option<Declared> {
    let Content::Policy(policy) = &object.content else { return None };
    let line = object.lines.get("spec.expression").unwrap_or(object.origin.line);
    let origin = Some(Origin::new(object.origin.file.clone(), line));
    let place = Place { object: None, origin, field: "spec".to_owned() };
    Some(Declared { policy: Policy::clone(policy), place })
}

fn same_secret(one: &SecretId, other: &SecretId) -> bool {
    one.namespace == other.namespace && one.name == other.name
}

fn same(before: &[Arc<Object>], after: &[Arc<Object>]) -> bool {
    before.len() == after.len() && before.iter().zip(after).all(|(a, b)| Arc::ptr_eq(a, b) || a == b)
}

fn entry(object: &Object) -> Option<Entry> {
    match &object.content {
        Content::Resource(resource) => {
            let (resource, reference) = (Resource::clone(resource), object.reference.resource()?);
            Some(Entry::of(reference, resource, object.origin.clone(), object.lines.clone()))
        }
        Content::Secret(_) | Content::Namespace(_) | Content::Policy(_) | Content::PolicyTest(_) => None,
    }
}

fn problem(found: &source::Problem) -> Problem {
    Problem {
        origin: Some(Origin::new(found.file.clone(), found.line)),
        object: found.object.as_ref().and_then(source::ObjectRef::resource),
        field: found.field.clone(),
        code: if found.sealed { ProblemCode::DecryptionFailed } else { ProblemCode::Invalid },
        severity: match found.severity {
            source::Severity::Error => Severity::Error,
            source::Severity::Warning => Severity::Warning,
        },
        message: found.message.clone(),
        remedy: found.remedy.clone(),
    }
}

#[cfg(test)]
mod tests;
