//! Whether what a cache does not show (any more) is gone: asked of the API server, object by object, before anything goes
//! out of service. Deciding is [`may_remove`], pure. Not knowing is no.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use kube_client::{Api, Client};
use kube_core::{ApiResource, DynamicObject};
use mailwright_crds::kind::GROUP;
use mailwright_crds::{Kind, ObjectRef, Resource};
use mailwright_plan::partition::ServerKey;

use super::shared::Shared;
use super::status::{CONCURRENCY, PATIENCE, api_resource};
use super::world::Seen;
use crate::operator::{Absence, Removal};

/// What the API server says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// It does not exist, and its kind is served and stays.
    Gone,
    /// It exists.
    There {
        /// Its UID.
        uid: String,
        /// The key of the row that it asks for; `None` when it cannot be understood.
        key: Option<String>,
    },
    /// The server did not say, or its definition is missing or on its way out.
    Unknown,
}

/// What the cache says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// Its UID.
    pub uid: String,
    /// The key of the row that it asks for.
    pub key: Option<String>,
    /// Whether it belongs to another installation than the one that has the row.
    pub is_elsewhere: bool,
}

/// Whether a row may go out of service. Its object is gone, or is seen as it is now and asks for another row or belongs to
/// another installation.
pub fn may_remove(key: &str, live: &Live, cached: Option<&Cached>) -> bool {
    match live {
        Live::Gone => true,
        Live::Unknown => false,
        Live::There { uid, key: asked } => {
            let current = cached.is_some_and(|cached| cached.uid == *uid && cached.key == *asked);
            let elsewhere = cached.is_some_and(|cached| cached.is_elsewhere);
            current && asked.as_deref().is_some_and(|asked| asked != key || elsewhere)
        }
    }
}

/// Asks the API server.
pub struct Verifier {
    shared: Arc<Shared>,
    server: ServerKey,
}

impl Verifier {
    /// For the rows of one installation.
    pub fn new(shared: Arc<Shared>, server: ServerKey) -> Verifier {
        Verifier { shared, server }
    }

    fn cached(&self, object: &ObjectRef) -> Option<Cached> {
        let seen = self.shared.world().objects().get(object).cloned()?;
        let is_elsewhere = self.shared.is_elsewhere(&self.server, object);
        Some(Cached { uid: seen.uid().to_owned(), key: key_of(&seen), is_elsewhere })
    }

    async fn asked(&self, object: ObjectRef) -> (ObjectRef, Live) {
        let live = self.live(&object).await;
        (object, live)
    }

    async fn live(&self, object: &ObjectRef) -> Live {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.shared.client.clone(), &object.namespace, &api_resource(object.kind));
        match tokio::time::timeout(PATIENCE, api.get_opt(&object.name)).await {
            Ok(Ok(Some(found))) => {
                let seen = Seen::new(object.kind, found);
                Live::There { uid: seen.uid().to_owned(), key: key_of(&seen) }
            }
            Ok(Ok(None)) => Live::Gone,
            Ok(Err(_)) | Err(_) => Live::Unknown,
        }
    }
}

impl Absence for Verifier {
    async fn verify(&self, removals: &[Removal]) -> Vec<bool> {
        let knows = self.shared.world().knows_all_kinds();
        if !knows {
            return vec![false; removals.len()];
        }
        let objects: BTreeSet<ObjectRef> = removals.iter().map(|removal| removal.object.clone()).collect();
        let asked = objects.into_iter().map(|object| self.asked(object));
        let live: BTreeMap<ObjectRef, Live> =
            futures::stream::iter(asked).buffer_unordered(CONCURRENCY).collect().await;
        // Asked after the objects: a definition that was there then was there before.
        let mut served = BTreeMap::new();
        for kind in Kind::PLANNED {
            if live.iter().any(|(object, live)| object.kind == kind && *live == Live::Gone) {
                served.insert(kind, is_served(&self.shared.client, kind).await);
            }
        }
        let verdict = |removal: &Removal| {
            let live = match live.get(&removal.object) {
                Some(Live::Gone) if served.get(&removal.object.kind) != Some(&true) => &Live::Unknown,
                Some(live) => live,
                None => &Live::Unknown,
            };
            may_remove(&removal.key, live, self.cached(&removal.object).as_ref())
        };
        removals.iter().map(verdict).collect()
    }
}

/// Whether the API server has a kind and will go on having it: while a definition is being deleted its objects vanish one by
/// one, which nobody meant for the mail.
async fn is_served(client: &Client, kind: Kind) -> bool {
    match definition(client, kind).await {
        Ok(definition) => definition.metadata.deletion_timestamp.is_none(),
        // Without the right to read definitions the guards have to do.
        Err(Some(403)) => true,
        Err(_) => false,
    }
}

/// Whether the definition of a kind is being deleted, or is gone. Not knowing is no.
pub async fn definition_is_going(client: &Client, kind: Kind) -> bool {
    match definition(client, kind).await {
        Ok(definition) => definition.metadata.deletion_timestamp.is_some(),
        Err(code) => code == Some(404),
    }
}

async fn definition(client: &Client, kind: Kind) -> Result<DynamicObject, Option<u16>> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &definitions());
    let name = format!("{}.{GROUP}", kind.plural());
    match tokio::time::timeout(PATIENCE, api.get(&name)).await {
        Ok(Ok(definition)) => Ok(definition),
        Ok(Err(kube_client::Error::Api(status))) => Err(Some(status.code)),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}

/// The API of CustomResourceDefinitions.
pub fn definitions() -> ApiResource {
    ApiResource {
        group: "apiextensions.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "apiextensions.k8s.io/v1".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        plural: "customresourcedefinitions".to_owned(),
    }
}

/// The key of the row that an object asks for.
pub fn key_of(seen: &Seen) -> Option<String> {
    Some(match &seen.entry.as_ref().ok()?.resource {
        Resource::MailServer(server) => {
            format!("{}/{}", server.metadata.namespace.as_deref()?, server.metadata.name.as_deref()?)
        }
        Resource::MailDomain(domain) => domain.spec.domain.as_str().to_owned(),
        Resource::Mailbox(mailbox) => mailbox.spec.address.as_str().to_owned(),
        Resource::Alias(alias) => alias.spec.address.as_str().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(uid: &str, key: Option<&str>) -> Live {
        Live::There { uid: uid.into(), key: key.map(str::to_owned) }
    }

    fn cached(uid: &str, key: Option<&str>, is_elsewhere: bool) -> Option<Cached> {
        Some(Cached { uid: uid.into(), key: key.map(str::to_owned), is_elsewhere })
    }

    #[test]
    fn nothing_goes_on_the_word_of_a_cache() {
        let (one, two) = (Some("one@a.test"), Some("two@a.test"));
        for (live, cached, expected, what) in [
            (Live::Gone, None, true, "gone"),
            (Live::Gone, cached("u", one, false), true, "gone, and the cache does not know yet"),
            (Live::Unknown, None, false, "no answer"),
            (there("u", one), None, false, "the cache is stale: it exists"),
            (there("u", one), cached("u", one, false), false, "it asks for this row"),
            (there("u", two), cached("u", two, false), true, "it was made anew for another address"),
            (there("u", two), cached("u", one, false), false, "the cache shows an older state"),
            (there("v", two), cached("u", two, false), false, "the cache shows an older object"),
            (there("u", one), cached("u", one, true), true, "it belongs to another installation now"),
            (there("v", one), cached("u", one, true), false, "perhaps it does not any more"),
            (there("u", None), cached("u", None, true), false, "it cannot be understood"),
        ] {
            assert_eq!(may_remove("one@a.test", &live, cached.as_ref()), expected, "{what}");
        }
    }
}
