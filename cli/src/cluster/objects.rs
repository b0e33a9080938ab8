//! Owns reading from the API server for the plugin: lists in pages, single objects, as JSON. What may not be read is told
//! with the right that is missing. The one write of the plugin is an annotation.

use anyhow::{Context as _, Result, anyhow, bail};
use http::{Request, header};
use kube_client::{Client, Error};
use mailwright_crds::Kind;
use serde_json::{Value, json};

/// Objects of one page.
const PAGE: usize = 500;
/// More objects of a kind are not read: the answer would fill a screen for hours. A cluster holds fewer.
const MOST: usize = 50_000;

/// Where a kind of object is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// `/api/v1` or `/apis/<group>/<version>`.
    pub base: &'static str,
    /// The plural.
    pub plural: &'static str,
}

/// Pods.
pub const PODS: Resource = Resource { base: "/api/v1", plural: "pods" };
/// Volume claims.
pub const CLAIMS: Resource = Resource { base: "/api/v1", plural: "persistentvolumeclaims" };
/// Services.
pub const SERVICES: Resource = Resource { base: "/api/v1", plural: "services" };
/// Secrets.
pub const SECRETS: Resource = Resource { base: "/api/v1", plural: "secrets" };
/// StatefulSets.
pub const STATEFUL_SETS: Resource = Resource { base: "/apis/apps/v1", plural: "statefulsets" };
/// Namespaces.
pub const NAMESPACES: Resource = Resource { base: "/api/v1", plural: "namespaces" };
/// Events.
pub const EVENTS: Resource = Resource { base: "/api/v1", plural: "events" };

/// The resource of one of our kinds.
pub fn of_kind(kind: Kind) -> Resource {
    Resource { base: "/apis/mailwright.dev/v1alpha1", plural: kind.plural() }
}

/// A reader of the cluster.
#[derive(Clone)]
pub struct Reader(pub Client);

impl Reader {
    /// Every object of a kind, in a namespace or in all.
    pub async fn list(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut from = String::new();
        loop {
            let query =
                query(&[("limit", &PAGE.to_string()), ("labelSelector", selector), ("continue", &from)]);
            let path = path(resource, namespace, None);
            let mut page: Value = self
                .get_path(&format!("{path}?{query}"))
                .await
                .map_err(|error| explain(&error, "list", resource, namespace))?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            from = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
            if from.is_empty() {
                return Ok(items);
            }
            if items.len() >= MOST {
                bail!("there are more than {MOST} {}; choose a namespace with -n", resource.plural);
            }
        }
    }

    /// One object, if it is there.
    pub async fn get(&self, resource: Resource, namespace: &str, name: &str) -> Result<Option<Value>> {
        match self.get_path(&path(resource, Some(namespace), Some(name))).await {
            Ok(object) => Ok(Some(object)),
            Err(Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(explain(&error, "get", resource, Some(namespace))),
        }
    }

    /// The MailDomain that declares a domain: in this namespace first, then wherever one may look.
    pub async fn domain(&self, namespace: &str, wanted: &str) -> Result<Option<Value>> {
        let resource = of_kind(Kind::MailDomain);
        let here = self.list(resource, Some(namespace), "").await?;
        if let Some(found) = here.into_iter().find(|domain| declares(domain, wanted)) {
            return Ok(Some(found));
        }
        // Without the right to look elsewhere this namespace is all there is.
        let everywhere = self.list(resource, None, "").await.unwrap_or_default();
        Ok(everywhere.into_iter().find(|domain| declares(domain, wanted)))
    }

    /// Sets an annotation of an object, with the rights of whoever asks.
    pub async fn annotate(
        &self,
        resource: Resource,
        (namespace, name): (&str, &str),
        annotation: &str,
        value: &str,
    ) -> Result<()> {
        let patch = json!({"metadata": {"annotations": {annotation: value}}});
        let request = Request::patch(path(resource, Some(namespace), Some(name)))
            .header(header::CONTENT_TYPE, "application/merge-patch+json")
            .body(patch.to_string().into_bytes())?;
        let written: Result<Value, Error> = self.0.request(request).await;
        written.map(drop).map_err(|error| explain(&error, "patch", resource, Some(namespace)))
    }

    async fn get_path(&self, path: &str) -> Result<Value, Error> {
        let request = Request::get(path).body(Vec::new()).map_err(Error::HttpError)?;
        self.0.request(request).await
    }
}

fn path(resource: Resource, namespace: Option<&str>, name: Option<&str>) -> String {
    let namespace = namespace.map_or(String::new(), |namespace| format!("/namespaces/{namespace}"));
    let name = name.map_or(String::new(), |name| format!("/{name}"));
    format!("{}{namespace}/{}{name}", resource.base, resource.plural)
}

/// The pairs that have a value, escaped.
fn query(pairs: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        let escape = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(escape).collect()
    };
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    pairs.map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

fn explain(error: &Error, verb: &str, resource: Resource, namespace: Option<&str>) -> anyhow::Error {
    let place =
        namespace.map_or("in all namespaces".to_owned(), |namespace| format!("in the namespace {namespace}"));
    let what = format!("cannot {verb} {} {place}", resource.plural);
    match error {
        Error::Api(status) if status.code == 403 => anyhow!(
            "{}; you need the right to {verb} {} there (the chart's ClusterRoles mailwright-view and view have it)",
            status.message,
            resource.plural
        )
        .context(what),
        Error::Api(status) if status.code == 404 && resource.base.contains("mailwright.dev") => anyhow!(
            "the cluster does not know {}: install the chart mailwright-crds",
            resource.plural
        )
        .context(what),
        error => anyhow!("{error}").context(what),
    }
}

/// Whether a MailDomain declares a domain, as its own or as an alias.
fn declares(object: &Value, wanted: &str) -> bool {
    let mut aliases = object["spec"]["aliases"].as_array().into_iter().flatten().filter_map(Value::as_str);
    text(object, "/spec/domain") == wanted || aliases.any(|alias| alias == wanted)
}

/// `namespace/name` of an object.
pub fn full_name(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

/// A string at a JSON pointer, or nothing.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The condition of a type: status, reason, message.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == type_)?;
    Some((text(found, "/status"), text(found, "/reason"), text(found, "/message")))
}

/// Reads the kind and the name of `mailbox/alice`, `mbx alice`.
pub fn parse_object(words: &[String]) -> Result<(Kind, String)> {
    let (kind, name) = match words {
        [one] => one.split_once('/').context("write KIND/NAME, such as mailbox/alice")?,
        [kind, name] => (kind.as_str(), name.as_str()),
        _ => bail!("write KIND/NAME, such as mailbox/alice"),
    };
    if name.is_empty() {
        bail!("write KIND/NAME, such as mailbox/alice");
    }
    Ok((kind.parse()?, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use kube_client::core::Status;
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_found_where_the_api_server_serves_them() {
        for (resource, namespace, name, expected) in [
            (
                of_kind(Kind::Mailbox),
                Some("mail"),
                None,
                "/apis/mailwright.dev/v1alpha1/namespaces/mail/mailboxes",
            ),
            (of_kind(Kind::Alias), None, None, "/apis/mailwright.dev/v1alpha1/aliases"),
            (PODS, Some("mail"), Some("example-0"), "/api/v1/namespaces/mail/pods/example-0"),
            (STATEFUL_SETS, Some("a"), Some("b"), "/apis/apps/v1/namespaces/a/statefulsets/b"),
        ] {
            assert_eq!(path(resource, namespace, name), expected);
        }
    }

    #[test]
    fn queries_are_escaped_and_without_empty_pairs() {
        assert_eq!(query(&[("limit", "500"), ("continue", "")]), "limit=500");
        assert_eq!(query(&[("a", "x=y,z/1"), ("b", "ü")]), "a=x%3Dy%2Cz%2F1&b=%C3%BC");
    }

    #[test]
    fn refusals_name_the_missing_right() {
        let refusal =
            |code| Error::Api(Box::new(Status { code, message: "no".to_owned(), ..Status::default() }));
        for (code, says) in [(403, "the right to list mailboxes"), (404, "install the chart"), (500, "no")] {
            let error = explain(&refusal(code), "list", of_kind(Kind::Mailbox), Some("mail"));
            let error = format!("{error:#}");
            assert!(
                error.starts_with("cannot list mailboxes in the namespace mail") && error.contains(says),
                "{error}"
            );
        }
    }

    #[test]
    fn a_domain_is_found_by_any_of_its_names() {
        let objects = [
            json!({"metadata": {"name": "a"}, "spec": {"domain": "example.test"}}),
            json!({"metadata": {"name": "b"}, "spec": {"domain": "example.org", "aliases": ["example.net"]}}),
        ];
        for (wanted, name) in [("example.test", Some("a")), ("example.net", Some("b")), ("other.test", None)]
        {
            assert_eq!(
                objects
                    .iter()
                    .find(|object| declares(object, wanted))
                    .map(|object| text(object, "/metadata/name")),
                name,
                "{wanted}"
            );
        }
    }

    #[test]
    fn objects_are_named_in_one_word_or_two() {
        let parse = |line: &str| parse_object(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for line in ["mailbox/alice", "mbx alice", "mailboxes.mailwright.dev/alice"] {
            assert_eq!(parse(line).unwrap(), (Kind::Mailbox, "alice".to_owned()), "{line}");
        }
        for line in ["mailbox", "mailbox/", "pod/alice", ""] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn conditions_are_found_by_type() {
        let object = json!({"metadata": {"namespace": "a", "name": "b"}, "status": {"conditions": [
            {"type": "Ready", "status": "False", "reason": "Invalid", "message": "why"}, {"type": "Accepted"},
        ]}});
        assert_eq!(condition(&object, "Ready"), Some(("False", "Invalid", "why")));
        assert_eq!(condition(&object, "Accepted"), Some(("", "", "")));
        assert_eq!(condition(&object, "Other"), None);
        assert_eq!(full_name(&object), "a/b");
    }
}
