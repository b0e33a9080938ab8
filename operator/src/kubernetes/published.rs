//! Objects that are written whole and only when they differ: the zones of a domain, its DNSEndpoint, a Certificate. What
//! is as it was at the last look costs no request; every hour each is looked at again, so that a change by somebody else
//! does not stay.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube_client::core::DynamicObject;
use kube_client::core::discovery::ApiResource;
use kube_client::core::params::{DeleteParams, Patch, PatchParams};
use kube_client::{Api, Client};
use serde_json::Value;

use super::api::{self, ApiError};
use super::children::covers::covers;
use super::names::MANAGED_BY;
use crate::platform::PlatformError;

/// How long what was written is believed to be there.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// What was written, or found to be right, and when.
#[derive(Debug, Default)]
pub struct Published {
    marks: Mutex<BTreeMap<Key, (blake3::Hash, Instant)>>,
}

/// An object: plural, namespace, name.
type Key = (String, String, String);

impl Published {
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
        if self.mark(&key).is_some_and(|(mark, looked)| mark == digest && looked.elapsed() < LOOK_AGAIN) {
            return Ok(false);
        }
        let api = api_of(client, resource, &key.1);
        let object = format!("{} {}/{}", resource.kind, key.1, key.2);
        let live = api::ask("read", object.clone(), api.get_opt(&key.2)).await?;
        let live = live.map(|live| serde_json::to_value(live).unwrap_or_default());
        let write = match &live {
            None => true,
            Some(live) if !is_ours(live) => return Err(PlatformError::NotOurs { object }),
            Some(live) => !is_published(live, desired),
        };
        if write {
            let parameters = PatchParams::apply(manager).force();
            let patch = Patch::Apply(desired);
            api::ask("write", object, api.patch(&key.2, &parameters, &patch)).await?;
        }
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (digest, Instant::now()));
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
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        Ok(())
    }

    fn mark(&self, key: &Key) -> Option<(blake3::Hash, Instant)> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }
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

    #[test]
    fn an_object_without_our_label_is_not_ours() {
        assert!(is_ours(&json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "mailwright"}}})));
        assert!(!is_ours(&json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}})));
        assert!(!is_ours(&json!({"metadata": {}})));
    }
}
