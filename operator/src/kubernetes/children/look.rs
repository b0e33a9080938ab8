//! Looks at what the children became: the pod, its volume and what was reported about them. As few requests as there are
//! questions: a pod that is ready and up to date has none. Judging is [`super::facts`].

use chrono::{DateTime, Utc};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod, Service};
use kube_client::{Api, Client, Error};
use kube_core::params::ListParams;
use serde::de::DeserializeOwned;

use super::awaited::Awaited;
use super::decide::{Live, Owner};
use super::facts;
use super::timely;
use crate::backoff;
use crate::workload::{ChildKind, names};

/// Events of one object that are read. The server keeps them for an hour and repeats are counted in one.
const MOST_EVENTS: u32 = 50;

/// The kind of a volume claim.
const CLAIM: &str = "PersistentVolumeClaim";

/// What there is of a MailServer's workload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The StatefulSet.
    pub stateful_set: Option<StatefulSet>,
    /// Whether a public Service is wanted.
    pub is_public: bool,
    /// The public Service.
    pub service: Option<Service>,
    /// The pod.
    pub pod: Option<Pod>,
    /// Its volume claim.
    pub claim: Option<PersistentVolumeClaim>,
    /// What was reported about any of them.
    pub events: Vec<Event>,
}

/// Looks at the workload of `owner`, whose children were seen as `live`. What is reported about a Service that waits for its
/// address is in `awaited`, and read again only when it is due.
pub async fn look(
    client: &Client,
    owner: &Owner,
    live: &[Live],
    awaited: &mut Awaited,
    now: DateTime<Utc>,
) -> Result<Seen, Error> {
    let mut seen = Seen {
        stateful_set: child(live, ChildKind::StatefulSet, &names::stateful_set(&owner.name)),
        service: child(live, ChildKind::Service, &names::public_service(&owner.name)),
        ..Seen::default()
    };
    let settled = seen.stateful_set.as_ref().is_some_and(facts::is_rolled_out);
    let at_node = seen.service.as_ref().is_some_and(facts::is_at_node);
    if !settled || at_node {
        let api = Api::<Pod>::namespaced(client.clone(), &owner.namespace);
        seen.pod = timely(api.get_opt(&names::pod(&owner.name))).await?;
    }
    if !settled {
        let api = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &owner.namespace);
        seen.claim = timely(api.get_opt(&names::claim(&owner.name))).await?;
    }
    let (pod, claim) = (names::pod(&owner.name), names::claim(&owner.name));
    let mut questions = Vec::new();
    if !settled {
        questions.extend([("StatefulSet", &owner.name), ("Pod", &pod), (CLAIM, &claim)]);
    }
    for (kind, name) in questions {
        seen.events.extend(events(client, &owner.namespace, kind, name).await?);
    }
    match seen.service.as_ref().filter(|service| facts::waits_for_address(service)) {
        Some(service) => {
            if awaited.is_due(service, now) {
                let told = events(client, &owner.namespace, "Service", &owner.name).await?;
                awaited.read(service, told, (now, backoff::chance()));
            }
            seen.events.extend_from_slice(awaited.events());
        }
        None => awaited.over(),
    }
    Ok(seen)
}

async fn events(client: &Client, namespace: &str, kind: &str, name: &str) -> Result<Vec<Event>, Error> {
    // That a claim finds no volume is reported as if it were normal.
    let of_type = if kind == CLAIM { "" } else { ",type=Warning" };
    let fields = format!("involvedObject.kind={kind},involvedObject.name={name}{of_type}");
    let parameters = ListParams::default().fields(&fields).limit(MOST_EVENTS);
    let api = Api::<Event>::namespaced(client.clone(), namespace);
    Ok(timely(api.list(&parameters)).await?.items)
}

/// A child as its type. What is not of the type was written by a newer API server and is not there for us.
fn child<T: DeserializeOwned>(live: &[Live], kind: ChildKind, name: &str) -> Option<T> {
    let found = live.iter().find(|live| live.kind == kind && live.name() == name)?;
    serde_json::from_value(found.object.clone()).ok()
}
