//! The objects that a revision declares, as they are to be at the API server: with the labels that say whose they are. Pure.

use std::collections::BTreeMap;

use mailwright_crds::well_known::{
    REPOSITORY_LABEL, REPOSITORY_NAMESPACE_LABEL, SOURCE_ANNOTATION, SOURCE_DIGEST_ANNOTATION,
};
use mailwright_crds::{ObjectRef, Resource};
use mailwright_plan::Origin;
use serde_json::{Map, Value, json};

use crate::source::{Content, Snapshot};

/// An object as it is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Which one.
    pub object: ObjectRef,
    /// The address, domain or host name that it is about.
    pub subject: String,
    /// Where it is declared.
    pub origin: Origin,
    /// What it says, typed: to compare with what is there.
    pub resource: Resource,
    /// Its labels and annotations as they are declared.
    pub labels: BTreeMap<String, String>,
    /// The same of annotations.
    pub annotations: BTreeMap<String, String>,
    /// Identifies what is declared of it, wherever it stands.
    pub digest: String,
}

impl Desired {
    /// Takes a resource of a revision.
    pub fn new(resource: &Resource, origin: &Origin) -> Desired {
        let metadata = resource.metadata();
        let labels = metadata.labels.clone().unwrap_or_default();
        let annotations = metadata.annotations.clone().unwrap_or_default();
        let essence = json!([resource.object_ref(), labels, annotations, spec(resource)]);
        Desired {
            object: resource.object_ref(),
            subject: subject(resource),
            origin: origin.clone(),
            digest: blake3::hash(essence.to_string().as_bytes()).to_hex().to_string(),
            resource: resource.clone(),
            labels,
            annotations,
        }
    }

    /// What is sent by server-side apply. `uid` keeps it from making an object anew that was deleted in between.
    pub fn manifest(&self, of: &Claim, revision: &str, uid: Option<&str>) -> Value {
        let mut labels = self.labels.clone();
        labels.extend(of.labels());
        let mut annotations = self.annotations.clone();
        annotations.insert(SOURCE_DIGEST_ANNOTATION.to_owned(), self.digest.clone());
        annotations.insert(SOURCE_ANNOTATION.to_owned(), format!("{} at {revision}", self.origin));
        let mut metadata = json!({
            "name": self.object.name, "namespace": self.object.namespace, "labels": labels, "annotations": annotations,
        });
        if let Some(uid) = uid {
            metadata["uid"] = json!(uid);
        }
        json!({
            "apiVersion": mailwright_crds::kind::API_VERSION,
            "kind": self.object.kind.as_str(),
            "metadata": metadata,
            "spec": spec(&self.resource),
        })
    }
}

/// The labels by which an object belongs to a MailRepository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The name of the MailRepository.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

impl Claim {
    /// The claim of a MailRepository.
    pub fn of(object: &ObjectRef) -> Claim {
        Claim { name: object.name.to_string(), namespace: object.namespace.to_string() }
    }

    /// Who claims an object with these labels.
    pub fn in_labels(labels: &BTreeMap<String, String>) -> Option<Claim> {
        let text = |label: &str| labels.get(label).cloned();
        Some(Claim { name: text(REPOSITORY_LABEL)?, namespace: text(REPOSITORY_NAMESPACE_LABEL)? })
    }

    fn labels(&self) -> [(String, String); 2] {
        [
            (REPOSITORY_LABEL.to_owned(), self.name.clone()),
            (REPOSITORY_NAMESPACE_LABEL.to_owned(), self.namespace.clone()),
        ]
    }
}

/// The resources of a revision.
pub fn desired(snapshot: &Snapshot) -> Vec<Desired> {
    let resources = snapshot.objects.iter().filter_map(|object| match &object.content {
        Content::Resource(resource) => Some(Desired::new(resource, &object.origin)),
        _ => None,
    });
    resources.collect()
}

/// The spec as JSON.
pub fn spec(resource: &Resource) -> Value {
    let whole = resource.to_value().ok();
    whole
        .and_then(|mut whole| whole.get_mut("spec").map(Value::take))
        .unwrap_or_else(|| Value::Object(Map::new()))
}

/// What a person calls it.
pub fn subject(resource: &Resource) -> String {
    match resource {
        Resource::MailServer(server) => server.spec.hostname.to_string(),
        Resource::MailDomain(domain) => domain.spec.domain.as_str().to_owned(),
        Resource::Mailbox(mailbox) => mailbox.spec.address.as_str().to_owned(),
        Resource::Alias(alias) => alias.spec.address.as_str().to_owned(),
    }
}
