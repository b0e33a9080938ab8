//! Mailbox: the passwords that a plan names. The plan carries fingerprints only; here they meet their values, on the way
//! to the server, which hashes them.

use std::collections::{BTreeMap, BTreeSet};

use mailwright_crds::Resource;
use mailwright_plan::catalog::Catalog;
use mailwright_plan::operation::{CredentialSource, Material};
use mailwright_plan::{Change, ObjectRef, Operation};

use crate::secrets::{self, Secrets};

/// The passwords of some operations by their fingerprints. One that is not there any more is left out: its operation
/// fails alone, and the next pass plans anew.
pub fn credentials<'a>(
    operations: impl IntoIterator<Item = &'a Operation>,
    catalog: &Catalog,
    known: &Secrets,
) -> BTreeMap<String, Material> {
    let mut credentials = BTreeMap::new();
    for operation in operations {
        let Change::PutMailbox { credential: Some(credential), .. } = &operation.change else { continue };
        let material = match &credential.source {
            CredentialSource::Secret { namespace, name, key } => {
                known.value(namespace, name, key).and_then(|value| secrets::material(value).ok())
            }
            CredentialSource::PasswordHash => declared_hash(catalog, &operation.object),
        };
        credentials.extend(material.map(|material| (credential.fingerprint.clone(), material)));
    }
    credentials
}

/// The Secrets (namespace and name) of which these operations need a value that is not known.
pub fn forgotten<'a>(
    operations: impl IntoIterator<Item = &'a Operation>,
    known: &Secrets,
) -> BTreeSet<(String, String)> {
    let needed = operations.into_iter().filter_map(|operation| match &operation.change {
        Change::PutMailbox { credential: Some(credential), .. } => match &credential.source {
            CredentialSource::Secret { namespace, name, .. } => Some((namespace, name)),
            CredentialSource::PasswordHash => None,
        },
        _ => None,
    });
    let missing = needed.filter(|(namespace, name)| !known.contains(namespace, name));
    missing.map(|(namespace, name)| (namespace.to_string(), name.to_string())).collect()
}

fn declared_hash(catalog: &Catalog, object: &ObjectRef) -> Option<Material> {
    let Resource::Mailbox(mailbox) = &catalog.get(object)?.resource else { return None };
    let hash = mailbox.spec.credentials.as_ref()?.password_hash.as_ref()?;
    Some(Material::Hash(hash.expose().to_owned()))
}
