//! The finalizer of MailDomains: there only while addresses of the domain are declared, so that `kubectl delete` of the
//! domain waits for them and nothing else ever waits. Deciding is [`decide`], pure.

use kube_client::api::{Patch, PatchParams};
use kube_client::{Api, Client};
use kube_core::{DynamicObject, ObjectMeta};
use mailwright_crds::well_known::{ADDRESSES_FINALIZER, FINALIZER_MANAGER};
use mailwright_crds::{Kind, ObjectRef};
use serde_json::json;

use super::api;
use super::status::{PATIENCE, api_resource};

/// What is known of a MailDomain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Whether Mailboxes or Aliases of it are declared.
    pub has_addresses: bool,
    /// Whether its namespace or the definition of its kind is being deleted: nothing may hold that up.
    pub must_go: bool,
    /// Whether it is being deleted.
    pub is_terminating: bool,
    /// Whether it has the finalizer.
    pub is_held: bool,
}

/// What to do about a finalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Hold the object.
    Add,
    /// Let it go.
    Remove,
}

/// Whether the finalizer must come or go. Nothing can be added to an object that is being deleted.
pub fn decide(facts: Facts) -> Option<Step> {
    let wanted = facts.has_addresses && !facts.must_go;
    match (wanted, facts.is_held) {
        (true, false) if !facts.is_terminating => Some(Step::Add),
        (false, true) => Some(Step::Remove),
        _ => None,
    }
}

/// Whether an object has the finalizer.
pub fn is_held(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.iter().flatten().any(|finalizer| finalizer == ADDRESSES_FINALIZER)
}

/// Does it, on the object as it was seen: a change in between is refused, and decided anew.
pub async fn take(
    client: &Client,
    object: &ObjectRef,
    metadata: &ObjectMeta,
    step: Step,
) -> Result<DynamicObject, kube_client::Error> {
    let mut finalizers = metadata.finalizers.clone().unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != ADDRESSES_FINALIZER);
    if step == Step::Add {
        finalizers.push(ADDRESSES_FINALIZER.to_owned());
    }
    let body = json!({"metadata": {
        "uid": metadata.uid, "resourceVersion": metadata.resource_version, "finalizers": finalizers,
    }});
    let domains: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &object.namespace, &api_resource(Kind::MailDomain));
    let params = PatchParams { field_manager: Some(FINALIZER_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(&body);
    let request = domains.patch(&object.name, &params, &patch);
    api::within(PATIENCE, request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_only_while_there_is_work() {
        for (has_addresses, must_go, is_terminating, is_held, expected) in [
            (false, false, false, false, None),
            (true, false, false, false, Some(Step::Add)),
            (true, false, false, true, None),
            (true, false, true, true, None),
            (true, false, true, false, None),
            (false, false, false, true, Some(Step::Remove)),
            (false, false, true, true, Some(Step::Remove)),
            (true, true, false, true, Some(Step::Remove)),
            (true, true, true, true, Some(Step::Remove)),
            (true, true, false, false, None),
        ] {
            let facts = Facts { has_addresses, must_go, is_terminating, is_held };
            assert_eq!(decide(facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn other_finalizers_are_not_ours() {
        let metadata = |names: &[&str]| ObjectMeta {
            finalizers: Some(names.iter().map(|&name| name.to_owned()).collect()),
            ..ObjectMeta::default()
        };
        assert!(is_held(&metadata(&["x", ADDRESSES_FINALIZER])));
        assert!(!is_held(&metadata(&["x"])) && !is_held(&ObjectMeta::default()));
    }
}
