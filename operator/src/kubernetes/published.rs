//! Objects that are written whole and only when they differ: the zones of a domain, its DNSEndpoint, a Certificate. What
//! is as it was at the last look costs no request. A watch of their metadata tells of other versions than the one that was
//! seen last, so that a change by somebody else does not stay; every hour each is looked at again all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube_client::core::DynamicObject;
use kube_client::core::discovery::ApiResource;
use kube_client::core::params::{DeleteParams, Patch, PatchParams};
use kube_client::{Api, Client};
use mailwright_crds::{Kind, ObjectMeta, ObjectRef, Text};
use serde_json::Value;

use super::api::{self, ApiError};
use super::apis::Foreign;
use super::children::covers::covers;
use super::names::{MANAGED_BY, SERVER};
use super::watch::{Followed, place};
use crate::platform::PlatformError;

/// How long what was written is believed to be there.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// What is published, by kind: zones, and what other projects make of records and certificates where they are installed.
pub const KINDS: [Option<Foreign>; 3] = [None, Some(Foreign::Certificate), Some(Foreign::DnsEndpoint)];

/// What of a kind is followed: the metadata of what is ours. ConfigMaps of MailServers are followed as their children.
pub fn followed(kind: Option<Foreign>) -> Followed {
    let ours = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
    match kind {
        None => Followed::all(zones()).labelled(&format!("{ours},!{SERVER}")).metadata(),
        Some(foreign) => Followed::all(foreign.resource()).labelled(&ours).metadata(),
    }
}

/// What zones are in.
pub fn zones() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::ConfigMap>(&())
}

/// What was written, or found to be right.
#[derive(Debug, Default)]
pub struct Published {
    marks: Mutex<BTreeMap<Key, Mark>>,
}

/// An object: plural, namespace, name.
type Key = (String, String, String);

/// An object as it was right.
#[derive(Debug, Clone)]
struct Mark {
    digest: blake3::Hash,
    looked: Instant,
    version: Option<String>,
    /// Whose it is.
    owner: Option<ObjectRef>,
}

impl Mark {
    /// Whether a version is not the one that was right. One that is older is the echo of what was there before.
    fn is_over(&self, version: Option<&str>) -> bool {
        let number = |version: Option<&str>| version?.parse::<u64>().ok();
        match (number(version), number(self.version.as_deref())) {
            (Some(told), Some(known)) => told > known,
            _ => self.version.as_deref() != version,
        }
    }
}

impl Published {
    /// The watch told of a version of an object. Answers whose it is, when that has to be looked at again.
    pub fn seen(&self, kind: Option<Foreign>, metadata: &ObjectMeta) -> BTreeSet<ObjectRef> {
        let key = place_of(kind, metadata);
        let version = metadata.resource_version.as_deref();
        self.forget(|known, mark| *known == key && mark.is_over(version))
    }

    /// The watch told that an object is gone.
    pub fn gone(&self, kind: Option<Foreign>, metadata: &ObjectMeta) -> BTreeSet<ObjectRef> {
        let key = place_of(kind, metadata);
        self.forget(|known, _| *known == key)
    }

    /// The watch began anew and saw all of these: those of one namespace, or of all where `namespace` is `None`.
    pub fn relisted(
        &self,
        kind: Option<Foreign>,
        namespace: Option<&str>,
        listed: &[ObjectMeta],
    ) -> BTreeSet<ObjectRef> {
        let versions: BTreeMap<Key, Option<&str>> =
            listed.iter().map(|it| (place_of(kind, it), it.resource_version.as_deref())).collect();
        let plural = followed(kind).resource.plural;
        self.forget(|known, mark| {
            let asked = known.0 == plural && namespace.is_none_or(|namespace| known.1 == namespace);
            asked && versions.get(known).is_none_or(|version| mark.is_over(*version))
        })
    }

    /// What these are is not known any more. Answers whose they are.
    fn forget(&self, which: impl Fn(&Key, &Mark) -> bool) -> BTreeSet<ObjectRef> {
        let mut touched = BTreeSet::new();
        self.marks().retain(|key, mark| {
            let over = which(key, mark);
            if over {
                touched.extend(mark.owner.clone());
            }
            !over
        });
        touched
    }

    /// Makes sure that an object is as `desired` says in everything that it says. Answers whether it was written.
    pub async fn put(
        &self,
        client: &Client,
        resource: &ApiResource,
        desired: &Value,
        manager: &str,
    ) -> Result<bool, PlatformError> {
        let key = key(resource, desired);
        let digest = blake3::hash(desired.to_string().as_bytes());
        let is_right = |mark: &Mark| mark.digest == digest && mark.looked.elapsed() < LOOK_AGAIN;
        if self.marks().get(&key).is_some_and(is_right) {
            return Ok(false);
        }
        let api = api_of(client, resource, &key.1);
        let object = format!("{} {}/{}", resource.kind, key.1, key.2);
        let live = api::ask("read", object.clone(), api.get_opt(&key.2)).await?;
        let mut version = live.as_ref().and_then(|live| live.metadata.resource_version.clone());
        let live = live.map(|live| serde_json::to_value(live).unwrap_or_default());
        let write = match &live {
            None => true,
            Some(live) if !is_ours(live) => return Err(PlatformError::NotOurs { object }),
            Some(live) => !is_published(live, desired),
        };
        if write {
            let parameters = PatchParams::apply(manager).force();
            let patch = Patch::Apply(desired);
            let made = api::ask("write", object, api.patch(&key.2, &parameters, &patch)).await?;
            version = made.metadata.resource_version;
        }
        let mark = Mark { digest, looked: Instant::now(), version, owner: owner(desired) };
        self.marks().insert(key, mark);
        Ok(write)
    }

    /// Removes an object of ours.
    pub async fn remove(
        &self,
        client: &Client,
        resource: &ApiResource,
        namespace: &str,
        name: &str,
    ) -> Result<(), ApiError> {
        let api = api_of(client, resource, namespace);
        let object = format!("{} {namespace}/{name}", resource.kind);
        let live = api::ask("read", object.clone(), api.get_opt(name)).await?;
        if live.is_some_and(|live| is_ours(&serde_json::to_value(live).unwrap_or_default())) {
            let parameters = DeleteParams::default();
            api::ask("delete", object, api::absent(api.delete(name, &parameters))).await?;
        }
        let key = (resource.plural.clone(), namespace.to_owned(), name.to_owned());
        self.marks().remove(&key);
        Ok(())
    }

    fn marks(&self) -> MutexGuard<'_, BTreeMap<Key, Mark>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place_of(kind: Option<Foreign>, metadata: &ObjectMeta) -> Key {
    let (namespace, name) = place(metadata);
    (followed(kind).resource.plural, namespace.to_owned(), name.to_owned())
}

/// The resource that an object is made for.
fn owner(desired: &Value) -> Option<ObjectRef> {
    let metadata = &desired["metadata"];
    let owner = &metadata["ownerReferences"][0];
    let kind = Kind::ALL.into_iter().find(|kind| owner["kind"] == kind.as_str())?;
    let text = |value: &Value| value.as_str().map(Text::from);
    Some(ObjectRef { kind, namespace: text(&metadata["namespace"])?, name: text(&owner["name"])? })
}

fn api_of(client: &Client, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, resource)
}

fn key(resource: &ApiResource, desired: &Value) -> Key {
    let text = |field: &str| desired["metadata"][field].as_str().unwrap_or_default().to_owned();
    (resource.plural.clone(), text("namespace"), text("name"))
}

fn is_ours(live: &Value) -> bool {
    live["metadata"]["labels"][MANAGED_BY.0] == MANAGED_BY.1
}

/// Whether `live` says everything that `desired` says. The data of a ConfigMap is whole, so that what is withdrawn is seen.
fn is_published(live: &Value, desired: &Value) -> bool {
    let whole = desired.get("data").is_none_or(|data| live.get("data") == Some(data));
    whole && covers(live, desired)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_left_alone_and_what_they_change_is_not() {
        let desired = json!({"metadata": {"labels": {"a": "1"}}, "data": {"z": "1"}, "list": [{"x": 1}]});
        let cases = [
            ("the same", desired.clone(), true),
            (
                "more metadata",
                json!({"metadata": {"labels": {"a": "1", "b": "2"}, "uid": "u"}, "data": {"z": "1"}, "list": [{"x": 1, "y": 2}]}),
                true,
            ),
            (
                "another label",
                json!({"metadata": {"labels": {"a": "2"}}, "data": {"z": "1"}, "list": [{"x": 1}]}),
                false,
            ),
            (
                "a zone too many",
                json!({"metadata": {"labels": {"a": "1"}}, "data": {"z": "1", "y": ""}, "list": [{"x": 1}]}),
                false,
            ),
            (
                "a shorter list",
                json!({"metadata": {"labels": {"a": "1"}}, "data": {"z": "1"}, "list": []}),
                false,
            ),
            ("nothing", json!({}), false),
        ];
        for (what, live, expected) in cases {
            assert_eq!(is_published(&live, &desired), expected, "{what}");
        }
    }

    const ZONES: Option<Foreign> = None;

    fn metadata(name: &str, version: &str) -> ObjectMeta {
        ObjectMeta {
            namespace: Some("team".to_owned()),
            name: Some(name.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        }
    }

    /// Two zones of MailDomains and a certificate of a MailServer, all right in version 10.
    fn published() -> Published {
        let published = Published::default();
        for (plural, name, kind, of) in [
            ("configmaps", "one-dns", "MailDomain", "one"),
            ("configmaps", "two-dns", "MailDomain", "two"),
            ("certificates", "mail", "MailServer", "mail"),
        ] {
            let owners = json!([{"kind": kind, "name": of}]);
            let desired = json!({"metadata": {"namespace": "team", "name": name, "ownerReferences": owners}});
            let version = Some("10".to_owned());
            let digest = blake3::hash(b"x");
            let mark = Mark { digest, looked: Instant::now(), version, owner: owner(&desired) };
            published.marks().insert((plural.into(), "team".into(), name.into()), mark);
        }
        published
    }

    fn names(touched: BTreeSet<ObjectRef>) -> Vec<String> {
        touched.into_iter().map(|object| object.to_string()).collect()
    }

    #[test]
    fn a_version_that_is_not_ours_is_looked_at_once() {
        let published = published();
        let seen = |kind, name, version| names(published.seen(kind, &metadata(name, version)));
        assert_eq!(seen(ZONES, "one-dns", "10"), [""; 0], "the echo of our own write");
        assert_eq!(seen(ZONES, "one-dns", "9"), [""; 0], "the echo of what was there before");
        assert_eq!(seen(ZONES, "mine", "11"), [""; 0], "somebody else's");
        assert_eq!(seen(Some(Foreign::DnsEndpoint), "one-dns", "11"), [""; 0], "another kind of this name");
        assert_eq!(seen(ZONES, "one-dns", "11"), ["MailDomain team/one"]);
        assert_eq!(seen(ZONES, "one-dns", "12"), [""; 0], "it is being looked at already");
        assert_eq!(seen(Some(Foreign::Certificate), "mail", "11"), ["MailServer team/mail"]);
        assert_eq!(names(published.gone(ZONES, &metadata("two-dns", "10"))), ["MailDomain team/two"]);
        assert!(published.marks().is_empty());
    }

    #[test]
    fn a_list_tells_what_went_while_nobody_looked() {
        for (namespace, listed, expected) in [
            (None, vec![("one-dns", "10"), ("two-dns", "10")], vec![]),
            (None, vec![("two-dns", "11")], vec!["MailDomain team/one", "MailDomain team/two"]),
            (Some("team"), vec![("two-dns", "10")], vec!["MailDomain team/one"]),
            (Some("other"), vec![], vec![]),
        ] {
            let published = published();
            let listed: Vec<ObjectMeta> =
                listed.into_iter().map(|(name, version)| metadata(name, version)).collect();
            let touched = published.relisted(ZONES, namespace, &listed);
            assert_eq!(names(touched), expected, "{namespace:?} {listed:?}");
            assert_eq!(published.marks().len(), 3 - expected.len(), "only of this kind");
        }
    }

    #[test]
    fn what_is_followed_is_ours_and_no_child() {
        let selectors = KINDS.map(|kind| followed(kind).labels.unwrap_or_default());
        let ours = "app.kubernetes.io/managed-by=mailwright";
        assert_eq!(selectors, [&format!("{ours},!mailwright.dev/server"), ours, ours]);
        assert!(KINDS.iter().all(|kind| followed(*kind).metadata_only));
    }

    #[test]
    fn an_object_without_our_label_is_not_ours() {
        assert!(is_ours(&json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "mailwright"}}})));
        assert!(!is_ours(&json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}})));
        assert!(!is_ours(&json!({"metadata": {}})));
    }
}
