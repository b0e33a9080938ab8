//! What changed in a catalog since somebody asked: the objects that say something else than before, or simply everything.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, SecretId, SecretState};
use crate::reference::ObjectRef;

/// More objects than this are not told apart from everything: looking at each is as much work.
const MANY: usize = 10_000;

/// What changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Changes {
    /// Anything may have changed.
    #[default]
    Everything,
    /// Only these; a line that merely moved is no change.
    Some {
        /// Objects that say something else, came or went.
        objects: BTreeSet<ObjectRef>,
        /// The addresses that they asked for before.
        addresses: BTreeSet<String>,
    },
}

impl Changes {
    /// Nothing changed.
    pub(super) fn none() -> Changes {
        Changes::Some { objects: BTreeSet::new(), addresses: BTreeSet::new() }
    }

    /// This object changed, came or went.
    pub(super) fn object(&mut self, object: &ObjectRef) {
        if let Changes::Some { objects, .. } = self {
            objects.insert(object.clone());
            if objects.len() > MANY {
                *self = Changes::Everything;
            }
        }
    }

    /// This is no more what an object says.
    pub(super) fn was(&mut self, entry: &Entry) {
        if let (Changes::Some { addresses, .. }, Some(address)) = (&mut *self, entry.address()) {
            addresses.insert(address.to_owned());
        }
        self.object(&entry.object());
    }
}

/// The objects of a file that are others than before.
pub(super) fn differ(before: &[Entry], after: &[Entry]) -> BTreeSet<ObjectRef> {
    let (before, after) = (by_object(before), by_object(after));
    let mut objects: BTreeSet<ObjectRef> = BTreeSet::new();
    for object in before.keys().chain(after.keys()) {
        let (old, new) = (before.get(object), after.get(object));
        let alike = old.zip(new).is_some_and(|(old, new)| {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.is_like(new))
        });
        if !alike {
            objects.insert(object.clone());
        }
    }
    objects
}

fn by_object(entries: &[Entry]) -> BTreeMap<ObjectRef, Vec<&Entry>> {
    let mut by_object: BTreeMap<ObjectRef, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        by_object.entry(entry.object()).or_default().push(entry);
    }
    for entries in by_object.values_mut() {
        entries.sort_by_key(|entry| entry.origin.line);
    }
    by_object
}

type Known = BTreeMap<SecretId, SecretState>;

/// The Secrets, by namespace and name, of which a key is another one than before.
pub(super) fn secrets<'a>(before: &'a Known, after: &'a Known) -> BTreeSet<(&'a str, &'a str)> {
    let changed = |id: &&SecretId| before.get(*id) != after.get(*id);
    let ids = before.keys().chain(after.keys()).filter(changed);
    ids.map(|id| (id.namespace.as_str(), id.name.as_str())).collect()
}
