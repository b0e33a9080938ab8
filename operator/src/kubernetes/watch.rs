//! Follows objects of an API server: one task per kind and namespace, by streaming lists where the server has them. Told
//! in order; an error only delays, and a kind that the server does not know (any more) is told as such, never as empty.
//! Leaves out what is remembered ([`super::world`]).

use std::future::Future;
use std::time::Duration;

use futures::StreamExt as _;
use kube_client::{Api, Client};
use kube_core::metadata::PartialObjectMeta;
use kube_core::{ApiResource, DynamicObject, DynamicResourceScope, ObjectMeta, Status};
use kube_runtime::watcher::{self, Config, Event};
use tokio::sync::mpsc;
use tokio::time::error::Elapsed;

use mailwright_crds::Kind;

use super::metrics;
use crate::backoff;

/// Changes that may wait for the one who takes them in; a faster server has to wait, so that a list of any length takes
/// bounded memory.
pub const WAITING: usize = 256;

/// The longest pause after errors: short beside the lifetime of a watch, so that the view is never old for long.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause while the server does not have the kind: asking costs next to nothing, and whoever installs the
/// definitions waits.
const LONGEST_UNKNOWN: Duration = Duration::from_secs(3);

/// How long nothing may come while a list is awaited. A change may take days to come, but the next object of a list does
/// not: a server that says nothing has lost the request, and nothing at all is decided until every list is complete.
const LISTING: Duration = Duration::from_secs(60);

/// What is followed, and where.
#[derive(Debug, Clone)]
pub struct Followed {
    /// Which objects.
    pub resource: ApiResource,
    /// In which namespace; `None` is all of them, or none for what has no namespace.
    pub namespace: Option<String>,
    /// Only these labels.
    pub labels: Option<String>,
    /// Only these fields.
    pub fields: Option<String>,
    /// Only the metadata is asked for.
    pub metadata_only: bool,
}

impl Followed {
    /// All objects of a resource.
    pub fn all(resource: ApiResource) -> Followed {
        Followed { resource, namespace: None, labels: None, fields: None, metadata_only: false }
    }

    /// Those of one namespace.
    pub fn within(self, namespace: Option<&str>) -> Followed {
        Followed { namespace: namespace.map(str::to_owned), ..self }
    }

    /// Those with labels.
    pub fn labelled(self, labels: &str) -> Followed {
        Followed { labels: Some(labels.to_owned()), ..self }
    }

    /// Those with fields.
    pub fn with_fields(self, fields: &str) -> Followed {
        Followed { fields: Some(fields.to_owned()), ..self }
    }

    /// Their metadata alone.
    pub fn metadata(self) -> Followed {
        Followed { metadata_only: true, ..self }
    }
}

/// What is told of a followed kind.
#[derive(Debug)]
pub enum Told {
    /// A list begins; what was known stays until it is complete.
    Began,
    /// An object of the list.
    Listed(DynamicObject),
    /// The list is complete: what it did not name is gone.
    Complete,
    /// An object is new or different.
    Changed(DynamicObject),
    /// An object is gone.
    Gone(DynamicObject),
    /// The server does not have this kind: nothing is known of its objects.
    Unknown,
    /// The server or the way to it has trouble; it is tried again.
    Failed(String),
}

/// Follows until the receiver is gone. Each message names what was followed by `tag`.
pub async fn follow<T: Copy + Send + 'static>(
    client: Client,
    tag: T,
    followed: Followed,
    sender: mpsc::Sender<(T, Told)>,
) {
    let mut streaming = true;
    loop {
        match run(&client, tag, &followed, streaming, &sender).await {
            Ended::ReceiverGone => return,
            Ended::NoStreaming => streaming = false,
        }
    }
}

enum Ended {
    ReceiverGone,
    NoStreaming,
}

async fn run<T: Copy + Send + 'static>(
    client: &Client,
    tag: T,
    followed: &Followed,
    streaming: bool,
    sender: &mpsc::Sender<(T, Told)>,
) -> Ended {
    let config = config(followed, streaming);
    let mut events = if followed.metadata_only {
        let api: Api<PartialObjectMeta<DynamicObject>> = api(client, followed);
        watcher::watcher(api, config).map(|event| event.map(whole)).boxed()
    } else {
        let api: Api<DynamicObject> = api(client, followed);
        watcher::watcher(api, config).boxed()
    };
    let (mut failures, mut listing) = (0, true);
    while let Ok(Some(event)) = within(listing.then_some(LISTING), events.next()).await {
        listing = awaits_list(listing, event.as_ref().ok());
        let told = match event {
            Ok(event) => {
                failures = 0;
                told(event)
            }
            Err(error) => {
                if streaming && refuses_streaming(&error) {
                    return Ended::NoStreaming;
                }
                failures += 1;
                metrics::watch_restarted(name(&followed.resource));
                failed(&error)
            }
        };
        let pause = match told {
            Told::Failed(_) => Some(LONGEST_PAUSE),
            Told::Unknown => Some(LONGEST_UNKNOWN),
            _ => None,
        };
        if sender.send((tag, told)).await.is_err() {
            return Ended::ReceiverGone;
        }
        if let Some(longest) = pause {
            let delay = backoff::delay(failures - 1, backoff::chance()).to_std().unwrap_or(longest);
            tokio::time::sleep(delay.min(longest)).await;
        }
    }
    Ended::NoStreaming
}

async fn within<T>(limit: Option<Duration>, next: impl Future<Output = T>) -> Result<T, Elapsed> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, next).await,
        None => Ok(next.await),
    }
}

/// Whether the next thing to come belongs to a list; after an error there is a new one.
fn awaits_list<T>(awaited: bool, event: Option<&Event<T>>) -> bool {
    match event {
        None | Some(Event::Init | Event::InitApply(_)) => true,
        Some(Event::InitDone) => false,
        Some(Event::Apply(_) | Event::Delete(_)) => awaited,
    }
}

fn api<K: kube_core::Resource<Scope = DynamicResourceScope, DynamicType = ApiResource>>(
    client: &Client,
    followed: &Followed,
) -> Api<K> {
    match &followed.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &followed.resource),
        None => Api::all_with(client.clone(), &followed.resource),
    }
}

fn config(followed: &Followed, streaming: bool) -> Config {
    let config = Config {
        label_selector: followed.labels.clone(),
        field_selector: followed.fields.clone(),
        ..Config::default()
    };
    if streaming { config.streaming_lists() } else { config }
}

fn told(event: Event<DynamicObject>) -> Told {
    match event {
        Event::Init => Told::Began,
        Event::InitApply(object) => Told::Listed(pruned(object)),
        Event::InitDone => Told::Complete,
        Event::Apply(object) => Told::Changed(pruned(object)),
        Event::Delete(object) => Told::Gone(pruned(object)),
    }
}

/// An object without what nobody reads: who set which field is a third of it, and most of what it takes when it is parsed.
pub fn pruned(mut object: DynamicObject) -> DynamicObject {
    object.metadata.managed_fields = None;
    if let Some(annotations) = &mut object.metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    object
}

fn whole(event: Event<PartialObjectMeta<DynamicObject>>) -> Event<DynamicObject> {
    let whole = |partial: PartialObjectMeta<DynamicObject>| DynamicObject {
        types: partial.types,
        metadata: partial.metadata,
        data: serde_json::Value::Null,
    };
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(whole(object)),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(whole(object)),
        Event::Delete(object) => Event::Delete(whole(object)),
    }
}

/// A resource as the label of a metric.
fn name(resource: &ApiResource) -> &'static str {
    let own = Kind::ALL.into_iter().map(Kind::plural).find(|plural| *plural == resource.plural);
    own.unwrap_or(match resource.plural.as_str() {
        "secrets" => "secrets",
        "namespaces" => "namespaces",
        _ => "children",
    })
}

/// Servers before 1.32 refuse to begin a watch with a list, with words about the parameter that asks for it.
fn refuses_streaming(error: &watcher::Error) -> bool {
    status(error).is_some_and(|status| {
        matches!(status.code, 400 | 422) && status.message.contains("sendInitialEvents")
    })
}

fn failed(error: &watcher::Error) -> Told {
    match status(error) {
        Some(status) if status.code == 404 => Told::Unknown,
        _ => Told::Failed(error.to_string()),
    }
}

fn status(error: &watcher::Error) -> Option<&Status> {
    match error {
        watcher::Error::WatchError(status) => Some(status),
        watcher::Error::InitialListFailed(kube_client::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube_client::Error::Api(status))
        | watcher::Error::WatchFailed(kube_client::Error::Api(status)) => Some(status),
        _ => None,
    }
}

/// `namespace` and `name` of an object; empty where it has none.
pub fn place(metadata: &ObjectMeta) -> (&str, &str) {
    (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(code: u16, message: &str) -> watcher::Error {
        let status = Status { code, ..Status::failure(message, "") };
        watcher::Error::WatchStartFailed(kube_client::Error::Api(status.boxed()))
    }

    #[tokio::test]
    async fn a_list_that_stops_coming_is_given_up() {
        assert!(within(Some(Duration::from_millis(10)), std::future::pending::<()>()).await.is_err());
        assert_eq!(within(Some(LISTING), async { 7 }).await.ok(), Some(7));
        assert_eq!(within(None, async { 7 }).await.ok(), Some(7));
    }

    #[test]
    fn a_list_is_awaited_until_it_is_complete_and_after_an_error() {
        for (awaited, event, expected) in [
            (true, Some(Event::Init), true),
            (true, Some(Event::InitApply(1)), true),
            (true, Some(Event::InitDone), false),
            (false, Some(Event::Apply(1)), false),
            (false, Some(Event::Delete(1)), false),
            (false, None, true),
        ] {
            assert_eq!(awaits_list(awaited, event.as_ref()), expected, "{awaited} {event:?}");
        }
    }

    #[test]
    fn a_kind_the_server_does_not_have_is_unknown_and_not_empty() {
        for (code, message, unknown, streaming) in [
            (404, "404 page not found", true, false),
            (403, "forbidden", false, false),
            (410, "too old resource version", false, false),
            (429, "too many requests", false, false),
            (500, "etcd is down", false, false),
            (422, "sendInitialEvents is forbidden for watch", false, true),
            (400, "sendInitialEvents: Forbidden", false, true),
            (400, "unable to parse", false, false),
        ] {
            let error = error(code, message);
            assert_eq!(matches!(failed(&error), Told::Unknown), unknown, "{code} {message}");
            assert_eq!(refuses_streaming(&error), streaming, "{code} {message}");
        }
        assert!(matches!(failed(&watcher::Error::NoResourceVersion), Told::Failed(_)));
    }

    #[test]
    fn what_nobody_reads_is_pruned() {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "a", "namespace": "b", "labels": {"x": "y"},
                "managedFields": [{"manager": "m"}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "1"},
            },
            "data": {"k": "v"},
        }))
        .unwrap();
        let Told::Changed(object) = told(Event::Apply(object)) else { panic!("a change") };
        assert_eq!(object.metadata.managed_fields, None);
        assert_eq!(object.metadata.annotations.as_ref().unwrap().keys().collect::<Vec<_>>(), ["keep"]);
        assert_eq!((place(&object.metadata), &object.data), (("b", "a"), &json!({"data": {"k": "v"}})));
    }
}
