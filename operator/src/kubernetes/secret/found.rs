//! A Secret as the API server has it, and the requests that read and write one. Values are in [`SecretValue`]s from the
//! first moment, which clear their memory when they go.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use kube_client::core::params::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube_client::{Api, Client};

use super::SecretName;
use crate::kubernetes::api::{self, ApiError};
use crate::source::{Secret, SecretValue};

/// Secrets at a time: at the API server's limit of 1 MiB each a page stays bearable, and usual ones are below 1 KiB.
const PAGE: u32 = 500;

/// A Secret as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Which one.
    pub name: SecretName,
    /// Its resource version.
    pub version: String,
    /// Its UID.
    pub uid: String,
    /// Its type.
    pub type_: String,
    /// Whether the API server refuses changes of its data.
    pub immutable: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// What is in it.
    pub secret: Secret,
}

impl Found {
    /// Takes the values over without copying them.
    pub fn of(object: core::Secret) -> Self {
        let metadata = object.metadata;
        let values = object.data.unwrap_or_default();
        Self {
            name: SecretName::new(metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default()),
            version: metadata.resource_version.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            type_: object.type_.unwrap_or_default(),
            immutable: object.immutable.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            annotations: metadata.annotations.unwrap_or_default(),
            secret: Secret {
                values: values.into_iter().map(|(key, value)| (key, SecretValue::new(value.0))).collect(),
            },
        }
    }

    /// A value as text, when it is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.secret.values.get(key)?.expose()).ok()
    }
}

/// Reads one Secret.
pub async fn get(client: &Client, name: &SecretName) -> Result<Option<Found>, ApiError> {
    let api: Api<core::Secret> = Api::namespaced(client.clone(), &name.namespace);
    let found = api::ask("read", name.to_string(), api.get_opt(&name.name)).await?;
    Ok(found.map(Found::of))
}

/// Reads the Secrets of a namespace that fit the selectors, page by page.
pub async fn list(client: &Client, namespace: &str, selectors: &ListParams) -> Result<Vec<Found>, ApiError> {
    let api: Api<core::Secret> = Api::namespaced(client.clone(), namespace);
    let mut parameters = selectors.clone().limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api::ask("list", format!("the Secrets of {namespace}"), api.list(&parameters)).await?;
        found.extend(page.items.into_iter().map(Found::of));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// Makes a Secret that must not exist yet.
pub async fn create(client: &Client, object: &core::Secret, manager: &str) -> Result<Found, ApiError> {
    let name = name_of(object);
    let api: Api<core::Secret> = Api::namespaced(client.clone(), &name.namespace);
    let parameters = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
    let made = api::ask("create", name.to_string(), api.create(&parameters, object)).await?;
    Ok(Found::of(made))
}

/// Writes the fields given and no other, by server-side apply. With a resource version in the object it is refused when
/// the Secret was changed since.
pub async fn apply(client: &Client, object: &core::Secret, manager: &str) -> Result<Found, ApiError> {
    let name = name_of(object);
    let api: Api<core::Secret> = Api::namespaced(client.clone(), &name.namespace);
    let parameters = PatchParams::apply(manager).force();
    let patch = Patch::Apply(object);
    let request = api.patch(&name.name, &parameters, &patch);
    Ok(Found::of(api::ask("write", name.to_string(), request).await?))
}

/// Removes a Secret as it was read; one that is gone or was changed since is left alone.
pub async fn delete(client: &Client, found: &Found) -> Result<(), ApiError> {
    let api: Api<core::Secret> = Api::namespaced(client.clone(), &found.name.namespace);
    let preconditions =
        Preconditions { uid: Some(found.uid.clone()), resource_version: Some(found.version.clone()) };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    let request = api::absent(api.delete(&found.name.name, &parameters));
    api::ask("delete", found.name.to_string(), request).await.map(|_| ())
}

fn name_of(object: &core::Secret) -> SecretName {
    let metadata = &object.metadata;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    SecretName::new(text(&metadata.namespace), text(&metadata.name))
}
