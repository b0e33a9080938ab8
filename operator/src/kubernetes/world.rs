//! What was seen of the cluster: the four kinds with their statuses, namespaces, children of MailServers. Filled by watches
//! and by the answers to our own writes; nothing is forgotten before a complete list leaves it out. Pure: no client, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube_core::{DynamicObject, ObjectMeta};
use mailwright_crds::{Kind, ObjectRef, Resource};
use mailwright_plan::{Entry, Origin};
use serde_json::Value;

use super::watch::{Told, place, pruned};

/// An object of one of the four kinds as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// What it says, without its status.
    pub entry: Result<Entry, Box<Broken>>,
    /// Its status as text: thousands of parsed ones would take a multiple.
    status: Box<str>,
}

/// An object that cannot be understood: made under a newer definition, or before a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    /// Why.
    pub why: String,
    /// Its metadata.
    pub metadata: ObjectMeta,
}

impl Seen {
    /// Takes an object apart.
    pub fn new(kind: Kind, mut object: DynamicObject) -> Seen {
        let status = object.data.as_object_mut().and_then(|data| data.remove("status")).unwrap_or_default();
        // Its metadata are typed already, and what is kept for long should not be made twice.
        let metadata = std::mem::take(&mut object.metadata);
        let value = serde_json::to_value(object);
        let entry = match value.and_then(|value| Resource::from_value(kind, value)) {
            Ok(mut resource) => {
                *resource.metadata_mut() = metadata;
                Ok(Entry::new(resource, Origin::default()))
            }
            Err(error) => Err(Box::new(Broken { why: error.to_string(), metadata })),
        };
        Seen { entry, status: status.to_string().into() }
    }

    /// Its metadata without what nobody reads.
    pub fn metadata(&self) -> &ObjectMeta {
        match &self.entry {
            Ok(entry) => entry.resource.metadata(),
            Err(broken) => &broken.metadata,
        }
    }

    /// Its status; null when it has none.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.status).unwrap_or_default()
    }

    /// Its UID: another object of the same name has another one.
    pub fn uid(&self) -> &str {
        self.metadata().uid.as_deref().unwrap_or_default()
    }

    /// Whether somebody asked to delete it.
    pub fn is_terminating(&self) -> bool {
        self.metadata().deletion_timestamp.is_some()
    }

    /// The generation of its spec.
    pub fn generation(&self) -> Option<i64> {
        self.metadata().generation
    }

    /// Whether its annotations ask to leave it alone.
    pub fn is_suspended(&self) -> bool {
        self.entry.as_ref().is_ok_and(|entry| entry.resource.is_suspended())
    }

    /// The generation that its status speaks about; -1 when it never did.
    pub fn observed_generation(&self) -> i64 {
        self.status().get("observedGeneration").and_then(Value::as_i64).unwrap_or(-1)
    }

    /// A number that grows with every write. Kubernetes promises that from 1.35 on; before it is so all the same.
    fn version(&self) -> Option<u64> {
        self.metadata().resource_version.as_deref()?.parse().ok()
    }

    /// Whether the two say the same apart from their statuses: what a reconciler wakes up for.
    pub fn declares_the_same(&self, other: &Seen) -> bool {
        fn meta(seen: &Seen) -> impl PartialEq {
            let it = seen.metadata();
            // Labels declare as well: a legal hold, and what policies ask for.
            let words = (&it.labels, &it.annotations, &it.finalizers);
            (&it.uid, it.generation, words, it.deletion_timestamp.is_some())
        }
        meta(self) == meta(other)
            && match (&self.entry, &other.entry) {
                (Ok(one), Ok(two)) => same_spec(&one.resource, &two.resource),
                (Err(one), Err(two)) => one.why == two.why,
                _ => false,
            }
    }
}

fn same_spec(one: &Resource, other: &Resource) -> bool {
    match (one, other) {
        (Resource::MailServer(one), Resource::MailServer(other)) => one.spec == other.spec,
        (Resource::MailDomain(one), Resource::MailDomain(other)) => one.spec == other.spec,
        (Resource::Mailbox(one), Resource::Mailbox(other)) => one.spec == other.spec,
        (Resource::Alias(one), Resource::Alias(other)) => one.spec == other.spec,
        _ => false,
    }
}

/// What is known of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

/// What is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// One of the four kinds.
    Resource(Kind),
    /// Namespaces.
    Namespace,
    /// Secrets, which others keep: here only whether their list is complete.
    Secret,
    /// What is published, by its number in [`super::published::KINDS`]: the same.
    Published(usize),
    /// Children of MailServers, by the number of their kind in the list of the caller.
    Child(usize),
}

/// A topic in one of the namespaces that are followed apart (0 where all are followed at once).
pub type Tag = (Topic, usize);

/// What a message changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Objects that declare something else than before.
    pub objects: BTreeSet<ObjectRef>,
    /// Objects whose status is another than before.
    pub statuses: BTreeSet<ObjectRef>,
    /// Objects that refer to a Secret that changed, or for which something is published that changed.
    pub secrets: BTreeSet<ObjectRef>,
    /// MailServers (`namespace/name`) whose children changed.
    pub children_of: BTreeSet<String>,
    /// Namespaces whose labels changed, or that are being deleted.
    pub namespaces: BTreeSet<String>,
}

impl Touched {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Touched::default()
    }

    /// Both together.
    pub fn merge(&mut self, other: Touched) {
        self.objects.extend(other.objects);
        self.statuses.extend(other.statuses);
        self.secrets.extend(other.secrets);
        self.children_of.extend(other.children_of);
        self.namespaces.extend(other.namespaces);
    }
}

/// A child's kind, namespace and name.
pub type ChildKey = (usize, String, String);

/// Everything that was seen.
#[derive(Debug, Default)]
pub struct World {
    objects: BTreeMap<ObjectRef, Arc<Seen>>,
    namespaces: BTreeMap<String, Namespace>,
    children: BTreeMap<ChildKey, Arc<DynamicObject>>,
    following: BTreeMap<Tag, Following>,
}

/// How far the view of one tag is.
#[derive(Debug, Default)]
struct Following {
    namespace: Option<String>,
    optional: bool,
    complete: bool,
    known: bool,
    listing: Option<BTreeSet<(String, String)>>,
    trouble: Option<String>,
}

impl World {
    /// Says that something will be followed: the view is not complete before it is.
    /// What is `optional` may never be listed: the right to is not given everywhere.
    pub fn expect(&mut self, tag: Tag, namespace: Option<&str>, optional: bool) {
        let namespace = namespace.map(str::to_owned);
        let following = Following { namespace, optional, known: true, ..Following::default() };
        self.following.insert(tag, following);
    }

    /// Whether everything that is followed was listed completely at least once.
    pub fn is_complete(&self) -> bool {
        self.following.values().all(|following| following.complete || following.optional)
    }

    /// What is still waited for, or not known to the server, in words.
    pub fn incomplete(&self) -> Vec<String> {
        let missing = self.following.iter().filter(|(_, following)| !following.complete || !following.known);
        missing
            .map(|((topic, _), following)| match &following.trouble {
                Some(trouble) => format!("{topic:?}: {trouble}"),
                None => format!("{topic:?}"),
            })
            .collect()
    }

    /// Whether the server has all four kinds, as far as is known: only then can an object be known to be gone.
    pub fn knows_all_kinds(&self) -> bool {
        let kinds = self.following.iter().filter(|((topic, _), _)| matches!(topic, Topic::Resource(_)));
        kinds.into_iter().all(|(_, following)| following.known && following.complete)
    }

    /// The namespace that a tag is followed in; `None` when it is all.
    pub fn namespace_of(&self, tag: Tag) -> Option<&str> {
        self.following.get(&tag)?.namespace.as_deref()
    }

    /// The objects of the four kinds.
    pub fn objects(&self) -> &BTreeMap<ObjectRef, Arc<Seen>> {
        &self.objects
    }

    /// The namespaces.
    pub fn namespaces(&self) -> &BTreeMap<String, Namespace> {
        &self.namespaces
    }

    /// The children of a MailServer by the number of their kind.
    pub fn children_of(&self, server: &str) -> Vec<(usize, Arc<DynamicObject>)> {
        let own = self.children.iter().filter(|(_, child)| server_of(child).as_deref() == Some(server));
        own.map(|((kind, ..), child)| (*kind, Arc::clone(child))).collect()
    }

    /// Takes in what a watch told.
    pub fn take(&mut self, tag: Tag, told: Told) -> Touched {
        let following = self.following.entry(tag).or_default();
        match told {
            Told::Began => following.listing = Some(BTreeSet::new()),
            Told::Failed(trouble) => following.trouble = Some(trouble),
            Told::Unknown => {
                following.known = false;
                following.trouble = Some("the API server does not have it".to_owned());
            }
            Told::Complete => {
                following.known = true;
                following.complete = true;
                following.trouble = None;
                return self.conclude(tag);
            }
            Told::Listed(object) => {
                let (namespace, name) = place(&object.metadata);
                if let Some(listing) = &mut following.listing {
                    listing.insert((namespace.to_owned(), name.to_owned()));
                }
                return self.apply(tag.0, object);
            }
            Told::Changed(object) => {
                (following.known, following.trouble) = (true, None);
                if self.has(tag.0, &object.metadata) {
                    return Touched::default();
                }
                return self.apply(tag.0, object);
            }
            Told::Gone(object) => return self.remove(tag.0, place(&object.metadata)),
        }
        Touched::default()
    }

    /// Whether this very version is known: the answer to our own write came before the watch told of it. Of a list that is not
    /// asked, because another definition shows the same version in another way.
    fn has(&self, topic: Topic, metadata: &ObjectMeta) -> bool {
        let Topic::Resource(kind) = topic else { return false };
        let version = metadata.resource_version.as_deref();
        version.is_some()
            && self.objects.get(&reference(kind, metadata)).is_some_and(|known| {
                let known = known.metadata();
                known.uid == metadata.uid && known.resource_version.as_deref() == version
            })
    }

    /// Takes in the answer to a write of our own, as a watch would tell it later: as little of it, too.
    pub fn answered(&mut self, kind: Kind, object: DynamicObject) -> Touched {
        let known = self.objects.get(&reference(kind, &object.metadata));
        match known.is_some_and(|seen| Some(seen.uid()) == object.metadata.uid.as_deref()) {
            true => self.apply(Topic::Resource(kind), pruned(object)),
            false => Touched::default(),
        }
    }

    /// A complete list leaves out what is gone.
    fn conclude(&mut self, tag: Tag) -> Touched {
        let Some(following) = self.following.get_mut(&tag) else { return Touched::default() };
        let Some(listed) = following.listing.take() else { return Touched::default() };
        let within = following.namespace.clone();
        let mut touched = Touched::default();
        for place in self.places(tag.0) {
            let ours = within.as_ref().is_none_or(|namespace| *namespace == place.0);
            if ours && !listed.contains(&place) {
                touched.merge(self.remove(tag.0, (&place.0, &place.1)));
            }
        }
        touched
    }

    fn places(&self, topic: Topic) -> Vec<(String, String)> {
        match topic {
            Topic::Resource(kind) => {
                let objects = self.objects.keys().filter(|object| object.kind == kind);
                objects.map(|object| (object.namespace.to_string(), object.name.to_string())).collect()
            }
            Topic::Namespace => self.namespaces.keys().map(|name| (String::new(), name.clone())).collect(),
            Topic::Secret | Topic::Published(_) => Vec::new(),
            Topic::Child(number) => {
                let children = self.children.keys().filter(|(kind, ..)| *kind == number);
                children.map(|(_, namespace, name)| (namespace.clone(), name.clone())).collect()
            }
        }
    }

    fn apply(&mut self, topic: Topic, object: DynamicObject) -> Touched {
        let mut touched = Touched::default();
        match topic {
            Topic::Resource(kind) => {
                let reference = reference(kind, &object.metadata);
                let seen = Seen::new(kind, object);
                let before = self.objects.get(&reference);
                if before.is_some_and(|before| is_older(&seen, before)) {
                    return touched;
                }
                if !before.is_some_and(|before| before.declares_the_same(&seen)) {
                    touched.objects.insert(reference.clone());
                }
                if before.is_none_or(|before| before.status != seen.status) {
                    touched.statuses.insert(reference.clone());
                }
                self.objects.insert(reference, Arc::new(seen));
            }
            Topic::Namespace => {
                let labels = object.metadata.labels.clone().unwrap_or_default();
                let terminating = object.metadata.deletion_timestamp.is_some();
                let (_, name) = place(&object.metadata);
                let namespace = Namespace { labels, terminating };
                if self.namespaces.get(name) != Some(&namespace) {
                    touched.namespaces.insert(name.to_owned());
                    self.namespaces.insert(name.to_owned(), namespace);
                }
            }
            Topic::Secret | Topic::Published(_) => {}
            Topic::Child(kind) => {
                touched.children_of.extend(server_of(&object));
                let (namespace, name) = place(&object.metadata);
                self.children.insert((kind, namespace.to_owned(), name.to_owned()), Arc::new(object));
            }
        }
        touched
    }

    fn remove(&mut self, topic: Topic, (namespace, name): (&str, &str)) -> Touched {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let mut touched = Touched::default();
        match topic {
            Topic::Resource(kind) => {
                let object = ObjectRef { kind, namespace: namespace.into(), name: name.into() };
                if self.objects.remove(&object).is_some() {
                    touched.objects.insert(object);
                }
            }
            Topic::Namespace => {
                if self.namespaces.remove(&name).is_some() {
                    touched.namespaces.insert(name);
                }
            }
            Topic::Secret | Topic::Published(_) => {}
            Topic::Child(kind) => {
                if let Some(child) = self.children.remove(&(kind, namespace, name)) {
                    touched.children_of.extend(server_of(&child));
                }
            }
        }
        touched
    }
}

/// Whether a message about the same object is older than what is known: the answer to a write of ours came first.
fn is_older(seen: &Seen, known: &Seen) -> bool {
    seen.uid() == known.uid()
        && matches!((seen.version(), known.version()), (Some(new), Some(old)) if new < old)
}

/// The object that metadata are of.
pub fn reference(kind: Kind, metadata: &ObjectMeta) -> ObjectRef {
    let (namespace, name) = place(metadata);
    ObjectRef { kind, namespace: namespace.into(), name: name.into() }
}

/// The MailServer that an object is a child of, by its label.
fn server_of(object: &DynamicObject) -> Option<String> {
    let server = object.metadata.labels.as_ref()?.get(mailwright_crds::well_known::SERVER_LABEL)?;
    Some(format!("{}/{server}", object.metadata.namespace.as_deref()?))
}

#[cfg(test)]
mod tests;
