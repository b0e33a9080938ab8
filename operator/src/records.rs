//! The records that `mailwright get` shows: specs as declared with their generations, statuses as computed. What is
//! declared no more is forgotten, unless its removal is held back or cannot be told from a broken file.
//!
//! Of a hundred thousand records only those are read and written that say something else than in the pass before: a
//! [`Ledger`] remembers of each what it was made of. Leaves out where records are kept ([`crate::accounts`]).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mailwright_crds::Resource;
use mailwright_plan::status::{Statuses, Subject};
use mailwright_plan::{Catalog, Kind, ObjectRef, Plan};
use serde_json::Value;

use crate::accounts::Record;

/// Records that are read or written at once: some MiB, and a transaction that nobody notices.
pub const PAGE: usize = 1000;

/// What is known of the records that are kept.
#[derive(Debug, Default)]
pub struct Ledger {
    marks: BTreeMap<ObjectRef, Mark>,
    /// The version of the records that this was true of.
    version: Option<u64>,
}

/// What is known of one.
#[derive(Debug)]
struct Mark {
    /// The declaration that `generation` counts; `None` as long as the record was not compared with one.
    counted: Option<Resource>,
    generation: i64,
    created: DateTime<Utc>,
    /// Whether there is a record.
    is_kept: bool,
    /// The digest of what its status said, but for times.
    said: Option<Said>,
}

/// Sixteen bytes of BLAKE3: statuses are told apart, not signed.
pub type Said = [u8; 16];

impl Ledger {
    /// Of records that nothing is known of but that they are there.
    pub fn new(objects: Vec<ObjectRef>, version: Option<u64>) -> Ledger {
        let unread = || Mark { is_kept: true, ..Mark::new(DateTime::UNIX_EPOCH) };
        // A MailRepository is kept by whoever follows it.
        let planned = |object: &ObjectRef| Kind::PLANNED.contains(&object.kind);
        Ledger {
            marks: objects.into_iter().filter(planned).map(|object| (object, unread())).collect(),
            version,
        }
    }

    /// Whether nobody else wrote records since.
    pub fn is_current(&self, version: Option<u64>) -> bool {
        version.is_some() && self.version == version
    }

    /// A write of our own moved the version.
    pub fn wrote(&mut self) {
        self.version = self.version.map(|version| version + 1);
    }

    /// Declared objects, those of a scope or all, whose records have to be read before they can be numbered.
    pub fn unread(&self, catalog: &Catalog, scope: Option<&BTreeSet<ObjectRef>>) -> Vec<ObjectRef> {
        let mut unread: BTreeSet<ObjectRef> = BTreeSet::new();
        catalog.scoped(scope, |entry| {
            let object = entry.object();
            if self.marks.get(&object).is_some_and(|mark| !mark.counts(&entry.resource)) {
                unread.insert(object);
            }
        });
        unread.into_iter().collect()
    }

    /// Numbers declared objects by their records: one more than before when the spec changed.
    pub fn number(&mut self, catalog: &Catalog, records: &[Record]) {
        for record in records {
            let Some(entry) = catalog.get(&record.object) else { continue };
            let same = spec_of(&entry.resource) == record.spec;
            let generation = if same { record.generation } else { record.generation + 1 };
            if let Some(mark) = self.marks.get_mut(&record.object) {
                mark.generation = generation;
                mark.created = record.created;
                mark.counted = Some(entry.resource.clone());
            }
        }
    }

    /// Numbers what has no record yet, and tells the catalog the numbers: of a scope, or all.
    pub fn tell(&mut self, catalog: &mut Catalog, scope: Option<&BTreeSet<ObjectRef>>, now: DateTime<Utc>) {
        catalog.scoped(scope, |entry| {
            let mark = self.marks.entry(entry.object()).or_insert_with(|| Mark::new(now));
            if mark.counted.is_none() {
                // A record that vanished while it was to be read is as good as none.
                let counted = Some(entry.resource.clone());
                *mark = Mark { counted, generation: 1, is_kept: mark.is_kept, ..Mark::new(now) };
            }
        });
        if scope.is_none() {
            // Filled in order, a tree is half empty: one that is made at once is not.
            self.marks = std::mem::take(&mut self.marks).into_iter().collect();
        }
        let number = |object: &ObjectRef| self.marks.get(object).map(|mark| mark.generation);
        match scope {
            None => catalog.set_generations(number),
            Some(scope) => {
                for object in scope {
                    number(object).into_iter().for_each(|number| catalog.set_generation(object, number));
                }
            }
        }
    }

    /// Whether everything that is kept was written down once, so that what is out of a scope is known.
    pub fn is_told(&self) -> bool {
        self.marks.values().all(|mark| mark.said.is_some())
    }

    /// Whose statuses say something else than they did, and what they say: `statuses` are computed without regard to those kept. With
    /// a scope only those in it are asked about.
    pub fn changed<'a>(
        &self,
        statuses: &Statuses<'a>,
        scope: Option<&BTreeSet<ObjectRef>>,
    ) -> Vec<(Subject<'a>, Said)> {
        let mut changed = Vec::new();
        statuses.subjects(scope, |subject| {
            let said = digest(&subject, &statuses.of(&subject, None));
            if self.marks.get(&subject.object).and_then(|mark| mark.said) != Some(said) {
                changed.push((subject, said));
            }
        });
        changed
    }

    /// The record of an object with this status; `None` for one that was never declared.
    pub fn record(&self, subject: &Subject<'_>, kept: Option<&Record>, status: Value) -> Option<Record> {
        let object = subject.object.clone();
        match (subject.entry, self.marks.get(&object), kept) {
            (Some(entry), Some(mark), _) => {
                let spec = spec_of(&entry.resource);
                Some(Record { object, generation: mark.generation, created: mark.created, spec, status })
            }
            (_, _, Some(kept)) => Some(Record { status, ..kept.clone() }),
            _ => None,
        }
    }

    /// Whether there may be a record.
    pub fn is_kept(&self, object: &ObjectRef) -> bool {
        self.marks.get(object).is_none_or(|mark| mark.is_kept)
    }

    /// A status is kept as it was said.
    pub fn kept(&mut self, object: &ObjectRef, said: Said) {
        if let Some(mark) = self.marks.get_mut(object) {
            (mark.is_kept, mark.said) = (true, Some(said));
        }
    }

    /// Takes out what is declared no more, in a scope or anywhere, and answers it.
    pub fn forget(
        &mut self,
        statuses: &Statuses<'_>,
        plan: &Plan,
        scope: Option<&BTreeSet<ObjectRef>>,
    ) -> Vec<ObjectRef> {
        let mut staying: BTreeSet<&ObjectRef> = plan.held().map(|operation| &operation.object).collect();
        let mut subjects = BTreeSet::new();
        statuses.subjects(scope, |subject| {
            subjects.insert(subject.object);
        });
        staying.extend(&subjects);
        let leaves = |object: &&ObjectRef| !staying.contains(object) && self.marks.contains_key(*object);
        let gone: Vec<ObjectRef> = match scope {
            None => self.marks.keys().filter(leaves).cloned().collect(),
            Some(scope) => scope.iter().filter(leaves).cloned().collect(),
        };
        gone.iter().for_each(|object| drop(self.marks.remove(object)));
        gone
    }
}

impl Mark {
    fn new(created: DateTime<Utc>) -> Mark {
        Mark { counted: None, generation: 0, created, is_kept: false, said: None }
    }

    fn counts(&self, resource: &Resource) -> bool {
        self.counted.as_ref().is_some_and(|counted| counted.is_same(resource))
    }
}

fn spec_of(resource: &Resource) -> Value {
    let mut value = resource.to_value().unwrap_or_default();
    value.get_mut("spec").map(Value::take).unwrap_or_default()
}

/// What a status says, times apart; whether it is said of a declaration belongs to it.
fn digest(subject: &Subject<'_>, status: &Value) -> Said {
    let mut hasher = blake3::Hasher::new();
    let generation = subject.entry.map(|entry| entry.generation().unwrap_or_default());
    // Writing to a hasher cannot fail.
    let _ = serde_json::to_writer(&mut hasher, &(generation, status));
    let mut said = [0; 16];
    said.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    said
}

#[cfg(test)]
mod tests;
