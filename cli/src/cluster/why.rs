//! `kubectl mailwright why`: from a resource to the reason why it is not Ready. A Mailbox leads to its MailDomain, that to its
//! MailServer, that to its pod, volume and Service. Reading is here; what it means is `explain`.

mod advice;
pub mod explain;
mod pod;

use std::process::ExitCode;

use anyhow::{Result, bail};
use mailwright_crds::Kind;
use mailwright_operator::workload::names;
use serde_json::Value;

use self::explain::{Link, Part};
use super::objects::{self, Reader, Resource, full_name, of_kind, text};
use crate::args::kubectl::Why;
use crate::terminal;

/// Reads, explains, prints.
pub async fn run(reader: &Reader, namespace: &str, options: &Why) -> Result<ExitCode> {
    let (kind, name) = objects::parse_object(&options.object)?;
    let Some(object) = reader.get(of_kind(kind), namespace, &name).await? else {
        bail!(
            "there is no {} {namespace}/{name}; `kubectl get {} -A` lists them",
            kind.singular(),
            kind.plural()
        );
    };
    let chain = chain(reader, kind, object).await?;
    let (text, ready) = explain::explain(&chain);
    terminal::print(&text);
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The object and what it depends on, one after the other.
async fn chain(reader: &Reader, kind: Kind, object: Value) -> Result<Vec<Link>> {
    let mut chain = Vec::new();
    let mut next = Some((kind, object));
    while let Some((kind, object)) = next.take() {
        let namespace = text(&object, "/metadata/namespace").to_owned();
        let events = events(reader, &namespace, kind.as_str(), text(&object, "/metadata/name")).await;
        let above = above(reader, kind, &object).await?;
        let parts = match kind {
            Kind::MailServer => parts(reader, &object).await,
            _ => Vec::new(),
        };
        let missing = match (&above, kind) {
            (None, Kind::Mailbox | Kind::Alias) => {
                Some(format!("no MailDomain declares {}", domain_of(&object)))
            }
            (None, Kind::MailDomain) => {
                let (namespace, name) = server_of(&object);
                Some(format!("there is no mailserver {namespace}/{name}"))
            }
            _ => None,
        };
        chain.push(Link { kind, object, events, parts, missing });
        next = above;
    }
    Ok(chain)
}

/// What an object depends on.
async fn above(reader: &Reader, kind: Kind, object: &Value) -> Result<Option<(Kind, Value)>> {
    Ok(match kind {
        Kind::MailServer | Kind::MailRepository => None,
        Kind::MailDomain => {
            let (namespace, name) = server_of(object);
            let server = reader.get(of_kind(Kind::MailServer), &namespace, &name).await?;
            server.map(|server| (Kind::MailServer, server))
        }
        Kind::Mailbox | Kind::Alias => {
            let domain = reader.domain(text(object, "/metadata/namespace"), &domain_of(object)).await?;
            domain.map(|domain| (Kind::MailDomain, domain))
        }
    })
}

fn domain_of(object: &Value) -> String {
    text(object, "/spec/address").rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
}

fn server_of(domain: &Value) -> (String, String) {
    let own = text(domain, "/metadata/namespace");
    let named = text(domain, "/spec/serverRef/namespace");
    let namespace = if named.is_empty() { own } else { named };
    (namespace.to_owned(), text(domain, "/spec/serverRef/name").to_owned())
}

/// What runs a MailServer. What may not be read is left out: the conditions speak of it as well.
async fn parts(reader: &Reader, server: &Value) -> Vec<Part> {
    let name = text(server, "/metadata/name");
    let table: [(&'static str, &'static str, Resource, String); 4] = [
        ("statefulset", "StatefulSet", objects::STATEFUL_SETS, name.to_owned()),
        ("pod", "Pod", objects::PODS, names::pod(name)),
        ("volume claim", "PersistentVolumeClaim", objects::CLAIMS, names::claim(name)),
        ("service", "Service", objects::SERVICES, name.to_owned()),
    ];
    let namespace = text(server, "/metadata/namespace");
    let mut parts = Vec::new();
    for (word, kind, resource, name) in table {
        let Ok(object) = reader.get(resource, namespace, &name).await else { continue };
        let events = events(reader, namespace, kind, &name).await;
        parts.push(Part { word, name, object, events });
    }
    parts
}

/// The events that speak of an object, the newest last; none when they may not be read.
async fn events(reader: &Reader, namespace: &str, kind: &str, name: &str) -> Vec<Value> {
    let all = reader.list(objects::EVENTS, Some(namespace), "").await.unwrap_or_default();
    let mut ours: Vec<Value> = all
        .into_iter()
        .filter(|event| {
            let of = &event["involvedObject"];
            of["kind"] == kind && of["name"] == name
        })
        .collect();
    ours.sort_by_key(|event| explain::time_of(event).to_owned());
    ours
}

/// `mailbox mail/alice`.
fn title(kind: Kind, object: &Value) -> String {
    format!("{} {}", kind.singular(), full_name(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_name_what_they_depend_on() {
        for (address, domain) in [
            ("alice@example.test", "example.test"),
            ("@Example.Test", "example.test"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(domain_of(&json!({"spec": {"address": address}})), domain, "{address}");
        }
        let domain =
            |server: Value| json!({"metadata": {"namespace": "team"}, "spec": {"serverRef": server}});
        let names = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
        assert_eq!(server_of(&domain(json!({"name": "main"}))), names("team", "main"));
        assert_eq!(server_of(&domain(json!({"name": "main", "namespace": "mail"}))), names("mail", "main"));
    }
}
