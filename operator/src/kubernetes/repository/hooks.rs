//! Webhooks of MailRepositories in a cluster: the paths and tokens that the workers of this process know, behind one listener.
//!
//! Only the process that leads has workers, so only it judges webhooks; the others hand on to it what they are sent, to the address
//! that it writes into the Lease. Paths are made with the operator's own key, so they outlive the process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use mailwright_crds::{Kind, MailRepository, ObjectRef};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::kubernetes::lease::LeaderState;
use crate::kubernetes::metrics;
use crate::repository::{self, Trouble};
use crate::secrets::Secrets;
use crate::webhook::{Delivery, Hook, Key, Manner, Outcome, Receiver, Refusal, Turn};

/// What the key of paths is derived for.
const CONTEXT: &str = "mailwright.dev 2026-11 paths of webhooks";

/// Refusals that wait to be told; what is more of them says nothing new.
const WAITING: usize = 16;

/// What there is to hear.
#[derive(Debug)]
pub struct Ears {
    /// Pushes.
    pub pushes: mpsc::Receiver<Delivery>,
    /// Webhooks that were sent to the right path and not taken, by repository.
    pub refused: mpsc::Receiver<(String, Refusal)>,
}

impl Ears {
    /// What is heard next.
    pub async fn hear(&mut self) -> Option<Heard> {
        tokio::select! {
            delivery = self.pushes.recv() => object(&delivery?.repository).map(Heard::Push),
            refused = self.refused.recv() => {
                let (repository, refusal) = refused?;
                object(&repository).map(|object| Heard::Refusal(object, refusal))
            }
        }
    }
}

/// What was sent to a repository's path.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something was pushed.
    Push(ObjectRef),
    /// It is not taken.
    Refusal(ObjectRef, Refusal),
}

/// One replica of several: the one that leads decides.
struct Replica {
    leader: watch::Receiver<LeaderState>,
    refused: mpsc::Sender<(String, Refusal)>,
}

impl Manner for Replica {
    fn turn(&self) -> Turn {
        turn(&self.leader.borrow(), Instant::now())
    }

    fn answered(&self, outcome: Outcome, repository: Option<&str>) {
        metrics::webhook(outcome.as_str());
        if let (Outcome::Refused(refusal), Some(repository)) = (outcome, repository) {
            let _ = self.refused.try_send((repository.to_owned(), refusal));
        }
    }
}

/// Who decides about webhooks at that moment.
fn turn(state: &LeaderState, now: Instant) -> Turn {
    match (state.leads_at(now), state.webhooks) {
        (true, _) => Turn::Ours,
        // It led: what it knows of the Lease is its own.
        (false, _) if state.is_deposed_at(now) => Turn::Nobodys,
        (false, Some(address)) => Turn::Theirs(address),
        (false, None) => Turn::Nobodys,
    }
}

/// The webhooks of one process.
pub struct Hooks {
    key: Key,
    receiver: Receiver,
    known: Mutex<BTreeMap<ObjectRef, Hook>>,
}

impl Hooks {
    /// Without a webhook yet, and where pushes are told of. `None` when the system gives no random bytes.
    pub fn new(installation_key: &[u8; 32], leader: watch::Receiver<LeaderState>) -> Option<(Hooks, Ears)> {
        let (tell, refused) = mpsc::channel(WAITING);
        let (receiver, pushes) = Receiver::of(Replica { leader, refused: tell })?;
        let key = Key::new(blake3::derive_key(CONTEXT, installation_key));
        Some((Hooks { key, receiver, known: Mutex::default() }, Ears { pushes, refused }))
    }

    /// Takes the webhook that a repository declares, and none when it cannot be taken; the path for its status.
    pub fn declare(
        &self,
        object: &ObjectRef,
        repository: &MailRepository,
        secrets: &Secrets,
    ) -> (Option<String>, Option<Trouble>) {
        let (hook, trouble) = match repository::hook(repository, secrets, &self.key) {
            Ok(hook) => (hook, None),
            Err(trouble) => (None, Some(trouble)),
        };
        self.change(|known| match hook {
            Some(hook) => known.insert(object.clone(), hook),
            None => known.remove(object),
        });
        (repository::webhook_path(repository, &self.key), trouble)
    }

    /// Takes none of this repository any more.
    pub fn forget(&self, object: &ObjectRef) {
        self.change(|known| known.remove(object));
    }

    /// Listens for as long as it is polled.
    pub async fn serve(&self, address: SocketAddr) {
        let served = match TcpListener::bind(address).await {
            Ok(listener) => self.receiver.serve(listener).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::error!(%error, %address, "webhooks are not taken; the interval stays");
        }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<ObjectRef, Hook>) -> Option<Hook>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.clone();
        change(&mut known);
        if *known != before {
            self.receiver.set(known.values().cloned());
        }
    }
}

/// The repository that a webhook is about.
fn object(repository: &str) -> Option<ObjectRef> {
    let (namespace, name) = repository.split_once('/')?;
    Some(ObjectRef { kind: Kind::MailRepository, namespace: namespace.into(), name: name.into() })
}

#[cfg(test)]
mod tests {
    use mailwright_crds::Reason;
    use serde_json::{Value, json};

    use super::*;
    use crate::source::SecretValue;

    fn repository(name: &str, spec: &Value) -> (ObjectRef, MailRepository) {
        let mut whole = json!({"url": "https://git.example.test/mail.git"});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let object = ObjectRef { kind: Kind::MailRepository, namespace: "mail".into(), name: name.into() };
        let declared = serde_json::from_value(json!({
            "apiVersion": "mailwright.dev/v1alpha1", "kind": "MailRepository",
            "metadata": {"name": name, "namespace": "mail", "uid": "u1"}, "spec": whole,
        }));
        (object, declared.unwrap())
    }

    #[test]
    fn what_is_declared_is_taken_until_it_is_declared_no_more() {
        let of = |key: u8| Hooks::new(&[key; 32], watch::channel(LeaderState::default()).1).unwrap();
        let (hooks, _ears) = of(7);
        let mut secrets = Secrets::default();
        secrets.insert_value("mail", "hook", "token", SecretValue::new("abc"));
        let spec = json!({"webhook": {"provider": "GitHub", "secretRef": {"name": "hook"}}});
        let (object, declared) = repository("company", &spec);
        let (path, trouble) = hooks.declare(&object, &declared, &secrets);
        assert!(path.as_ref().is_some_and(|path| path.starts_with("/hook/")) && trouble.is_none());
        assert_eq!(format!("{:?}", hooks.receiver), "Receiver { repositories: 1 }");
        let (again, other) = (of(7).0, of(8).0);
        assert_eq!(again.declare(&object, &declared, &secrets).0, path, "another process has the same path");
        assert_ne!(other.declare(&object, &declared, &secrets).0, path);

        let (same, trouble) = hooks.declare(&object, &declared, &Secrets::default());
        assert_eq!((same, trouble.map(|it| it.reason)), (path, Some(Reason::SecretNotFound)));
        assert_eq!(format!("{:?}", hooks.receiver), "Receiver { repositories: 0 }");
        hooks.declare(&object, &declared, &secrets);
        let (plain, without) = repository("plain", &json!({}));
        let told = hooks.declare(&plain, &without, &secrets);
        assert!(told.0.is_none() && told.1.is_none());
        assert_eq!(format!("{:?}", hooks.receiver), "Receiver { repositories: 1 }");
        hooks.forget(&object);
        assert_eq!(format!("{:?}", hooks.receiver), "Receiver { repositories: 0 }");
    }

    #[test]
    fn a_webhook_names_its_object() {
        assert_eq!(object("mail/company"), Some(repository("company", &json!({})).0));
        assert_eq!(object("company"), None);
    }

    #[test]
    fn who_leads_decides() {
        let now = Instant::now();
        let address: SocketAddr = "10.0.0.7:9292".parse().unwrap();
        for (term, is_leader, webhooks, expected) in [
            (0, false, None, Turn::Nobodys),
            (0, false, Some(address), Turn::Theirs(address)),
            (3, true, Some(address), Turn::Ours),
            (3, true, None, Turn::Ours),
            (3, false, Some(address), Turn::Nobodys),
        ] {
            let state = LeaderState { term, is_leader, until: None, webhooks };
            assert_eq!(turn(&state, now), expected, "{state:?}");
        }
        let over = LeaderState { term: 3, is_leader: true, until: Some(now), webhooks: Some(address) };
        assert_eq!(turn(&over, now), Turn::Nobodys, "it was frozen");
    }

    #[tokio::test]
    async fn what_is_refused_is_heard_of_with_its_object() {
        let (tell, refused) = mpsc::channel(WAITING);
        let replica = Replica { leader: watch::channel(LeaderState::default()).1, refused: tell };
        let (_pushes, pushes) = mpsc::channel(1);
        let mut ears = Ears { pushes, refused };
        replica.answered(Outcome::Accepted, Some("mail/company"));
        replica.answered(Outcome::Unknown, None);
        replica.answered(Outcome::Refused(Refusal::Stale), Some("mail/company"));
        let expected = Heard::Refusal(repository("company", &json!({})).0, Refusal::Stale);
        assert_eq!(ears.hear().await, Some(expected));
        assert!(ears.refused.try_recv().is_err());
    }
}
