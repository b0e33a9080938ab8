//! `kubectl mailwright plan`: what `kubectl apply -f` of a directory would change in the account database, and what that does
//! to mail; without a directory, what the operator has still to do. Reads manifests, resources and rows; `overlay` lays
//! them over each other; the planner is the operator's.

mod overlay;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use k8s_openapi::api::core::v1;
use kube_client::Api;
use kube_client::api::ListParams;
use mailwright_crds::namespaces::Labels;
use mailwright_crds::{Kind, Resource};
use mailwright_operator::operator::KUBERNETES;
use mailwright_operator::source::{Content, Secret, SecretValue, Snapshot};
use mailwright_plan::partition::ServerKey;
use mailwright_plan::{Observed, Settings};
use serde_json::Value;

use self::overlay::{Known, Overlay};
use super::exec;
use super::objects::{NAMESPACES, Reader, SECRETS, full_name, of_kind, text};
use crate::args::kubectl::{ClusterArgs, Plan};
use crate::args::{Keys, SourceArgs};
use crate::command::source;
use crate::report;

/// Plans and prints.
pub async fn run(
    reader: &Reader,
    cluster: &ClusterArgs,
    namespace: &str,
    options: &Plan,
) -> Result<ExitCode> {
    let mut snapshot = match &options.directory {
        Some(directory) => read(directory).await?,
        None => Snapshot::default(),
    };
    overlay::put_into(&mut snapshot, namespace);
    let mut live = Vec::new();
    for kind in Kind::PLANNED {
        for object in everywhere(reader, kind, namespace).await? {
            live.extend(resource(kind, object)?);
        }
    }
    let declared = snapshot.objects.iter().filter_map(|object| match &object.content {
        Content::Resource(resource) => Some(resource.as_ref()),
        Content::Secret(_) | Content::Namespace(_) | Content::Policy(_) | Content::PolicyTest(_) => None,
    });
    let server = overlay::server(live.iter().chain(declared), namespace, options.server.as_deref())?;
    let observed = observe(reader, cluster, &live, &server).await?;
    let known = known(reader, &snapshot, &live).await;
    if known.secrets.is_none() {
        eprintln!("note: Secrets may not be listed here; each one that a manifest names is taken to exist");
    }
    let overlay = Overlay { snapshot, live, server, known };
    let (feed, observed) = overlay.lay(observed);
    let mut settings = Settings::new(KUBERNETES, Utc::now());
    settings.guards.approved.extend(options.approve.clone());
    let plan = mailwright_plan::plan(&feed.catalog, &observed, &settings);
    report::plan(&plan, options.output)?;
    Ok(report::exit_code(&plan))
}

async fn read(directory: &Path) -> Result<Snapshot> {
    let location = directory.to_string_lossy().into_owned();
    let arguments =
        SourceArgs { source: Some(location), config: None, branch: None, path: None, keys: Keys::default() };
    let cache = std::env::temp_dir();
    let (_, snapshot) = source::load(source::open(&arguments, &cache, None)?.follow).await;
    Ok(snapshot?.map(|revision| revision.snapshot).unwrap_or_default())
}

/// The objects of all namespaces, or of this one where that is all one may read.
async fn everywhere(reader: &Reader, kind: Kind, namespace: &str) -> Result<Vec<Value>> {
    match reader.list(of_kind(kind), None, "").await {
        Ok(objects) => Ok(objects),
        Err(_) => reader.list(of_kind(kind), Some(namespace), "").await,
    }
}

/// The object as the planner takes it; what is being deleted is gone already.
fn resource(kind: Kind, object: Value) -> Result<Option<Resource>> {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Ok(None);
    }
    let name = format!("{} {}", kind.singular(), full_name(&object));
    let resource = Resource::from_value(kind, object);
    resource
        .map(Some)
        .with_context(|| format!("{name} is of another version than this program; use the operator's"))
}

/// The rows of the server; none when it does not run yet because the directory declares it.
async fn observe(
    reader: &Reader,
    cluster: &ClusterArgs,
    live: &[Resource],
    server: &ServerKey,
) -> Result<Observed> {
    let runs = live.iter().any(|resource| resource.object_ref() == server.object());
    if !runs {
        return Ok(Observed::default());
    }
    let object = serde_json::json!({"metadata": {"namespace": server.namespace, "name": server.name}});
    let rows = exec::output(reader, cluster, &object, &["observe", "--output", "json"]).await?;
    serde_json::from_slice(&rows)
        .context("the mail pod is of another version than this program; use the operator's")
}

/// What one may know beside the resources: labels of namespaces, which Secrets there are, and what those hold that the
/// directory declares anew.
async fn known(reader: &Reader, snapshot: &Snapshot, live: &[Resource]) -> Known {
    let declared: BTreeSet<(String, String)> = snapshot
        .objects
        .iter()
        .filter(|object| matches!(object.content, Content::Secret(_)))
        .map(|object| (object.reference.namespace.to_string(), object.reference.name.to_string()))
        .collect();
    let mut values = BTreeMap::new();
    for (namespace, name) in &declared {
        if let Ok(Some(object)) = reader.get(SECRETS, namespace, name).await {
            values.insert((namespace.clone(), name.clone()), secret(&object));
        }
    }
    let namespaces: BTreeSet<&str> = live
        .iter()
        .map(Resource::namespace)
        .chain(snapshot.objects.iter().map(|object| object.reference.namespace.as_str()))
        .collect();
    let mut names = Some(BTreeSet::new());
    for namespace in namespaces {
        let secrets: Api<v1::Secret> = Api::namespaced(reader.0.clone(), namespace);
        match secrets.list_metadata(&ListParams::default()).await {
            Ok(list) => {
                let found = list.items.into_iter().filter_map(|item| item.metadata.name);
                names.iter_mut().for_each(|names| {
                    names.extend(found.clone().map(|name| (namespace.to_owned(), name)));
                });
            }
            Err(_) => names = None,
        }
    }
    Known { namespaces: labels(reader).await, secrets: names, values }
}

/// The labels of every namespace; none where they may not be read.
async fn labels(reader: &Reader) -> BTreeMap<String, Labels> {
    let namespaces = reader.list(NAMESPACES, None, "").await.unwrap_or_default();
    let labels = |namespace: &Value| {
        let labels = serde_json::from_value(namespace["metadata"]["labels"].clone()).unwrap_or_default();
        (text(namespace, "/metadata/name").to_owned(), labels)
    };
    namespaces.iter().map(labels).collect()
}

fn secret(object: &Value) -> Secret {
    let data = object["data"].as_object().into_iter().flatten();
    let decoded = data.filter_map(|(key, _)| {
        let value = STANDARD
            .decode(text(&object["data"], &format!("/{}", key.replace('~', "~0").replace('/', "~1"))));
        Some((key.clone(), SecretValue::new(value.ok()?)))
    });
    Secret { values: decoded.collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_decoded() {
        let secret = secret(&json!({"data": {"password": "aGkK", "tls.crt": "Qw==", "bad": "!"}}));
        assert_eq!(secret.values.len(), 2);
        assert_eq!(secret.values["password"].expose(), b"hi\n");
        assert!(super::secret(&json!({})).values.is_empty());
    }

    #[test]
    fn what_is_being_deleted_is_gone() {
        let alias = |metadata: Value| {
            json!({
                "apiVersion": "mailwright.dev/v1alpha1", "kind": "Alias", "metadata": metadata,
                "spec": {"address": "sales@example.test", "targets": ["alice@example.test"]},
            })
        };
        let live = alias(json!({"name": "sales", "namespace": "mail"}));
        assert_eq!(resource(Kind::Alias, live).unwrap().unwrap().name(), "sales");
        let ending =
            json!({"name": "sales", "namespace": "mail", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(resource(Kind::Alias, alias(ending)).unwrap(), None);
        let error = resource(Kind::Alias, json!({"spec": {"later": 1}})).unwrap_err();
        assert!(error.to_string().contains("another version"), "{error}");
    }
}
