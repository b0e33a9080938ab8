//! Which MailRepositories there are, as the watches tell. Pure. One that cannot be understood stays as it was last understood, and
//! says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use kube_core::DynamicObject;
use mailwright_crds::condition::{self, Condition};
use mailwright_crds::{
    ConditionType, Kind, MailRepository, MailRepositoryStatus, ObjectMeta, ObjectRef, Reason,
};
use serde_json::Value;

use crate::kubernetes::watch::{Told, place};

/// A MailRepository as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// What it says, without its status.
    pub repository: MailRepository,
    /// Its status.
    pub status: Value,
    /// Why its spec cannot be understood any more; the one above is the last that could be.
    pub broken: Option<String>,
}

/// A MailRepository whose spec was never understood by this process.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    metadata: ObjectMeta,
    /// Its status.
    pub status: Value,
    why: String,
}

impl Unreadable {
    fn new(mut object: DynamicObject, error: &serde_json::Error) -> Unreadable {
        let status = taken(&mut object);
        Unreadable { metadata: object.metadata, status, why: why(error) }
    }

    /// Its UID.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Its status with what is wrong; everything else stays as it was last told.
    pub fn judged(&self, now: DateTime<Utc>) -> MailRepositoryStatus {
        let mut status: MailRepositoryStatus =
            serde_json::from_value(self.status.clone()).unwrap_or_default();
        let generation = self.metadata.generation;
        status.observed_generation = generation.unwrap_or(status.observed_generation);
        status.conditions.retain(|condition| condition.type_ != ConditionType::Reconciling);
        for (type_, is) in [(ConditionType::Ready, false), (ConditionType::Stalled, true)] {
            let condition = Condition::new(type_, is, Reason::Invalid, self.why.as_str(), now);
            condition::set(&mut status.conditions, condition.observed(generation));
        }
        status.conditions.sort_by_key(|condition| condition.type_);
        status
    }

    fn version(&self) -> Option<u64> {
        version_of(&self.metadata)
    }

    fn says_the_same(&self, other: &Unreadable) -> bool {
        self.uid() == other.uid()
            && self.metadata.generation == other.metadata.generation
            && self.why == other.why
    }
}

/// What somebody can do about a spec that cannot be understood.
fn why(error: &serde_json::Error) -> String {
    format!(
        "spec cannot be understood: {error}; correct it, or install the definitions and the operator of the same version; what is in \
         force stays"
    )
}

fn taken(object: &mut DynamicObject) -> Value {
    object.data.as_object_mut().and_then(|data| data.remove("status")).unwrap_or_default()
}

fn version_of(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.as_deref()?.parse().ok()
}

impl Declared {
    fn new(mut object: DynamicObject) -> serde_json::Result<Declared> {
        let status = taken(&mut object);
        let repository = serde_json::from_value(serde_json::to_value(object)?)?;
        Ok(Declared { repository, status, broken: None })
    }

    /// The same spec under what was read of an object whose own spec cannot be understood.
    fn instead_of(&self, unread: Unreadable) -> Declared {
        let repository = MailRepository { metadata: unread.metadata, ..self.repository.clone() };
        Declared { repository, status: unread.status, broken: Some(unread.why) }
    }

    /// Its UID: another one of the same name has another.
    pub fn uid(&self) -> &str {
        self.repository.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Whether somebody asked to delete it.
    pub fn is_terminating(&self) -> bool {
        self.repository.metadata.deletion_timestamp.is_some()
    }

    /// Whether the two say the same apart from their statuses. Another word for the same is something else to say: its generation
    /// is to be told as observed.
    pub fn declares_the_same(&self, other: &Declared) -> bool {
        let annotations = |it: &Declared| it.repository.metadata.annotations.clone();
        self.uid() == other.uid()
            && self.repository.metadata.generation == other.repository.metadata.generation
            && self.is_terminating() == other.is_terminating()
            && annotations(self) == annotations(other)
            && self.repository.spec == other.repository.spec
            && self.broken == other.broken
    }

    fn version(&self) -> Option<u64> {
        version_of(&self.repository.metadata)
    }
}

/// The MailRepositories of one operator.
#[derive(Debug, Default)]
pub struct Roster {
    known: Mutex<BTreeMap<ObjectRef, Arc<Declared>>>,
    unreadable: Mutex<BTreeMap<ObjectRef, Arc<Unreadable>>>,
    /// Lists that are not complete, by the number of the watch.
    listing: Mutex<BTreeMap<usize, BTreeSet<ObjectRef>>>,
}

impl Roster {
    /// All of them.
    pub fn all(&self) -> BTreeMap<ObjectRef, Arc<Declared>> {
        lock(&self.known).clone()
    }

    /// Those that nothing is known of but that they cannot be understood.
    pub fn unreadable(&self) -> BTreeMap<ObjectRef, Arc<Unreadable>> {
        lock(&self.unreadable).clone()
    }

    /// One of them.
    pub fn get(&self, object: &ObjectRef) -> Option<Arc<Declared>> {
        lock(&self.known).get(object).cloned()
    }

    /// Takes in what a watch told; `within` is its namespace. Whether something is declared otherwise than before.
    pub fn take(&self, watch: usize, within: Option<&str>, told: Told) -> bool {
        match told {
            Told::Began => {
                lock(&self.listing).insert(watch, BTreeSet::new());
                false
            }
            Told::Listed(object) => {
                let reference = reference(&object);
                lock(&self.listing).entry(watch).or_default().insert(reference);
                self.apply(object)
            }
            Told::Changed(object) => self.apply(object),
            Told::Gone(object) => {
                let reference = reference(&object);
                let unreadable = lock(&self.unreadable).remove(&reference).is_some();
                lock(&self.known).remove(&reference).is_some() || unreadable
            }
            Told::Complete => {
                let Some(listed) = lock(&self.listing).remove(&watch) else { return false };
                let mut known = lock(&self.known);
                let before = known.len();
                let ours = |object: &ObjectRef| within.is_none_or(|namespace| namespace == object.namespace);
                known.retain(|object, _| !ours(object) || listed.contains(object));
                lock(&self.unreadable).retain(|object, _| !ours(object) || listed.contains(object));
                known.len() != before
            }
            // What is in force stays, whatever becomes of the definition.
            Told::Unknown | Told::Failed(_) => false,
        }
    }

    /// Takes in the answer to a write of our own.
    pub fn answered(&self, object: DynamicObject) {
        let reference = reference(&object);
        let before = self.get(&reference);
        let known = before.is_some();
        // What it declares otherwise is the watch's to tell: who is to work on it would not hear of it here.
        let is_other = |before: Arc<Declared>| {
            Declared::new(object.clone()).is_ok_and(|it| !before.declares_the_same(&it))
        };
        if before.is_some_and(is_other) {
            return;
        }
        if known || lock(&self.unreadable).contains_key(&reference) {
            self.apply(object);
        }
    }

    fn apply(&self, object: DynamicObject) -> bool {
        let reference = reference(&object);
        let mut known = lock(&self.known);
        let mut unreadable = lock(&self.unreadable);
        let before = known.get(&reference);
        let declared = match Declared::new(object.clone()) {
            Ok(declared) => declared,
            Err(error) => {
                tracing::error!(object = %reference, %error, "it cannot be understood; its last good state stays");
                let unread = Unreadable::new(object, &error);
                match before.filter(|before| before.uid() == unread.uid()) {
                    Some(before) => before.instead_of(unread),
                    None => {
                        known.remove(&reference);
                        let before = unreadable.get(&reference);
                        let older = before
                            .is_some_and(|it| it.uid() == unread.uid() && unread.version() < it.version());
                        if older {
                            return false;
                        }
                        let news = !before.is_some_and(|it| it.says_the_same(&unread));
                        unreadable.insert(reference, Arc::new(unread));
                        return news;
                    }
                }
            }
        };
        if before
            .is_some_and(|before| before.uid() == declared.uid() && declared.version() < before.version())
        {
            return false;
        }
        let news = !before.is_some_and(|before| before.declares_the_same(&declared));
        unreadable.remove(&reference);
        known.insert(reference, Arc::new(declared));
        news
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reference(object: &DynamicObject) -> ObjectRef {
    let (namespace, name) = place(&object.metadata);
    ObjectRef { kind: Kind::MailRepository, namespace: namespace.into(), name: name.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, version: u64, interval: &str, status: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
            "metadata": {"name": name, "namespace": "mail", "uid": name, "resourceVersion": version.to_string()},
            "spec": {"url": "https://git.example.test/x.git", "interval": interval},
            "status": {"lastAppliedRevision": status},
        }))
        .unwrap()
    }

    fn names(roster: &Roster) -> Vec<String> {
        roster.all().into_keys().map(|object| object.name.to_string()).collect()
    }

    #[test]
    fn only_what_declares_something_else_is_news() {
        let roster = Roster::default();
        let mut broken = object("a", 9, "1m", "x");
        broken.data["spec"]["interval"] = json!(7);
        let mut reworded = object("a", 4, "120s", "y");
        reworded.metadata.generation = Some(2);
        for (told, news, what) in [
            (Told::Changed(object("a", 1, "1m", "x")), true, "a new one"),
            (Told::Changed(object("a", 2, "1m", "y")), false, "another status"),
            (Told::Changed(object("a", 3, "2m", "y")), true, "another spec"),
            (Told::Changed(object("a", 2, "1m", "y")), false, "an older one"),
            (
                Told::Changed(reworded),
                true,
                "the same spec in other words, whose generation is not told as observed yet",
            ),
            (Told::Changed(broken.clone()), true, "one that cannot be understood"),
            (Told::Changed(broken), false, "the same again"),
            (Told::Unknown, false, "the definition is gone"),
            (Told::Gone(object("a", 3, "2m", "y")), true, "gone"),
            (Told::Gone(object("a", 3, "2m", "y")), false, "gone already"),
        ] {
            assert_eq!(roster.take(0, None, told), news, "{what}");
        }
        roster.answered(object("a", 12, "1m", "z"));
        assert!(names(&roster).is_empty(), "the answer to a write makes none");
    }

    #[test]
    fn an_answer_that_declares_something_else_is_left_to_the_watch() {
        let roster = Roster::default();
        roster.take(0, None, Told::Changed(object("a", 1, "1m", "x")));
        let status = || roster.all().into_values().next().unwrap().status["lastAppliedRevision"].clone();
        roster.answered(object("a", 2, "1m", "y"));
        assert_eq!(status(), "y", "our own status");
        roster.answered(object("a", 4, "2m", "z"));
        assert_eq!(status(), "y");
        assert!(roster.take(0, None, Told::Changed(object("a", 3, "2m", "y"))), "it is news");
        assert!(!roster.take(0, None, Told::Changed(object("a", 4, "2m", "z"))));
        assert_eq!(status(), "z");
    }

    #[test]
    fn a_complete_list_leaves_out_what_is_gone() {
        let roster = Roster::default();
        for name in ["a", "b"] {
            roster.take(0, Some("mail"), Told::Changed(object(name, 1, "1m", "x")));
        }
        roster.take(0, Some("mail"), Told::Began);
        roster.take(0, Some("mail"), Told::Listed(object("b", 1, "1m", "x")));
        assert_eq!(names(&roster), ["a", "b"], "the list is not complete");
        roster.take(1, Some("other"), Told::Began);
        assert!(!roster.take(1, Some("other"), Told::Complete), "a list of another namespace");
        assert!(roster.take(0, Some("mail"), Told::Complete));
        assert_eq!(names(&roster), ["b"]);
        let status = &roster.all().into_values().next().unwrap().status;
        assert_eq!(status["lastAppliedRevision"], "x");
    }
    #[test]
    fn one_that_cannot_be_understood_says_so_and_stays_as_it_was() {
        let broken = |version: u64, status: &str| {
            let mut broken = object("a", version, "1m", status);
            broken.data["spec"]["interval"] = json!(7);
            broken.metadata.generation = Some(5);
            broken
        };
        // Nobody ever understood it.
        let roster = Roster::default();
        assert!(roster.take(0, None, Told::Changed(broken(1, "x"))));
        assert!(!roster.take(0, None, Told::Changed(broken(2, "y"))), "another status is no news");
        assert!(names(&roster).is_empty(), "nothing is done with it");
        let unread = roster.unreadable().into_values().next().unwrap();
        let status = unread.judged(DateTime::UNIX_EPOCH);
        let ready = condition::find(&status.conditions, ConditionType::Ready).unwrap();
        assert_eq!((ready.reason, ready.observed_generation), (Reason::Invalid, Some(5)));
        assert!(ready.message.starts_with("spec cannot be understood: "), "{}", ready.message);
        assert_eq!(status.last_applied_revision.as_deref(), Some("y"), "what was told before stays");
        // Corrected.
        assert!(roster.take(0, None, Told::Changed(object("a", 3, "2m", "y"))));
        assert!(roster.unreadable().is_empty());
        // Broken again: the last good spec with the generation of the broken one.
        assert!(roster.take(0, None, Told::Changed(broken(4, "y"))));
        let stays = roster.all().into_values().next().unwrap();
        assert_eq!(stays.repository.spec.interval.get().as_secs(), 120);
        assert_eq!(stays.repository.metadata.generation, Some(5));
        assert!(stays.broken.as_ref().is_some_and(|why| why.contains("cannot be understood")), "{stays:?}");
        // Another one of the same name has no last good state.
        let mut other = broken(9, "z");
        other.metadata.uid = Some("other".into());
        assert!(roster.take(0, None, Told::Changed(other)));
        assert!(names(&roster).is_empty() && roster.unreadable().len() == 1);
        assert!(roster.take(0, None, Told::Gone(object("a", 10, "1m", "z"))));
        assert!(roster.unreadable().is_empty());
    }
}
