//! The work of a replica: opens the keyring, follows everything, and lets the chief and the caretaker run until it is told to
//! stop. A replica that does not lead follows too, so that it is ready when it does.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube_core::{ApiResource, GroupVersionKind};
use mailwright_crds::Kind;
use mailwright_crds::well_known::SERVER_LABEL;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::apis::Foreign;
use super::chief::Chief;
use super::keyring::Keyring;
use super::metrics::figures::ObjectCounts;
use super::options::Options;
use super::process::Place;
use super::secret::NOT_OURS;
use super::shared::Shared;
use super::status::api_resource;
use super::timed::Timed;
use super::watch::{self, Followed};
use super::world::{Tag, Topic};
use super::{caretaker, children, metrics, published, repository};
use crate::accounts::Connector;
use crate::backoff;
use crate::workload::{ChildKind, OperatorPlace};

/// The check that passes once everything that is followed was listed.
pub const SYNCED: &str = "synced";

/// How often the check is looked at until it passes.
const LOOK: Duration = Duration::from_secs(1);

/// How often objects are counted: as often as anybody asks for metrics.
const COUNT: Duration = Duration::from_secs(15);

/// Reconciles until `place.stop` says true. Dropping it ends every task of it at once.
pub async fn work<C: Connector>(place: Place, options: Options, connector: C) {
    let mut stop = place.stop.clone();
    tokio::select! {
        () = run(place, options, connector) => (),
        _ = stop.wait_for(|stopped| *stopped) => (),
    }
}

async fn run<C: Connector>(place: Place, options: Options, connector: C) {
    place.checks.fails(SYNCED, "the resources are not listed yet");
    let keyring = keyring(&place, &options).await;
    let pods = operator_place(&options);
    let shared = Arc::new(Shared::new(place.client.clone(), options, place.leader.clone(), pods));
    let mut tasks = JoinSet::new();
    let (tell, told) = mpsc::channel(watch::WAITING);
    for (tag, followed) in followed(&shared.options) {
        let optional = match tag.0 {
            Topic::Namespace => followed.fields.is_some(),
            // It is looked at again from time to time anyway.
            Topic::Published(_) => true,
            Topic::Resource(_) | Topic::Secret | Topic::Child(_) => false,
        };
        shared.world().expect(tag, followed.namespace.as_deref(), optional);
        let (client, tell) = (place.client.clone(), tell.clone());
        let follow = move || watch::follow(client.clone(), tag, followed.clone(), tell.clone());
        match foreign(tag.0) {
            Some(foreign) => tasks.spawn(while_served(Arc::clone(&keyring), foreign, follow)),
            None => tasks.spawn(follow()),
        };
    }
    drop(tell);
    tasks.spawn(caretaker::run(Arc::clone(&shared)));
    let connector = Timed(connector);
    tasks.spawn(repository::crew::run(Arc::clone(&shared), Arc::clone(&keyring), connector.clone()));
    tasks.spawn(report(Arc::clone(&shared), place));
    tasks.spawn(follow_apis(Arc::clone(&shared), Arc::clone(&keyring)));
    Chief::new(shared, keyring, connector).run(told).await;
}

/// The kind of another project that a topic is of.
fn foreign(topic: Topic) -> Option<Foreign> {
    match topic {
        Topic::Published(number) => published::KINDS.get(number).copied().flatten(),
        _ => None,
    }
}

/// Follows a kind of another project while the API server has it: nobody asks for what is not there.
async fn while_served<F: Future<Output = ()>>(
    keyring: Arc<Keyring>,
    foreign: Foreign,
    follow: impl Fn() -> F,
) {
    let (mut there, mut gone) = (keyring.apis().served(), keyring.apis().served());
    loop {
        if there.wait_for(|served| served.contains(&foreign)).await.is_err() {
            return;
        }
        tokio::select! {
            () = follow() => return,
            ended = async { gone.wait_for(|served| !served.contains(&foreign)).await.map(drop) } => {
                if ended.is_err() {
                    return;
                }
            }
        }
    }
}

/// Has every installation look again when cert-manager or external-dns is installed or goes.
async fn follow_apis(shared: Arc<Shared>, keyring: Arc<Keyring>) {
    loop {
        keyring.apis().changed().await;
        let servers =
            shared.world().objects().keys().filter(|it| it.kind == Kind::MailServer).cloned().collect();
        shared.secrets_changed(servers);
    }
}

/// The keyring needs an answer of the API server; without one there is nothing to do but to ask again.
async fn keyring(place: &Place, options: &Options) -> Arc<Keyring> {
    let mut failures = 0;
    loop {
        match Keyring::open(place.client.clone(), &options.namespace).await {
            Ok(keyring) => return keyring,
            Err(error) => {
                tracing::error!(%error, "the key of fingerprints cannot be read or made");
                place.checks.fails(SYNCED, &error.to_string());
            }
        }
        let delay = backoff::delay(failures, backoff::chance()).to_std().unwrap_or_default();
        tokio::time::sleep(delay.min(Duration::from_secs(30))).await;
        failures += 1;
    }
}

/// Everything that is followed.
fn followed(options: &Options) -> Vec<(Tag, Followed)> {
    let namespaces: Vec<Option<&str>> = match options.watch_namespaces.is_empty() {
        true => vec![None],
        false => options.watch_namespaces.iter().map(|name| Some(name.as_str())).collect(),
    };
    let mut all = Vec::new();
    for (number, namespace) in namespaces.into_iter().enumerate() {
        for kind in Kind::PLANNED {
            all.push(((Topic::Resource(kind), number), Followed::all(api_resource(kind)).within(namespace)));
        }
        for (at, kind) in ChildKind::ALL.into_iter().enumerate() {
            let children = Followed::all(children::resource(kind)).within(namespace).labelled(SERVER_LABEL);
            all.push(((Topic::Child(at), number), children));
        }
        let secrets =
            Followed::all(core("Secret", "secrets")).within(namespace).with_fields(NOT_OURS).metadata();
        all.push(((Topic::Secret, number), secrets));
        for (at, kind) in published::KINDS.into_iter().enumerate() {
            all.push(((Topic::Published(at), number), published::followed(kind).within(namespace)));
        }
        let of_namespaces = Followed::all(core("Namespace", "namespaces")).metadata();
        let of_namespaces = match namespace {
            Some(name) => of_namespaces.with_fields(&format!("metadata.name={name}")),
            None => of_namespaces,
        };
        all.push(((Topic::Namespace, number), of_namespaces));
    }
    all
}

fn core(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind), plural)
}

/// The operator as its pods see it. The chart gives its pods these labels.
fn operator_place(options: &Options) -> OperatorPlace {
    let labels = [("app.kubernetes.io/name", "mailwright"), ("app.kubernetes.io/component", "operator")];
    OperatorPlace {
        image: options.image.clone(),
        namespace: options.namespace.clone(),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    }
}

/// Says whether the view is complete.
async fn report(shared: Arc<Shared>, place: Place) {
    loop {
        let (complete, missing) = {
            let world = shared.world();
            (world.is_complete(), world.incomplete())
        };
        match complete {
            true => place.checks.passes(SYNCED),
            false => place.checks.fails(SYNCED, &format!("not listed yet: {}", missing.join(", "))),
        }
        metrics::synced(complete);
        // Replicas that only follow would make every object count twice in a sum.
        metrics::objects(if shared.is_leading() { counts(&shared) } else { ObjectCounts::new() });
        tokio::time::sleep(if complete { COUNT } else { LOOK }).await;
    }
}

/// How many objects there are in which conditions.
fn counts(shared: &Shared) -> ObjectCounts {
    let objects: Vec<_> =
        shared.world().objects().iter().map(|(object, seen)| (object.kind, Arc::clone(seen))).collect();
    let mut counts = ObjectCounts::new();
    for (kind, seen) in objects {
        counts.add(kind, &seen.status());
    }
    for declared in shared.roster.all().into_values() {
        counts.add(Kind::MailRepository, &declared.status);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_namespaces_at_once_or_each_apart() {
        let mut options = Options::new("op-0", "localhost/mailwright:test");
        let all = followed(&options);
        assert_eq!(all.len(), 4 + ChildKind::ALL.len() + published::KINDS.len() + 2);
        assert!(all.iter().all(|(_, followed)| followed.namespace.is_none()));
        assert!(all.iter().any(|((topic, _), it)| *topic == Topic::Namespace && it.fields.is_none()));

        options.watch_namespaces = ["a".to_owned(), "b".to_owned()].into();
        let each = followed(&options);
        assert_eq!(each.len(), 2 * all.len());
        for (tag, followed) in &each {
            let name = ["a", "b"][tag.1];
            match tag.0 {
                Topic::Namespace => assert_eq!(followed.fields, Some(format!("metadata.name={name}"))),
                _ => assert_eq!(followed.namespace.as_deref(), Some(name)),
            }
        }
        let tags: std::collections::BTreeSet<Tag> = each.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags.len(), each.len(), "each is told apart");
    }

    #[test]
    fn values_of_secrets_are_not_asked_for() {
        let all = followed(&Options::new("op-0", "i"));
        let secrets: Vec<&Followed> =
            all.iter().filter(|(tag, _)| tag.0 == Topic::Secret).map(|(_, followed)| followed).collect();
        assert!(secrets.len() == 1 && secrets[0].metadata_only);
    }
}
