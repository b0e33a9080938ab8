//! Starts and ends the tasks of MailRepositories: one each while this process leads, none while it does not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use mailwright_crds::{Kind, ObjectRef};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::hooks::{Ears, Heard, Hooks};
use super::roster::{Declared, Roster};
use super::worker::Worker;
use crate::accounts::Connector;
use crate::kubernetes::database::DatabaseSink;
use crate::kubernetes::event::Said;
use crate::kubernetes::keyring::Keyring;
use crate::kubernetes::shared::Shared;
use crate::kubernetes::status::api_resource;
use crate::kubernetes::watch::{Followed, Told, WAITING, follow};
use crate::webhook::Refusal;

/// The tasks.
pub struct Crew<C: Connector> {
    shared: Arc<Shared>,
    keyring: Arc<Keyring>,
    connector: C,
    members: BTreeMap<ObjectRef, Member>,
    hooks: Option<Arc<Hooks>>,
    /// Who was complete at least once; before that nobody is known to be gone.
    namespaces: Vec<Option<String>>,
    listed: Vec<bool>,
}

struct Member {
    uid: String,
    tell: watch::Sender<Arc<Declared>>,
    asked: Arc<Notify>,
    /// When it was last told that a webhook was refused.
    refused: Option<Instant>,
    task: JoinHandle<()>,
}

/// A refused webhook is an event of its MailRepository, not more often than this.
const REFUSALS: Duration = Duration::from_secs(60);

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follows MailRepositories as long as it is polled.
pub async fn run<C: Connector>(shared: Arc<Shared>, keyring: Arc<Keyring>, connector: C) {
    let namespaces: Vec<Option<String>> = match shared.options.watch_namespaces.is_empty() {
        true => vec![None],
        false => shared.options.watch_namespaces.iter().cloned().map(Some).collect(),
    };
    let (tell, told) = mpsc::channel(WAITING);
    let mut watches = tokio::task::JoinSet::new();
    for (number, namespace) in namespaces.iter().enumerate() {
        let followed = Followed::all(api_resource(Kind::MailRepository)).within(namespace.as_deref());
        watches.spawn(follow(shared.client.clone(), number, followed, tell.clone()));
    }
    drop(tell);
    let listed = vec![false; namespaces.len()];
    let (hooks, ears) = match shared.options.webhook_listen {
        Some(_) => Hooks::new(keyring.fingerprint_key(), shared.leader.clone()).unzip(),
        None => (None, None),
    };
    let hooks = hooks.map(Arc::new);
    let listening = hooks.clone().zip(shared.options.webhook_listen);
    let crew = Crew { shared, keyring, connector, members: BTreeMap::new(), hooks, namespaces, listed };
    tokio::select! {
        () = crew.work(told, ears) => {}
        () = async {
            if let Some((hooks, address)) = listening {
                hooks.serve(address).await;
            }
            std::future::pending::<()>().await;
        } => {}
    }
}

/// What a forge sends next.
async fn heard(ears: &mut Option<Ears>) -> Option<Heard> {
    match ears {
        Some(ears) => ears.hear().await,
        None => std::future::pending().await,
    }
}

impl<C: Connector> Crew<C> {
    async fn work(mut self, mut told: mpsc::Receiver<(usize, Told)>, mut ears: Option<Ears>) {
        let mut leader = self.shared.leader.clone();
        loop {
            let news = tokio::select! {
                message = told.recv() => match message {
                    Some((number, message)) => self.take(number, message),
                    None => return,
                },
                Some(heard) = heard(&mut ears) => {
                    match heard {
                        Heard::Push(object) => drop(self.ask(&object)),
                        Heard::Refusal(object, refusal) => self.refuse(object, refusal),
                    }
                    false
                }
                changed = leader.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => return,
                },
            };
            if news {
                self.round();
            }
        }
    }

    fn take(&mut self, number: usize, told: Told) -> bool {
        let complete = matches!(told, Told::Complete);
        let within = self.namespaces.get(number).cloned().flatten();
        let news = self.roster().take(number, within.as_deref(), told);
        let first = complete && !std::mem::replace(&mut self.listed[number], true);
        news || first
    }

    fn roster(&self) -> &Roster {
        &self.shared.roster
    }

    /// A task for each MailRepository that is declared and stays.
    fn round(&mut self) {
        if !self.shared.is_leading() {
            self.members.clear();
            return;
        }
        if !self.listed.iter().all(|listed| *listed) {
            return;
        }
        for (object, unread) in self.roster().unreadable() {
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                let computed = serde_json::to_value(unread.judged(Utc::now())).unwrap_or_default();
                shared.put_own(&object, unread.uid(), &unread.status, &computed).await;
            });
        }
        let declared = self.roster().all();
        let cache = self.shared.options.cache.clone();
        let hooks = self.hooks.clone();
        self.members.retain(|object, member| {
            let stays = declared.get(object).is_some_and(|it| it.uid() == member.uid && !it.is_terminating());
            if !stays {
                tracing::info!(%object, "it is gone or going; what it declared stays as it is");
                forget(&cache, &member.uid);
                if let Some(hooks) = &hooks {
                    hooks.forget(object);
                }
            }
            stays && !member.task.is_finished()
        });
        for (object, declared) in declared.into_iter().filter(|(_, declared)| !declared.is_terminating()) {
            match self.members.get(&object) {
                Some(member) => {
                    // Another status is no reason to look at the source again.
                    member.tell.send_if_modified(|before| {
                        let news = !before.declares_the_same(&declared);
                        *before = declared;
                        news
                    });
                }
                None => {
                    let member = self.hire(object.clone(), declared);
                    self.members.insert(object, member);
                }
            }
        }
    }

    fn hire(&self, object: ObjectRef, declared: Arc<Declared>) -> Member {
        let uid = declared.uid().to_owned();
        let (tell, told) = watch::channel(declared);
        let asked = Arc::new(Notify::new());
        let database =
            DatabaseSink::new(Arc::clone(&self.shared), Arc::clone(&self.keyring), self.connector.clone());
        let (shared, hooks) = (Arc::clone(&self.shared), self.hooks.clone());
        let worker = Worker::new(shared, database, hooks, object, told, Arc::clone(&asked));
        Member { uid, tell, asked, refused: None, task: tokio::spawn(worker.run()) }
    }

    /// Has a repository looked at now, because somebody told of a push. Whether there is one of this name.
    pub fn ask(&self, object: &ObjectRef) -> bool {
        self.members.get(object).inspect(|member| member.asked.notify_one()).is_some()
    }

    /// Tells that a webhook was refused, where whoever set it up looks for it.
    fn refuse(&mut self, object: ObjectRef, refusal: Refusal) {
        let Some(member) = self.members.get_mut(&object) else { return };
        let now = Instant::now();
        if member.refused.is_some_and(|before| now < before + REFUSALS) {
            return;
        }
        member.refused = Some(now);
        let (shared, uid) = (Arc::clone(&self.shared), member.uid.clone());
        tokio::spawn(async move { shared.tell_own(object, uid, refused(refusal)).await });
    }
}

/// The event of a webhook that was refused.
fn refused(refusal: Refusal) -> Said {
    Said {
        warning: true,
        reason: "WebhookRefused".to_owned(),
        note: format!("a webhook was refused: {}", refusal.reason()),
    }
}

/// Removes what was fetched; it costs a fetch if somebody needs it again.
fn forget(cache: &Path, uid: &str) {
    let directory = cache.join(uid);
    if uid.is_empty() || !directory.exists() {
        return;
    }
    tokio::task::spawn_blocking(move || {
        if let Err(error) = std::fs::remove_dir_all(&directory) {
            tracing::debug!(%error, directory = %directory.display(), "the copy of a repository was not removed");
        }
    });
}
